package admin

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/register"
)

// A Household is one with its members and what they use.
type Household struct {
	ID        uint32    `json:"id"`
	Name      string    `json:"name"`
	Size      int       `json:"size"`  // accounts it may have; 0 is no limit
	Quota     int64     `json:"quota"` // bytes; 0 is no limit
	Used      int64     `json:"used"`
	Paid      time.Time `json:"paidUntil,omitzero"`
	Late      bool      `json:"late"`
	Reference string    `json:"reference"`
	Note      string    `json:"note,omitempty"`
	Members   []string  `json:"members"`
	memberIDs []uint32
}

// HouseholdsIn asks for those that are late, or all.
type HouseholdsIn struct {
	Late bool `query:"late"`
	From
}

// Households lists households that have members, in order of names.
func (d *Desk) Households(_ context.Context, _ people.Actor, in HouseholdsIn) ([]Household, error) {
	out, err := d.households(in.Late)
	return part(out, in.From), err
}

func (d *Desk) households(late bool) (out []Household, err error) {
	err = d.DB.View(func(tx *storage.Tx) error {
		at := map[storage.HouseholdID]int{}
		if err := register.Households(tx, func(h register.Household) bool {
			at[h.ID] = len(out)
			out = append(out, d.household(tx, h))
			return true
		}); err != nil {
			return err
		}
		return accounts.List(tx, func(a accounts.Account) bool {
			if i, ok := at[a.Household]; ok && !a.Group {
				out[i].Members, out[i].memberIDs = append(out[i].Members, a.Address), append(out[i].memberIDs, uint32(a.ID))
			}
			return true
		})
	})
	out = slices.DeleteFunc(out, func(h Household) bool { return late && !h.Late })
	slices.SortStableFunc(out, func(x, y Household) int { return strings.Compare(x.Name, y.Name) })
	return out, err
}

func (d *Desk) household(tx *storage.Tx, h register.Household) Household {
	used, limit := tx.Quota(h.ID)
	return Household{ID: uint32(h.ID), Name: h.Name, Size: h.Size, Quota: limit, Used: used, Paid: h.Paid, Late: h.Late(d.Now()),
		Reference: register.Structured(h.Reference), Note: h.Note}
}

// Household returns one.
func (d *Desk) Household(_ context.Context, _ people.Actor, in ID) (out Household, err error) {
	err = d.DB.View(func(tx *storage.Tx) error {
		h, err := register.Get(tx, storage.HouseholdID(in.ID))
		if err != nil {
			return err
		}
		list, err := people.Household(tx, h.ID)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fmt.Errorf("household %d: %w", in.ID, storage.ErrNotFound)
		}
		out = d.household(tx, h)
		for _, a := range list {
			out.Members, out.memberIDs = append(out.Members, a.Address), append(out.memberIDs, uint32(a.ID))
		}
		return nil
	})
	return out, err
}

// ChangeHouseholdIn says what to change; what is left out stays.
type ChangeHouseholdIn struct {
	ID
	Name  *string `json:"name,omitempty"`
	Size  *int    `json:"size,omitempty"`
	Quota *int64  `json:"quota,omitempty"`
	Paid  *string `json:"paidUntil,omitempty"` // a day, or empty
	Note  *string `json:"note,omitempty"`
}

// ChangeHousehold changes a household.
func (d *Desk) ChangeHousehold(ctx context.Context, by people.Actor, in ChangeHouseholdIn) (Household, error) {
	if _, err := d.Household(ctx, by, in.ID); err != nil {
		return Household{}, err
	}
	err := d.change(func(tx *storage.Tx, _ time.Time) error {
		h, err := register.Get(tx, storage.HouseholdID(in.ID.ID))
		if err != nil {
			return err
		}
		set(&h.Name, in.Name)
		set(&h.Size, in.Size)
		set(&h.Note, in.Note)
		if in.Paid != nil {
			if h.Paid = (time.Time{}); *in.Paid != "" {
				if h.Paid, err = register.ParseDay(*in.Paid); err != nil {
					return err
				}
			}
		}
		if in.Quota != nil {
			if *in.Quota < 0 {
				return fmt.Errorf("quota %d: %w", *in.Quota, storage.ErrInvalid)
			}
			tx.SetQuota(h.ID, *in.Quota)
		}
		if _, err := register.Put(tx, h); err != nil {
			return err
		}
		return d.note(tx, by, "household.change", 0, fmt.Sprintf("household %d", h.ID))
	})
	if err != nil {
		return Household{}, err
	}
	return d.Household(ctx, by, in.ID)
}

// PaymentsIn is a list of payments as register.ReadPayments takes it.
type PaymentsIn struct {
	CSV string `json:"csv"`
}

// PaymentsOut says how many households moved forward.
type PaymentsOut struct {
	Moved int `json:"moved"`
	Lines int `json:"lines"`
}

// Payments notes a list of payments, all of it or nothing.
func (d *Desk) Payments(_ context.Context, by people.Actor, in PaymentsIn) (out PaymentsOut, err error) {
	list, err := register.ReadPayments(strings.NewReader(in.CSV))
	if err != nil {
		return out, err
	}
	out.Lines = len(list)
	err = d.change(func(tx *storage.Tx, _ time.Time) error {
		if out.Moved, err = register.Apply(tx, list); err != nil {
			return err
		}
		return d.note(tx, by, "payments", 0, fmt.Sprintf("%d lines, %d households", out.Lines, out.Moved))
	})
	return out, err
}

// HouseholdsCSV writes the households as a table for a spreadsheet.
func (d *Desk) HouseholdsCSV(context.Context, people.Actor) ([]byte, error) {
	list, err := d.households(false)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("\ufeff") // spreadsheets take it for UTF-8 then
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"name", "members", "reference", "paid_until", "used", "quota", "note"})
	for _, h := range list {
		paid := ""
		if !h.Paid.IsZero() {
			paid = h.Paid.Format(time.DateOnly)
		}
		_ = w.Write([]string{register.Cell(h.Name), register.Cell(strings.Join(h.Members, " ")), strings.Trim(h.Reference, "+"), paid,
			fmt.Sprint(h.Used), fmt.Sprint(h.Quota), register.Cell(h.Note)})
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
