package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"essaim.coop/essaim/storage/kv"
	"essaim.coop/essaim/storage/kv/local"
)

// Before names the copy of the store in dir that Open keeps when it brings the
// store to this program's layout from an older one. Restore makes a store of it
// that the older program opens.
func Before(dir string) string {
	return fmt.Sprintf("%s.before-%d", filepath.Clean(dir), SchemaVersion)
}

// upgrade brings an older store to this program's layout, once a copy of it is
// kept. A crash in between starts again with the copy.
func (db *DB) upgrade(dir string) error {
	from, known, err := schemaOf(db.kv)
	if err != nil || !known || from >= SchemaVersion {
		return err
	}
	if err := db.kv.Snapshot(context.Background(), Before(dir)); err != nil {
		return fmt.Errorf("keeping a copy of layout %d in %s: %w", from, Before(dir), err)
	}
	if err := proveCopy(Before(dir), from); err != nil {
		return fmt.Errorf("the copy of layout %d in %s: %w", from, Before(dir), err)
	}
	db.log.Info("the store is brought to a newer layout", "from", from, "to", SchemaVersion, "copy", Before(dir))
	return db.kv.Update(func(t kv.Tx) error {
		t.Put(metaKey("schema"), binary.BigEndian.AppendUint32(nil, SchemaVersion))
		return nil
	})
}

// proveCopy opens a copy as a program of its layout would.
func proveCopy(dir string, want uint32) error {
	e, err := local.Open(dir, local.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	got, _, err := schemaOf(e)
	if err == nil && got != want {
		err = fmt.Errorf("layout %d: %w", got, ErrInvalid)
	}
	return errors.Join(err, e.Close())
}

// schemaOf is the layout of a store; a new one has none yet.
func schemaOf(e kv.Engine) (v uint32, known bool, err error) {
	err = e.View(func(r kv.Reader) error {
		if b := r.Get(metaKey("schema")); len(b) == 4 {
			v, known = binary.BigEndian.Uint32(b), true
		}
		return nil
	})
	return v, known, err
}
