package messagetest

import (
	"bytes"
	"io"
	"net/mail"
	"testing"
	"testing/iotest"
)

func TestMessagesAreWellFormedAndTheSameEveryTime(t *testing.T) {
	for i := range 10 * Shapes {
		b := Message(i)
		if !bytes.Equal(b, Message(i)) {
			t.Fatalf("message %d differs from itself", i)
		}
		if n := bytes.Count(b, []byte("\n")); n != bytes.Count(b, []byte("\r\n")) {
			t.Errorf("message %d: a bare line feed", i)
		}
		m, err := mail.ReadMessage(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if _, err := m.Header.AddressList("From"); err != nil {
			t.Errorf("message %d: From: %v", i, err)
		}
		if _, err := m.Header.Date(); err != nil {
			t.Errorf("message %d: Date: %v", i, err)
		}
		if n, _ := io.Copy(io.Discard, m.Body); n == 0 {
			t.Errorf("message %d has no body", i)
		}
	}
}

func TestLargeIsAsLargeAsAskedFor(t *testing.T) {
	for i := range 8 {
		n := int64(64<<10 + 7919*i)
		b, err := io.ReadAll(Large(i, n))
		if err != nil || int64(len(b)) != n {
			t.Fatalf("message %d of %d bytes: %d, %v", i, n, len(b), err)
		}
		again, _ := io.ReadAll(iotest.OneByteReader(Large(i, n)))
		if !bytes.Equal(b, again) || !bytes.HasSuffix(b, []byte("\r\n")) || bytes.Count(b, []byte("\n")) != bytes.Count(b, []byte("\r\n")) {
			t.Errorf("message %d differs from itself, or its lines end otherwise than in CRLF", i)
		}
		if _, err := mail.ReadMessage(bytes.NewReader(b)); err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
}

func TestUnrulyIsTheSameEveryTime(t *testing.T) {
	for i := range 200 {
		b := Unruly(i)
		if !bytes.Equal(b, Unruly(i)) || !bytes.HasSuffix(b, []byte("\r\n")) || bytes.Count(b, []byte("\n")) != bytes.Count(b, []byte("\r\n")) {
			t.Fatalf("message %d differs from itself, or its lines end otherwise than in CRLF", i)
		}
	}
}
