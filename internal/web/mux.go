package web

import (
	"net/http"
	"strings"
)

// A Mux finds the handler of a path. Unlike http.ServeMux it passes every path
// on as it was sent, and redirects nothing: to a DAV door "//" and ".." are
// errors of its own, and a redirected PUT loses its body. It is filled before it
// serves.
type Mux struct {
	exact  map[string]http.Handler
	prefix []mounted // the longest first
}

type mounted struct {
	prefix  string
	handler http.Handler
}

// Handle mounts a handler on one path or, with a slash at its end, on all paths
// that begin so, and on the path without the slash.
func (m *Mux) Handle(path string, h http.Handler) {
	if m.exact == nil {
		m.exact = map[string]http.Handler{}
	}
	if !strings.HasSuffix(path, "/") {
		m.exact[path] = h
		return
	}
	if bare := strings.TrimSuffix(path, "/"); bare != "" {
		m.exact[bare] = h
	}
	i := 0
	for i < len(m.prefix) && len(m.prefix[i].prefix) > len(path) {
		i++
	}
	m.prefix = append(m.prefix[:i], append([]mounted{{path, h}}, m.prefix[i:]...)...)
}

// ServeHTTP is http.Handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := m.exact[r.URL.Path]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	for _, e := range m.prefix {
		if strings.HasPrefix(r.URL.Path, e.prefix) {
			e.handler.ServeHTTP(w, r)
			return
		}
	}
	http.Error(w, "There is nothing here.", http.StatusNotFound)
}
