package contacts

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"testing"

	"essaim.coop/essaim/storage"
)

// A replica is a client that knows names and entity tags up to a token.
type replica struct {
	token storage.SyncToken
	cards map[string]string
}

// follow brings a replica up to date in pages of limit, as a door does it.
func (r *replica) follow(tx *storage.Tx, id storage.CollectionID, limit int) error {
	for more := true; more; {
		p, err := tx.Sync(r.token, limit)
		if err != nil {
			return err
		}
		for _, item := range p.Changed {
			c, err := ByItem(tx, id, item)
			if err != nil {
				return err
			}
			for _, n := range tx.VacatedNames(id, item, p.Since) {
				r.gone(tx, id, n)
			}
			r.cards[c.Name] = c.ETag()
		}
		for _, item := range p.Removed {
			for _, n := range tx.VacatedNames(id, item, p.Since) {
				r.gone(tx, id, n)
			}
		}
		r.token, more = p.Next, p.More
	}
	return nil
}

// gone drops a name unless another card has it by now.
func (r *replica) gone(tx *storage.Tx, id storage.CollectionID, name string) {
	if _, err := Get(tx, id, name); errors.Is(err, storage.ErrNotFound) {
		delete(r.cards, name)
	}
}

// Whatever happens to a book, and however old a client's token is, afterwards
// the client has what the book has.
func TestSyncModel(t *testing.T) {
	steps := 400
	if os.Getenv("ESSAIM_LONG") != "" {
		steps = 20_000
	}
	h := newHouse(t)
	r := rand.New(rand.NewPCG(6578, 1))
	var id, other storage.CollectionID
	h.Must(func(tx *storage.Tx) error {
		b, err := Create(tx, h.a, "other", now)
		id, other = h.book(tx, h.a).ID, b.ID
		return err
	})
	replicas := make([]replica, 8)
	for i := range replicas {
		replicas[i] = replica{storage.SyncToken{Collection: id}, map[string]string{}}
	}
	truth := map[string]string{}
	for step := range steps {
		ins := []*Incoming{h.prepare(simple(fmt.Sprint(r.IntN(12)), fmt.Sprint("v", step), "x")), h.prepare(simple(fmt.Sprint(r.IntN(12)), fmt.Sprint("w", step), "x"))}
		h.Must(func(tx *storage.Tx) error {
			b, _ := ByID(tx, id)
			o, _ := ByID(tx, other)
			for _, in := range ins {
				if err := change(tx, r, b, o, in); err != nil {
					return err
				}
			}
			return nil
		})
		_ = h.View(func(tx *storage.Tx) error {
			clear(truth)
			if err := Scan(tx, id, "", func(c Card) bool { truth[c.Name] = c.ETag(); return true }); err != nil {
				t.Fatal(err)
			}
			x := &replicas[r.IntN(len(replicas))]
			if r.IntN(40) == 0 {
				*x = replica{storage.SyncToken{Collection: id}, map[string]string{}}
			}
			if err := x.follow(tx, id, 1+r.IntN(5)); err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(x.cards, truth) {
				t.Fatalf("step %d: client has %v, the book %v", step, x.cards, truth)
			}
			return nil
		})
	}
	if len(truth) == 0 {
		t.Error("the book stayed empty")
	}
}

// change does something at random; conflicts change nothing.
func change(tx *storage.Tx, r *rand.Rand, b, o Book, in *Incoming) error {
	name, to := fmt.Sprint(r.IntN(10)), fmt.Sprint(r.IntN(10))
	c, err := Get(tx, b.ID, name)
	here := err == nil
	switch r.IntN(6) {
	case 0:
		if here {
			return Remove(tx, b, c)
		}
	case 1:
		if here {
			if _, err := Move(tx, b, c, b, to, now); !errors.As(err, new(*UIDConflict)) {
				return err
			}
		}
	case 2: // away and back
		if here {
			if _, err := Move(tx, b, c, o, to, now); !errors.As(err, new(*UIDConflict)) {
				return err
			}
		}
	case 3:
		if c, err := Get(tx, o.ID, to); err == nil {
			if _, err := Move(tx, o, c, b, name, now); !errors.As(err, new(*UIDConflict)) {
				return err
			}
		}
	default:
		if _, err := place(tx, b, name, in.card.UID); err == nil {
			_, err := Put(tx, b, name, in, now)
			return err
		}
	}
	return nil
}
