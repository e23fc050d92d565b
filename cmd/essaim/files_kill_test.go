package main

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A keptFile is what must be true of one file; a folder has the body "/".
type keptFile struct {
	body     string
	by       int // who wrote it last
	versions int
	token    string // of the lock on it
}

// A keptTree is what must be true of one member's folder.
type keptTree struct {
	files map[string]keptFile
	trash int
}

func (k keptTree) clone() keptTree { return keptTree{maps.Clone(k.files), k.trash} }

// A keeper does things to a folder, one after the other, and knows what was
// acknowledged. What the kill cut off happened entirely or not at all.
type keeper struct {
	*house
	user  int
	rng   *rand.Rand
	sure  keptTree
	maybe *keptTree
	ops   int
}

// TestKillBatteryFiles kills the server again and again while files are put,
// moved, copied, deleted, restored and locked: what was acknowledged is there
// after every kill, with its versions, its trash and its locks.
func TestKillBatteryFiles(t *testing.T) {
	rounds := 5
	if os.Getenv("ESSAIM_CRASH") == "long" {
		rounds = 200
	}
	if testing.Short() {
		t.Skip("kills take their time")
	}
	const users = 3
	h := newHouse(t, users, "--plain-http")
	keepers := make([]*keeper, users)
	for i := range keepers {
		k := &keeper{house: h, user: i + 1, rng: rand.New(rand.NewPCG(rand.Uint64(), 1)), sure: keptTree{files: map[string]keptFile{}}}
		keepers[i] = k
		k.share()
	}
	for range rounds {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for _, k := range keepers {
			wg.Go(func() { k.work(stop) })
		}
		time.Sleep(time.Duration(60+rand.IntN(400)) * time.Millisecond)
		h.stop(syscall.SIGKILL)
		close(stop)
		wg.Wait()
		h.start()
		for _, k := range keepers {
			k.settle()
		}
	}
	ops := 0
	for _, k := range keepers {
		ops += k.ops
	}
	t.Logf("%d kills, %d operations acknowledged", rounds, ops)
	h.stop(syscall.SIGTERM)
	h.check()
}

// share lets another member write, so that there are versions: those of one
// author within minutes are one.
func (k *keeper) share() {
	k.t.Helper()
	if status, err := k.send(k.user, "MKCOL", k.dir(), nil); err != nil || status != 201 {
		k.t.Fatal(status, err)
	}
	acl := fmt.Sprintf(`<D:acl xmlns:D="DAV:"><D:ace><D:principal><D:href>/dav/principals/users/%s/</D:href></D:principal>`+
		`<D:grant><D:privilege><D:read/></D:privilege><D:privilege><D:write/></D:privilege></D:grant></D:ace></D:acl>`, user(k.other()))
	if status, err := k.send(k.user, "ACL", k.dir(), strings.NewReader(acl)); err != nil || status/100 != 2 {
		k.t.Fatal("sharing: ", status, err)
	}
}

// dir is what the folder is called, by its owner and the other.
func (k *keeper) dir() string { return fmt.Sprintf("kept%d/", k.user) }

func (k *keeper) other() int { return k.user%3 + 1 }

// send sends one request. An error is a connection that broke.
func (k *keeper) send(who int, method, path string, body io.Reader, header ...string) (int, error) {
	resp, err := k.request(who, method, path, body, header...)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func (k *keeper) request(who int, method, path string, body io.Reader, header ...string) (*http.Response, error) {
	url := path
	if strings.HasPrefix(path, "/") {
		url = "http://" + k.addr(80) + path
	} else if !strings.HasPrefix(path, "http") {
		url = k.filesURL(who) + path
	}
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(user(who), testPassword)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return http.DefaultTransport.RoundTrip(req)
}

func (k *keeper) work(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		after, status, err := k.one()
		switch {
		case err != nil:
			k.maybe = &after
			return
		case status/100 != 2:
			k.t.Errorf("status %d\nof %v", status, k.sure)
			return
		}
		k.sure = after
		k.ops++
	}
}

// one does something possible and returns what is then true.
func (k *keeper) one() (after keptTree, status int, err error) {
	after = k.sure.clone()
	name := fmt.Sprint("f", k.rng.IntN(8))
	f, there := after.files[name]
	who := k.user
	if k.rng.IntN(2) == 0 {
		who = k.other()
	}
	dir := k.dir()
	token := []string{}
	if f.token != "" {
		if who = k.user; k.rng.IntN(3) == 0 {
			f.token, after.files[name] = "", keptFile{f.body, f.by, f.versions, ""}
			status, err = k.send(who, "UNLOCK", dir+name, nil, "Lock-Token", "<"+k.sure.files[name].token+">")
			return after, status, err
		}
		token = []string{"If", "(<" + f.token + ">)"}
	}
	free := ""
	for i := range 8 {
		if n := fmt.Sprint("f", i); after.files[n].body == "" {
			free = n
		}
	}
	switch op := k.rng.IntN(10); {
	case !there || op < 4:
		return k.put(after, who, name, token)
	case op < 6 && free != "" && f.token == "":
		after.files[free] = f
		delete(after.files, name)
		status, err = k.send(who, "MOVE", dir+name, nil, "Destination", k.filesURL(who)+dir+free)
	case op < 8 && free != "":
		after.files[free] = keptFile{f.body, who, 0, ""}
		status, err = k.send(who, "COPY", dir+name, nil, "Destination", k.filesURL(who)+dir+free)
	case op < 9 && f.token == "":
		delete(after.files, name)
		after.trash++
		status, err = k.send(who, "DELETE", dir+name, nil)
	case f.token == "":
		return k.lock(after, name)
	default:
		return k.put(after, who, name, token)
	}
	return after, status, err
}

