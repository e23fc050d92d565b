package audit

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func filled(t *testing.T, n int) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for i := range n {
		update(t, db, func(tx *storage.Tx) error {
			return Append(tx, Entry{At: start.Add(time.Duration(i) * time.Hour), By: 1, Did: "member.suspend",
				About: storage.AccountID(i), Detail: strings.Repeat("d", i*100), Client: "192.0.2.1"})
		})
	}
	return db
}

func update(t *testing.T, db *storage.DB, fn func(*storage.Tx) error) {
	t.Helper()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func all(t *testing.T, db *storage.DB, before uint64) (out []Entry) {
	t.Helper()
	if err := db.View(func(tx *storage.Tx) error {
		return Entries(tx, before, func(e Entry) bool { out = append(out, e); return true })
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEntriesNewestFirst(t *testing.T) {
	db := filled(t, 10)
	list := all(t, db, 0)
	if len(list) != 10 || list[0].Number != 10 || list[0].About != 9 || len(list[9].Detail) != 0 || len(list[0].Detail) != maxDetail || list[0].Client == "" {
		t.Errorf("%+v", list)
	}
	if older := all(t, db, 4); len(older) != 3 || older[0].Number != 3 {
		t.Errorf("%+v", older)
	}
	update(t, db, Verify)
}

func TestVerifyFindsEveryChange(t *testing.T) {
	for name, tamper := range map[string]func(tx *storage.Tx){
		"an entry changed": func(tx *storage.Tx) {
			v := []byte(strings.Replace(string(tx.Get(entryKey(5))), "suspend", "resumed", 1))
			tx.Put(entryKey(5), v)
		},
		"an entry taken out": func(tx *storage.Tx) { tx.Delete(entryKey(5)) },
		"the newest taken":   func(tx *storage.Tx) { tx.Delete(entryKey(10)) },
		"the oldest taken":   func(tx *storage.Tx) { tx.Delete(entryKey(1)) },
		"one added":          func(tx *storage.Tx) { tx.Put(entryKey(11), tx.Get(entryKey(10))) },
		"all taken": func(tx *storage.Tx) {
			for i := range 10 {
				tx.Delete(entryKey(uint64(i + 1)))
			}
		},
	} {
		db := filled(t, 10)
		update(t, db, func(tx *storage.Tx) error { tamper(tx); return nil })
		if err := db.View(Verify); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestForget(t *testing.T) {
	db := filled(t, 10)
	now := start.Add(9*time.Hour + KeepClient)
	rounds := 0
	for done := false; !done; rounds++ {
		update(t, db, func(tx *storage.Tx) (err error) {
			done, err = Forget(tx, now, KeepClient, KeepClient+5*time.Hour, 2)
			return err
		})
	}
	list := all(t, db, 0)
	if len(list) != 6 || list[5].Number != 5 || rounds < 3 {
		t.Errorf("%d rounds left %+v", rounds, list)
	}
	for _, e := range list {
		if (e.Client == "") != (now.Sub(e.At) > KeepClient) {
			t.Errorf("entry %d of %v knows %q", e.Number, e.At, e.Client)
		}
	}
	update(t, db, Verify)
	update(t, db, func(tx *storage.Tx) error { return Append(tx, Entry{At: now, Did: "x"}) })
	update(t, db, Verify)
}

// A member's own entries are found among others', and forgotten with them.
func TestEntriesOfAnAccount(t *testing.T) {
	db := filled(t, 0)
	update(t, db, func(tx *storage.Tx) error {
		for i := range 20 {
			if err := Append(tx, Entry{At: start, By: storage.AccountID(1 + i%4), About: storage.AccountID(1 + i%2), Did: "x", Client: "192.0.2.1"}); err != nil {
				return err
			}
		}
		return nil
	})
	of := func(a storage.AccountID, before uint64) (out []uint64) {
		update(t, db, func(tx *storage.Tx) error {
			return EntriesOf(tx, a, before, func(e Entry) bool {
				if e.By != a && e.About != a || e.Client == "" {
					t.Errorf("%+v is not about %d", e, a)
				}
				out = append(out, e.Number)
				return len(out) < 4
			})
		})
		return out
	}
	if got := fmt.Sprint(of(1, 0), of(1, 13), of(3, 0), of(9, 0)); got != "[19 17 15 13] [11 9 7 5] [19 15 11 7] []" {
		t.Error(got)
	}
	update(t, db, func(tx *storage.Tx) error {
		_, err := Forget(tx, start.Add(2*KeepEntry), KeepClient, KeepEntry, 100)
		n := 0
		tx.ScanPrefix([]byte{'X'}, func(_, _ []byte) bool { n++; return true })
		if n != 0 {
			t.Errorf("%d rows are left", n)
		}
		return err
	})
}
