package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The programs for the other machines, carried out instruction by instruction:
// each sets up, serves, takes a letter in and a file, is killed, shows both, and
// checks itself. So are tests of the store.
func TestStoryOnOtherMachines(t *testing.T) {
	if os.Getenv("ESSAIM_LONG") == "" {
		t.Skip("compiles for other machines; ESSAIM_LONG is not set")
	}
	for _, m := range []struct{ arch, arm, emulator string }{{"arm64", "", "qemu-aarch64-static"}, {"arm", "7", "qemu-arm-static"}} {
		t.Run(m.arch+m.arm, func(t *testing.T) {
			needs(t, m.emulator)
			dir := t.TempDir()
			build := func(name string, args ...string) string {
				t.Helper()
				out := filepath.Join(dir, name)
				cmd := exec.Command("go", append(args[:len(args):len(args)], "-o", out, ".")...)
				cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+m.arch, "GOARM="+m.arm)
				if said, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, said)
				}
				return out
			}
			program := build("essaim", "build")
			h := &house{t: t, bin: emulated(t, dir, m.emulator, program), dir: filepath.Join(dir, "house"), base: freeBase(t)}
			h.args = []string{"demo", "--data", h.dir, "--members", "1", "--domain", testDomain, "--password", testPassword,
				"--base-port", fmt.Sprint(h.base), "--no-samples", "--keep", "--plain-http"}
			start := time.Now()
			h.start()
			t.Cleanup(func() { h.stop(syscall.SIGTERM) })
			t.Logf("%v until it serves", time.Since(start).Round(time.Millisecond))
			if err := h.deliver("load@example.net", []string{user(1)}, letter("emulated", 3000)); err != nil {
				t.Fatal(err)
			}
			h.dav("PUT", "files/"+user(1)+"/large.bin", strings.Repeat("0123456789abcdef", 1<<18))
			h.stop(syscall.SIGKILL)
			h.start()
			if b := h.newest(user(1), "X-Id: emulated"); len(b) < 3000 {
				t.Errorf("%q", b)
			}
			if b := h.dav("GET", "files/"+user(1)+"/large.bin", ""); string(b) != strings.Repeat("0123456789abcdef", 1<<18) {
				t.Errorf("%d bytes came back, other than they were", len(b))
			}
			h.stop(syscall.SIGTERM)
			h.check()

			tests := exec.Command(m.emulator, build("storage.test", "-C", "../../storage", "test", "-c"), "-test.run=Sync|Changes|Quota|Rights|OlderProgram|Backup|Upgrade")
			tests.Dir = dir
			if said, err := tests.CombinedOutput(); err != nil || strings.Contains(string(said), "no tests to run") {
				t.Errorf("the store's tests: %v\n%s", err, said)
			}
		})
	}
}

// emulated is a program that carries another out.
func emulated(t *testing.T, dir, emulator, program string) string {
	t.Helper()
	path := filepath.Join(dir, "run")
	if err := os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\nexec %s %s \"$@\"\n", emulator, program), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
