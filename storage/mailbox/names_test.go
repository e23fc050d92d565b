package mailbox

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
)

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"inbox": "INBOX", "Inbox/a": "INBOX/a", "inboxes": "inboxes", "a/inbox": "a/inbox",
		"e\u0301te\u0301": "été", "Work/2026": "Work/2026", "a & b": "a & b", "🐝": "🐝", "Sharedness": "Sharedness",
		"": "", "/": "", "a//b": "", "/a": "", "a/": "", "a\nb": "", "a\x00": "", "a\u2028b": "", "a\u0085b": "", "\xff": "",
		"Shared": "", "shared/x": "", "Other Users/zoe@coop.example/x": "",
		strings.Repeat("a/", 25) + "a": "", strings.Repeat("a", 401): "",
	} {
		got, err := Canonical(in)
		if got != want || (err != nil) != (want == "") || err != nil && !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

// Subscriptions are an account's own, outlive their mailbox and follow a rename.
func TestSubscriptions(t *testing.T) {
	h := newHouse(t)
	h.update(func(tx *storage.Tx) error {
		if _, err := Create(tx, h.a, "Work/Plans", "", now); err != nil {
			return err
		}
		for _, n := range []string{"Work/Plans", "Shared/info@coop.example/INBOX", "Never"} {
			if err := Subscribe(tx, h.a, n, true); err != nil {
				return err
			}
		}
		if err := Subscribe(tx, h.a, strings.Repeat("x", 501), true); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("a long name: %v", err)
		}
		if err := Delete(tx, h.box(tx, h.a, "Junk")); err != nil {
			return err
		}
		if err := Subscribe(tx, h.a, "Sent", false); err != nil {
			return err
		}
		return Rename(tx, h.a, "Work", "Old", now)
	})
	_ = h.db.View(func(tx *storage.Tx) error {
		want := []string{"Archive", "Drafts", "INBOX", "Junk", "Never", "Old/Plans", "Shared/info@coop.example/INBOX", "Trash"}
		if got := Subscriptions(tx, h.a); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if got := Subscriptions(tx, h.b); len(got) != 6 {
			t.Errorf("another's: %q", got)
		}
		return nil
	})
	h.update(func(tx *storage.Tx) error {
		for left := true; left; {
			var err error
			if left, err = Purge(tx, h.a, 100); err != nil {
				return err
			}
		}
		if n := len(Subscriptions(tx, h.a)); n != 0 {
			t.Errorf("%d are left behind", n)
		}
		return Ensure(tx, h.a, now)
	})
}
