package calendar

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/storage"
)

// What a query gives is all that a filter can match, and among ten thousand
// events hardly more.
func TestQueryGivesCandidates(t *testing.T) {
	h := newHouse(t)
	rng := rand.New(rand.NewPCG(1, 1))
	n := 1500
	if os.Getenv("ESSAIM_LONG") != "" {
		n = 10_000
	}
	texts := map[string]string{}
	var ins []*Incoming
	var names []string
	for i := range n {
		start := time.Date(2016+rng.IntN(20), 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rng.IntN(365*24)) * time.Hour)
		lines := "DTSTART:" + ical.At(start).String() + "|DURATION:PT1H"
		switch rng.IntN(20) {
		case 0:
			lines += "|RRULE:FREQ=WEEKLY;COUNT=" + fmt.Sprint(1+rng.IntN(100))
		case 1:
			if rng.IntN(10) == 0 {
				lines += "|RRULE:FREQ=YEARLY"
			}
		case 2:
			lines = "DTSTART;VALUE=DATE:" + start.Format("20060102") + "|DURATION:P" + fmt.Sprint(1+rng.IntN(40)) + "D"
		case 3:
			lines = "VTODO/DUE:" + ical.At(start).String()
		case 4:
			lines += "|BEGIN:VALARM|TRIGGER:-P" + fmt.Sprint(rng.IntN(9)) + "W|END:VALARM"
		}
		name := fmt.Sprint(i)
		texts[name] = object(name, lines)
		ins, names = append(ins, h.prepare(texts[name])), append(names, name)
	}
	h.Must(func(tx *storage.Tx) error {
		for i, in := range ins {
			if _, err := Put(tx, h.calendar(tx, h.a), names[i], in, Client, now); err != nil {
				return err
			}
		}
		return nil
	})
	opened, matched := 0, 0
	for range 12 {
		from := time.Date(2016+rng.IntN(20), time.Month(1+rng.IntN(12)), 1, 0, 0, 0, 0, time.UTC)
		r := filter.Range{Start: from, End: from.AddDate(0, 1, 0)}
		if years := rng.IntN(4); years == 3 {
			r.End = from.AddDate(years, 0, 0) // beyond the index
		}
		got, items := map[string]bool{}, map[storage.ItemID]bool{}
		err := h.View(func(tx *storage.Tx) error {
			id := h.calendar(tx, h.a).ID
			err := Candidates(tx, id, Event, r.Start.Unix(), r.End.Unix(), func(i storage.ItemID) bool { items[i] = true; return true })
			if err != nil {
				return err
			}
			return Query(tx, id, Event, r.Start.Unix(), r.End.Unix(), func(o Object) bool {
				if !items[o.Item] {
					t.Errorf("%s is no candidate", o.Name)
				}
				if got[o.Name] {
					t.Errorf("%s is given twice", o.Name)
				}
				got[o.Name] = true
				return true
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(items) != len(got) {
			t.Errorf("%d candidates, %d objects", len(items), len(got))
		}
		opened += len(got)
		f := filter.Comp{Name: "VCALENDAR", Comps: []filter.Comp{{Name: "VEVENT", Range: &r}}}
		alarm := filter.Comp{Name: "VCALENDAR", Comps: []filter.Comp{{Name: "VEVENT", Comps: []filter.Comp{{Name: "VALARM", Range: &r}}}}}
		for name, text := range texts {
			s, err := filter.ReadText([]byte(text), nil)
			if err != nil {
				t.Fatal(err)
			}
			if f.Match(s) || alarm.Match(s) {
				if matched++; !got[name] {
					t.Errorf("%v: not given: %s", from, text)
				}
			}
		}
	}
	t.Logf("%d objects, 12 months: %d given, %d match", n, opened, matched)
	if opened > 3*matched+200 {
		t.Errorf("%d given where %d match", opened, matched)
	}
}

// A replica follows the change log as a door does.
func TestSyncModel(t *testing.T) {
	h := newHouse(t)
	rng := rand.New(rand.NewPCG(2, 2))
	var token storage.SyncToken
	have, truth := map[string]string{}, map[string]string{}
	for step := range 200 {
		name := fmt.Sprint("n", rng.IntN(12))
		in := h.prepare(object(name, fmt.Sprintf("DTSTART:2026%02d01|SEQUENCE:%d", 1+rng.IntN(12), step)))
		h.Must(func(tx *storage.Tx) error {
			c := h.calendar(tx, h.a)
			old, err := Get(tx, c.ID, name)
			switch n := rng.IntN(3); {
			case err == nil && n == 0:
				delete(truth, name)
				return Remove(tx, c, old)
			case err == nil && n == 1:
				to := fmt.Sprint("m", rng.IntN(12))
				o, err := Move(tx, c, old, c, to, nil, now)
				if errors.As(err, new(*UIDConflict)) {
					return nil
				}
				delete(truth, name)
				truth[to] = o.ETag()
				return err
			}
			o, err := Put(tx, c, name, in, Client, now)
			if errors.As(err, new(*UIDConflict)) {
				return nil
			}
			truth[name] = o.ETag()
			return err
		})
		if step%7 != 0 {
			continue
		}
		_ = h.View(func(tx *storage.Tx) error {
			id := h.calendar(tx, h.a).ID
			if token.Collection == 0 {
				token.Collection = id
			}
			for more := true; more; {
				p, err := tx.Sync(token, 3)
				if err != nil {
					t.Fatal(err)
				}
				for _, item := range append(slices.Clone(p.Removed), p.Changed...) {
					for _, n := range tx.VacatedNames(id, item, p.Since) {
						if _, err := Get(tx, id, n); err != nil {
							delete(have, n)
						}
					}
				}
				for _, item := range p.Changed {
					o, _ := ByItem(tx, id, item)
					have[o.Name] = o.ETag()
				}
				token, more = p.Next, p.More
			}
			return nil
		})
		if !maps.Equal(have, truth) {
			t.Fatalf("step %d: %v, want %v", step, have, truth)
		}
	}
}
