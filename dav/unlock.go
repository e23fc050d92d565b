package dav

import (
	"net/http"
	"slices"
	"strings"

	"essaim.coop/essaim/storage/locks"
)

// unlock answers UNLOCK (RFC 4918 §9.11). Besides its creator, whoever has
// DAV:unlock may take a lock away (RFC 3744 §3.5).
func unlock(x *Exchange) error {
	v := strings.TrimSpace(x.Request.Header.Get("Lock-Token"))
	token, rest, ok := "", "", strings.HasPrefix(v, "<")
	if ok {
		token, rest, ok = cutCoded(v, '>')
	}
	if !ok || rest != "" {
		return Status(http.StatusBadRequest)
	}
	c, err := x.conditions()
	if err != nil {
		return err
	}
	err = x.Update(func(s *Scope) error {
		t, err := s.placeToLock(x.at)
		if err != nil || t.r == nil {
			return missing(err)
		}
		if err := c.check(s, t.r, t.path); err != nil {
			return err
		}
		held := locks.Covering(s.Tx, t.path, s.Now)
		i := slices.IndexFunc(held, func(l locks.Lock) bool { return l.Token == token })
		if i < 0 {
			return lockMismatch(http.StatusConflict)
		}
		if held[i].Creator != s.User {
			if err := s.require(t.r, x.at.raw, PrivUnlock); err != nil {
				return err
			}
		}
		locks.Remove(s.Tx, held[i])
		return nil
	})
	if err == nil {
		x.made(false)
	}
	return err
}
