package calendar

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/recur"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
	"essaim.coop/essaim/storage/storagetest"
)

var now = time.Unix(1_800_000_000, 0)

type house struct {
	*storagetest.Store
	t    testing.TB
	a, b storage.AccountID
}

func newHouse(t testing.TB) *house { return furnish(t, storagetest.Open(t, resource.Check, Check)) }

func furnish(t testing.TB, s *storagetest.Store) *house {
	h := &house{Store: s, t: t}
	h.Must(func(tx *storage.Tx) error {
		h.a, h.b = tx.CreateAccount(tx.CreateHousehold(0)), tx.CreateAccount(tx.CreateHousehold(3000))
		return errors.Join(Ensure(tx, h.a, now), Ensure(tx, h.b, now), Ensure(tx, h.a, now))
	})
	return h
}

func (h *house) prepare(text string) *Incoming {
	h.t.Helper()
	in, err := Prepare(h.Body(text))
	if err != nil {
		h.t.Fatal(err, text)
	}
	return in
}

func (h *house) put(a storage.AccountID, name, text string) (o Object, err error) {
	in := h.prepare(text)
	err = h.Update(func(tx *storage.Tx) error {
		o, err = Put(tx, h.calendar(tx, a), name, in, Client, now)
		return err
	})
	return o, err
}

