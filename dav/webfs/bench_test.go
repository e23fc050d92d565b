package webfs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/internal/trace"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// A door is the whole way of a request: listener, middleware, app password,
// engine, store.
type door struct {
	*house
	address  string
	password string
}

func newDoor(b *testing.B) *door {
	d := &door{house: newHouse(b, 0)}
	if err := d.db.Update(func(tx *storage.Tx) (err error) {
		d.password, _, err = accounts.NewAppPassword(tx, d.ids["ann"], "bench", accounts.ScopeDAV, d.now)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	auth := accounts.NewService(d.db, slog.New(slog.DiscardHandler))
	user := func(r *http.Request) storage.AccountID {
		l, _ := web.User(r.Context())
		return storage.AccountID(l.Account)
	}
	e := dav.New(dav.Options{DB: d.db, Directory: auth.Directory(), User: user})
	Mount(e)
	guard := &web.Guard{By: []web.Authenticator{&web.Basic{Realm: "essaim", Passwords: auth.For(accounts.ScopeDAV), Gate: &web.Gate{}}},
		Next: Mounting(e, d.db, auth.Directory(), user)}
	mux := &web.Mux{}
	mux.Handle("/dav/", guard)
	d.address = listen(b, (&web.Server{Handler: mux, NewTrace: trace.NewRing("http").New}))
	b.Cleanup(auth.Wait)
	return d
}

func listen(b *testing.B, s interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	b.Cleanup(func() {
		_ = s.Shutdown(context.Background())
		<-done
	})
	return ln.Addr().String()
}

// A line is a connection with one request on it at a time: as little work for
// the client as there can be, so that a profile shows the server.
type line struct {
	b    *testing.B
	conn net.Conn
	in   *bufio.Reader
}

func dial(b *testing.B, address string) *line {
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return &line{b, c, bufio.NewReaderSize(c, 64<<10)}
}

// ask sends a request as it is and returns the bytes of the answer's body.
func (l *line) ask(request []byte, status string) int64 {
	if _, err := l.conn.Write(request); err != nil {
		l.b.Fatal(err)
	}
	length, chunked := int64(0), false
	for first := true; ; first = false {
		h, err := l.in.ReadSlice('\n')
		switch {
		case err != nil:
			l.b.Fatal(err)
		case first && !bytes.HasPrefix(h, []byte("HTTP/1.1 "+status)):
			l.b.Fatalf("%q", h)
		case bytes.HasPrefix(h, []byte("Content-Length: ")):
			_, _ = fmt.Sscan(string(h[16:]), &length)
		case bytes.HasPrefix(h, []byte("Transfer-Encoding: ")):
			chunked = true
		}
		if len(h) == 2 {
			break
		}
	}
	if chunked {
		return l.chunks()
	}
	if _, err := io.CopyN(io.Discard, l.in, length); err != nil {
		l.b.Fatal(err)
	}
	return length
}

func (l *line) chunks() (n int64) {
	for {
		h, err := l.in.ReadSlice('\n')
		if err != nil {
			l.b.Fatal(err)
		}
		size := int64(0)
		_, _ = fmt.Sscanf(string(h), "%x", &size)
		if _, err := io.CopyN(io.Discard, l.in, size+2); err != nil {
			l.b.Fatal(err)
		}
		if n += size; size == 0 {
			return n
		}
	}
}

func (d *door) request(method, path, body string, header ...string) []byte {
	r, err := http.NewRequest(method, "http://"+d.address+homePath("ann@coop.example")+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.SetBasicAuth("ann@coop.example", d.password)
	r.Header.Set("User-Agent", "Go-http-client/1.1")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	var out bytes.Buffer
	if err := r.Write(&out); err != nil {
		d.t.Fatal(err)
	}
	return out.Bytes()
}

// BenchmarkDoor is what everyday requests cost, client and sockets included, and
// beside them what net/http takes to send ten kilobytes without any of it.
func BenchmarkDoor(b *testing.B) {
	data := make([]byte, 10_000)
	x := uint32(1)
	for i := range data {
		x = x*1664525 + 1013904223
		data[i] = byte(x >> 24)
	}
	d := newDoor(b)
	l := dial(b, d.address)
	put := d.request("PUT", "f", string(data))
	l.ask(put, "201")
	floor := dial(b, listen(b, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) })}))
	for _, c := range []struct {
		name    string
		l       *line
		status  string
		request []byte
	}{
		{"floor", floor, "200", d.request("GET", "f", "")},
		{"get", l, "200", d.request("GET", "f", "")},
		{"stat", l, "207", d.request("PROPFIND", "f", fileProps, "Depth", "0")},
		{"put", l, "204", put},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.l.ask(c.request, c.status)
			}
		})
	}
}

// BenchmarkList10000 lists ten thousand files.
func BenchmarkList10000(b *testing.B) {
	d := newDoor(b)
	d.fill("ann", "dir", 10_000)
	l, request := dial(b, d.address), d.request("PROPFIND", "dir/", fileProps, "Depth", "1")
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(l.ask(request, "207"))
	}
}

// BenchmarkPutLarge stores 64 MB.
func BenchmarkPutLarge(b *testing.B) {
	d := newDoor(b)
	const size = 64 << 20
	l, request := dial(b, d.address), d.request("PUT", "large", strings.Repeat("x", size))
	l.ask(request, "201")
	b.SetBytes(size)
	for b.Loop() {
		l.ask(request, "204")
	}
}
