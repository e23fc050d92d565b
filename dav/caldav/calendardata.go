package caldav

import (
	"errors"
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/view"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

var calendarDataName = davxml.CalDAV("calendar-data")

// A calendarData is what to give of an object (RFC 4791 §9.6), for one request.
type calendarData struct {
	view.Options
	floating *time.Location
}

// maxExpanded bounds the bytes that one request may expand.
const maxExpanded = 16 << 20

// parseWant reads which properties a report asks for, calendar-data among them.
func parseWant(body *davxml.Element, floating *time.Location) (*dav.Want, error) {
	want := dav.WantNames(davxml.DAV("getetag")) // the report's definition does not make it say
	if asks(body) {
		var err error
		if want, err = dav.ParseWant(body); err != nil {
			return nil, err
		}
	}
	data := &calendarData{floating: floating}
	data.MaxInstances, data.MaxBytes = calendar.MaxInstances, maxExpanded // what is left of them
	if e := body.Child(davxml.DAV("prop")).Child(calendarDataName); e != nil {
		if err := data.parse(e); err != nil {
			return nil, err
		}
		want.Instead(dav.Property{Name: calendarDataName, Late: data.write})
	}
	return want, nil
}

func asks(body *davxml.Element) bool {
	for _, name := range []string{"prop", "allprop", "propname"} {
		if body.Child(davxml.DAV(name)) != nil {
			return true
		}
	}
	return false
}

func (d *calendarData) parse(e *davxml.Element) (err error) {
	if t, v := e.Attr("content-type"), e.Attr("version"); t != "" && t != ical.ContentType || v != "" && v != "2.0" {
		return dav.Forbidden(davxml.CalDAV("supported-calendar-data"))
	}
	for _, c := range e.Children() {
		switch c.Name {
		case davxml.CalDAV("comp"):
			comp := parseComp(c)
			d.Comp = &comp
		case davxml.CalDAV("expand"):
			d.Expand, err = readBounds(c)
		case davxml.CalDAV("limit-recurrence-set"):
			d.Limit, err = readBounds(c)
		case davxml.CalDAV("limit-freebusy-set"):
			d.Busy, err = readBounds(c)
		}
		if err != nil {
			return err
		}
	}
	if d.Expand != nil && d.Limit != nil || d.Comp != nil && d.Comp.Name != "VCALENDAR" {
		return dav.Status(400)
	}
	return nil
}

// parseComp reads CALDAV:comp (§9.6.1). Case does not matter in names (RFC 5545 §2).
func parseComp(e *davxml.Element) view.Comp {
	w := view.Comp{Name: strings.ToUpper(e.Attr("name"))}
	for _, c := range e.Children() {
		switch c.Name {
		case davxml.CalDAV("allprop"):
			w.AllProps = true
		case davxml.CalDAV("allcomp"):
			w.AllComps = true
		case davxml.CalDAV("prop"):
			w.Props = append(w.Props, view.Prop{Name: strings.ToUpper(c.Attr("name")), NoValue: c.Attr("novalue") == "yes"})
		case davxml.CalDAV("comp"):
			w.Comps = append(w.Comps, parseComp(c))
		}
	}
	return w
}

// write is dav.Property.Late.
func (d *calendarData) write(db *storage.DB, r dav.Resource, w *davxml.Writer) error {
	o, ok := r.(*object)
	if !ok {
		return storage.ErrNotFound
	}
	defer o.forget()
	if d.Whole() {
		raw, err := o.bytes(db)
		if err == nil {
			w.TextBytes(ical.UTF8(raw))
		}
		return err
	}
	s, err := o.parsed(db, d.floating)
	if err != nil {
		return err
	}
	text, n, err := d.Make(s)
	if errors.Is(err, view.ErrTooMany) {
		return dav.Forbidden(davxml.DAV("number-of-matches-within-limits")) // RFC 4791 §7.8
	}
	if err != nil {
		return err
	}
	if d.MaxInstances -= n; d.Expand != nil {
		d.MaxBytes -= len(text)
	}
	w.Text(text)
	return nil
}
