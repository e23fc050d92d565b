package calendar

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
	"essaim.coop/essaim/storage/storagetest"
)

const organized = "DTSTART:20270310T100000Z|ORGANIZER:mailto:a@b.example"

func (h *house) putAs(name, text string) (o Object) {
	h.t.Helper()
	in := h.prepare(text)
	h.Must(func(tx *storage.Tx) (err error) {
		o, err = PutAs(tx, h.calendar(tx, h.a), name, in, h.b, true, now)
		return err
	})
	return o
}

// changes are those that wait.
func (h *house) changes() (out []Change) {
	h.t.Helper()
	h.Must(func(tx *storage.Tx) error {
		for after := uint64(0); ; {
			ch, ok, err := NextChange(tx, after)
			if !ok || err != nil {
				return err
			}
			out, after = append(out, ch), ch.ID
		}
	})
	return out
}

// Every change of an object with an organizer waits, in order, with both states.
func TestChanges(t *testing.T) {
	h := newHouse(t)
	h.putAs("none.ics", object("none", "DTSTART:20270310T100000Z"))
	texts := []string{object("1", organized+"|SUMMARY:a"), object("1", organized+"|SUMMARY:b"), object("1", "DTSTART:20270310T100000Z")}
	for _, text := range texts {
		h.putAs("1.ics", text)
		h.putAs("1.ics", text) // the same again is no change
	}
	h.Must(func(tx *storage.Tx) error {
		c := h.calendar(tx, h.a)
		o, err := Get(tx, c.ID, "1.ics")
		if err == nil {
			err = RemoveAs(tx, c, o, h.b, false, now)
		}
		return err
	})
	all := h.changes()
	if len(all) != 3 { // removed was what has no organizer any more
		t.Fatalf("%d changes: %v", len(all), all)
	}
	for i, ch := range all {
		old, new, err := ch.Bodies(h.DB)
		if err != nil || ch.By != h.b || ch.Owner != h.a || !ch.Silent || string(new) != texts[i] || i > 0 && string(old) != texts[i-1] || i == 0 && old != nil {
			t.Errorf("%d: %+v, %v\n%s\n%s", i, ch, err, old, new)
		}
	}
	h.Must(func(tx *storage.Tx) error { return all[1].Done(tx) })
	if err := h.Update(all[1].Done); !errors.Is(err, storage.ErrNotFound) {
		t.Error(err)
	}
	if rest := h.changes(); len(rest) != 2 || rest[1].ID != all[2].ID {
		t.Errorf("%v", rest)
	}
}

// An inbox keeps several messages about one thing, the newest of many.
func TestInbox(t *testing.T) {
	h := newHouse(t)
	deliver := func(tx *storage.Tx, n int) error {
		w := h.Stage()
		_, _ = fmt.Fprintf(w, "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20270310T100000Z\r\nSEQUENCE:%d\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n", n)
		s, err := w.Finish()
		if err != nil {
			return err
		}
		in, err := PrepareMessage(s, "1", "VEVENT")
		if err != nil {
			return err
		}
		c, err := Inbox(tx, h.a)
		if err == nil {
			_, err = Deliver(tx, c, in, now)
		}
		return err
	}
	h.Must(func(tx *storage.Tx) error {
		for n := range MaxInbox + 3 {
			if err := deliver(tx, n); err != nil {
				return err
			}
		}
		return nil
	})
	h.Must(func(tx *storage.Tx) error {
		c, err := Inbox(tx, h.a)
		if err != nil || c.Count != MaxInbox {
			t.Errorf("%d messages, %v", c.Count, err)
		}
		if _, err := Get(tx, c.ID, "3.ics"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the oldest: %v", err)
		}
		found := 0
		err = Query(tx, c.ID, Event, time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC).Unix(), func(Object) bool { found++; return true })
		if found != MaxInbox || len(List(tx, h.a)) != 1 {
			t.Errorf("%d found, %d calendars", found, len(List(tx, h.a)))
		}
		if _, _, e := Find(tx, h.a, "1"); !errors.Is(e, storage.ErrNotFound) {
			t.Errorf("a message is taken for an event: %v", e)
		}
		return err
	})
	w := h.Stage()
	s, _ := w.Finish()
	defer s.Discard()
	if _, err := PrepareMessage(s, "", "VEVENT"); !errors.Is(err, storage.ErrInvalid) {
		t.Error(err)
	}
}

