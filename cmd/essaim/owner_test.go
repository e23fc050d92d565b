package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

// What root made in somebody's data directory becomes theirs; nothing outside
// does, whatever lies there in wait.
func TestHandBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const service = 54321
	dir, outside := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "shadow")
	for _, d := range []string{dir, dir + "/store"} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{dir + "/store/file", outside} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(outside, dir+"/hard"); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"soft": outside, "folder": filepath.Dir(outside)} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := handBack(dir); err != nil || ownerOf(t, dir+"/store/file") != 0 {
		t.Errorf("root's own directory: %v", err)
	}
	if err := os.Chown(dir, service, service); err != nil {
		t.Fatal(err)
	}
	if err := handBack(dir); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint32{dir + "/store": service, dir + "/store/file": service, outside: 0, filepath.Dir(outside): 0} {
		if got := ownerOf(t, path); got != want {
			t.Errorf("%s belongs to %d, not %d", path, got, want)
		}
	}
	if err := giveAll(dir, service+1, service+1); err != nil || ownerOf(t, dir) != service {
		t.Errorf("what is somebody's already: %v", err)
	}
	if err := os.Chown(dir, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := giveAll(dir, service, service); err != nil || ownerOf(t, dir) != service {
		t.Errorf("the directory itself, as a set-up leaves it: %v", err)
	}
}
