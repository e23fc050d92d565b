package caldav

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// The names of the scheduling collections in a home.
const (
	inboxName  = "inbox"
	outboxName = "outbox"
)

// An inbox shows the messages that came, until a client deletes them (RFC 6638
// §2.2). Nobody but the server puts any there.
type inbox struct{ in *home.Collection } // not embedded: it is not shared, nor put into

var (
	_ dav.Deleter = (*inbox)(nil)
	_ dav.Syncer  = (*inbox)(nil)
	_ dav.Holder  = (*inbox)(nil)
)

var inboxKind = func() *dav.Kind {
	k := &dav.Kind{Name: "scheduling inbox", Collection: true, Types: []davxml.Name{davxml.CalDAV("schedule-inbox")}, Features: features,
		Privileges: dav.PrivRead | dav.PrivReadOwn | dav.PrivUnbind | dav.PrivWriteProperties | dav.PrivScheduleDeliver}
	return k.Add(limits()...).Add(defaultCalendar(), availability(),
		constant("supported-calendar-data", func(w *davxml.Writer) {
			w.Empty(davxml.CalDAV("calendar-data"), "content-type", ical.ContentType, "version", "2.0")
		})).AddReport(reports...)
}()

func (i *inbox) Kind() *dav.Kind                      { return inboxKind }
func (i *inbox) Stat() dav.Stat                       { return dav.Stat{Size: -1, Display: "Inbox"} }
func (i *inbox) Owner() storage.AccountID             { return i.in.Owner() }
func (i *inbox) CanonicalPath() string                { return i.in.CanonicalPath() }
func (i *inbox) Object() storage.Object               { return i.in.Object() }
func (i *inbox) Touch(s *dav.Scope) error             { return i.in.Touch(s) }
func (i *inbox) SyncCollection() storage.CollectionID { return i.in.SyncCollection() }

// Sync is dav.Syncer.
func (i *inbox) Sync(s *dav.Scope, t storage.SyncToken, limit int, infinite bool, fn func([]string, dav.Resource)) (storage.SyncToken, bool, error) {
	return i.in.Sync(s, t, limit, infinite, fn)
}

// Members and Member are dav.Collection and what dav/home finds objects by.
func (i *inbox) Members(s *dav.Scope, after string, fn func(string, dav.Resource) bool) error {
	return i.in.Members(s, after, fn)
}

func (i *inbox) Member(s *dav.Scope, name string) (dav.Resource, error) { return i.in.Member(s, name) }

// Allowed lets who has the home read and clear it, and every member deliver.
func (i *inbox) Allowed(s *dav.Scope) dav.Privileges {
	return dav.PrivRead | dav.PrivReadOwn | dav.PrivUnbind | dav.PrivWriteProperties | dav.PrivScheduleDeliver
}

// Delete is dav.Deleter.
func (i *inbox) Delete(s *dav.Scope, _ string, r dav.Resource) error {
	c, err := calendar.Of(i.in.Collection)
	if err != nil {
		return err
	}
	return calendar.Remove(s.Tx, c, r.(*object).row)
}

// Extra is home.Door: the scheduling collections of a home.
func (d *door) Extra(s *dav.Scope, h *home.Home, name string) (dav.Resource, error) {
	if name == outboxName {
		return &outbox{h}, nil
	}
	c, err := calendar.Inbox(s.Tx, h.Account.ID)
	if err != nil {
		return nil, err
	}
	return &inbox{h.Own(s, c.Collection)}, nil
}

// collection is a calendar or an inbox.
func collection(r dav.Resource) (*home.Collection, bool) {
	switch r := r.(type) {
	case *cal:
		return r.Collection, true
	case *inbox:
		return r.in, true
	}
	return nil, false
}

// mailbox makes the property of principals that names a scheduling collection
// (RFC 6638 §2.1.1, §2.2.1).
func (d *door) mailbox(property, name string) dav.Property {
	return dav.Property{Name: davxml.CalDAV(property), Get: func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		a, err := accounts.Get(s.Tx, r.Owner())
		if err == nil && !slices.Contains(s.Identities, a.ID) {
			err = storage.ErrNotFound
		}
		if err == nil {
			w.Href(d.tree.Path(a.Address, name) + "/")
		}
		return err
	}}
}

