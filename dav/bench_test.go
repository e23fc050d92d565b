package dav_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davtest"
)

// serve answers a request without a network.
func serve(b *testing.B, h *davtest.House, method, path, body string, header ...string) int {
	b.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("User", "anna")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := &discard{header: map[string][]string{}}
	h.Engine.ServeHTTP(w, req)
	return w.n
}

// BenchmarkPropfind lists ten thousand files with what a sync client asks for.
func BenchmarkPropfind(b *testing.B) {
	h := davtest.New(b)
	davtest.NewToy(h, "/dav/toy/", "anna").Fill(10_000)
	for name, body := range map[string]string{
		"five": `<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><D:getcontentlength/><D:getlastmodified/><D:resourcetype/><D:quota-used-bytes/></D:prop></D:propfind>`,
		"all":  `<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(serve(b, h, "PROPFIND", "/dav/toy/", body, "Depth", "1")))
			}
		})
	}
}

// BenchmarkNothingNew is a poll: what has changed since my token?
func BenchmarkNothingNew(b *testing.B) {
	h := davtest.New(b)
	davtest.NewToy(h, "/dav/toy/", "anna").Fill(1000)
	body := fmt.Sprintf(pollBody, tokenOf(b, h))
	b.ReportAllocs()
	for b.Loop() {
		if n := serve(b, h, "REPORT", "/dav/toy/", body); n > 300 {
			b.Fatalf("%d bytes", n)
		}
	}
}

// BenchmarkPut stores ten kilobytes again and again.
func BenchmarkPut(b *testing.B) {
	h := house(b)
	body := strings.Repeat("0123456789", 1000)
	b.ReportAllocs()
	for b.Loop() {
		serve(b, h, "PUT", "/dav/toy/f", body)
	}
}

// BenchmarkGet reads them.
func BenchmarkGet(b *testing.B) {
	h := house(b)
	serve(b, h, "PUT", "/dav/toy/f", strings.Repeat("0123456789", 1000))
	b.ReportAllocs()
	for b.Loop() {
		serve(b, h, "GET", "/dav/toy/f", "")
	}
}
