package local

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"essaim.coop/essaim/internal/powerdisk"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"

	bolt "go.etcd.io/bbolt"
)

func TestMain(m *testing.M) {
	powerdisk.Main()
	os.Exit(m.Run())
}

// TestPowerCutsOnRealFileSystems loses power under ext4, xfs and btrfs, tree
// and checkpoints included: what was acknowledged before the cut is there, the
// tree is sound, bodies are whole.
func TestPowerCutsOnRealFileSystems(t *testing.T) {
	if why := powerdisk.Available(); why != "" {
		t.Skip(why)
	}
	images := 4
	kinds := []string{"ext4"}
	if os.Getenv("ESSAIM_CRASH") == "long" {
		images, kinds = 100, []string{"ext4", "xfs", "btrfs"}
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) { realCuts(t, kind, images, healthy) })
	}
}

func TestMutantsAreCaughtOnARealFileSystem(t *testing.T) {
	if why := powerdisk.Available(); why != "" {
		t.Skip(why)
	}
	for _, m := range []mutant{mutantNoSync, mutantEarlyReply} {
		if lost := realCuts(t, "ext4", 6, m); lost == 0 {
			t.Errorf("mutant %d: nothing was lost", m)
		}
	}
}

func realCuts(t *testing.T, kind string, images int, m mutant) (lost int) {
	size := map[string]int64{"ext4": 96 << 20, "xfs": 320 << 20, "btrfs": 200 << 20}[kind]
	d, err := powerdisk.New(t.TempDir(), size)
	if err != nil {
		t.Skip(err)
	}
	defer d.Close()
	if err := powerdisk.Format(kind, d.Path()); err != nil {
		t.Skip(err)
	}
	mnt := t.TempDir()
	if err := powerdisk.Mount(d.Path(), mnt); err != nil {
		t.Skip(err)
	}
	opt := Options{Overlay: 60_000, Segment: 1 << 20, Spare: 300_000, Ballast: -1, mutant: m}
	db := open(t, filepath.Join(mnt, "store"), opt)
	d.Record()
	load(t, d, db)
	end := d.Events()
	db.kill()
	if err := powerdisk.Unmount(mnt); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, uint64(images)))
	for i := range images {
		n := 1 + rng.IntN(end)
		if i == 0 {
			n = end
		}
		lost += oneImage(t, d, kind, n, rng.Uint64(), m)
	}
	t.Logf("%s: %d images of %d events, %d lost", kind, images, end, lost)
	return lost
}

// load writes from a few sides and marks every acknowledgement, while the store
// is compacted.
func load(t *testing.T, d *powerdisk.Disk, db *DB) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 3 {
			if err := db.Compact(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	for w := range 4 {
		wg.Go(func() {
			for i := range 60 {
				n := w*1000 + i + 1
				size := 500 + n*37%9000
				if i%25 == 24 {
					size = blob.MaxSmall + n
				}
				s := stage(t, db, content(n, size))
				if err := db.Update(func(tx kv.Tx) error {
					tx.Put(fmt.Appendf(nil, "k%05d", n), fmt.Appendf(nil, "%d %d", tx.Attach(s), size))
					return nil
				}); err != nil {
					t.Error(err)
					return
				}
				d.Mark(n)
			}
		})
	}
	wg.Wait()
}

func content(n, size int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "letter %d;", n), size/8)[:size]
}

// oneImage mounts what a cut after n events left and verifies it.
func oneImage(t *testing.T, d *powerdisk.Disk, kind string, n int, seed uint64, m mutant) (lost int) {
	img := filepath.Join(t.TempDir(), "image")
	acked, err := d.Image(img, n, seed)
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(img)
	mnt := t.TempDir()
	var options []string
	if kind == "xfs" {
		options = []string{"nouuid"}
	}
	if err := powerdisk.Mount(img, mnt, options...); err != nil {
		t.Fatalf("event %d: %v", n, err)
	}
	defer func() {
		if err := powerdisk.Unmount(mnt); err != nil {
			t.Error(err)
		}
	}()
	lost = oneStore(t, filepath.Join(mnt, "store"), n, acked, m)
	if m != healthy || lost > 0 {
		return lost
	}
	// And again as if the tree were lost.
	if err := os.Remove(filepath.Join(mnt, "store", "tree.db")); err != nil {
		return 0 // cut before there was one
	}
	if _, err := Rebuild(t.Context(), filepath.Join(mnt, "store"), Options{Ballast: -1}); err != nil {
		t.Errorf("event %d: rebuilding: %v", n, err)
		return 1
	}
	return oneStore(t, filepath.Join(mnt, "store"), n, acked, m)
}

func oneStore(t *testing.T, dir string, n int, acked []int, m mutant) (lost int) {
	db, err := Open(dir, Options{Ballast: -1})
	if err != nil {
		if m == healthy {
			t.Errorf("event %d: %v", n, err)
		}
		return 1
	}
	defer db.kill()
	for _, a := range acked {
		if err := acknowledged(db, a); err != nil {
			lost++
			if m == healthy {
				t.Errorf("event %d: %d was acknowledged: %v", n, a, err)
			}
		}
	}
	if err := db.tree.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return nil
	}); err != nil {
		t.Errorf("event %d: the tree: %v", n, err)
	}
	return lost
}

func acknowledged(db *DB, n int) error {
	var v string
	if err := db.View(func(r kv.Reader) error { v = string(r.Get(fmt.Appendf(nil, "k%05d", n))); return nil }); err != nil {
		return err
	}
	var id blob.ID
	var size int
	if _, err := fmt.Sscan(strings.TrimSpace(v), &id, &size); err != nil {
		return fmt.Errorf("its row is %q", v)
	}
	r, err := db.Open(id)
	if err != nil {
		return err
	}
	defer r.Close()
	if b, err := r.Bytes(); err != nil || !bytes.Equal(b, content(n, size)) {
		return fmt.Errorf("its body: %d bytes, %w", len(b), err)
	}
	return nil
}
