package home_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/dav/caldav"
	"essaim.coop/essaim/dav/carddav"
	"essaim.coop/essaim/dav/davtest"
	"essaim.coop/essaim/dav/home"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/contacts"
	"essaim.coop/essaim/storage/resource"
)

// A door is one of the two kinds of homes. What is tested here holds for both.
type door struct {
	kind            storage.Kind
	prefix          string
	standard, label string // the collection everybody has, and what it is called
	typ             string // the resource type of collections, in a namespace X
	space           string
	item            func(uid, text string) string
	extra           string // a reserved name, or ""
}

var doors = map[string]door{
	"contacts": {storage.KindAddressBook, carddav.Prefix, contacts.DefaultBook, "Contacts", "addressbook", "urn:ietf:params:xml:ns:carddav", card, "directory"},
	"calendar": {storage.KindCalendar, caldav.Prefix, calendar.DefaultCalendar, "Calendar", "calendar", "urn:ietf:params:xml:ns:caldav", event, ""},
}

func card(uid, text string) string {
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + uid + "\r\nFN:" + text + "\r\nN:" + text + ";;;;\r\nEND:VCARD\r\n"
}

func event(uid, text string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20270101T000000Z\r\nDTSTART:20270310T100000Z\r\nSUMMARY:" + text + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

type house struct {
	*davtest.House
	door
}

// each runs a test on either kind of home.
func each(t *testing.T, test func(t *testing.T, h *house)) {
	for name, d := range doors {
		t.Run(name, func(t *testing.T) {
			h := &house{davtest.New(t), d}
			h.Hooks = append(h.Hooks, resource.Check, contacts.Check, calendar.Check)
			carddav.Mount(h.Engine)
			caldav.Mount(h.Engine)
			h.Update(func(tx *storage.Tx) error {
				for _, who := range []string{"anna", "ben", "cleo", "garden"} {
					for _, ensure := range []func(*storage.Tx, storage.AccountID, time.Time) error{contacts.Ensure, calendar.Ensure} {
						if err := ensure(tx, h.Accounts[who], h.Now); err != nil {
							return err
						}
					}
				}
				return nil
			})
			test(t, h)
		})
	}
}

func (h *house) home(who string) string { return h.prefix + who + "@coop.example/" }

// own is the path of an account's standard collection in its own home.
func (h *house) own(who string) string { return h.home(who) + h.standard + "/" }

// seen is the path of an account's standard collection in another's home.
func (h *house) seen(owner, in string) (path string) {
	h.View(func(tx *storage.Tx) error {
		c, err := tx.CollectionByName(h.Accounts[owner], h.kind, h.standard)
		if err == nil {
			path = fmt.Sprintf("%s~%d/", h.home(in), c.ID)
		}
		return err
	})
	return path
}

// share gives somebody rights on an account's standard collection.
func (h *house) share(owner, with string, r storage.Rights) (path string) {
	h.Update(func(tx *storage.Tx) error {
		c, err := tx.CollectionByName(h.Accounts[owner], h.kind, h.standard)
		if err != nil {
			return err
		}
		return tx.SetACL(c.ID.Object(), h.Accounts[with], r)
	})
	return h.seen(owner, with)
}

const reading = storage.RightLookup | storage.RightRead

func propfind(props string) string {
	return `<D:propfind xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/"><D:prop>` + props + `</D:prop></D:propfind>`
}

func rename(to string) string {
	return `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>` + to + `</D:displayname></D:prop></D:set></D:propertyupdate>`
}

func (h *house) mkcol(name string) string {
	return `<D:mkcol xmlns:D="DAV:" xmlns:X="` + h.space + `"><D:set><D:prop><D:resourcetype><D:collection/><X:` + h.typ + `/></D:resourcetype><D:displayname>` +
		name + `</D:displayname></D:prop></D:set></D:mkcol>`
}

// list is what somebody sees in a home.
func (h *house) list(user, home string, texts ...string) string {
	h.TB.Helper()
	return h.Want(207, texts, user, "PROPFIND", home, propfind("<D:displayname/><D:resourcetype/>"), "Depth", "1")
}

func TestEverythingIsInOneHome(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		shared := h.share("anna", "cleo", reading)
		answer := h.list("cleo", h.home("cleo"), h.own("cleo")+"<", shared+"<", ">"+h.label+"<", ">Anna Aster: "+h.label+"<", "!garden@")
		if first := strings.Index(answer, h.own("cleo")); first > strings.Index(answer, shared) || h.extra != "" && first > strings.Index(answer, "/"+h.extra+"/") {
			t.Error("the standard collection is not the first")
		}
		h.list("anna", h.home("anna"), "The garden: "+h.label, h.seen("garden", "anna"))
		h.list("anna", h.home("garden"), ">"+h.label+"<", "!~")
		h.list("anna", h.prefix, "anna@coop", "garden@coop", "!cleo@coop")
		// Of other homes nobody is told that they are there.
		for _, path := range []string{h.home("anna"), h.own("anna"), h.home("garden"), h.own("garden"), h.home("nobody"), h.home("cleo") + "~x/", h.home("cleo") + "~0/", h.seen("ben", "cleo"), h.home("cleo") + "~0" + shared[len(h.home("cleo"))+1:]} {
			h.Want(404, nil, "cleo", "PROPFIND", path, "", "Depth", "0")
		}
	})
}