// userType is RFC 6638 §2.4.2.
func userType() dav.Property {
	return dav.Property{Name: davxml.CalDAV("calendar-user-type"), Get: func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		a, err := accounts.Get(s.Tx, r.Owner())
		if err == nil {
			w.Text(a.UserType())
		}
		return err
	}}
}

// defaultCalendar is schedule-default-calendar-URL (RFC 6638 §9.2, §4.3.1).
func defaultCalendar() dav.Property {
	get := func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		i := r.(*inbox)
		c, err := calendar.Default(s.Tx, i.in.Account)
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err == nil {
			w.Href(i.in.Home.Tree.Path(i.in.Home.Account.Address, c.Name) + "/")
		}
		return err
	}
	set := func(s *dav.Scope, r dav.Resource, v *davxml.Element) error {
		i := r.(*inbox)
		refused := dav.Forbidden(davxml.CalDAV("valid-schedule-default-calendar-URL"))
		if v == nil {
			return dav.Forbidden(davxml.CalDAV("default-calendar-needed"))
		}
		found, err := s.Find(v.Child(davxml.DAV("href")).Text())
		if c, ok := found.(*cal); err == nil && ok && c.Account == i.in.Account {
			k, err := c.store()
			if err != nil || k.Types()&calendar.Event == 0 {
				return refused
			}
			return calendar.SetDefault(s.Tx, k)
		}
		return refused
	}
	return dav.Property{Name: davxml.CalDAV("schedule-default-calendar-URL"), Get: get, Set: set}
}

// availability is calendar-availability (RFC 7953 §7.2.4): when a member can be
// invited.
func availability() dav.Property {
	return dav.Property{Name: davxml.CalDAV("calendar-availability"), Check: func(v *davxml.Element) error {
		cal, err := ical.Parse([]byte(strings.TrimSpace(v.Text())))
		if err == nil {
			var o *ical.Object
			if o, err = cal.Object(); err == nil && o.Type == "VAVAILABILITY" {
				return nil
			}
		}
		e := dav.Forbidden(davxml.CalDAV("valid-calendar-data"))
		e.Err = err
		return e
	}}
}

// An outbox takes requests for busy time (RFC 6638 §2.1, §5). It never holds
// anything.
type outbox struct{ home *home.Home }

var (
	_ dav.Collection = (*outbox)(nil)
	_ dav.Poster     = (*outbox)(nil)
)

var outboxKind = &dav.Kind{Name: "scheduling outbox", Collection: true, Types: []davxml.Name{davxml.CalDAV("schedule-outbox")}, Features: features,
	Privileges: dav.PrivRead | dav.PrivReadOwn | dav.PrivScheduleSend}

func (o *outbox) Kind() *dav.Kind                   { return outboxKind }
func (o *outbox) Stat() dav.Stat                    { return dav.Stat{Size: -1, Display: "Outbox"} }
func (o *outbox) Owner() storage.AccountID          { return o.home.Owner() }
func (o *outbox) Allowed(*dav.Scope) dav.Privileges { return outboxKind.Privileges }

// Members is dav.Collection: there are none.
func (o *outbox) Members(*dav.Scope, string, func(string, dav.Resource) bool) error { return nil }

// Member finds nothing.
func (o *outbox) Member(*dav.Scope, string) (dav.Resource, error) {
	return nil, storage.ErrNotFound
}

// Post is dav.Poster.
func (o *outbox) Post(x *dav.Exchange) error {
	ask, err := o.receive(x)
	if err != nil {
		return err
	}
	w := &davxml.Writer{}
	w.Root(davxml.CalDAV("schedule-response"), davxml.NS)
	for _, who := range ask.attendees {
		if err := ask.answer(x, w, who); err != nil {
			return err
		}
	}
	w.Close(davxml.CalDAV("schedule-response"))
	x.XML(http.StatusOK, w)
	return nil
}
