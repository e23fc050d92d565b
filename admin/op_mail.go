package admin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/internal/zone"
	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// A Domain is one the cooperative receives mail for.
type Domain struct {
	Name     string `json:"name"`
	CatchAll string `json:"catchAll,omitempty"`
	AliasOf  string `json:"aliasOf,omitempty"`
}

// Domains lists them.
func (d *Desk) Domains(context.Context, people.Actor, Nothing) (out []Domain, err error) {
	err = d.DB.View(func(tx *storage.Tx) error {
		list, err := accounts.Domains(tx)
		for _, x := range list {
			out = append(out, Domain{x.Name, x.CatchAll, x.AliasOf})
		}
		return err
	})
	return out, err
}

// PutDomain adds a domain or changes what it does.
func (d *Desk) PutDomain(_ context.Context, by people.Actor, in Domain) (Nothing, error) {
	return Nothing{}, d.change(func(tx *storage.Tx, now time.Time) error {
		name, err := accounts.NormalizeDomain(in.Name)
		if err != nil {
			return err
		}
		if err := accounts.SetDomain(tx, accounts.Domain{Name: name, CatchAll: in.CatchAll, AliasOf: in.AliasOf, Created: now}); err != nil {
			return err
		}
		return d.note(tx, by, "domain.change", 0, name)
	})
}

// DomainName names a domain.
type DomainName struct {
	Name string `path:"name" json:"-"`
}

// RemoveDomain removes a domain that no address is in.
func (d *Desk) RemoveDomain(_ context.Context, by people.Actor, in DomainName) (Nothing, error) {
	return Nothing{}, d.change(func(tx *storage.Tx, _ time.Time) error {
		if err := accounts.RemoveDomain(tx, in.Name); err != nil {
			return err
		}
		return d.note(tx, by, "domain.remove", 0, in.Name)
	})
}

// A Finding is one DNS record that a domain should have, and what is there.
type Finding struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Want     string   `json:"want"`
	Purpose  string   `json:"purpose"`
	Required bool     `json:"required"`
	State    string   `json:"state"` // right, missing, differs, unknown
	Found    []string `json:"found,omitempty"`
}

// dnsTime bounds a whole check.
const dnsTime = 20 * time.Second

// ours is ErrNotFound for a domain that is not the cooperative's.
func (d *Desk) ours(domain string) error {
	return d.DB.View(func(tx *storage.Tx) error {
		if !accounts.LocalDomain(tx, domain) {
			return fmt.Errorf("domain %.100s: %w", domain, storage.ErrNotFound)
		}
		return nil
	})
}

// CheckDomain asks the DNS what the world sees of a domain.
func (d *Desk) CheckDomain(ctx context.Context, _ people.Actor, in DomainName) (out []Finding, err error) {
	if err := d.ours(in.Name); err != nil {
		return nil, err
	}
	r := d.resolver()
	ctx, cancel := context.WithTimeout(ctx, dnsTime)
	defer cancel()
	return findings(zone.Check(ctx, r, d.Site(in.Name).Records())), nil
}

// A Queued is mail for another host that waits; what is in it is not shown.
type Queued struct {
	ID         uint64    `json:"id"`
	Sender     string    `json:"sender"`
	Recipients []string  `json:"recipients"`
	Size       int64     `json:"size"`
	Created    time.Time `json:"created"`
	Due        time.Time `json:"due"`
	Attempts   int       `json:"attempts"`
	Held       bool      `json:"held"`
	Why        string    `json:"why,omitempty"` // the other side's last words
}

// Waited is how long it has, at a time.
func (q Queued) Waited(now time.Time) time.Duration { return now.Sub(q.Created) }

// Queue lists what waits, the oldest first.
func (d *Desk) Queue(_ context.Context, _ people.Actor, in From) (out []Queued, err error) {
	rows := in.rows()
	err = d.DB.View(func(tx *storage.Tx) error {
		skip := in.From
		return queue.List(tx, func(e *queue.Entry) bool {
			if skip > 0 {
				skip--
				return true
			}
			q := Queued{ID: e.ID, Sender: e.Sender, Size: e.Size, Created: e.Created, Due: e.Due, Attempts: e.Attempts, Held: e.Hold, Why: e.LastError}
			for _, r := range e.Recipients {
				q.Recipients = append(q.Recipients, r.Addr)
				if q.Why == "" {
					q.Why = r.LastError
				}
			}
			out = append(out, q)
			return len(out) < rows
		})
	})
	return out, err
}

// QueueID names an entry of the queue.
type QueueID struct {
	ID uint64 `path:"id" json:"-"`
}

// Retry tries an entry again now, and lets go of a hold.
func (d *Desk) Retry(_ context.Context, by people.Actor, in QueueID) (Nothing, error) {
	err := d.change(func(tx *storage.Tx, now time.Time) error {
		if err := queue.Retry(tx, in.ID, now); err != nil {
			return err
		}
		return d.note(tx, by, "queue.retry", 0, fmt.Sprint(in.ID))
	})
	if err == nil {
		d.Wake()
	}
	return Nothing{}, err
}

// Hold keeps an entry until it is tried by hand.
func (d *Desk) Hold(_ context.Context, by people.Actor, in QueueID) (Nothing, error) {
	return Nothing{}, d.change(func(tx *storage.Tx, _ time.Time) error {
		if err := queue.Hold(tx, in.ID); err != nil {
			return err
		}
		return d.note(tx, by, "queue.hold", 0, fmt.Sprint(in.ID))
	})
}

// Drop deletes an entry without telling its sender.
func (d *Desk) Drop(_ context.Context, by people.Actor, in QueueID) (Nothing, error) {
	return Nothing{}, d.change(func(tx *storage.Tx, _ time.Time) error {
		if err := queue.Drop(tx, in.ID); err != nil {
			return err
		}
		return d.note(tx, by, "queue.drop", 0, fmt.Sprint(in.ID))
	})
}

// TracesIn asks for traces that say something: an address, a queue number.
type TracesIn struct {
	Query string `query:"q"`
	Kind  string `query:"kind"`
}

// A Trace is the story of one connection or job.
type Trace struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	Start   time.Time `json:"start"`
	Story   string    `json:"story"`
}

// mostTraces is how many are shown at once.
const mostTraces = 50

// FindTraces answers what happened to a message, from what the doors remember.
func (d *Desk) FindTraces(_ context.Context, _ people.Actor, in TracesIn) (out []Trace, err error) {
	q := strings.ToLower(strings.TrimSpace(in.Query))
	for _, t := range d.Traces() {
		if in.Kind != "" && in.Kind != t.Kind {
			continue
		}
		if story := t.String(); strings.Contains(strings.ToLower(story), q) {
			out = append(out, Trace{t.ID, t.Kind, t.Subject, t.Start, story})
		}
		if len(out) == mostTraces {
			break
		}
	}
	return out, nil
}
