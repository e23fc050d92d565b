package carddav

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davtest"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/contacts"
)

// A house is one in which everybody has address books.
type house struct {
	*davtest.House
	t testing.TB
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{davtest.New(t), t}
	h.Hooks = append(h.Hooks, contacts.Check)
	Mount(h.Engine, h.Directory)
	h.update(func(tx *storage.Tx) error {
		for _, a := range h.Accounts {
			if err := contacts.Ensure(tx, a, h.Now); err != nil {
				return err
			}
		}
		return nil
	})
	return h
}

func (h *house) update(fn func(*storage.Tx) error) {
	h.t.Helper()
	if err := h.DB.Update(fn); err != nil {
		h.t.Fatal(err)
	}
}

// do makes a request as a member; header are pairs.
func (h *house) do(user, method, path, body string, header ...string) (int, string, http.Header) {
	h.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("User", user)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.Engine.ServeHTTP(w, r)
	res := w.Result()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

// want makes a request and fails unless the status is right and the answer has
// every text; one that begins with "!" it must not have.
func (h *house) want(status int, texts []string, user, method, path, body string, header ...string) string {
	h.t.Helper()
	got, answer, _ := h.do(user, method, path, body, header...)
	if got != status {
		h.t.Errorf("%s %s: %d, want %d\n%s", method, path, got, status, answer)
	}
	for _, text := range texts {
		not, absent := strings.CutPrefix(text, "!")
		if strings.Contains(answer, not) == absent {
			h.t.Errorf("%s %s: want %q in\n%s", method, path, text, answer)
		}
	}
	return answer
}

const (
	annaHome = "/dav/addressbooks/anna@coop.example/"
	annaBook = annaHome + "contacts/"
	benHome  = "/dav/addressbooks/ben@coop.example/"
	cleoHome = "/dav/addressbooks/cleo@coop.example/"
	cleoBook = cleoHome + "contacts/"
	benBook  = benHome + "contacts/"
	spaces   = ` xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/"`
	etagData = `<D:prop><D:getetag/><C:address-data/></D:prop>`
)

func vcf(uid, fn string, lines ...string) string {
	s := fmt.Sprintf("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%s\r\nFN:%s\r\nN:%s;;;;\r\n", uid, fn, fn)
	for _, l := range lines {
		s += l + "\r\n"
	}
	return s + "END:VCARD\r\n"
}

func propfind(props string) string {
	return `<?xml version="1.0"?><D:propfind` + spaces + `><D:prop>` + props + `</D:prop></D:propfind>`
}

// token takes the text of the first element of a name out of an answer.
func text(answer, element string) string {
	_, rest, _ := strings.Cut(answer, "<"+element+">")
	t, _, _ := strings.Cut(rest, "</")
	return t
}
