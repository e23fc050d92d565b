package dav

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

// thing is a resource of which only the Stat counts.
type thing struct {
	Resource
	st Stat
}

func (t thing) Stat() Stat { return t.st }

// TestPreconditions is the table of RFC 9110 §13: 0 is go on.
func TestPreconditions(t *testing.T) {
	at := time.Date(2027, 3, 14, 15, 9, 26, 500, time.UTC)
	date := func(d time.Duration) string { return at.Add(d).Format(http.TimeFormat) }
	there := thing{st: Stat{ETag: "a", Modified: at}}
	bare := thing{}
	for _, c := range []struct {
		what     string
		r        Resource
		header   http.Header
		get, put int
	}{
		{"nothing asked", there, nil, 0, 0},
		{"nothing asked, nothing there", nil, nil, 0, 0},
		{"the right tag", there, http.Header{"If-Match": {`"a"`}}, 0, 0},
		{"among others", there, http.Header{"If-Match": {`"x", "y"`, `"z","a"`}}, 0, 0},
		{"another", there, http.Header{"If-Match": {`"b"`}}, 412, 412},
		{"weakly", there, http.Header{"If-Match": {`W/"a"`}}, 412, 412},
		{"without quotes", there, http.Header{"If-Match": {`a`}}, 412, 412},
		{"empty", there, http.Header{"If-Match": {``}}, 412, 412},
		{"any", there, http.Header{"If-Match": {`*`}}, 0, 0},
		{"any of nothing", nil, http.Header{"If-Match": {`*`}}, 412, 412},
		{"a tag of nothing", nil, http.Header{"If-Match": {`"a"`}}, 412, 412},
		{"what has no tag", bare, http.Header{"If-Match": {`""`}}, 412, 412},
		{"what has no tag is there", bare, http.Header{"If-Match": {`*`}}, 0, 0},

		{"none of these", there, http.Header{"If-None-Match": {`"b"`}}, 0, 0},
		{"this", there, http.Header{"If-None-Match": {`"a"`}}, 304, 412},
		{"this, weakly", there, http.Header{"If-None-Match": {`W/"a"`}}, 304, 412},
		{"this, after what is no tag", there, http.Header{"If-None-Match": {`Joplin-1, "a"`}}, 304, 412},
		{"what is no tag", there, http.Header{"If-None-Match": {`Joplin-1`}}, 0, 0},
		{"none at all", there, http.Header{"If-None-Match": {`*`}}, 304, 412},
		{"none at all of nothing", nil, http.Header{"If-None-Match": {`*`}}, 0, 0},

		{"unmodified since now", there, http.Header{"If-Unmodified-Since": {date(0)}}, 0, 0},
		{"unmodified since before", there, http.Header{"If-Unmodified-Since": {date(-time.Second)}}, 412, 412},
		{"of no date", bare, http.Header{"If-Unmodified-Since": {date(0)}}, 412, 412},
		{"no date given", there, http.Header{"If-Unmodified-Since": {"soon"}}, 0, 0},
		{"a tag goes before a date", there, http.Header{"If-Match": {`"a"`}, "If-Unmodified-Since": {date(-time.Hour)}}, 0, 0},
		{"modified since now", there, http.Header{"If-Modified-Since": {date(0)}}, 304, 0},
		{"modified since before", there, http.Header{"If-Modified-Since": {date(-time.Second)}}, 0, 0},
		{"a tag goes before that date", there, http.Header{"If-None-Match": {`"b"`}, "If-Modified-Since": {date(time.Hour)}}, 0, 0},
		{"both must hold", there, http.Header{"If-Match": {`"a"`}, "If-None-Match": {`"a"`}}, 304, 412},
		{"and the first is first", there, http.Header{"If-Match": {`"b"`}, "If-None-Match": {`"a"`}}, 412, 412},
	} {
		for method, want := range map[string]int{"GET": c.get, "HEAD": c.get, "PUT": c.put, "DELETE": c.put} {
			x := &Exchange{Request: httptest.NewRequest(method, "/", nil)}
			if c.header != nil {
				x.Request.Header = c.header
			}
			got, err := 0, error(nil)
			cond, err := x.conditions()
			if err == nil {
				err = cond.check(nil, c.r, "")
			}
			var e *StatusError
			if errors.As(err, &e) {
				got = e.Status
			}
			if got != want {
				t.Errorf("%s: %s: %d, want %d", c.what, method, got, want)
			}
		}
	}
}

func TestTimeout(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": lockDefault, "Infinite": lockMost, "Second-60": time.Minute, "second-60": time.Minute, "Second-0": time.Second,
		"Infinite, Second-4100000000": lockMost, "Second-99999999999999999999": lockMost, "Minute-5, Second-7": 7 * time.Second, "Second-x": lockDefault, "Second--1": lockDefault,
	} {
		if got := timeout([]string{header}); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

func TestPreferences(t *testing.T) {
	for _, c := range []struct {
		header          http.Header
		minimal, noRoot bool
	}{
		{http.Header{}, false, false},
		{http.Header{"Prefer": {"return=minimal"}}, true, false},
		{http.Header{"Prefer": {`respond-async, Return="minimal" ; foo=bar, depth-noroot`}}, true, true},
		{http.Header{"Prefer": {"wait=1", "depth-noroot"}}, false, true},
		{http.Header{"Prefer": {"return=representation"}}, false, false},
		{http.Header{"Brief": {"t"}}, true, false},
		{http.Header{"Brief": {"f"}}, false, false},
		{http.Header{"Depth": {"1,noroot"}}, false, true},
		{http.Header{"Depth": {"1"}}, false, false},
	} {
		x := &Exchange{Request: &http.Request{Header: c.header}}
		if x.prefers(preferMinimal) != c.minimal || x.prefers(preferNoRoot) != c.noRoot {
			t.Errorf("%v: %t %t", c.header, x.prefers(preferMinimal), x.prefers(preferNoRoot))
		}
	}
}

// Rights that go through privileges and back lose nothing a client has given.
func TestRights(t *testing.T) {
	for _, row := range privileges {
		if row.p == PrivReadFreeBusy || row.p == PrivReadOwn {
			continue // come with others
		}
		if !PrivilegesOf(RightsOf(row.p)).Has(row.p) {
			t.Errorf("%s is lost", row.name)
		}
	}
	if p := PrivilegesOf(RightsOf(PrivReadFreeBusy)); p.Has(PrivRead) || !p.Has(PrivReadFreeBusy|PrivReadOwn) {
		t.Errorf("free-busy gives %b", p)
	}
	if PrivilegesOf(storage.OwnerRights) != PrivAll || PrivilegesOf(storage.GroupRights)&(PrivReadACL|PrivWriteACL|PrivUnlock) != 0 {
		t.Error("owners or groups")
	}
}

func TestDate(t *testing.T) {
	for s := int64(-1 << 33); s < 1<<36; s += 86_399_999 {
		at := time.Unix(s, 0)
		if got, want := string(appendDate(nil, at)), at.UTC().Format(http.TimeFormat); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}
