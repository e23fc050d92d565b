package resource

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/storagetest"
)

var now = time.Unix(1_800_000_000, 0)

// A house has a store with a book and an inbox.
type house struct {
	*storagetest.Store
	a           storage.AccountID
	book, inbox storage.CollectionID
}

func newHouse(t testing.TB) *house { return furnish(storagetest.Open(t, Check)) }

func furnish(s *storagetest.Store) *house {
	h := &house{Store: s}
	h.Must(func(tx *storage.Tx) error {
		h.a = tx.CreateAccount(tx.CreateHousehold(5000))
		b, err := Create(tx, h.a, storage.KindAddressBook, "book", nil, now)
		i, err1 := Create(tx, h.a, storage.KindInbox, "inbox", nil, now)
		h.book, h.inbox = b.ID, i.ID
		return errors.Join(err, err1)
	})
	return h
}

// put does what a room does; the tail is the name.
func (h *house) put(id storage.CollectionID, name, uid, text string) (r Resource, err error) {
	body := h.Body(text)
	err = h.Update(func(tx *storage.Tx) error {
		c, err := tx.Collection(id)
		if err != nil {
			return err
		}
		old, _, err := Place(tx, c, name, uid)
		if err != nil {
			return err
		}
		r = Of(body, uid)
		r.Name, r.Created, r.Modified = name, now.Unix()+int64(len(text)), now.Unix()
		r.Blob = tx.Attach(body)
		return Put(tx, c, &r, &old, []byte(name))
	})
	return r, err
}

func TestBytesNamesAndUIDs(t *testing.T) {
	h := newHouse(t)
	one, err := h.put(h.book, "one", "1", "first")
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.put(h.book, "one", "1", "second")
	if err != nil || again.Item != one.Item || again.Created != one.Created || again.ETag() == one.ETag() || again.Same(&one) {
		t.Errorf("%+v after %+v: %v", again, one, err)
	}
	if b, err := again.Read(h.DB); string(b) != "second" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := one.Read(h.DB); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a body that was replaced: %v", err)
	}
	_ = h.View(func(tx *storage.Tx) error {
		for _, find := range []func() (Resource, []byte, error){
			func() (Resource, []byte, error) { return Get(tx, h.book, "one") },
			func() (Resource, []byte, error) { return ByUID(tx, h.book, "1") },
			func() (Resource, []byte, error) { return ByItem(tx, h.book, one.Item) },
		} {
			if r, tail, err := find(); r != again || string(tail) != "one" || err != nil {
				t.Errorf("%+v %q %v, want %+v", r, tail, err, again)
			}
		}
		if _, _, err := Get(tx, h.book, strings.Repeat("x", MaxName+1)); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a name that is too long: %v", err)
		}
		return nil
	})
}

func TestRefused(t *testing.T) {
	h := newHouse(t)
	_, _ = h.put(h.book, "one", "1", "first")
	var conflict *UIDConflict
	if _, err := h.put(h.book, "two", "1", "x"); !errors.As(err, &conflict) || conflict.Name != "one" || !errors.Is(err, storage.ErrConflict) {
		t.Errorf("a UID that is taken: %v", err)
	}
	if _, err := h.put(h.book, "one", "2", "x"); !errors.As(err, &conflict) || conflict.Name != "one" {
		t.Errorf("another UID under the name: %v", err)
	}
	for _, name := range []string{"", strings.Repeat("x", MaxName+1)} {
		if _, err := h.put(h.book, name, "3", "x"); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("name of %d bytes: %v", len(name), err)
		}
	}
	if _, err := h.put(h.book, "big", "3", strings.Repeat("x", 6000)); !errors.Is(err, storage.ErrQuota) {
		t.Errorf("over quota: %v", err)
	}
	for _, name := range []string{"a", "b"} { // two messages about one thing
		if _, err := h.put(h.inbox, name, "1", "x"); err != nil {
			t.Errorf("inbox: %v", err)
		}
	}
	_ = h.Update(func(tx *storage.Tx) error {
		for i := range MaxCollections - 1 {
			if _, err := Create(tx, h.a, storage.KindAddressBook, fmt.Sprint(i), nil, now); err != nil {
				t.Error(err)
			}
		}
		if _, err := Create(tx, h.a, storage.KindAddressBook, "more", nil, now); !errors.Is(err, storage.ErrQuota) {
			t.Errorf("one too many: %v", err)
		}
		return errors.New("undo")
	})
}

func TestRenameAndRemoveLeaveNames(t *testing.T) {
	h := newHouse(t)
	r, _ := h.put(h.book, "a", "1", "text")
	_, _ = h.put(h.book, "z", "9", "text")
	h.Must(func(tx *storage.Tx) error {
		c, _ := tx.Collection(h.book)
		if err := Rename(tx, c, &r, nil, "z"); !errors.As(err, new(*UIDConflict)) {
			t.Errorf("over another: %v", err)
		}
		if err := Rename(tx, c, &r, nil, ""); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("to no name: %v", err)
		}
		return errors.Join(Rename(tx, c, &r, []byte("new"), "b"), Rename(tx, c, &r, nil, "b"))
	})
	h.Must(func(tx *storage.Tx) error {
		c, _ := tx.Collection(h.book)
		if got, tail, err := Get(tx, h.book, "b"); got != r || string(tail) != "new" || err != nil {
			t.Errorf("%+v %q %v, want %+v", got, tail, err, r)
		}
		return Remove(tx, c, &r)
	})
	_ = h.View(func(tx *storage.Tx) error {
		if n := tx.VacatedNames(h.book, r.Item, 0); !slices.Equal(n, []string{"a", "b"}) {
			t.Errorf("names left: %q", n)
		}
		for _, name := range []string{"a", "b"} {
			if _, _, err := Get(tx, h.book, name); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%s is still there: %v", name, err)
			}
		}
		return nil
	})
	if _, err := h.put(h.book, "c", "1", "text"); err != nil {
		t.Errorf("the UID is not free: %v", err)
	}
}

