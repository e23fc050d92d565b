package dav_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/webdav"
)

// TestAgainstAnother does random things to this engine and to that of
// golang.org/x/net/webdav, and compares statuses and what is there after each.
// Left out is where the other is known to be wrong: conditional requests, a PUT
// that replaces (it says 201), MOVE without Overwrite, copies into themselves,
// depth-0 locks and saves under locks.
func TestAgainstAnother(t *testing.T) {
	h := house(t)
	other := httptest.NewServer(&webdav.Handler{Prefix: "/dav/toy", FileSystem: webdav.NewMemFS(), LockSystem: webdav.NewMemLS()})
	defer other.Close()
	hosts := []string{h.Address, other.Listener.Addr().String()}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 600 {
		method, path, body, header := step(rnd)
		if header != nil && ask(t, hosts[0], "PROPFIND", path, "") == http.StatusNotFound {
			continue // there the destination is gone before it is noticed
		}
		var got [2]int
		for j, host := range hosts {
			got[j] = ask(t, host, method, path, body, header...)
		}
		if method == "PUT" && got[0] == http.StatusNoContent {
			got[0] = http.StatusCreated
		}
		if !same(got) {
			t.Errorf("%d: %s %s %s: %d, there %d", i, method, path, header, got[0], got[1])
		}
		if i%10 == 0 || t.Failed() {
			if ours, theirs := tree(t, hosts[0]), tree(t, hosts[1]); ours != theirs {
				t.Fatalf("%d: %s %s %s left\n%s, there\n%s", i, method, path, header, ours, theirs)
			}
		}
	}
}

// same reports whether two statuses say the same. Why something is refused the
// two see differently at times.
func same(got [2]int) bool { return got[0] == got[1] || got[0] >= 400 && got[1] >= 400 }

func step(rnd *rand.Rand) (method, path, body string, header []string) {
	name := func() string {
		n := 1 + rnd.IntN(3)
		var s strings.Builder
		s.WriteString("/dav/toy")
		for range n {
			fmt.Fprintf(&s, "/%c", 'a'+rune(rnd.IntN(3)))
		}
		return s.String()
	}
	path = name()
	switch rnd.IntN(7) {
	case 0, 1:
		return "MKCOL", path, "", nil
	case 2:
		return "PUT", path, fmt.Sprint("text ", rnd.IntN(100)), nil
	case 3:
		return "DELETE", path, "", nil
	case 4:
		return "GET", path, "", nil
	}
	to := name()
	for strings.HasPrefix(to+"/", path+"/") || strings.HasPrefix(path+"/", to+"/") {
		path, to = name(), name()
	}
	method = []string{"COPY", "MOVE"}[rnd.IntN(2)]
	return method, path, "", []string{"Destination", to, "Overwrite", []string{"T", "F"}[rnd.IntN(2)]}
}

func ask(t *testing.T, host, method, path, body string, header ...string) int {
	t.Helper()
	return statusAndBody(t, host, method, path, body, header...).status
}

type answered struct {
	status int
	body   string
}

func statusAndBody(t *testing.T, host, method, path, body string, header ...string) answered {
	t.Helper()
	req, err := http.NewRequest(method, "http://"+host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User", "anna")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if d := req.Header.Get("Destination"); d != "" {
		req.Header.Set("Destination", "http://"+host+d)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{res.StatusCode, string(b)}
}

// tree returns the paths that a server lists, with the texts of its files.
func tree(t *testing.T, host string) string {
	t.Helper()
	_, rest, _ := strings.Cut(statusAndBody(t, host, "PROPFIND", "/dav/toy/", `<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/></D:prop></D:propfind>`, "Depth", "infinity").body, "multistatus")
	var out []string
	for _, part := range strings.Split(rest, "<D:href>")[1:] {
		path, _, _ := strings.Cut(part, "<")
		if !strings.HasSuffix(path, "/") {
			path += " " + statusAndBody(t, host, "GET", path, "").body
		}
		out = append(out, path)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
