package portal

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/signin"
)

// BenchmarkPage is a whole request, without the network, in a cooperative whose
// log has 20,000 entries.
func BenchmarkPage(b *testing.B) {
	h, token := house(b), ""
	h.update(func(tx *storage.Tx) (err error) {
		for i := range 20_000 {
			if err := audit.Append(tx, audit.Entry{At: h.clock.get(), By: storage.AccountID(1 + i%500), Did: "signin"}); err != nil {
				return err
			}
		}
		token, err = signin.Begin(tx, 1, "Firefox", h.clock.get())
		return err
	})
	for _, path := range []string{"/", "/devices", "/addresses", "/household", "/security", "/settings", "/log", "/signin"} {
		name := strings.Trim(path, "/")
		if name == "" {
			name = "home"
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var w *httptest.ResponseRecorder
			for b.Loop() {
				r := httptest.NewRequest("GET", "https://mail.coop.example"+path, nil)
				if path != "/signin" {
					r.AddCookie(&http.Cookie{Name: "__Host-essaim", Value: token})
				}
				w = httptest.NewRecorder()
				if h.server.Config.Handler.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Header())
				}
			}
			b.ReportMetric(float64(w.Body.Len())/1000, "KB/page")
		})
	}
}
