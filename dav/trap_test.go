package dav_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davtest"
	"essaim.coop/essaim/storage"
)

// A lock is on the resource, whatever path it was taken and is met by (trap 24).
func TestLocksByAnotherPath(t *testing.T) {
	h := davtest.New(t)
	toy := davtest.NewToy(h, "/dav/toy/", "garden")
	toy.Alias("/dav/also/", "/dav/toy/")
	do(t, h, "anna", "PUT", "/dav/toy/f", "x")
	res, body := do(t, h, "anna", "LOCK", "/dav/also/f", lockBody)
	if res.StatusCode != http.StatusOK || !strings.Contains(body, "<D:lockroot><D:href>/dav/toy/f</D:href>") {
		t.Fatalf("%s %s", res.Status, body)
	}
	token := res.Header.Get("Lock-Token")
	for _, path := range []string{"/dav/toy/f", "/dav/also/f"} {
		if res, _ := do(t, h, "ben", "PUT", path, "lost"); res.StatusCode != http.StatusLocked {
			t.Errorf("PUT %s: %s", path, res.Status)
		}
		if res, _ := do(t, h, "anna", "PUT", path, "mine", "If", "("+token+")"); res.StatusCode != http.StatusNoContent {
			t.Errorf("PUT %s with the token: %s", path, res.Status)
		}
		if _, body := do(t, h, "ben", "PROPFIND", path, `<D:propfind xmlns:D="DAV:"><D:prop><D:lockdiscovery/></D:prop></D:propfind>`, "Depth", "0"); !strings.Contains(body, "<D:activelock>") {
			t.Errorf("lockdiscovery of %s: %s", path, body)
		}
	}
	// A name that is not there yet has its folder's canonical path.
	if res, body := do(t, h, "anna", "LOCK", "/dav/also/a%20b", lockBody); res.StatusCode != http.StatusCreated || !strings.Contains(body, "/dav/toy/a%20b<") {
		t.Errorf("%s %s", res.Status, body)
	}
	// Onto itself by another name: nothing to do, and nothing lost.
	if res, _ := do(t, h, "anna", "MOVE", "/dav/toy/f", "", "Destination", "/dav/also/f"); res.StatusCode != http.StatusForbidden {
		t.Errorf("MOVE: %s", res.Status)
	}
}

// watched is an answer that fails when a transaction is open while it is
// written (trap 29).
type watched struct {
	discard
	t     *testing.T
	wrote int
}

func (w *watched) Write(b []byte) (int, error) {
	w.wrote++
	pcs := make([]uintptr, 50)
	for frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)]); ; {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, "storage.(*DB).View") || strings.HasSuffix(f.Function, "storage.(*DB).Update") {
			w.t.Errorf("written in %s", f.Function)
		}
		if !more {
			return w.discard.Write(b)
		}
	}
}

func TestNoTransactionWhileWriting(t *testing.T) {
	h := davtest.New(t)
	davtest.NewToy(h, "/dav/toy/", "anna").Fill(1000)
	for _, c := range [][]string{
		{"PROPFIND", "/dav/toy/", `<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><late xmlns="urn:toy"/></D:include></D:propfind>`},
		{"REPORT", "/dav/toy/", `<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/><D:supportedlock/></D:prop></D:sync-collection>`},
		{"REPORT", "/dav/toy/", `<t:texts xmlns:t="urn:toy" xmlns:D="DAV:"><t:hold>some</t:hold><D:prop><t:late/><D:supportedlock/></D:prop></t:texts>`},
		{"SEARCH", "/dav/toy/", `<D:searchrequest xmlns:D="DAV:"><D:basicsearch><D:select><D:allprop/></D:select><D:from><D:scope><D:href>/dav/toy/</D:href></D:scope></D:from></D:basicsearch></D:searchrequest>`},
		{"GET", "/dav/toy/file-000001.txt", ""},
		{"LOCK", "/dav/toy/file-000001.txt", lockBody},
		{"GET", "/dav/toy/none", ""},
	} {
		req := httptest.NewRequest(c[0], c[1], strings.NewReader(c[2]))
		req.Header.Set("User", "anna")
		w := &watched{discard: discard{header: http.Header{}}, t: t}
		h.Engine.ServeHTTP(w, req)
		if w.wrote == 0 || len(c[2]) > 200 && w.wrote < 2 {
			t.Errorf("%s: %d writes", c[0], w.wrote)
		}
	}
}

