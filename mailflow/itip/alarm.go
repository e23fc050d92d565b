package itip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/mailbox"
)

const (
	ringAhead = 366 * 24 * time.Hour // how far the next alarm of a series is looked for
	ringLate  = 24 * time.Hour       // what could not be sent for so long is not any more
	ringBatch = 64                   // objects looked at in one commit
)

// Ring sends the e-mail alarms that are due and returns when the next one is; zero
// when there is none. An alarm and the note that it was sent are one transaction.
func (s *Service) Ring(ctx context.Context) (next time.Time, err error) {
	for ctx.Err() == nil {
		var due []calendar.Alarm
		next = time.Time{}
		now := s.now()
		err := s.DB.View(func(tx *storage.Tx) error {
			calendar.Alarms(tx, func(a calendar.Alarm) bool {
				if a.Due.After(now) {
					next = a.Due
					return false
				}
				due = append(due, a)
				return len(due) < ringBatch
			})
			return nil
		})
		if err != nil || len(due) == 0 {
			return next, err
		}
		if err := s.ring(due, now); err != nil {
			if errors.Is(err, storage.ErrFull) || errors.Is(err, storage.ErrTemporary) || errors.Is(err, storage.ErrReadOnly) {
				s.Log.Warn("alarms", "error", err)
				return now.Add(again), nil
			}
			return next, err
		}
	}
	return next, nil
}

// A ringing is what looking at an object came to.
type ringing struct {
	calendar.Alarm
	next, since time.Time
	to          accounts.Account
	text        []byte // to be sent, nil is nothing
	in          *mailbox.Incoming
}

// ring looks at some objects and commits what it came to.
func (s *Service) ring(due []calendar.Alarm, now time.Time) error {
	var p staged
	var all []*ringing
	for _, a := range due {
		r := s.look(a, now)
		if r.text != nil {
			b, err := p.body(s.DB, r.text)
			if err == nil {
				r.in, err = mailbox.Prepare(b)
			}
			if err != nil {
				p.discard()
				return err
			}
		}
		all = append(all, r)
	}
	err := s.DB.Update(func(tx *storage.Tx) error {
		for _, r := range all {
			err := r.Alarm.Next(tx, r.next, r.since)
			if errors.Is(err, storage.ErrConflict) {
				continue // it has changed, and is looked at again
			}
			if err == nil && r.in != nil {
				err = s.Post(tx, "", r.to.Address, r.in, now)
				if errors.Is(err, storage.ErrQuota) || errors.Is(err, storage.ErrNotFound) {
					s.Log.Warn("alarm dropped", "to", r.to.Address, "error", err)
					err = nil
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	p.discard() // what was not attached
	return err
}

// look finds what an object's alarms want now. One that is not understood has none.
func (s *Service) look(a calendar.Alarm, now time.Time) (r *ringing) {
	r = &ringing{Alarm: a}
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("alarm given up", "calendar", a.Calendar, "item", a.Item, "panic", p)
			r = &ringing{Alarm: a}
		}
	}()
	subject, err := s.alarmed(a, &r.to)
	if err != nil {
		s.Log.Info("no alarms", "calendar", a.Calendar, "item", a.Item, "error", err)
		return r
	}
	until := a.Since.Add(ringAhead)
	ring, ok := filter.NextRing(subject, "EMAIL", a.Since, until)
	switch {
	case !ok && recursBeyond(subject, until):
		r.next, r.since = until, until
	case !ok:
	case ring.At.After(now):
		r.next, r.since = ring.At, a.Since
		if r.next.Nanosecond() != 0 {
			r.next = r.next.Truncate(time.Second)
		}
	default:
		r.next, r.since = a.Due, ring.At
		if now.Sub(ring.At) < ringLate && wanted(ring) {
			r.text = reminder(ring, &r.to, s.Hostname, now)
		}
	}
	return r
}

// recursBeyond reports whether something of an object is after a time.
func recursBeyond(s *filter.Subject, t time.Time) bool {
	_, last := filter.Extent(s)
	return last.IsZero() || last.After(t)
}

// wanted reports whether an alarm is of something that is still to happen, and that
// nobody has put off yet (RFC 9074 §6.1).
func wanted(r filter.Ring) bool {
	c := r.Instance.Comp
	switch strings.ToUpper(c.Value("STATUS")) {
	case "CANCELLED", "COMPLETED":
		return false
	}
	seen, ok := r.Alarm.Stamp("ACKNOWLEDGED")
	return c.Prop("COMPLETED") == nil && !(ok && seen.UTC && seen.Wall >= r.At.Unix())
}

// alarmed reads an object, and whose calendar it is in.
func (s *Service) alarmed(a calendar.Alarm, to *accounts.Account) (*filter.Subject, error) {
	var o calendar.Object
	var name, text string
	err := s.DB.View(func(tx *storage.Tx) error {
		c, err := calendar.ByID(tx, a.Calendar)
		if err != nil {
			return err
		}
		name, text = c.ZoneName(), calendar.ZoneText(tx, c)
		if *to, err = accounts.Get(tx, c.Account); err != nil {
			return err
		}
		o, err = calendar.ByItem(tx, a.Calendar, a.Item)
		return err
	})
	if err != nil {
		return nil, err
	}
	b, err := o.Read(s.DB)
	if err != nil {
		return nil, err
	}
	return filter.ReadText(b, calendar.Location(name, text))
}

// reminder writes an alarm as mail (RFC 5545 §3.6.6): its own text, and what it is
// about. It goes to the owner of the calendar, whoever it names.
func reminder(r filter.Ring, to *accounts.Account, host string, now time.Time) []byte {
	say, ok := languages[to.Language]
	if !ok {
		say = languages["en"]
	}
	title := oneLine(r.Alarm.Text("SUMMARY"))
	if title == "" {
		title = oneLine(r.Instance.Comp.Text("SUMMARY"))
	}
	var rows []row
	if from, ok := r.Instance.Comp.Stamp("DTSTART"); ok && !r.Instance.Undated {
		rows = append(rows, row{say.when, when(from, r.Instance.Start, r.Instance.End)})
	}
	if v := r.Instance.Comp.Text("LOCATION"); v != "" {
		rows = append(rows, row{say.where, clip(oneLine(v), 500)})
	}
	if v := r.Alarm.Text("DESCRIPTION"); v != "" {
		rows = append(rows, row{"", clip(v, 4000)})
	}
	var b bytes.Buffer
	field := func(name, v string) { fmt.Fprintf(&b, "%s: %s\r\n", name, v) }
	field("From", "<"+to.Address+">")
	field("To", "<"+to.Address+">")
	field("Subject", message.EncodeHeader(clip(say.reminder+": "+title, 200)))
	field("Date", now.Format(message.DateFormat))
	field("Message-ID", message.NewID(host))
	field("Auto-Submitted", "auto-generated")
	field("MIME-Version", "1.0")
	field("Content-Type", "text/plain; charset=utf-8")
	field("Content-Transfer-Encoding", "base64")
	b.WriteString("\r\n")
	writeBase64(&b, plainText(say.reminder, title, rows, ""))
	return b.Bytes()
}
