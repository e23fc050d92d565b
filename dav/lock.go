package dav

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/locks"
)

// How long a lock is held: what is asked for, within these. Clients that vanish
// must not keep others out for long; those that live refresh.
const (
	lockDefault = 30 * time.Minute
	lockMost    = 2 * time.Hour
)

// lock answers LOCK (RFC 4918 §9.10): a new lock, on a name under which there
// may be nothing yet, or the refresh of one.
func lock(x *Exchange) error {
	depth, err := x.depth(infinity, 0, infinity)
	if err != nil {
		return err
	}
	body, err := x.body()
	if err != nil {
		return err
	}
	c, err := x.conditions()
	if err != nil {
		return err
	}
	until := x.Now.Add(timeout(x.Request.Header.Values("Timeout")))
	if body == nil {
		return x.refresh(c, until)
	}
	l := locks.Lock{Token: locks.NewToken(), Infinite: depth == infinity, Creator: x.User, Until: until}
	if err := parseLockInfo(body, &l); err != nil {
		return err
	}
	return x.takeLock(c, l)
}

// timeout reads the Timeout header (RFC 4918 §10.7): the first time it
// understands.
func timeout(lines []string) time.Duration {
	for v := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		v = strings.TrimSpace(v)
		if strings.EqualFold(v, "Infinite") {
			return lockMost
		}
		if len(v) > 7 && strings.EqualFold(v[:7], "Second-") {
			n, err := strconv.ParseUint(v[7:], 10, 64)
			if err == nil || errors.Is(err, strconv.ErrRange) {
				return min(max(time.Duration(min(n, 1<<31))*time.Second, time.Second), lockMost)
			}
		}
	}
	return lockDefault
}

func parseLockInfo(body *davxml.Element, l *locks.Lock) error {
	scope := body.Child(davxml.DAV("lockscope"))
	l.Shared = scope.Child(davxml.DAV("shared")) != nil
	if body.Name != davxml.DAV("lockinfo") || body.Child(davxml.DAV("locktype")).Child(davxml.DAV("write")) == nil ||
		l.Shared == (scope.Child(davxml.DAV("exclusive")) != nil) {
		return Status(http.StatusBadRequest)
	}
	if owner := body.Child(davxml.DAV("owner")); owner != nil {
		var w davxml.Writer
		w.Element(owner)
		if l.Owner = w.Bytes(); len(l.Owner) > locks.MaxOwner {
			return Status(http.StatusRequestEntityTooLarge)
		}
	}
	return nil
}

// takeLock takes a new lock. Under a name of nothing it makes an empty resource
// (RFC 4918 §7.3).
func (x *Exchange) takeLock(c *conditions, l locks.Lock) error {
	up := &Upload{User: x.User, Now: x.Now, Header: x.Request.Header, Answer: http.Header{}, db: x.engine.DB}
	var err error
	if up.Body, err = x.engine.DB.Stage().Finish(); err != nil {
		return full(err)
	}
	body, committed, created := up.Body, false, false
	up.Finally(func(bool) { body.Discard() })
	defer func() { up.finish(committed) }()
	received, err := x.receiveNothing(c, l, up)
	if err != nil {
		return err
	}
	err = x.Update(func(s *Scope) error {
		t, err := s.placeToLock(x.at)
		if err != nil {
			return err
		}
		created = t.r == nil
		l.Root, up.Name = t.path, t.name
		if err := x.mayLock(s, c, t, l); err != nil {
			return err
		}
		if err := locks.Put(s.Tx, l, s.Now); err != nil || !created {
			return err
		}
		if !received { // what was there is gone since
			return storage.ErrTemporary
		}
		_, err = t.parent.(Writer).Write(s, t.name, nil, up)
		return err
	})
	var below lockedBelow
	if errors.As(err, &below) {
		return below.answer(x)
	}
	if err != nil {
		return err
	}
	committed = true
	x.Answer.Header().Set("Lock-Token", "<"+l.Token+">")
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return x.lockAnswer(status, l)
}

// receiveNothing has the collection look at the empty body of what the lock would
// make, if it would make something: of what cannot be empty there is none.
func (x *Exchange) receiveNothing(c *conditions, l locks.Lock, up *Upload) (received bool, err error) {
	var w Writer
	err = x.View(func(s *Scope) error {
		t, err := s.placeToLock(x.at)
		if err != nil || t.r != nil {
			return err
		}
		l.Root, up.Name = t.path, t.name
		w, _ = t.parent.(Writer)
		return x.mayLock(s, c, t, l)
	})
	if err != nil || w == nil {
		return false, err
	}
	return true, w.Receive(up)
}

// placeToLock is place, but the root of a tree can be locked, too.
func (s *Scope) placeToLock(l location) (target, error) {
	if m, rest := s.x.engine.mountOf(l.segments); m != nil && len(rest) == 0 {
		r, err := s.resolve(l.segments)
		return target{location: l, r: r, path: lockPath(l, r, nil)}, err
	}
	return s.place(l)
}

func (x *Exchange) mayLock(s *Scope, c *conditions, t target, l locks.Lock) error {
	if t.r == nil {
		if _, ok := t.parent.(Writer); !ok || !t.parent.Kind().Lockable || t.slash {
			return Status(http.StatusForbidden)
		}
		if err := s.require(t.parent, x.at.parentHref(), PrivBind); err != nil {
			return err
		}
		if err := c.free(s, lockPath(t.up(), t.parent, nil)); err != nil {
			return err
		}
	} else {
		if !t.r.Kind().Lockable {
			return x.notAllowed(t.r, t.parent)
		}
		if err := s.require(t.r, x.at.raw, PrivWriteContent); err != nil {
			return err
		}
	}
	if err := c.check(s, t.r, t.path); err != nil {
		return err
	}
	return conflicting(s, l)
}

