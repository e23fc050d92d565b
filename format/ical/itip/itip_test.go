package itip

import (
	"errors"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/ical"
)

const (
	anna = "anna@coop.example"
	ben  = "ben@coop.example"
	cleo = "cleo@else.example"
)

var start = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

func at(minute int) Sender { return Sender{start.Add(time.Duration(minute) * time.Minute)} }

// object makes an event of lines separated by "|"; a second component after "||".
func object(t testing.TB, comps string) *ical.Object {
	t.Helper()
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n")
	for c := range strings.SplitSeq(comps, "||") {
		b.WriteString("BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20270101T000000Z\r\n" + strings.ReplaceAll(c, "|", "\r\n") + "\r\nEND:VEVENT\r\n")
	}
	return parse(t, []byte(b.String()+"END:VCALENDAR\r\n"))
}

func parse(t testing.TB, b []byte) *ical.Object {
	t.Helper()
	cal, err := ical.Parse(b)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	o, err := cal.Object()
	if err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	return o
}

func message(t testing.TB, b []byte) *Message {
	t.Helper()
	m, err := Read(b)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	return m
}

// apply gives what a message makes of an object, which is the object itself when
// nothing changes.
func apply(t testing.TB, o *ical.Object, b []byte, me string, want Action) *ical.Object {
	t.Helper()
	r, err := Apply(o, message(t, b), me, "")
	if err != nil || r.Action != want {
		t.Fatalf("action %d, want %d, %v of\n%s", r.Action, want, err, b)
	}
	if r.Text == nil {
		return o
	}
	n := parse(t, r.Text)
	if n.Method() != "" {
		t.Errorf("it is kept with a METHOD")
	}
	return n
}

func has(t testing.TB, o *ical.Object, texts ...string) {
	t.Helper()
	src := strings.ReplaceAll(o.Source(), "\r\n ", "")
	for _, s := range texts {
		not, absent := strings.CutPrefix(s, "!")
		if strings.Contains(src, not) == absent {
			t.Errorf("want %q in\n%s", s, o.Source())
		}
	}
}

func with(t testing.TB, o *ical.Object, old, new string) *ical.Object {
	t.Helper()
	if !strings.Contains(o.Source(), old) {
		t.Fatalf("no %q in\n%s", old, o.Source())
	}
	return parse(t, []byte(strings.Replace(o.Source(), old, new, 1)))
}

func answered(t testing.TB, o *ical.Object, who, stat string) *ical.Object {
	t.Helper()
	p := o.Edit()
	for _, c := range o.Parts {
		if a := attendee(c, who); a != nil {
			p.Replace(a, a.With("PARTSTAT", stat))
		}
	}
	return parse(t, p.Apply())
}

const invited2 = "ORGANIZER;CN=Anna:mailto:Anna@coop.example|ATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@coop.example|" +
	"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;SCHEDULE-STATUS=1.2:MAILTO:ben@coop.example|ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:cleo@else.example"

func meeting(t testing.TB) *ical.Object {
	return object(t, "DTSTART:20270310T100000Z|DTEND:20270310T110000Z|SEQUENCE:1|SUMMARY:Meeting|X-ROOM:big|"+invited2+"|BEGIN:VALARM|TRIGGER:-PT5M|ACTION:DISPLAY|DESCRIPTION:hers|END:VALARM")
}

func series(t testing.TB) *ical.Object {
	return object(t, "DTSTART;TZID=Europe/Brussels:20270303T100000|DURATION:PT1H|RRULE:FREQ=WEEKLY|SEQUENCE:1|SUMMARY:Weekly|"+invited2)
}

