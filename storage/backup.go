package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/kv"
	"essaim.coop/essaim/storage/kv/local"
)

// Backup copies the store to dir while it is in use. A dir that holds an
// earlier backup of this store is brought up to date at the price of what
// changed; one that holds anything else, such as a backup from before this store
// was restored from an older one, is left alone: ErrConflict. The copy is opened
// and checked: a backup is good only when that report is clean.
func (db *DB) Backup(ctx context.Context, dir string, opt CheckOptions) (*Report, error) {
	if err := db.claimBackup(dir); err != nil {
		return nil, fmt.Errorf("backup to %s: %w", dir, err)
	}
	if err := db.kv.Snapshot(ctx, dir); err != nil {
		return nil, fmt.Errorf("backup to %s: %w", dir, err)
	}
	copied, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("the backup in %s does not open: %w", dir, err)
	}
	r, err := copied.Check(ctx, opt)
	return r, errors.Join(err, copied.Close())
}

// Every backup has a number of its own, which is drawn before it is made, noted
// in the store, and so in the copy, and written to this file beside it. The store
// knows the last of them: a backup whose number it does not know is of a course
// that it has not taken, and the bytes there are not a beginning of its own.
const (
	backupMark  = "backup"
	markSize    = 8
	marksKnown  = 64
	anotherOnes = "it holds something else than earlier backups of this store; name another directory, or remove what is there"
)

// claimBackup fails unless dir is empty or holds a backup of this store, and
// marks it. A store that cannot be written draws no number.
func (db *DB) claimBackup(dir string) error {
	var known []byte
	if err := db.kv.View(func(r kv.Reader) error { known = bytes.Clone(r.Get(metaKey("backups"))); return nil }); err != nil {
		return err
	}
	mark, err := os.ReadFile(filepath.Join(dir, backupMark))
	if errors.Is(err, fs.ErrNotExist) {
		if names, _ := os.ReadDir(dir); slices.ContainsFunc(names, func(n fs.DirEntry) bool { return n.Name() == "tree.db" || n.Name() == "journal" }) {
			return fmt.Errorf("%s: %w", anotherOnes, ErrConflict)
		}
	} else if err != nil {
		return err
	} else if !slices.ContainsFunc(slices.Collect(slices.Chunk(known, markSize)), func(k []byte) bool { return bytes.Equal(k, mark) }) {
		return fmt.Errorf("%s: %w", anotherOnes, ErrConflict)
	}
	if db.ro {
		return nil
	}
	mark = make([]byte, markSize)
	if _, err := rand.Read(mark); err != nil {
		return err
	}
	known = append(known, mark...)
	known = known[max(0, len(known)-markSize*marksKnown):]
	if err := db.kv.Update(func(t kv.Tx) error { t.Put(metaKey("backups"), known); return nil }); err != nil {
		return translate(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return vfs.WriteFile(vfs.OS, filepath.Join(dir, backupMark), mark)
}

// Restore makes the store dir, which must not exist or be empty, from a backup.
// It gets an epoch of its own: no token of the lost store can look right in it.
// A backup of a newer layout than this program's is ErrInvalid.
func Restore(ctx context.Context, backup, dir string) error {
	if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
		return fmt.Errorf("%s is not empty: %w", dir, ErrConflict)
	}
	from, err := local.Open(backup, local.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	kept, err := layoutOf(from)
	if err == nil && kept.of > SchemaVersion {
		err = fmt.Errorf("%s is of layout %d, newer than this program's %d: %w", backup, kept.of, SchemaVersion, ErrInvalid)
	}
	if err == nil {
		err = copyDir(ctx, backup, dir)
	}
	if err = errors.Join(err, from.Close()); err != nil {
		return err
	}
	epoch := make([]byte, 4)
	if _, err := rand.Read(epoch); err != nil {
		return err
	}
	to, err := local.Open(dir, local.Options{Passing: true})
	if err != nil {
		return err
	}
	err = to.Update(func(t kv.Tx) error {
		t.Put(metaKey("epoch"), epoch)
		t.Put(metaKey("clean"), []byte{1})
		return nil
	})
	return errors.Join(err, to.Close())
}

func copyDir(ctx context.Context, from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	if err := os.CopyFS(to, stoppable{ctx, os.DirFS(from)}); err != nil {
		return err
	}
	return errors.Join(ctx.Err(), filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	}))
}

// stoppable is a file system that cannot be read once its context has ended.
type stoppable struct {
	ctx context.Context
	fs.FS
}

func (s stoppable) Open(name string) (fs.File, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return f, err
	}
	return stoppableFile{s.ctx, f}, nil
}

type stoppableFile struct {
	ctx context.Context
	fs.File
}

func (f stoppableFile) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

// Compact gives back what the engine can, while the store is in use: space of
// mostly dead segments, and free pages of the index.
func (db *DB) Compact(ctx context.Context) error {
	if e, ok := db.kv.(interface{ Compact(context.Context) error }); ok {
		return translate(e.Compact(ctx))
	}
	return nil
}

// A Rebuilt says what Rebuild did.
type Rebuilt = local.Rebuilt

// Rebuild makes the index of the store in dir anew, from its spare copy and the
// journal: nothing that was acknowledged is missing. The store must not be in
// use; the old index is kept beside the new one. On an error nothing has
// changed.
func Rebuild(ctx context.Context, dir string) (*Rebuilt, error) {
	return local.Rebuild(ctx, dir, local.Options{})
}

// A Salvaged says what Salvage found.
type Salvaged = local.Salvaged

// Salvage writes every body that can still be read in the store in dir to out,
// when neither index nor backup is left.
func Salvage(ctx context.Context, dir, out string) (*Salvaged, error) {
	return local.Salvage(ctx, dir, out)
}