// A large answer is the same as many small ones: no member twice, none left out.
func TestPagesFitTogether(t *testing.T) {
	h := davtest.New(t)
	davtest.NewToy(h, "/dav/toy/", "anna").Fill(1000)
	for name, c := range map[string][]string{
		"depth 1":  {"PROPFIND", "", "1"},
		"infinity": {"PROPFIND", "", "infinity"},
		"late":     {"PROPFIND", `<D:propfind xmlns:D="DAV:"><D:prop><late xmlns="urn:toy"/></D:prop></D:propfind>`, "1"},
		"sync":     {"REPORT", `<D:sync-collection xmlns:D="DAV:"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:supportedlock/></D:prop></D:sync-collection>`, "0"},
		"report":   {"REPORT", `<t:texts xmlns:t="urn:toy" xmlns:D="DAV:"><t:hold>some</t:hold><D:prop><t:late/></D:prop></t:texts>`, "0"},
	} {
		_, body := do(t, h, "anna", c[0], "/dav/toy/", c[1], "Depth", c[2])
		for i := range 1000 {
			if n := strings.Count(body, fmt.Sprintf("<D:href>/dav/toy/file-%06d.txt</D:href>", i)); n != 1 {
				t.Fatalf("%s: %d responses for file %d", name, n, i)
			}
		}
	}
}

// An ETag is sent only with a PUT whose bytes a GET gives back (trap 11).
func TestAltered(t *testing.T) {
	h := davtest.New(t)
	toy := davtest.NewToy(h, "/dav/toy/", "anna")
	res, _ := do(t, h, "anna", "PUT", "/dav/toy/f", "altered")
	if res.StatusCode != http.StatusCreated || res.Header.Get("ETag") != "" || res.Header.Get("Toy") != "altered" {
		t.Errorf("%s %v", res.Status, res.Header)
	}
	do(t, h, "anna", "PUT", "/dav/toy/f", "bad")
	if !slices.Equal(toy.Outcomes(), []bool{true, false}) {
		t.Errorf("outcomes %v", toy.Outcomes())
	}
}

// Representations of one resource have tags of their own.
func TestNegotiation(t *testing.T) {
	h := house(t)
	do(t, h, "anna", "PUT", "/dav/toy/a.mood", "hello")
	plain, body := do(t, h, "anna", "GET", "/dav/toy/a.mood", "")
	if body != "hello" || plain.Header.Get("Vary") != "Accept" {
		t.Errorf("%s %v", body, plain.Header)
	}
	loud, body := do(t, h, "anna", "GET", "/dav/toy/a.mood", "", "Accept", "text/x-loud")
	if body != "HELLO" || loud.Header.Get("Content-Type") != "text/x-loud" || loud.Header.Get("Etag") == plain.Header.Get("Etag") {
		t.Errorf("%s %v", body, loud.Header)
	}
	if res, _ := do(t, h, "anna", "GET", "/dav/toy/a.mood", "", "Accept", "text/x-loud", "If-None-Match", loud.Header.Get("Etag")); res.StatusCode != http.StatusNotModified {
		t.Error(res.Status)
	}
	if res, _ := do(t, h, "anna", "GET", "/dav/toy/a.mood", "", "Accept", "text/x-loud", "If-None-Match", plain.Header.Get("Etag")); res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
	if res, _ := do(t, h, "anna", "GET", "/dav/toy/a.mood", "", "Accept", "image/png"); res.StatusCode != http.StatusNotAcceptable {
		t.Error(res.Status)
	}
	if res, body := do(t, h, "anna", "HEAD", "/dav/toy/a.mood", "", "Accept", "text/x-loud"); res.StatusCode != http.StatusOK || body != "" {
		t.Error(res.Status, body)
	}
}

// An error nobody foresaw is a 500 with a number, not a part of an answer, and
// says nothing of itself.
func TestInternalErrors(t *testing.T) {
	h := house(t)
	do(t, h, "anna", "PUT", "/dav/toy/f", "x")
	res, body := do(t, h, "anna", "PROPFIND", "/dav/toy/", `<D:propfind xmlns:D="DAV:"><D:prop><broken xmlns="urn:toy"/></D:prop></D:propfind>`, "Depth", "1")
	if res.StatusCode != http.StatusInternalServerError || strings.Contains(body, "broken") || strings.Contains(body, "multistatus") {
		t.Errorf("%s %s", res.Status, body)
	}
}

