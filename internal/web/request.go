package web

import (
	"context"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"essaim.coop/essaim/internal/sasl"
)

type requestKey struct{}

// A request is what the middleware knows of one.
type request struct {
	id     string
	client netip.Addr
	user   sasl.Login
}

func requestOf(ctx context.Context) *request {
	q, _ := ctx.Value(requestKey{}).(*request)
	return q
}

// ID returns a number to quote: it is in the answer's X-Request-Id, in the log
// and in the traces. It is "" outside of a Server.
func ID(ctx context.Context) string {
	if q := requestOf(ctx); q != nil {
		return q.id
	}
	return ""
}

// Client returns the address of who asks.
func Client(r *http.Request) netip.Addr {
	if q := requestOf(r.Context()); q != nil {
		return q.client
	}
	return addrOf(r.RemoteAddr)
}

// User returns who was authenticated; ok is false for nobody.
func User(ctx context.Context) (login sasl.Login, ok bool) {
	q := requestOf(ctx)
	if q == nil || q.user.Account == 0 {
		return sasl.Login{}, false
	}
	return q.user, true
}

var untraced atomic.Int64 // numbers requests without a trace

// serve is the outermost handler.
func (s *Server) serve(rw http.ResponseWriter, r *http.Request) {
	conn, _ := r.Context().Value(connKey{}).(*connection)
	q := &request{client: s.client(r, conn)}
	if conn != nil && conn.trace != nil {
		q.id = conn.trace.ID + "." + strconv.FormatInt(conn.requests.Add(1), 10)
	} else {
		q.id = "http-" + strconv.FormatInt(untraced.Add(1), 10)
	}
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, q))
	w := s.watch(rw, r)
	start := s.Now()
	defer func() {
		cut := s.panicked(w, r, q, recover())
		w.leave()
		s.Counters.Requests.Add(1)
		if w.status == http.StatusInternalServerError {
			s.Counters.Internal.Add(1)
		}
		if conn != nil && conn.trace != nil {
			conn.trace.Event("answered", "request", q.id, "client", q.client, "user", q.user.Address, "method", r.Method,
				"path", s.printable(r), "status", w.status, "bytes", w.written, "took", s.Now().Sub(start).Round(100*time.Microsecond))
		}
		if cut {
			panic(http.ErrAbortHandler)
		}
	}()
	w.Header().Set("X-Request-Id", q.id)
	s.strict(w.Header(), r.TLS != nil)
	if s.crossOrigin(w, r) {
		return
	}
	s.Handler.ServeHTTP(w, r)
}

// panicked logs a panic and answers, if nothing has been answered yet;
// otherwise the client must see that the answer is cut off.
func (s *Server) panicked(w *writer, r *http.Request, q *request, failed any) (cut bool) {
	if failed == nil {
		return false
	}
	if failed == http.ErrAbortHandler {
		return true
	}
	s.Log.Error("panic", "request", q.id, "method", r.Method, "path", s.printable(r), "error", failed, "stack", string(debug.Stack()))
	if w.status != 0 {
		return true
	}
	InternalError(w, r)
	return false
}

// InternalError answers what is nobody's fault but ours, with a number to
// quote.
func InternalError(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "Something went wrong on our side. Please quote "+ID(r.Context())+".", http.StatusInternalServerError)
}

// printable is a path as logs and traces may have it: without the query, and
// without what is a secret.
func (s *Server) printable(r *http.Request) string {
	for _, p := range s.Private {
		if strings.HasPrefix(r.URL.Path, p) {
			return p + "…"
		}
	}
	return r.URL.EscapedPath()
}
