package main

import (
	"context"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/files"
)

// Of the demo's people each has files, and sees what the others share; a second
// start makes nothing twice.
func TestDemoFiles(t *testing.T) {
	a := webApp(t, Config{Hostname: "localhost"})
	d := &demoCmd{Domain: "coop.example", Password: "essaim-demo"}
	if err := a.db.Update(func(tx *storage.Tx) error { return d.enrol(tx, a, demoPeople) }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.folders(a); err != nil {
			t.Fatal(err)
		}
	}
	err := a.db.View(func(tx *storage.Tx) error {
		for i, want := range []struct{ own, shared int }{{2, 1}, {1, 1}, {1, 2}} {
			m, err := accounts.Lookup(tx, demoPeople[i].local+"@coop.example")
			if err != nil {
				return err
			}
			tree, err := files.Open(tx, m.ID)
			if err != nil {
				return err
			}
			own, err := files.List(tx, tree, files.Root, "", 10)
			shared := files.Shares(tx, []storage.AccountID{m.ID}, func(storage.AccountID) string { return "" })
			if err != nil || len(own) != want.own || len(shared) != want.shared {
				t.Errorf("%s: %d folders, %d shared, %v", m.Address, len(own), len(shared), err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := a.db.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: checks}); err != nil || !r.Clean() {
		t.Errorf("%v %q", err, r.Problems)
	}
}
