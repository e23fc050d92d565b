package dav_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davtest"
	"essaim.coop/essaim/dav/davxml"
)

// A mirror is a client that knows the members and their tags from
// sync-collection alone.
type mirror struct {
	token string
	tags  map[string]string
}

// sync asks once, for at most limit answers, and reports whether there is more.
func (m *mirror) sync(t *testing.T, h *davtest.House, limit int) (more bool) {
	t.Helper()
	body := fmt.Sprintf(`<D:sync-collection xmlns:D="DAV:"><D:sync-token>%s</D:sync-token><D:sync-level>infinite</D:sync-level><D:limit><D:nresults>%d</D:nresults></D:limit><D:prop><D:getetag/></D:prop></D:sync-collection>`, m.token, limit)
	res, answer := do(t, h, "anna", "REPORT", "/dav/toy/", body)
	if res.StatusCode != http.StatusMultiStatus {
		t.Fatalf("%s %s", res.Status, answer)
	}
	for path, tag := range responses(t, answer) {
		switch {
		case path == "/dav/toy/":
			more = true
		default:
			// One name is a file or a folder.
			delete(m.tags, strings.TrimSuffix(path, "/"))
			delete(m.tags, strings.TrimSuffix(path, "/")+"/")
			if tag != gone {
				m.tags[path] = tag
			}
		}
	}
	root, err := davxml.Parse(strings.NewReader(answer), davxml.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m.token = root.Child(davxml.DAV("sync-token")).Text()
	return more
}

const gone = "gone"

// responses returns the tag of every response in a multistatus, "" for none. Of
// one path the last counts.
func responses(t *testing.T, answer string) map[string]string {
	t.Helper()
	root, err := davxml.Parse(strings.NewReader(answer), davxml.Limits{Bytes: 16 << 20, Nodes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range root.Children() {
		path := r.Child(davxml.DAV("href")).Text()
		switch {
		case path == "":
		case strings.Contains(r.Child(davxml.DAV("status")).Text(), "404"):
			out[path] = gone
		default:
			out[path] = r.Child(davxml.DAV("propstat")).Child(davxml.DAV("prop")).Child(davxml.DAV("getetag")).Text()
		}
	}
	return out
}

// TestMirrorsFollow has clients of several ages follow what happens, in pieces
// and at random times; each ends with what PROPFIND lists.
func TestMirrorsFollow(t *testing.T) {
	h := house(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	var mirrors []*mirror
	for i := range 400 {
		if i%100 == 0 {
			mirrors = append(mirrors, &mirror{tags: map[string]string{}})
		}
		method, path, body, header := step(rnd)
		if method == "MOVE" {
			if res, _ := do(t, h, "anna", "HEAD", path, ""); res.StatusCode != http.StatusOK {
				method = "COPY" // the toy does not tell of what is in a folder that was moved
			}
		}
		do(t, h, "anna", method, path, body, header...)
		if m := mirrors[rnd.IntN(len(mirrors))]; rnd.IntN(3) == 0 {
			m.sync(t, h, 1+rnd.IntN(5))
		}
	}
	_, all := do(t, h, "anna", "PROPFIND", "/dav/toy/", `<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>`, "Depth", "infinity", "Prefer", "depth-noroot")
	want := responses(t, all)
	for i, m := range mirrors {
		for before := "none"; m.token != before; { // the end of a first listing is the point where it began
			before = m.token
			m.sync(t, h, 3)
		}
		if !maps.Equal(m.tags, want) {
			t.Errorf("mirror %d has\n%v, there is\n%v", i, m.tags, want)
		}
	}
}
