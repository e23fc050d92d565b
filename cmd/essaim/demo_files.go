package main

import (
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/files"
)

// A sampleFolder is a folder of one of the three people; shared ones the two
// others find among their own.
type sampleFolder struct {
	owner  int // in demoPeople
	name   string
	shared bool
	files  map[string]string
}

var sampleFolders = []sampleFolder{
	{0, "Potager partagé", true, map[string]string{
		"Plan de culture.md":  "# Plan de culture\n\n| Parcelle | Légume | Semis |\n|---|---|---|\n| 1 | fèves | février |\n| 2 | courges | avril |\n",
		"Tour d'arrosage.csv": "semaine,arroseur\n23,Amélie\n24,Bram\n25,Chloe\n",
	}},
	{0, "Recettes", false, map[string]string{"Soupe aux fèves.txt": "Des fèves, un oignon, de la sarriette. Vingt minutes.\n"}},
	{1, "Coöperatie", true, map[string]string{
		"Verslag 2026-11-07.md": "# Verslag\n\nAanwezig: Amélie, Bram, Chloe.\n\n- De tuin krijgt een regenton.\n- Wie zaterdag kan, helpt mee.\n",
		"Begroting.csv":         "post,bedrag\nregenton,85\nzaden,40\n",
	}},
	{2, "Letters", false, map[string]string{"To the council.txt": "Dear all,\n\nWe would like to use the rain water of the school's roof.\n"}},
}

// folders gives each of the three people some files, and what two of them share.
func (d *demoCmd) folders(a *App) error {
	now := time.Now()
	for _, f := range sampleFolders {
		if err := d.folder(a, f, now); err != nil {
			return fmt.Errorf("sample folder %s: %w", f.name, err)
		}
	}
	return nil
}

func (d *demoCmd) folder(a *App, f sampleFolder, now time.Time) error {
	bodies := map[string]files.Content{}
	for name, text := range f.files {
		body, err := a.db.StageAll(strings.NewReader(text))
		if err != nil {
			return err
		}
		defer body.Discard()
		bodies[name] = files.Staged(body, "text/plain; charset=utf-8")
	}
	return a.db.Update(func(tx *storage.Tx) error {
		var people [3]accounts.Account
		for i, p := range demoPeople {
			var err error
			if people[i], err = accounts.Lookup(tx, p.local+"@"+d.Domain); err != nil {
				return err
			}
		}
		owner := people[f.owner]
		at := files.Attr{By: owner.ID, Now: now}
		t, err := files.Open(tx, owner.ID)
		if err != nil {
			return err
		}
		if _, err := files.Child(tx, t, files.Root, f.name); err == nil {
			return nil // of a demo that was cut off
		}
		dir, err := files.Mkdir(tx, t, files.Root, f.name, at)
		for name, c := range bodies {
			if err == nil {
				_, _, err = files.Put(tx, t, dir.ID, name, c, at)
			}
		}
		for i, p := range people {
			if err == nil && f.shared && i != f.owner {
				err = tx.SetACL(storage.Object{Collection: t.ID, Item: dir.ID}, p.ID, storage.GroupRights)
			}
		}
		return err
	})
}
