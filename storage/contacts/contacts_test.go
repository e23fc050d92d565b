package contacts

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/format/vcard/vcardtest"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
	"essaim.coop/essaim/storage/storagetest"
)

var now = time.Unix(1_800_000_000, 0)

type house struct {
	*storagetest.Store
	t    testing.TB
	a, b storage.AccountID
}

func newHouse(t testing.TB) *house { return furnish(t, storagetest.Open(t, resource.Check, Check)) }

func furnish(t testing.TB, s *storagetest.Store) *house {
	h := &house{Store: s, t: t}
	h.Must(func(tx *storage.Tx) error {
		h.a, h.b = tx.CreateAccount(tx.CreateHousehold(0)), tx.CreateAccount(tx.CreateHousehold(3000))
		return errors.Join(Ensure(tx, h.a, now), Ensure(tx, h.b, now), Ensure(tx, h.a, now))
	})
	return h
}

func (h *house) prepare(b []byte) *Incoming {
	h.t.Helper()
	in, err := Prepare(h.Body(string(b)))
	if err != nil {
		h.t.Fatal(err, string(b))
	}
	return in
}

// put stores a card in the account's first book.
func (h *house) put(a storage.AccountID, name string, b []byte) (c Card, err error) {
	in := h.prepare(b)
	err = h.Update(func(tx *storage.Tx) error {
		book, err := Open(tx, a, DefaultBook)
		if err == nil {
			c, err = Put(tx, book, name, in, now)
		}
		return err
	})
	return c, err
}

