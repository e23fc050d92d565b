package local

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"essaim.coop/essaim/internal/vfs/faultfs"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// attach commits a body of size bytes that does not compress.
func attach(t testing.TB, db *DB, n, size int) {
	t.Helper()
	s := stage(t, db, content(n, size))
	s.Stored, s.Compressed = content(n, size), false
	if err := db.Update(func(tx kv.Tx) error {
		tx.Put(fmt.Appendf(nil, "body%d", n), fmt.Append(nil, tx.Attach(s)))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Groups seldom make the journal's file grow, or where no space can be taken
// ahead, they do, and nothing else changes.
func TestSpaceAheadOfTheJournal(t *testing.T) {
	for _, can := range []bool{true, false} {
		fs, dir := faultfs.New(1), t.TempDir()
		fs.Fail = func(op, _ string) error {
			if op == "allocate" && !can {
				return syscall.EOPNOTSUPP
			}
			return nil
		}
		db := open(t, dir, Options{FS: fs, Ballast: -1})
		grown, size := 0, int64(0)
		look := func() {
			if n, _ := db.out.file.Size(); n != size {
				size = n
				grown++
			}
		}
		for i := range 40 {
			put(t, db, fmt.Sprint("k", i), "a small change")
			look()
			attach(t, db, i, 40_000)
			look()
		}
		if db.out.end < 3<<19 || can && grown > 3 || !can && grown != 80 {
			t.Errorf("%v: in %d bytes the file grew %d times", can, db.out.end, grown)
		}
		db.kill()
		db = open(t, dir, Options{FS: fs, Ballast: -1})
		if v := get(t, db, "k39"); v == "" {
			t.Errorf("%v: found %q", can, v)
		}
		db.kill()
	}
}

// Every byte of the journal has a cause, and blocks are counted whole.
func TestWrittenBytesAreAccountedFor(t *testing.T) {
	db := open(t, t.TempDir(), Options{Ballast: -1, Spare: 1})
	defer db.Close()
	for i := range 20 {
		attach(t, db, i, 1000*i)
		put(t, db, "k", "v")
	}
	w := db.Stats().Written
	if got := int64(w.Journal()); got != db.out.end-segmentHeader {
		t.Errorf("%d bytes have a cause, the journal has %d", got, db.out.end-segmentHeader)
	}
	if (w.Journal()+w.Rest)%block != 0 || w.Rest > db.Stats().Groups*2*block {
		t.Errorf("rest: %d bytes in %d groups", w.Rest, db.Stats().Groups)
	}
	if w.Tree != 0 || w.Spare != 0 {
		t.Errorf("before a checkpoint: %+v", w)
	}
	db.background()
	if w := db.Stats().Written; w.Tree < 2*block || w.Spare < 2*block {
		t.Errorf("after a checkpoint: %+v", w)
	}
}

// Whoever makes checkpoints of their own, as a backup does, does not keep the
// spare copy from following.
func TestTheSpareCopyFollowsBesideOtherCheckpoints(t *testing.T) {
	db := open(t, t.TempDir(), Options{Ballast: -1, Spare: 1, Quiet: time.Second})
	defer db.Close()
	for i := range 3000 {
		put(t, db, "k", fmt.Sprint(i))
		if err := db.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if db.Stats().Written.Spare > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("it does not")
}

// What a start after a crash has to read is bounded, whatever the overlay has.
func TestJournalBeforeACheckpointIsBounded(t *testing.T) {
	opt := Options{Ballast: -1, Replay: 200_000}
	db := open(t, t.TempDir(), opt)
	defer db.Close()
	await := func(n uint64) {
		t.Helper()
		for range 3000 {
			if db.Stats().Checkpoints == n {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%d checkpoints, want %d", db.Stats().Checkpoints, n)
	}
	for i := range 9 {
		attach(t, db, i, 20_000)
	}
	await(0)
	attach(t, db, 9, 30_000)
	await(1)
	if err := db.Update(func(tx kv.Tx) error { // as much is given back as it took
		for id := range 10 {
			tx.Free(blob.ID(1 + id))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	await(2)
}
