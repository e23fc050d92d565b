package home

import (
	"fmt"
	"slices"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// misplaced names the condition that a collection cannot be made there, which
// CalDAV and CardDAV each have under a name of their own (RFC 4791 §5.3.2.1, RFC
// 6352 §6.3.2.1).
func (t *Tree) misplaced() error {
	return dav.Forbidden(davxml.Name{Space: t.Type.Space, Local: t.Type.Local + "-collection-location-ok"})
}

// Copy is dav.Carrier. There are no copies of whole collections: an item in two
// of them would be two items of one identity for every program.
func (h *Home) Copy(*dav.Scope, dav.Carriage) (dav.Resource, error) { return nil, h.Tree.misplaced() }

// Move is dav.Carrier: a collection of the home's own gets another name in it.
// The standard one keeps its own, by which invitations find it.
func (h *Home) Move(s *dav.Scope, c dav.Carriage) (dav.Resource, error) {
	m, ok := c.Source.(interface{ base() *Collection })
	if !ok || m.base().foreign || m.base().Account != h.Account.ID || c.FromName == h.Tree.Default {
		return nil, h.Tree.misplaced()
	}
	if c.Old != nil || h.taken(c.Name) {
		return nil, fmt.Errorf("name %q is taken: %w", c.Name, storage.ErrConflict)
	}
	col := m.base().Collection
	col.Name = c.Name
	if err := s.Tx.SaveCollection(col); err != nil {
		return nil, err
	}
	return h.Tree.Door.Collection(h.own(s, col)), nil
}

// taken reports whether a name cannot be one of the home's own collections'.
func (h *Home) taken(name string) bool {
	return strings.HasPrefix(name, othersMark) || slices.Contains(h.Tree.Reserved, name)
}