func (k *keeper) put(after keptTree, who int, name string, token []string) (keptTree, int, error) {
	f := after.files[name]
	body := fmt.Sprintf("%d-%d ", k.user, k.rng.Uint64())
	body += strings.Repeat("x", k.rng.IntN(20_000))
	if k.rng.IntN(10) == 0 {
		body += strings.Repeat("y", 1<<20)
	}
	if f.body != "" && f.by != who {
		f.versions++
	}
	f.body, f.by = body, who
	after.files[name] = f
	status, err := k.send(who, "PUT", k.dir()+name, strings.NewReader(body), token...)
	return after, status, err
}

// lock takes a lock. Of one whose answer was cut off nobody knows the token, so
// it is asked for when it is settled.
func (k *keeper) lock(after keptTree, name string) (keptTree, int, error) {
	f := after.files[name]
	f.token = "?"
	after.files[name] = f
	resp, err := k.request(k.user, "LOCK", k.dir()+name, strings.NewReader(
		`<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`), "Timeout", "Second-3600")
	if err != nil {
		return after, 0, err
	}
	defer resp.Body.Close()
	f.token = strings.Trim(resp.Header.Get("Lock-Token"), "<>")
	after.files[name] = f
	_, err = io.Copy(io.Discard, resp.Body)
	return after, resp.StatusCode, err
}

// settle finds out which of the two happened, and that one of them did.
func (k *keeper) settle() {
	k.t.Helper()
	have := k.look()
	if k.maybe != nil && same(have, *k.maybe) {
		k.sure = *k.maybe
	} else if !same(have, k.sure) {
		k.t.Fatalf("user %d has %v\nmust have %v\nor %v", k.user, have, k.sure, k.maybe)
	}
	k.maybe = nil
	for name, f := range k.sure.files { // the tokens that nobody was told
		if f.token != "" {
			f.token = have.files[name].token
			k.sure.files[name] = f
			if status, err := k.send(k.other(), "PUT", k.dir()+name, strings.NewReader("no")); err != nil || status != 423 {
				k.t.Errorf("%s is locked, PUT: %d, %v", name, status, err)
			}
		}
	}
}

func same(a, b keptTree) bool {
	return a.trash == b.trash && maps.EqualFunc(a.files, b.files, func(x, y keptFile) bool {
		return x.body == y.body && x.versions == y.versions && (x.token == y.token || x.token != "" && y.token == "?")
	})
}

func (k keptTree) String() string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(k.files)) {
		f := k.files[name]
		out = append(out, fmt.Sprintf("%s:%.12s(%d)v%d%s", name, f.body, len(f.body), f.versions, f.token))
	}
	return fmt.Sprintf("%v trash %d", out, k.trash)
}

// look reads the folder by HTTP.
func (k *keeper) look() keptTree {
	k.t.Helper()
	out := keptTree{files: map[string]keptFile{}}
	for _, part := range k.propfind(k.dir(), `<oc:fileid xmlns:oc="http://owncloud.org/ns"/><D:lockdiscovery/>`) {
		href := between(part, "<D:href>", "</D:href>")
		name := href[strings.LastIndex(href, "/")+1:]
		if name == "" {
			continue
		}
		resp, err := k.request(k.user, "GET", href, nil)
		if err != nil {
			k.t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 {
			k.t.Fatalf("%s: %s, %v", href, resp.Status, err)
		}
		versions := k.propfind(fmt.Sprintf("/dav/versions/%s/versions/%s/", user(k.user), between(part, ":fileid>", "<")), "<D:getetag/>")
		out.files[name] = keptFile{string(body), 0, len(versions) - 1, between(between(part, "<D:locktoken>", "</D:locktoken>"), "<D:href>", "</D:href>")}
	}
	out.trash = len(k.propfind(fmt.Sprintf("/dav/trash/%s/trash/", user(k.user)), "<D:getetag/>")) - 1
	return out
}

func (k *keeper) propfind(path, props string) []string {
	k.t.Helper()
	resp, err := k.request(k.user, "PROPFIND", path, strings.NewReader(`<D:propfind xmlns:D="DAV:"><D:prop>`+props+`</D:prop></D:propfind>`), "Depth", "1")
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 207 {
		k.t.Fatalf("PROPFIND %s: %s, %v", path, resp.Status, err)
	}
	return strings.Split(string(b), "<D:response>")[1:]
}

func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}
