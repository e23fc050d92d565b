package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/blob"

	bolt "go.etcd.io/bbolt"
)

// Snapshot is kv.Engine. It makes a checkpoint, copies the tree as of it, and
// then what the tree refers to: segments and files only ever grow, so what dir
// has from an earlier snapshot is not copied again.
func (db *DB) Snapshot(ctx context.Context, dir string) error {
	if err := db.Checkpoint(); err != nil {
		return err
	}
	db.ckpt.Lock() // no space is given back meanwhile
	defer db.ckpt.Unlock()
	for _, d := range []string{"journal", "blobs", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	var pos position
	err := db.tree.View(func(tx *bolt.Tx) error {
		b, err := unseal(keyPosition, tx.Bucket(bucketMeta).Get(keyPosition))
		if err != nil {
			return err
		}
		pos = decodePosition(b)
		return copyTree(tx, filepath.Join(dir, "tree.db"))
	})
	if err != nil {
		return err
	}
	if err := db.copySegments(ctx, dir, pos); err != nil {
		return err
	}
	return db.copyFiles(ctx, dir)
}

// copyTree writes the tree beside the old copy and puts it in its place.
func copyTree(tx *bolt.Tx, path string) error {
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = tx.WriteTo(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return vfs.OS.SyncDir(filepath.Dir(path))
}

func (db *DB) copySegments(ctx context.Context, dir string, pos position) error {
	keep := map[string]bool{}
	for _, n := range db.files.numbers() {
		if n > pos.segment {
			continue
		}
		f := db.files.get(n)
		end, err := f.Size()
		if err != nil {
			return err
		}
		if n == pos.segment {
			end = pos.offset
		}
		name := fmt.Sprintf("%08d", n)
		keep[name] = true
		if err := copyTail(ctx, filepath.Join(dir, "journal", name), f, end); err != nil {
			return err
		}
	}
	return removeOthers(filepath.Join(dir, "journal"), keep)
}

// copyTail copies what path does not have yet of the first end bytes of f. The
// last pieces it has are copied again: an earlier copy may have been cut there.
func copyTail(ctx context.Context, path string, f io.ReaderAt, end int64) error {
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	st, err := out.Stat()
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	for off := max(0, min(st.Size(), end)-maxAhead); off < end; {
		n, err := f.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
		if n == 0 {
			return err
		}
		if _, err := out.WriteAt(buf[:n], off); err != nil {
			return err
		}
		off += int64(n)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := out.Truncate(end); err != nil {
		return err
	}
	return out.Sync()
}

func removeOthers(dir string, keep map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return vfs.OS.SyncDir(dir)
}

// copyFiles copies large bodies' files, which never change once they are there.
func (db *DB) copyFiles(ctx context.Context, dir string) error {
	keep := map[blob.ID]bool{}
	var failed error
	err := db.places(func(id blob.ID, p place) bool {
		if p.segment != 0 {
			return true
		}
		keep[id] = true
		failed = errors.Join(db.copyFile(dir, id), ctx.Err())
		return failed == nil
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	return filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if id, err := strconv.ParseUint(d.Name(), 10, 64); err != nil || !keep[blob.ID(id)] {
			return os.Remove(path)
		}
		return nil
	})
}

func (db *DB) copyFile(dir string, id blob.ID) error {
	from := db.bodyPath(id)
	rel, err := filepath.Rel(db.dir, from)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, rel)
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := db.fs.Open(from, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // freed since the snapshot's tree; the next snapshot's has no row either
	}
	if err != nil {
		return err
	}
	defer in.Close()
	size, err := in.Size()
	if err != nil {
		return err
	}
	if err := copyTail(context.Background(), to+".new", in, size); err != nil {
		return err
	}
	if err := os.Rename(to+".new", to); err != nil {
		return err
	}
	return vfs.OS.SyncDir(filepath.Dir(to))
}
