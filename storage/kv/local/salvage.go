package local

import (
	"bytes"
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

	"golang.org/x/sys/unix"
)

// A Salvaged says what Salvage found.
type Salvaged struct {
	Bodies, Bytes int64
	Deleted       int64    // of them, bodies that had been deleted and were still there
	Problems      []string // bodies and places that could not be read
}

// Salvage is the last resort when both trees and the backups are gone: it
// writes every body that can still be read in the store's directory to out, a
// directory that is made or empty, as bodies/ID, or deleted/ID for those whose
// deletion the journal tells of. Nothing in dir is relied on but the items
// themselves, each by its own checksum; nothing there is changed.
func Salvage(ctx context.Context, dir, out string) (*Salvaged, error) {
	if names, err := os.ReadDir(out); err == nil && len(names) > 0 {
		return nil, fmt.Errorf("%s: %w", out, fs.ErrExist)
	}
	for _, d := range []string{"bodies", "deleted"} {
		if err := os.MkdirAll(filepath.Join(out, d), 0o700); err != nil {
			return nil, err
		}
	}
	s := &salvage{ctx: ctx, out: out, files: map[blob.ID]found{}, freed: map[blob.ID]bool{}}
	if err := s.journal(filepath.Join(dir, "journal")); err != nil {
		return nil, err
	}
	if err := s.large(filepath.Join(dir, "blobs")); err != nil {
		return nil, err
	}
	if err := s.setDeletedAside(); err != nil {
		return nil, err
	}
	return &s.Salvaged, syncAll(out)
}

type salvage struct {
	Salvaged
	ctx   context.Context
	out   string
	files map[blob.ID]found
	freed map[blob.ID]bool
}

type found struct {
	name string
	size int64
}

func (s *salvage) problem(format string, args ...any) {
	const most = 10_000
	if len(s.Problems) < most {
		s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
	}
}

func (s *salvage) journal(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.problem("journal: %v", err)
		return nil
	}
	for _, e := range entries {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			s.problem("journal/%s: %v", e.Name(), err)
			continue
		}
		st, err := f.Stat()
		if err == nil {
			err = s.segment("journal/"+e.Name(), f, st.Size())
		}
		if err = errors.Join(err, f.Close(), s.ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

func (s *salvage) segment(name string, f io.ReaderAt, size int64) error {
	return eachItem(f, size, func(off int64, err error) {
		s.problem("%s at %d: %v", name, off, err)
	}, func(off int64, it item) error {
		switch it.kind {
		case itemBlob, itemMove:
			raw, err := blob.Expand(it.data, it.packed, it.size)
			if err != nil {
				s.problem("body %d in %s at %d: %v", it.id, name, off, err)
				return nil
			}
			return s.keep(it.id, bytes.NewReader(raw), raw)
		case itemRedo:
			// One that is damaged inside has told what it could.
			_ = replay(it.data, func(entry) {}, func(id blob.ID) { s.freed[id] = true })
		}
		return s.ctx.Err()
	})
}

// keep writes a body; a moved one may come twice.
func (s *salvage) keep(id blob.ID, r io.Reader, start []byte) error {
	if _, twice := s.files[id]; twice {
		return nil
	}
	name := fmt.Sprintf("%09d%s", uint64(id), extension(start))
	f, err := os.OpenFile(filepath.Join(s.out, "bodies", name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	from := origin{r: r}
	n, err := io.Copy(f, &from)
	if from.err != nil { // the others may be better
		s.problem("body %d in %s: %v", id, bodyName(id), from.err)
		return errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	s.files[id] = found{name, n}
	s.Bodies, s.Bytes = s.Bodies+1, s.Bytes+n
	return nil
}

// origin tells errors of reading from those of writing.
type origin struct {
	r   io.Reader
	err error
}

func (o *origin) Read(p []byte) (int, error) {
	n, err := o.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		o.err = err
	}
	return n, err
}

// extension guesses what a body is, so that a person can open it.
func extension(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("BEGIN:VCALENDAR")):
		return ".ics"
	case bytes.HasPrefix(b, []byte("BEGIN:VCARD")):
		return ".vcf"
	}
	name, _, ok := bytes.Cut(b[:min(len(b), 80)], []byte(":"))
	if !ok || len(name) == 0 || bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	return ".eml"
}

// large copies the bodies that have files of their own.
func (s *salvage) large(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			s.problem("%v", err)
			return nil
		}
		id, err := strconv.ParseUint(d.Name(), 10, 64)
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		return errors.Join(s.largeOne(blob.ID(id), path), s.ctx.Err())
	})
}

