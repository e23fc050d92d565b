package admin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/files"
	"essaim.coop/essaim/storage/mailbox"
)

// garden makes a group that bram is in, with an archive that has a message.
func (o *testDesk) garden() Group {
	o.t.Helper()
	g, err := o.desk.AddGroup(o.t.Context(), people.Actor{}, AddGroupIn{Address: "potager@coop.example", Name: "Potager <b>"})
	if err != nil {
		o.t.Fatal(err)
	}
	o.post(fmt.Sprintf("/admin/groups/%d/members", g.ID), "member", "bram@coop.example")
	return g
}

func (o *testDesk) shared(name string) (out Shared) {
	o.t.Helper()
	list, err := o.desk.Shared(o.t.Context(), people.Actor{}, SharedIn{})
	if err != nil {
		o.t.Fatal(err)
	}
	for _, g := range list {
		for _, s := range g.Shares {
			if s.Name == name {
				return s
			}
		}
	}
	o.t.Fatalf("no %q in %+v", name, list)
	return out
}

func (o *testDesk) message(group uint32, box string) {
	o.t.Helper()
	w := o.desk.DB.Stage()
	_, _ = w.Write([]byte("From: x@y.example\r\nSubject: secret words\r\n\r\nbody"))
	staged, err := w.Finish()
	if err != nil {
		o.t.Fatal(err)
	}
	in, err := mailbox.Prepare(staged)
	if err != nil {
		o.t.Fatal(err)
	}
	o.update(func(tx *storage.Tx) error {
		b, err := mailbox.Open(tx, storage.AccountID(group), box)
		if err == nil {
			_, err = mailbox.Append(tx, b, in, nil, start, start)
		}
		return err
	})
}

func TestSharedIsMadeGivenAndRemoved(t *testing.T) {
	o := office(t)
	if body := o.get("/admin/shared"); !strings.Contains(body, "no group yet") {
		t.Error(body)
	}
	g := o.garden()
	group := fmt.Sprint(g.ID)
	for kind, name := range map[string]string{"mailbox": "Commandes", "folder": "Plans", "calendar": "Arrosage", "addressbook": "Pépinières"} {
		path := o.post("/admin/shared", "group", group, "kind", kind, "name", name)
		path, _, _ = strings.Cut(path, "?")
		if body := o.get(path); !strings.Contains(body, name) || strings.Contains(body, "Potager <b>") {
			t.Errorf("%s:\n%s", kind, body)
		}
		o.post(path+"/rights", "member", "amy@coop.example", "rights", "read")
		o.post(path+"/rights", "member", "amy@coop.example", "rights", "manage")
		if s := o.shared(name); len(s.Rights) != 1 || s.Rights[0] != (SharedRight{"amy@coop.example", "manage", "lrswipkxtea"}) {
			t.Errorf("%+v", s)
		}
		if w := o.form(path+"/rights", "member", "bram@coop.example", "rights", "read"); w.Code != 422 || !strings.Contains(w.Body.String(), "already") {
			t.Errorf("a member of the group: %d", w.Code)
		}
		if w := o.form(path+"/rights", "member", "nobody@coop.example", "rights", "read"); w.Code != 422 || !strings.Contains(w.Body.String(), `value="nobody@coop.example"`) {
			t.Errorf("nobody: %d", w.Code)
		}
		o.post(path+"/rights", "do", "remove", "member", "amy@coop.example")
		if s := o.shared(name); len(s.Rights) != 0 {
			t.Errorf("%+v", s)
		}
		if w := o.form("/admin/shared", "group", group, "kind", kind, "name", name); w.Code != 422 || !strings.Contains(w.Body.String(), `value="`+kind+`" selected`) {
			t.Errorf("two %s: %d", name, w.Code)
		}
	}
	for _, bad := range [][]string{{"group", fmt.Sprint(o.bram), "kind", "folder", "name", "x"}, {"group", group, "kind", "boat", "name", "x"}, {"group", group, "kind", "calendar", "name", "inbox"},
		{"group", group, "kind", "addressbook", "name", "~1"}, {"group", group, "kind", "mailbox", "name", "a/b"}, {"group", group, "kind", "mailbox", "name", ""}} {
		if w := o.form("/admin/shared", bad...); w.Code != 422 && w.Code != 404 {
			t.Errorf("%q: %d", bad, w.Code)
		}
	}
	for _, name := range []string{"Plans", "Arrosage", "Pépinières"} {
		o.post(o.shared(name).Path() + "/remove")
	}
	log := o.get("/admin/log")
	for did, times := range map[string]int{"Something shared was made": 4, "Rights given or taken": 12, "Something shared was removed": 3} {
		if n := strings.Count(log, did); n != times {
			t.Errorf("the log has %q %d times, want %d", did, n, times)
		}
	}
}