func (h *house) calendar(tx *storage.Tx, a storage.AccountID) Calendar {
	c, err := Open(tx, a, DefaultCalendar)
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// object makes a calendar object of lines separated by "|".
func object(uid, lines string) string {
	kind := "VEVENT"
	if k, rest, ok := strings.Cut(lines, "/"); ok && TypeOf(k) != 0 {
		kind, lines = k, rest
	}
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:" + kind + "\r\nUID:" + uid + "\r\n" + strings.ReplaceAll(lines, "|", "\r\n") + "\r\nEND:" + kind + "\r\nEND:VCALENDAR\r\n"
}

func TestBytesComeBack(t *testing.T) {
	h := newHouse(t)
	for i, text := range []string{object("1", "DTSTART:20260101T100000Z|SUMMARY:fo\r\n lded"), "\ufeff" + object("2", "DTSTART:20260101"), strings.ReplaceAll(object("3", "DTSTART:20260101"), "\r", "")} {
		o, err := h.put(h.a, fmt.Sprint(i), text)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := o.Read(h.DB); err != nil || string(b) != text || o.Size != int64(len(text)) {
			t.Errorf("%v: %q", err, b)
		}
	}
}

func TestRefused(t *testing.T) {
	h := newHouse(t)
	for text, want := range map[string]error{
		"":                             ical.ErrSyntax,
		"BEGIN:VCARD\r\nEND:VCARD\r\n": ical.ErrSyntax,
		object("", "DTSTART:20260101"): ical.ErrObject,
		object("1", "SUMMARY:x"):       ical.ErrSyntax,
		object("1", "DTSTART:20260101|RRULE:FREQ="):                                 ical.ErrSyntax,
		object("1", "DTSTART:20260101|RRULE:FREQ=DAILY;RSCALE=HEBREW"):              recur.ErrRScale,
		object("1", "DTSTART:20260101T000000|RRULE:FREQ=SECONDLY;COUNT=1000000000"): ErrInstances,
		object("1", "DTSTART:20260101T000000|RRULE:FREQ=MINUTELY"):                  ErrInstances,
		object("1", "DTSTART:20260101"+strings.Repeat("|ATTENDEE:mailto:x@x", 501)): ErrAttendees,
		object("1", "DTSTART:20260101|X:"+strings.Repeat("x", 1<<20)):               ical.ErrLimit,
		object("1", "DTSTART:20260101|EXDATE:2026"):                                 ical.ErrSyntax,
		object("1", "DTSTART:20260101|RECURRENCE-ID:x"):                             ical.ErrSyntax,
	} {
		if _, err := Prepare(h.Body(text)); !errors.Is(err, want) {
			t.Errorf("%.90q: %v, want %v", text, err, want)
		}
	}
	for _, rule := range []string{"FREQ=DAILY", "FREQ=HOURLY", "FREQ=DAILY;COUNT=10000", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"} {
		if _, err := Prepare(h.Body(object("1", "DTSTART:20260101T000000|RRULE:"+rule))); err != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if _, err := h.put(h.b, "big", object("1", "DTSTART:20260101|X:"+strings.Repeat("x", 4000))); !errors.Is(err, storage.ErrQuota) {
		t.Errorf("over quota: %v", err)
	}
	h.Must(func(tx *storage.Tx) error { return SetTypes(tx, h.calendar(tx, h.b), Todo) })
	var te *TypeError
	if _, err := h.put(h.b, "event", object("1", "DTSTART:20260101")); !errors.As(err, &te) || te.Type != Event {
		t.Errorf("an event among to-dos: %v", err)
	}
}

func TestNamesAndUIDs(t *testing.T) {
	h := newHouse(t)
	one, err := h.put(h.a, "one.ics", object("1", "DTSTART:20260101"))
	if err != nil {
		t.Fatal(err)
	}
	var conflict *UIDConflict
	if _, err := h.put(h.a, "two.ics", object("1", "DTSTART:20260101")); !errors.As(err, &conflict) || conflict.Name != "one.ics" {
		t.Errorf("the same UID: %v", err)
	}
	if _, err := h.put(h.a, "one.ics", object("2", "DTSTART:20260101")); !errors.As(err, &conflict) || conflict.Name != "one.ics" || !errors.Is(err, storage.ErrConflict) {
		t.Errorf("another UID: %v", err)
	}
	if _, err := h.put(h.b, "one.ics", object("1", "DTSTART:20260101")); err != nil {
		t.Errorf("the same UID of somebody else: %v", err)
	}
	h.Must(func(tx *storage.Tx) error { return Remove(tx, h.calendar(tx, h.a), one) })
	if _, err := one.Read(h.DB); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a removed body: %v", err)
	}
	if _, err := h.put(h.a, "two.ics", object("1", "DTSTART:20260101")); err != nil {
		t.Errorf("the UID is not free: %v", err)
	}
}

func TestTags(t *testing.T) {
	h := newHouse(t)
	put := func(text string, by By) (o Object) {
		in := h.prepare(text)
		h.Must(func(tx *storage.Tx) (err error) {
			o, err = Put(tx, h.calendar(tx, h.a), "x", in, by, now)
			return err
		})
		return o
	}
	plain := put(object("1", "DTSTART:20260101"), Client)
	first := put(object("1", "DTSTART:20260101|ORGANIZER:mailto:a@b"), Client)
	server := put(object("1", "DTSTART:20260101|ORGANIZER:mailto:a@b|SEQUENCE:1"), Server)
	again := put(object("1", "DTSTART:20260101|ORGANIZER:mailto:a@b|SEQUENCE:1"), Client)
	client := put(object("1", "DTSTART:20260101|ORGANIZER:mailto:a@b|SEQUENCE:2"), Client)
	if plain.ScheduleTag() != "" || first.ScheduleTag() == "" || first.ETag() == server.ETag() || first.ScheduleTag() != server.ScheduleTag() ||
		again != server || client.ScheduleTag() == server.ScheduleTag() || client.Item != plain.Item {
		t.Errorf("%+v %+v %+v %+v", first, server, again, client)
	}
}

func TestCopyAndMove(t *testing.T) {
	h := newHouse(t)
	o, _ := h.put(h.a, "a", object("1", "DTSTART:20260101T100000Z"))
	_, _ = h.put(h.a, "z", object("9", "DTSTART:20260101T100000Z"))
	var other Calendar
	h.Must(func(tx *storage.Tx) (err error) {
		if other, err = Create(tx, h.a, "other", 0, now); err != nil {
			return err
		}
		from := h.calendar(tx, h.a)
		if _, err := Copy(tx, from, o, from, "b", nil, now); !errors.As(err, new(*UIDConflict)) {
			t.Errorf("a copy in the same calendar: %v", err)
		}
		n, err := Copy(tx, from, o, other, "b", nil, now)
		if err != nil || n.Blob != o.Blob || n.ETag() != o.ETag() {
			t.Errorf("copy %+v of %+v: %v", n, o, err)
		}
		if _, err = Move(tx, from, o, from, "z", nil, now); !errors.As(err, new(*UIDConflict)) {
			t.Errorf("over another: %v", err)
		}
		if o, err = Move(tx, from, o, from, "y", nil, now); err != nil {
			return err
		}
		_, err = Move(tx, from, o, other, "b", nil, now) // over its own copy
		return err
	})
	h.Must(func(tx *storage.Tx) error {
		from, to := h.calendar(tx, h.a), other
		to, err := ByID(tx, to.ID)
		if err != nil || from.Count != 1 || to.Count != 1 {
			t.Errorf("%d left, %d arrived, %v", from.Count, to.Count, err)
		}
		return Delete(tx, to)
	})
}

func TestTransparent(t *testing.T) {
	h := newHouse(t)
	h.Must(func(tx *storage.Tx) error {
		c, err := Create(tx, h.b, "shared", Event, now)
		if err != nil {
			return err
		}
		if Transparent(tx, c, h.b) || !Transparent(tx, c, h.a) {
			t.Error("a calendar makes its owner busy, and nobody else who only sees it")
		}
		return nil
	})
}

func TestZones(t *testing.T) {
	const text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0545\r\nTZOFFSETTO:+0545\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
	h := newHouse(t)
	z, err := ReadZone(text)
	if err != nil {
		t.Fatal(err)
	}
	h.Must(func(tx *storage.Tx) error { return SetZone(tx, h.calendar(tx, h.a), z) })
	at := time.Unix(0, 0)
	offset := func() (n int) {
		_ = h.View(func(tx *storage.Tx) error {
			c := h.calendar(tx, h.a)
			_, n = at.In(Location(c.ZoneName(), ZoneText(tx, c))).Zone()
			return nil
		})
		return n
	}
	if n := offset(); n != 5*3600+45*60 {
		t.Errorf("own zone: %d", n)
	}
	paris, ok := NamedZone("Europe/Paris")
	h.Must(func(tx *storage.Tx) error { return SetZone(tx, h.calendar(tx, h.a), paris) })
	if n := offset(); !ok || n != 3600 {
		t.Errorf("named zone: %v %d", ok, n)
	}
	h.Must(func(tx *storage.Tx) error { return SetZone(tx, h.calendar(tx, h.a), Zone{}) })
	if n := offset(); n != 0 {
		t.Errorf("no zone: %d", n)
	}
	for _, bad := range []string{"", "x", strings.Replace(text, "TZID", "X-ID", 1), object("1", "DTSTART:20260101"), text + strings.Repeat(" ", MaxZone)} {
		if _, err := ReadZone(bad); !errors.Is(err, ical.ErrSyntax) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
}

func TestPurge(t *testing.T) {
	h := newHouse(t)
	for i := range 5 {
		_, _ = h.put(h.a, fmt.Sprint(i), object(fmt.Sprint(i), "DTSTART:20260101"))
	}
	rounds := 0
	for left := true; left; rounds++ {
		h.Must(func(tx *storage.Tx) (err error) { left, err = Purge(tx, h.a, 2); return err })
	}
	if rounds < 3 {
		t.Errorf("%d rounds", rounds)
	}
	_ = h.View(func(tx *storage.Tx) error {
		if n := len(List(tx, h.a)); n != 0 {
			t.Errorf("%d calendars left", n)
		}
		return nil
	})
}

func TestCheckFindsDamage(t *testing.T) {
	for name, harm := range map[string]func(tx *storage.Tx, c Calendar, o Object){
		"month lost":            func(tx *storage.Tx, c Calendar, o Object) { o.unindex(tx, c.ID) },
		"month of another time": func(tx *storage.Tx, c Calendar, o Object) { o.rows(c.ID, func(k []byte) { tx.Put(k, []byte{2, 4}) }) },
		"month of nothing":      func(tx *storage.Tx, c Calendar, _ Object) { tx.Put(monthKey(c.ID, Event, 24000, 77), []byte{}) },
		"tail damaged": func(tx *storage.Tx, c Calendar, o Object) {
			_ = resource.Touch(tx, c.Collection, &o.Resource, []byte{1})
		},
	} {
		h := furnish(t, storagetest.OpenUnchecked(t, Check))
		o, err := h.put(h.a, "x", object("1", "DTSTART:20260101T100000Z"))
		if err != nil {
			t.Fatal(err)
		}
		h.Must(func(tx *storage.Tx) error { harm(tx, h.calendar(tx, h.a), o); return nil })
		if p := strings.Join(h.Problems(), "\n"); !strings.Contains(p, "calendar") {
			t.Errorf("%s: %q", name, p)
		}
	}
}
