package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/kv"
	"essaim.coop/essaim/storage/kv/local"
)

// A step makes the rows of one layout those of the next.
type step struct {
	from, to []byte // it is given the rows with keys in [from, to), in order
	// row changes what belongs to one row. It is called once for each in what
	// becomes durable, whatever crashes come between, with many rows in one
	// transaction. It writes no key of its range but the one it was given.
	row func(t kv.Tx, key, value []byte) error
}

// layouts are those a program knows.
type layouts struct {
	newest uint32
	steps  []step // the last leads to newest
}

// oldest is the oldest layout from which there is a way.
func (l layouts) oldest() uint32 { return l.newest - uint32(len(l.steps)) }

// to is the step that leads to a layout.
func (l layouts) to(layout uint32) step { return l.steps[layout-l.oldest()-1] }

// before names the copy of the store in dir that Open keeps when it brings the
// store to a layout from an older one. Restore makes a store of it that the
// older program opens.
func before(dir string, layout uint32) string {
	return fmt.Sprintf("%s.before-%d", filepath.Clean(dir), layout)
}

// upgrade brings an older store to this program's layout, once a copy of it is
// kept. The store is of the newest layout from the first change on, so that an
// older program refuses what is half done, and has a row "upgrade" until the
// last: the layout of the step under way and the last key it has done. A crash
// in between goes on from there; the copy is made only before.
func (db *DB) upgrade(dir string) error {
	at, err := db.layout()
	if err != nil || !at.known || at.of == db.layouts.newest && at.step == 0 {
		return err
	}
	switch {
	case at.of > db.layouts.newest:
		return fmt.Errorf("%w: the store is of layout %d, newer than this program's %d; use the newer essaim%s", ErrInvalid, at.of, db.layouts.newest, db.wayBack(dir, at.of))
	case at.of < db.layouts.oldest() || at.step != 0 && at.step <= db.layouts.oldest():
		return fmt.Errorf("%w: the store is of layout %d, and this program knows the way from %d on; use an essaim from between first", ErrInvalid, at.of, db.layouts.oldest())
	case db.ro:
		return fmt.Errorf("%w: the store is of layout %d, older than this program's %d, and cannot be written (%s)", ErrInvalid, at.of, db.layouts.newest, db.kv.ReadOnly())
	case at.step == 0:
		if err := db.keepCopy(before(dir, db.layouts.newest), at.of); err != nil {
			return err
		}
		at.step = at.of + 1
	}
	db.log.Info("the store is brought to a newer layout", "step", at.step, "to", db.layouts.newest)
	for ; at.step <= db.layouts.newest; at.step, at.after = at.step+1, nil {
		if err := db.take(at); err != nil {
			return fmt.Errorf("bringing the store to layout %d: %w", at.step, err)
		}
	}
	if err := db.kv.Update(func(t kv.Tx) error { t.Delete(metaKey("upgrade")); return nil }); err != nil {
		return err
	}
	db.log.Info("the store is of the newer layout; until you are content keep the copy, with which to go back",
		"layout", db.layouts.newest, "back", "stop essaim, install the version that was here before, then: essaim restore --replace "+before(dir, db.layouts.newest))
	return nil
}

// Bounds of what a step changes in one transaction.
const (
	sliceRows  = 500
	sliceBytes = 1 << 20
)

// take carries out one step in bounded transactions, each of which notes how
// far it came.
func (db *DB) take(at layout) error {
	s := db.layouts.to(at.step)
	for {
		var rows []row
		if err := db.kv.Update(func(t kv.Tx) error {
			after := at.after
			rows = s.rows(t, after)
			for _, r := range rows {
				if err := s.row(t, r.key, r.value); err != nil {
					return fmt.Errorf("row %x: %w", r.key, err)
				}
				after = r.key
			}
			t.Put(metaKey("schema"), binary.BigEndian.AppendUint32(nil, db.layouts.newest))
			t.Put(metaKey("upgrade"), append(binary.BigEndian.AppendUint32(nil, at.step), after...))
			return nil
		}); err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		at.after = rows[len(rows)-1].key
	}
}

type row struct{ key, value []byte }

// rows are the next of a step, copied, as nothing is written in a scan.
func (s step) rows(r kv.Reader, after []byte) (rows []row) {
	from, size := s.from, 0
	if after != nil {
		from = append(bytes.Clone(after), 0)
	}
	r.Scan(from, s.to, false, func(k, v []byte) bool {
		rows = append(rows, row{bytes.Clone(k), bytes.Clone(v)})
		size += len(k) + len(v)
		return len(rows) < sliceRows && size < sliceBytes
	})
	return rows
}

// keepCopy copies the store as it is. Under its name is only a whole copy that
// opens; one of an earlier upgrade, from which somebody went back, gives way.
func (db *DB) keepCopy(to string, layout uint32) error {
	fresh := to + ".new"
	err := os.RemoveAll(fresh)
	if err == nil {
		err = db.kv.Snapshot(context.Background(), fresh)
	}
	if err == nil {
		err = proveCopy(fresh, layout)
	}
	if err == nil {
		err = os.RemoveAll(to)
	}
	if err == nil {
		err = os.Rename(fresh, to)
	}
	if err == nil {
		err = vfs.OS.SyncDir(filepath.Dir(to))
	}
	if err != nil {
		_ = os.RemoveAll(fresh) // gives the room back
		return fmt.Errorf("keeping a copy of layout %d in %s: %w; the store is as it was", layout, to, err)
	}
	db.log.Info("the store as it was is kept", "layout", layout, "copy", to)
	return nil
}

// proveCopy opens a copy as a program of its layout would.
func proveCopy(dir string, want uint32) error {
	e, err := local.Open(dir, local.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	got, err := layoutOf(e)
	if err == nil && (got.of != want || got.step != 0) {
		err = fmt.Errorf("it is of layout %d: %w", got.of, ErrInvalid)
	}
	return errors.Join(err, e.Close())
}

// wayBack tells of the copy that this program can open, if there is one: the
// first that was kept on the way from this program's layout.
func (db *DB) wayBack(dir string, layout uint32) string {
	for n := db.layouts.newest + 1; n <= layout; n++ {
		if _, err := os.Stat(before(dir, n)); err == nil {
			return ", or go back to the store as it was before the upgrade: essaim restore --replace " + before(dir, n)
		}
	}
	return ""
}

// A layout is what a store is of. While an upgrade is under way step is the
// layout it leads to next, and after the last key it has done.
type layout struct {
	known bool // a new store is of none yet
	of    uint32
	step  uint32
	after []byte
}

func (db *DB) layout() (layout, error) { return layoutOf(db.kv) }

func layoutOf(e kv.Engine) (l layout, err error) {
	err = e.View(func(r kv.Reader) error {
		if b := r.Get(metaKey("schema")); len(b) == 4 {
			l.known, l.of = true, binary.BigEndian.Uint32(b)
		}
		if b := r.Get(metaKey("upgrade")); len(b) >= 4 {
			l.step = binary.BigEndian.Uint32(b)
			if len(b) > 4 {
				l.after = bytes.Clone(b[4:])
			}
		}
		return nil
	})
	return l, err
}
