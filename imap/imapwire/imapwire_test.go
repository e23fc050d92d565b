package imapwire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func decoder(s string) *Decoder {
	d := NewDecoder(bufio.NewReader(strings.NewReader(s)))
	d.Begin(false)
	return d
}

func TestSets(t *testing.T) {
	for in, want := range map[string]string{
		"1": "[{1 1}]", "1:*": "[{1 0}]", "*": "[{0 0}]", "5:2,7": "[{5 2} {7 7}]",
	} {
		d := decoder(in + " ")
		s := d.set()
		if d.err != nil || fmt.Sprint(s.Spans) != want {
			t.Errorf("%s: %v, %v", in, s.Spans, d.err)
		}
	}
	for _, in := range []string{"0 ", "a ", "1: ", "1, ", "4294967296 ", "99999999999999999999999 "} {
		d := decoder(in)
		if s := d.set(); d.err == nil {
			t.Errorf("%s is %v", in, s)
		}
	}
}

func TestMailboxNames(t *testing.T) {
	for utf8, utf7 := range map[string]string{
		"INBOX": "INBOX", "Éléments envoyés": "&AMk-l&AOk-ments envoy&AOk-s", "A&B": "A&-B", "日本語": "&ZeVnLIqe-", "a😀b": "a&2D3eAA-b",
	} {
		if got := EncodeUTF7(utf8); got != utf7 {
			t.Errorf("%s is written %s", utf8, got)
		}
		if got, ok := DecodeUTF7(utf7); !ok || got != utf8 {
			t.Errorf("%s is read %s", utf7, got)
		}
	}
	for _, bad := range []string{"&", "&abc", "&====-", "&2D0-"} {
		if got, ok := DecodeUTF7(bad); ok {
			t.Errorf("%s is read %q", bad, got)
		}
	}
}

func TestFetchSections(t *testing.T) {
	a, err := decoder(" 1:3 (UID BODY.PEEK[1.2.HEADER.FIELDS (From \"X-Y\")] BODY[TEXT]<10.20> RFC822.HEADER) (CHANGEDSINCE 5)\r\n").Fetch()
	if err != nil {
		t.Fatal(err)
	}
	want := "[{BODY[1.2.HEADER.FIELDS (From X-Y)] [1 2] HEADER.FIELDS [from x-y] true false false false 0 0} {BODY[TEXT] [] TEXT [] false false false true 10 20} {RFC822.HEADER [] HEADER [] true false false false 0 0}]"
	if fmt.Sprint(a.Sections) != want || !a.UID || a.ChangedSince != 5 {
		t.Errorf("%+v", a)
	}
	for _, bad := range []string{" 1 BODY[\r\n", " 1 BODY[0]\r\n", " 1 BODY[MIME]\r\n", " 1 BODY[]<1>\r\n", " 1 (ALL)\r\n", " 1 BODY.PEEK\r\n", " 1 X\r\n", " 1 (FLAGS\r\n"} {
		if _, err := decoder(bad).Fetch(); err == nil {
			t.Errorf("%q is understood", bad)
		}
	}
}

func TestBombsAreBounded(t *testing.T) {
	for name, in := range map[string]string{
		"parentheses": " " + strings.Repeat("(", 4000), "not": strings.Repeat(" NOT", 4000), "long line": " SUBJECT \"" + strings.Repeat("x", 1<<20) + "\"\r\n",
		"literal": " SUBJECT {4294967295}\r\n",
	} {
		_, err := decoder(in).Search()
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// After a mistake the next command is found, whatever literal was announced.
func TestSkipFindsTheNextCommand(t *testing.T) {
	for _, in := range []string{"nonsense here\r\n", "x {5+}\r\na b c y\r\n", "x {3+}\r\n\r\n\r\r\n"} {
		d := decoder(in + "A1 NOOP\r\n")
		if err := d.Skip(); err != nil {
			t.Fatal(err)
		}
		d.Begin(false)
		if tag, err := d.Tag(); err != nil || tag != "A1" {
			t.Errorf("%q: then %q, %v", in, tag, err)
		}
	}
}

// Nothing a stranger sends makes a decoder panic or take more than its line.
func FuzzCommands(f *testing.F) {
	for _, s := range []string{
		" 1:* (FLAGS BODY[1.2]<0.5>)\r\n", " RETURN (MIN) OR (SUBJECT {3+}\r\nabc) NOT UID 5\r\n", " \"a\" {1+}\r\nx\r\n",
		" (SUBSCRIBED) \"\" (\"%\" \"*\") RETURN (STATUS (MESSAGES))\r\n", " x (\\Seen) \"01-Jan-2026 00:00:00 +0000\" {5+}\r\nhello\r\n",
		" 1 (BINARY.PEEK[1.2]<3.4> BINARY.SIZE[2])\r\n", " x ~{5+}\r\nhello\r\n", " a \"b@c\" +lrs\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, run := range []func(*Decoder) error{
			func(d *Decoder) error { _, err := d.Fetch(); return err },
			func(d *Decoder) error { _, err := d.Search(); return err },
			func(d *Decoder) error { _, err := d.Store(); return err },
			func(d *Decoder) error { _, err := d.List(false); return err },
			func(d *Decoder) error { _, err := d.Status(true); return err },
			func(d *Decoder) error { _, err := d.Append(false); return err },
			func(d *Decoder) error { _, err := d.Create(false); return err },
			func(d *Decoder) error { _, err := d.ID(); return err },
			func(d *Decoder) error { _, _, _, err := d.Authenticate(); return err },
			func(d *Decoder) error { _, _, err := d.Login(); return err },
			func(d *Decoder) error { _, err := d.Enable(); return err },
			func(d *Decoder) error { _, err := d.Select(false); return err },
			func(d *Decoder) error { _, _, err := d.SetMailbox(false); return err },
			func(d *Decoder) error { _, err := d.SetACL(false); return err },
			func(d *Decoder) error { _, err := d.MailboxIdentifier(true); return err },
		} {
			d := NewDecoder(bufio.NewReader(bytes.NewReader(b)))
			d.Begin(true)
			if err := run(d); err != nil {
				_ = d.Skip()
			}
			if d.left < 0 {
				t.Fatal("more was read than allowed")
			}
		}
	})
}

func FuzzUTF7(f *testing.F) {
	f.Add("Éa&b")
	f.Fuzz(func(t *testing.T, s string) {
		if name, ok := DecodeUTF7(s); ok {
			if again, ok := DecodeUTF7(EncodeUTF7(name)); !ok || again != name {
				t.Fatalf("%q became %q", name, again)
			}
		}
	})
}
