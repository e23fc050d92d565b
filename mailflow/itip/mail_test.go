package itip

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

const fromBoss = "ORGANIZER;CN=Boss:mailto:boss@else.example|ATTENDEE;PARTSTAT=ACCEPTED:mailto:ben@coop.example|ATTENDEE:mailto:zoe@else.example"

// Somebody elsewhere invites Ben, who answers; then changes and ends it.
func TestFromElsewhere(t *testing.T) {
	h := newHouse(t)
	h.mail("ben", "", false, mailOf("Boss <boss@else.example>", "REQUEST", times1+fromBoss))
	ben := h.read("ben", copyOf("out-1"))
	has(t, "a proposal", ben, "SUMMARY:Meeting", "PARTSTAT=NEEDS-ACTION:mailto:ben@", "!METHOD")
	h.put(204, "ben", home("ben")+copyOf("out-1"), strings.Replace(ben, "PARTSTAT=NEEDS-ACTION:mailto:ben", "PARTSTAT=ACCEPTED:mailto:ben", 1))
	if len(h.sent) != 1 || h.sent[0].from != "ben@coop.example" || h.sent[0].to != "boss@else.example" {
		t.Fatalf("sent %v", h.sent)
	}
	has(t, "the answer", h.sent[0].text, "method=REPLY", "From: \"Ben Birch\" <ben@coop.example>", "Subject: Accepted: Meeting", "multipart/alternative", "invite.ics")
	has(t, "ben", h.read("ben", copyOf("out-1")), "ORGANIZER;CN=Boss;SCHEDULE-STATUS=1.1:mailto:boss@")

	later := times1 + "SEQUENCE:1|" + fromBoss
	moved := mailOf("boss@else.example", "REQUEST", strings.ReplaceAll(later, "20270320", "20270322"))
	h.mail("ben", "", false, moved)
	has(t, "nobody vouches for it", h.read("ben", copyOf("out-1")), "DTSTART:20270320T100000Z")
	h.mail("ben", "", true, moved)
	has(t, "moved", h.read("ben", copyOf("out-1")), "DTSTART:20270322T100000Z")
	h.mail("ben", "", true, mailOf("boss@else.example", "REQUEST", times1+fromBoss))
	has(t, "an old one again", h.read("ben", copyOf("out-1")), "DTSTART:20270322T100000Z")
	h.mail("ben", "", true, mailOf("boss@else.example", "CANCEL", "SEQUENCE:2|"+times1+fromBoss))
	has(t, "off", h.read("ben", copyOf("out-1")), "STATUS:CANCELLED")
}

// A service writes in the name of its users: it may propose, and when its domain
// vouches for it change and answer.
func TestServices(t *testing.T) {
	h := newHouse(t)
	const organizer = "ORGANIZER;CN=Zoe;EMAIL=zoe@icloud.com:mailto:2_GIYDS@imip.me.com|ATTENDEE:mailto:ben@coop.example"
	h.mail("ben", "", false, mailOf("Zoe <noreply@email.apple.com>", "REQUEST", times1+organizer))
	has(t, "ben", h.read("ben", copyOf("out-1")), "PARTSTAT=NEEDS-ACTION:mailto:ben@")
	h.mail("ben", "", false, mailOf("Zoe <noreply@email.apple.com>", "CANCEL", "SEQUENCE:1|"+times1+organizer))
	has(t, "ben", h.read("ben", copyOf("out-1")), "!CANCELLED")
	h.mail("ben", "", true, mailOf("Zoe <noreply@email.apple.com>", "CANCEL", "SEQUENCE:1|"+times1+organizer))
	has(t, "ben", h.read("ben", copyOf("out-1")), "CANCELLED")

	h.put(201, "anna", home("anna")+"z.ics", event("out-1", times1+byAnna+"ATTENDEE:mailto:zoe@icloud.com"))
	reply := mailOf("Zoe <noreply@email.apple.com>", "REPLY", "ATTENDEE;PARTSTAT=DECLINED:mailto:zoe@icloud.com")
	h.mail("anna", "", false, reply)
	has(t, "anna", h.read("anna", "z.ics"), "!DECLINED")
	h.mail("anna", "", true, reply)
	has(t, "anna", h.read("anna", "z.ics"), "PARTSTAT=DECLINED")
}

