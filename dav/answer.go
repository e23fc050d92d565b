package dav

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/storage"
)

// cut ends an answer that cannot be completed in a way the client will notice.
func (x *Exchange) cut(err error) {
	x.engine.Log.Warn("answer cut short", "method", x.Request.Method, "path", x.at.raw, "error", err)
	panic(http.ErrAbortHandler)
}

// fail answers with an error. What no table knows is logged, and answered with
// the number under which it is.
func (x *Exchange) fail(err error) {
	e := statusOf(err)
	if e == nil {
		x.engine.Log.Error("internal", "request", web.ID(x.Request.Context()), "method", x.Request.Method, "path", x.at.raw, "error", err)
		web.InternalError(x.Answer, x.Request)
		return
	}
	h := x.Answer.Header()
	for _, k := range []string{"ETag", "Last-Modified", "Cache-Control"} {
		h.Del(k)
	}
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "10")
	}
	if e.Condition.Local == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		x.small(e.Status, []byte(http.StatusText(e.Status)+"\n"))
		return
	}
	var w davxml.Writer
	w.Root(davxml.DAV("error"))
	e.write(&w)
	w.Close(davxml.DAV("error"))
	x.xml(e.Status, &w)
}

// xml answers with a document.
func (x *Exchange) xml(status int, w *davxml.Writer) {
	x.Answer.Header().Set("Content-Type", "application/xml; charset=utf-8")
	x.small(status, w.Bytes())
}

// small answers with a whole body.
func (x *Exchange) small(status int, b []byte) {
	x.Answer.Header().Set("Content-Length", strconv.Itoa(len(b)))
	x.Answer.WriteHeader(status)
	if x.Request.Method != http.MethodHead {
		_, _ = x.Answer.Write(b) // a client that is gone misses nothing
	}
}

// write writes the condition's element.
func (e *StatusError) write(w *davxml.Writer) {
	if e.Detail == nil {
		w.Empty(e.Condition)
		return
	}
	w.Open(e.Condition)
	e.Detail(w)
	w.Close(e.Condition)
}

// writeError writes a DAV:error into a response, if e names a condition.
func writeError(w *davxml.Writer, e *StatusError) {
	if e.Condition.Local != "" {
		w.Raw("<D:error>")
		e.write(w)
		w.Raw("</D:error>")
	}
}

// parseKey reads the name under which a property is kept, as Name.String
// writes it.
func parseKey(key string) (davxml.Name, bool) {
	if i := strings.LastIndexByte(key, '}'); i > 0 && key[0] == '{' {
		return davxml.Name{Space: key[1:i], Local: key[i+1:]}, true
	}
	return davxml.Name{}, false
}

// errAnswered ends a method that has answered already.
var errAnswered = errors.New("dav: answered")

// full says what an error of staging a body is, in the house's words.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	}
	return err
}
