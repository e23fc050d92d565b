package main

import (
	"context"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/files"
)

// What was deleted a month ago is gone once the trash was looked at, what was
// deleted yesterday is not.
func TestTrashIsEmptiedByAge(t *testing.T) {
	a := webApp(t, Config{Hostname: "mx.coop.example"})
	now := time.Now()
	var id storage.AccountID
	err := a.db.Update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		m, err := join(tx, accounts.NewAccount{Address: "ann@coop.example"}, now)
		if err != nil {
			return err
		}
		id = m.ID
		tree, err := files.Open(tx, id)
		for _, age := range []time.Duration{31 * 24 * time.Hour, 24 * time.Hour} {
			at := files.Attr{Now: now.Add(-age)}
			n, merr := files.Mkdir(tx, tree, files.Root, age.String(), at)
			if merr == nil {
				merr = files.Delete(tx, tree, n.ID, at)
			}
			if merr != nil {
				return merr
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	due, _, err := a.dueTrash(now)
	if err != nil || len(due) != 1 || due[0] != id {
		t.Fatalf("due %v, %v", due, err)
	}
	if err := a.purgeTrash(context.Background(), id, now); err != nil {
		t.Fatal(err)
	}
	_ = a.db.View(func(tx *storage.Tx) error {
		tree, err := files.Open(tx, id)
		if left, _ := files.Trash(tx, tree, 0, 0, 9); err != nil || len(left) != 1 || left[0].Name != "24h0m0s" {
			t.Errorf("left %+v, %v", left, err)
		}
		return nil
	})
	if due, next, err := a.dueTrash(now); err != nil || len(due) != 0 || next.Sub(now) != trashSleep {
		t.Errorf("due %v, next in %v, %v", due, next.Sub(now), err)
	}
}