// What somebody does who only says to be somebody.
func TestForged(t *testing.T) {
	h := newHouse(t)
	h.put(201, "anna", home("anna")+"m.ics", strings.ReplaceAll(event("out-1", times1+byAnna+andBen+"|ATTENDEE:mailto:zoe@else.example"), "\r\n\r\n", "\r\n"))
	before, mine := h.read("ben", copyOf("out-1")), h.read("anna", "m.ics")
	_, items := h.inbox("ben")
	for what, m := range map[string]struct {
		to, login string
		verified  bool
		text      string
	}{
		"another organizer":     {"ben", "", true, mailOf("evil@else.example", "CANCEL", "SEQUENCE:9|"+times1+byAnna+andBen)},
		"in Anna's name":        {"ben", "", true, mailOf("anna@coop.example", "CANCEL", "SEQUENCE:9|"+times1+byAnna+andBen)},
		"Cleo in Anna's name":   {"ben", "cleo", true, mailOf("anna@coop.example", "CANCEL", "SEQUENCE:9|"+times1+byAnna+andBen)},
		"the event taken over":  {"ben", "", true, mailOf("evil@else.example", "REQUEST", "SEQUENCE:9|"+times1+"ORGANIZER:mailto:evil@else.example|"+andBen)},
		"Ben answers unasked":   {"anna", "", true, mailOf("evil@else.example", "REPLY", "SEQUENCE:0|ATTENDEE;PARTSTAT=DECLINED:mailto:ben@coop.example")},
		"an answer for another": {"anna", "", true, mailOf("evil@else.example", "REPLY", "SEQUENCE:0|ATTENDEE;PARTSTAT=DECLINED:mailto:zoe@else.example")},
		"two senders":           {"anna", "", true, mailOf("zoe@else.example, evil@else.example", "REPLY", "SEQUENCE:0|ATTENDEE;PARTSTAT=DECLINED:mailto:zoe@else.example")},
		"not for Ben":           {"ben", "", true, strings.ReplaceAll(mailOf("boss@else.example", "REQUEST", times1+"ORGANIZER:mailto:boss@else.example|ATTENDEE:mailto:zoe@else.example"), "out-1", "out-2")},
		"deep":                  {"ben", "", true, mailOf("boss@else.example", "REQUEST", strings.Repeat("BEGIN:A|", 500))},
	} {
		h.mail(m.to, m.login, m.verified, m.text)
		if _, n := h.inbox("ben"); h.read("ben", copyOf("out-1")) != before || h.read("anna", "m.ics") != mine || n != items {
			t.Errorf("%s has an effect: %d items\n%s\n%s", what, n, h.read("ben", copyOf("out-1")), h.read("anna", "m.ics"))
		}
	}
	// Nor by a member, who knows the UID of what Ben has written alone.
	h.put(201, "ben", home("ben")+"own.ics", event("own", times1))
	own := h.read("ben", "own.ics")
	h.put(201, "anna", home("anna")+"own.ics", event("own", times1+byAnna+andBen))
	if has(t, "anna", h.read("anna", "own.ics"), "SCHEDULE-STATUS=5.1"); h.read("ben", "own.ics") != own {
		t.Error("Ben's own event is overwritten")
	}
	if status, _, _ := h.do("ben", "GET", home("ben")+copyOf("out-2"), ""); status != 404 {
		t.Error("an invitation for somebody else")
	}
	// A member's own program may do it by mail.
	h.mail("ben", "anna", false, mailOf("anna@coop.example", "CANCEL", "SEQUENCE:9|"+times1+byAnna+andBen))
	has(t, "ben", h.read("ben", copyOf("out-1")), "STATUS:CANCELLED")
}