func TestInvitationAndAnswer(t *testing.T) {
	hers := meeting(t)
	out := at(1).Organized(nil, hers, anna)
	if len(out) != 2 || out[0].To != ben || out[1].To != cleo || out[0].Method != Request {
		t.Fatalf("%+v", out)
	}
	his := apply(t, nil, out[0].Text, ben, Stored)
	has(t, his, "X-ROOM:big", "SEQUENCE:1", "!VALARM", "!SCHEDULE-STATUS", "!METHOD")
	apply(t, his, out[0].Text, ben, Ignored) // twice

	with1 := with(t, his, "END:VEVENT", "BEGIN:VALARM\r\nTRIGGER:-PT1H\r\nACTION:DISPLAY\r\nDESCRIPTION:his\r\nEND:VALARM\r\nEND:VEVENT")
	accepted := answered(t, with1, ben, "ACCEPTED")
	reply := at(2).Attended(his, accepted, ben)
	if reply == nil || reply.To != anna || reply.Method != Reply || strings.Contains(string(reply.Text), "cleo") || strings.Contains(string(reply.Text), "VALARM") {
		t.Fatalf("%+v", reply)
	}
	if at(3).Attended(accepted, with(t, accepted, "his", "mine"), ben) != nil {
		t.Error("an alarm is answered")
	}
	told := apply(t, hers, reply.Text, anna, Stored)
	has(t, told, "PARTSTAT=ACCEPTED", "SCHEDULE-STATUS=2.0", "X-ROOM:big", "hers")
	apply(t, told, reply.Text, anna, Ignored) // twice
	before, after := strings.Split(hers.Source(), "\r\n"), strings.Split(strings.ReplaceAll(told.Source(), "\r\n ", ""), "\r\n")
	for i := range before {
		if before[i] != after[i] && !strings.Contains(before[i], "ben@") {
			t.Errorf("line %q became %q", before[i], after[i])
		}
	}
	if at(4).Organized(hers, told, anna) != nil {
		t.Error("an answer invites everybody again")
	}

	declined := at(5).Attended(accepted, answered(t, accepted, ben, "DECLINED"), ben)
	late := apply(t, told, declined.Text, anna, Stored)
	apply(t, late, reply.Text, anna, Ignored) // out of order
	has(t, late, "PARTSTAT=DECLINED")

	// She moves it: everybody is asked again, his alarm stays, old news is ignored.
	moved := with(t, late, "DTEND:20270310T110000Z", "DTEND:20270310T120000Z")
	text, err := Organize(late, moved, nil)
	if err != nil {
		t.Fatal(err)
	}
	revised := parse(t, text)
	has(t, revised, "SEQUENCE:2")
	if text, err := Organize(late, revised, nil); text != nil || err != nil {
		t.Errorf("SEQUENCE is raised twice: %v\n%s", err, text)
	}
	out = at(6).Organized(late, revised, anna)
	if len(out) != 2 {
		t.Fatalf("%+v", out)
	}
	his2 := apply(t, accepted, out[0].Text, ben, Stored)
	has(t, his2, "T120000Z", "his", "!hers")
	apply(t, his2, at(7).Request(hers, ben), ben, Ignored)
	apply(t, revised, reply.Text, anna, Ignored) // of the old time
}

// An answer that was given holds where only the words have changed.
func TestAnswerStaysWhenTimesDo(t *testing.T) {
	hers := meeting(t)
	his := answered(t, apply(t, nil, at(1).Request(hers, ben), ben, Stored), ben, "TENTATIVE")
	his = apply(t, his, at(2).Request(with(t, hers, "SUMMARY:Meeting", "SUMMARY:Other"), ben), ben, Stored)
	has(t, his, "SUMMARY:Other", "PARTSTAT=TENTATIVE")
	his = apply(t, his, at(3).Request(with(t, hers, "DTEND:20270310T110000Z", "DTEND:20270310T130000Z"), ben), ben, Stored)
	has(t, his, "T130000Z", "!TENTATIVE")
}

