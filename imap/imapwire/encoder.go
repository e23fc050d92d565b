package imapwire

import (
	"bufio"
	"strconv"
)

// An Encoder writes responses. Errors are the writer's and show when it is
// flushed. Not safe for concurrent use.
type Encoder struct {
	w       *bufio.Writer
	scratch []byte
}

// NewEncoder writes to w.
func NewEncoder(w *bufio.Writer) *Encoder { return &Encoder{w: w} }

// Raw writes text as it is.
func (e *Encoder) Raw(s string) *Encoder {
	_, _ = e.w.WriteString(s)
	return e
}

// Bytes writes bytes as they are.
func (e *Encoder) Bytes(b []byte) *Encoder {
	_, _ = e.w.Write(b)
	return e
}

// Write is io.Writer.
func (e *Encoder) Write(b []byte) (int, error) { return e.w.Write(b) }

// SP writes a space, CRLF the end of a response.
func (e *Encoder) SP() *Encoder   { return e.Raw(" ") }
func (e *Encoder) CRLF() *Encoder { return e.Raw("\r\n") }

// Uint writes a number.
func (e *Encoder) Uint(n uint64) *Encoder {
	e.scratch = strconv.AppendUint(e.scratch[:0], n, 10)
	return e.Bytes(e.scratch)
}

// String writes a quoted string where that can be, else a literal.
func (e *Encoder) String(s string, utf8 bool) *Encoder {
	quotable := len(s) < 1000
	for i := 0; i < len(s) && quotable; i++ {
		quotable = s[i] >= ' ' && s[i] != 127 && (s[i] < 127 || utf8)
	}
	if !quotable {
		return e.Raw("{").Uint(uint64(len(s))).Raw("}\r\n").Raw(s)
	}
	e.Raw(`"`)
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			e.Raw(`\`)
		}
		_ = e.w.WriteByte(s[i])
	}
	return e.Raw(`"`)
}

// AString writes an atom where that can be, else a string.
func (e *Encoder) AString(s string, utf8 bool) *Encoder {
	for i := 0; i < len(s); i++ {
		if !isAtom(s[i]) {
			return e.String(s, utf8)
		}
	}
	if s == "" {
		return e.String(s, utf8)
	}
	return e.Raw(s)
}

// Mailbox writes a mailbox name.
func (e *Encoder) Mailbox(name string, utf8Names bool) *Encoder {
	if !utf8Names {
		name = EncodeUTF7(name)
	}
	return e.String(name, utf8Names)
}

// Set writes spans as a sequence set.
func (e *Encoder) Set(spans []Span) *Encoder {
	for i, s := range spans {
		if i > 0 {
			e.Raw(",")
		}
		e.Uint(uint64(s.From))
		if s.To != s.From {
			e.Raw(":").Uint(uint64(s.To))
		}
	}
	return e
}
