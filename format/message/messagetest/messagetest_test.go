package messagetest

import (
	"bytes"
	"io"
	"net/mail"
	"testing"
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