// conflicting is the error of a lock in the way of l: a 423 that names it (RFC
// 4918 §9.10.6) or, of one below, a lockedBelow.
func conflicting(s *Scope, l locks.Lock) (err error) {
	for _, o := range locks.Covering(s.Tx, l.Root, s.Now) {
		if !o.Shared || !l.Shared {
			e := &StatusError{Status: http.StatusLocked, Condition: noConflictingLock}
			return e.WithHref(o.Root)
		}
	}
	if l.Infinite {
		locks.Below(s.Tx, l.Root, s.Now, func(o locks.Lock) bool {
			if !o.Shared || !l.Shared {
				err = lockedBelow(o.Root)
			}
			return err == nil
		})
	}
	return err
}

var noConflictingLock = davxml.DAV("no-conflicting-lock")

// lockedBelow is the root of a lock that keeps a collection from being locked
// with all that is in it.
type lockedBelow string

func (l lockedBelow) Error() string { return "locked: " + string(l) }

// answer says so in a 207 (RFC 4918 §9.10.3).
func (l lockedBelow) answer(x *Exchange) error {
	m := x.Multistatus(&Want{})
	m.Status(string(l), &StatusError{Status: http.StatusLocked, Condition: noConflictingLock})
	m.Status(x.at.href(true), Status(http.StatusFailedDependency))
	return m.Finish(nil)
}

// refresh gives the lock a new deadline whose token is in the If header (RFC
// 4918 §9.10.2).
func (x *Exchange) refresh(c *conditions, until time.Time) error {
	if len(c.submitted) == 0 {
		return Status(http.StatusBadRequest)
	}
	var l locks.Lock
	err := x.Update(func(s *Scope) error {
		t, err := s.placeToLock(x.at)
		if err != nil || t.r == nil {
			return missing(err)
		}
		if err := c.check(s, t.r, t.path); err != nil {
			return err
		}
		var ok bool
		if l, ok = c.own(s, t.path, c.submitted...); !ok {
			return lockMismatch(http.StatusPreconditionFailed)
		}
		l.Until = until
		return locks.Put(s.Tx, l, s.Now)
	})
	if err != nil {
		return err
	}
	return x.lockAnswer(http.StatusOK, l)
}

// own returns the user's lock on a path that has one of the tokens.
func (c *conditions) own(s *Scope, path string, tokens ...string) (locks.Lock, bool) {
	for _, l := range locks.Covering(s.Tx, path, s.Now) {
		for _, t := range tokens {
			if l.Token == t && l.Creator == s.User {
				return l, true
			}
		}
	}
	return locks.Lock{}, false
}

func lockMismatch(status int) error {
	return &StatusError{Status: status, Condition: davxml.DAV("lock-token-matches-request-uri")}
}

// lockAnswer answers with the lock as it is.
func (x *Exchange) lockAnswer(status int, l locks.Lock) error {
	var w davxml.Writer
	w.Root(davxml.DAV("prop"))
	w.Open(davxml.DAV("lockdiscovery"))
	writeLock(&w, l, x.User, x.Now)
	w.Close(davxml.DAV("lockdiscovery"))
	w.Close(davxml.DAV("prop"))
	x.xml(status, &w)
	return nil
}

// writeLock writes a DAV:activelock (RFC 4918 §14.1). Only its creator is told
// the token, as only they may use it.
func writeLock(w *davxml.Writer, l locks.Lock, user storage.AccountID, now time.Time) {
	w.Open(davxml.DAV("activelock"))
	w.Raw("<D:locktype><D:write/></D:locktype><D:lockscope>")
	if l.Shared {
		w.Raw("<D:shared/>")
	} else {
		w.Raw("<D:exclusive/>")
	}
	w.Raw("</D:lockscope><D:depth>")
	if l.Infinite {
		w.Raw("infinity")
	} else {
		w.Raw("0")
	}
	w.Raw("</D:depth>")
	w.RawBytes(l.Owner)
	w.Leaf(davxml.DAV("timeout"), "Second-"+strconv.Itoa(max(1, int(l.Until.Sub(now)/time.Second))))
	if l.Creator == user {
		w.Open(davxml.DAV("locktoken"))
		w.Href(l.Token)
		w.Close(davxml.DAV("locktoken"))
	}
	w.Open(davxml.DAV("lockroot"))
	w.Href(l.Root)
	w.Close(davxml.DAV("lockroot"))
	w.Close(davxml.DAV("activelock"))
}

func getLockDiscovery(s *Scope, r Resource, w *davxml.Writer) error {
	if !r.Kind().Lockable {
		return storage.ErrNotFound
	}
	if !s.anyLocks() {
		return nil
	}
	l, err := parsePath(string(s.here))
	if err != nil {
		return err
	}
	for _, l := range locks.Covering(s.Tx, lockPath(l, r, nil), s.Now) {
		writeLock(w, l, s.User, s.Now)
	}
	return nil
}

// lockful is whether the store has locks at all, once it was asked.
type lockful uint8

const (
	noLocks lockful = 1 + iota
	someLocks
)

func (s *Scope) anyLocks() bool {
	if s.lockful == 0 {
		s.lockful = noLocks
		locks.List(s.Tx, s.Now, func(locks.Lock) bool { s.lockful = someLocks; return false })
	}
	return s.lockful == someLocks
}

func getSupportedLock(_ *Scope, r Resource, w *davxml.Writer) error {
	if !r.Kind().Lockable {
		return storage.ErrNotFound
	}
	w.Raw("<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>" +
		"<D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>")
	return nil
}
