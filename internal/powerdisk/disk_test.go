package powerdisk

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// A synced file survives every cut after its sync; the drive does lose what
// was not synced, or the battery above it could not fail.
func TestPowerCutKeepsTheSyncedAndLosesTheRest(t *testing.T) {
	if why := Available(); why != "" {
		t.Skip(why)
	}
	d, err := New(t.TempDir(), 64<<20)
	if err != nil {
		t.Skip(err)
	}
	defer d.Close()
	if err := Format("ext4", d.Path()); err != nil {
		t.Fatal(err)
	}
	mnt := t.TempDir()
	if err := Mount(d.Path(), mnt); err != nil {
		t.Skip(err)
	}
	d.Record()
	write(t, filepath.Join(mnt, "synced"), true)
	d.Mark(1)
	write(t, filepath.Join(mnt, "loose"), false)
	end := d.Events()
	if err := Unmount(mnt); err != nil {
		t.Fatal(err)
	}
	img := filepath.Join(t.TempDir(), "image")
	marks, err := d.Image(img, end, 1)
	if err != nil || len(marks) != 1 {
		t.Fatalf("marks %v, %v", marks, err)
	}
	after := t.TempDir()
	if err := Mount(img, after); err != nil {
		t.Fatal(err)
	}
	defer Unmount(after)
	if b, err := os.ReadFile(filepath.Join(after, "synced")); err != nil || string(b) != "letter" {
		t.Errorf("synced file after the cut: %q, %v", b, err)
	}
	if b, _ := os.ReadFile(filepath.Join(after, "loose")); string(b) == "letter" {
		t.Errorf("a file nobody synced survived the cut")
	}
}

func write(t *testing.T, path string, sync bool) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("letter"); err != nil {
		t.Fatal(err)
	}
	if !sync {
		return
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		t.Fatal(err)
	}
}
