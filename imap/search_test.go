package imap

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"essaim.coop/essaim/format/message/messagetest"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/mailbox"
)

// texts are what a search sees of zoe's INBOX, header and body apart.
func (h *house) texts(t *testing.T) (header, body [][]byte) {
	t.Helper()
	var rows []mailbox.Cold
	must(t, h.db.View(func(tx *storage.Tx) error {
		box, err := mailbox.Open(tx, h.zoe, "INBOX")
		if err != nil {
			return err
		}
		mailbox.Scan(tx, box, 1, ^storage.ItemID(0), func(m mailbox.Message) bool {
			var c mailbox.Cold
			must(t, c.Read(tx, m.Body, mailbox.JustPrefix))
			rows = append(rows, c)
			return true
		})
		return nil
	}))
	for _, c := range rows {
		b, err := mailbox.OpenBody(h.db, c.Prefix(), c.Blob)
		must(t, err)
		var texts [2][]byte
		must(t, b.Text(0, func(piece []byte, top bool) bool {
			i := 1
			if top {
				i = 0
			}
			texts[i] = append(append(texts[i], piece...), '\n')
			return true
		}))
		must(t, b.Close())
		header, body = append(header, texts[0]), append(body, texts[1])
	}
	return header, body
}

// A search finds every message with the text as a substring and no other, the
// first time, when it makes the signatures, and later, when it hardly reads a
// message in vain.
func TestSearchTexts(t *testing.T) {
	h := newHouse(t)
	const n = 6 * messagetest.Shapes
	for i := range n {
		h.deliver(t, "INBOX", strings.ReplaceAll(string(messagetest.Message(i)), "\r\n", "\n"))
	}
	header, body := h.texts(t)
	p := h.in(t, "INBOX")
	words := []string{"budget", "RÉUNION", "caf", "ÉTÉ", "a", "uerdo", "enezim", "garden and", "facture 2026.pdf", "smime.p7m", "BEGIN:VCALENDAR",
		"font", "zoe", "attachment", "Zoé Lambert", "5.1.1", "\uff5e", "margin:0"}
	for round := range 3 {
		for _, w := range words {
			needle := mailbox.Fold(nil, []byte(w))
			for key, in := range map[string]func(i int) bool{
				"BODY":     func(i int) bool { return bytes.Contains(body[i], needle) },
				"TEXT":     func(i int) bool { return bytes.Contains(body[i], needle) || bytes.Contains(header[i], needle) },
				"NOT BODY": func(i int) bool { return !bytes.Contains(body[i], needle) },
				"1:50 TEXT": func(i int) bool {
					return i < 50 && (bytes.Contains(body[i], needle) || bytes.Contains(header[i], needle))
				},
			} {
				want := "* SEARCH"
				for i := range n {
					if in(i) {
						want += fmt.Sprint(" ", i+1)
					}
				}
				got := p.ok(fmt.Sprintf("UID SEARCH CHARSET UTF-8 %s {%d+}\r\n%s", key, len(w), w))
				if len(got) == 0 || got[0] != want {
					t.Errorf("round %d, %s %q:\n got %q\nwant %q", round, key, w, got, want)
				}
			}
		}
	}
	before := h.srv.Counters.SearchReads.Load()
	p.ok(`UID SEARCH TEXT "pneumatique"`)
	p.ok(`UID SEARCH HEADER X-Unheard-Of "pneumatique"`)
	if reads := h.srv.Counters.SearchReads.Load() - before; reads > 3 {
		t.Errorf("%d messages read for a word that is nowhere", reads)
	}
}

// A search that takes long says so, and ends when its client has gone.
func TestALongSearchSpeaks(t *testing.T) {
	old := searchSilence
	searchSilence = 0
	t.Cleanup(func() { searchSilence = old })
	h := newHouse(t)
	h.deliver(t, "INBOX", hello)
	p := h.in(t, "INBOX")
	if got := p.ok("SEARCH BODY hello"); len(got) != 2 || got[0] != "* OK still searching" || got[1] != "* SEARCH 1" {
		t.Errorf("%q", got)
	}
}
