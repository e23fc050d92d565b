package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"essaim.coop/essaim/internal/vfs/faultfs"
	"essaim.coop/essaim/storage/kv"
)

// verified returns what Verify finds.
func verified(t testing.TB, db *DB) (found []string) {
	t.Helper()
	err := db.Verify(context.Background(), func(s string) { found = append(found, s) })
	if err != nil && !errors.Is(err, kv.ErrCorrupt) {
		t.Fatal(err)
	}
	return found
}

// failSync lets one life end by a sync that fails.
func failSync(t *testing.T, fs *faultfs.FS, db *DB) {
	t.Helper()
	fs.Fail = func(op, _ string) error {
		if op == "sync" {
			fs.Fail = nil
			return syscall.EIO
		}
		return nil
	}
	for range 3 {
		err := db.Update(func(tx kv.Tx) error { tx.Put([]byte("lost"), nil); return nil })
		if !errors.Is(err, kv.ErrFailed) {
			t.Fatalf("after a failed sync: %v", err)
		}
	}
	select {
	case <-db.Failed():
	default:
		t.Fatal("Failed is open")
	}
	db.kill()
}

func TestASecondFailureOfTheDiskMakesItReadOnly(t *testing.T) {
	fs, dir := faultfs.New(1), t.TempDir()
	opt := Options{FS: fs, Ballast: -1, Quiet: 1 << 40}
	db := open(t, dir, opt)
	put(t, db, "a", "1")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	failSync(t, fs, open(t, dir, opt))

	db = open(t, dir, opt)
	if why := db.ReadOnly(); why != "" {
		t.Fatalf("after one failure: %s", why)
	}
	put(t, db, "b", "2")
	failSync(t, fs, db)

	fs.Fail = func(op, name string) error {
		t.Errorf("%s %s on a disk that failed twice", op, name)
		return syscall.EIO
	}
	db = open(t, dir, opt)
	if why := db.ReadOnly(); !strings.Contains(why, "failed 2 times") || !strings.Contains(why, "input/output error") {
		t.Fatalf("after two failures: %q", why)
	}
	err := db.Update(func(tx kv.Tx) error { t.Error("an Update ran"); return nil })
	if !errors.Is(err, kv.ErrReadOnly) || get(t, db, "a") != "1" || get(t, db, "b") != "2" {
		t.Fatalf("an Update gave %v", err)
	}
	fs.Fail = nil
	if err := db.ClearFailure(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, dir, opt)
	if why := db.ReadOnly(); why != "" {
		t.Fatalf("after the note was cleared: %s", why)
	}
	put(t, db, "c", "3")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Damage found after a first failure is reason enough.
func TestDamageAfterAFailureMakesItReadOnly(t *testing.T) {
	fs, dir := faultfs.New(1), t.TempDir()
	opt := Options{FS: fs, Ballast: -1, Quiet: 1 << 40}
	db := open(t, dir, opt)
	s := stage(t, db, []byte("a body that rots"))
	if err := db.Update(func(tx kv.Tx) error { tx.Attach(s); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	failSync(t, fs, db)
	fs.Flip(dir+"/journal/00000001", 8*(segmentHeader+frameHeader+itemHeader+3))
	db = open(t, dir, opt)
	if why := db.ReadOnly(); !strings.Contains(why, "journal/00000001") {
		t.Errorf("with a damaged body: %q", why)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A disk that takes no note still ends the process, and a note that is cut or
// damaged is a failure that is reported, not a start that fails.
func TestTheNoteIsBestEffort(t *testing.T) {
	fs, dir := faultfs.New(1), t.TempDir()
	opt := Options{FS: fs, Ballast: -1, Quiet: 1 << 40}
	db := open(t, dir, opt)
	fs.Fail = func(string, string) error { return syscall.EIO }
	if err := db.Update(func(tx kv.Tx) error { tx.Put([]byte("a"), nil); return nil }); !errors.Is(err, kv.ErrFailed) {
		t.Fatal(err)
	}
	<-db.Failed()
	db.kill()
	fs.Fail = nil
	failSync(t, fs, open(t, dir, opt))
	size, err := fs.Size(dir + "/failed")
	if err != nil {
		t.Fatal(err)
	}
	for bit := range size * 8 {
		fs.Flip(dir+"/failed", bit)
		db := open(t, dir, opt)
		if found := verified(t, db); len(found) == 0 || !strings.Contains(found[0], "failed: ") {
			t.Errorf("bit %d of the note: %q", bit, found)
		}
		db.kill()
		fs.Flip(dir+"/failed", bit)
	}
}

// Every bit of the tree's file that matters is reported by the file's name, and
// no damage of it is the end of the process.
func TestEveryBitOfTheTreeIsReported(t *testing.T)  { everyBit(t, "tree.db") }
func TestEveryBitOfTheSpareIsReported(t *testing.T) { everyBit(t, "spare.db") }

func everyBit(t *testing.T, name string) {
	dir := t.TempDir()
	db := open(t, dir, Options{Ballast: -1})
	want := fillTree(t, db)
	if err := db.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if err := db.followSpare(t.Context()); err != nil {
		t.Fatal(err)
	}
	used := db.Stats().Tree // behind it are pages that were never written
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	tree, err := os.OpenFile(dir+"/"+name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	flip := func(bit int64) {
		b := make([]byte, 1)
		if _, err := tree.ReadAt(b, bit/8); err != nil {
			t.Fatal(err)
		}
		b[0] ^= 1 << (bit % 8)
		if _, err := tree.WriteAt(b, bit/8); err != nil {
			t.Fatal(err)
		}
	}
	step := int64(os.Getpagesize()/2 - 37) // odd: it wanders through the pages
	if os.Getenv("ESSAIM_LONG") != "" {
		step = 61
	}
	var bits []int64
	for bit := int64(0); bit < used*8; bit += step {
		bits = append(bits, bit)
	}
	for page := int64(2); page < used/int64(os.Getpagesize()); page++ {
		for bit := int64(0); bit < pageHeader*8; bit += 3 { // number, kind, entries, pages
			bits = append(bits, page*int64(os.Getpagesize())*8+bit)
		}
	}
	flips, reported := 0, 0
	for _, bit := range bits {
		flips++
		flip(bit)
		if treeFlipIsSeen(t, dir, name, want, bit) {
			reported++
		}
		flip(bit)
	}
	t.Logf("%d flips, %d reported, the others without effect", flips, reported)
	if reported < 20 {
		t.Errorf("%d of %d flips were reported", reported, flips)
	}
}

func fillTree(t *testing.T, db *DB) map[string]string {
	want := map[string]string{}
	for i := range 40 {
		if err := db.Update(func(tx kv.Tx) error {
			for j := range 10 {
				k, v := fmt.Sprintf("key %d/%d", i, j), fmt.Sprint("value ", i*j)
				tx.Put([]byte(k), []byte(v))
				want[k] = v
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return want
}

// treeFlipIsSeen fails the test if damage is neither reported nor harmless.
func treeFlipIsSeen(t *testing.T, dir, name string, want map[string]string, bit int64) (seen bool) {
	t.Helper()
	db, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		return true
	}
	defer db.kill()
	for _, s := range verified(t, db) {
		if !strings.HasPrefix(s, name+": ") {
			t.Fatalf("bit %d: reported as %q", bit, s)
		}
		seen = true
	}
	if seen {
		return true // nothing is read through a tree that leads astray
	}
	got := map[string]string{}
	err = db.View(func(r kv.Reader) error {
		r.Scan(nil, nil, false, func(k, v []byte) bool { got[string(k)] = string(v); return true })
		for k, v := range want {
			if string(r.Get([]byte(k))) != v {
				return fmt.Errorf("%s is lost", k)
			}
		}
		return nil
	})
	if err != nil || len(got) != len(want) {
		t.Errorf("bit %d: not reported, and %v, %d keys of %d", bit, err, len(got), len(want))
	}
	return false
}
