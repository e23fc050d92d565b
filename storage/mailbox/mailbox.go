// Package mailbox keeps messages: mailboxes, flags, UIDs, and an index from
// which a client's first look at a mailbox is answered without opening a
// message.
//
// What it promises: a message's bytes come back exactly; it is stored once for
// all mailboxes it is in; a UID is never given twice in a mailbox, nor a
// UIDVALIDITY to another mailbox of the same name. The caller opens the
// transaction; nothing here does I/O inside one.
//
// Key schema, beside the floor's collections (one per mailbox, header in Extra)
// and items (one per message and mailbox, the hot row):
//
//	item             modseq flags message size, internal and save date, as varints
//	'm' message(8)   the cold row: what all copies share, see cold.go
//	'n' message(8)   references to the cold row; no row is one reference
//	'o' message(8)   the search signature, see signature.go
//	'p' account(4) name  nothing: the account is subscribed to that name
//
// Flags are bits: 0 \Seen, 1 \Answered, 2 \Flagged, 3 \Deleted, 4 \Draft; from
// 8 on, the mailbox's own keywords in the order of its header. Dates are
// seconds since 1970.
//
// RFCs: 9051 §2.3 (UID, flags), §5.1 (names); 7162 (ModSeq); 6154 (special use).
package mailbox

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
)

// A MsgID names what all copies of a message share.
type MsgID uint64

// Flags are the bits of a message's flags in its mailbox.
type Flags uint64

const (
	Seen Flags = 1 << iota
	Answered
	Flagged
	Deleted
	Draft

	// AllFlags are the system flags and every keyword.
	AllFlags    = ^Flags(0)
	AllKeywords = AllFlags &^ (1<<firstKeyword - 1)

	firstKeyword = 8
	// MaxKeywords is how many keywords one mailbox can have.
	MaxKeywords = 64 - firstKeyword
)

var systemFlags = []string{`\Seen`, `\Answered`, `\Flagged`, `\Deleted`, `\Draft`}

// A Mailbox is a collection of messages with its counters.
type Mailbox struct {
	*storage.Collection
	Keywords        []string
	SpecialUse      string // RFC 6154 attribute, or ""
	Unseen, Deleted uint32
}

var specialUses = []string{"", `\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`}

// load reads a mailbox's own header out of its collection.
func load(c *storage.Collection) (*Mailbox, error) {
	b := c.Extra
	if c.Kind != storage.KindMailbox || len(b) < 12 || b[0] != 1 || int(b[1]) >= len(specialUses) {
		return nil, fmt.Errorf("collection %d is no mailbox: %w", c.ID, storage.ErrInvalid)
	}
	m := &Mailbox{Collection: c, SpecialUse: specialUses[b[1]],
		Unseen: binary.BigEndian.Uint32(b[4:]), Deleted: binary.BigEndian.Uint32(b[8:])}
	if len(b) > 12 {
		m.Keywords = strings.Split(string(b[12:]), "\x00")
	}
	return m, nil
}

// store writes the header back into the collection.
func (m *Mailbox) store() {
	b := make([]byte, 12, 12+16*len(m.Keywords))
	b[0], b[1] = 1, byte(max(0, slices.Index(specialUses, m.SpecialUse)))
	binary.BigEndian.PutUint32(b[4:], m.Unseen)
	binary.BigEndian.PutUint32(b[8:], m.Deleted)
	m.Extra = append(b, strings.Join(m.Keywords, "\x00")...)
}

