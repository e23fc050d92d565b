package accounts

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"essaim.coop/essaim/storage"
)

func newGroup(tx *storage.Tx, name string) (storage.AccountID, error) {
	g, err := Create(tx, NewAccount{Address: name + "@coop.example", Group: true}, now)
	return g.ID, err
}

// What a group has, and what was given to it, its members have as long as they
// are in it, and what is made later, too.
func TestRightsOfGroupsFollowMembership(t *testing.T) {
	db, ids := newHouse(t)
	zoe, board := ids["zoe"], ids["board"]
	var plans, bram, inbox storage.CollectionID
	update(t, db, func(tx *storage.Tx) error {
		if err := AddMember(tx, board, "zoe@coop.example"); err != nil {
			return err
		}
		for id, owner := range map[*storage.CollectionID]storage.AccountID{&plans: board, &bram: ids["bram"], &inbox: zoe} {
			c, err := tx.CreateCollection(owner, storage.KindFolder, "x", nil, now)
			if err != nil {
				return err
			}
			*id = c.ID
		}
		return tx.SetACL(bram.Object(), board, storage.RightLookup|storage.RightRead)
	})
	want := func(c storage.CollectionID, who storage.AccountID, r storage.Rights) {
		t.Helper()
		_ = db.View(func(tx *storage.Tx) error {
			if got := Rights(tx, Identities(tx, who), c.Object()); got != r {
				t.Errorf("account %d has %q on collection %d, want %q", who, got, c, r)
			}
			return nil
		})
	}
	want(inbox, zoe, storage.OwnerRights)
	want(plans, zoe, storage.GroupRights)
	want(bram, zoe, storage.RightLookup|storage.RightRead)
	want(plans, ids["bram"], 0)
	_ = db.View(func(tx *storage.Tx) error {
		if got := SharedWith(tx, Identities(tx, zoe)); !slices.Equal(got, []storage.Object{bram.Object()}) {
			t.Errorf("shared with zoe: %v", got)
		}
		return nil
	})
	update(t, db, func(tx *storage.Tx) error { return RemoveMember(tx, board, "zoe@coop.example") })
	want(plans, zoe, 0)
	want(bram, zoe, 0)
}

func TestRightsOnItemsAdd(t *testing.T) {
	db, ids := newHouse(t)
	update(t, db, func(tx *storage.Tx) error {
		c, err := tx.CreateCollection(ids["bram"], storage.KindFolder, "x", nil, now)
		if err != nil {
			return err
		}
		item, _, err := tx.PutItem(c, 0, []byte("v"), 0)
		if err != nil {
			return err
		}
		o := storage.Object{Collection: c.ID, Item: item}
		if err := errors.Join(tx.SetACL(c.ID.Object(), ids["zoe"], storage.RightLookup), tx.SetACL(o, ids["zoe"], storage.RightRead)); err != nil {
			return err
		}
		if got := Rights(tx, Identities(tx, ids["zoe"]), o).String(); got != "lr" {
			t.Errorf("on the item: %q", got)
		}
		if got := Rights(tx, Identities(tx, ids["zoe"]), c.ID.Object()).String(); got != "l" {
			t.Errorf("on the collection: %q", got)
		}
		return nil
	})
}

func TestGroupsInGroups(t *testing.T) {
	db, ids := newHouse(t)
	update(t, db, func(tx *storage.Tx) error {
		groups := []storage.AccountID{}
		for i := range maxNesting + 1 {
			g, err := newGroup(tx, fmt.Sprint("g", i))
			if err != nil {
				return err
			}
			groups = append(groups, g)
		}
		if err := AddMember(tx, groups[0], "zoe@coop.example"); err != nil {
			return err
		}
		for i := range maxNesting - 1 {
			if err := AddMember(tx, groups[i+1], fmt.Sprintf("g%d@coop.example", i)); err != nil {
				return err
			}
		}
		if got := Identities(tx, ids["zoe"]); !slices.Equal(got, append([]storage.AccountID{ids["zoe"]}, groups[:maxNesting]...)) {
			t.Errorf("zoe is %v", got)
		}
		for _, pair := range [][2]string{{"g5", "g4"}, {"g0", "g4"}, {"g0", "g0"}} {
			g, err := Lookup(tx, pair[0]+"@coop.example")
			if err != nil {
				return err
			}
			if err := AddMember(tx, g.ID, pair[1]+"@coop.example"); !errors.Is(err, storage.ErrInvalid) {
				t.Errorf("%s in %s: %v", pair[1], pair[0], err)
			}
		}
		return nil
	})
}

func TestMembersAndTheirEnd(t *testing.T) {
	db, ids := newHouse(t)
	board := ids["board"]
	update(t, db, func(tx *storage.Tx) error {
		for _, m := range []string{"zoe@coop.example", "bram+x@coop.example", "friend@elsewhere.example"} {
			if err := AddMember(tx, board, m); err != nil {
				return err
			}
		}
		if got := Members(tx, board); !slices.Equal(got, []string{"bram@coop.example", "friend@elsewhere.example", "zoe@coop.example"}) {
			t.Errorf("members %q", got)
		}
		if err := AddMember(tx, board, "nobody@coop.example"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		if err := AddMember(tx, ids["zoe"], "bram@coop.example"); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("into a person: %v", err)
		}
		if err := errors.Join(RemoveMember(tx, board, "friend@elsewhere.example"), Delete(tx, ids["bram"])); err != nil {
			return err
		}
		if got := Members(tx, board); !slices.Equal(got, []string{"zoe@coop.example"}) {
			t.Errorf("members %q", got)
		}
		if err := RemoveMember(tx, board, "friend@elsewhere.example"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("twice: %v", err)
		}
		if err := Delete(tx, board); err != nil {
			return err
		}
		if got := Identities(tx, ids["zoe"]); len(got) != 1 {
			t.Errorf("zoe is %v", got)
		}
		return nil
	})
}

func TestScopesHaveNames(t *testing.T) {
	for text, want := range map[string]Scope{"all": ScopeAll, "mail": ScopeMail, "files,calendar": ScopeFiles | ScopeCalendar, "contacts": ScopeContacts} {
		if s, err := ParseScope(text); err != nil || s != want || s.String() != text || !s.Valid() {
			t.Errorf("%s: %v %v", text, s, err)
		}
	}
	for _, text := range []string{"", "mail,", "imap", "ALL", "all,mail"} {
		if _, err := ParseScope(text); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if Scope(0).Valid() || Scope(0x80).Valid() {
		t.Error("a scope that is good for nothing, or for who knows what")
	}
}
