package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/message"
)

func TestReportIsWellFormed(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, a := range []Action{Failed, Delayed, Delivered, Relayed} {
		r := Report{Action: a, From: "postmaster@mx.test", To: "zoe@coop.example", Host: "mx.test", Date: now, Arrived: now, GiveUp: now, EnvID: "e1",
			Original: []byte("Subject: hi\r\n"),
			Recipients: []Recipient{
				{Addr: "a@b.test", ORCPT: "rfc822;x@y.test", Host: "mx.b.test", Code: 550, Enhanced: "5.1.1", Text: "no\r\nInjected: yes"},
				{Addr: "é@b.test", Enhanced: "5.4.4", Text: "no host"},
				{Addr: "c@b.test", Enhanced: "2.1.5"},
			}}
		b := r.Bytes()
		p := message.ScanBytes(b)
		if len(p.Children) != 3 || p.Subtype != "report" || p.Param("report-type") != "delivery-status" {
			t.Fatalf("%s: %s", a, message.AppendBodyStructure(nil, p, true))
		}
		if got := p.Children[1].Subtype; got != "global-delivery-status" {
			t.Errorf("status part is %s", got)
		}
		if bytes.Contains(b, []byte("\nInjected:")) {
			t.Error("what the other host said became a field")
		}
		if bytes.Contains(bytes.ReplaceAll(b, []byte("\r\n"), nil), []byte("\n")) {
			t.Error("a line ends in LF alone")
		}
		text := string(b)
		for _, want := range []string{"Original-Envelope-Id: e1", "Original-Recipient: rfc822;x@y.test", "Final-Recipient: utf-8; é@b.test", "Action: " + string(a), "Status: 5.1.1", "Auto-Submitted: auto-replied", "Subject: hi"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", a, want)
			}
		}
	}
}

// The original comes back as what it is, and people are told why in three
// languages.
func TestReportOriginal(t *testing.T) {
	for want, r := range map[string]Report{
		"text/rfc822-headers":    {},
		"message/rfc822":         {Whole: true},
		"message/global":         {Whole: true, UTF8: true},
		"message/global-headers": {UTF8: true},
	} {
		r.Action, r.To, r.Original = Failed, "zoe@coop.example", []byte("Subject: hi\r\n\r\nhello\r\n")
		r.Recipients = []Recipient{{Addr: "a@b.test", Host: "mx.b.test", Code: 550, Enhanced: "5.1.1", Text: "no"}}
		b := r.Bytes()
		p := message.ScanBytes(b)
		if last := p.Children[2]; last.Type+"/"+last.Subtype != want {
			t.Errorf("%s/%s, want %s", last.Type, last.Subtype, want)
		}
		for _, text := range []string{"n'existe pas", "bestaat niet", "no such address"} {
			if !bytes.Contains(b, []byte(text)) {
				t.Errorf("nobody says %q", text)
			}
		}
	}
}
