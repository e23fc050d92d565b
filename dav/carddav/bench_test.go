package carddav

import (
	"fmt"
	"testing"

	"essaim.coop/essaim/format/vcard/vcardtest"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/contacts"
)

// What clients ask for in a book of 10,000 cards.
func Benchmark10000(b *testing.B) {
	h := newHouse(b)
	samples := vcardtest.Cards(10_000, 3)
	for i := 0; i < len(samples); i += 500 {
		var ins []*contacts.Incoming
		for _, s := range samples[i : i+500] {
			w := h.DB.Stage()
			_, _ = w.Write(s.Bytes)
			body, err := w.Finish()
			if err != nil {
				b.Fatal(err)
			}
			in, err := contacts.Prepare(body)
			if err != nil {
				b.Fatal(err)
			}
			ins = append(ins, in)
		}
		h.Update(func(tx *storage.Tx) error {
			book, err := contacts.Open(tx, h.Accounts["anna"], contacts.DefaultBook)
			for j := 0; j < len(ins) && err == nil; j++ {
				_, err = contacts.Put(tx, book, fmt.Sprintf("%d.vcf", i+j), ins[j], h.Now)
			}
			return err
		})
	}
	cards := map[string]string{}
	token, _ := h.syncOnce(annaBook, "", 100_000, cards)
	b.Run("poll", func(b *testing.B) {
		for b.Loop() {
			h.Want(207, nil, "anna", "PROPFIND", annaBook, propfind("<CS:getctag/><D:sync-token/>"), "Depth", "0")
		}
	})
	b.Run("sync-nothing", func(b *testing.B) {
		for b.Loop() {
			h.syncOnce(annaBook, token, 100, cards)
		}
	})
	for name, filter := range map[string]string{
		"indexed": `<C:filter><C:prop-filter name="FN"><C:text-match>dupont</C:text-match></C:prop-filter></C:filter>`,
		"opened":  `<C:filter><C:prop-filter name="NOTE"><C:text-match>midnight</C:text-match></C:prop-filter></C:filter>`,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h.Want(207, nil, "anna", "REPORT", annaBook, queryBody(etagData, filter), "Depth", "1")
			}
		})
	}
	hundred := `<C:addressbook-multiget` + spaces + `>` + etagData
	for i := range 100 {
		hundred += fmt.Sprintf("<D:href>%s%d.vcf</D:href>", annaBook, i*97)
	}
	b.Run("multiget-100", func(b *testing.B) {
		for b.Loop() {
			h.Want(207, nil, "anna", "REPORT", annaBook, hundred+"</C:addressbook-multiget>")
		}
	})
	b.Run("listing", func(b *testing.B) {
		for b.Loop() {
			h.Want(207, nil, "anna", "PROPFIND", annaBook, propfind("<D:getetag/>"), "Depth", "1")
		}
	})
}
