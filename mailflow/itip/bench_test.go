package itip

import (
	"context"
	"fmt"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
)

// BenchmarkInvite is a PUT that invites ten members, until all have it.
func BenchmarkInvite(b *testing.B) {
	h := newHouse(b)
	attendees := ""
	h.Update(func(tx *storage.Tx) error {
		for i := range 10 {
			a, err := accounts.Create(tx, accounts.NewAccount{Address: fmt.Sprintf("m%d@coop.example", i)}, h.Now)
			if err == nil {
				err = calendar.Ensure(tx, a.ID, h.Now)
			}
			if err != nil {
				return err
			}
			attendees += fmt.Sprintf("ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:m%d@coop.example|", i)
		}
		return nil
	})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		uid := fmt.Sprint("b", i)
		if status, answer, _ := h.do("anna", "PUT", home("anna")+uid+".ics", event(uid, times1+attendees+byAnna+"X-A:b")); status != 201 {
			b.Fatal(status, answer)
		}
		if _, err := h.service.Pass(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
