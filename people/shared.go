package people

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/calendar"
	"essaim.coop/essaim/storage/contacts"
	"essaim.coop/essaim/storage/files"
	"essaim.coop/essaim/storage/mailbox"
)

// A ShareKind is what a group can share.
type ShareKind string

const (
	Mailbox     ShareKind = "mailbox"
	Folder      ShareKind = "folder"
	Calendar    ShareKind = "calendar"
	AddressBook ShareKind = "addressbook"
)

// A Shared is one thing that a group shares: its inbox, its files, calendars
// and address books, and what else was made to be shared or has rights of its
// own. Of what is below it only counts are told; what members share among each
// other is theirs and is not among them.
type Shared struct {
	Object   storage.Object // Item 0 is a whole collection
	Kind     ShareKind
	Name     string
	Standard bool // what every group has, as long as there is the group
	Group    accounts.Account
	Items    int64
	Bytes    int64
	Changed  time.Time     // of mail, when the newest arrived
	Rights   []storage.ACE // beside those of the group's members, who can write
}

// markOf is the property of what was made here to be shared, and the object it
// is kept with: of a mailbox that is the group, as a mailbox's bytes are those
// of its messages.
func markOf(kind ShareKind, g storage.AccountID, o storage.Object) (storage.Object, string) {
	if kind == Mailbox {
		return storage.AccountObject(g), fmt.Sprint("shared mailbox ", o.Collection)
	}
	return o, "shared"
}

func marked(tx *storage.Tx, kind ShareKind, g storage.AccountID, o storage.Object) bool {
	at, name := markOf(kind, g, o)
	return tx.Property(at, 0, name) != nil
}

// mark sets the property, or takes it away.
func mark(tx *storage.Tx, kind ShareKind, g storage.AccountID, o storage.Object, on bool) error {
	at, name := markOf(kind, g, o)
	var value []byte
	if on {
		value = []byte{1}
	}
	return tx.SetProperty(at, 0, name, value)
}

