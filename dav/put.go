package dav

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// put answers PUT (RFC 9110 §9.3.4, RFC 4918 §9.7). What can be refused is
// refused before the body is asked for, so that a client that expects a
// 100-continue does not send it; what was found then is looked at again in the
// transaction that writes.
func put(x *Exchange) error {
	if x.Request.Header.Get("Content-Range") != "" {
		return Status(http.StatusBadRequest) // RFC 9110 §14.5: we would store a part as the whole
	}
	c, err := x.conditions()
	if err != nil {
		return err
	}
	w, name, limit, err := x.mayPut(c)
	if err != nil {
		return err
	}
	up := &Upload{
		User: x.User, Name: name, Now: x.Now, Header: x.Request.Header,
		Type: x.Request.Header.Get("Content-Type"), Answer: http.Header{}, db: x.engine.DB,
	}
	if up.Body, err = x.receive(limit, tooLarge(w.Kind(), limit), w.Kind().Unsummed); err != nil {
		return err
	}
	body, committed := up.Body, false
	up.Finally(func(bool) { body.Discard() })
	defer func() { up.finish(committed) }()
	var r Resource
	created := false
	for again := 0; ; again++ {
		up.Body = body
		if err = w.Receive(up); err == nil {
			err = x.Update(func(s *Scope) error {
				t, w, err := x.putTarget(s, c)
				if err != nil {
					return err
				}
				created = t.r == nil
				r, err = w.Write(s, t.name, t.r, up)
				return err
			})
		}
		if !errors.Is(err, ErrStale) || again == mostStale {
			break
		}
	}
	if err != nil {
		return err
	}
	committed = true
	x.stored(r, up, created)
	return nil
}

// ErrStale is a Write that finds another state than its Receive has looked at:
// both are called again.
var ErrStale = fmt.Errorf("the state has changed meanwhile: %w", storage.ErrTemporary)

const mostStale = 20

// stored answers a PUT that succeeded.
func (x *Exchange) stored(r Resource, up *Upload, created bool) {
	h := x.Answer.Header()
	maps.Copy(h, up.Answer)
	if tag := r.Stat().ETag; tag != "" && !up.Altered {
		h.Set("ETag", `"`+tag+`"`)
	}
	x.made(created)
}

// made answers with 201 or 204.
func (x *Exchange) made(created bool) {
	if created {
		x.Answer.Header().Set("Content-Length", "0")
		x.Answer.WriteHeader(http.StatusCreated)
		return
	}
	x.Answer.WriteHeader(http.StatusNoContent)
}

func (u *Upload) finish(committed bool) {
	for i := len(u.after) - 1; i >= 0; i-- {
		u.after[i](committed)
	}
}

// mayPut looks before the body is read, and returns the collection and how
// large the body may be.
func (x *Exchange) mayPut(c *conditions) (w Writer, name string, limit int64, err error) {
	err = x.View(func(s *Scope) error {
		t, writer, err := x.putTarget(s, c)
		if err != nil {
			return err
		}
		w, name = writer, t.name
		if limit = w.Kind().MaxBody; limit == 0 {
			limit = x.engine.MaxBody
		}
		length := x.Request.ContentLength
		if length > limit {
			return tooLarge(w.Kind(), limit)
		}
		return s.room(w, t.r, length)
	})
	return w, name, limit, err
}

// tooLarge is the 413, which CalDAV and CardDAV give as a 403 with a condition
// of their own (RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1): a tree whose members have
// one says it by its types.
func tooLarge(k *Kind, limit int64) error {
	for _, t := range k.Types {
		if t.Space == davxml.NSCalDAV || t.Space == davxml.NSCardDAV {
			return Forbidden(davxml.Name{Space: t.Space, Local: "max-resource-size"})
		}
	}
	return &StatusError{Status: http.StatusRequestEntityTooLarge, Err: fmt.Errorf("more than %d bytes", limit)}
}

// room refuses what the owner's quota has no room for, with what a Roomy
// collection would free.
func (s *Scope) room(w Writer, old Resource, length int64) error {
	owner := w.Owner()
	if owner == 0 || length <= 0 {
		return nil
	}
	used, limit := s.Tx.Quota(s.Tx.Household(owner))
	if old != nil {
		used -= max(old.Stat().Size, 0)
	}
	if r, ok := w.(Roomy); ok && limit > 0 && used+length > limit {
		used -= r.Freeable(s)
	}
	if limit > 0 && used+length > limit {
		return fmt.Errorf("%d of %d bytes used, %d announced: %w", used, limit, length, storage.ErrQuota)
	}
	return nil
}

// putTarget finds where to write and looks at everything that can forbid it.
func (x *Exchange) putTarget(s *Scope, c *conditions) (t target, w Writer, err error) {
	if t, err = s.place(x.at); err != nil {
		return t, nil, err
	}
	w, ok := t.parent.(Writer)
	if !ok || t.r != nil && t.r.Kind().Collection {
		if t.r == nil {
			return t, nil, Status(http.StatusForbidden)
		}
		return t, nil, x.notAllowed(t.r, t.parent)
	}
	if x.at.slash {
		return t, nil, Status(http.StatusConflict) // a collection's name, RFC 4918 §5.2
	}
	if t.r == nil {
		err = s.require(t.parent, x.at.parentHref(), PrivBind)
	} else if a, ok := t.r.(Annotated); !ok || !a.Annotates(s) {
		err = s.require(t.r, x.at.raw, PrivWriteContent)
	}
	if err != nil {
		return t, nil, err
	}
	if err := c.check(s, t.r, t.path); err != nil {
		return t, nil, err
	}
	if t.r == nil {
		if err := c.free(s, lockPath(x.at.up(), t.parent, nil)); err != nil {
			return t, nil, err
		}
	}
	return t, w, c.free(s, t.path)
}

// up is the location of the collection a location is in.
func (l location) up() location {
	n := len(l.segments) - 1
	return location{raw: l.parentHref(), segments: l.segments[:n:n], slash: true}
}

// receive stages the body. One that is shorter than announced, or whose last
// chunk is missing, is never stored.
func (x *Exchange) receive(limit int64, tooMuch error, unsummed bool) (*blob.Staged, error) {
	if err := x.reserveStaged(); err != nil {
		return nil, err
	}
	w := x.engine.DB.Stage()
	if unsummed {
		w.SumSmall()
	}
	buf := pieces.Get().(*[blob.ChunkSize]byte)
	defer pieces.Put(buf)
	for {
		n, err := fill(x.Request.Body, buf[:])
		if w.Size()+int64(n) > limit {
			w.Abort()
			return nil, tooMuch
		}
		if _, werr := w.Write(buf[:n]); werr != nil {
			w.Abort()
			return nil, full(werr)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			w.Abort()
			return nil, &StatusError{Status: http.StatusBadRequest, Err: err}
		}
	}
	s, err := w.Finish()
	return s, full(err)
}

// fill reads until p is full. Unlike io.ReadFull it keeps the reader's errors
// apart: a body that ends is no body that was cut off.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}
