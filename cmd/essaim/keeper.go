package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"essaim.coop/essaim/admin"
	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"

	"golang.org/x/sys/unix"
)

// A backupKeeper makes backups and tries them out, one at a time, for the command
// line and for the administrators' page.
type backupKeeper struct {
	*App
	life context.Context // work that was started goes on without who started it, until this ends

	mu      sync.Mutex
	running string
	since   time.Time
	failed  admin.BackupFailure
}

// newBackupKeeper removes what a crash left of a trial: the store is ours by then.
func newBackupKeeper(a *App) *backupKeeper {
	k := &backupKeeper{App: a, life: context.Background()}
	if err := os.RemoveAll(k.trialDir()); err != nil {
		a.log.Warn("what is left of a restore test", "error", err)
	}
	return k
}

// Cursors that keep, in Unix seconds, when the last backup in order was made
// and when one last came back whole, and a backup's size.
const (
	backupCursor   = "backup"
	backupSize     = "backup bytes"
	verifiedCursor = "backup verified"
)

// last is when the last backup was made that is in order; zero when never.
func (k *backupKeeper) last() (time.Time, error) {
	b, err := k.recorded()
	return b.Last, err
}

func (k *backupKeeper) recorded() (b admin.Backup, err error) {
	at := func(tx *storage.Tx, cursor string) time.Time {
		if s := tx.Cursor(cursor, 0); s != 0 {
			return time.Unix(int64(s), 0)
		}
		return time.Time{}
	}
	err = k.db.View(func(tx *storage.Tx) error {
		b = admin.Backup{Last: at(tx, backupCursor), Verified: at(tx, verifiedCursor), Bytes: int64(tx.Cursor(backupSize, 0))}
		return nil
	})
	return b, err
}

// State is admin.Backups.
func (k *backupKeeper) State() (admin.Backup, error) {
	b, err := k.recorded()
	b.Place = k.cfg.Backup
	k.mu.Lock()
	defer k.mu.Unlock()
	b.Running, b.Since, b.Failed = k.running, k.since, k.failed
	return b, err
}

// Start is admin.Backups.
func (k *backupKeeper) Start(what string, note func() error) error {
	if err := k.claim(what, time.Now()); err != nil {
		return err
	}
	if err := note(); err != nil {
		k.release()
		return err
	}
	k.goes.Go(func() {
		r, err := k.do(k.life, what, k.cfg.Backup)
		if err == nil && !r.Clean() {
			k.problems(what, r.Problems)
		}
		if err != nil {
			k.log.Error(what, "error", err)
		}
	})
	return nil
}

// claim makes what is about to be done the one thing that is done.
func (k *backupKeeper) claim(what string, now time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running != "" {
		return page.Problem{Word: "backup.busy", Err: fmt.Errorf("a %s is under way since %s: %w", k.running, k.since.Format(time.DateTime), storage.ErrConflict)}
	}
	k.running, k.since = what, now
	return nil
}

func (k *backupKeeper) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running, k.since = "", time.Time{}
}

// do does what was claimed, and keeps what became of it. Of what is in order
// the time is written down.
func (k *backupKeeper) do(ctx context.Context, what, dir string) (r *storage.Report, err error) {
	begin := time.Now()
	defer func() {
		k.mu.Lock()
		k.failed = failure(what, r, err, time.Now())
		k.mu.Unlock()
		k.release()
	}()
	work := k.backup
	if what == admin.VerifyBackup {
		work = k.verify
	}
	r, note, err := work(ctx, dir)
	if err != nil || !r.Clean() || k.db.ReadOnly() != "" {
		return r, err
	}
	k.log.Info(what, "place", dir, "took", time.Since(begin).Round(time.Millisecond))
	return r, k.db.Update(func(tx *storage.Tx) error { note(tx, storage.ModSeq(begin.Unix())); return nil })
}

// backup copies the store and verifies the copy.
func (k *backupKeeper) backup(ctx context.Context, dir string) (*storage.Report, func(*storage.Tx, storage.ModSeq), error) {
	r, err := k.db.Backup(ctx, dir, storage.CheckOptions{Bodies: true, Hooks: checks})
	if err != nil {
		return r, nil, err
	}
	size, err := sizeOf(dir)
	return r, func(tx *storage.Tx, at storage.ModSeq) {
		tx.SetCursor(backupCursor, 0, at)
		tx.SetCursor(backupSize, 0, storage.ModSeq(size))
	}, err
}

func (k *backupKeeper) trialDir() string { return filepath.Join(k.cfg.Data, "restore-test") }

// verify restores a backup beside the store, as far from being served as a
// directory of its own, verifies every body, and removes it again.
func (k *backupKeeper) verify(ctx context.Context, dir string) (r *storage.Report, note func(*storage.Tx, storage.ModSeq), err error) {
	trial := k.trialDir()
	if err := errors.Join(os.RemoveAll(trial), k.hasRoomFor(dir)); err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(trial)) }()
	if err := storage.Restore(ctx, dir, trial); err != nil {
		return nil, nil, err
	}
	restored, err := storage.Open(trial, storage.Options{ReadOnly: true})
	if err != nil {
		return nil, nil, fmt.Errorf("what was restored does not open: %w", err)
	}
	r, err = restored.Check(ctx, storage.CheckOptions{Bodies: true, Hooks: checks})
	note = func(tx *storage.Tx, at storage.ModSeq) { tx.SetCursor(verifiedCursor, 0, at) }
	return r, note, errors.Join(err, restored.Close())
}

// hasRoomFor refuses a trial after which the disk of the store would be nearly
// full.
func (k *backupKeeper) hasRoomFor(dir string) error {
	need, err := sizeOf(dir)
	if err != nil {
		return err
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(k.cfg.Data, &disk); err != nil {
		return err
	}
	block := int64(disk.Bsize)
	if free := int64(disk.Bavail)*block - int64(diskBad*float64(disk.Blocks))*block; free < need {
		return fmt.Errorf("a restore test needs %d bytes beside the store, and there are %d to spare: %w", need, max(0, free), storage.ErrFull)
	}
	return nil
}

// sizeOf is the size of all files in a directory.
func sizeOf(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// failure tells why something is not in order; what is, is the zero value.
func failure(what string, r *storage.Report, err error, now time.Time) admin.BackupFailure {
	f := admin.BackupFailure{What: what, At: now}
	switch {
	case err == nil && r.Clean():
		return admin.BackupFailure{}
	case err == nil:
		f.Why, f.Detail = "damage", r.Problems[0]
		return f
	case errors.Is(err, storage.ErrFull), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f.Why = "full"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		f.Why = "rights"
	case errors.Is(err, fs.ErrNotExist):
		f.Why = "gone"
	case errors.Is(err, context.Canceled):
		f.Why = "stopped"
	default:
		f.Why = "other"
	}
	f.Detail = err.Error()
	return f
}