// SharedBy is what a group shares, its inbox and its files first.
func SharedBy(tx *storage.Tx, g accounts.Account) ([]Shared, error) {
	out, err := sharedMail(tx, g)
	if err != nil {
		return nil, err
	}
	list, err := sharedFolders(tx, g)
	if err != nil {
		return nil, err
	}
	out = append(out, list...)
	for _, c := range calendar.List(tx, g.ID) {
		s := describe(tx, g, c.ID.Object(), Calendar, displayName(tx, c.Collection))
		s.Standard, s.Items, s.Bytes = c.Name == calendar.DefaultCalendar, int64(c.Count), c.Bytes
		if err := calendar.Scan(tx, c.ID, "", func(o calendar.Object) bool { s.changed(o.ModTime()); return true }); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	for _, b := range contacts.List(tx, g.ID) {
		s := describe(tx, g, b.ID.Object(), AddressBook, displayName(tx, b.Collection))
		s.Standard, s.Items, s.Bytes = b.Name == contacts.DefaultBook, int64(b.Count), b.Bytes
		if err := contacts.Scan(tx, b.ID, "", func(c contacts.Card) bool { s.changed(c.ModTime()); return true }); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func describe(tx *storage.Tx, g accounts.Account, o storage.Object, kind ShareKind, name string) Shared {
	return Shared{Object: o, Kind: kind, Name: name, Group: g, Rights: tx.ACL(o)}
}

func (s *Shared) changed(at time.Time) {
	if at.After(s.Changed) {
		s.Changed = at
	}
}

// sharedMail are the inbox and the topmost mailboxes that are shared, each with
// those below it.
func sharedMail(tx *storage.Tx, g accounts.Account) (out []Shared, err error) {
	boxes, err := mailbox.List(tx, g.ID)
	if err != nil {
		return nil, err
	}
	var tops []*mailbox.Mailbox
	for _, b := range boxes { // in order of names: what is below comes later
		above := slices.ContainsFunc(tops, func(t *mailbox.Mailbox) bool { return below(b.Name, t.Name) })
		if !above && (b.Name == "INBOX" || marked(tx, Mailbox, g.ID, b.ID.Object()) || len(tx.ACL(b.ID.Object())) > 0) {
			tops = append(tops, b)
		}
	}
	for _, top := range tops {
		s := describe(tx, g, top.ID.Object(), Mailbox, top.Name)
		s.Standard = top.Name == "INBOX" || top.SpecialUse != ""
		for _, b := range boxes {
			if b == top || below(b.Name, top.Name) {
				s.Items, s.Bytes = s.Items+int64(b.Count), s.Bytes+b.Bytes
				s.changed(newest(tx, b))
			}
		}
		out = append(out, s)
	}
	return out, nil
}

func below(name, top string) bool { return strings.HasPrefix(name, top+string(mailbox.Delimiter)) }

// newest is when the newest message of a mailbox was saved in it. It looks back
// from the end in steps that grow, as the numbers of deleted ones are missing.
func newest(tx *storage.Tx, b *mailbox.Mailbox) (at time.Time) {
	if b.Count == 0 {
		return at
	}
	for to, step := b.NextItem-1, storage.ItemID(64); to > 0 && at.IsZero(); step *= 4 {
		from := to - min(to-1, step-1)
		mailbox.Scan(tx, b, from, to, func(m mailbox.Message) bool { at = time.Unix(int64(m.Saved), 0); return true })
		to = from - 1
	}
	return at
}

// mostFolders bounds how many folders at the top of a tree are looked at.
const mostFolders = 1000

// sharedFolders are the tree and the topmost folders in it that are shared.
func sharedFolders(tx *storage.Tx, g accounts.Account) (out []Shared, err error) {
	t, err := files.Open(tx, g.ID)
	if err != nil {
		return nil, nil //nolint:nilerr // it has no files
	}
	whole := describeFolder(tx, g, t, files.Root, "")
	whole.Standard = true
	out = append(out, whole)
	tops := tx.SharedItems(t.ID)
	list, err := files.List(tx, t, files.Root, "", mostFolders)
	for _, n := range list {
		if n.Kind == files.Folder && marked(tx, Folder, g.ID, storage.Object{Collection: t.ID, Item: n.ID}) && !slices.Contains(tops, n.ID) {
			tops = append(tops, n.ID)
		}
	}
	for _, id := range tops {
		n, gone := files.Get(tx, t, id)
		_, live := files.Path(tx, t, files.Root, id)
		inside := slices.ContainsFunc(tops, func(o storage.ItemID) bool {
			_, is := files.Path(tx, t, o, id)
			return is && o != id
		})
		if gone == nil && live && !inside && n.Kind == files.Folder && id != files.Root {
			out = append(out, describeFolder(tx, g, t, id, n.Name))
		}
	}
	return out, err
}

// describeFolder tells of a folder; the rights of the top one are the tree's.
func describeFolder(tx *storage.Tx, g accounts.Account, t *files.Tree, id storage.ItemID, name string) Shared {
	o := storage.Object{Collection: t.ID, Item: id}
	if id == files.Root {
		o.Item = 0
	}
	s := describe(tx, g, o, Folder, name)
	sum := files.FolderTotals(tx, t, id)
	s.Items, s.Bytes, s.Changed = sum.Nodes(), sum.Bytes, time.UnixMilli(sum.Time)
	return s
}

// displayName is what a calendar or an address book is called in programs.
func displayName(tx *storage.Tx, c *storage.Collection) string {
	var name struct {
		Text string `xml:",chardata"`
	}
	if v := tx.Property(c.ID.Object(), 0, "{DAV:}displayname"); v != nil && xml.Unmarshal(v, &name) == nil && strings.TrimSpace(name.Text) != "" {
		return strings.TrimSpace(name.Text)
	}
	return c.Name
}

// FindShared finds one of those that SharedBy lists; ErrNotFound for what no
// group shares.
func FindShared(tx *storage.Tx, o storage.Object) (s Shared, err error) {
	var g accounts.Account
	c, err := tx.Collection(o.Collection)
	if err == nil {
		g, err = accounts.Get(tx, c.Account)
	}
	if err != nil {
		return s, err
	}
	var list []Shared
	if g.Group {
		if list, err = SharedBy(tx, g); err != nil {
			return s, err
		}
	}
	i := slices.IndexFunc(list, func(s Shared) bool { return s.Object == o })
	if i < 0 {
		return s, fmt.Errorf("collection %d, item %d is nothing that a group shares: %w", o.Collection, o.Item, storage.ErrNotFound)
	}
	return list[i], nil
}
