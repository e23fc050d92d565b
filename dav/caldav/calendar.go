package caldav

import (
	"errors"
	"mime"
	"net/http"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/format/ical/recur"
	"essaim.coop/essaim/storage/calendar"
)

// A cal is a calendar in a home.
type cal struct{ *home.Collection }

var (
	_ dav.Writer   = (*cal)(nil)
	_ dav.Deleter  = (*cal)(nil)
	_ dav.Carrier  = (*cal)(nil)
	_ dav.Preparer = (*cal)(nil)
	_ dav.Syncer   = (*cal)(nil)
)

func (c *cal) store() (calendar.Calendar, error) { return calendar.Of(c.Collection.Collection) }

// Receive is dav.Writer: the preconditions of RFC 4791 §5.3.2.1 that concern the
// object alone.
func (c *cal) Receive(up *dav.Upload) error {
	if !isCalendar(up.Type) {
		return dav.Forbidden(davxml.CalDAV("supported-calendar-data"))
	}
	in, err := calendar.Prepare(up.Body)
	if err != nil {
		return refusal(err)
	}
	return c.plan(up, in)
}

// isCalendar accepts the type of iCalendar and those of clients that do not say
// what they send.
func isCalendar(contentType string) bool {
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return false
	}
	switch t {
	case ical.ContentType, "text/plain", "application/octet-stream", "application/x-www-form-urlencoded":
		return true
	}
	return false
}

// refusals are the errors that name a precondition, the first that fits.
var refusals = []struct {
	err  error
	name string
}{
	{ical.ErrLimit, "max-resource-size"},
	{recur.ErrRScale, "supported-rscale"}, // RFC 7529 §7
	{calendar.ErrAttendees, "max-attendees-per-instance"},
	{calendar.ErrInstances, "max-instances"},
	{itip.ErrOrganizers, "same-organizer-in-all-components"}, // RFC 6638 §3.2.4
	{itip.ErrOrganizer, "allowed-organizer-scheduling-object-change"},
	{itip.ErrAttendee, "allowed-attendee-scheduling-object-change"},
	{ical.ErrObject, "valid-calendar-object-resource"},
	{ical.ErrSyntax, "valid-calendar-data"},
}

// refusal names the precondition that an object does not meet, and says in it why.
func refusal(err error) error {
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			e := dav.Forbidden(davxml.CalDAV(r.name))
			e.Err = err
			e.Detail = func(w *davxml.Writer) { w.Text(err.Error()) }
			return e
		}
	}
	return err
}

// Write is dav.Writer.
func (c *cal) Write(s *dav.Scope, name string, old dav.Resource, up *dav.Upload) (dav.Resource, error) {
	if old == nil && s.Header.Get("If-Schedule-Tag-Match") != "" {
		return nil, dav.Status(http.StatusPreconditionFailed)
	}
	p, ok := up.Parsed.(*plan)
	if !ok { // the empty one of a LOCK
		return nil, dav.Forbidden(davxml.CalDAV("valid-calendar-data"))
	}
	if err := p.fresh(s, c, old); err != nil {
		return nil, err
	}
	k, err := c.store()
	if err != nil {
		return nil, err
	}
	if p.only {
		return p.keep(s, c, k, old.(*object).row, up)
	}
	if old != nil {
		if err := s.Require(old, dav.PrivWriteContent); err != nil {
			return nil, err
		}
	}
	o, err := p.put(s, k, name, up)
	if err != nil {
		return nil, c.refused(err)
	}
	return p.keep(s, c, k, o, up)
}

// put writes the object, and notes it for scheduling unless that comes to nothing.
func (p *plan) put(s *dav.Scope, k calendar.Calendar, name string, up *dav.Upload) (calendar.Object, error) {
	if p.aside {
		return calendar.Put(s.Tx, k, name, p.in, calendar.Client, up.Now)
	}
	return calendar.PutAs(s.Tx, k, name, p.in, s.User, silent(s.Header), up.Now)
}

// refused is the precondition that the calendar does not meet.
func (c *cal) refused(err error) error {
	var conflict *calendar.UIDConflict
	var wrong *calendar.TypeError
	switch {
	case errors.As(err, &conflict):
		e := dav.Conflict(davxml.CalDAV("no-uid-conflict"))
		e.Err = err
		return e.WithHref(c.Path(conflict.Name))
	case errors.As(err, &wrong):
		e := dav.Forbidden(davxml.CalDAV("supported-calendar-component"))
		e.Err = err
		return e
	}
	return err
}

// Delete is dav.Deleter.
func (c *cal) Delete(s *dav.Scope, _ string, r dav.Resource) error {
	k, err := c.store()
	if err != nil {
		return err
	}
	return calendar.RemoveAs(s.Tx, k, r.(*object).row, s.User, silent(s.Header), s.Now)
}

// Copy is dav.Carrier.
func (c *cal) Copy(s *dav.Scope, g dav.Carriage) (dav.Resource, error) {
	if err := c.unique(g.Source); err != nil {
		return nil, err
	}
	return c.carry(s, g, calendar.Copy)
}

// Move is dav.Carrier.
func (c *cal) Move(s *dav.Scope, g dav.Carriage) (dav.Resource, error) {
	return c.carry(s, g, calendar.Move)
}

// carry copies or moves an object. A calendar cannot be in a calendar (RFC 4791
// §4.2).
func (c *cal) carry(s *dav.Scope, g dav.Carriage, how carrying) (dav.Resource, error) {
	src, ok := g.Source.(*object)
	if !ok {
		return nil, dav.Forbidden(davxml.CalDAV("calendar-collection-location-ok"))
	}
	from, err := calendar.Of(src.in.Collection)
	if err != nil {
		return nil, err
	}
	to, err := c.store()
	if err != nil {
		return nil, err
	}
	in, err := bare(g, src, to)
	if err != nil {
		return nil, err
	}
	o, err := how(s.Tx, from, src.row, to, g.Name, in, s.Now)
	if err != nil {
		return nil, c.refused(err)
	}
	return newObject(s, c.Collection, o), nil
}
