package calendar

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/ical/overlay"
	"essaim.coop/essaim/storage"
)

// MaxPersonal is how long what one member has of their own in an object can be,
// in bytes.
const MaxPersonal = 16 << 10

const personalName = "overlay" // of the property: seconds since 1970 (8), the text

// A Personal is what a member has of their own in an object of a calendar that
// belongs to somebody else, or to a group: the text of an overlay.Overlay.
type Personal struct {
	Text    string
	Changed int64 // seconds since 1970; 0 when there never was one
}

// PersonalOf is what a member has of their own in an object.
func PersonalOf(tx *storage.Tx, c storage.CollectionID, id storage.ItemID, a storage.AccountID) (p Personal) {
	if v := tx.Property(storage.Object{Collection: c, Item: id}, a, personalName); len(v) >= 8 {
		p = Personal{string(v[8:]), int64(binary.BigEndian.Uint64(v))}
	}
	return p
}

// SetPersonal keeps it, and notes the object as changed when it is another than
// before: the log is one for all who follow the calendar, and those whom it does
// not concern find the entity tag that they have. ErrInvalid beyond MaxPersonal.
func SetPersonal(tx *storage.Tx, c Calendar, o Object, a storage.AccountID, text string, now time.Time) error {
	old := PersonalOf(tx, c.ID, o.Item, a)
	if old.Text == text {
		return nil
	}
	if len(text) > MaxPersonal {
		return fmt.Errorf("%d bytes of one's own: %w", len(text), storage.ErrInvalid)
	}
	v := append(binary.BigEndian.AppendUint64(nil, uint64(now.Unix())), text...)
	if err := tx.SetProperty(storage.Object{Collection: c.ID, Item: o.Item}, a, personalName, v); err != nil {
		return err
	}
	return Touch(tx, c, o)
}

// ETagFor is the entity tag of the object as a member is shown it who is not its
// owner: it changes with what they have of their own, and not with what the owner
// has.
func (o *Object) ETagFor(p Personal) string {
	tag := o.Sum
	if o.Personal {
		tag = o.Bare
	}
	if p.Text != "" {
		h := sha256.New()
		h.Write(tag[:])
		h.Write([]byte(p.Text))
		copy(tag[:], h.Sum(nil))
	}
	return hex.EncodeToString(tag[:])
}

// bare notes what the object is without what is personal in it.
func (o *Object) bare(s *filter.Subject) error {
	if o.Personal = overlay.Has(s.Object); !o.Personal {
		return nil
	}
	text, err := overlay.With(s.Object, overlay.Overlay{})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	copy(o.Bare[:], sum[:])
	return nil
}

// ReadFor is Object.Read of the object as a member is shown it who is not its owner.
func ReadFor(db *storage.DB, o *Object, p Personal) ([]byte, error) {
	raw, err := o.Read(db)
	if err != nil || !o.Personal && p.Text == "" {
		return raw, err
	}
	text, err := overlay.View(raw, p.Text)
	if err != nil {
		return nil, fmt.Errorf("object %d: %w", o.Item, err)
	}
	return text, nil
}
