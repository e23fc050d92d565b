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
	for _, a := range []Action{Failed, Delayed} {
		r := Report{Action: a, From: "postmaster@mx.test", To: "zoe@coop.example", Host: "mx.test", Date: now, Arrived: now, GiveUp: now, EnvID: "e1",
			Header: []byte("Subject: hi\r\n"),
			Recipients: []Recipient{
				{Addr: "a@b.test", ORCPT: "rfc822;x@y.test", Host: "mx.b.test", Code: 550, Enhanced: "5.1.1", Text: "no\r\nInjected: yes"},
				{Addr: "é@b.test", Enhanced: "5.4.4", Text: "no host"},
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
