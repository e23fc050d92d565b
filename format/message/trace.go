package message

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
)

// DateFormat is the form of Date fields (RFC 5322 §3.3).
const DateFormat = "Mon, 2 Jan 2006 15:04:05 -0700"

// A Received is a trace field (RFC 5321 §4.4).
type Received struct {
	From string // the client's EHLO name
	Addr string // its IP address
	By   string
	With string // ESMTPS and its like (RFC 3848)
	ID   string
	TLS  string // version and cipher, in a comment
	For  string
	Date time.Time
}

// AppendReceived appends the field. What the client chose is cut to what a
// domain can hold.
func AppendReceived(dst []byte, r Received) []byte {
	dst = fmt.Appendf(dst, "Received: from %s ([%s])\r\n\tby %s with %s id %s", word(r.From), r.Addr, word(r.By), r.With, r.ID)
	if r.TLS != "" {
		dst = fmt.Appendf(dst, "\r\n\t(%s)", r.TLS)
	}
	if r.For != "" {
		dst = fmt.Appendf(dst, "\r\n\tfor <%s>", r.For)
	}
	return fmt.Appendf(dst, "; %s\r\n", r.Date.Format(DateFormat))
}

// word keeps the bytes of a domain or address literal.
func word(s string) string {
	b := make([]byte, 0, min(len(s), 255))
	for i := 0; i < len(s) && len(b) < 255; i++ {
		if c := s[i]; c > ' ' && c != '(' && c != ')' && c != ';' && c != '\\' && c != 127 {
			b = append(b, c)
		}
	}
	if len(b) == 0 {
		return "unknown"
	}
	return string(b)
}

// NewID returns a Message-ID at host that nobody can foresee.
func NewID(host string) string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // does not fail
	return "<" + hex.EncodeToString(b) + "@" + word(host) + ">"
}
