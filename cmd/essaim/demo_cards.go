package main

import (
	"bytes"
	"fmt"
	"time"

	"essaim.coop/essaim/format/vcard"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/contacts"
)

type sampleCard struct{ uid, given, family, org, phone, mail, birthday string }

// sampleCards are what the three people have in their address books.
var sampleCards = []sampleCard{
	{"demo-baker", "Nadia", "Wagner", "Boulangerie du Pré", "+32 81 55 01 01", "nadia@boulangerie.example", ""},
	{"demo-plumber", "Joris", "De Smet", "Sanitair De Smet", "+32 9 555 01 02", "joris@sanitair.example", ""},
	{"demo-friend", "Zoé", "Lefèvre", "", "+32 470 55 01 03", "zoe@elsewhere.example", "1987-05-01"},
	{"demo-office", "", "", "Commune de Namur; état civil", "+32 81 55 01 04", "etatcivil@namur.example", ""},
}

// cards gives each of the three people an address book with something in it.
func (d *demoCmd) cards(a *App) error {
	now := time.Now()
	for i, p := range demoPeople {
		for j, s := range sampleCards {
			v := vcard.V3
			if (i+j)%2 == 1 { // as if from different programs
				v = vcard.V4
			}
			if err := putSample(a.db, p.local+"@"+d.Domain, s, v, now); err != nil {
				return fmt.Errorf("sample card %s of %s: %w", s.uid, p.local, err)
			}
		}
	}
	return nil
}

// putSample puts a card into somebody's address book.
func putSample(db *storage.DB, address string, s sampleCard, v vcard.Version, now time.Time) error {
	c, err := s.card().Convert(v)
	if err != nil {
		return err
	}
	body, err := db.StageAll(bytes.NewReader(c.Bytes()))
	if err != nil {
		return err
	}
	defer body.Discard()
	in, err := contacts.Prepare(body)
	if err != nil {
		return err
	}
	return db.Update(func(tx *storage.Tx) error {
		m, err := accounts.Lookup(tx, address)
		if err != nil {
			return err
		}
		b, err := contacts.Open(tx, m.ID, contacts.DefaultBook)
		if err == nil {
			_, err = contacts.Put(tx, b, s.uid+".vcf", in, now)
		}
		return err
	})
}

func (s sampleCard) card() *vcard.Card {
	c := vcard.New(vcard.V3)
	c.Add("UID", s.uid)
	name := s.given + " " + s.family
	if s.given == "" {
		name = s.org
		c.Add("X-ABSHOWAS", "COMPANY")
	}
	c.Add("FN", name)
	c.AddFields("N", s.family, s.given, "", "", "")
	if s.org != "" {
		c.AddFields("ORG", s.org)
	}
	c.Add("TEL", s.phone, vcard.Param{Name: "TYPE", Values: []string{"VOICE", "PREF"}})
	c.Add("EMAIL", s.mail, vcard.Param{Name: "TYPE", Values: []string{"INTERNET", "WORK"}})
	if s.birthday != "" {
		c.Add("BDAY", s.birthday)
	}
	return c
}
