package caldav

import (
	"net/http"
	"strconv"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/format/collation"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/zone"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

func calendarKind() *dav.Kind {
	k := &dav.Kind{Name: "calendar", Types: []davxml.Name{davxml.CalDAV("calendar")}, Features: features,
		Privileges: dav.PrivFiles | dav.PrivReadFreeBusy, Lockable: true, MaxBody: int64(ical.DefaultLimits.Bytes)}
	k.Add(limits()...)
	k.Add(
		// RFC 4791 §5.2.4, §7.5.1
		constant("supported-calendar-data", func(w *davxml.Writer) {
			w.Empty(davxml.CalDAV("calendar-data"), "content-type", ical.ContentType, "version", "2.0")
		}),
		constant("supported-collation-set", func(w *davxml.Writer) {
			for _, c := range collation.Names {
				w.Leaf(davxml.CalDAV("supported-collation"), c)
			}
		}),
		componentSet(), timezone(), timezoneID(), transparency(),
		home.Personal(davxml.CalDAV("calendar-description"), nil),
		home.Personal(davxml.Apple("calendar-color"), nil),
		home.Personal(davxml.Apple("calendar-order"), nil),
	)
	for _, alarm := range []string{"vevent-datetime", "vevent-date", "vtodo-datetime", "vtodo-date"} {
		k.Add(home.Private(davxml.CalDAV("default-alarm-" + alarm)))
	}
	return k.AddReport(append(reports, dav.Report{Name: davxml.CalDAV("free-busy-query"), Needs: dav.PrivReadFreeBusy, Run: freeBusy})...)
}

// reports are those of calendars and of objects (RFC 4791 §7).
var reports = []dav.Report{
	{Name: davxml.CalDAV("calendar-query"), Run: query},
	{Name: davxml.CalDAV("calendar-multiget"), Run: multiget},
}

// limits are RFC 4791 §5.2.5, §5.2.8 and §5.2.9.
func limits() []dav.Property {
	number := func(name string, n int) dav.Property {
		return constant(name, func(w *davxml.Writer) { w.Text(strconv.Itoa(n)) })
	}
	return []dav.Property{number("max-resource-size", ical.DefaultLimits.Bytes),
		number("max-instances", calendar.MaxInstances), number("max-attendees-per-instance", calendar.MaxAttendees)}
}

func constant(local string, write func(*davxml.Writer)) dav.Property {
	return dav.Property{Name: davxml.CalDAV(local), Get: func(_ *dav.Scope, _ dav.Resource, w *davxml.Writer) error {
		write(w)
		return nil
	}}
}

// componentSet is RFC 4791 §5.2.3; it is set when the calendar is made.
func componentSet() dav.Property {
	get := func(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		c, err := r.(*cal).store()
		if err != nil {
			return err
		}
		for _, name := range c.Types().Names() {
			w.Empty(davxml.CalDAV("comp"), "name", name)
		}
		return nil
	}
	set := func(s *dav.Scope, r dav.Resource, v *davxml.Element) error {
		c, err := r.(*cal).store()
		if err != nil {
			return err
		}
		var types calendar.Types
		for _, comp := range v.Children() {
			t := calendar.TypeOf(comp.Attr("name"))
			if comp.Name != davxml.CalDAV("comp") || t == 0 && comp.Attr("name") != "VTIMEZONE" {
				return dav.Forbidden(davxml.CalDAV("supported-calendar-component"))
			}
			types |= t
		}
		if types == 0 {
			return dav.Forbidden(davxml.CalDAV("supported-calendar-component"))
		}
		return calendar.SetTypes(s.Tx, c, types)
	}
	return dav.Property{Name: davxml.CalDAV("supported-calendar-component-set"), Get: get, Set: set, Initial: true}
}

// timezone is RFC 4791 §5.2.2.
func timezone() dav.Property {
	get := func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		c, err := r.(*cal).store()
		if err != nil {
			return err
		}
		text := calendar.ZoneText(s.Tx, c)
		if text == "" {
			return storage.ErrNotFound
		}
		w.Text(text)
		return nil
	}
	set := func(s *dav.Scope, r dav.Resource, v *davxml.Element) error {
		var z calendar.Zone
		if v != nil {
			var err error
			if z, err = calendar.ReadZone(v.Text()); err != nil {
				e := dav.Forbidden(davxml.CalDAV("valid-calendar-data"))
				e.Err = err
				return e
			}
		}
		return setZone(s, r, z)
	}
	return dav.Property{Name: davxml.CalDAV("calendar-timezone"), Get: get, Set: set}
}

// timezoneID is RFC 7809 §5.2: the name of a zone of the IANA database.
func timezoneID() dav.Property {
	get := func(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		c, err := r.(*cal).store()
		if err != nil {
			return err
		}
		if zone.Named(c.ZoneName()) == nil {
			return storage.ErrNotFound
		}
		w.Text(c.ZoneName())
		return nil
	}
	set := func(s *dav.Scope, r dav.Resource, v *davxml.Element) error {
		var z calendar.Zone
		if v != nil {
			var ok bool
			if z, ok = calendar.NamedZone(v.Text()); !ok {
				return dav.Forbidden(davxml.CalDAV("valid-timezone"))
			}
		}
		return setZone(s, r, z)
	}
	return dav.Property{Name: davxml.CalDAV("calendar-timezone-id"), Get: get, Set: set}
}

func setZone(s *dav.Scope, r dav.Resource, z calendar.Zone) error {
	c, err := r.(*cal).store()
	if err != nil {
		return err
	}
	return calendar.SetZone(s.Tx, c, z)
}

// transparency is schedule-calendar-transp (RFC 6638 §9.1), of each member's own.
func transparency() dav.Property {
	opaque, transparent := davxml.CalDAV("opaque"), davxml.CalDAV("transparent")
	get := func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		c, err := r.(*cal).store()
		if err != nil {
			return err
		}
		if calendar.Transparent(s.Tx, c, s.User) {
			w.Empty(transparent)
		} else {
			w.Empty(opaque)
		}
		return nil
	}
	set := func(s *dav.Scope, r dav.Resource, v *davxml.Element) error {
		c, err := r.(*cal).store()
		if err != nil {
			return err
		}
		if v == nil || (v.Child(opaque) == nil) == (v.Child(transparent) == nil) {
			return dav.Status(http.StatusConflict)
		}
		return calendar.SetTransparent(s.Tx, c, s.User, v.Child(transparent) != nil)
	}
	return dav.Property{Name: davxml.CalDAV("schedule-calendar-transp"), Personal: true, Needs: dav.PrivReadOwn, Get: get, Set: set}
}