// Anna invites Zoe, who is elsewhere, and her program answers in its own way.
func TestAnswersFromElsewhere(t *testing.T) {
	google := "From: Zoe <zoe@else.example>\nSender: Google Calendar <calendar-notification@google.com>\nSubject: Accepted: Meeting\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n" +
		"--a\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; charset=\"UTF-8\"; format=flowed; delsp=yes\nContent-Transfer-Encoding: base64\n\nWm9l\n--b\n" +
		"Content-Type: text/calendar; charset=\"UTF-8\"; method=REPLY\nContent-Transfer-Encoding: 7bit\n\nBEGIN:VCALENDAR\nPRODID:-//Google Inc//Google Calendar 70.9054//EN\nVERSION:2.0\nCALSCALE:GREGORIAN\nMETHOD:REPLY\n" +
		"BEGIN:VEVENT\nDTSTART:20270320T100000Z\nDTEND:20270320T110000Z\nDTSTAMP:20270315T120000Z\nORGANIZER;CN=Anna:mailto:anna@coop.example\nUID:z\n" +
		"ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Zoe;X-NUM-GUESTS=0:mailto:zoe@else.example\nX-MICROSOFT-CDO-OWNERAPPTID:-1\nCREATED:20270101T000000Z\nDESCRIPTION:\nLAST-MODIFIED:20270315T120000Z\nLOCATION:\nSEQUENCE:0\nSTATUS:CONFIRMED\nSUMMARY:Meeting\nTRANSP:OPAQUE\nEND:VEVENT\nEND:VCALENDAR\n\n--b--\n" +
		"--a\nContent-Type: application/ics; name=\"invite.ics\"\nContent-Disposition: attachment; filename=\"invite.ics\"\nContent-Transfer-Encoding: base64\n\nQkVHSU4=\n--a--\n"
	outlook := "From: \"Zoe Z.\" <Zoe@Else.example>\nSubject: Accepted: Meeting\nMIME-Version: 1.0\nX-MS-Has-Attach:\nContent-Type: multipart/alternative; boundary=\"_000_X_\"\n\n" +
		"--_000_X_\nContent-Type: text/plain; charset=\"iso-8859-1\"\n\n\n--_000_X_\nContent-Type: text/calendar; charset=\"utf-8\"; method=REPLY\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString([]byte("BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nPRODID:Microsoft Exchange Server 2010\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Romance Standard Time\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n"+
			"ATTENDEE;PARTSTAT=ACCEPTED;CN=Zoe Z.:mailto:zoe@else.example\r\nCOMMENT;LANGUAGE=en-GB:\\n\r\nUID:z\r\nSUMMARY;LANGUAGE=en-GB:Accepted: Meeting\r\nDTSTART;TZID=Romance Standard Time:20270320T110000\r\nDTEND;TZID=Romance Standard Time:20270320T120000\r\nCLASS:PUBLIC\r\nPRIORITY:5\r\nDTSTAMP:20270315T120000Z\r\nTRANSP:OPAQUE\r\nSTATUS:CONFIRMED\r\nSEQUENCE:0\r\nX-MICROSOFT-CDO-APPT-SEQUENCE:0\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")) +
		"\n--_000_X_--\n"
	apple := "From: Zoe <zoe@else.example>\nSubject: Zoe accepted\nMime-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"Apple-Mail=_A\"\n\n--Apple-Mail=_A\nContent-Transfer-Encoding: quoted-printable\nContent-Type: text/calendar;\n\tcharset=UTF-8;\n\tmethod=REPLY;\n\tname=iCal-20270315.ics\nContent-Disposition: attachment;\n\tfilename=iCal.ics\n\n" +
		"BEGIN:VCALENDAR\nCALSCALE:GREGORIAN\nMETHOD:REPLY\nPRODID:-//Apple Inc.//macOS 14.0//EN\nVERSION:2.0\nBEGIN:VEVENT\nATTENDEE;CN=3DZoe;CUTYPE=3DINDIVIDUAL;PARTSTAT=3DACCEPTED:mailto:zoe@=\nelse.example\nDTEND:20270320T110000Z\nDTSTAMP:20270315T120000Z\nDTSTART:20270320T100000Z\nORGANIZER;CN=3DAnna:mailto:anna@coop.example\nSEQUENCE:0\nSUMMARY:Meeting\nUID:z\nEND:VEVENT\nEND:VCALENDAR\n\n--Apple-Mail=_A--\n"
	for what, text := range map[string]string{"Google": google, "Outlook": outlook, "Apple": apple} {
		h := newHouse(t)
		h.put(201, "anna", home("anna")+"z.ics", event("z", times1+"LOCATION:Café|"+byAnna+andBen+"|ATTENDEE;RSVP=TRUE:mailto:zoe@else.example"))
		if len(h.sent) != 1 {
			t.Fatalf("sent %v", h.sent)
		}
		has(t, "the invitation", h.sent[0].text, "method=REQUEST", "Subject: Invitation: Meeting", "To: <zoe@else.example>", "References: <event-")
		tag := h.tag("anna", "z.ics")
		h.mail("anna", "", false, text)
		anna := h.read("anna", "z.ics")
		has(t, what, anna, "SCHEDULE-STATUS=2.0;PARTSTAT=ACCEPTED;X-ESSAIM-REPLY=0/")
		has(t, what+", Ben's copy", h.read("ben", copyOf("z")), "PARTSTAT=ACCEPTED:mailto:zoe@")
		if _, n := h.inbox("anna"); n != 1 || h.tag("anna", "z.ics") != tag {
			t.Errorf("%s: %d items", what, n)
		}
		h.mail("anna", "", false, text)
		if h.read("anna", "z.ics") != anna {
			t.Errorf("%s: twice is not once", what)
		}
	}
}

