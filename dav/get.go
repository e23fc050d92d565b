package dav

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"

	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// get answers GET and HEAD (RFC 9110 §9.3.1; ranges §14). A body that went away
// between the transaction and its opening is looked for once more.
func get(x *Exchange) error {
	c, err := x.conditions()
	if err != nil {
		return err
	}
	for again := 0; ; again++ {
		r, err := x.readable(c)
		if err != nil {
			return err
		}
		body, err := r.(Reader).Content(x.engine.DB)
		if errors.Is(err, storage.ErrNotFound) && again < mostStale {
			continue // it was replaced since; what is gone is not readable
		}
		if errors.Is(err, storage.ErrNotFound) {
			return ErrStale
		}
		if err != nil {
			return err
		}
		defer body.Close()
		return x.content(r, body)
	}
}

// readable finds what to send and sets the header fields that 304 has, too.
func (x *Exchange) readable(c *conditions) (r Resource, err error) {
	err = x.View(func(s *Scope) error {
		if r, err = x.Target(s); err != nil {
			return err
		}
		if err := s.require(r, x.at.raw, PrivRead); err != nil {
			return err
		}
		path := ""
		if len(c.lists) > 0 {
			path = lockPath(x.at, r, nil)
		}
		if n, ok := r.(Negotiator); ok {
			x.Answer.Header().Add("Vary", "Accept")
			if r, err = n.Negotiate(x.Request.Header.Get("Accept")); err != nil {
				return err
			}
		}
		if _, ok := r.(Reader); !ok {
			parent, _, _ := s.parent(x.at)
			return x.notAllowed(r, parent)
		}
		st, h := r.Stat(), x.Answer.Header()
		h.Set("Cache-Control", "private, no-cache")
		if st.ETag != "" {
			h.Set("ETag", `"`+st.ETag+`"`)
		}
		if e, ok := r.(Headed); ok {
			e.Head(h)
		}
		err := c.check(s, r, path)
		if err == nil && !st.Modified.IsZero() {
			h.Set("Last-Modified", st.Modified.UTC().Format(http.TimeFormat))
		}
		return err
	})
	if e := (*StatusError)(nil); errors.As(err, &e) && e.Status == http.StatusNotModified {
		x.Answer.WriteHeader(e.Status)
		return nil, errAnswered
	}
	return r, err
}

// content sends the body. Nothing members store can act in the name of the site
// it comes from.
func (x *Exchange) content(r Resource, body io.ReadCloser) error {
	st, h := r.Stat(), x.Answer.Header()
	web.UserContent(h, "", st.Type, true)
	out := sender{x.Answer}
	if seeker, ok := body.(io.ReadSeeker); ok && st.Size >= 0 {
		// Its preconditions are those that have just been found to hold;
		// Range and If-Range are its work.
		x.Request.Header.Del("If-Match")
		x.Request.Header.Del("If-None-Match")
		x.Request.Header.Del("If-Modified-Since")
		x.Request.Header.Del("If-Unmodified-Since")
		http.ServeContent(out, x.Request, "", st.Modified, seeker)
		return nil
	}
	if st.Size >= 0 {
		h.Set("Content-Length", strconv.FormatInt(st.Size, 10))
	}
	x.Answer.WriteHeader(http.StatusOK)
	if x.Request.Method == http.MethodHead {
		return nil
	}
	if n, err := out.ReadFrom(body); err != nil || st.Size >= 0 && n != st.Size {
		x.cut(err)
	}
	return nil
}

// A sender writes a body in pieces of the size in which stored bodies are
// checked.
type sender struct{ http.ResponseWriter }

var pieces = sync.Pool{New: func() any { return new([blob.ChunkSize]byte) }}

// ReadFrom is what io.Copy uses.
func (s sender) ReadFrom(src io.Reader) (n int64, err error) {
	buf := pieces.Get().(*[blob.ChunkSize]byte)
	defer pieces.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{s.ResponseWriter}, struct{ io.Reader }{src}, buf[:])
}
