package dav

import (
	"strconv"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// The quota of RFC 4331 is the household's of the owner: everything a household
// keeps counts, mail too, so what is available is what can be written.

func getQuotaUsed(s *Scope, r Resource, w *davxml.Writer) error {
	if !r.Kind().Collection || r.Owner() == 0 {
		return storage.ErrNotFound
	}
	used, _ := s.Tx.Quota(s.Tx.Household(r.Owner()))
	w.Text(strconv.FormatInt(used, 10))
	return nil
}

// getQuotaAvailable has nothing to say where there is no limit.
func getQuotaAvailable(s *Scope, r Resource, w *davxml.Writer) error {
	if !r.Kind().Collection || r.Owner() == 0 {
		return storage.ErrNotFound
	}
	used, limit := s.Tx.Quota(s.Tx.Household(r.Owner()))
	if limit == 0 {
		return storage.ErrNotFound
	}
	w.Text(strconv.FormatInt(max(0, limit-used), 10))
	return nil
}
