package dav

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWellKnown(t *testing.T) {
	for _, method := range []string{"GET", "PROPFIND", "OPTIONS"} {
		w := httptest.NewRecorder()
		WellKnown(w, httptest.NewRequest(method, "/.well-known/carddav", nil))
		if w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "/dav/" {
			t.Errorf("%s: %d to %q", method, w.Code, w.Header().Get("Location"))
		}
	}
}