func TestScan(t *testing.T) {
	h := newHouse(t)
	for i, name := range []string{"c", "a", "b"} {
		_, _ = h.put(h.book, name, fmt.Sprint(i), name)
	}
	stop := errors.New("stop")
	_ = h.View(func(tx *storage.Tx) error {
		var got []string
		collect := func(r Resource, tail []byte) (bool, error) {
			got = append(got, r.Name+string(tail))
			return r.Name != "b", nil
		}
		if err := errors.Join(Scan(tx, h.book, "", collect), Scan(tx, h.book, "b", collect), Items(tx, h.book, 0, ^storage.ItemID(0), collect)); err != nil {
			t.Error(err)
		}
		if strings.Join(got, " ") != "aa bb cc cc aa bb" {
			t.Errorf("%q", got)
		}
		fail := func(Resource, []byte) (bool, error) { return true, stop }
		if err := Scan(tx, h.book, "", fail); !errors.Is(err, stop) {
			t.Error(err)
		}
		if err := Items(tx, h.book, 2, 3, fail); !errors.Is(err, stop) {
			t.Error(err)
		}
		return nil
	})
}

func TestPurge(t *testing.T) {
	h := newHouse(t)
	for i := range 5 {
		_, _ = h.put(h.book, fmt.Sprint(i), fmt.Sprint(i), "x")
	}
	rounds := 0
	for left := true; left; rounds++ {
		h.Must(func(tx *storage.Tx) (err error) {
			left, err = Purge(tx, tx.Collections(h.a, storage.KindAddressBook), 2, func(c *storage.Collection, id storage.ItemID) error {
				r, _, err := ByItem(tx, c.ID, id)
				if err == nil {
					err = Remove(tx, c, &r)
				}
				return err
			}, tx.DeleteCollection)
			return err
		})
	}
	_ = h.View(func(tx *storage.Tx) error {
		if _, err := tx.Collection(h.book); rounds != 3 || !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("after %d rounds: %v", rounds, err)
		}
		return nil
	})
}

// Each kind of damage is found, and named.
func TestCheckFindsDamage(t *testing.T) {
	for name, tt := range map[string]struct {
		harm func(tx *storage.Tx, c *storage.Collection, r Resource)
		want string
	}{
		"name lost":       {func(tx *storage.Tx, c *storage.Collection, r Resource) { tx.Delete(nameKey(c.ID, r.Name)) }, `name "a" leads to 0`},
		"UID lost":        {func(tx *storage.Tx, c *storage.Collection, r Resource) { tx.Delete(uidKey(c.ID, r.UID)) }, `UID "1" leads to 0`},
		"row damaged":     {func(tx *storage.Tx, c *storage.Collection, r Resource) { tx.ReplaceItem(c, r.Item, []byte("x")) }, "row"},
		"name of nothing": {func(tx *storage.Tx, c *storage.Collection, r Resource) { tx.Put(nameKey(c.ID, "x"), itemValue(77)) }, "a name leads to resource"},
		"UID of nothing":  {func(tx *storage.Tx, c *storage.Collection, r Resource) { tx.Put(uidKey(c.ID, "x"), itemValue(77)) }, "a UID leads to resource"},
		"body released":   {func(tx *storage.Tx, _ *storage.Collection, r Resource) { tx.Release(r.Blob) }, "is missing"},
		"size":            {func(tx *storage.Tx, c *storage.Collection, r Resource) { r.Size++; _ = Touch(tx, c, &r, nil) }, "its resources and properties have"},
	} {
		h := furnish(storagetest.OpenUnchecked(t, Check))
		r, err := h.put(h.book, "a", "1", "text")
		if err != nil {
			t.Fatal(err)
		}
		h.Must(func(tx *storage.Tx) error {
			c, err := tx.Collection(h.book)
			tt.harm(tx, c, r)
			return err
		})
		if p := strings.Join(h.Problems(), "\n"); !strings.Contains(p, tt.want) {
			t.Errorf("%s: want %q in %q", name, tt.want, p)
		}
	}
}

func FuzzRow(f *testing.F) {
	r := Resource{Name: "a.vcf", UID: "urn:uuid:1", Blob: 7, Size: 300, Created: 1, Modified: 2}
	f.Add(r.row([]byte("tail")))
	f.Add([]byte{rowFormat})
	f.Fuzz(func(t *testing.T, row []byte) {
		r, tail, err := parse(3, row)
		if err != nil {
			return
		}
		again, rest, err := parse(3, r.row(tail))
		if err != nil || again != r || !bytes.Equal(rest, tail) {
			t.Errorf("%+v %x became %+v %x: %v", r, tail, again, rest, err)
		}
	})
}
