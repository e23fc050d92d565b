package storage

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// A syncModel is what a client knows that reads page by page.
type syncModel struct {
	token SyncToken
	names map[string]byte
}

// read follows one page: what a DAV client does with hrefs and 404s.
func (m *syncModel) read(t *testing.T, tx *Tx, limit int) (more bool) {
	t.Helper()
	again, err := tx.ParseSyncToken(m.token.Collection, m.token.String())
	if m.token.Epoch != 0 && (err != nil || again != m.token) {
		t.Fatalf("token %v read back as %v: %v", m.token, again, err)
	}
	p, err := tx.Sync(m.token, limit)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(p.Changed) + len(p.Removed); n > limit || p.More && n == 0 {
		t.Fatalf("%d items on a page of %d, more %v", n, limit, p.More)
	}
	if !p.Initial {
		for _, id := range append(slices.Clone(p.Removed), p.Changed...) {
			for _, name := range tx.VacatedNames(m.token.Collection, id, p.Since) {
				delete(m.names, name)
			}
		}
	}
	for _, id := range p.Changed {
		v := tx.Item(m.token.Collection, id)
		m.names[string(v[1:])] = v[0]
	}
	m.token = p.Next
	return p.More
}

// Clients that read pages of any size, at any time, with changes in between,
// come to know the collection by names although names are left and taken again.
func TestSyncInPagesLeadsToTheCollection(t *testing.T) {
	db := openTest(t, t.TempDir())
	_, id := newFolder(t, db, 0)
	rng := rand.New(rand.NewPCG(3, 4))
	have := map[string]ItemID{}
	truth := map[string]byte{}
	clients := make([]*syncModel, 8)
	for i := range clients {
		clients[i] = &syncModel{token: SyncToken{Collection: id}, names: map[string]byte{}}
	}
	for step := range 300 {
		must(t, db, func(tx *Tx) error {
			c, err := tx.Collection(id)
			for n := range 1 + rng.IntN(20) {
				if err == nil {
					err = randomChange(tx, c, rng, have, truth, byte(n))
				}
			}
			return err
		})
		if err := db.View(func(tx *Tx) error {
			m := clients[step%len(clients)]
			limit := 1 + rng.IntN(12)
			for range rng.IntN(6) {
				m.read(t, tx, limit)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range clients {
		if err := db.View(func(tx *Tx) error {
			for m.read(t, tx, 7) {
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(m.names, truth) {
			t.Errorf("client %d knows %d names, there are %d", i, len(m.names), len(truth))
		}
	}
	closeClean(t, db)
}

// randomChange writes, renames or removes one of few names.
func randomChange(tx *Tx, c *Collection, rng *rand.Rand, have map[string]ItemID, truth map[string]byte, v byte) error {
	name := fmt.Sprint("n", rng.IntN(40))
	item, taken := have[name]
	switch to := fmt.Sprint("n", rng.IntN(40)); {
	case !taken || rng.IntN(3) == 0:
		got, _, err := tx.PutItem(c, item, append([]byte{v}, name...), 0)
		have[name], truth[name] = got, v
		return err
	case have[to] == 0 && rng.IntN(2) == 0:
		if err := tx.Vacate(c, item, name); err != nil {
			return err
		}
		_, _, err := tx.PutItem(c, item, append([]byte{v}, to...), 0)
		have[to], truth[to] = item, v
		delete(have, name)
		delete(truth, name)
		return err
	}
	if err := tx.Vacate(c, item, name); err != nil {
		return err
	}
	_, err := tx.RemoveItem(c, item, 0)
	delete(have, name)
	delete(truth, name)
	return err
}

func TestForeignSyncTokensAreRefused(t *testing.T) {
	db := openTest(t, t.TempDir())
	_, id := newFolder(t, db, 0)
	_, other := newFolder(t, db, 0)
	putItem(t, db, id)
	if err := db.View(func(tx *Tx) error {
		c, err := tx.Collection(id)
		if err != nil {
			return err
		}
		good := tx.SyncToken(c)
		if got, err := tx.ParseSyncToken(id, good.String()); err != nil || got != good {
			t.Errorf("%v: %v, %v", good, got, err)
		}
		restored, future := good, good
		restored.Epoch++
		future.ModSeq++
		for _, s := range []string{"", "data:,", "data:,1-2-3-", good.String() + "-", good.String() + "-x1", " " + good.String(),
			restored.String(), future.String(), "data:,ffffffffff-1-1", "http://example.org/ns/sync/1"} {
			if got, err := tx.ParseSyncToken(id, s); !errors.Is(err, ErrInvalid) {
				t.Errorf("%q: %v, %v", s, got, err)
			}
		}
		if _, err := tx.ParseSyncToken(other, good.String()); !errors.Is(err, ErrInvalid) {
			t.Errorf("token of another collection: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	closeClean(t, db)
}

// The floor takes the vacated names with it and says so.
func TestFloorPassesVacatedNames(t *testing.T) {
	db := openTest(t, t.TempDir())
	_, id := newFolder(t, db, 0)
	gone, kept := putItem(t, db, id), putItem(t, db, id)
	var old SyncToken
	must(t, db, func(tx *Tx) error {
		c, err := tx.Collection(id)
		old = tx.SyncToken(c)
		if err == nil {
			err = tx.Vacate(c, gone, "gone")
		}
		if err == nil {
			_, err = tx.RemoveItem(c, gone, 0)
		}
		return err
	})
	must(t, db, func(tx *Tx) error {
		if got := tx.VacatedNames(id, gone, old.ModSeq); len(got) != 1 || got[0] != "gone" {
			t.Errorf("vacated names %q", got)
		}
		c, err := tx.Collection(id)
		c.LogRows += leastRows + trimBatch // as after many changes
		tx.ReplaceItem(c, kept, []byte("w"))
		return err
	})
	must(t, db, func(tx *Tx) error {
		c, err := tx.Collection(id)
		c.LogRows = 0
		tx.change(c)
		if got := tx.VacatedNames(id, gone, 0); len(got) != 0 {
			t.Errorf("below the floor: %q", got)
		}
		if _, err := tx.Sync(old, 10); !errors.Is(err, ErrFloor) {
			t.Errorf("sync from below the floor: %v", err)
		}
		return err
	})
	closeClean(t, db)
}

func FuzzSyncToken(f *testing.F) {
	for _, t := range []SyncToken{{1, 2, 3, 0, false}, {0xffffffff, 1, 1 << 60, 7, false}, {1, 2, 3, 0, true}, {1, 2, 3, ^ItemID(0), true}} {
		f.Add(t.String())
	}
	f.Add("data:,00000001-2-3-")
	f.Add("data:,-1--2--3")
	f.Fuzz(func(t *testing.T, s string) {
		if tok, ok := readToken(s); ok && tok.String() != s {
			t.Errorf("%q read as %q", s, tok)
		}
	})
}

func FuzzParseRights(f *testing.F) {
	f.Add("lrswipkxtea")
	f.Add("cd")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRights(s)
		if err != nil {
			return
		}
		if again, err := ParseRights(r.String()); err != nil || again != r || !OwnerRights.Has(r) {
			t.Errorf("%q: %v, %v, %v", s, r, again, err)
		}
	})
}
