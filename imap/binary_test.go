package imap

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"essaim.coop/essaim/internal/vfs"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

const parcel = "From: a@example.net\nSubject: a parcel\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
	"--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nVoil=C3=A0 l'=C3=A9t=C3=A9=\n.\n" +
	"--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\nAAEC\nAwQF\n" +
	"--b\nContent-Type: image/x\nContent-Transfer-Encoding: x-uuencode\n\n#AAAA\n--b--\n"

func TestBinary(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, "INBOX", parcel)
	p := h.in(t, "INBOX")
	for _, c := range []struct{ item, want string }{
		{"BINARY.PEEK[1]", "* 1 FETCH (BINARY[1] {15}\r\nVoilà l'été."},
		{"BINARY.PEEK[1]<2.3>", "* 1 FETCH (BINARY[1]<2> {3}\r\nil\xc3)"},
		{"BINARY.SIZE[1]", "* 1 FETCH (BINARY.SIZE[1] 15)"},
		{"BINARY.PEEK[2]", "* 1 FETCH (BINARY[2] ~{6}\r\n\x00\x01\x02\x03\x04\x05)"},
		{"BINARY.SIZE[2]", "* 1 FETCH (BINARY.SIZE[2] 6)"},
		{"BINARY.PEEK[9]", "* 1 FETCH (BINARY[9] NIL)"},
		{"BINARY.SIZE[9]", "* 1 FETCH (BINARY.SIZE[9] 0)"},
		{"(UID BINARY.SIZE[1] BINARY.PEEK[2]<4.9>)", "* 1 FETCH (UID 1 BINARY.SIZE[1] 15 BINARY[2]<4> ~{2}\r\n\x04\x05)"},
		{"BINARY.SIZE[]", fmt.Sprintf("* 1 FETCH (BINARY.SIZE[] %d)", len(strings.ReplaceAll(parcel, "\n", "\r\n")))},
	} {
		got := strings.Join(p.ok("FETCH 1 "+c.item), "\r\n")
		if c.item == "BINARY.PEEK[1]" {
			got, _, _ = strings.Cut(got, ")")
		}
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.item, got, c.want)
		}
	}
	for _, c := range []string{"BINARY.PEEK[3]", "BINARY.SIZE[3]"} {
		if code := p.refused("FETCH 1 " + c); code != "UNKNOWN-CTE" {
			t.Error(c, code)
		}
	}
	for _, c := range []string{"BINARY[1.MIME]", "BINARY[HEADER]", "BINARY.SIZE[1]<0.1>", "BINARY"} {
		if _, l := p.cmd("x", "FETCH 1 "+c); !strings.HasPrefix(l, "x BAD") {
			t.Error(c, l)
		}
	}
	if got := p.ok("FETCH 1 FLAGS"); got[0] != "* 1 FETCH (FLAGS ())" {
		t.Error(got)
	}
	if got := p.ok("FETCH 1 BINARY[2]"); !strings.Contains(got[0], `FLAGS (\Seen)`) {
		t.Error(got)
	}
}

// A part of a large message is what it is in a small one, and so is the only
// part of a message that has no others.
func TestPartsOfLargeMessages(t *testing.T) {
	h := newHouse(t)
	head, tail, _ := strings.Cut(parcel, "--b\nContent-Type: image/png")
	large := head + "--b\nContent-Type: text/x\n\n" + strings.Repeat("many words in a line\n", 70_000) + "--b\nContent-Type: message/rfc822\n\nSubject: inside\n\ninner\n--b\nContent-Type: image/png" + tail
	small := strings.Replace(large, strings.Repeat("many words in a line\n", 70_000), "few\n", 1)
	h.deliver(t, "INBOX", small)
	h.deliver(t, "INBOX", large)
	h.deliver(t, "INBOX", "Subject: x\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n")
	p := h.in(t, "INBOX")
	for _, item := range []string{"BODY.PEEK[1]", "BODY.PEEK[1.MIME]", "BODY.PEEK[3]", "BODY.PEEK[3.HEADER]", "BODY.PEEK[3.TEXT]", "BODY.PEEK[3.1]", "BODY.PEEK[4]", "BODY.PEEK[9]",
		"BINARY.PEEK[1]", "BINARY.PEEK[3]", "BINARY.PEEK[4]", "BINARY.SIZE[4]", "BODY.PEEK[HEADER]", "BODY.PEEK[3.HEADER.FIELDS (Subject)]"} {
		a, b := strings.Join(p.ok("FETCH 1 "+item), "\n"), strings.Join(p.ok("FETCH 2 "+item), "\n")
		if a = strings.Replace(a, "* 1", "* 2", 1); a != b {
			t.Errorf("%s:\n small %q\n large %q", item, a, b)
		}
	}
	if got := p.ok("FETCH 3 BINARY.PEEK[1]"); strings.Join(got, "\n") != "* 3 FETCH (BINARY[1] {5}\nhello)" {
		t.Errorf("%q", got)
	}
}

