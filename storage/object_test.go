package storage

import (
	"errors"
	"strings"
	"testing"
)

// newFolder makes an account with a collection of files.
func newFolder(t testing.TB, db *DB, quota int64) (a AccountID, id CollectionID) {
	t.Helper()
	must(t, db, func(tx *Tx) error {
		a = tx.CreateAccount(tx.CreateHousehold(quota))
		c, err := tx.CreateCollection(a, KindFolder, "files", nil, when)
		if err == nil {
			id = c.ID
		}
		return err
	})
	return a, id
}

func putItem(t testing.TB, db *DB, id CollectionID) (item ItemID) {
	t.Helper()
	must(t, db, func(tx *Tx) error {
		c, err := tx.Collection(id)
		if err == nil {
			item, _, err = tx.PutItem(c, 0, []byte("v"), 0)
		}
		return err
	})
	return item
}

func TestRightsAreLetters(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"", ""}, {"aetxkpiwsrl", "lrswipkxtea"}, {"rl", "lr"}, {"c", "kx"}, {"d", "te"}, {"lrd", "lrte"},
	} {
		if r, err := ParseRights(c.in); err != nil || r.String() != c.out {
			t.Errorf("%q: %v, %v", c.in, r, err)
		}
	}
	if _, err := ParseRights("lrz"); !errors.Is(err, ErrInvalid) {
		t.Errorf("z: %v", err)
	}
	if OwnerRights.String() != rightLetters || GroupRights.Has(RightAdminister) || !OwnerRights.Has(GroupRights) {
		t.Errorf("owner %v, group %v", OwnerRights, GroupRights)
	}
}

func TestRightsOnItemsAndCollections(t *testing.T) {
	db := openTest(t, t.TempDir())
	_, id := newFolder(t, db, 0)
	other, _ := newFolder(t, db, 0)
	item := putItem(t, db, id)
	sub := Object{id, item}
	must(t, db, func(tx *Tx) error {
		if err := tx.SetACL(id.Object(), other, RightLookup); err != nil {
			return err
		}
		return tx.SetACL(sub, other, RightLookup|RightRead)
	})
	must(t, db, func(tx *Tx) error {
		if got := tx.SharedItems(id); len(got) != 2 || got[0] != 0 || got[1] != sub.Item {
			t.Errorf("items with entries: %v", got)
		}
		if got := tx.SharedWith(other); len(got) != 2 || got[0] != id.Object() || got[1] != sub {
			t.Errorf("shared with: %v", got)
		}
		if acl := tx.ACL(sub); len(acl) != 1 || acl[0] != (ACE{other, RightLookup | RightRead}) {
			t.Errorf("ACL of the item: %v", acl)
		}
		if err := tx.SetACL(Object{id, 99}, other, RightRead); !errors.Is(err, ErrNotFound) {
			t.Errorf("rights on nothing: %v", err)
		}
		if err := tx.SetACL(sub, 99, RightRead); !errors.Is(err, ErrNotFound) {
			t.Errorf("rights of nobody: %v", err)
		}
		c, err := tx.Collection(id)
		if err == nil {
			_, err = tx.RemoveItem(c, item, 0)
		}
		return err
	})
	must(t, db, func(tx *Tx) error {
		if got := tx.SharedWith(other); len(got) != 1 || got[0] != id.Object() {
			t.Errorf("after the item went: %v", got)
		}
		return nil
	})
	closeClean(t, db)
}

// What an account had on the things of others goes with it.
func TestDeletedAccountLeavesNoRights(t *testing.T) {
	db := openTest(t, t.TempDir())
	_, id := newFolder(t, db, 0)
	must(t, db, func(tx *Tx) error {
		guest := tx.CreateAccount(tx.CreateHousehold(0))
		if err := tx.SetACL(id.Object(), guest, RightRead); err != nil {
			return err
		}
		if err := tx.SetProperty(id.Object(), guest, "colour", []byte("red")); err != nil {
			return err
		}
		if err := tx.SetProperty(AccountObject(guest), 0, "motto", []byte("x")); err != nil {
			return err
		}
		if err := tx.DeleteAccount(guest); err != nil {
			return err
		}
		if acl := tx.ACL(id.Object()); len(acl) != 0 || tx.Property(id.Object(), guest, "colour") != nil {
			t.Errorf("left: %v", acl)
		}
		return nil
	})
	closeClean(t, db)
}

