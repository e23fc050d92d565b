// Package caldav is the door to calendars: events, to-dos and journals for every
// program that speaks CalDAV.
//
// What it promises: an object is given back byte for byte as it was stored; what
// was refused was refused with the precondition that names why, and the reason in
// words. Queries see every instance of what recurs, its exceptions and its
// alarms, however far away; they open only objects that the index by time cannot
// rule out. All calendars a member can see are in one home; name, colour, order
// and default alarms of those of others are the member's own. So are the alarms in
// objects of others and of groups, and whether an event there takes up one's time:
// no member is shown another's, nor the owner's, and to set them takes the right
// to read and to keep a state of one's own (RFC 4314 §2.1, s). Alarms by e-mail
// are everybody's, as the server sends them to the owner.
//
//	RFC 4791   CalDAV           done
//	RFC 5545   iCalendar 2.0    done; RSCALE (RFC 7529), xCal and jCal refused
//	RFC 5689   extended MKCOL   done
//	RFC 6578   sync-collection  done
//	RFC 6638   scheduling       done: implicit scheduling (the messages are made and
//	                            applied right after the answer, in mailflow/itip),
//	                            inbox, busy time by the outbox; its privileges are
//	                            every member's and cannot be set
//	RFC 7809   time zones       calendar-timezone-id and CALDAV:timezone-id; there
//	                            is no time zone service to name, so it is not
//	                            announced
//	RFC 7953   availability     done, calendar-availability of the inbox included
//	CS:getctag, calendar-color, calendar-order (Apple) done
package caldav

import (
	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// Prefix is where Mount puts the calendars.
const Prefix = "/dav/calendars/"

var features = []string{"calendar-access", "calendar-auto-schedule", "calendar-availability"} // RFC 4791 §5.1, 6638 §2, 7953 §7.1

// A door is dav/home's for calendars.
type door struct{ tree *home.Tree }

var _ home.Door = (*door)(nil)

// Mount puts the calendars of everybody into an engine.
func Mount(e *dav.Engine) {
	d := &door{}
	d.tree = home.New(home.Options{
		Prefix: Prefix, Storage: storage.KindCalendar, Type: davxml.CalDAV("calendar"),
		Default: calendar.DefaultCalendar, Labels: home.Words{EN: "Calendar", FR: "Calendrier", NL: "Agenda"},
		Reserved: []string{inboxName, outboxName},
		Home:     homeKind(), Collection: calendarKind(),
	}, d)
	e.Principal.Features = append(e.Principal.Features, features...)
	e.Principal.Add(d.tree.HomeSet(davxml.CalDAV("calendar-home-set")), userAddresses(), userType(),
		d.mailbox("schedule-inbox-URL", inboxName), d.mailbox("schedule-outbox-URL", outboxName))
	e.Mount(Prefix, d.tree)
}

func homeKind() *dav.Kind {
	k := &dav.Kind{Name: "calendar home", Features: features, MkCalendar: true,
		Privileges: dav.PrivRead | dav.PrivReadOwn | dav.PrivWrite | dav.PrivReadFreeBusy}
	return k.Add(limits()...)
}

// userAddresses are how others invite a member or a group (RFC 6638 §2.4.1); the
// first is the one to write with.
func userAddresses() dav.Property {
	return dav.Property{Name: davxml.CalDAV("calendar-user-address-set"), Get: func(s *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		a, err := accounts.Get(s.Tx, r.Owner())
		if err != nil {
			return err
		}
		w.Open(davxml.DAV("href"), "preferred", "1")
		w.Text("mailto:" + a.Address)
		w.Close(davxml.DAV("href"))
		if a.ID == s.User {
			for _, other := range accounts.Addresses(s.Tx, a.ID) {
				if other != a.Address {
					w.Href("mailto:" + other)
				}
			}
		}
		return nil
	}}
}

// Collection, Make, Remove and Extra are home.Door.
func (d *door) Collection(c *home.Collection) dav.Collection { return &cal{c} }

func (d *door) Make(s *dav.Scope, owner storage.AccountID, name string) (*storage.Collection, error) {
	c, err := calendar.Create(s.Tx, owner, name, calendar.AllTypes, s.Now)
	return c.Collection, err
}

func (d *door) Remove(s *dav.Scope, c *storage.Collection) error {
	k, err := calendar.Of(c)
	if err != nil {
		return err
	}
	if err := cancelAll(s, k); err != nil {
		return err
	}
	return calendar.Delete(s.Tx, k)
}

// Item, Run, Named and Items are home.Door.
func (d *door) Item(s *dav.Scope, c *home.Collection, id storage.ItemID) (string, dav.Resource, error) {
	o, err := calendar.ByItem(s.Tx, c.ID, id)
	if err != nil {
		return "", nil, err
	}
	return o.Name, newObject(s, c, o), nil
}

func (d *door) Run(s *dav.Scope, c *home.Collection, from, to storage.ItemID, fn func(string, dav.Resource)) error {
	return calendar.Items(s.Tx, c.ID, from, to, func(k calendar.Object) bool { fn(k.Name, newObject(s, c, k)); return true })
}

func (d *door) Named(s *dav.Scope, c *home.Collection, name string) (dav.Resource, error) {
	o, err := calendar.Get(s.Tx, c.ID, name)
	if err != nil {
		return nil, err
	}
	return newObject(s, c, o), nil
}

func (d *door) Items(s *dav.Scope, c *home.Collection, after string, fn func(string, dav.Resource) bool) error {
	return calendar.Scan(s.Tx, c.ID, after, func(o calendar.Object) bool { return fn(o.Name, newObject(s, c, o)) })
}
