package imap

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// When a message came, by itself (WITHIN) and into its mailbox (SAVEDATE).
func TestDates(t *testing.T) {
	h := newHouse(t)
	h.deliver(t, "INBOX", hello) // of the house's now, which is past
	p := h.in(t, "INBOX")
	p.ok("APPEND INBOX {3+}\r\nabc")
	saved := now.Format("2-Jan-2006")
	age := int(time.Since(now).Seconds())
	for key, want := range map[string]string{
		"OLDER 3600": "1", "YOUNGER 3600": "2", fmt.Sprintf("OLDER %d", age+7200): "", fmt.Sprintf("YOUNGER %d", age+7200): "1 2",
		"SAVEDON " + saved: "1", "SAVEDBEFORE " + saved: "", "SAVEDSINCE " + saved: "1 2", "SAVEDATESUPPORTED": "1 2", "NOT SAVEDON " + saved: "2",
	} {
		if got := p.ok("UID SEARCH " + key); got[0] != strings.TrimRight("* SEARCH "+want, " ") {
			t.Errorf("%s: %q", key, got)
		}
	}
	if got := p.ok("FETCH 1 SAVEDATE"); got[0] != `* 1 FETCH (SAVEDATE "`+now.UTC().Format("_2-Jan-2006 15:04:05 -0700")+`")` {
		t.Error(got)
	}
	for _, bad := range []string{"OLDER 0", "YOUNGER x", "OLDER"} {
		if _, l := p.cmd("b", "SEARCH "+bad); !strings.HasPrefix(l, "b BAD") {
			t.Error(bad, l)
		}
	}
	// a copy is saved when it is made, and came when the message did
	later := now.Add(48 * time.Hour)
	must(t, h.db.Update(func(tx *storage.Tx) error {
		from, err := mailbox.Open(tx, h.zoe, "INBOX")
		if err != nil {
			return err
		}
		to, err := mailbox.Open(tx, h.zoe, "Archive")
		if err == nil {
			_, err = mailbox.Copy(tx, from, to, []storage.Range{{From: 1, To: 1}}, mailbox.AllFlags, later)
		}
		return err
	}))
	p.ok("SELECT Archive")
	if got := p.ok("UID SEARCH SAVEDON " + later.Format("2-Jan-2006") + " ON " + saved); got[0] != "* SEARCH 1" {
		t.Error(got)
	}
}
