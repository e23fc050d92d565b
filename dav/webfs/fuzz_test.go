package webfs

import (
	"mime"
	"strings"
	"testing"
)

// likeSlowly says the same in the way one would first write it down.
func likeSlowly(t, p []rune) bool {
	if len(p) == 0 {
		return len(t) == 0
	}
	switch {
	case p[0] == '%':
		return likeSlowly(t, p[1:]) || len(t) > 0 && likeSlowly(t[1:], p)
	case p[0] == '_':
		return len(t) > 0 && likeSlowly(t[1:], p[1:])
	case p[0] == '\\':
		return len(p) > 1 && len(t) > 0 && t[0] == p[1] && likeSlowly(t[1:], p[2:])
	}
	return len(t) > 0 && t[0] == p[0] && likeSlowly(t[1:], p[1:])
}

func FuzzLike(f *testing.F) {
	f.Add("abc", "a%c")
	f.Add(`a\%`, `_\\\%`)
	f.Fuzz(func(t *testing.T, text, pattern string) {
		text, pattern = text[:min(len(text), 255)], pattern[:min(len(pattern), maxLiteral)]
		if len(text) > 12 || strings.Count(pattern, "%") > 4 {
			like(text, pattern, true) // must end
			return
		}
		if got, want := like(text, pattern, false), likeSlowly([]rune(text), []rune(pattern)); got != want {
			t.Errorf("%q like %q: %v, must be %v", text, pattern, got, want)
		}
	})
}

// Whatever a client says, a header field can carry it, and it is never a page
// unless the name or the client says so.
func FuzzMediaType(f *testing.F) {
	f.Add("x.html", "")
	f.Add("x", "text/plain; charset=\"utf-8\"")
	f.Add("x", "a/b;c=\r\nSet-Cookie: x")
	f.Fuzz(func(t *testing.T, name, given string) {
		got := mediaType(name, given)
		if _, _, err := mime.ParseMediaType(got); err != nil || strings.ContainsAny(got, "\r\n\x00") {
			t.Errorf("%q, %q: %q, %v", name, given, got, err)
		}
	})
}

func FuzzEntryName(f *testing.F) {
	f.Add("0000000000001-0000000002-name")
	f.Add("-")
	f.Fuzz(func(t *testing.T, name string) { parseEntryName(name) })
}