func TestPropertiesAreSharedOrPersonalAndCharged(t *testing.T) {
	db := openTest(t, t.TempDir())
	a, id := newFolder(t, db, 200)
	item := Object{id, putItem(t, db, id)}
	must(t, db, func(tx *Tx) error {
		if tx.HasProperties(id) {
			t.Error("properties before there are any")
		}
		for owner, v := range map[AccountID]string{0: "red", a: "blue"} {
			if err := tx.SetProperty(item, owner, "colour", []byte(v)); err != nil {
				return err
			}
		}
		return tx.SetProperty(item, 0, "empty", []byte{})
	})
	used := func(tx *Tx) int64 { n, _ := tx.Quota(tx.Household(a)); return n }
	must(t, db, func(tx *Tx) error {
		if !tx.HasProperties(id) || tx.HasProperties(id+1) {
			t.Error("properties of another collection")
		}
		if got := string(tx.Property(item, 0, "colour")) + string(tx.Property(item, a, "colour")); got != "redblue" {
			t.Errorf("values: %q", got)
		}
		if tx.Property(item, 0, "empty") == nil || used(tx) != int64(len("colourred"+"colourblue"+"empty")) {
			t.Errorf("%d bytes used", used(tx))
		}
		if err := tx.SetProperty(item, 0, "long", make([]byte, 300)); !errors.Is(err, ErrQuota) {
			t.Errorf("over quota: %v", err)
		}
		return tx.SetProperty(item, a, "colour", nil)
	})
	must(t, db, func(tx *Tx) error {
		if owners := tx.PropertyOwners(item); len(owners) != 0 {
			t.Errorf("owners left: %v", owners)
		}
		c, err := tx.Collection(id)
		if err == nil {
			_, err = tx.RemoveItem(c, item.Item, 0)
		}
		if used(tx) != 0 {
			t.Errorf("%d bytes used by nothing", used(tx))
		}
		return err
	})
	closeClean(t, db)
}

func TestPropertiesAreBounded(t *testing.T) {
	db := openTest(t, t.TempDir())
	a, id := newFolder(t, db, 0)
	refused := func(name string, v []byte) {
		t.Helper()
		err := db.Update(func(tx *Tx) error { return tx.SetProperty(id.Object(), a, name, v) })
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%.10s with %d bytes: %v", name, len(v), err)
		}
	}
	refused("", []byte{})
	refused(strings.Repeat("n", MaxPropertyName+1), []byte("v"))
	refused("n", make([]byte, MaxPropertyBytes))
	must(t, db, func(tx *Tx) error {
		for i := range MaxProperties {
			if err := tx.SetProperty(id.Object(), a, strings.Repeat("n", i+1), []byte("v")); err != nil {
				return err
			}
		}
		return tx.SetProperty(id.Object(), a, "n", []byte("w"))
	})
	refused("one more", []byte("v"))
	closeClean(t, db)
}

func TestCopiedProperties(t *testing.T) {
	db := openTest(t, t.TempDir())
	a, id := newFolder(t, db, 0)
	from, to := Object{id, putItem(t, db, id)}, Object{id, putItem(t, db, id)}
	must(t, db, func(tx *Tx) error {
		for _, err := range []error{
			tx.SetProperty(from, 0, "shared", []byte("1")), tx.SetProperty(from, a, "own", []byte("2")),
			tx.SetProperty(to, 0, "old", []byte("3")), tx.CopyProperties(from, to),
		} {
			if err != nil {
				return err
			}
		}
		if tx.Property(to, 0, "old") != nil || tx.Property(to, 0, "shared") == nil || tx.Property(to, a, "own") != nil {
			t.Error("a copy has the shared properties and no others")
		}
		if err := tx.CopyProperties(from, to, tx.PropertyOwners(from)...); err != nil {
			return err
		}
		if tx.Property(to, a, "own") == nil {
			t.Error("a copy for named owners lacks theirs")
		}
		return nil
	})
	closeClean(t, db)
}
