package imap

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a/b", true}, {"%", "a", true}, {"%", "a/b", false}, {"a/%", "a/b", true},
		{"a/%", "a/b/c", false}, {"a*c", "a/b/c", true}, {"a%c", "abc", true}, {"a%c", "a/c", false},
		{"inbox", "INBOX", true}, {"InBox/%", "INBOX/x", true}, {"inboxes", "INBOXes", false},
		{"%/%", "a/b", true}, {"", "a", false}, {"*%*%*%*", "abc", true}, {"In*", "INBOX", false},
	} {
		if got := match(c.pattern, c.name); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

// Many wildcards must not blow up.
func TestMatchCost(t *testing.T) {
	start := time.Now()
	match(strings.Repeat("*%", 200)+"b", strings.Repeat("a", 500))
	if d := time.Since(start); d > 100*time.Millisecond {
		t.Error(d)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("a*%b", "axb")
	f.Fuzz(func(t *testing.T, p, n string) { match(p, n) })
}

func TestRanges(t *testing.T) {
	r := func(s string) (out []storage.Range) {
		for _, f := range strings.Fields(s) {
			var a, b int
			fmt.Sscanf(f, "%d-%d", &a, &b)
			out = append(out, storage.Range{From: storage.ItemID(a), To: storage.ItemID(b)})
		}
		return out
	}
	for _, c := range []struct{ a, b, minus, both string }{
		{"1-10", "3-4 6-6", "1-2 5-5 7-10", "3-4 6-6"},
		{"1-10", "", "1-10", ""},
		{"1-3 5-9", "1-9", "", "1-3 5-9"},
		{"5-9", "1-5 9-20", "6-8", "5-5 9-9"},
		{"1-2 4-5 7-8", "2-7", "1-1 8-8", "2-2 4-5 7-7"},
		{"4294967290-4294967295", "4294967295-4294967295", "4294967290-4294967294", "4294967295-4294967295"},
	} {
		if got := missing(r(c.a), r(c.b)); fmt.Sprint(got) != fmt.Sprint(r(c.minus)) {
			t.Errorf("%s minus %s: %v", c.a, c.b, got)
		}
		if got := intersect(r(c.a), r(c.b)); fmt.Sprint(got) != fmt.Sprint(r(c.both)) {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

func TestResolve(t *testing.T) {
	h := newHouse(t)
	for range 10 {
		h.deliver(t, "INBOX", hello)
	}
	h.expunge(t, 3, 4)
	var m selected
	must(t, h.db.View(func(tx *storage.Tx) error {
		b, err := mailbox.Open(tx, h.zoe, "INBOX")
		m.id = b.ID
		return err
	}))
	v, err := mailbox.NewViews(0).Get(h.db, m.id)
	must(t, err)
	m.view, m.saved = v, []storage.Range{{From: 2, To: 5}}
	for _, c := range []struct {
		set  imapwire.Set
		uid  bool
		want string
	}{
		{imapwire.Set{Spans: []imapwire.Span{{From: 1, To: 3}}}, false, "[{1 2} {5 5}]"},
		{imapwire.Set{Spans: []imapwire.Span{{From: 0, To: 0}}}, false, "[{10 10}]"},
		{imapwire.Set{Spans: []imapwire.Span{{From: 900, To: 0}}}, true, "[{10 10}]"},
		{imapwire.Set{Spans: []imapwire.Span{{From: 5, To: 1}, {From: 2, To: 3}}}, true, "[{1 2} {5 5}]"},
		{imapwire.Set{Spans: []imapwire.Span{{From: 3, To: 4}}}, true, "[]"},
		{imapwire.Set{Saved: true}, false, "[{2 2} {5 5}]"},
	} {
		got, err := m.resolve(c.set, c.uid)
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%v: %v %v", c.set, got, err)
		}
	}
	if _, err := m.resolve(imapwire.Set{Spans: []imapwire.Span{{From: 9, To: 9}}}, false); refusalOf(err) == nil || refusalOf(err).status != "BAD" {
		t.Error(err)
	}
}