// Zoe proposes another time, asks again, and is told of the end of one instance.
func TestCounter(t *testing.T) {
	h := newHouse(t)
	h.put(201, "anna", home("anna")+"z.ics", event("out-1", times1+"RRULE:FREQ=DAILY;COUNT=3|"+byAnna+"ATTENDEE:mailto:zoe@else.example"))
	before := h.read("anna", "z.ics")
	h.mail("anna", "", true, mailOf("zoe@else.example", "COUNTER", strings.ReplaceAll(times1, "20270320", "20270327")+byAnna+"ATTENDEE:mailto:zoe@else.example"))
	item, _ := h.inbox("anna")
	has(t, "inbox", item, "METHOD:COUNTER", "20270327")
	if h.read("anna", "z.ics") != before {
		t.Error("a proposal has changed the event")
	}
	h.mail("anna", "", true, mailOf("zoe@else.example", "REFRESH", "ORGANIZER:mailto:anna@coop.example|ATTENDEE:mailto:zoe@else.example"))
	if len(h.sent) != 2 {
		t.Errorf("%d sent", len(h.sent))
	}
	h.put(204, "anna", home("anna")+"z.ics", strings.Replace(before, "RRULE", "EXDATE:20270321T100000Z\r\nRRULE", 1))
	if len(h.sent) != 3 || h.sent[2].to != "zoe@else.example" {
		t.Errorf("sent %v", h.sent)
	}
}

// The van is booked by members only, by mail as well.
func TestBookedByMail(t *testing.T) {
	h := newHouse(t)
	booked := func(uid string) (ok bool) {
		h.View(func(tx *storage.Tx) error {
			_, _, err := calendar.Find(tx, h.Accounts["van"], uid)
			ok = err == nil
			return nil
		})
		return ok
	}
	h.mail("van", "", true, mailOf("boss@else.example", "REQUEST", times1+"ORGANIZER:mailto:boss@else.example|ATTENDEE:mailto:van@coop.example"))
	if booked("out-1") {
		t.Error("booked by a stranger")
	}
	h.put(201, "anna", home("anna")+"m.ics", event("out-1", times1+"ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:anna@coop.example|ATTENDEE:mailto:van@coop.example"))
	if booked("out-1") {
		t.Error("told by the server, though the client does so")
	}
	h.mail("van", "anna", false, mailOf("anna@coop.example", "REQUEST", times1+byAnna+"ATTENDEE:mailto:van@coop.example"))
	has(t, "anna", h.read("anna", "m.ics"), "PARTSTAT=ACCEPTED;X-ESSAIM-REPLY")
	if !booked("out-1") {
		t.Error("not booked by Anna")
	}
}

// Who imports old events does not write to everybody who was there.
func TestOver(t *testing.T) {
	h := newHouse(t)
	h.put(201, "anna", home("anna")+"old.ics", event("old", strings.ReplaceAll(times1, "2027", "2024")+byAnna+andBen+"|ATTENDEE:mailto:zoe@else.example"))
	has(t, "ben", h.read("ben", copyOf("old")), "SUMMARY:Meeting")
	if len(h.sent) != 0 {
		t.Errorf("sent %v", h.sent)
	}
}

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
