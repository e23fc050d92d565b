package itip

import (
	"errors"
	"io"
	"strings"
	"testing"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// The sender's language, for people whose programs do not understand the rest.
func TestLetter(t *testing.T) {
	h := newHouse(t)
	h.Update(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, h.Accounts["anna"])
		a.Language, a.Name = "fr", "Anne \"É\" Aster"
		return errors.Join(err, accounts.Save(tx, a))
	})
	h.put(201, "anna", home("anna")+"f.ics", event("f", "DTSTART;TZID=Europe/Brussels:20270320T100000|DURATION:PT90M|SUMMARY:Réunion <b>|LOCATION:Café|DESCRIPTION:Un\\n<script>|"+byAnna+"ATTENDEE:mailto:zoe@else.example"))
	if len(h.sent) != 1 {
		t.Fatal(h.sent)
	}
	root := message.ScanBytes([]byte(h.sent[0].text))
	var texts []string
	var walk func(p *message.Part)
	walk = func(p *message.Part) {
		for _, c := range p.Children {
			walk(c)
		}
		if !p.IsMultipart() {
			b, err := io.ReadAll(p.TextReader(strings.NewReader(h.sent[0].text[p.BodyStart:p.End])))
			if err != nil {
				t.Error(err)
			}
			texts = append(texts, p.Type+"/"+p.Subtype+"\n"+strings.ReplaceAll(string(b), "\r\n ", ""))
		}
	}
	walk(root)
	if len(texts) != 4 {
		t.Fatalf("%d parts: %q", len(texts), texts)
	}
	has(t, "plain", texts[0], "text/plain", "Quand: 2027-03-20 10:00–11:30 (Europe/Brussels)", "Où: Café", "<script>")
	has(t, "html", texts[1], "text/html", "Réunion &lt;b&gt;", "!<script>")
	has(t, "calendar", texts[2], "text/calendar", "METHOD:REQUEST", "SUMMARY:Réunion <b>")
	has(t, "file", texts[3], "application/ics", "METHOD:REQUEST")
	head := message.ParseHeader(root.Header)
	for name, want := range map[string]string{"Subject": "Invitation: Réunion <b>", "From": "Anne \"É\" Aster <anna@coop.example>"} {
		if v, _ := message.Get(head, name); message.DecodeHeader(string(message.Unfold(v))) != want {
			t.Errorf("%s: %q", name, v)
		}
	}
}