func TestWhoIsTold(t *testing.T) {
	o := meeting(t)
	without := with(t, o, "ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:cleo@else.example\r\n", "")
	out := at(1).Organized(o, without, anna)
	if len(out) != 2 || out[0].To != cleo || out[0].Method != Cancel || out[1].To != ben || out[1].Method != Request {
		t.Errorf("taken out: %+v", out)
	}
	if out := at(1).Organized(o, nil, anna); len(out) != 2 || out[0].Method != Cancel {
		t.Errorf("removed: %+v", out)
	}
	if out := at(1).Organized(o, with(t, o, "hers", "other"), anna); out != nil {
		t.Errorf("an alarm is told: %+v", out)
	}
	if out := at(1).Organized(nil, with(t, o, "RSVP=TRUE;SCHEDULE-STATUS=1.2", "SCHEDULE-AGENT=CLIENT"), anna); len(out) != 1 || out[0].To != cleo {
		t.Errorf("SCHEDULE-AGENT: %+v", out)
	}
	if out := at(1).Organized(o, with(t, o, "SCHEDULE-STATUS=1.2", "SCHEDULE-FORCE-SEND=REQUEST"), anna); len(out) != 1 || out[0].To != ben || strings.Contains(string(out[0].Text), "FORCE") {
		t.Errorf("SCHEDULE-FORCE-SEND: %+v", out)
	}
	his := apply(t, nil, at(1).Request(o, ben), ben, Stored)
	gone := at(2).Attended(his, nil, ben)
	if gone == nil {
		t.Fatal("nothing is said of an event that was thrown away")
	}
	has(t, apply(t, o, gone.Text, anna, Stored), "PARTSTAT=DECLINED")
}

func TestInstances(t *testing.T) {
	hers := series(t)
	his := apply(t, nil, at(1).Request(hers, ben), ben, Stored)
	// He declines one by a component, and throws away another.
	one := with(t, his, "END:VCALENDAR", "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20270101T000000Z\r\nRECURRENCE-ID;TZID=Europe/Brussels:20270310T100000\r\nDTSTART;TZID=Europe/Brussels:20270310T100000\r\nORGANIZER:mailto:anna@coop.example\r\n"+
		"SEQUENCE:1\r\nATTENDEE;PARTSTAT=DECLINED:mailto:ben@coop.example\r\nEND:VEVENT\r\nEND:VCALENDAR")
	one = with(t, one, "RRULE:FREQ=WEEKLY\r\n", "RRULE:FREQ=WEEKLY\r\nEXDATE;TZID=Europe/Brussels:20270317T100000\r\n")
	reply := at(2).Attended(his, one, ben)
	if reply == nil || strings.Count(string(reply.Text), "BEGIN:VEVENT") != 2 {
		t.Fatalf("%+v", reply)
	}
	told := apply(t, hers, reply.Text, anna, Stored)
	if len(told.Parts) != 3 || strings.Count(told.Source(), "PARTSTAT=DECLINED") != 2 {
		t.Errorf("two instances declined:\n%s", told.Source())
	}
	has(t, told, "RECURRENCE-ID;TZID=Europe/Brussels:20270310T100000", "RECURRENCE-ID;TZID=Europe/Brussels:20270317T100000", "DTSTART;TZID=Europe/Brussels:20270317T100000")
	// An answer to what is no instance changes nothing.
	wrong := strings.ReplaceAll(string(reply.Text), "T100000", "T110000")
	apply(t, hers, []byte(wrong), anna, Ignored)

	// She cancels one, in UTC, then all from one on, then everything.
	march10, _ := ical.ParseStamp("20270310T090000Z", "")
	cancel := at(3).Cancel(hers, ben, march10)
	his = apply(t, his, cancel, ben, Stored)
	has(t, his, "EXDATE;TZID=Europe/Brussels:20270310T100000")
	later := strings.Replace(string(cancel), "RECURRENCE-ID:20270310", "RECURRENCE-ID;RANGE=THISANDFUTURE:20270324", 1)
	his = apply(t, his, []byte(later), ben, Stored)
	has(t, his, "RRULE:FREQ=WEEKLY;UNTIL=20270324T085959Z")
	his = apply(t, his, at(4).Cancel(hers, ben), ben, Cancelled)
	has(t, his, "STATUS:CANCELLED", "SEQUENCE:2")
	apply(t, his, at(5).Request(hers, ben), ben, Ignored)
	apply(t, nil, at(5).Cancel(hers, ben), ben, Ignored)
}

