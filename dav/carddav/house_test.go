package carddav

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/contacts"
	"essaim.coop/essaim/storage/locks"
)

var now = time.Unix(1_800_000_000, 0)

// A house is a store with members, and the engine in front of it. Members are
// named by their local parts.
type house struct {
	t   testing.TB
	db  *storage.DB
	dir *accounts.Directory
	e   *dav.Engine
	ids map[string]storage.AccountID
}

func newHouse(t testing.TB) *house {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db, dir: accounts.NewDirectory(db), ids: map[string]storage.AccountID{}}
	h.update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		for _, n := range []accounts.NewAccount{{Address: "ann@coop.example", Name: "Ann Peeters"}, {Address: "bob@coop.example", Name: "Bob", Quota: 2000},
			{Address: "board@coop.example", Name: "The board", Group: true}} {
			a, err := accounts.Create(tx, n, now)
			if err != nil {
				return err
			}
			if err := contacts.Ensure(tx, a.ID, now); err != nil {
				return err
			}
			name, _, _ := strings.Cut(n.Address, "@")
			h.ids[name] = a.ID
		}
		return accounts.AddMember(tx, h.ids["board"], "ann@coop.example")
	})
	h.e = dav.New(dav.Options{DB: db, Directory: h.dir, Now: func() time.Time { return now },
		User: func(r *http.Request) storage.AccountID { return h.ids[r.Header.Get("Test-User")] }})
	Mount(h.e, h.dir)
	t.Cleanup(func() {
		hooks := []storage.CheckHook{accounts.Check, contacts.Check, locks.Check}
		r, err := db.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: hooks})
		if err != nil || !r.Clean() {
			t.Errorf("check: %v %q", err, r.Problems)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) update(fn func(*storage.Tx) error) {
	h.t.Helper()
	if err := h.db.Update(fn); err != nil {
		h.t.Fatal(err)
	}
}

// do makes a request as a member; header are pairs.
func (h *house) do(user, method, path, body string, header ...string) (int, string, http.Header) {
	h.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Test-User", user)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.e.ServeHTTP(w, r)
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
	annHome  = "/dav/addressbooks/ann@coop.example/"
	annBook  = annHome + "contacts/"
	bobHome  = "/dav/addressbooks/bob@coop.example/"
	bobBook  = bobHome + "contacts/"
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