// FlagNames returns the names of flags.
func (m *Mailbox) FlagNames(f Flags) []string {
	var out []string
	for i, n := range systemFlags {
		if f&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	for i, k := range m.Keywords {
		if f&(1<<(firstKeyword+i)) != 0 {
			out = append(out, k)
		}
	}
	return out
}

// AppendFlags appends the names of flags with spaces between them.
func (m *Mailbox) AppendFlags(dst []byte, f Flags) []byte {
	n := len(dst)
	add := func(name string) {
		if len(dst) > n {
			dst = append(dst, ' ')
		}
		dst = append(dst, name...)
	}
	for i, name := range systemFlags {
		if f&(1<<i) != 0 {
			add(name)
		}
	}
	if f>>firstKeyword != 0 {
		for i, k := range m.Keywords {
			if f&(1<<(firstKeyword+i)) != 0 {
				add(k)
			}
		}
	}
	return dst
}

// Bits returns the bits of named flags; a keyword the mailbox does not know is
// passed over. It is for looking, not for setting.
func (m *Mailbox) Bits(names []string) (f Flags) {
	for _, n := range names {
		b, _ := m.bit(n)
		f |= b
	}
	return f
}

func (m *Mailbox) bit(name string) (Flags, bool) {
	for i, s := range systemFlags {
		if strings.EqualFold(s, name) {
			return 1 << i, true
		}
	}
	for i, k := range m.Keywords {
		if strings.EqualFold(k, name) {
			return 1 << (firstKeyword + i), true
		}
	}
	return 0, false
}

// intern returns the bits of named flags, learning keywords.
func (m *Mailbox) intern(names []string) (f Flags, err error) {
	for _, n := range names {
		b, ok := m.bit(n)
		switch {
		case ok:
		case strings.EqualFold(n, `\Recent`):
		case strings.HasPrefix(n, `\`):
			return 0, fmt.Errorf("flag %s: %w", n, storage.ErrInvalid)
		case len(m.Keywords) >= MaxKeywords || len(n) > 100 || n == "" || strings.ContainsRune(n, 0):
			return 0, fmt.Errorf("keyword %q: too long, or one of too many: %w", n, storage.ErrInvalid)
		default:
			m.Keywords = append(m.Keywords, n)
			b = 1 << (firstKeyword + len(m.Keywords) - 1)
		}
		f |= b
	}
	return f, nil
}

// Ensure makes the mailboxes every member starts with, as far as they are
// missing.
func Ensure(tx *storage.Tx, a storage.AccountID, now time.Time) error {
	for _, b := range []struct{ name, use string }{
		{"INBOX", ""}, {"Drafts", `\Drafts`}, {"Sent", `\Sent`}, {"Archive", `\Archive`}, {"Junk", `\Junk`}, {"Trash", `\Trash`},
	} {
		if _, err := tx.CollectionByName(a, storage.KindMailbox, b.name); err == nil {
			continue
		}
		if _, err := create(tx, a, b.name, b.use, now); err != nil {
			return err
		}
		if err := Subscribe(tx, a, b.name, true); err != nil {
			return err
		}
	}
	return nil
}

func create(tx *storage.Tx, a storage.AccountID, name, use string, now time.Time) (*Mailbox, error) {
	m := &Mailbox{Collection: &storage.Collection{}, SpecialUse: use}
	m.store()
	c, err := tx.CreateCollection(a, storage.KindMailbox, name, m.Extra, now)
	if err != nil {
		return nil, err
	}
	return load(c)
}

// Create makes a mailbox, and those above it that are missing. A special use
// that another mailbox has moves to the new one.
func Create(tx *storage.Tx, a storage.AccountID, name, use string, now time.Time) (*Mailbox, error) {
	name, err := Canonical(name)
	if err != nil {
		return nil, err
	}
	if _, err := tx.CollectionByName(a, storage.KindMailbox, name); err == nil {
		return nil, fmt.Errorf("mailbox %q: %w", name, storage.ErrConflict)
	}
	if len(tx.Collections(a, storage.KindMailbox)) >= 5000 {
		return nil, fmt.Errorf("too many mailboxes: %w", storage.ErrQuota)
	}
	for i, c := range name {
		if c != Delimiter {
			continue
		}
		if _, err := tx.CollectionByName(a, storage.KindMailbox, name[:i]); err == nil {
			continue
		}
		if _, err := create(tx, a, name[:i], "", now); err != nil {
			return nil, err
		}
	}
	if use != "" {
		if err := dropUse(tx, a, use); err != nil {
			return nil, err
		}
	}
	return create(tx, a, name, use, now)
}

func dropUse(tx *storage.Tx, a storage.AccountID, use string) error {
	boxes, err := List(tx, a)
	for _, b := range boxes {
		if b.SpecialUse == use {
			b.SpecialUse = ""
			if err := b.save(tx); err != nil {
				return err
			}
		}
	}
	return err
}

func (m *Mailbox) save(tx *storage.Tx) error {
	m.store()
	return tx.SaveCollection(m.Collection)
}

// ByID and Open find a mailbox; List returns all of an account's, by name.
func ByID(tx *storage.Tx, id storage.CollectionID) (*Mailbox, error) {
	c, err := tx.Collection(id)
	if err != nil {
		return nil, err
	}
	return load(c)
}

func Open(tx *storage.Tx, a storage.AccountID, name string) (*Mailbox, error) {
	name, err := Canonical(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", storage.ErrNotFound, err)
	}
	c, err := tx.CollectionByName(a, storage.KindMailbox, name)
	if err != nil {
		return nil, err
	}
	return load(c)
}

func List(tx *storage.Tx, a storage.AccountID) ([]*Mailbox, error) {
	var out []*Mailbox
	for _, c := range tx.Collections(a, storage.KindMailbox) {
		m, err := load(c)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// Delete removes a mailbox with its messages; INBOX stays. Mailboxes below it
// stay, too.
func Delete(tx *storage.Tx, m *Mailbox) error {
	if m.Name == "INBOX" {
		return fmt.Errorf("INBOX: %w", storage.ErrInvalid)
	}
	if _, err := Remove(tx, m, []storage.Range{{From: 1, To: ^storage.ItemID(0)}}); err != nil {
		return err
	}
	return tx.DeleteCollection(m.Collection)
}

// Rename moves a mailbox and those below it. INBOX stays and gives its messages
// to the new one (RFC 9051 §6.3.6).
func Rename(tx *storage.Tx, a storage.AccountID, from, to string, now time.Time) error {
	to, err := Canonical(to)
	if err != nil {
		return err
	}
	m, err := Open(tx, a, from)
	if err != nil {
		return err
	}
	if _, err := tx.CollectionByName(a, storage.KindMailbox, to); err == nil {
		return fmt.Errorf("mailbox %q: %w", to, storage.ErrConflict)
	}
	if strings.HasPrefix(to, m.Name+"/") && m.Name != "INBOX" {
		return fmt.Errorf("%q below itself: %w", m.Name, storage.ErrInvalid)
	}
	if m.Name == "INBOX" {
		dst, err := Create(tx, a, to, "", now)
		if err == nil {
			_, err = Move(tx, m, dst, []storage.Range{{From: 1, To: ^storage.ItemID(0)}}, AllFlags, now)
		}
		return err
	}
	boxes, err := List(tx, a)
	if err != nil {
		return err
	}
	old := m.Name
	for _, b := range boxes {
		if b.Name != old && !strings.HasPrefix(b.Name, old+"/") {
			continue
		}
		was := b.Name
		b.Name = to + was[len(old):]
		if len(b.Name) > 400 {
			return fmt.Errorf("mailbox name %q: %w", b.Name, storage.ErrInvalid)
		}
		renameSubscription(tx, a, was, b.Name)
		if err := b.save(tx); err != nil {
			return err
		}
	}
	return nil
}

// Purge removes up to most messages of an account, and its mailboxes once they
// are empty; it reports whether something is left.
func Purge(tx *storage.Tx, a storage.AccountID, most int) (left bool, err error) {
	boxes, err := List(tx, a)
	if err != nil {
		return false, err
	}
	for _, b := range boxes {
		var gone []Message
		Scan(tx, b, 1, ^storage.ItemID(0), func(m Message) bool {
			gone = append(gone, m)
			return len(gone) < most
		})
		if _, err := b.remove(tx, gone); err != nil {
			return false, err
		}
		if b.Count > 0 {
			return true, nil
		}
		if err := tx.DeleteCollection(b.Collection); err != nil {
			return false, err
		}
		if most -= len(gone); most <= 0 {
			return true, nil
		}
	}
	for _, name := range Subscriptions(tx, a) {
		tx.Delete(subscriptionKey(a, name))
	}
	return false, nil
}