// Who is invited to some instances only gets those.
func TestPartlyInvited(t *testing.T) {
	o := object(t, "DTSTART:20270303T100000Z|RRULE:FREQ=WEEKLY|ORGANIZER:mailto:anna@coop.example|ATTENDEE:mailto:ben@coop.example"+
		"||RECURRENCE-ID:20270310T100000Z|DTSTART:20270310T110000Z|ORGANIZER:mailto:anna@coop.example|ATTENDEE:mailto:cleo@else.example")
	bens := apply(t, nil, at(1).Request(o, ben), ben, Stored)
	has(t, bens, "EXDATE:20270310T100000Z", "!T110000Z")
	cleos := apply(t, nil, at(1).Request(o, cleo), cleo, Stored)
	has(t, cleos, "!RRULE", "RECURRENCE-ID:20270310T100000Z")
	// Exceptions stay when the series is sent again without them.
	his := parse(t, []byte(strings.Replace(o.Source(), "cleo@else", "ben@coop", 1)))
	his = apply(t, his, at(2).Request(object(t, "DTSTART:20270303T100000Z|RRULE:FREQ=WEEKLY|SUMMARY:new|ORGANIZER:mailto:anna@coop.example|ATTENDEE:mailto:ben@coop.example.com|ATTENDEE:mailto:ben@coop.example"), ben), ben, Stored)
	has(t, his, "SUMMARY:new", "T110000Z")
	his = apply(t, his, at(3).Request(object(t, "DTSTART:20270304T100000Z|RRULE:FREQ=WEEKLY|SEQUENCE:1|ORGANIZER:mailto:anna@coop.example|ATTENDEE:mailto:ben@coop.example"), ben), ben, Stored)
	has(t, his, "!T110000Z")
	// One exception alone is put beside what is there.
	his = apply(t, his, at(4).Request(object(t, "RECURRENCE-ID:20270311T100000Z|DTSTART:20270311T150000Z|SEQUENCE:1|ORGANIZER:mailto:anna@coop.example|ATTENDEE:mailto:ben@coop.example"), ben), ben, Stored)
	has(t, his, "T150000Z", "RRULE")
}

func TestAdd(t *testing.T) {
	hers := series(t)
	his := apply(t, nil, at(1).Request(hers, ben), ben, Stored)
	more := with(t, hers, "END:VCALENDAR", "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20270101T000000Z\r\nRECURRENCE-ID:20270305T120000Z\r\nDTSTART:20270305T120000Z\r\nSEQUENCE:2\r\nSUMMARY:extra\r\nORGANIZER:mailto:anna@coop.example\r\nATTENDEE:mailto:ben@coop.example\r\nEND:VEVENT\r\nEND:VCALENDAR")
	add := at(2).Add(more, more.Parts[1])
	his = apply(t, his, add, ben, Stored)
	has(t, his, "RDATE;TZID=Europe/Brussels:20270305T130000", "RECURRENCE-ID;TZID=Europe/Brussels:20270305T130000", "SUMMARY:extra")
	apply(t, his, add, ben, Ignored)
	apply(t, nil, add, ben, Unknown)
	r, err := Apply(hers, message(t, at(3).Refresh(message(t, add), ben)), anna, "")
	if err != nil || r.Action != Asked || r.Attendee != ben {
		t.Errorf("%+v %v", r, err)
	}
}

