package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// Both trees are gone, and one body is damaged: every other is written out.
func TestSalvage(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	bodies := filled(t, dir)
	db := open(t, dir, small)
	large := content(7, blob.MaxSmall+200_000)
	s := stage(t, db, large)
	packed := stage(t, db, bytes.Repeat([]byte("Subject: it compresses\r\n"), 900))
	if err := db.Update(func(tx kv.Tx) error {
		bodies[tx.Attach(s)] = string(large)
		bodies[tx.Attach(packed)] = strings.Repeat("Subject: it compresses\r\n", 900)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	db.kill()
	if err := errors.Join(os.Remove(filepath.Join(dir, "tree.db")), os.Remove(filepath.Join(dir, "spare.db"))); err != nil {
		t.Fatal(err)
	}
	victim := blob.ID(50)
	spoil(t, filepath.Join(dir, "journal"), bodies[victim])
	delete(bodies, victim)

	got, err := Salvage(t.Context(), dir, out)
	if err != nil {
		t.Fatal(err)
	}
	if got.Bodies-got.Deleted != int64(len(bodies)) {
		t.Errorf("%+v, want %d", got, len(bodies))
	}
	for id, b := range salvaged(t, filepath.Join(out, "bodies")) {
		if b != bodies[id] {
			t.Errorf("body %d has %d bytes, had %d", id, len(b), len(bodies[id]))
		}
		delete(bodies, id)
	}
	if len(bodies) > 0 {
		t.Errorf("%d bodies are missing", len(bodies))
	}
	for id, b := range salvaged(t, filepath.Join(out, "deleted")) {
		if !strings.HasPrefix(b, fmt.Sprintf("letter %d ", id-1)) {
			t.Errorf("deleted body %d is %.30q", id, b)
		}
	}
	if !exists(filepath.Join(out, "bodies", "000000062.eml")) {
		t.Error("a letter does not look like one")
	}
	if _, err := Salvage(t.Context(), dir, out); !errors.Is(err, os.ErrExist) {
		t.Errorf("into what is there: %v", err)
	}
}

// spoil damages the one place where text is.
func spoil(t *testing.T, journal, text string) {
	t.Helper()
	names, err := os.ReadDir(journal)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		path := filepath.Join(journal, n.Name())
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(raw, []byte(text)); i >= 0 {
			raw[i+100] ^= 4
			if err := os.WriteFile(path, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("not found")
}

func salvaged(t *testing.T, dir string) map[blob.ID]string {
	t.Helper()
	out := map[blob.ID]string{}
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		base, _, _ := strings.Cut(n.Name(), ".")
		id, err := strconv.ParseUint(base, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[blob.ID(id)] = string(b)
	}
	return out
}

// holed is a file with blocks that cannot be read.
type holed struct {
	io.ReaderAt
	from, to int64
}

func (h holed) ReadAt(p []byte, off int64) (int, error) {
	if off < h.to && off+int64(len(p)) > h.from {
		return 0, errors.New("input/output error")
	}
	return h.ReaderAt.ReadAt(p, off)
}

func TestBadBlocksArePassedOver(t *testing.T) {
	var raw []byte
	for i := range 300 {
		raw = append(raw, byte(i)) // nothing is aligned
		raw = item{kind: itemBlob, id: blob.ID(i), size: 1000, data: content(i, 1000)}.append(raw)
	}
	f := holed{bytes.NewReader(raw), 100_000, 104_000}
	bad, n := 0, 0
	if err := eachItem(f, int64(len(raw)), func(int64, error) { bad++ }, func(_ int64, it item) error {
		if !bytes.Equal(it.data, content(int(it.id), 1000)) {
			t.Errorf("item %d", it.id)
		}
		n++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if bad == 0 || n < 285 || n >= 300 {
		t.Errorf("%d of 300 items, %d bad blocks", n, bad)
	}
}

func FuzzEachItem(f *testing.F) {
	one := item{kind: itemRedo, data: []byte{0, 1}}.append(nil)
	f.Add(one)
	f.Add(item{kind: itemBlob, id: 1, size: 3, data: []byte("abc")}.append([]byte("xx")))
	f.Add([]byte{1, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		raw := append(append(b[:len(b):len(b)], one...), b...)
		last := int64(-1)
		if err := eachItem(bytes.NewReader(raw), int64(len(raw)), func(off int64, err error) { t.Fatal(off, err) }, func(off int64, it item) error {
			if off <= last || off+int64(itemHeader+len(it.data)) > int64(len(raw)) {
				t.Fatalf("an item at %d, of %d bytes", off, len(raw))
			}
			last = off
			_ = replay(it.data, func(entry) {}, func(blob.ID) {})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}
