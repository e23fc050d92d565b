package webfs

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
	"essaim.coop/essaim/storage/files"
	"essaim.coop/essaim/storage/locks"
)

// A house is the real engine on a real store, with members who are believed
// who they say they are.
type house struct {
	t   testing.TB
	db  *storage.DB
	srv *httptest.Server
	ids map[string]storage.AccountID
	now time.Time

	unchecked bool // it would take too long
}

func newHouse(t testing.TB, quota int64) *house {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, db: db, ids: map[string]storage.AccountID{}, now: time.Now()}
	if err := db.Update(func(tx *storage.Tx) error { return h.people(tx, quota) }); err != nil {
		t.Fatal(err)
	}
	dir := accounts.NewDirectory(db)
	user := func(r *http.Request) storage.AccountID {
		name, _, _ := r.BasicAuth()
		return h.ids[name]
	}
	e := dav.New(dav.Options{DB: db, Directory: dir, User: user, Now: func() time.Time { return h.now }})
	Mount(e)
	h.srv = httptest.NewServer(Mounting(e, db, dir, user))
	t.Cleanup(func() {
		h.srv.Close()
		if h.unchecked {
			_ = db.Close()
			return
		}
		hooks := []storage.CheckHook{files.Check, accounts.Check, locks.Check}
		if r, err := db.Check(context.Background(), storage.CheckOptions{Bodies: true, Hooks: hooks}); err != nil || !r.Clean() {
			t.Errorf("check: %v %q", err, r.Problems)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *house) people(tx *storage.Tx, quota int64) error {
	if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
		return err
	}
	for _, name := range []string{"ann", "bob", "garden"} {
		a, err := accounts.Create(tx, accounts.NewAccount{Address: name + "@coop.example", Name: "The " + name, Quota: quota, Group: name == "garden"}, h.now)
		if err == nil {
			err = files.Ensure(tx, a.ID, h.now)
		}
		if err != nil {
			return err
		}
		h.ids[name] = a.ID
	}
	return nil
}

// A reply is what came back.
type reply struct {
	*http.Response
	body string
}

// do sends a request as a member; the path is below his files unless it begins
// with a slash. Header fields are pairs.
func (h *house) do(who, method, path, body string, header ...string) reply {
	h.t.Helper()
	var r io.Reader
	if body != "" || method == "PUT" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, h.url(who, path), r)
	if err != nil {
		h.t.Fatal(err)
	}
	req.SetBasicAuth(who, "x")
	for i := 0; i < len(header); i += 2 {
		v := header[i+1]
		if header[i] == "Destination" && !strings.HasPrefix(v, "http") {
			v = h.url(who, v)
		}
		if header[i] == "Transfer-Encoding" { // the length is not told
			req.ContentLength = -1
			continue
		}
		req.Header.Set(header[i], v)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return reply{resp, string(b)}
}

func (h *house) url(who, path string) string {
	if !strings.HasPrefix(path, "/") {
		path = homePath(who+"@coop.example") + path
	}
	return h.srv.URL + path
}

// want sends a request and holds the status against those expected.
func (h *house) want(status int, who, method, path, body string, header ...string) reply {
	h.t.Helper()
	r := h.do(who, method, path, body, header...)
	if r.StatusCode != status {
		h.t.Fatalf("%s %s of %s: %s, must be %d\n%s", method, path, who, r.Status, status, r.body)
	}
	return r
}

// read is a GET that must give these bytes.
func (h *house) read(who, path, body string) {
	h.t.Helper()
	if r := h.want(200, who, "GET", path, ""); r.body != body {
		h.t.Fatalf("GET %s of %s: %q, must be %q", path, who, r.body, body)
	}
}

// prop asks for a single property and returns its text, "-" when there is none.
func (h *house) prop(who, path, space, name string) string {
	h.t.Helper()
	body := fmt.Sprintf(`<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><X:%s xmlns:X="%s"/></D:prop></D:propfind>`, name, space)
	r := h.want(207, who, "PROPFIND", path, body, "Depth", "0")
	if strings.Contains(r.body, "404 Not Found") {
		return "-"
	}
	_, rest, _ := strings.Cut(r.body, "<D:prop>")
	_, rest, _ = strings.Cut(rest, name)
	_, rest, _ = strings.Cut(rest, ">")
	value, _, _ := strings.Cut(rest, name+">")
	return value[:max(0, strings.LastIndex(value, "</"))]
}

// names lists the hrefs of a collection's members, decoded as they are.
func (h *house) names(who, path string) (out []string) {
	h.t.Helper()
	r := h.want(207, who, "PROPFIND", path, "", "Depth", "1")
	for _, part := range strings.Split(r.body, "<D:href>")[1:] {
		href, _, _ := strings.Cut(part, "</D:href>")
		if rest, ok := strings.CutPrefix(href, strings.TrimPrefix(h.url(who, path), h.srv.URL)); ok && rest != "" {
			out = append(out, rest)
		}
	}
	return out
}

// homePath is the URL path of an account's files.
func homePath(address string) string { return dav.Path("dav", "files", address) + "/" }
