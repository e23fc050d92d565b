package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/message/messagetest"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

const thirty = 30 << 20

// A parcel is a message of a corpus.
type parcel struct {
	size int64
	open func() io.Reader
	sane bool // well-formed: everybody takes it apart alike
}

func bytesParcel(b []byte, sane bool) parcel {
	return parcel{int64(len(b)), func() io.Reader { return bytes.NewReader(b) }, sane}
}

// largeParcel is messagetest.Large; every fourth does not end as it should.
func largeParcel(i int, n int64) parcel {
	return parcel{n, func() io.Reader { return messagetest.Large(i, n) }, i%4 != 3}
}

// corpus returns n messages, half of them well-formed, with some that are large,
// the last of 30 MB.
func corpus(n, large int) []parcel {
	out := make([]parcel, n)
	for i := range out {
		if out[i] = bytesParcel(messagetest.Message(i/2), true); i%2 == 1 {
			out[i] = bytesParcel(messagetest.Unruly(i/2), false)
		}
	}
	for k := 1; k <= large; k++ {
		out[k*n/large-1] = largeParcel(large-k, thirty*int64(k)/int64(large))
	}
	return out
}

// A corpus of all shapes and sizes, delivered and read back byte for byte; what
// IMAP tells of the well-formed is what Python makes of them.
func TestStoryCorpus(t *testing.T) {
	n, large := 300, 1
	if os.Getenv("ESSAIM_LONG") != "" {
		n, large = 5000, 12
	}
	h := newHouse(t, 1)
	sent, total := corpus(n, large), int64(0)
	start := time.Now()
	for i, m := range sent {
		if err := h.deliverFrom("load@example.net", []string{user(1)}, m.open(), 5*time.Minute); err != nil {
			t.Fatalf("message %d of %d bytes: %v", i, m.size, err)
		}
		total += m.size
	}
	t.Logf("%d messages of %d MB delivered in %v", n, total>>20, time.Since(start).Round(time.Millisecond))
	c, err := h.imap(user(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	for i, m := range sent {
		if err := readBack(c, uint32(i+1), m); err != nil {
			t.Fatalf("message %d of %d bytes: %v", i, m.size, err)
		}
	}
	t.Logf("and read in %v", time.Since(start).Round(time.Millisecond))
	all := imap.SeqSet{}
	all.AddRange(1, 0)
	msgs, err := c.Fetch(all, &imap.FetchOptions{Envelope: true, BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, RFC822Size: true}).Collect()
	if err != nil || len(msgs) != n {
		t.Fatalf("%d structures of %d: %v", len(msgs), n, err)
	}
	h.askPython(sent)
}

// askPython has Python's own IMAP client read the corpus, take the messages
// apart and compare.
func (h *house) askPython(sent []parcel) {
	h.t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		h.t.Log("no python3: the structures are not compared")
		return
	}
	var sane strings.Builder
	for _, m := range sent {
		if m.sane {
			sane.WriteByte('y')
		} else {
			sane.WriteByte('n')
		}
	}
	cmd := exec.CommandContext(h.t.Context(), python, "testdata/corpus.py", fmt.Sprint(h.base+993), user(1), testPassword)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join("..", "..", "format", "message", "testdata"), "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stdin = strings.NewReader(sane.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Errorf("%v\n%s", err, out)
	}
}

// readBack fetches a message and compares it, without keeping it.
func readBack(c *imapclient.Client, seq uint32, m parcel) error {
	section := &imap.FetchItemBodySection{Peek: true}
	cmd := c.Fetch(imap.SeqSetNum(seq), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{section}})
	defer cmd.Close()
	msg := cmd.Next()
	if msg == nil {
		return errors.Join(errors.New("no answer"), cmd.Close())
	}
	for item := msg.Next(); item != nil; item = msg.Next() {
		body, ok := item.(imapclient.FetchItemDataBodySection)
		if !ok {
			continue
		}
		ours := body.Literal.Size() - m.size // the fields that were put in front
		if ours < 0 {
			return fmt.Errorf("%d bytes came back", body.Literal.Size())
		}
		if _, err := io.CopyN(io.Discard, body.Literal, ours); err != nil {
			return err
		}
		if err := differs(m.open(), body.Literal); err != nil {
			return err
		}
		for msg.Next() != nil {
		}
		return cmd.Close()
	}
	return errors.New("no body")
}

// differs compares two readers to their ends.
func differs(a, b io.Reader) error {
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for off := int64(0); ; {
		n, errA := io.ReadFull(a, x)
		m, errB := io.ReadFull(b, y)
		if !bytes.Equal(x[:n], y[:m]) {
			return fmt.Errorf("it differs behind byte %d", off)
		}
		if off += int64(n); errA != nil {
			return nil // both are at their end, or the bytes would differ
		}
		if errB != nil && !errors.Is(errB, io.ErrUnexpectedEOF) {
			return errB
		}
	}
}