func (h *house) book(tx *storage.Tx, a storage.AccountID) Book {
	b, err := Open(tx, a, DefaultBook)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func simple(uid, fn, mail string) []byte {
	return fmt.Appendf(nil, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%s\r\nFN:%s\r\nEMAIL:%s\r\nEND:VCARD\r\n", uid, fn, mail)
}

func TestBytesComeBack(t *testing.T) {
	h := newHouse(t)
	samples := vcardtest.Cards(300, 1)
	for i := 0; i < len(samples); i += 50 { // groups of puts, as a first sync makes them
		var ins []*Incoming
		for _, s := range samples[i : i+50] {
			ins = append(ins, h.prepare(s.Bytes))
		}
		h.Must(func(tx *storage.Tx) error {
			for j, in := range ins {
				if _, err := Put(tx, h.book(tx, h.a), fmt.Sprintf("%d.vcf", i+j), in, now); err != nil {
					return err
				}
			}
			return nil
		})
	}
	cards := map[string]Card{}
	_ = h.View(func(tx *storage.Tx) error {
		return Scan(tx, h.book(tx, h.a).ID, "", func(c Card) bool { cards[c.Name] = c; return true })
	})
	for i, s := range samples {
		c := cards[fmt.Sprintf("%d.vcf", i)]
		b, err := c.Read(h.DB)
		if err != nil || !bytes.Equal(b, s.Bytes) || c.Size != int64(len(s.Bytes)) {
			t.Errorf("%s: %v, other bytes", s.Shape, err)
		}
		if want := strings.Contains(s.Shape, "group"); c.Group != want {
			t.Errorf("%s: group is %v", s.Shape, c.Group)
		}
	}
}

func TestRefused(t *testing.T) {
	h := newHouse(t)
	for in, want := range map[string]error{
		"": vcard.ErrSyntax,
		"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nEND:VCARD\r\n":                   vcard.ErrSyntax, // no UID
		"BEGIN:VCARD\r\nVERSION:2.1\r\nUID:1\r\nFN:x\r\nEND:VCARD\r\n":          vcard.ErrVersion,
		"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:\xff\r\nEND:VCARD\r\n":       vcard.ErrSyntax,
		string(simple("1", strings.Repeat("x", vcard.MaxBytes), "a@b.example")): vcard.ErrTooLarge,
	} {
		if _, err := Prepare(h.Body(in)); !errors.Is(err, want) {
			t.Errorf("%.60q: %v", in, err)
		}
	}
	for _, name := range []string{"", strings.Repeat("x", resource.MaxName+1)} {
		if _, err := h.put(h.a, name, simple("1", "x", "x")); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("name of %d bytes: %v", len(name), err)
		}
	}
}

func TestReplaceAndConflicts(t *testing.T) {
	h := newHouse(t)
	first, err := h.put(h.a, "a.vcf", simple("1", "Ann", "ann@coop.example"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.put(h.a, "a.vcf", simple("1", "Ann", "ann@coop.example"))
	if err != nil || again != first {
		t.Errorf("the same bytes made another card: %v", err)
	}
	second, err := h.put(h.a, "a.vcf", simple("1", "Anne", "ann@coop.example"))
	if err != nil || second.Item != first.Item || second.ETag() == first.ETag() {
		t.Errorf("%+v after %+v: %v", second, first, err)
	}
	var conflict *UIDConflict
	if _, err = h.put(h.a, "b.vcf", simple("1", "Bob", "b@coop.example")); !errors.As(err, &conflict) || conflict.Name != "a.vcf" || !errors.Is(err, storage.ErrConflict) {
		t.Errorf("a UID that is taken: %v", err)
	}
	if _, err = h.put(h.a, "a.vcf", simple("2", "Bob", "b@coop.example")); !errors.As(err, &conflict) || conflict.Name != "a.vcf" {
		t.Errorf("another UID under the name: %v", err)
	}
	if _, err = h.put(h.b, "a.vcf", simple("1", "Ann", "ann@coop.example")); err != nil {
		t.Errorf("the same UID in another book: %v", err)
	}
	if _, err := h.put(h.b, "big.vcf", simple("3", strings.Repeat("x", 5000), "x")); !errors.Is(err, storage.ErrQuota) {
		t.Errorf("over quota: %v", err)
	}
}

func TestRemoveFreesNameAndUID(t *testing.T) {
	h := newHouse(t)
	c, _ := h.put(h.a, "a.vcf", simple("1", "Ann", "ann@coop.example"))
	h.Must(func(tx *storage.Tx) error { return Remove(tx, h.book(tx, h.a), c) })
	if _, err := c.Read(h.DB); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("body of a removed card: %v", err)
	}
	if _, err := h.put(h.a, "b.vcf", simple("1", "Ann", "ann@coop.example")); err != nil {
		t.Error(err)
	}
	_ = h.View(func(tx *storage.Tx) error {
		if _, err := Get(tx, h.book(tx, h.a).ID, "a.vcf"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a removed card: %v", err)
		}
		if n := tx.VacatedNames(h.book(tx, h.a).ID, c.Item, 0); !slices.Equal(n, []string{"a.vcf"}) {
			t.Errorf("its names were %q", n)
		}
		return nil
	})
}

func TestCopyAndMove(t *testing.T) {
	h := newHouse(t)
	c, _ := h.put(h.a, "a.vcf", simple("1", "Ann", "ann@coop.example"))
	_, _ = h.put(h.a, "z.vcf", simple("9", "Zoe", "zoe@coop.example"))
	var other Book
	h.Must(func(tx *storage.Tx) (err error) {
		if other, err = Create(tx, h.a, "other", now); err != nil {
			return err
		}
		from := h.book(tx, h.a)
		if _, err := Copy(tx, from, c, from, "b.vcf", now); !errors.As(err, new(*UIDConflict)) {
			t.Errorf("a copy in the same book: %v", err)
		}
		n, err := Copy(tx, from, c, other, "b.vcf", now)
		if err != nil || n.Blob != c.Blob || n.ETag() != c.ETag() {
			t.Errorf("copy %+v of %+v: %v", n, c, err)
		}
		if _, err = Move(tx, from, c, from, "z.vcf", now); !errors.As(err, new(*UIDConflict)) {
			t.Errorf("over a card of another UID: %v", err)
		}
		if c, err = Move(tx, from, c, from, "m.vcf", now); err != nil {
			return err
		}
		if again, err := Move(tx, from, c, from, "m.vcf", now); err != nil || again != c {
			t.Errorf("to itself: %v", err)
		}
		_, err = Move(tx, from, c, other, "b.vcf", now) // over its own copy
		return err
	})
	h.Must(func(tx *storage.Tx) error {
		from, _ := ByID(tx, h.book(tx, h.a).ID)
		to, err := ByID(tx, other.ID)
		if err != nil || from.Count != 1 || to.Count != 1 {
			t.Errorf("%d left, %d arrived, %v", from.Count, to.Count, err)
		}
		return Delete(tx, to)
	})
}

func query(t testing.TB, db *storage.DB, b storage.CollectionID, f vcard.Filter) (sure, maybe []string) {
	err := db.View(func(tx *storage.Tx) error {
		return Query(tx, b, &f, 0, func(c Card, is bool) bool {
			if is {
				sure = append(sure, c.Name)
			} else {
				maybe = append(maybe, c.Name)
			}
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return sure, maybe
}

func contains(prop, text string) vcard.Filter {
	return vcard.Filter{Props: []vcard.PropFilter{{Name: prop,
		Texts: []vcard.TextMatch{vcard.NewTextMatch(text, vcard.UnicodeCasemap, vcard.Contains, false)}}}}
}

func TestQuery(t *testing.T) {
	h := newHouse(t)
	_, _ = h.put(h.a, "a.vcf", simple("1", "Ann Élan", "ann@coop.example"))
	_, _ = h.put(h.a, "b.vcf", simple("2", "Bob", "bob@coop.example"))
	huge := "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:3\r\nFN:Big\r\n" + strings.Repeat("EMAIL:"+strings.Repeat("m", 100)+"@coop.example\r\n", 300) + "END:VCARD\r\n"
	if _, err := h.put(h.a, "huge.vcf", []byte(huge)); err != nil {
		t.Fatal(err)
	}
	var id storage.CollectionID
	_ = h.View(func(tx *storage.Tx) error { id = h.book(tx, h.a).ID; return nil })
	for _, tt := range []struct {
		f           vcard.Filter
		sure, maybe string
	}{
		{vcard.Filter{}, "a.vcf b.vcf huge.vcf", ""},
		{contains("FN", "éla"), "a.vcf", "huge.vcf"},
		{contains("EMAIL", "@coop"), "a.vcf b.vcf", "huge.vcf"},
		{contains("NOTE", "x"), "", "a.vcf b.vcf huge.vcf"},
	} {
		sure, maybe := query(t, h.DB, id, tt.f)
		if strings.Join(sure, " ") != tt.sure || strings.Join(maybe, " ") != tt.maybe {
			t.Errorf("%+v: %q, perhaps %q", tt.f, sure, maybe)
		}
	}
}

func TestPurge(t *testing.T) {
	h := newHouse(t)
	for i := range 5 {
		_, _ = h.put(h.a, fmt.Sprint(i), simple(fmt.Sprint(i), "x", "x"))
	}
	rounds := 0
	for left := true; left; rounds++ {
		h.Must(func(tx *storage.Tx) (err error) { left, err = Purge(tx, h.a, 2); return err })
	}
	if rounds < 3 {
		t.Errorf("%d rounds", rounds)
	}
	h.Must(func(tx *storage.Tx) error {
		if n := len(List(tx, h.a)); n != 0 {
			t.Errorf("%d books left", n)
		}
		for i := range resource.MaxCollections {
			if _, err := Create(tx, h.a, fmt.Sprint(i), now); err != nil {
				return err
			}
		}
		if _, err := Create(tx, h.a, "more", now); !errors.Is(err, storage.ErrQuota) {
			t.Errorf("one book too many: %v", err)
		}
		return nil
	})
}

func BenchmarkQuery10000(b *testing.B) {
	h := newHouse(b)
	samples := vcardtest.Cards(10_000, 7)
	for i := 0; i < len(samples); i += 500 {
		var ins []*Incoming
		for _, s := range samples[i : i+500] {
			if len(s.Bytes) > 2000 {
				s.Bytes = simple(s.UID, "No Photo", "x@coop.example")
			}
			ins = append(ins, h.prepare(s.Bytes))
		}
		h.Must(func(tx *storage.Tx) error {
			for j, in := range ins {
				if _, err := Put(tx, h.book(tx, h.a), fmt.Sprint(i+j), in, now); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var id storage.CollectionID
	_ = h.View(func(tx *storage.Tx) error { id = h.book(tx, h.a).ID; return nil })
	f := contains("FN", "dupont")
	for b.Loop() {
		if sure, maybe := query(b, h.DB, id, f); len(sure) == 0 || len(maybe) > 0 {
			b.Fatalf("%d found, %d to open", len(sure), len(maybe))
		}
	}
}
