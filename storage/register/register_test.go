package register

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func inStore(t *testing.T, fn func(tx *storage.Tx) error) {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func TestReferences(t *testing.T) {
	seen := map[string]bool{}
	for n := range uint64(10_000) {
		r := withCheck(n)
		if seen[r] {
			t.Fatalf("%d: %s is taken", n, r)
		}
		seen[r] = true
		if got, err := ParseReference(Structured(r)); err != nil || got != r {
			t.Fatalf("%s: %v", Structured(r), err)
		}
	}
	for _, good := range []string{"+++090/9337/55493+++", "090933755493", "***090/9337/55493***", "090 9337 55493"} {
		if _, err := ParseReference(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "+++090/9337/55494+++", "09093375549", "0909337554930", "a90933755493", "+++"} {
		if _, err := ParseReference(bad); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestHouseholds(t *testing.T) {
	inStore(t, func(tx *storage.Tx) error {
		a, err := Put(tx, Household{ID: 1, Name: "Dubois", Size: 4})
		if err != nil {
			return err
		}
		b, err := Put(tx, Household{ID: 2, Name: "Peeters", Reference: a.Reference})
		if err != nil || b.Reference == a.Reference {
			t.Errorf("two households with reference %s: %v", b.Reference, err)
		}
		a.Name = "Dubois-Martin"
		again, err := Put(tx, a)
		if err != nil || again.Reference != a.Reference {
			t.Errorf("%+v %v", again, err)
		}
		got, err := ByReference(tx, Structured(a.Reference))
		if err != nil || got.Name != "Dubois-Martin" {
			t.Errorf("%+v %v", got, err)
		}
		n := 0
		if err := Households(tx, func(Household) bool { n++; return true }); err != nil || n != 2 {
			t.Errorf("%d %v", n, err)
		}
		Remove(tx, 1)
		if c, _ := Put(tx, Household{ID: 1}); c.Reference == a.Reference {
			t.Error("a reference was given twice")
		}
		if _, err := Put(tx, Household{ID: 3, Size: -1}); !errors.Is(err, storage.ErrInvalid) {
			t.Error(err)
		}
		return nil
	})
	h := Household{Paid: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)}
	if h.Late(start) || !h.Late(start.AddDate(0, 0, 1)) || (Household{}).Late(start) {
		t.Error("the day of paid-until itself is paid; who never paid is not late")
	}
}

func TestInvitations(t *testing.T) {
	inStore(t, func(tx *storage.Tx) error {
		for _, bad := range []Invitation{{Uses: 1}, {Uses: 0, Expires: start.AddDate(0, 0, 1)}, {Uses: 1, Expires: start.AddDate(3, 0, 0)}} {
			if _, err := Invite(tx, bad, start); !errors.Is(err, storage.ErrInvalid) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		code, err := Invite(tx, Invitation{Uses: 2, Expires: start.AddDate(0, 0, 14), Language: "fr", Size: 3}, start)
		if err != nil {
			return err
		}
		if i, err := Invited(tx, " "+strings.ToUpper(code)+"\n", start); err != nil || i.Size != 3 {
			t.Errorf("as typed from paper: %+v %v", i, err)
		}
		if _, err := Invited(tx, code, start.AddDate(0, 0, 15)); !errors.Is(err, ErrInvitation) {
			t.Errorf("expired: %v", err)
		}
		for i := range 3 {
			if _, err := Take(tx, code, start); (err == nil) != (i < 2) {
				t.Errorf("taken for the %d. time: %v", i+1, err)
			}
		}
		other, _ := Invite(tx, Invitation{Uses: 1, Expires: start.AddDate(0, 0, 1)}, start)
		i, _ := Invited(tx, other, start)
		if err := Withdraw(tx, i.ID); err != nil {
			t.Error(err)
		}
		if err := Withdraw(tx, i.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Error(err)
		}
		if _, err := Invited(tx, other, start); !errors.Is(err, ErrInvitation) {
			t.Error(err)
		}
		for range 5 {
			if _, err := Invite(tx, Invitation{Uses: 1, Expires: start.AddDate(0, 0, 1)}, start); err != nil {
				return err
			}
		}
		if Sweep(tx, start.AddDate(0, 0, 2), 5) || !Sweep(tx, start.AddDate(0, 0, 2), 5) {
			t.Error("five, then none")
		}
		return nil
	})
}

func TestPayments(t *testing.T) {
	inStore(t, func(tx *storage.Tx) error {
		h, _ := Put(tx, Household{ID: 1})
		ref := Structured(h.Reference)
		for _, list := range []string{
			"reference,paid_until\n" + ref + ",2027-01-31\n",
			"\ufeffname;Reference;paid_until;amount\r\nDubois;\"" + ref + "\";28/02/2027;12,50\r\n",
			"reference,paid_until\n" + ref + ",2026-01-01\n",
		} {
			p, err := ReadPayments(strings.NewReader(list))
			if err != nil {
				t.Errorf("%q: %v", list, err)
				continue
			}
			if _, err := Apply(tx, p); err != nil {
				t.Errorf("%q: %v", list, err)
			}
		}
		if h, _ = Get(tx, 1); h.Paid.Format(time.DateOnly) != "2027-02-28" {
			t.Errorf("paid until %v: an earlier day must not move it back", h.Paid)
		}
		for _, bad := range []string{
			"", "reference\n", "reference,paid_until\n" + ref + "\n", "reference,paid_until\n" + ref + ",soon\n",
			"reference,paid_until\n123456789012,2027-01-31\n", "reference,paid_until\n\"" + ref,
			"reference,paid_until\n" + strings.Repeat(fmt.Sprintf("%s,2027-01-31\n", ref), MaxPayments+1),
		} {
			if _, err := ReadPayments(strings.NewReader(bad)); !errors.Is(err, storage.ErrInvalid) {
				t.Errorf("%.60q: %v", bad, err)
			}
		}
		p, _ := ReadPayments(strings.NewReader("reference,paid_until\n" + withCheck(9999) + ",2027-01-31\n"))
		if _, err := Apply(tx, p); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a reference nobody has: %v", err)
		}
		return nil
	})
	if Cell("=1+1") != "'=1+1" || Cell("Dubois") != "Dubois" {
		t.Error("formulas")
	}
}
