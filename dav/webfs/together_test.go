package webfs

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"essaim.coop/essaim/storage"
)

// Three programs of two members do what they like to one folder at once; the
// store holds together, nobody sees an error of ours, and a fourth, who was
// away, learns by sync-collection what there is.
func TestThreeClientsAtOnce(t *testing.T) {
	h := newHouse(t, 0)
	h.want(201, "ann", "MKCOL", "Ours", "")
	h.share("ann", "Ours/", "bob", storage.GroupRights)
	away := map[string]bool{}
	token := h.sync("ann", "Ours/", "", away)
	var wg sync.WaitGroup
	for i, who := range []string{"ann", "ann", "bob"} {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(i)))
			name := func() string { // some of them folders, some in folders
				n := fmt.Sprintf("Ours/%c", 'a'+rng.IntN(6))
				if rng.IntN(3) == 0 {
					n += fmt.Sprintf("/%c", 'a'+rng.IntN(6))
				}
				return n
			}
			for range 120 {
				r := h.something(rng, who, name)
				if r.StatusCode >= 500 || r.StatusCode == 400 {
					t.Errorf("%s %s: %s %s", r.Request.Method, r.Request.URL, r.Status, r.body)
				}
			}
		})
	}
	wg.Wait()
	h.sync("ann", "Ours/", token, away)
	fresh := map[string]bool{}
	h.sync("ann", "Ours/", "", fresh)
	if !maps.Equal(away, fresh) || len(fresh) == 0 {
		t.Errorf("who was away has %q\nthere is %q", slices.Sorted(maps.Keys(away)), slices.Sorted(maps.Keys(fresh)))
	}
	walked := map[string]bool{}
	h.walk("bob", "Ours/", walked)
	if !maps.Equal(walked, fresh) {
		t.Errorf("the other member sees %q\nthere is %q", slices.Sorted(maps.Keys(walked)), slices.Sorted(maps.Keys(fresh)))
	}
}

func (h *house) something(rng *rand.Rand, who string, name func() string) reply {
	switch rng.IntN(8) {
	case 0, 1, 2:
		return h.do(who, "PUT", name(), fmt.Sprint(rng.IntN(1e9)))
	case 3:
		return h.do(who, "MKCOL", name(), "")
	case 4:
		return h.do(who, "DELETE", name(), "")
	case 5:
		return h.do(who, "COPY", name(), "", "Destination", name())
	case 6:
		return h.do(who, "PROPFIND", "Ours/", "", "Depth", "1")
	}
	return h.do(who, "MOVE", name(), "", "Destination", name())
}

// sync brings a client up to date and returns its next token. When the server
// says so, it starts again.
func (h *house) sync(who, path, token string, have map[string]bool) string {
	h.t.Helper()
	for {
		body := fmt.Sprintf(`<D:sync-collection xmlns:D="DAV:"><D:sync-token>%s</D:sync-token><D:sync-level>infinite</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`, token)
		r := h.do(who, "REPORT", path, body)
		if r.StatusCode == 403 && token != "" {
			clear(have)
			token = ""
			continue
		}
		if r.StatusCode != 207 {
			h.t.Fatalf("sync: %s %s", r.Status, r.body)
		}
		more := false
		for _, part := range strings.Split(r.body, "<D:response>")[1:] {
			_, href, _ := strings.Cut(part, "<D:href>")
			href, _, _ = strings.Cut(href, "</D:href>")
			href = strings.TrimSuffix(strings.TrimPrefix(href, strings.TrimPrefix(h.url(who, path), h.srv.URL)), "/")
			switch {
			case href == "":
				more = true // 507: there is more
			case strings.Contains(part, "<D:propstat>"):
				have[href] = true
			default:
				maps.DeleteFunc(have, func(p string, _ bool) bool { return p == href || strings.HasPrefix(p, href+"/") })
			}
		}
		_, token, _ = strings.Cut(r.body, "<D:sync-token>")
		token, _, _ = strings.Cut(token, "</D:sync-token>")
		if !more {
			return token
		}
	}
}

func (h *house) walk(who, path string, have map[string]bool) {
	h.t.Helper()
	for _, name := range h.names(who, path) {
		full := strings.TrimPrefix(path+strings.TrimSuffix(name, "/"), "Ours/")
		have[full] = true
		if strings.HasSuffix(name, "/") {
			h.walk(who, path+name, have)
		}
	}
}
