package locks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

var now = time.Unix(1_800_000_000, 0)

func newStore(t testing.TB) (*storage.DB, storage.AccountID) {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var a storage.AccountID
	update(t, db, func(tx *storage.Tx) error { a = tx.CreateAccount(tx.CreateHousehold(0)); return nil })
	t.Cleanup(func() {
		r, err := db.Check(context.Background(), storage.CheckOptions{Hooks: []storage.CheckHook{Check}})
		if err != nil || !r.Clean() {
			t.Errorf("check: %v %q", err, r.Problems)
		}
		db.Close()
	})
	return db, a
}

func update(t testing.TB, db *storage.DB, fn func(*storage.Tx) error) {
	t.Helper()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func lock(a storage.AccountID, root string, depth string, scope string) Lock {
	return Lock{Token: NewToken(), Root: root, Infinite: depth == "infinity", Shared: scope == "shared", Creator: a, Until: now.Add(time.Hour)}
}

func TestTokensAreRandomUUIDs(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || len(a) != len("urn:uuid:00000000-0000-4000-8000-000000000000") || a[23] != '4' {
		t.Errorf("%s %s", a, b)
	}
	if _, err := uuid(a); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "urn:uuid:", "opaquelocktoken:" + a[9:], a + "0", a[:20]} {
		if _, err := uuid(bad); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// RFC 4918 §6.1, 6.2, 7.4: what stands in the way of what.
func TestWhatExcludesWhat(t *testing.T) {
	for _, c := range []struct {
		held, wanted [3]string // root, depth, scope
		conflict     bool
	}{
		{[3]string{"/a", "0", "exclusive"}, [3]string{"/a", "0", "exclusive"}, true},
		{[3]string{"/a", "0", "exclusive"}, [3]string{"/a/", "0", "shared"}, true},
		{[3]string{"/a", "0", "shared"}, [3]string{"/a", "0", "shared"}, false},
		{[3]string{"/a", "0", "exclusive"}, [3]string{"/a/b", "0", "exclusive"}, false},
		{[3]string{"/a", "infinity", "exclusive"}, [3]string{"/a/b", "0", "exclusive"}, true},
		{[3]string{"/a", "infinity", "exclusive"}, [3]string{"/ab", "0", "exclusive"}, false},
		{[3]string{"/a/b", "0", "exclusive"}, [3]string{"/a", "infinity", "exclusive"}, true},
		{[3]string{"/a/b", "0", "exclusive"}, [3]string{"/a", "0", "exclusive"}, false},
		{[3]string{"/a/b", "0", "shared"}, [3]string{"/a", "infinity", "shared"}, false},
		{[3]string{"/", "infinity", "exclusive"}, [3]string{"/a/b/c", "0", "shared"}, true},
		{[3]string{"/a/b/c", "0", "shared"}, [3]string{"/", "infinity", "exclusive"}, true},
	} {
		db, a := newStore(t)
		err := db.Update(func(tx *storage.Tx) error {
			if err := Put(tx, lock(a, c.held[0], c.held[1], c.held[2]), now); err != nil {
				t.Error(err)
			}
			return Put(tx, lock(a, c.wanted[0], c.wanted[1], c.wanted[2]), now)
		})
		if errors.Is(err, storage.ErrConflict) != c.conflict || !c.conflict && err != nil {
			t.Errorf("%v with %v held: %v", c.wanted, c.held, err)
		}
	}
}

// Against a table that is looked through from end to end.
func TestAgainstAModel(t *testing.T) {
	db, a := newStore(t)
	rng := rand.New(rand.NewPCG(5, 6))
	clock, long := now, strings.Repeat("/long", 120)
	var model []Lock
	paths := []string{"/", "/a", "/a/b", "/a/b/c", "/a-b", "/ab", "/a%20b/c", long, long + "/x", long + "/x/y", long + "x"}
	above := func(p, q string) bool { return p == "/" && q != "/" || strings.HasPrefix(q, p+"/") }
	for step := range 1500 {
		clock = clock.Add(time.Duration(rng.IntN(60)) * time.Second)
		model = slices.DeleteFunc(model, func(l Lock) bool { return !clock.Before(l.Until) })
		path := paths[rng.IntN(len(paths))]
		update(t, db, func(tx *storage.Tx) error {
			switch rng.IntN(4) {
			case 0, 1:
				l := Lock{Token: NewToken(), Root: path, Infinite: rng.IntN(2) == 0, Shared: rng.IntN(3) > 0, Creator: a,
					Until: clock.Add(time.Duration(1+rng.IntN(2000)) * time.Second)}
				free := !slices.ContainsFunc(model, func(o Lock) bool {
					touch := o.Root == path || o.Infinite && above(o.Root, path) || l.Infinite && above(path, o.Root)
					return touch && !(o.Shared && l.Shared)
				})
				if err := Put(tx, l, clock); free != (err == nil) {
					t.Fatalf("step %d: lock on %.20s: %v, free %v", step, path, err, free)
				}
				if free {
					model = append(model, l)
				}
			case 2:
				if i := rng.IntN(len(model) + 1); i < len(model) {
					Remove(tx, model[i])
					model = slices.Delete(model, i, i+1)
				}
			default:
				if rng.IntN(5) == 0 {
					RemoveTree(tx, path)
					model = slices.DeleteFunc(model, func(l Lock) bool { return l.Root == path || above(path, l.Root) })
				}
			}
			var below []Lock
			Below(tx, path, clock, func(l Lock) bool { below = append(below, l); return true })
			same(t, "below "+path, below, model, func(l Lock) bool { return above(path, l.Root) })
			same(t, "covering "+path, Covering(tx, path, clock), model, func(l Lock) bool {
				return l.Root == path || l.Infinite && above(l.Root, path)
			})
			return nil
		})
	}
}

func same(t *testing.T, what string, got, model []Lock, fits func(Lock) bool) {
	t.Helper()
	tokens := func(ls []Lock, fits func(Lock) bool) (out []string) {
		for _, l := range ls {
			if fits(l) {
				out = append(out, l.Token)
			}
		}
		slices.SortFunc(out, cmp.Compare[string])
		return out
	}
	if g, w := tokens(got, func(Lock) bool { return true }), tokens(model, fits); !slices.Equal(g, w) {
		t.Fatalf("%.40s: %d locks, want %d", what, len(g), len(w))
	}
}

func TestRefreshAndDeadline(t *testing.T) {
	db, a := newStore(t)
	l := lock(a, "/a", "0", "exclusive")
	l.Owner = []byte("<href>mailto:zoe@coop.example</href>")
	update(t, db, func(tx *storage.Tx) error { return Put(tx, l, now) })
	l.Until = now.Add(3 * time.Hour)
	update(t, db, func(tx *storage.Tx) error { return Put(tx, l, now.Add(time.Minute)) })
	_ = db.View(func(tx *storage.Tx) error {
		if got := Covering(tx, "/a", now.Add(2*time.Hour)); len(got) != 1 || !got[0].Until.Equal(l.Until) || string(got[0].Owner) != string(l.Owner) {
			t.Errorf("after the refresh: %+v", got)
		}
		if got := Covering(tx, "/a", l.Until); len(got) != 0 {
			t.Errorf("at the deadline: %+v", got)
		}
		return nil
	})
	update(t, db, func(tx *storage.Tx) error {
		other := lock(a, "/a", "0", "exclusive")
		other.Until = l.Until.Add(time.Hour)
		return Put(tx, other, l.Until)
	})
}

func TestLocksAreBounded(t *testing.T) {
	db, a := newStore(t)
	refused := func(why string, want error, l Lock) {
		t.Helper()
		if err := db.Update(func(tx *storage.Tx) error { return Put(tx, l, now) }); !errors.Is(err, want) {
			t.Errorf("%s: %v", why, err)
		}
	}
	l := lock(a, "/a", "0", "shared")
	for why, change := range map[string]func(*Lock){
		"owner": func(l *Lock) { l.Owner = make([]byte, MaxOwner+1) }, "root": func(l *Lock) { l.Root = "/" + strings.Repeat("a", MaxRoot) },
		"timeout": func(l *Lock) { l.Until = now.Add(MaxTimeout + time.Second) }, "past": func(l *Lock) { l.Until = now },
		"token": func(l *Lock) { l.Token = "x" }, "relative": func(l *Lock) { l.Root = "a" }, "NUL": func(l *Lock) { l.Root = "/a\x00" },
	} {
		bad := l
		change(&bad)
		refused(why, storage.ErrInvalid, bad)
	}
	update(t, db, func(tx *storage.Tx) error {
		for range MaxPerRoot {
			if err := Put(tx, lock(a, "/a", "0", "shared"), now); err != nil {
				return err
			}
		}
		return nil
	})
	refused("one too many on a root", storage.ErrTemporary, lock(a, "/a", "0", "shared"))
	update(t, db, func(tx *storage.Tx) error {
		for i := range MaxPerAccount - MaxPerRoot {
			if err := Put(tx, lock(a, fmt.Sprint("/b/", i), "0", "exclusive"), now); err != nil {
				return err
			}
		}
		return nil
	})
	refused("one too many of an account", storage.ErrTemporary, lock(a, "/c", "0", "exclusive"))
	update(t, db, func(tx *storage.Tx) error {
		RemoveAccount(tx, a)
		if !none(tx) {
			t.Error("locks are left of a removed account")
		}
		return nil
	})
}

func TestAnAdministratorBreaksALock(t *testing.T) {
	db, a := newStore(t)
	l := lock(a, "/a", "0", "exclusive")
	update(t, db, func(tx *storage.Tx) error { return Put(tx, l, now) })
	update(t, db, func(tx *storage.Tx) error {
		if err := Break(tx, NewToken(), now); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a token of nothing: %v", err)
		}
		if err := Break(tx, l.Token, now); err != nil {
			return err
		}
		return Put(tx, lock(a, "/a", "0", "exclusive"), now)
	})
}
