package webfs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/files"
)

func (h *house) share(who, path, with string, r storage.Rights) {
	h.t.Helper()
	id := h.prop(who, path, "http://owncloud.org/ns", "fileid")
	o, err := parseFileID(id)
	if err == nil {
		err = h.db.Update(func(tx *storage.Tx) error { return tx.SetACL(o, h.ids[with], r) })
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestSharing(t *testing.T) {
	h := newHouse(t, 0)
	h.want(201, "ann", "MKCOL", "Photos", "")
	h.want(201, "ann", "PUT", "Photos/x", "x")
	h.share("ann", "Photos/", "bob", storage.RightLookup|storage.RightRead)
	if got := h.names("bob", ""); !slices.Equal(got, []string{"Photos/"}) {
		t.Fatalf("bob sees %q", got)
	}
	h.read("bob", "Photos/x", "x")
	h.want(403, "bob", "PUT", "Photos/x", "y")
	h.want(403, "bob", "PUT", "Photos/new", "y")
	h.want(403, "bob", "DELETE", "Photos/x", "")
	root := h.prop("bob", "", "DAV:", "getetag")
	h.want(204, "ann", "PUT", "Photos/x", "x2")
	if h.prop("bob", "", "DAV:", "getetag") == root {
		t.Error("what changed in a shared folder does not show at the root")
	}
	h.share("ann", "Photos/", "bob", storage.GroupRights)
	h.want(201, "bob", "MKCOL", "mine", "")
	h.want(201, "bob", "MOVE", "Photos", "", "Destination", "mine/Pictures")
	h.want(201, "bob", "PUT", "mine/Pictures/y", "from bob")
	h.read("ann", "Photos/y", "from bob")
	if used := h.prop("bob", "", "DAV:", "quota-used-bytes"); used != "0" {
		t.Errorf("bob pays %s for what is ann's", used)
	}
	// A lock of one is a lock for the other.
	lock := `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`
	r := h.want(200, "bob", "LOCK", "mine/Pictures/y", lock)
	h.want(423, "ann", "PUT", "Photos/y", "z")
	h.want(204, "bob", "UNLOCK", "mine/Pictures/y", "", "Lock-Token", r.Header.Get("Lock-Token"))
	// Out of the shared folder it is bob's, and ann finds it in her trash.
	h.want(201, "bob", "MOVE", "mine/Pictures/y", "", "Destination", "y")
	h.read("bob", "y", "from bob")
	if got := h.names("ann", "/dav/trash/ann@coop.example/trash/"); len(got) != 1 {
		t.Errorf("ann's trash %q", got)
	}
	h.want(204, "bob", "DELETE", "mine/Pictures", "") // he leaves it
	h.read("ann", "Photos/x", "x2")
	if got := h.names("bob", "mine/"); len(got) != 0 {
		t.Errorf("bob still sees %q", got)
	}
}

func TestGroupFolder(t *testing.T) {
	h := newHouse(t, 0)
	member := func(change func(*storage.Tx, storage.AccountID, string) error) {
		t.Helper()
		if err := h.db.Update(func(tx *storage.Tx) error { return change(tx, h.ids["garden"], "bob@coop.example") }); err != nil {
			t.Fatal(err)
		}
	}
	member(accounts.AddMember)
	h.want(201, "bob", "PUT", "The%20garden/plan", "beans")
	h.want(403, "bob", "DELETE", "The%20garden", "")
	h.read("bob", "/dav/files/garden@coop.example/plan", "beans")
	h.want(404, "ann", "GET", "/dav/files/garden@coop.example/plan", "")
	member(accounts.RemoveMember)
	h.want(404, "bob", "GET", "The%20garden/plan", "")
	if got := h.names("bob", ""); len(got) != 0 {
		t.Errorf("bob sees %q", got)
	}
}

// A large folder is copied in bounded commits and appears at once.
func TestLargeCopy(t *testing.T) {
	h := newHouse(t, 0)
	h.want(201, "ann", "MKCOL", "big", "")
	h.want(201, "ann", "PUT", "big/0", "body")
	err := h.db.Update(func(tx *storage.Tx) error {
		tree, err := files.Open(tx, h.ids["ann"])
		if err != nil {
			return err
		}
		p, err := files.Resolve(tx, tree, []string{"big"})
		if err != nil {
			return err
		}
		src, err := files.Child(tx, tree, p.Node.ID, "0")
		for i := 1; i < 3*files.Batch && err == nil; i++ {
			_, err = files.CopyFile(tx, tree, src.ID, tree, p.Node.ID, fmt.Sprint(i), files.Attr{By: h.ids["ann"], Now: h.now})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	before := h.db.Stats().Commits
	h.want(201, "ann", "COPY", "big", "", "Destination", "copy")
	if n := h.db.Stats().Commits - before; n < 4 {
		t.Errorf("%d commits", n)
	}
	if n := len(h.names("ann", "copy/")); n != 3*files.Batch {
		t.Errorf("%d copied", n)
	}
	h.want(204, "ann", "COPY", "big", "", "Destination", "copy")
	h.want(412, "ann", "COPY", "big", "", "Destination", "copy", "Overwrite", "F")
	h.want(201, "ann", "COPY", "big", "", "Destination", "shallow", "Depth", "0")
	if n := len(h.names("ann", "shallow/")); n != 0 {
		t.Errorf("%d copied", n)
	}
	// Into another's tree a MOVE is a copy, and the source is in the trash.
	h.want(201, "bob", "MKCOL", "Ours", "")
	h.share("bob", "Ours/", "ann", storage.GroupRights)
	h.want(201, "ann", "MOVE", "copy", "", "Destination", "Ours/moved")
	if n := len(h.names("bob", "Ours/moved/")); n != 3*files.Batch {
		t.Errorf("%d moved", n)
	}
	h.want(404, "ann", "GET", "copy/0", "")
}

// Who may do more with one file of a shared folder sees so in its listing.
func TestRightsOnOneFile(t *testing.T) {
	h := newHouse(t, 0)
	h.want(201, "ann", "MKCOL", "Photos", "")
	h.want(201, "ann", "PUT", "Photos/x", "x")
	h.want(201, "ann", "PUT", "Photos/y", "y")
	h.share("ann", "Photos/", "bob", storage.RightLookup|storage.RightRead)
	h.share("ann", "Photos/y", "bob", storage.RightWrite)
	h.want(403, "bob", "PUT", "Photos/x", "2")
	h.want(204, "bob", "PUT", "Photos/y", "2")
	r := h.want(207, "bob", "PROPFIND", "Photos/",
		`<D:propfind xmlns:D="DAV:"><D:prop><oc:permissions xmlns:oc="http://owncloud.org/ns"/></D:prop></D:propfind>`, "Depth", "1")
	for _, want := range []string{">SMG<", ">SG<", ">SGW<"} {
		if strings.Count(r.body, want) != 1 {
			t.Errorf("no single %s in %s", want, r.body)
		}
	}
}

// Dead properties go where COPY and MOVE take what they are on.
func TestPropertiesGoAlong(t *testing.T) {
	h := newHouse(t, 0)
	h.want(201, "ann", "MKCOL", "d", "")
	for _, p := range []string{"a", "b", "d/f", "d"} {
		if p != "d" {
			h.want(201, "ann", "PUT", p, p)
		}
		body := fmt.Sprintf(`<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><X:of xmlns:X="x:">%s</X:of></D:prop></D:set></D:propertyupdate>`, p)
		h.want(207, "ann", "PROPPATCH", p, body)
	}
	is := func(path, want string) {
		t.Helper()
		if got := h.prop("ann", path, "x:", "of"); got != want {
			t.Errorf("%s has the property of %q, must be of %q", path, got, want)
		}
	}
	h.want(204, "ann", "COPY", "a", "", "Destination", "b")
	is("b", "a")
	h.want(201, "ann", "COPY", "d", "", "Destination", "e")
	is("e", "d")
	is("e/f", "d/f")
	h.want(204, "ann", "MOVE", "e/f", "", "Destination", "a")
	is("a", "d/f")
	h.want(201, "ann", "COPY", "d", "", "Destination", "g", "Depth", "0")
	is("g", "d")
}
