package itip

import (
	"errors"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/recur"
)

// cancel applies CANCEL (RFC 5546 §3.2.5) to the whole or to instances.
func cancel(s *stored, m *Message) (Result, error) {
	if s == nil {
		return Result{Action: Ignored}, nil
	}
	p := s.Edit()
	for _, c := range m.Parts {
		rid := c.Prop("RECURRENCE-ID")
		if rid == nil {
			return s.cancelled(c), nil
		}
		id, err := rid.Stamp()
		if err != nil {
			return Result{}, err
		}
		s.cancelInstance(p, c, id, rid.Param("RANGE") == "THISANDFUTURE")
	}
	if !p.Changed() {
		return Result{Action: Ignored}, nil
	}
	return Result{Action: Stored, Text: p.Apply()}, nil
}

func (s *stored) cancelled(c *ical.Component) Result {
	known := true
	for _, k := range s.Parts {
		if sequence(c) < sequence(k) {
			return Result{Action: Ignored}
		}
		known = known && sequence(c) == sequence(k) && strings.EqualFold(k.Value("STATUS"), "CANCELLED")
	}
	if known {
		return Result{Action: Ignored}
	}
	p := s.Edit()
	for _, k := range s.Parts {
		p.Set(k, ical.Prop{Name: "STATUS", Value: "CANCELLED"})
		if v := c.Value("SEQUENCE"); v != "" {
			p.Set(k, ical.Prop{Name: "SEQUENCE", Value: v})
		}
	}
	return Result{Action: Cancelled, Text: p.Apply()}
}

// cancelInstance takes an instance out of its series, or all from it on.
func (s *stored) cancelInstance(p *ical.Patch, c *ical.Component, id ical.Stamp, future bool) {
	key := idText(id, s.zones)
	master, own := s.Master(), s.by[key]
	if master != nil && !future {
		key = idText(s.like(id), s.zones)
		own = s.by[key]
	}
	if known := own; known != nil && sequence(c) < sequence(known) || known == nil && master != nil && sequence(c) < sequence(master) {
		return
	}
	switch {
	case master == nil && (own == nil || strings.EqualFold(own.Value("STATUS"), "CANCELLED")):
	case master == nil:
		p.Set(own, ical.Prop{Name: "STATUS", Value: "CANCELLED"})
	case future:
		if id = s.like(id); s.lasts(id) {
			s.cancelFrom(p, id)
		}
	case own != nil || s.happens(id):
		if own != nil {
			p.RemoveComponent(own)
		}
		at := s.like(id)
		p.Add(master, ical.Prop{Name: "EXDATE", Params: at.Params(), Value: at.String()})
	}
}

// happens reports whether a series has an instance that is not changed alone.
func (s *stored) happens(id ical.Stamp) bool {
	_, err := s.instance(id)
	return err == nil
}

// lasts reports whether a series has anything at an instance or after it: to end it
// later than it ends would be to make it longer.
func (s *stored) lasts(id ical.Stamp) bool {
	for _, k := range s.Parts {
		if own, ok := k.Stamp("RECURRENCE-ID"); ok && s.like(own).Wall >= id.Wall {
			return true
		}
	}
	series, err := recur.New(s.Parts, s.zones)
	if err != nil {
		return false
	}
	found := false
	err = series.Each(s.zones.Time(id), time.Time{}, func(x recur.Instance) bool {
		found = x.ID.Wall >= id.Wall
		return !found
	})
	return found || errors.Is(err, recur.ErrBudget)
}

// cancelFrom ends a series before an instance.
func (s *stored) cancelFrom(p *ical.Patch, id ical.Stamp) {
	master := s.Master()
	end := ical.Stamp{Wall: id.Wall - 86400, Date: true}
	if !id.Date {
		end = ical.At(s.zones.Time(id).Add(-1e9))
	}
	for _, r := range master.All("RRULE") {
		parts := slices.DeleteFunc(strings.Split(r.Value, ";"), func(x string) bool {
			x = strings.ToUpper(x)
			return strings.HasPrefix(x, "UNTIL=") || strings.HasPrefix(x, "COUNT=")
		})
		q := *r
		q.Value = strings.Join(append(parts, "UNTIL="+end.String()), ";")
		p.Replace(r, q)
	}
	for _, r := range master.All("RDATE") {
		list, _ := r.Stamps()
		var keep []string
		for i, v := range strings.Split(r.Value, ",") {
			if i < len(list) && s.zones.Time(list[i].Start).Before(s.zones.Time(id)) {
				keep = append(keep, v)
			}
		}
		q := *r
		q.Value = strings.Join(keep, ",")
		if p.Remove(r); len(keep) > 0 {
			p.Add(master, q)
		}
	}
	for _, k := range s.Parts {
		if at, ok := k.Stamp("RECURRENCE-ID"); ok && !s.zones.Time(at).Before(s.zones.Time(id)) {
			p.RemoveComponent(k)
		}
	}
}