// A token of before a restore is refused (trap 14): the epoch is part of it.
func TestTokenOfAnotherEpoch(t *testing.T) {
	h := house(t)
	do(t, h, "anna", "PUT", "/dav/toy/f", "x")
	ours := fmt.Sprintf("%08x", h.DB.Epoch())
	token := tokenOf(t, h)
	if !strings.Contains(token, ours) {
		t.Errorf("%s is not of epoch %s", token, ours)
	}
	other := strings.Replace(token, ours, fmt.Sprintf("%08x", h.DB.Epoch()^1), 1)
	if res, body := do(t, h, "anna", "REPORT", "/dav/toy/", fmt.Sprintf(pollBody, other)); res.StatusCode != http.StatusForbidden || !strings.Contains(body, "valid-sync-token") {
		t.Errorf("%s %s", res.Status, body)
	}
}

const pollBody = `<D:sync-collection xmlns:D="DAV:"><D:sync-token>%s</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`

// tokenOf asks for the toy's sync token.
func tokenOf(tb testing.TB, h *davtest.House) string {
	tb.Helper()
	_, page := do(tb, h, "anna", "PROPFIND", "/dav/toy/", `<D:propfind xmlns:D="DAV:"><D:prop><D:sync-token/></D:prop></D:propfind>`, "Depth", "0")
	_, rest, _ := strings.Cut(page, "<D:sync-token>")
	token, _, _ := strings.Cut(rest, "<")
	return token
}

// What is unchanged costs few bytes on the wire.
func TestPollIsSmall(t *testing.T) {
	h := house(t)
	do(t, h, "anna", "PUT", "/dav/toy/f", "x")
	res, answer := do(t, h, "anna", "REPORT", "/dav/toy/", fmt.Sprintf(pollBody, tokenOf(t, h)))
	var head strings.Builder
	if err := res.Header.Write(&head); err != nil {
		t.Fatal(err)
	}
	if n := len("HTTP/1.1 207 Multi-Status\r\n\r\n") + head.Len() + len(answer); n > 600 {
		t.Errorf("%d bytes:\n%s\n%s", n, head.String(), answer)
	}
}

// Who may only know that something is there learns nothing of what is in it.
func TestLookupOnly(t *testing.T) {
	h := davtest.New(t)
	toy := davtest.NewToy(h, "/dav/toy/", "anna")
	do(t, h, "anna", "PUT", "/dav/toy/secret", "secret")
	h.Update(func(tx *storage.Tx) error {
		return tx.SetACL(toy.Collection.Object(), h.Accounts["cleo"], storage.RightLookup)
	})
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"PROPFIND", "/dav/toy/", `<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>`, 207},
		{"PROPFIND", "/dav/toy/secret", `<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><late xmlns="urn:toy"/></D:prop></D:propfind>`, 207},
		{"REPORT", "/dav/toy/", fmt.Sprintf(pollBody, ""), 403},
		{"REPORT", "/dav/toy/", `<t:texts xmlns:t="urn:toy" xmlns:D="DAV:"><t:hold>secret</t:hold><D:prop/></t:texts>`, 403},
		{"REPORT", "/dav/toy/", `<D:principal-match xmlns:D="DAV:"><D:principal-property><D:owner/></D:principal-property></D:principal-match>`, 403},
		{"REPORT", "/dav/toy/", `<D:acl-principal-prop-set xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>`, 403},
		{"SEARCH", "/dav/toy/", `<D:searchrequest xmlns:D="DAV:"><D:basicsearch><D:select><D:allprop/></D:select><D:from><D:scope><D:href>/dav/toy/</D:href></D:scope></D:from></D:basicsearch></D:searchrequest>`, 403},
		{"GET", "/dav/toy/secret", "", 403},
		{"COPY", "/dav/toy/secret", "", 403},
	} {
		res, body := do(t, h, "cleo", c.method, c.path, c.body, "Destination", "/dav/toy/copy", "Depth", map[bool]string{true: "1", false: "0"}[c.method == "PROPFIND"])
		told := strings.Contains(body, "secret</D:href>") && c.path == "/dav/toy/" || strings.Contains(body, "v1") || strings.Contains(body, ">secret<") || strings.Contains(body, "Cleo")
		if res.StatusCode != c.want || told {
			t.Errorf("%s %s: %s %s", c.method, c.path, res.Status, body)
		}
	}
}
