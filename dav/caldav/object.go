package caldav

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/calendar"
)

// A row is what the store knows of an object.
type row = calendar.Object

type carrying func(tx *storage.Tx, from calendar.Calendar, o calendar.Object, to calendar.Calendar, name string, bare *calendar.Incoming, now time.Time) (calendar.Object, error)

// An object is a calendar object resource.
type object struct {
	in *home.Collection
	row
	foreign bool              // it is not the user's, who has
	own     calendar.Personal // of their own in it

	size    int64           // of what was read for GET
	raw     []byte          // once it was read
	subject *filter.Subject // once it was parsed, for one zone
}

var (
	_ dav.Reader    = (*object)(nil)
	_ dav.Canonical = (*object)(nil)
	_ dav.Holder    = (*object)(nil)
	_ dav.Headed    = (*object)(nil)
	_ dav.Annotated = (*object)(nil)
	_ dav.Weighty   = (*object)(nil)

	_ dav.Conditional = (*object)(nil)
)

// Some clients ask for calendar-data in reports that it is not made for; they are
// given it as if they had said nothing more.
var objectKind = (&dav.Kind{Name: "calendar object", Features: features, Lockable: true,
	Privileges: dav.PrivRead | dav.PrivReadOwn | dav.PrivReadFreeBusy | dav.PrivWriteContent | dav.PrivWriteProperties | dav.PrivUnlock}).
	Add(dav.Property{Name: calendarDataName, Late: (&calendarData{}).write}, scheduleTag()).AddReport(reports...)

func (o *object) Kind() *dav.Kind                     { return objectKind }
func (o *object) Owner() storage.AccountID            { return o.in.Owner() }
func (o *object) Allowed(s *dav.Scope) dav.Privileges { return o.in.Allowed(s) & objectKind.Privileges }
func (o *object) CanonicalPath() string               { return o.in.CanonicalPath() + dav.Path(o.Name) }

// Object is dav.Holder.
func (o *object) Object() storage.Object { return storage.Object{Collection: o.in.ID, Item: o.Item} }

// Content is dav.Reader.
func (o *object) Content(db *storage.DB) (io.ReadCloser, error) {
	if !o.altered() {
		return db.OpenBlob(o.Blob)
	}
	text, err := o.bytes(db)
	if err != nil {
		return nil, err
	}
	o.size = int64(len(text))
	return content{bytes.NewReader(text)}, nil
}

// content is text with ranges.
type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

// Head is dav.Headed (RFC 6638 §8.2).
func (o *object) Head(h http.Header) {
	if tag := o.ScheduleTag(); tag != "" {
		h.Set("Schedule-Tag", `"`+tag+`"`)
	}
}

// Condition is dav.Conditional: If-Schedule-Tag-Match (RFC 6638 §3.2.10, §8.3).
func (o *object) Condition(h http.Header) error {
	want := strings.TrimSpace(h.Get("If-Schedule-Tag-Match"))
	if tag := o.ScheduleTag(); want == "" || tag != "" && want == `"`+tag+`"` {
		return nil
	}
	return dav.Status(http.StatusPreconditionFailed)
}

// mediaTypes are those of objects, by the component that they hold.
var mediaTypes = func() map[calendar.Types]string {
	m := map[calendar.Types]string{}
	for t := calendar.Types(1); t < calendar.AllTypes; t <<= 1 {
		m[t] = ical.ContentType + "; charset=utf-8; component=" + t.Names()[0]
	}
	return m
}()

// Stat names the component, as RFC 4791 §5.3.4 and RFC 5545 §8.1 let it.
func (o *object) Stat() dav.Stat {
	st := dav.Stat{ETag: o.ETag(), Size: o.Size, Type: mediaTypes[o.Type], Modified: o.ModTime(), Created: time.Unix(o.Created, 0)}
	if o.foreign {
		st.ETag, st.Modified = o.ETagFor(o.own), time.Unix(max(o.Modified, o.own.Changed), 0)
	}
	if o.altered() {
		if st.Size = o.size; o.size == 0 {
			st.Size = -1 // until it was made
		}
	}
	return st
}

// Touch is dav.Holder: a client that follows the calendar sees the object changed.
func (o *object) Touch(s *dav.Scope) error {
	k, err := calendar.Of(o.in.Collection)
	if err != nil {
		return err
	}
	return calendar.Touch(s.Tx, k, o.row)
}

// bytes reads the object, outside any transaction.
func (o *object) bytes(db *storage.DB) (_ []byte, err error) {
	if o.raw == nil {
		if o.foreign {
			o.raw, err = calendar.ReadFor(db, &o.row, o.own)
		} else {
			o.raw, err = o.Read(db)
		}
	}
	return o.raw, err
}

// message reports whether it is one in an inbox.
func (o *object) message() bool { return o.in.Collection.Kind == storage.KindInbox }

// parsed reads and parses it; floating times are in a zone that is always the
// same in one request.
func (o *object) parsed(db *storage.DB, floating *time.Location) (*filter.Subject, error) {
	if o.subject == nil {
		raw, err := o.bytes(db)
		if err != nil {
			return nil, err
		}
		if o.subject, err = filter.ReadText(raw, floating); err != nil {
			return nil, err
		}
	}
	return o.subject, nil
}

// forget gives back what was read: a page of answers has many objects.
func (o *object) forget() { o.raw, o.subject = nil, nil }

// scheduleTag is RFC 6638 §9.6.
func scheduleTag() dav.Property {
	return dav.Property{Name: davxml.CalDAV("schedule-tag"), Get: func(_ *dav.Scope, r dav.Resource, w *davxml.Writer) error {
		tag := r.(*object).ScheduleTag()
		if tag == "" {
			return storage.ErrNotFound
		}
		w.Text(`"` + tag + `"`)
		return nil
	}}
}
