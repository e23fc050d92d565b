package storage

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
	"essaim.coop/essaim/storage/kv/local"
)

// Options of Open; the zero value serves.
type Options struct {
	Logger   *slog.Logger // nil is silent
	FS       vfs.FS       // for tests
	ReadOnly bool

	layouts *layouts // for tests; nil is this program's
}

// A DB is the open store of one cooperative. Safe for concurrent use.
type DB struct {
	kv      kv.Engine
	log     *slog.Logger
	epoch   uint32
	clean   bool // the last stop was in order
	opened  time.Time
	repeats repeats   // not written after opening
	tidied  time.Time // when old notes of deliveries were dropped; of Updates only
	ro      bool
	layouts layouts
	nudges  nudges
}

// Open opens the store in dir, or makes one. A store of an older layout is
// brought to this one; a copy of it as it was is kept first, dir.before-N. A
// store of a newer layout, or of an older one that cannot be written, is
// ErrInvalid.
func Open(dir string, opt Options) (*DB, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	engine, err := local.Open(dir, local.Options{FS: opt.FS, ReadOnly: opt.ReadOnly})
	if err != nil {
		return nil, err
	}
	db := &DB{kv: engine, log: opt.Logger, ro: engine.ReadOnly() != "", opened: time.Now(), layouts: layouts{SchemaVersion, steps}}
	if opt.layouts != nil {
		db.layouts = *opt.layouts
	}
	if db.ro && !opt.ReadOnly {
		opt.Logger.Error("the store is served for reading only", "reason", engine.ReadOnly())
	}
	if err = db.upgrade(dir); err == nil {
		err = db.begin()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", filepath.Clean(dir), err), engine.Close())
	}
	return db, nil
}

func metaKey(name string) []byte { return append([]byte{1}, name...) }

// begin marks the store as in use.
func (db *DB) begin() error {
	if db.ro {
		return db.kv.View(func(r kv.Reader) error { return db.readMeta(r) })
	}
	fresh := make([]byte, 4)
	if _, err := rand.Read(fresh); err != nil {
		return err
	}
	return db.kv.Update(func(t kv.Tx) error {
		if t.Get(metaKey("schema")) == nil {
			t.Put(metaKey("schema"), binary.BigEndian.AppendUint32(nil, db.layouts.newest))
			t.Put(metaKey("epoch"), fresh)
			t.Put(metaKey("clean"), []byte{1})
		}
		err := db.readMeta(t)
		if err == nil && !db.clean {
			db.repeats = readRepeats(t, db.opened)
		}
		if err == nil {
			t.Delete(metaKey("clean"))
		}
		return err
	})
}

func (db *DB) readMeta(r kv.Reader) error {
	schema, epoch := r.Get(metaKey("schema")), r.Get(metaKey("epoch"))
	if len(schema) != 4 || len(epoch) != 4 {
		return fmt.Errorf("%w: not a store", ErrInvalid)
	}
	db.epoch = binary.BigEndian.Uint32(epoch)
	db.clean = r.Get(metaKey("clean")) != nil
	return nil
}

// Close marks the store as stopped in order and closes it.
func (db *DB) Close() error {
	var err error
	if !db.ro {
		err = db.kv.Update(func(t kv.Tx) error { t.Put(metaKey("clean"), []byte{1}); return nil })
	}
	return errors.Join(err, db.kv.Close())
}

// Epoch differs between a store and what was restored from its backup: tokens
// that carry it can never look right in the wrong one.
func (db *DB) Epoch() uint32 { return db.epoch }

// StoppedInOrder reports whether the last stop was one, or a crash.
func (db *DB) StoppedInOrder() bool { return db.clean }

// Failed is closed when stable storage has failed: nothing more is
// acknowledged and the process should end.
func (db *DB) Failed() <-chan struct{} { return db.kv.Failed() }

// ReadOnly says why every Update fails with ErrTemporary: the store was opened
// so, or its disk has failed twice. "" when it can be written.
func (db *DB) ReadOnly() string { return db.kv.ReadOnly() }

// ClearFailure forgets that the disk has failed, once a check has found nothing
// or the disk was replaced. A store that is read-only stays so until it is
// opened again.
func (db *DB) ClearFailure() error { return db.kv.ClearFailure() }

// Stats returns the engine's counters.
func (db *DB) Stats() kv.Stats { return db.kv.Stats() }

// Stage starts a body that a transaction can attach. It is written outside any
// transaction.
func (db *DB) Stage() *blob.Writer { return db.kv.Stage() }

// StageAll stages what r has; nothing stays of it after an error.
func (db *DB) StageAll(r io.Reader) (*blob.Staged, error) {
	w := db.Stage()
	if _, err := io.Copy(w, r); err != nil {
		w.Abort()
		return nil, err
	}
	return w.Finish()
}

// OpenBlob reads a body; ErrNotFound when the last reference is gone.
func (db *DB) OpenBlob(id blob.ID) (*blob.Reader, error) {
	r, err := db.kv.Open(id)
	return r, translate(err)
}

// ReadBlob returns a whole body, which must not be changed; see OpenBlob.
func (db *DB) ReadBlob(id blob.ID) ([]byte, error) {
	r, err := db.OpenBlob(id)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Bytes()
}

// View runs fn on the newest durable state.
func (db *DB) View(fn func(*Tx) error) error {
	return translate(db.kv.View(func(r kv.Reader) error {
		tx := &Tx{r: r}
		return errors.Join(fn(tx), tx.err)
	}))
}

// Update runs fn alone on the newest state and returns when what it did is
// durable. An error of fn, or of anything it did, undoes it all.
func (db *DB) Update(fn func(*Tx) error) error {
	var touched []AccountID
	err := db.kv.Update(func(t kv.Tx) error {
		tx := &Tx{r: t, w: t}
		if err := fn(tx); err != nil {
			return err
		}
		touched = tx.touched()
		return tx.flush()
	})
	if err != nil {
		return translate(err)
	}
	db.nudges.nudge(touched)
	return nil
}

// translate adds the house's word to an engine's error.
func translate(err error) error {
	switch {
	case errors.Is(err, kv.ErrFull):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, kv.ErrNoBlob):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.Is(err, kv.ErrFailed), errors.Is(err, kv.ErrClosed), errors.Is(err, kv.ErrReadOnly):
		return fmt.Errorf("%w: %w", ErrTemporary, err)
	case errors.Is(err, kv.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}
