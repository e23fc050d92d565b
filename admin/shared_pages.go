package admin

import (
	"fmt"
	"strconv"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/people"
)

// groupRows is how many groups a page of what they share has.
const groupRows = 25

// sharedData is the page of what groups share.
type sharedData struct {
	List  []SharedGroup
	All   []Group // to make something for
	Kinds []people.ShareKind
	Next  uint32
}

func (d *Desk) sharedList(x *page.Request) (v sharedData, err error) {
	from := fromOf(x)
	from.Rows = groupRows
	group, _ := strconv.ParseUint(x.R.URL.Query().Get("group"), 10, 32) // 0 is all
	if v.List, err = d.Shared(x.R.Context(), actor(x), SharedIn{uint32(group), from}); err != nil {
		return v, err
	}
	v.Next, v.Kinds = from.next(len(v.List)), []people.ShareKind{people.Mailbox, people.Folder, people.Calendar, people.AddressBook}
	v.All, err = d.Groups(x.R.Context(), actor(x), From{})
	return v, err
}

func (d *Desk) sharedPage(x *page.Request) error {
	v, err := d.sharedList(x)
	return show(x, "shared", "shared.title", v, err)
}

func (d *Desk) postShare(x *page.Request) error {
	group, _ := strconv.ParseUint(x.Form("group"), 10, 32)
	s, err := d.Share(x.R.Context(), actor(x), ShareIn{uint32(group), x.Form("kind"), x.Form("name")})
	if err != nil {
		return again(x, "shared", "shared.title", err, d.sharedList)
	}
	x.Redirect(s.Path() + "?done=made")
	return nil
}

// Path is where the page of it is.
func (s Shared) Path() string { return fmt.Sprintf("/admin/shared/%d/%d", s.Collection, s.Item) }

// What is the word for it, where its name says nothing to people.
func (s Shared) What() string {
	if s.Standard && (s.Name == "" || s.Name == "INBOX" || s.Kind != string(people.Mailbox)) {
		return "shared.standard." + s.Kind
	}
	return ""
}

func sharedID(x *page.Request) SharedID {
	c, _ := strconv.ParseUint(x.R.PathValue("collection"), 10, 32)
	i, _ := strconv.ParseUint(x.R.PathValue("item"), 10, 32)
	return SharedID{uint32(c), uint32(i)}
}

// oneShared is the page of one; Levels are what can be given.
type oneShared struct {
	Shared
	Levels []string
}

func (d *Desk) oneShared(x *page.Request) (oneShared, error) {
	s, err := d.OneShared(x.R.Context(), actor(x), sharedID(x))
	return oneShared{s, []string{"read", "write", "manage"}}, err
}

func (d *Desk) oneSharedPage(x *page.Request) error {
	s, err := d.oneShared(x)
	return show(x, "share", "shared.one", s, err)
}

func (d *Desk) postRights(x *page.Request) error {
	in := RightsIn{sharedID(x), x.Form("member"), x.Form("rights")}
	if x.Form("do") == "remove" {
		in.Rights = "none"
	}
	if _, err := d.GiveRights(x.R.Context(), actor(x), in); err != nil {
		return again(x, "share", "shared.one", err, d.oneShared)
	}
	x.Redirect(Shared{Collection: in.Collection, Item: in.Item}.Path() + "?done=saved")
	return nil
}

func (d *Desk) postRemoveShared(x *page.Request) error {
	in := RemoveSharedIn{sharedID(x), x.Form("contents") != "", x.Form("name")}
	if _, err := d.RemoveShared(x.R.Context(), actor(x), in); err != nil {
		return again(x, "share", "shared.one", err, d.oneShared)
	}
	x.Redirect("/admin/shared?done=deleted")
	return nil
}

// Count is Items for words.
func (s Shared) Count() int { return int(s.Items) }
