package webfs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/files"
)

// What one member asks about a tree of a million nodes is refused or answered in
// pieces: memory is bounded, and another member reads and writes meanwhile.
func TestLargeTree(t *testing.T) {
	n := 12_000
	if os.Getenv("ESSAIM_LONG") != "" {
		n = 1_000_000
	}
	h := newHouse(t, 0)
	h.unchecked = n > 100_000
	n = h.grow("ann", "big", n)
	bob := h.neighbour()
	bob.during("nothing", func() { bob.some(300) })

	bob.during("PROPFIND Depth: infinity", func() {
		if r := h.want(403, "ann", "PROPFIND", "big/", "", "Depth", "infinity"); !strings.Contains(r.body, "propfind-finite-depth") {
			t.Error(r.body)
		}
	})
	bob.during("PROPFIND Depth: 1", func() {
		if got := h.count(207, "PROPFIND", "big/flat/", fileProps, "Depth", "1"); got.responses != n/2 {
			t.Errorf("%d responses, must be %d", got.responses, n/2)
		}
	})
	bob.during("SEARCH for what is nowhere", func() {
		if got := h.count(207, "SEARCH", "big/", fmt.Sprintf(searchBody, "%nowhere%", "")); got.responses != 0 {
			t.Errorf("%d responses", got.responses)
		}
	})
	bob.during("SEARCH for all, in order", func() {
		h.want(403, "ann", "SEARCH", "big/", fmt.Sprintf(searchBody, "%", orderBody))
	})
	bob.during("8 SEARCHes at once", func() {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				r := h.do("ann", "SEARCH", "big/", fmt.Sprintf(searchBody, "%nowhere%", ""))
				if r.StatusCode != 207 && r.StatusCode != 503 {
					t.Error(r.Status)
				}
			})
		}
		all.Wait()
	})
	for level, path := range map[string]string{"1": "big/flat/", "infinite": "big/"} {
		bob.during("sync-collection "+level, func() {
			if got, want := h.syncAll(path, level), map[string]int{"1": n/2 - 1, "infinite": n}[level]; got != want {
				t.Errorf("%d responses, must be %d", got, want)
			}
		})
	}
	bob.during("COPY", func() { h.want(201, "ann", "COPY", "big/", "", "Destination", "copy/") })
	if got := h.below("ann", "copy"); got != int64(n) {
		t.Errorf("%d nodes were copied of %d", got, n)
	}
	h.want(201, "ann", "MKCOL", "other/", "")
	bob.during("MOVE", func() { h.want(201, "ann", "MOVE", "copy/", "", "Destination", "other/copy/") })
	bob.during("DELETE", func() { h.want(204, "ann", "DELETE", "other/copy/", "") })
	trash := h.names("ann", TrashPrefix+"ann@coop.example/trash/")
	bob.during("DELETE for good", func() { h.want(204, "ann", "DELETE", TrashPrefix+"ann@coop.example/trash/"+trash[0], "") })
	if n > 100_000 {
		return
	}
	for left := true; left; { // when five seconds were not enough
		if err := h.db.Update(func(tx *storage.Tx) error {
			tree, err := files.Open(tx, h.ids["ann"])
			if err == nil {
				left, err = files.PurgeHidden(tx, tree, files.Batch, h.now)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.nodes("ann"); got != n+3 { // the root, big and other
		t.Errorf("%d nodes after the DELETE, must be %d", got, n+3)
	}
}

// A client that goes away takes its work along.
func TestLargeTreeIsLeft(t *testing.T) {
	h := newHouse(t, 0)
	n := h.grow("ann", "big", 10_000)
	ctx, cancel := context.WithCancel(context.Background())
	r := httptest.NewRequest("COPY", h.url("ann", "big/"), nil).WithContext(ctx)
	r.RequestURI = homePath("ann@coop.example") + "big/"
	r.SetBasicAuth("ann", "x")
	r.Header.Set("Destination", h.url("ann", "copy/"))
	r.Header.Set("Host", strings.TrimPrefix(h.srv.URL, "http://"))
	stop := h.db.Watch(h.ids["ann"], cancel) // at the first commit
	defer stop()
	w := httptest.NewRecorder()
	h.srv.Config.Handler.ServeHTTP(w, r)
	if left := h.nodes("ann") - n; w.Code < 500 || left > n/2 {
		t.Errorf("COPY: %d, %d nodes of %d", w.Code, left, n)
	}
	for method, body := range map[string]string{
		"SEARCH": fmt.Sprintf(searchBody, "%nowhere%", ""), "PROPFIND": fileProps, "REPORT": fmt.Sprintf(syncBody, "", "infinite"),
	} {
		r := httptest.NewRequest(method, h.url("ann", "big/flat/"), strings.NewReader(body)).WithContext(ctx)
		r.RequestURI = homePath("ann@coop.example") + "big/flat/"
		r.SetBasicAuth("ann", "x")
		r.Header.Set("Depth", "1")
		w := httptest.NewRecorder()
		func() {
			defer func() { _ = recover() }() // the connection is cut
			h.srv.Config.Handler.ServeHTTP(w, r)
		}()
		if strings.Contains(w.Body.String(), "</D:multistatus>") {
			t.Errorf("%s: %d, %d bytes", method, w.Code, w.Body.Len())
		}
	}
}

const (
	searchBody = `<D:searchrequest xmlns:D="DAV:"><D:basicsearch><D:select><D:prop><D:getetag/></D:prop></D:select><D:from><D:scope><D:href></D:href><D:depth>infinity</D:depth></D:scope></D:from><D:where><D:like><D:prop><D:displayname/></D:prop><D:literal>%s</D:literal></D:like></D:where>%s</D:basicsearch></D:searchrequest>`
	orderBody  = `<D:orderby><D:order><D:prop><D:displayname/></D:prop><D:descending/></D:order></D:orderby>`
	syncBody   = `<D:sync-collection xmlns:D="DAV:"><D:sync-token>%s</D:sync-token><D:sync-level>%s</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`
	fileProps  = `<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop><D:displayname/><D:getcontentlength/><D:getlastmodified/><D:resourcetype/><D:getetag/></D:prop></D:propfind>`
)

// grow makes a folder with about n nodes below it, half of them in one folder,
// and returns how many.
func (h *house) grow(who, name string, n int) int {
	h.want(201, who, "MKCOL", name+"/", "")
	h.fill(who, name+"/flat", n/2-1)
	dirs := max(1, n/2/1000)
	for i := range dirs {
		h.fill(who, fmt.Sprintf("%s/dir-%04d", name, i), n/2/dirs-1)
	}
	return int(h.below(who, name))
}

// below is how many nodes there are below a folder.
func (h *house) below(who, name string) (n int64) {
	err := h.db.View(func(tx *storage.Tx) error {
		t, err := files.Open(tx, h.ids[who])
		if err != nil {
			return err
		}
		p, err := files.Resolve(tx, t, []string{name})
		n = files.FolderTotals(tx, t, p.Node.ID).Nodes()
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// nodes is how many there are in all, whether they are seen or not.
func (h *house) nodes(who string) (n int) {
	err := h.db.View(func(tx *storage.Tx) error {
		t, err := files.Open(tx, h.ids[who])
		if err == nil {
			n = int(t.Count)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// A counted answer was read without being kept.
type counted struct {
	responses int
	token     string
	more      bool
}

// count sends a request of ann's and counts the responses as they come.
func (h *house) count(status int, method, path, body string, header ...string) (c counted) {
	h.t.Helper()
	req, err := http.NewRequest(method, h.url("ann", path), strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.SetBasicAuth("ann", "x")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		h.t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
	mark, more, token := []byte("</D:response>"), []byte("507 Insufficient"), []byte("<D:sync-token>")
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := resp.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		c.responses += bytes.Count(buf, mark)
		c.more = c.more || bytes.Contains(buf, more)
		if _, rest, ok := bytes.Cut(buf, token); ok {
			c.token, _, _ = strings.Cut(string(rest), "<")
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			h.t.Fatal(err)
		}
		at := bytes.LastIndex(buf, mark)
		if at >= 0 {
			at += len(mark)
		}
		buf = append(buf[:0], buf[max(at, 0):]...)
	}
	return c
}

// syncAll begins a sync and goes on to its end; it returns how many responses
// there were.
func (h *house) syncAll(path, level string) (n int) {
	h.t.Helper()
	for c := (counted{more: true}); c.more; {
		c = h.count(207, "REPORT", path, fmt.Sprintf(syncBody, c.token, level))
		n += c.responses
		if c.more {
			n-- // that there is more
		}
	}
	return n
}

// A neighbour is another member who does small things all the time.
type neighbour struct {
	h        *house
	ops      atomic.Int64
	mu       sync.Mutex
	took     []time.Duration
	quit     chan struct{}
	finished chan struct{}
	base     uint64
}

func (h *house) neighbour() *neighbour {
	b := &neighbour{h: h, quit: make(chan struct{}), finished: make(chan struct{})}
	h.want(201, "bob", "PUT", "f", "content")
	go func() {
		defer close(b.finished)
		for i := 0; ; i++ {
			select {
			case <-b.quit:
				return
			default:
			}
			start := time.Now()
			if err := b.one(i); err != nil {
				h.t.Error(err)
				return
			}
			b.mu.Lock()
			b.took = append(b.took, time.Since(start))
			b.mu.Unlock()
			b.ops.Add(1)
		}
	}()
	h.t.Cleanup(func() {
		close(b.quit)
		<-b.finished
	})
	runtime.GC()
	b.base = heap()
	return b
}

func (b *neighbour) one(i int) error {
	method := []string{"GET", "PUT", "PROPFIND"}[i%3]
	req, err := http.NewRequest(method, b.h.url("bob", "f"), strings.NewReader(strings.Repeat("content ", i%3*1000)))
	if err != nil {
		return err
	}
	if method == "PROPFIND" {
		req, _ = http.NewRequest(method, b.h.url("bob", "f"), strings.NewReader(fileProps))
		req.Header.Set("Depth", "0")
	}
	req.SetBasicAuth("bob", "x")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s of bob: %s %w", method, resp.Status, err)
	}
	return nil
}

// some waits until so many operations are done.
func (b *neighbour) some(n int64) {
	for end := b.ops.Load() + n; b.ops.Load() < end && !b.h.t.Failed(); {
		time.Sleep(time.Millisecond)
	}
}

// heap is what lives and what has not been collected yet.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// during does something while the neighbour goes on, and looks at the heap.
func (b *neighbour) during(what string, fn func()) {
	b.h.t.Helper()
	b.mu.Lock()
	b.took = b.took[:0]
	b.mu.Unlock()
	done, peak := make(chan struct{}), uint64(0)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			peak = max(peak, heap())
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	before, start := b.ops.Load(), time.Now()
	fn()
	took := time.Since(start)
	close(done)
	<-watched
	during := b.ops.Load() - before
	b.some(1) // none waits for ever
	b.mu.Lock()
	slices.Sort(b.took)
	p := func(q float64) time.Duration {
		return b.took[int(q*float64(len(b.took)-1))].Round(10 * time.Microsecond)
	}
	grown := int64(peak-b.base) >> 20
	b.h.t.Logf("%-26s %8s: %6d operations of another, p50 %s, p99 %s, at most %s; heap %+d MB", what, took.Round(time.Millisecond), during, p(0.5), p(0.99), p(1), grown)
	if took > 5*time.Second && during < 10 {
		b.h.t.Errorf("%s: %d operations of another in %s", what, during, took)
	}
	b.mu.Unlock()
	if grown > 200 {
		b.h.t.Errorf("%s: the heap grew by %d MB", what, grown)
	}
}
