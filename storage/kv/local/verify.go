package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"

	bolt "go.etcd.io/bbolt"
)

// Verify is kv.Engine.
func (db *DB) Verify(ctx context.Context, bad func(string)) error {
	if _, err := db.readNote(); err != nil {
		bad(fmt.Sprintf("failed: %v", err))
	}
	db.copying.Lock() // no file takes another's place
	defer db.copying.Unlock()
	db.verifyHeaders(bad)
	var unsound error
	err := verifyPages(ctx, db.path(db.opt.tree), db.tree, func(s string) {
		unsound = fmt.Errorf("%w: tree.db", kv.ErrCorrupt)
		bad(s)
	})
	return errors.Join(err, db.verifySpare(ctx, bad), unsound)
}

func (db *DB) verifyHeaders(bad func(string)) {
	for _, n := range db.files.numbers() {
		if f := db.files.get(n); f != nil {
			if _, err := readSegmentHeader(f, n); err != nil && db.files.get(n) != nil { // not dropped meanwhile
				bad(err.Error())
			}
		}
	}
}

// verifyPages walks the pages of a tree as of one state of it.
func verifyPages(ctx context.Context, path string, t *bolt.DB, bad func(string)) error {
	tx, err := t.Begin(false)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	return checkTree(ctx, path, tx.ID(), bad)
}

// verifySpare walks the spare copy of the tree and the journal that makes the
// tree of it.
func (db *DB) verifySpare(ctx context.Context, bad func(string)) error {
	if db.opt.Spare < 0 {
		return nil
	}
	path := db.path("spare.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil // not made yet, or given up on a full disk
	}
	opt := spareOptions()
	opt.ReadOnly = true
	t, err := openBolt(path, opt)
	if err != nil {
		bad(fmt.Sprintf("spare.db: %v", err))
		return nil
	}
	defer t.Close()
	if err := verifyPages(ctx, path, t, bad); err != nil {
		return err
	}
	_, pos, _, err := readState(t)
	if err != nil {
		bad(fmt.Sprintf("spare.db: %v", err))
		return nil
	}
	var found []string
	_, err = db.eachFrame(pos, db.lastPosition(), func(s string) { found = append(found, s) },
		func(position, []byte) (bool, error) { return true, ctx.Err() })
	if errors.Is(err, kv.ErrCorrupt) {
		found, err = append(found, err.Error()), nil
	}
	db.ckpt.Lock()
	defer db.ckpt.Unlock()
	if db.spare == pos { // else it was given up meanwhile, and what it needs with it
		for _, s := range found {
			bad(s)
		}
	}
	return err
}

// lastPosition is where the journal ends now.
func (db *DB) lastPosition() position {
	db.flush <- struct{}{}
	defer func() { <-db.flush }()
	return position{db.out.number, db.out.end, db.seq}
}

// VerifyBody reads a body whole; the error says which file is damaged.
func (db *DB) VerifyBody(id blob.ID) error {
	r, err := db.Open(id)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("body %d in %s: %w", id, bodyName(id), err) // a small one was read by Open
	}
	return nil
}
