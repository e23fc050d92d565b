package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"essaim.coop/essaim/storage/blob"
)

// letterbox is a store with bodies of random bytes, and what is in it.
type letterbox struct {
	t    testing.TB
	db   *DB
	box  CollectionID
	sent [][]byte
}

func newLetterbox(t testing.TB, dir string) *letterbox {
	l := &letterbox{t: t, db: openTest(t, dir)}
	_, l.box = newBox(t, l.db, 0)
	return l
}

func (l *letterbox) add(size int) {
	l.t.Helper()
	b := make([]byte, size)
	_, _ = rand.Read(b)
	w := l.db.Stage()
	if _, err := w.Write(b); err != nil {
		l.t.Fatal(err)
	}
	s, err := w.Finish()
	if err != nil {
		l.t.Fatal(err)
	}
	must(l.t, l.db, func(tx *Tx) error {
		c, err := tx.Collection(l.box)
		if err != nil {
			return err
		}
		_, _, err = tx.PutItem(c, 0, blobKey(tx.Attach(s)), int64(size))
		return err
	})
	l.sent = append(l.sent, b)
}

func (l *letterbox) hook(tx *Tx, r *Report) {
	tx.Items(l.box, 0, ^ItemID(0), func(_ ItemID, v []byte) bool { r.Refers(blobOf(v)); return true })
}

func TestScrubSeesEverythingOnce(t *testing.T) {
	dir := t.TempDir()
	l := newLetterbox(t, dir)
	for range 30 {
		l.add(3000)
	}
	bodies, slices := int64(0), 0
	for whole := false; !whole; slices++ {
		s, err := l.db.Scrub(t.Context(), 10_000)
		if err != nil || len(s.Problems) > 0 {
			t.Fatalf("%+v %v", s, err)
		}
		if bodies, whole = bodies+s.Bodies, s.Whole; slices == 3 { // it goes on where it was
			if err := l.db.Close(); err != nil {
				t.Fatal(err)
			}
			l.db = openTest(t, dir)
		}
	}
	if bodies != 30 || slices != 8 {
		t.Errorf("%d of 30 bodies in %d slices", bodies, slices)
	}
	if l.db.LastScrub().IsZero() {
		t.Error("it does not know when it was")
	}
	for n := range ScrubSlices {
		s, err := l.db.Scrub(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if s.Whole {
			break
		}
		if n == ScrubSlices-1 {
			t.Error("slices of the default size do not see everything")
		}
	}
	closeClean(t, l.db, l.hook)
}

func TestScrubNamesWhatIsDamaged(t *testing.T) {
	dir := t.TempDir()
	l := newLetterbox(t, dir)
	for range 10 {
		l.add(3000)
	}
	journal := filepath.Join(dir, "journal", "00000001")
	raw, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, l.sent[6])
	if at < 0 {
		t.Fatal("the body is not in the journal")
	}
	flip(t, journal, int64(at)*8+5)
	s, err := l.db.Scrub(t.Context(), 1<<40)
	if err != nil || !s.Whole || len(s.Problems) == 0 || !strings.HasPrefix(s.Problems[0], "body 7 in journal/00000001 at ") {
		t.Errorf("%+v %v", s, err)
	}
	if err := l.db.Close(); err != nil {
		t.Fatal(err)
	}
}

func flip(t testing.TB, path string, bit int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, bit/8); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (bit % 8)
	if _, err := f.WriteAt(b, bit/8); err != nil {
		t.Fatal(err)
	}
}

// A store that is written to while it is checked has no problems.
func TestCheckUnderLoadIsClean(t *testing.T) {
	l := newLetterbox(t, t.TempDir())
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				l.add(500)
			}
		}
	}()
	for range 30 {
		r, err := l.db.Check(context.Background(), CheckOptions{Recent: 10, Hooks: []CheckHook{l.hook}})
		if err != nil || !r.Clean() {
			t.Errorf("%v %q", err, r.Problems)
			break
		}
	}
	close(stop)
	<-done
	closeClean(t, l.db, l.hook)
}

// A flipped bit in any file is reported by the file's name, or is of no
// consequence: everything is read as it was written.
func TestAFlippedBitIsReportedByName(t *testing.T) {
	dir := t.TempDir()
	l := newLetterbox(t, dir)
	for i := range 12 {
		l.add(2000 + i)
	}
	l.add(1<<20 + 70_000)
	if err := l.db.Close(); err != nil {
		t.Fatal(err)
	}
	l.db = openTest(t, dir) // some changes after the checkpoint
	l.add(3000)
	// The last group is a row of no consequence: what damages the end of a journal
	// that was not closed cannot be told from a torn tail.
	must(t, l.db, func(tx *Tx) error { tx.Put([]byte("z"), nil); return nil })
	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	must(t, l.db, func(tx *Tx) error { tx.Delete([]byte("z")); return nil })
	closeClean(t, l.db, l.hook)

	flips := 40
	if os.Getenv("ESSAIM_LONG") != "" {
		flips = 5000
	}
	rng := mathrand.New(mathrand.NewPCG(3, 3))
	for _, name := range storeFiles(t, crashed) {
		used := usedBytes(t, filepath.Join(crashed, name))
		reported := 0
		for range flips {
			bit := rng.Int64N(used * 8)
			flip(t, filepath.Join(crashed, name), bit)
			if l.flipIsReported(crashed, name, bit) {
				reported++
			}
			flip(t, filepath.Join(crashed, name), bit)
		}
		t.Logf("%s: %d of %d flips reported, the others without effect", name, reported, flips)
		if strings.HasPrefix(name, "blobs/") && reported != flips {
			t.Errorf("%s: %d of %d flips reported", name, reported, flips)
		}
	}
}

func storeFiles(t *testing.T, dir string) (names []string) {
	if err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && name != "ballast" {
			names = append(names, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(names) < 4 { // tree, spare, journal, a large body
		t.Fatalf("only %q", names)
	}
	return names
}

// usedBytes is a file's length without the zeros at its end.
func usedBytes(t *testing.T, path string) int64 {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return int64(len(bytes.TrimRight(b, "\x00")))
}

func (l *letterbox) flipIsReported(dir, name string, bit int64) bool {
	l.t.Helper()
	db, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		if !strings.Contains(err.Error(), name) {
			l.t.Errorf("%s, bit %d: the error is %v", name, bit, err)
		}
		return true
	}
	defer db.Close()
	r, err := db.Check(context.Background(), CheckOptions{Bodies: true, Hooks: []CheckHook{l.hook}})
	if err != nil {
		l.t.Errorf("%s, bit %d: %v", name, bit, err)
		return true
	}
	for _, p := range r.Problems {
		if !strings.Contains(p, name) {
			l.t.Errorf("%s, bit %d: reported as %q", name, bit, p)
		}
	}
	if !r.Clean() {
		return true
	}
	for i, want := range l.sent {
		got, err := readBlob(db, i+1)
		if err != nil || !bytes.Equal(got, want) {
			l.t.Errorf("%s, bit %d: body %d is %d bytes and not reported: %v", name, bit, i+1, len(got), err)
		}
	}
	return false
}

func readBlob(db *DB, id int) ([]byte, error) {
	r, err := db.OpenBlob(blob.ID(id))
	if err != nil {
		return nil, fmt.Errorf("body %d: %w", id, err)
	}
	defer r.Close()
	return r.Bytes()
}
