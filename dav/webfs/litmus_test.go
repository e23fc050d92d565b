package webfs

import (
	"os/exec"
	"strings"
	"testing"
)

// litmus holds the whole of RFC 4918 classes 1 and 2 against the files.
func TestLitmus(t *testing.T) {
	if _, err := exec.LookPath("litmus"); err != nil {
		t.Skip("litmus is not installed")
	}
	h := newHouse(t, 0)
	cmd := exec.Command("litmus", "-k", h.url("ann", ""), "ann", "x")
	cmd.Dir = t.TempDir() // it leaves its logs where it runs
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("litmus: %v\n%s", err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, "WARNING") || strings.Contains(line, "FAIL") {
			t.Error(line)
		}
	}
	if n := strings.Count(string(out), "100.0%"); n != 5 {
		t.Errorf("%d of five suites passed:\n%s", n, out)
	}
}
