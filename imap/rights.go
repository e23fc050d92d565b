package imap

import (
	"slices"
	"strings"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

// rights are what the session's account may do with a mailbox.
func (s *session) rights(tx *storage.Tx, box *mailbox.Mailbox) storage.Rights {
	if box.Account == s.account() {
		return storage.OwnerRights
	}
	return accounts.Rights(tx, accounts.Identities(tx, s.account()), box.ID.Object())
}

// lacks is the refusal of what rights do not allow. Who may not look up a
// mailbox does not learn that it is there (RFC 4314 §6).
func lacks(have storage.Rights) error {
	if have.Has(storage.RightLookup) {
		return storage.ErrPermission
	}
	return storage.ErrNotFound
}

// current opens the selected mailbox anew, if the session still has the rights
// wanted: they may have been taken away since it was selected.
func (s *session) current(tx *storage.Tx, want storage.Rights) (*mailbox.Mailbox, storage.Rights, error) {
	box, err := mailbox.ByID(tx, s.sel.id)
	if err != nil {
		return nil, 0, err
	}
	r := s.rights(tx, box)
	if !r.Has(want) {
		return nil, r, storage.ErrPermission
	}
	return box, r, nil
}

// mayFlag are the flags that rights allow to change (RFC 4314 §4).
func mayFlag(r storage.Rights) (f mailbox.Flags) {
	if r.Has(storage.RightSeen) {
		f |= mailbox.Seen
	}
	if r.Has(storage.RightDeleteItems) {
		f |= mailbox.Deleted
	}
	if r.Has(storage.RightWrite) {
		f |= mailbox.AllFlags &^ (mailbox.Seen | mailbox.Deleted)
	}
	return f
}

// mayBeFlagged picks the flags that may be changed.
func mayBeFlagged(r storage.Rights, names []string) []string {
	may := mayFlag(r)
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		switch {
		case strings.EqualFold(n, `\Seen`):
			return may&mailbox.Seen == 0
		case strings.EqualFold(n, `\Deleted`):
			return may&mailbox.Deleted == 0
		}
		return may&mailbox.AllKeywords == 0
	})
}

// changes are the rights without any of which a mailbox is read-only (RFC 4314
// §5.2). Flags are kept once for all who look at a mailbox, \Seen too: what one
// of those who answer info@ has read nobody else need read again, and a mailbox
// has one state, one count of the unseen and one change log.
const changes = storage.RightSeen | storage.RightWrite | storage.RightInsert | storage.RightDeleteItems | storage.RightExpunge
