package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"essaim.coop/essaim/internal/trace"
)

// BenchmarkMiddleware is what a request costs before and after its handler.
func BenchmarkMiddleware(b *testing.B) {
	guard := &Guard{By: []Authenticator{&Basic{Realm: "essaim", Passwords: passwords{"right": nil}, Gate: &Gate{}}},
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })}
	s := &Server{Handler: guard, NewTrace: trace.NewRing("http").New}
	s.once.Do(s.build)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("PROPFIND", "/dav/files/zoe@coop.example/", strings.NewReader("x"))
		r.SetBasicAuth("zoe@coop.example", "right")
		s.http.Handler.ServeHTTP(httptest.NewRecorder(), r)
	}
}
