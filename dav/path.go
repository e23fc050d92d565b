package dav

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	maxPath     = 8 << 10 // bytes of a path as it is sent
	maxSegments = 100
	maxSegment  = 1 << 10 // bytes of one name, decoded
)

// A location is the path of a URL, decoded.
type location struct {
	raw      string   // as it was sent, without a trailing slash unless it is "/"
	segments []string // decoded
	slash    bool     // it ended in one
}

// parsePath decodes the path of a URL strictly: what could be read in two ways
// is refused, in whatever encoding it comes. There is no segment that is empty,
// "." or "..", or that holds a slash, a control character or bad UTF-8 (which
// overlong forms are).
func parsePath(raw string) (location, error) {
	bad := Status(http.StatusBadRequest)
	if len(raw) > maxPath {
		return location{}, Status(http.StatusRequestURITooLong)
	}
	if !strings.HasPrefix(raw, "/") {
		return location{}, bad
	}
	l := location{raw: strings.TrimSuffix(raw, "/"), slash: strings.HasSuffix(raw, "/")}
	if l.raw == "" {
		l.raw = "/"
		return l, nil
	}
	n := strings.Count(l.raw, "/")
	if n > maxSegments {
		return location{}, Status(http.StatusRequestURITooLong)
	}
	l.segments = make([]string, 0, n)
	for _, part := range strings.Split(l.raw[1:], "/") {
		seg, ok := decodeSegment(part)
		if !ok {
			return location{}, bad
		}
		l.segments = append(l.segments, seg)
	}
	return l, nil
}

func decodeSegment(s string) (string, bool) {
	if strings.IndexByte(s, '%') >= 0 {
		var err error
		if s, err = url.PathUnescape(s); err != nil {
			return "", false
		}
	}
	return s, validName(s)
}

// validName reports whether a decoded segment can be a name.
func validName(s string) bool {
	if s == "" || s == "." || s == ".." || len(s) > maxSegment || !utf8.ValidString(s) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == '/' {
			return false
		}
	}
	return true
}

// unescaped are the bytes of a name that stand for themselves in a href: the
// unreserved ones of RFC 3986 §2.3 and two that old clients expect so.
var unescaped = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~@:") {
		t[c] = true
	}
	return t
}()

// appendSegment appends a name, URL-encoded.
func appendSegment(b []byte, name string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(name) {
		c := name[i]
		if unescaped[c] {
			b = append(b, c)
			continue
		}
		b = append(b, '%', hex[c>>4], hex[c&15])
	}
	return b
}

// Path returns the URL path of decoded segments, without a slash at its end.
func Path(segments ...string) string { return strings.TrimSuffix(href(segments, false), "/") }

// href returns the URL path of segments, with a slash at the end for a
// collection.
func href(segments []string, collection bool) string {
	b := make([]byte, 0, 64)
	for _, s := range segments {
		b = appendSegment(append(b, '/'), s)
	}
	if collection || len(b) == 0 {
		b = append(b, '/')
	}
	return string(b)
}

// parseRef decodes a reference to a resource of this server: a path, or an
// absolute URL whose host is one of ours. Another host is 502 (RFC 4918
// §9.8.5).
func parseRef(ref string, ours func(host string) bool) (location, error) {
	if len(ref) > maxPath {
		return location{}, Status(http.StatusRequestURITooLong)
	}
	if !strings.HasPrefix(ref, "/") || strings.HasPrefix(ref, "//") {
		u, err := url.Parse(ref)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			return location{}, Status(http.StatusBadRequest)
		}
		if !ours(withoutDefaultPort(u.Host)) {
			return location{}, Status(http.StatusBadGateway)
		}
		// The path as it was sent, not as url.Parse understood it.
		rest := ref[len(u.Scheme)+len("://"):]
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			return parsePath("/")
		}
		ref = rest[i:]
	}
	if strings.ContainsAny(ref, "?#") {
		return location{}, Status(http.StatusBadRequest)
	}
	return parsePath(ref)
}

func withoutDefaultPort(host string) string {
	host = strings.ToLower(host)
	host = strings.TrimSuffix(host, ":80")
	return strings.TrimSuffix(host, ":443")
}
