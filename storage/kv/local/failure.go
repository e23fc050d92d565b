package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"strings"
	"time"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// After a failed sync nobody knows what the disk holds, and a second try would
// be told that all is well. So the engine stops for good, and leaves a note in
// the file "failed". The next start verifies and goes on. If it fails again
// while the note is there, the start after that serves for reading only, until
// ClearFailure or an operator takes the note away.

// A note is what the file "failed" holds: lines for a person, and a checksum.
type note struct {
	times int
	last  time.Time
	why   string
}

func (n note) marshal() []byte {
	b := fmt.Appendf(nil, "times %d\nlast %s\nwhy %s\n", n.times, n.last.UTC().Format(time.RFC3339), strings.Join(strings.Fields(n.why), " "))
	return fmt.Appendf(b, "crc32c %08x\n", crc32.Checksum(b, blob.Castagnoli))
}

var errNote = fmt.Errorf("%w: the note of a failure", kv.ErrCorrupt)

func unmarshalNote(b []byte) (n note, err error) {
	i := bytes.LastIndex(b, []byte("crc32c "))
	if i < 0 || string(b[i:]) != fmt.Sprintf("crc32c %08x\n", crc32.Checksum(b[:i], blob.Castagnoli)) {
		return n, errNote
	}
	lines := strings.Split(string(b[:i]), "\n")
	if len(lines) != 4 {
		return n, errNote
	}
	if _, err := fmt.Sscanf(lines[0], "times %d", &n.times); err != nil {
		return n, errNote
	}
	n.last, err = time.Parse(time.RFC3339, strings.TrimPrefix(lines[1], "last "))
	n.why = strings.TrimPrefix(lines[2], "why ")
	return n, err
}

// readNote returns the note there is. A damaged one counts as one failure.
func (db *DB) readNote() (n note, err error) {
	f, err := db.fs.Open(db.path("failed"), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return note{}, nil
	}
	if err != nil {
		return note{times: 1, why: err.Error()}, err
	}
	defer f.Close()
	size, err := f.Size()
	if err == nil && size > 4096 {
		err = errNote
	}
	b := make([]byte, max(0, min(size, 4096)))
	if err == nil && size > 0 {
		_, err = f.ReadAt(b, 0)
	}
	if err == nil {
		n, err = unmarshalNote(b)
	}
	if err != nil {
		n = note{times: 1, why: err.Error()}
	}
	return n, err
}

// noteTime is how long the note of a failure may take: the disk may hang.
const noteTime = 2 * time.Second

// fail makes the engine refuse every later Update, and then leaves a note.
func (db *DB) fail(why error) {
	db.failure.Do(func() {
		db.broken.Store(true)
		defer close(db.failed)
		if db.isClosed() {
			return // no fault of the disk
		}
		n := note{times: db.noted.times + 1, last: time.Now(), why: why.Error()}
		written := make(chan struct{})
		go func() {
			defer close(written)
			_ = vfs.WriteFile(db.fs, db.path("failed"), n.marshal()) // it may be this disk that fails
		}()
		select {
		case <-written:
		case <-time.After(noteTime):
		}
	})
}

func (db *DB) isClosed() bool {
	db.shown.RLock()
	defer db.shown.RUnlock()
	return db.closed
}

func (db *DB) hasFailed() bool { return db.broken.Load() }

// ReadOnly is kv.Engine.
func (db *DB) ReadOnly() string { return db.why }

// admit reads the note before anything else is done: after a second failure
// nothing more is written to this disk.
func (db *DB) admit() {
	db.noted, _ = db.readNote()
	switch {
	case db.opt.ReadOnly:
		db.why = "opened for reading only"
	case db.noted.times > 1:
		db.opt.ReadOnly = true
		db.why = fmt.Sprintf("the disk failed %d times, last on %s: %s",
			db.noted.times, db.noted.last.Format(time.DateTime), db.noted.why)
	}
}

// recentBodies is how many of the newest bodies a start after a failure reads.
const recentBodies = 1000

// probation verifies what a failed life has left; damage makes the engine
// refuse Updates.
func (db *DB) probation() error {
	if db.noted.times != 1 || db.opt.ReadOnly {
		return nil
	}
	var found []string
	bad := func(s string) { found = append(found, s) }
	err := db.Verify(context.Background(), bad)
	if err == nil {
		err = db.verifyRecent(bad)
	}
	if err != nil && !errors.Is(err, kv.ErrCorrupt) {
		return err
	}
	if len(found) > 0 {
		db.opt.ReadOnly = true
		db.why = fmt.Sprintf("the disk failed on %s (%s), and %d things are damaged, the first: %s",
			db.noted.last.Format(time.DateTime), db.noted.why, len(found), found[0])
	}
	return nil
}

func (db *DB) verifyRecent(bad func(string)) error {
	var ids []blob.ID
	first := db.head.next - min(db.head.next, recentBodies)
	if err := db.places(func(id blob.ID, _ place) bool {
		if id >= first {
			ids = append(ids, id)
		}
		return true
	}); err != nil {
		return err
	}
	for _, id := range ids {
		if err := db.VerifyBody(id); err != nil {
			bad(err.Error())
		}
	}
	return nil
}

// ClearFailure takes the note of failures away: the next start is one like any
// other. A store that is served for reading only stays so until then.
func (db *DB) ClearFailure() error {
	err := db.fs.Remove(db.path("failed"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, db.fs.SyncDir(db.dir))
}
