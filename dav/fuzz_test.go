package dav

import (
	"strings"
	"testing"
)

// FuzzIf: a header that is understood has lists with terms, and its parts are
// those of the header.
func FuzzIf(f *testing.F) {
	for _, s := range []string{
		`(<urn:uuid:1> ["a"]) (Not <DAV:no-lock>)`, `</a> (["b)<]"]) <http://x/c> ([W/"d"])`, `(["a" ])`, `(Not[x])`, `<a>`, `()`, `(<a>`, `(<>)`, `(["a)`, "\t( <x>\t) ",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		lists, err := parseIf(s)
		if err != nil {
			return
		}
		if len(lists) == 0 {
			t.Fatal("no lists")
		}
		tagged := lists[0].resource != ""
		for _, l := range lists {
			if len(l.terms) == 0 || (l.resource != "") != tagged || !strings.Contains(s, l.resource) {
				t.Fatalf("%+v", l)
			}
			for _, term := range l.terms {
				if (term.token == "") == (term.etag == "") || !strings.Contains(s, term.token) || !strings.Contains(s, term.etag) {
					t.Fatalf("%+v", term)
				}
			}
		}
	})
}

func FuzzTags(f *testing.F) {
	for _, s := range []string{`"a", W/"b"`, `*`, `x, "y`, `"a"b,"c"`, `,,`, `W/`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, tag := range parseTags([]string{s}).list {
			if !strings.Contains(s, tag) || !strings.HasSuffix(tag, `"`) || strings.Count(tag, `"`) != 2 {
				t.Fatalf("%q", tag)
			}
		}
	})
}

// FuzzPath: what is accepted is one thing only: encoded again it is itself.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/dav/files/a%20b/", "/a//b", "/%2e%2e/x", "/%c0%af", "/%2F", "/a%00", "/é", "http://h/a", "//h/a", "/a?b", "/a;b=c/@:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := parseRef(s, func(string) bool { return true })
		if err != nil {
			return
		}
		for _, seg := range l.segments {
			if !validName(seg) {
				t.Fatalf("%q", l.segments)
			}
		}
		again, err := parsePath(href(l.segments, l.slash))
		if err != nil || strings.Join(again.segments, "/") != strings.Join(l.segments, "/") || again.slash != l.slash {
			t.Fatalf("%q became %q, %v", l.segments, again.segments, err)
		}
	})
}