func TestCounter(t *testing.T) {
	hers := meeting(t)
	his := apply(t, nil, at(1).Request(hers, ben), ben, Stored)
	counter := at(2).Counter(with(t, his, "DTEND:20270310T110000Z", "DTEND:20270310T143000Z"), ben)
	m := message(t, counter)
	r, err := Apply(hers, m, anna, ben)
	if err != nil || r.Action != Proposed || r.Attendee != ben || r.Text != nil {
		t.Errorf("%+v %v", r, err)
	}
	r, err = Apply(his, message(t, at(3).DeclineCounter(m)), ben, anna)
	if err != nil || r.Action != Declined {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := Apply(hers, m, anna, "eve@else.example"); !errors.Is(err, ErrParty) {
		t.Errorf("of several attendees none is the sender: %v", err)
	}
}

// Answers of programs that say little, or of others than were invited.
func TestOddAnswers(t *testing.T) {
	hers := meeting(t)
	outlook := "BEGIN:VCALENDAR\nMETHOD:REPLY\nBEGIN:VEVENT\nUID:1\nATTENDEE;PARTSTAT=ACCEPTED:MAILTO:Ben@coop.example\nEND:VEVENT\nEND:VCALENDAR\n"
	has(t, apply(t, hers, []byte(outlook), anna, Stored), "PARTSTAT=ACCEPTED;", "!ACCEPTED:MAILTO:Ben")
	apply(t, hers, []byte(strings.Replace(outlook, "Ben@", "eve@", 1)), anna, Uninvited)
	apply(t, nil, []byte(outlook), anna, Ignored)
	delegated := apply(t, hers, []byte(strings.Replace(outlook, "PARTSTAT=ACCEPTED", `PARTSTAT=DELEGATED;DELEGATED-TO="mailto:dan@coop.example"`, 1)), anna, Stored)
	has(t, delegated, `DELEGATED-TO="mailto:dan@coop.example"`, `DELEGATED-FROM="MAILTO:Ben@coop.example":mailto:dan@coop.example`)
	if _, err := Apply(hers, message(t, []byte(outlook)), ben, ""); !errors.Is(err, ErrParty) {
		t.Errorf("an answer that reaches an attendee: %v", err)
	}
}

func TestImpostors(t *testing.T) {
	hers := meeting(t)
	his := apply(t, nil, at(1).Request(hers, ben), ben, Stored)
	evil := strings.ReplaceAll(string(at(2).Request(with(t, hers, "SEQUENCE:1", "SEQUENCE:9"), ben)), "Anna@coop.example", "eve@else.example")
	for _, text := range []string{evil, strings.Replace(evil, "METHOD:REQUEST", "METHOD:CANCEL", 1), strings.Replace(evil, "METHOD:REQUEST", "METHOD:ADD", 1)} {
		if r, err := Apply(his, message(t, []byte(text)), ben, "eve@else.example"); !errors.Is(err, ErrParty) || r.Text != nil {
			t.Errorf("%+v %v", r, err)
		}
	}
	if _, err := Apply(hers, message(t, at(3).Request(hers, ben)), anna, ""); !errors.Is(err, ErrParty) {
		t.Errorf("one's own invitation: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	good := string(at(1).Request(meeting(t), ben))
	for name, text := range map[string]string{
		"no method":  strings.Replace(good, "METHOD:REQUEST\r\n", "", 1),
		"publish":    strings.Replace(good, "METHOD:REQUEST", "METHOD:PUBLISH", 1),
		"journal":    strings.ReplaceAll(good, "VEVENT", "VJOURNAL"),
		"no uid":     strings.Replace(good, "UID:1\r\n", "", 1),
		"no host":    strings.Replace(good, "ORGANIZER", "X-ORGANIZER", 1),
		"no one":     strings.ReplaceAll(strings.Replace(good, "METHOD:REQUEST", "METHOD:REPLY", 1), "\r\nATTENDEE", "\r\nX-ATTENDEE"),
		"broken":     good[:len(good)-20],
		"same twice": strings.Replace(good, "BEGIN:VEVENT", "BEGIN:VEVENT\r\nUID:1\r\nORGANIZER:mailto:anna@coop.example\r\nEND:VEVENT\r\nBEGIN:VEVENT", 1),
	} {
		if _, err := Read([]byte(text)); !errors.Is(err, ErrMethod) && !errors.Is(err, ical.ErrSyntax) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzApply(f *testing.F) {
	for _, o := range []*ical.Object{meeting(f), series(f)} {
		f.Add([]byte(o.Source()), at(1).Request(o, ben), ben)
		f.Add([]byte(o.Source()), at(1).Reply(o, ben), anna)
		f.Add([]byte(o.Source()), at(1).Cancel(o, ben), ben)
	}
	f.Fuzz(func(t *testing.T, object, text []byte, me string) {
		m, err := Read(text)
		if err != nil {
			return
		}
		var o *ical.Object
		if cal, err := ical.Parse(object); err == nil {
			o, _ = cal.Object()
		}
		r, err := Apply(o, m, me, me)
		if err != nil || r.Text == nil {
			return
		}
		n := parse(t, r.Text)
		if o != nil {
			at(1).Organized(o, n, me)
			at(1).Attended(o, n, me)
			if _, err := Organize(o, n, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Which changes of a series ask everybody again (RFC 6638 §3.2.8), and that each of
// them raises SEQUENCE (RFC 5546 §2.1.4).
func TestReinvites(t *testing.T) {
	const who = "|ORGANIZER:mailto:anna@coop.example|ATTENDEE;PARTSTAT=ACCEPTED:mailto:ben@coop.example"
	const from = "DTSTART:20270303T100000Z|DURATION:PT1H"
	for _, c := range []struct {
		was, is string
		anew    bool
	}{
		{from, "DTSTART:20270303T110000Z|DURATION:PT1H", true},
		{from, "DTSTART:20270303T100000Z|DURATION:PT2H", true},
		{from, from + "|STATUS:CONFIRMED", false},
		{from, from + "|RRULE:FREQ=WEEKLY", true},
		{from, from + "|RRULE:FREQ=WEEKLY;COUNT=2", true},
		{from, from + "|RDATE:20270304T100000Z", true},
		{from + "|RRULE:FREQ=WEEKLY", from, false},
		{from + "|RRULE:FREQ=WEEKLY", from + "|RRULE:FREQ=DAILY", true},
		{from + "|RRULE:FREQ=WEEKLY", from + "|RRULE:FREQ=WEEKLY;COUNT=5", false},
		{from + "|RRULE:FREQ=WEEKLY", from + "|RRULE:FREQ=WEEKLY;UNTIL=20270401T000000Z", false},
		{from + "|RRULE:FREQ=WEEKLY", from + "|RRULE:FREQ=WEEKLY;BYDAY=WE,TH;COUNT=5", true},
		{from + "|RRULE:FREQ=WEEKLY", from + "|RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=5", false},
		{from + "|RRULE:FREQ=WEEKLY;COUNT=5", from + "|RRULE:FREQ=WEEKLY;COUNT=6", true},
		{from + "|RRULE:FREQ=WEEKLY;COUNT=5", from + "|RRULE:FREQ=WEEKLY;UNTIL=20270324T100000Z", false},
		{from + "|RRULE:FREQ=WEEKLY;COUNT=5", from + "|RRULE:FREQ=WEEKLY", true},
		{from + "|RRULE:FREQ=SECONDLY;COUNT=5000", from + "|RRULE:FREQ=SECONDLY;COUNT=20000", true},
		{from + "|RRULE:FREQ=WEEKLY", from + "|RRULE:FREQ=WEEKLY|EXDATE:20270310T100000Z", false},
		{from + "|RRULE:FREQ=WEEKLY|EXDATE:20270310T100000Z", from + "|RRULE:FREQ=WEEKLY", true},
		{from + "|RRULE:FREQ=WEEKLY|EXDATE:20270310T100000Z", from + "|RRULE:FREQ=WEEKLY|EXDATE:20270310T100000Z,20270317T100000Z", false},
		{from + "|RRULE:FREQ=WEEKLY|RDATE:20270304T100000Z", from + "|RRULE:FREQ=WEEKLY", false},
		{from + "|RRULE:FREQ=WEEKLY|RDATE:20270304T100000Z", from + "|RRULE:FREQ=WEEKLY|RDATE:20270305T100000Z", true},
	} {
		text, err := Organize(object(t, c.was+who), object(t, c.is+who), nil)
		if err != nil || !strings.Contains(string(text), "SEQUENCE:1") || strings.Contains(string(text), "NEEDS-ACTION") != c.anew {
			t.Errorf("%s, then %s: %v\n%s", c.was, c.is, err, text)
		}
	}
}
