package caldav

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/ical/zone"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

// query answers CALDAV:calendar-query (RFC 4791 §7.8).
func query(x *dav.Exchange, body *davxml.Element) error {
	f, err := parseFilter(body.Child(davxml.CalDAV("filter")))
	if err != nil {
		return err
	}
	floating, err := queryZone(x, body)
	if err != nil {
		return err
	}
	want, err := parseWant(body, floating)
	if err != nil {
		return err
	}
	found, err := candidates(x, f)
	if err != nil {
		return err
	}
	m := x.Multistatus(want)
	for len(found) > 0 && err == nil {
		err = x.View(func(s *dav.Scope) error {
			open, err := opener(x, s)
			for ; err == nil && len(found) > 0 && !m.Full(); found = found[1:] {
				href, o, ok := open(found[0])
				if !ok {
					continue // gone since
				}
				switch in, known := decide(f, o, found[0]); {
				case !known:
					m.ResourceIf(s, href, o, func(db *storage.DB) (bool, error) {
						return o.matches(db, f, floating, want.Asks(calendarDataName))
					})
				case in:
					m.Resource(s, href, o)
				}
			}
			return err
		})
		if err == nil {
			err = m.Flush()
		}
	}
	return m.Finish(err)
}

// decide says whether an object matches as far as its row tells.
func decide(f *filter.Comp, o *object, c candidate) (in, known bool) {
	if f.Decided() && !c.self {
		return true, true
	}
	if r, ok := f.Timed(); ok {
		return o.Once.In(r)
	}
	return false, false
}

// matches reads the object, and keeps what it has read for an answer that gives it.
func (o *object) matches(db *storage.DB, f *filter.Comp, floating *time.Location, given bool) (bool, error) {
	s, err := o.parsed(db, floating)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return false, nil // gone since
	case err != nil && o.message():
		return true, nil // a message that says too little to be held against a filter
	}
	ok := err == nil && f.Match(s)
	if !ok || !given {
		o.forget()
	}
	return ok, err
}

// A candidate is an item of the calendar that is asked, or the object itself.
type candidate struct {
	item storage.ItemID
	self bool
}

// opener finds objects as they are now; false when one is gone.
func opener(x *dav.Exchange, s *dav.Scope) (func(candidate) (string, *object, bool), error) {
	r, err := x.Target(s)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, err
	}
	k, _ := collection(r)
	base := strings.TrimSuffix(x.Href(true), "/")
	return func(c candidate) (string, *object, bool) {
		if c.self {
			o, ok := r.(*object)
			return x.Href(false), o, ok
		}
		if k == nil {
			return "", nil, false
		}
		o, err := calendar.ByItem(s.Tx, k.ID, c.item)
		if err != nil {
			return "", nil, false
		}
		return base + dav.Path(o.Name), newObject(s, k, o), true
	}, nil
}

// candidates are the objects that the index by time cannot rule out, in order of
// items. With Depth 0 a calendar has none, as it is no object (§7.8).
func candidates(x *dav.Exchange, f *filter.Comp) (out []candidate, err error) {
	types, from, to := asked(f)
	err = x.View(func(s *dav.Scope) error {
		r, err := x.Target(s)
		if err != nil {
			return err
		}
		k, ok := collection(r)
		switch {
		case !ok:
			out = []candidate{{self: true}}
			return nil
		case x.Request.Header.Get("Depth") == "0":
			return nil
		}
		if k.Account != s.User && byAlarm(f) {
			from, to = calendar.Ever, calendar.Forever // the index knows the owner's
		}
		return calendar.Candidates(s.Tx, k.ID, types, from, to, func(id storage.ItemID) bool {
			out = append(out, candidate{item: id})
			return true
		})
	})
	slices.SortFunc(out, func(a, b candidate) int { return cmp.Compare(a.item, b.item) })
	return out, err
}

// asked is what a filter needs of the index.
func asked(f *filter.Comp) (types calendar.Types, from, to int64) {
	types, from, to = calendar.AllTypes, calendar.Ever, calendar.Forever
	name, r := f.Target()
	if name != "" {
		types = calendar.TypeOf(name)
	}
	if r != nil && !r.Start.IsZero() {
		from = r.Start.Unix()
	}
	if r != nil && !r.End.IsZero() {
		to = r.End.Unix()
	}
	return types, from, to
}

// byAlarm reports whether a filter asks for alarms in a time range.
func byAlarm(f *filter.Comp) bool {
	return slices.ContainsFunc(f.Comps, func(c filter.Comp) bool {
		return c.Name == "VALARM" && c.Range != nil || byAlarm(&c)
	})
}

// queryZone is where floating times are: in the zone that the request names (RFC
// 4791 §9.8, RFC 7809 §5.3.1), or else in that of the calendar.
func queryZone(x *dav.Exchange, body *davxml.Element) (*time.Location, error) {
	if e := body.Child(davxml.CalDAV("timezone-id")); e != nil {
		loc := zone.Named(e.Text())
		if loc == nil {
			return nil, dav.Forbidden(davxml.CalDAV("valid-timezone"))
		}
		return loc, nil
	}
	if e := body.Child(davxml.CalDAV("timezone")); e != nil {
		z, err := calendar.ReadZone(e.Text())
		if err != nil {
			e := dav.Forbidden(davxml.CalDAV("valid-calendar-data"))
			e.Err = err
			return nil, e
		}
		return z.Location(), nil
	}
	return targetZone(x)
}

// targetZone is that of the calendar that the request is about, or is in.
func targetZone(x *dav.Exchange) (*time.Location, error) {
	var name, text string
	err := x.View(func(s *dav.Scope) error {
		r, err := x.Target(s)
		if err != nil {
			return err
		}
		var c *storage.Collection
		if k, ok := collection(r); ok {
			c = k.Collection
		} else if o, ok := r.(*object); ok {
			c = o.in.Collection
		} else {
			return dav.Status(403)
		}
		k, err := calendar.Of(c)
		if err == nil {
			name, text = k.ZoneName(), calendar.ZoneText(s.Tx, k)
		}
		return err
	})
	return calendar.Location(name, text), err
}