func TestCollectionsAreMade(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		home := h.home("anna")
		h.Want(201, nil, "anna", "MKCOL", home+"work/", h.mkcol("Work &amp; co"))
		h.list("anna", home, ">Work &amp; co<")
		h.Want(405, nil, "anna", "MKCOL", home+"work/", h.mkcol("again"))
		h.Want(403, []string{"valid-resourcetype"}, "anna", "MKCOL", home+"plain/", "")
		h.Want(403, []string{"valid-resourcetype"}, "anna", "MKCOL", home+"odd/", strings.Replace(h.mkcol("x"), "X:"+h.typ, "X:other", 1))
		for _, taken := range []string{"~99999", "~x"} {
			h.Want(409, nil, "anna", "MKCOL", home+taken+"/", h.mkcol("x"))
		}
		if h.extra != "" {
			h.Want(405, nil, "anna", "MKCOL", home+h.extra+"/", h.mkcol("x"))
			h.Want(409, nil, "anna", "MKCOL", h.home("garden")+h.extra+"/", h.mkcol("x"))
		}
		// In a group's home a member makes what is the group's.
		h.Want(201, nil, "anna", "MKCOL", h.home("garden")+"team/", h.mkcol("Team"))
		h.list("ben", h.home("ben"), ">Team<")
		h.Want(204, nil, "ben", "DELETE", h.home("garden")+"team/", "")
		h.list("anna", h.home("anna"), "!>Team<")
		h.Want(204, nil, "anna", "DELETE", home+"work/", "")
		h.list("anna", home, "!work/")
	})
}

// What somebody does to a collection of others is their own affair.
func TestNamesAndEndOfSharing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Want(201, nil, "anna", "PUT", h.own("anna")+"a", h.item("1", "Zed"))
		shared := h.share("anna", "ben", reading)
		name := func(user, path, want string) {
			t.Helper()
			h.Want(207, []string{">" + want + "<"}, user, "PROPFIND", path, propfind("<D:displayname/>"), "Depth", "0")
		}
		h.Want(200, []string{"Zed"}, "ben", "GET", shared+"a", "")
		for _, try := range [][2]string{{"PUT", "a"}, {"PUT", "b"}, {"DELETE", "a"}} {
			h.Want(403, []string{"need-privileges"}, "ben", try[0], shared+try[1], h.item("1", "B"))
		}
		h.Want(207, []string{"200 OK"}, "ben", "PROPPATCH", shared, rename("Of Anna"))
		name("ben", shared, "Of Anna")
		name("anna", h.own("anna"), h.label)
		h.Want(207, []string{"200 OK"}, "anna", "PROPPATCH", h.own("anna"), rename("Mine"))
		name("ben", shared, "Of Anna")
		name("anna", h.own("anna"), "Mine")

		h.share("anna", "ben", storage.OwnerRights&^storage.RightAdminister)
		h.Want(201, nil, "ben", "PUT", shared+"b", h.item("2", "Bee"))
		h.Want(204, nil, "ben", "DELETE", shared, "")
		h.Want(404, nil, "ben", "GET", shared+"a", "")
		h.Want(200, []string{"Bee"}, "anna", "GET", h.own("anna")+"b", "")
	})
}

