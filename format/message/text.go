package message

import (
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/transform"
)

var words = mime.WordDecoder{CharsetReader: charsetReader}

func charsetReader(charset string, r io.Reader) (io.Reader, error) {
	e, err := htmlindex.Get(charset)
	if err != nil {
		return r, nil // unknown: better the bytes than nothing
	}
	return transform.NewReader(r, e.NewDecoder()), nil
}

// DecodeHeader turns the encoded words of a field value into UTF-8 (RFC 2047).
// What cannot be decoded stays as it is.
func DecodeHeader(v string) string {
	v = string(Unfold([]byte(v)))
	if !strings.Contains(v, "=?") {
		return v
	}
	s, err := words.DecodeHeader(v)
	if err != nil {
		return v
	}
	return s
}

// ParseDate reads a Date field's value (RFC 5322 §3.3, obsolete forms too).
func ParseDate(v string) (time.Time, error) {
	return mail.ParseDate(strings.TrimSpace(string(Unfold([]byte(v)))))
}

// EncodeHeader turns UTF-8 into encoded words where it is not ASCII.
func EncodeHeader(s string) string { return mime.QEncoding.Encode("utf-8", s) }

// Decode undoes the transfer encoding of a part's body; known is false, and the
// bytes come as they are, when it is no encoding of RFC 2045 §6. What is not
// well encoded ends the text with an error.
func (p *Part) Decode(r io.Reader) (_ io.Reader, known bool) {
	switch strings.ToLower(p.Encoding) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, &base64Filter{r: r}), true
	case "quoted-printable":
		return quotedprintable.NewReader(r), true
	case "", "7bit", "8bit", "binary":
		return r, true
	}
	return r, false
}

// TextReader decodes the body of a part: its transfer encoding and, for text,
// its charset, to UTF-8. r reads the raw body.
func (p *Part) TextReader(r io.Reader) io.Reader {
	r, _ = p.Decode(r)
	if p.Type != "text" {
		return r
	}
	switch cs := strings.ToLower(p.Param("charset")); cs {
	case "", "us-ascii", "utf-8", "utf8":
		return r
	default:
		r, _ = charsetReader(cs, r)
		return r
	}
}

// base64Filter passes only what base64 is made of, as RFC 2045 §6.8 asks.
type base64Filter struct{ r io.Reader }

func (f *base64Filter) Read(p []byte) (int, error) {
	for {
		n, err := f.r.Read(p)
		k := 0
		for _, c := range p[:n] {
			switch {
			case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/', c == '=':
				p[k] = c
				k++
			}
		}
		if k > 0 || err != nil || len(p) == 0 {
			return k, err
		}
	}
}
