package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"essaim.coop/essaim/storage/kv"
	"essaim.coop/essaim/storage/kv/local"
)

// Layout 1 has rows of z, layout 2 has a plus behind each value, layout 3 has
// them under y. A row that is done twice, or not, can be told.
var plus = step{[]byte("z"), []byte("{"), func(t kv.Tx, k, v []byte) error {
	t.Put(k, append(bytes.Clone(v), '+'))
	return nil
}}

var move = step{[]byte("z"), []byte("{"), func(t kv.Tx, k, v []byte) error {
	to := append([]byte("y"), k[1:]...)
	if t.Get(to) != nil {
		return errors.New("moved twice")
	}
	t.Delete(k)
	t.Put(to, v)
	return nil
}}

var (
	second = layouts{2, []step{plus}}
	third  = layouts{3, []step{plus, move}}
)

// Rows enough for more than one transaction, by number and by size.
const olderRows = 1100

// older makes a store of layout 1.
func older(t *testing.T) (dir string, epoch uint32) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "store")
	db, err := Open(dir, Options{layouts: &layouts{1, nil}})
	if err != nil {
		t.Fatal(err)
	}
	must(t, db, func(tx *Tx) error {
		for i := range olderRows {
			tx.Put(fmt.Appendf(nil, "z%04d", i), bytes.Repeat([]byte{'a' + byte(i%26)}, i%97*30))
		}
		return nil
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, db.Epoch()
}

// is fails unless the store in dir is of layout n and has every row of it once.
func is(t *testing.T, dir string, n uint32) {
	t.Helper()
	e, err := local.Open(dir, local.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if l, err := layoutOf(e); err != nil || l.of != n || l.step != 0 {
		t.Errorf("%s is of %+v, %v; want layout %d", dir, l, err, n)
	}
	count, prefix, end := 0, byte('z'), ""
	if n == 3 {
		prefix = 'y'
	}
	if n > 1 {
		end = "+"
	}
	_ = e.View(func(r kv.Reader) error {
		r.Scan([]byte("y"), []byte("{"), false, func(k, v []byte) bool {
			want := strings.Repeat(string(rune('a'+count%26)), count%97*30) + end
			if string(k) != fmt.Sprintf("%c%04d", prefix, count) || string(v) != want {
				t.Errorf("row %d of layout %d is %s, %d bytes", count, n, k, len(v))
			}
			count++
			return !t.Failed()
		})
		return nil
	})
	if count != olderRows {
		t.Errorf("%d rows of layout %d, want %d", count, n, olderRows)
	}
}

// openAs opens and closes the store as a program of these layouts does, and
// returns what it logged.
func openAs(dir string, l layouts) (string, error) {
	var log bytes.Buffer
	db, err := Open(dir, Options{layouts: &l, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err == nil {
		err = db.Close()
	}
	return log.String(), err
}

// cut is layouts that fail at the n-th row, as a crash would there.
func cut(l layouts, n int) layouts {
	cut := layouts{l.newest, nil}
	for _, s := range l.steps {
		row := s.row
		s.row = func(t kv.Tx, k, v []byte) error {
			if n--; n < 0 {
				return errCut
			}
			return row(t, k, v)
		}
		cut.steps = append(cut.steps, s)
	}
	return cut
}

var errCut = errors.New("the power is cut")

// Wherever an upgrade is cut off, the next start goes on: every row is done
// once, and the copy is still what was there before the first change.
func TestUpgradeGoesOnAfterACrash(t *testing.T) {
	for _, at := range []int{0, sliceRows, sliceRows + 1, olderRows, olderRows + sliceRows + 7, 2*olderRows - 1} {
		dir, _ := older(t)
		for range 2 { // a second crash at the same distance
			if _, err := openAs(dir, cut(third, at)); !errors.Is(err, errCut) {
				break
			}
		}
		log, err := openAs(dir, third)
		if err != nil {
			t.Fatalf("after a crash at row %d: %v", at, err)
		}
		is(t, dir, 3)
		is(t, before(dir, 3), 1)
		if at < olderRows && !strings.Contains(log, "essaim restore --replace "+before(dir, 3)) {
			t.Errorf("the way back is not told: %s", log)
		}
	}
}

// While it is under way, and after it, an older program refuses the store and
// tells of the copy it can open; a newer one goes on where this one stopped.
func TestOlderProgramRefusesAndTellsTheWayBack(t *testing.T) {
	dir, _ := older(t)
	refused := func(when string, l layouts, copy string) {
		t.Helper()
		_, err := openAs(dir, l)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "essaim restore --replace "+copy) {
			t.Errorf("%s: %v", when, err)
		}
	}
	if _, err := openAs(dir, cut(second, sliceRows+1)); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	refused("half done", layouts{1, nil}, before(dir, 2))
	if _, err := Open(dir, Options{ReadOnly: true, layouts: &second}); !errors.Is(err, ErrInvalid) {
		t.Errorf("half done and read: %v", err)
	}
	if _, err := openAs(dir, third); err != nil {
		t.Fatal(err)
	}
	is(t, dir, 3)
	is(t, before(dir, 2), 1)
	refused("done", layouts{1, nil}, before(dir, 2))
	if _, err := openAs(dir, second); !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "restore") {
		t.Errorf("there is no copy of layout 2: %v", err)
	}
	if err := Restore(t.Context(), dir, dir+"-else"); !errors.Is(err, ErrInvalid) {
		t.Errorf("a backup of a newer layout is restored: %v", err)
	}
}

// One step at a time leaves a copy of each layout, and each program is told of
// its own.
func TestEachStepLeavesItsCopy(t *testing.T) {
	dir, _ := older(t)
	for _, l := range []layouts{second, third} {
		if _, err := openAs(dir, l); err != nil {
			t.Fatal(err)
		}
		is(t, dir, l.newest)
	}
	is(t, before(dir, 2), 1)
	is(t, before(dir, 3), 2)
	for _, l := range []layouts{{1, nil}, second} {
		if _, err := openAs(dir, l); err == nil || !strings.HasSuffix(err.Error(), before(dir, l.newest+1)) {
			t.Errorf("a program of layout %d: %v", l.newest, err)
		}
	}
	if _, err := openAs(dir, layouts{4, nil}); !errors.Is(err, ErrInvalid) {
		t.Errorf("a program that knows no way from layout 3: %v", err)
	}
}

// Back, on for a while with the older program, and forward again: the copy is
// of what the older program left, and tokens of the newer store are void.
func TestBackAndForwardAgain(t *testing.T) {
	dir, epoch := older(t)
	if _, err := openAs(dir, third); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".aside"); err != nil {
		t.Fatal(err)
	}
	if err := Restore(context.Background(), before(dir, 3), dir); err != nil {
		t.Fatal(err)
	}
	is(t, dir, 1)
	db, err := Open(dir, Options{layouts: &layouts{1, nil}})
	if err != nil {
		t.Fatal(err)
	}
	if db.Epoch() == epoch {
		t.Error("tokens of the newer store look right in the older one")
	}
	must(t, db, func(tx *Tx) error { tx.Put([]byte("x"), []byte("since")); return nil })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openAs(dir, third); err != nil {
		t.Fatal(err)
	}
	is(t, dir, 3)
	is(t, before(dir, 3), 1)
	kept, err := local.Open(before(dir, 3), local.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	_ = kept.View(func(r kv.Reader) error {
		if string(r.Get([]byte("x"))) != "since" {
			t.Error("the copy is that of the first time")
		}
		return nil
	})
}

// When the copy cannot be made the store stays as it is, and to look at a store
// changes nothing.
func TestLayoutStaysWithoutItsCopy(t *testing.T) {
	dir, _ := older(t)
	if _, err := Open(dir, Options{ReadOnly: true, layouts: &third}); !errors.Is(err, ErrInvalid) {
		t.Errorf("an older layout is read: %v", err)
	}
	if _, err := os.Stat(before(dir, 3)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading alone made a copy: %v", err)
	}
	blocked, _ := older(t)
	parent := filepath.Dir(blocked)
	deep := filepath.Join(parent, strings.Repeat("n", 245)) // its copy's name is too long for a file
	if err := os.Rename(blocked, deep); err != nil {
		t.Fatal(err)
	}
	if _, err := openAs(deep, third); err == nil || !strings.Contains(err.Error(), "the store is as it was") {
		t.Fatalf("opened without its copy: %v", err)
	}
	is(t, deep, 1)
}

// This program knows a way to its layout from the oldest it claims to open.
func TestStepsAreWhole(t *testing.T) {
	for i, s := range steps {
		if s.row == nil || s.from == nil {
			t.Errorf("step %d does nothing", i)
		}
	}
	if len(steps) >= SchemaVersion {
		t.Errorf("%d steps lead to layout %d, which would begin below 1", len(steps), SchemaVersion)
	}
}
