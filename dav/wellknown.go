package dav

import "net/http"

// start is where clients that only know the host's name are sent: from there
// DAV:current-user-principal leads on.
const start = "/dav/"

// WellKnown answers /.well-known/caldav and /.well-known/carddav (RFC 6764 §5,
// §6) for every method, and to those who have not said who they are, too.
func WellKnown(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", start)
	w.Header().Set("Cache-Control", "max-age=86400")
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusMovedPermanently)
}