// NUL is refused where RFC 9051 has none, and the session goes on.
func TestNULIsRefused(t *testing.T) {
	h := newHouse(t)
	p := h.in(t, "INBOX")
	if _, l := p.cmd("x", "APPEND INBOX {3+}\r\na\x00b"); !strings.HasPrefix(l, "x BAD") {
		t.Error(l)
	}
	if _, l := p.cmd("x", "APPEND INBOX ~{3+}\r\na\x00b"); !strings.HasPrefix(l, "x NO [UNKNOWN-CTE]") {
		t.Error(l)
	}
	if _, l := p.cmd("x", "SEARCH TEXT {3+}\r\na\x00b"); !strings.HasPrefix(l, "x BAD") {
		t.Error(l)
	}
	if _, l := p.cmd("x", "APPEND INBOX {3+}\r\nabc {3+}\r\ndef"); !strings.HasPrefix(l, "x BAD") { // no MULTIAPPEND
		t.Error(l)
	}
	p.ok("APPEND INBOX ~{3+}\r\nabc")
	if got := p.ok("STATUS INBOX (MESSAGES)"); !strings.Contains(got[0], "(MESSAGES 1)") {
		t.Error(got)
	}
}

// A disk is a file system whose writes fail while failure is set.
type disk struct {
	vfs.FS
	failure atomic.Pointer[error]
}

type diskFile struct {
	vfs.File
	d *disk
}

func (d *disk) Open(name string, flag int) (vfs.File, error) {
	if e := d.failure.Load(); e != nil && flag&os.O_CREATE != 0 {
		return nil, &os.PathError{Op: "open", Path: name, Err: *e}
	}
	f, err := d.FS.Open(name, flag)
	return diskFile{f, d}, err
}

func (f diskFile) WriteAt(p []byte, off int64) (int, error) {
	if e := f.d.failure.Load(); e != nil {
		return 0, &os.PathError{Op: "write", Path: "x", Err: *e}
	}
	return f.File.WriteAt(p, off)
}

// A disk that fills up or fails is a clean NO, for small and large messages
// alike; the session goes on, reads what is there, and writes again when there
// is room.
func TestAppendOnAFailingDisk(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO} {
		for _, size := range []int{1000, 3 << 20} {
			if errno == syscall.EIO && size == 1000 {
				continue // the journal's failure is final: the process ends
			}
			t.Run(fmt.Sprint(errno, size), func(t *testing.T) {
				d := &disk{FS: vfs.OS}
				h := newHouseOn(t, storage.Options{FS: d})
				h.deliver(t, "INBOX", hello)
				p := h.in(t, "INBOX")
				d.failure.Store(ptr(error(errno)))
				for range 2 {
					if code := p.refused(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", size, strings.Repeat("y", size))); code != "UNAVAILABLE" {
						t.Error(code)
					}
					if got := p.ok("FETCH 1 BODY.PEEK[TEXT]"); !strings.Contains(strings.Join(got, "\n"), "hello") {
						t.Error(got)
					}
				}
				if d.failure.Store(nil); errno == syscall.EIO {
					return // nothing is taken any more
				}
				p.ok(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", size, strings.Repeat("y", size)))
			})
		}
	}
}

func ptr[T any](v T) *T { return &v }

// A store that is served for reading only is read, and says so.
func TestReadOnlyStore(t *testing.T) {
	dir := t.TempDir()
	db, err := storage.Open(dir, storage.Options{})
	must(t, err)
	must(t, db.Update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		a, err := accounts.Create(tx, accounts.NewAccount{Name: "Zoe", Address: "zoe@coop.example"}, now)
		if err != nil {
			return err
		}
		if _, err := accounts.SetAppPassword(tx, a.ID, "zoe's phone", accounts.ScopeIMAP, "secret", now); err != nil {
			return err
		}
		return mailbox.Ensure(tx, a.ID, now)
	}))
	must(t, db.Close())
	db, err = storage.Open(dir, storage.Options{ReadOnly: true})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	h := serve(t, db)
	p := h.dial(t)
	p.line()
	p.ok("LOGIN zoe@coop.example secret")
	got := p.ok("SELECT INBOX")
	if !slices.Contains(got, "* OK [PERMANENTFLAGS ()] read-only") {
		t.Errorf("%q", got)
	}
	p.ok(`UID SEARCH TEXT "hello"`)
	for _, c := range []string{"APPEND INBOX {3+}\r\nabc", "CREATE x", "SUBSCRIBE Sent", "UID EXPUNGE 1:*"} {
		if code := p.refused(c); code != "UNAVAILABLE" && code != "NOPERM" {
			t.Error(c, code)
		}
	}
	p.ok("CLOSE")
}
