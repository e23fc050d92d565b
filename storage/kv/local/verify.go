package local

import (
	"context"
	"fmt"
	"io"

	"essaim.coop/essaim/storage/blob"
)

// Verify is kv.Engine.
func (db *DB) Verify(ctx context.Context, bad func(string)) error {
	if _, err := db.readNote(); err != nil {
		bad(fmt.Sprintf("failed: %v", err))
	}
	return db.verifyTree(ctx, bad)
}

// verifyTree walks the pages of the tree as of one state of it.
func (db *DB) verifyTree(ctx context.Context, bad func(string)) error {
	db.shown.RLock()
	tx, err := db.tree.Begin(false)
	db.shown.RUnlock()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	return checkTree(ctx, db.tree.Path(), tx.ID(), bad)
}

// VerifyBody reads a body whole; the error says which file is damaged.
func (db *DB) VerifyBody(id blob.ID) error {
	r, err := db.Open(id)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("body %d: %w", id, err)
	}
	return nil
}
