package dav

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/dav/davxml"
)

// How long one read or write may make no progress. There is no limit on the
// whole of a transfer, which would cut large ones.
const stall = 2 * time.Minute

// write sends bytes of the body.
func (x *Exchange) write(b []byte) error {
	x.extend()
	_, err := x.Answer.Write(b)
	return err
}

// extend gives the next write its time. Not every server's writer can.
func (x *Exchange) extend() {
	_ = http.NewResponseController(x.Answer).SetWriteDeadline(time.Now().Add(stall))
}

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
		n := strconv.FormatUint(x.engine.faults.Add(1), 10)
		x.engine.Log.Error("internal", "fault", n, "method", x.Request.Method, "path", x.at.raw, "error", err)
		x.Answer.Header().Set("Fault", n)
		e = Status(http.StatusInternalServerError)
	}
	h := x.Answer.Header()
	for _, k := range []string{"ETag", "Last-Modified", "Content-Range"} {
		h.Del(k)
	}
	switch e.Status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "10")
	case http.StatusNotModified:
		x.Answer.WriteHeader(e.Status)
		return
	}
	if e.Condition.Local == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		x.small(e.Status, []byte(http.StatusText(e.Status)+"\n"))
		return
	}
	var w davxml.Writer
	w.Raw(davxml.Header)
	writeCondition(&w, e, davxml.DAV("error"))
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
		_ = x.write(b) // a client that is gone misses nothing
	}
}

// writeCondition writes a DAV:error element, or one that holds an error, around
// the condition of e; nothing when it has none.
func writeCondition(w *davxml.Writer, e *StatusError, in davxml.Name) {
	if e.Condition.Local == "" {
		return
	}
	w.Open(in)
	if e.Detail == nil {
		w.Empty(e.Condition)
	} else {
		w.Open(e.Condition)
		e.Detail(w)
		w.Close(e.Condition)
	}
	w.Close(in)
}

// parseKey reads the name under which a property is kept, as Name.String
// writes it.
func parseKey(key string) (davxml.Name, bool) {
	if i := strings.LastIndexByte(key, '}'); i > 0 && key[0] == '{' {
		return davxml.Name{Space: key[1:i], Local: key[i+1:]}, true
	}
	return davxml.Name{}, false
}
