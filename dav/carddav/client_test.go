package carddav

import (
	"context"
	"net/http"
	"testing"

	"github.com/emersion/go-vcard"
	"github.com/emersion/go-webdav"
	client "github.com/emersion/go-webdav/carddav"
)

// Another implementation's client finds its way from the root, and understands
// what it is answered.
func TestAnotherClient(t *testing.T) {
	h := newHouse(t)
	server := h.serve()
	ctx := context.Background()
	auth := webdav.HTTPClientWithBasicAuth(http.DefaultClient, "anna", "anna")
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	c, err := client.NewClient(auth, server.URL+"/dav/")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.HasSupport(ctx); err == nil {
		t.Error("CardDAV is announced where there is none")
	}
	principal, err := c.FindCurrentUserPrincipal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	home, err := c.FindAddressBookHomeSet(ctx, principal)
	if err != nil || home != annaHome {
		t.Fatalf("home %q: %v", home, err)
	}
	books, err := c.FindAddressBooks(ctx, home)
	if err != nil || len(books) != 3 || books[0].Path != annaBook || books[0].Name != "Contacts" || !books[0].SupportsAddressData("text/vcard", "4.0") {
		t.Fatalf("books %+v: %v", books, err)
	}
	start, err := c.SyncCollection(ctx, annaBook, &client.SyncQuery{})
	if err != nil {
		t.Fatal(err)
	}

	card := vcard.Card{}
	card.SetValue(vcard.FieldVersion, "4.0")
	card.SetValue(vcard.FieldUID, "other-1")
	card.SetValue(vcard.FieldFormattedName, "Zoé Ümlaut")
	card.SetValue(vcard.FieldEmail, "zoe@elsewhere.example")
	put, err := c.PutAddressObject(ctx, annaBook+"zoé.vcf", card)
	if err != nil || put.ETag == "" {
		t.Fatalf("put %+v: %v", put, err)
	}
	got, err := c.GetAddressObject(ctx, annaBook+"zoé.vcf")
	if err != nil || got.ETag != put.ETag || got.Card.Value(vcard.FieldFormattedName) != "Zoé Ümlaut" {
		t.Errorf("got %+v: %v", got, err)
	}
	found, err := c.QueryAddressBook(ctx, annaBook, &client.AddressBookQuery{
		DataRequest: client.AddressDataRequest{Props: []string{vcard.FieldFormattedName, vcard.FieldUID}},
		PropFilters: []client.PropFilter{{Name: vcard.FieldEmail, TextMatches: []client.TextMatch{{Text: "ELSEWHERE", MatchType: client.MatchContains}}}},
		Limit:       1,
	})
	if err != nil || len(found) != 1 || found[0].Card.Value(vcard.FieldUID) != "other-1" || found[0].Card.Value(vcard.FieldEmail) != "" {
		t.Errorf("found %+v: %v", found, err)
	}
	many, err := c.MultiGetAddressBook(ctx, annaBook, &client.AddressBookMultiGet{Paths: []string{annaBook + "zoé.vcf"}, DataRequest: client.AddressDataRequest{AllProp: true}})
	if err != nil || len(many) != 1 || many[0].Card.Value(vcard.FieldEmail) != "zoe@elsewhere.example" {
		t.Errorf("many %+v: %v", many, err)
	}
	changes, err := c.SyncCollection(ctx, annaBook, &client.SyncQuery{SyncToken: start.SyncToken})
	if err != nil || len(changes.Updated) != 1 || changes.Updated[0].ETag != put.ETag || changes.SyncToken == start.SyncToken {
		t.Errorf("changes %+v: %v", changes, err)
	}
	if err := c.RemoveAll(ctx, annaBook+"zoé.vcf"); err != nil {
		t.Error(err)
	}
	changes, err = c.SyncCollection(ctx, annaBook, &client.SyncQuery{SyncToken: changes.SyncToken})
	if err != nil || len(changes.Deleted) != 1 || changes.Deleted[0] != annaBook+"zoé.vcf" {
		t.Errorf("changes %+v: %v", changes, err)
	}
}