// What is not empty is removed when that was said twice, with what is below it.
// What every group has stays.
func TestSharedIsRemovedWithCare(t *testing.T) {
	o := office(t)
	g := o.garden()
	box, err := o.desk.Share(t.Context(), people.Actor{}, ShareIn{g.ID, "mailbox", "Commandes"})
	if err != nil {
		t.Fatal(err)
	}
	o.update(func(tx *storage.Tx) error {
		_, err := mailbox.Create(tx, storage.AccountID(g.ID), "Commandes/Dupont, rhumatismes", "", start)
		return err
	})
	o.message(g.ID, "Commandes/Dupont, rhumatismes")
	o.message(g.ID, "INBOX")
	if s := o.shared("Commandes"); s.Items != 1 || s.Bytes == 0 || !s.Changed.Equal(start) {
		t.Errorf("%+v", s)
	}
	for _, path := range []string{"/admin/shared", box.Path(), o.shared("INBOX").Path(), "/api/shared"} {
		if body := o.get(path); strings.Contains(body, "rhumatismes") || strings.Contains(body, "secret") {
			t.Errorf("%s tells what is below or in it", path)
		}
	}
	for _, fields := range [][]string{nil, {"contents", "yes"}, {"name", "Commandes"}, {"contents", "yes", "name", "commandes"}} {
		if w := o.form(box.Path()+"/remove", fields...); w.Code != 422 || !strings.Contains(w.Body.String(), "It is not empty: 1 thing is in it") {
			t.Errorf("%q: %d", fields, w.Code)
		}
	}
	o.post(box.Path()+"/remove", "contents", "yes", "name", "Commandes")
	o.update(func(tx *storage.Tx) error {
		list, err := mailbox.List(tx, storage.AccountID(g.ID))
		for _, b := range list {
			if strings.HasPrefix(b.Name, "Commandes") {
				t.Errorf("%s is left", b.Name)
			}
		}
		return err
	})
	for _, name := range []string{"INBOX", "", "calendar", "contacts"} {
		if w := o.form(o.shared(name).Path()+"/remove", "contents", "yes", "name", name); w.Code != 422 {
			t.Errorf("%q went: %d", name, w.Code)
		}
	}
}

// What members have, and share among each other, is not an administrator's.
func TestSharedLeavesMembersAlone(t *testing.T) {
	o := office(t)
	g := o.garden()
	var own, inside storage.Object
	o.update(func(tx *storage.Tx) error {
		b, err := mailbox.Open(tx, o.bram, "Archive")
		if err != nil {
			return err
		}
		own = b.ID.Object()
		tree, err := files.Open(tx, storage.AccountID(g.ID))
		if err != nil {
			return err
		}
		n, err := files.Mkdir(tx, tree, files.Root, "Dossier Dupont", files.Attr{Now: start})
		inside = storage.Object{Collection: tree.ID, Item: n.ID}
		if err != nil {
			return err
		}
		return tx.SetACL(own, o.amy, people.MayRead)
	})
	for _, at := range []storage.Object{own, inside} {
		path := fmt.Sprintf("/%d/%d", at.Collection, at.Item)
		if w := o.ask("amy", "GET", "/admin/shared"+path, "", nil); w.Code != 404 {
			t.Errorf("%v: %d", at, w.Code)
		}
		if status, _ := o.api("PUT", "/api/shared"+path+"/rights", `{"member":"amy@coop.example","rights":"manage"}`); status != 404 {
			t.Errorf("%v: %d", at, status)
		}
		if status, _ := o.api("DELETE", "/api/shared"+path+"?contents=true", ""); status != 404 {
			t.Errorf("%v: %d", at, status)
		}
	}
	if body := o.get("/admin/shared"); strings.Contains(body, "Dupont") {
		t.Error("a folder that nobody shared is told of")
	}
	o.update(func(tx *storage.Tx) error { return tx.SetACL(inside, o.amy, storage.RightLookup) })
	if s := o.shared("Dossier Dupont"); len(s.Rights) != 1 || s.Rights[0].Rights != "other" || s.Rights[0].Letters != "l" {
		t.Errorf("one that a program shared: %+v", s)
	}
	if body := o.get(o.shared("Dossier Dupont").Path()); !strings.Contains(body, "as set in a program (l)") {
		t.Error(body)
	}
}

func TestSharedByTheAPI(t *testing.T) {
	o := office(t)
	g := o.garden()
	o.update(func(tx *storage.Tx) error {
		_, err := people.Join(tx, accounts.NewAccount{Address: "tous@coop.example", Group: true}, people.Actor{}, start)
		return err
	})
	status, made := o.api("POST", "/api/shared", fmt.Sprintf(`{"group":%d,"kind":"calendar","name":"Arrosage"}`, g.ID))
	if status != 200 || made["owner"] != "potager@coop.example" {
		t.Fatalf("%d %v", status, made)
	}
	path := fmt.Sprintf("/api/shared/%v/%v", made["collection"], made["item"])
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", path + "/rights", `{"member":"tous@coop.example","rights":"read"}`, 204},
		{"PUT", path + "/rights", `{"member":"tous@coop.example","rights":"everything"}`, 422},
		{"PUT", path + "/rights", `{"member":"bram@coop.example","rights":"write"}`, 409},
		{"GET", path, "", 200},
		{"GET", "/api/shared/0/0", "", 404},
		{"DELETE", path, "", 204},
		{"GET", path, "", 404},
	} {
		if status, out := o.api(c.method, c.path, c.body); status != c.status {
			t.Errorf("%s %s %s: %d %v", c.method, c.path, c.body, status, out)
		}
	}
	var list []SharedGroup
	if err := json.Unmarshal([]byte(o.get("/api/shared?from=1&rows=1")), &list); err != nil || len(list) != 1 || list[0].Address != "tous@coop.example" {
		t.Errorf("%+v, %v", list, err)
	}
}