func TestWhatAGroupHasIsHiddenNotDeleted(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		path, id := h.seen("garden", "anna"), storage.CollectionID(0)
		if _, err := fmt.Sscanf(path[len(h.home("anna")):], "~%d/", &id); err != nil {
			t.Fatal(err)
		}
		h.Want(201, nil, "anna", "PUT", path+"a", h.item("1", "Spade"))
		h.Want(204, nil, "anna", "DELETE", path, "")
		h.list("anna", h.home("anna"), "!"+path)
		h.list("ben", h.home("ben"), h.seen("garden", "ben"))
		h.Want(200, []string{"Spade"}, "anna", "GET", h.own("garden")+"a", "")
		h.Update(func(tx *storage.Tx) error { return home.Hide(tx, id, h.Accounts["anna"], false) })
		h.list("anna", h.home("anna"), path)
		h.Update(func(tx *storage.Tx) error {
			return accounts.RemoveMember(tx, h.Accounts["garden"], "anna@coop.example")
		})
		h.Want(404, nil, "anna", "GET", path+"a", "")
		h.Want(404, nil, "anna", "GET", h.own("garden")+"a", "")
	})
}

func TestHomeTag(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		shared := h.share("anna", "cleo", reading|storage.RightInsert)
		tag := func() string {
			_, rest, _ := strings.Cut(h.Want(207, nil, "cleo", "PROPFIND", h.home("cleo"), propfind("<CS:getctag/>"), "Depth", "0"), "<CS:getctag>")
			tag, _, _ := strings.Cut(rest, "<")
			return tag
		}
		last := tag()
		if last == "" || tag() != last {
			t.Fatalf("tag %q", last)
		}
		for what, change := range map[string]func(){
			"an item of one's own": func() { h.Want(201, nil, "cleo", "PUT", h.own("cleo")+"a", h.item("1", "A")) },
			"an item of another":   func() { h.Want(201, nil, "anna", "PUT", h.own("anna")+"a", h.item("1", "A")) },
			"a name":               func() { h.Want(207, nil, "cleo", "PROPPATCH", shared, rename("x")) },
			"a new collection":     func() { h.Want(201, nil, "cleo", "MKCOL", h.home("cleo")+"new/", h.mkcol("n")) },
			"other rights":         func() { h.share("anna", "cleo", reading) },
		} {
			change()
			now := tag()
			if now == last {
				t.Errorf("%s did not change the tag", what)
			}
			last = now
		}
	})
}

// A home's name is its owner's, and is no way to another name for the owner.
func TestHomeHasItsOwnersName(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Want(207, []string{"cannot-modify-protected-property"}, "anna", "PROPPATCH", h.home("anna"), rename("Ben Birch"))
		h.Want(207, []string{">Anna Aster<"}, "ben", "PROPFIND", "/dav/principals/users/anna@coop.example/", propfind("<D:displayname/>"), "Depth", "0")
	})
}

func TestCollectionsAreRenamed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		home := h.home("anna")
		h.Want(201, nil, "anna", "MKCOL", home+"work/", h.mkcol("Work"))
		h.Want(201, nil, "anna", "PUT", home+"work/a", h.item("1", "Zed"))
		move := func(status int, want, method, from, to string) {
			t.Helper()
			h.Want(status, []string{want}, "anna", method, from, "", "Destination", to)
		}
		misplaced := h.typ + "-collection-location-ok"
		move(201, "", "MOVE", home+"work/", home+"job/")
		h.Want(200, []string{"Zed"}, "anna", "GET", home+"job/a", "")
		h.Want(404, nil, "anna", "GET", home+"work/a", "")
		h.list("anna", home, ">Work<", "!/work/")
		move(403, misplaced, "COPY", home+"job/", home+"copy/")
		move(403, misplaced, "MOVE", h.own("anna"), home+"other/")
		move(403, misplaced, "MOVE", h.seen("garden", "anna"), home+"mine/")
		move(403, misplaced, "MOVE", home+"job/", h.home("garden")+"job/")
		move(403, "", "MOVE", home+"job/", h.own("anna")+"job/")
		move(409, "", "MOVE", home+"job/", home+"~7/")
		move(409, "", "MOVE", home+"job/", h.own("anna"))
		h.Want(200, []string{"Zed"}, "anna", "GET", home+"job/a", "")
	})
}

func TestWordsAreTheMembers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Update(func(tx *storage.Tx) error {
			a, err := accounts.Get(tx, h.Accounts["anna"])
			if err != nil {
				return err
			}
			a.Language = "nl"
			return accounts.Save(tx, a)
		})
		word := map[storage.Kind]string{storage.KindAddressBook: "Contacten", storage.KindCalendar: "Agenda"}[h.kind]
		h.list("anna", h.home("anna"), ">"+word+"<", ">The garden: "+word+"<")
		h.list("ben", h.home("ben"), ">"+h.label+"<")
	})
}