// The default calendar is one's own, and there as long as there is any.
func TestDefault(t *testing.T) {
	h := newHouse(t)
	h.Must(func(tx *storage.Tx) error {
		is := func(name string) {
			t.Helper()
			if c, err := Default(tx, h.a); err != nil || c.Name != name {
				t.Errorf("%q, %v; want %q", c.Name, err, name)
			}
		}
		is(DefaultCalendar)
		tasks, err := Create(tx, h.a, "aaa", Todo, now)
		if err != nil {
			return err
		}
		work, err := Create(tx, h.a, "work", AllTypes, now)
		if err != nil {
			return err
		}
		if err := SetDefault(tx, work); err != nil {
			return err
		}
		is("work")
		if err := Delete(tx, h.calendar(tx, h.a)); err != nil {
			return err
		}
		is("work")
		if err := Delete(tx, work); err != nil {
			return err
		}
		if c, err := Default(tx, h.a); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%q for events: %v", c.Name, err)
		}
		return SetTypes(tx, tasks, Event)
	})
	h.Must(func(tx *storage.Tx) error {
		if c, err := Default(tx, h.a); err != nil || c.Name != "aaa" {
			t.Errorf("%q, %v", c.Name, err)
		}
		return nil
	})
}

// Deadlines follow their objects; a moved one is not rung twice.
func TestDeadlines(t *testing.T) {
	h := newHouse(t)
	const alarm = "DTSTART:20270310T100000Z|BEGIN:VALARM|ACTION:EMAIL|TRIGGER:-PT5M|END:VALARM"
	due := func() (out []Alarm) {
		h.Must(func(tx *storage.Tx) error {
			Alarms(tx, func(a Alarm) bool { out = append(out, a); return true })
			return nil
		})
		return out
	}
	h.putAs("1.ics", object("1", alarm))
	h.putAs("2.ics", object("2", "DTSTART:20270310T100000Z"))
	all := due()
	if len(all) != 1 || !all[0].Due.Equal(now) || !all[0].Since.Equal(now) {
		t.Fatalf("%v", all)
	}
	later := now.Add(time.Hour)
	h.Must(func(tx *storage.Tx) error { return all[0].Next(tx, later, now) })
	if err := h.Update(func(tx *storage.Tx) error { return all[0].Next(tx, later, later) }); !errors.Is(err, storage.ErrConflict) {
		t.Error(err)
	}
	if all = due(); len(all) != 1 || !all[0].Due.Equal(later) {
		t.Fatalf("%v", all)
	}
	h.Must(func(tx *storage.Tx) error {
		c := h.calendar(tx, h.a)
		o, err := Get(tx, c.ID, "1.ics")
		if err == nil {
			_, err = Move(tx, c, o, h.calendar(tx, h.b), "m.ics", nil, now)
		}
		return err
	})
	if all = due(); len(all) != 1 {
		t.Fatalf("moved: %v", all)
	}
	h.Must(func(tx *storage.Tx) error { return all[0].Next(tx, time.Time{}, now) })
	if all = due(); len(all) != 0 {
		t.Errorf("done: %v", all)
	}
}

func TestCheckFindsDamagedScheduling(t *testing.T) {
	for name, harm := range map[string]func(*storage.Tx){
		"a change of nothing": func(tx *storage.Tx) { tx.Put(changeKey(9), []byte{changeFormat, '{'}) },
		"a deadline of nothing": func(tx *storage.Tx) {
			Alarm{now, now, 77, 1}.save(tx)
		},
		"a row by deadline alone": func(tx *storage.Tx) { tx.Put(ringKey(1, 1, 1), []byte{}) },
	} {
		h := furnish(t, storagetest.OpenUnchecked(t, resource.Check, Check))
		h.Must(func(tx *storage.Tx) error { harm(tx); return nil })
		if len(h.Problems()) == 0 {
			t.Errorf("%s: clean", name)
		}
	}
}
