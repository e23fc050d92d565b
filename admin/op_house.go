package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/register"
)

// An Overview is what an administrator should know first.
type Overview struct {
	Members     int      `json:"members"`
	Cooperators int      `json:"cooperators"`
	Subscribers int      `json:"subscribers"`
	Waiting     int      `json:"waiting"`
	Late        int      `json:"late"` // households
	Queued      int      `json:"queued"`
	Health      []Health `json:"health"`
}

// Overview counts and looks.
func (d *Desk) Overview(ctx context.Context, _ people.Actor, _ Nothing) (o Overview, err error) {
	if err := d.DB.View(func(tx *storage.Tx) error {
		o.Queued = queue.Count(tx)
		return accounts.List(tx, func(a accounts.Account) bool {
			if a.Group {
				return true
			}
			o.Members++
			o.Cooperators += count(a.Cooperator)
			o.Subscribers += count(a.Subscriber)
			o.Waiting += count(a.Waiting)
			return true
		})
	}); err != nil {
		return o, err
	}
	late, err := d.households(true)
	if err != nil {
		return o, err
	}
	o.Late, o.Health = len(late), d.Health(ctx)
	return o, err
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A Group is an address that several people share.
type Group struct {
	ID      uint32   `json:"id"`
	Address string   `json:"address"`
	Name    string   `json:"name"`
	Forward bool     `json:"forward"` // what is sent to it also goes to each member
	Members []string `json:"members"`
}

// Groups lists them.
func (d *Desk) Groups(_ context.Context, _ people.Actor, in From) (out []Group, err error) {
	err = d.DB.View(func(tx *storage.Tx) error {
		list, err := groups(tx)
		for _, a := range part(list, in) {
			out = append(out, Group{uint32(a.ID), a.Address, a.Name, a.Forward, accounts.Members(tx, a.ID)})
		}
		return err
	})
	return out, err
}

// groups are all of them, in order of their making.
func groups(tx *storage.Tx) (out []accounts.Account, err error) {
	err = accounts.List(tx, func(a accounts.Account) bool {
		if a.Group {
			out = append(out, a)
		}
		return true
	})
	return out, err
}

// AddGroupIn says what to make.
type AddGroupIn struct {
	Address string `json:"address"`
	Name    string `json:"name"`
	Forward bool   `json:"forward,omitempty"`
}

// AddGroup makes a group with a mailbox, a calendar and a folder of its own.
func (d *Desk) AddGroup(_ context.Context, by people.Actor, in AddGroupIn) (out Group, err error) {
	err = d.change(func(tx *storage.Tx, now time.Time) error {
		a, err := people.Join(tx, accounts.NewAccount{Address: in.Address, Name: in.Name, Group: true, Forward: in.Forward}, by, now)
		out = Group{ID: uint32(a.ID), Address: a.Address, Name: a.Name, Forward: a.Forward}
		return err
	})
	return out, err
}

// MembershipIn is an address in a group.
type MembershipIn struct {
	ID
	Member string `json:"member" query:"member"`
}

// JoinGroup puts an address, here or elsewhere, into a group.
func (d *Desk) JoinGroup(_ context.Context, by people.Actor, in MembershipIn) (Nothing, error) {
	return Nothing{}, d.membership(by, in, "group.join", accounts.AddMember)
}

// LeaveGroup takes an address out of a group.
func (d *Desk) LeaveGroup(_ context.Context, by people.Actor, in MembershipIn) (Nothing, error) {
	return Nothing{}, d.membership(by, in, "group.leave", accounts.RemoveMember)
}

func (d *Desk) membership(by people.Actor, in MembershipIn, did string, do func(*storage.Tx, storage.AccountID, string) error) error {
	return d.change(func(tx *storage.Tx, _ time.Time) error {
		g, err := accounts.Get(tx, storage.AccountID(in.ID.ID))
		if err != nil {
			return err
		}
		if !g.Group {
			return fmt.Errorf("%s is no group: %w", g.Address, storage.ErrNotFound)
		}
		if err := do(tx, g.ID, in.Member); err != nil {
			return err
		}
		about := storage.AccountID(0)
		if m, err := accounts.Lookup(tx, in.Member); err == nil {
			about = m.ID
		}
		return d.note(tx, by, did, about, in.Member+", "+g.Address)
	})
}

// DeleteGroup deletes a group with everything in it.
func (d *Desk) DeleteGroup(ctx context.Context, by people.Actor, in ID) (Nothing, error) {
	if err := d.DB.View(func(tx *storage.Tx) error {
		g, err := accounts.Get(tx, storage.AccountID(in.ID))
		if err == nil && !g.Group {
			err = fmt.Errorf("%s is no group: %w", g.Address, storage.ErrNotFound)
		}
		return err
	}); err != nil {
		return Nothing{}, err
	}
	return Nothing{}, people.Delete(ctx, d.DB, storage.AccountID(in.ID), by, d.Now())
}

// LogIn asks for entries before a number.
type LogIn struct {
	Before uint64 `query:"before"`
}

// A LogEntry is one thing that was done.
type LogEntry struct {
	Number uint64    `json:"number"`
	At     time.Time `json:"at"`
	By     string    `json:"by"` // an address, or empty for the command line
	Did    string    `json:"did"`
	About  string    `json:"about,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

// logRows is how much one page of the log has.
const logRows = 200

// Log returns the audit log, newest first. Where members were when they signed
// in is theirs to see, not an administrator's.
func (d *Desk) Log(_ context.Context, _ people.Actor, in LogIn) (out []LogEntry, err error) {
	err = d.DB.View(func(tx *storage.Tx) error {
		return audit.Entries(tx, in.Before, func(e audit.Entry) bool {
			out = append(out, LogEntry{e.Number, e.At, addressOf(tx, e.By), e.Did, addressOf(tx, e.About), e.Detail})
			return len(out) < logRows
		})
	})
	return out, err
}

func addressOf(tx *storage.Tx, id storage.AccountID) string {
	if id == 0 {
		return ""
	}
	a, err := accounts.Get(tx, id)
	if err != nil {
		return fmt.Sprintf("#%d", id)
	}
	return a.Address
}

// Coop is what the cooperative says of itself.
type Coop struct {
	Name    string `json:"name"`
	Domain  string `json:"domain"`
	Where   string `json:"where,omitempty"`
	Contact string `json:"contact,omitempty"`
	Quota   int64  `json:"quota"` // bytes, offered to a new household
	// Languages are what its members speak, the most usual first.
	Languages []string `json:"languages,omitempty"`
}

// Coop returns it.
func (d *Desk) Coop(context.Context, people.Actor, Nothing) (out Coop, err error) {
	err = d.DB.View(func(tx *storage.Tx) error {
		c, err := register.TheCoop(tx)
		out = Coop(c)
		return err
	})
	return out, err
}

// SetCoop writes it.
func (d *Desk) SetCoop(_ context.Context, by people.Actor, in Coop) (Nothing, error) {
	return Nothing{}, d.change(func(tx *storage.Tx, _ time.Time) error {
		if !accounts.LocalDomain(tx, in.Domain) {
			return fmt.Errorf("domain %s: %w", in.Domain, storage.ErrInvalid)
		}
		for _, l := range in.Languages {
			if !slices.Contains(page.Languages, page.Lang(l)) {
				return fmt.Errorf("language %.10q: %w", l, storage.ErrInvalid)
			}
		}
		if err := register.SetCoop(tx, register.Coop(in)); err != nil {
			return err
		}
		return d.note(tx, by, "coop.change", 0, in.Name)
	})
}
