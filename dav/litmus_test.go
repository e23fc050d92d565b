package dav_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestLitmus runs the WebDAV test suite of that name: all of it passes, without
// a warning.
func TestLitmus(t *testing.T) {
	program, err := exec.LookPath("litmus")
	if err != nil {
		t.Skip("litmus is not installed")
	}
	h := house(t)
	do(t, h, "anna", "OPTIONS", "/dav/toy/", "") // from here on the server has seen the mount, by the memory model too
	cmd := exec.CommandContext(t.Context(), program, "-k", "http://"+h.Address+"/dav/toy/", "anna", "x")
	cmd.Dir = t.TempDir() // it writes debug.log
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), " 100.0%") != 5 || strings.Contains(string(out), "WARNING") {
		t.Errorf("%v\n%s", err, out)
	}
}