// largeOne copies one; its size follows from that of its file.
func (s *salvage) largeOne(id blob.ID, path string) error {
	size, err := vfs.OS.Size(path)
	var r *blob.Reader
	if err == nil {
		chunks := (size + blob.ChunkSize + 3) / (blob.ChunkSize + 4)
		r, err = blob.OpenFile(vfs.OS, path, size-4*chunks)
	}
	if err != nil {
		s.problem("body %d in %s: %v", id, bodyName(id), err)
		return nil
	}
	defer r.Close()
	start := make([]byte, 128)
	n, err := r.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		s.problem("body %d in %s: %v", id, bodyName(id), err)
		return nil
	}
	return s.keep(id, r, start[:n])
}

func (s *salvage) setDeletedAside() error {
	for id := range s.freed {
		f, ok := s.files[id]
		if !ok {
			continue
		}
		s.Deleted++
		if err := os.Rename(filepath.Join(s.out, "bodies", f.name), filepath.Join(s.out, "deleted", f.name)); err != nil {
			return err
		}
	}
	return nil
}

func syncAll(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}

// scanWindow holds any item but redo items of transactions that are larger.
const scanWindow = 4 << 20

// eachItem calls fn with every item in a file whose checksum is right, wherever
// it begins. Blocks that cannot be read are told to bad and passed over.
func eachItem(f io.ReaderAt, size int64, bad func(off int64, err error), fn func(off int64, it item) error) error {
	w := window{file: f, size: size, bad: bad}
	for w.fill(itemHeader) {
		b := w.rest()
		length := int64(b[4]) | int64(b[5])<<8 | int64(b[6])<<16 | int64(b[7])<<24
		if !plausible(b) || !w.fill(itemHeader+length) {
			w.at++
			continue
		}
		it, n, err := parseItem(w.rest())
		if err != nil {
			w.at++
			continue
		}
		if err := fn(w.base+int64(w.at), it); err != nil {
			return err
		}
		w.at += n
	}
	return nil
}

// plausible is a quick look at what may be the header of an item.
func plausible(b []byte) bool {
	return b[0] >= itemBlob && b[0] <= itemMove && b[1] <= flagPacked && b[2]|b[3]|b[28]|b[29]|b[30]|b[31] == 0
}

// A window moves over a file.
type window struct {
	file io.ReaderAt
	size int64
	bad  func(int64, error)
	base int64 // of buf in the file
	buf  []byte
	at   int
}

func (w *window) rest() []byte { return w.buf[w.at:] }

// fill makes sure that n bytes follow; false: there are not as many, or they
// are more than the window.
func (w *window) fill(n int64) bool {
	if n > scanWindow || w.base+int64(w.at)+n > w.size {
		return false
	}
	if int64(len(w.rest())) >= n {
		return true
	}
	w.base += int64(w.at)
	keep := copy(w.buf, w.rest())
	length := min(scanWindow, w.size-w.base)
	if int64(cap(w.buf)) < length {
		w.buf = append(make([]byte, 0, length), w.buf[:keep]...)
	}
	w.buf, w.at = w.buf[:length], 0
	w.read(keep)
	return true
}

// read fills the window from keep on, zeros where the disk gives nothing.
func (w *window) read(keep int) {
	if _, err := w.file.ReadAt(w.buf[keep:], w.base+int64(keep)); err == nil {
		return
	}
	const block = 4096
	for i := keep; i < len(w.buf); {
		end := min(len(w.buf), i+block-int((w.base+int64(i))%block))
		if _, err := w.file.ReadAt(w.buf[i:end], w.base+int64(i)); err != nil {
			clear(w.buf[i:end])
			w.bad(w.base+int64(i), err)
		}
		i = end
	}
}
