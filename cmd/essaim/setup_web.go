package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"embed"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/internal/zone"
)

// setupTime is how long the page of a set-up waits.
const setupTime = 30 * time.Minute

//go:embed setup_pages
var setupPages embed.FS

// A setupDesk is the page that founds a cooperative, once, for whoever has the
// token.
type setupDesk struct {
	token string
	make  func(f *founding) (founded, error)
	start founding // what the flags said
	done  func()   // called once, after success

	mu   sync.Mutex
	over bool
}

// runWeb serves the page until it has founded a cooperative, or its time is
// over.
func (c *setupCmd) runWeb(e *env, f *founding) error {
	within := c.within
	if within == 0 {
		within = setupTime
	}
	ctx, cancel := context.WithTimeoutCause(e.ctx, within, fmt.Errorf("nobody came within %v; run essaim setup --web again", within))
	defer cancel()
	finished := make(chan struct{})
	raw := make([]byte, 20)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	d := &setupDesk{token: strings.ToLower(base32.StdEncoding.EncodeToString(raw)), start: *f, done: func() { close(finished) },
		make: func(f *founding) (founded, error) { return f.found(e.config, e.data) }}
	srv, ln, err := c.setupServer(ctx, e, d)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	var why error
	select {
	case <-ctx.Done():
		why = context.Cause(ctx)
	case why = <-failed:
		failed <- nil
	case <-finished:
	}
	stopping, cancelStop := context.WithTimeout(context.Background(), graceful)
	defer cancelStop()
	err = errors.Join(why, srv.Shutdown(stopping), <-failed)
	if err == nil {
		fmt.Fprintf(e.out, "%s\n    %s\n", setupWords.Say(terminalLanguage(), "founded.next"), startCommand)
	}
	return err
}

// setupServer listens with a certificate that is thrown away afterwards, and
// prints where.
func (c *setupCmd) setupServer(ctx context.Context, e *env, d *setupDesk) (*web.Server, net.Listener, error) {
	h, err := d.handler()
	if err != nil {
		return nil, nil, err
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, nil, err
	}
	hosts := setupHosts(ln)
	files, err := throwawayFor(hosts)
	if err != nil {
		return nil, nil, errors.Join(err, ln.Close())
	}
	port := fmt.Sprint(ln.Addr().(*net.TCPAddr).Port)
	lang := terminalLanguage()
	fmt.Fprintln(e.out, setupWords.Say(lang, "setup.open"))
	for _, host := range hosts {
		at := net.JoinHostPort(host, port)
		fmt.Fprintf(e.out, "    https://%s/setup/%s\n", strings.TrimSuffix(at, ":443"), d.token)
	}
	fmt.Fprintf(e.out, "%s\n    %s\n", setupWords.Say(lang, "setup.fingerprint"), fingerprint(files.Leaf().Raw))
	return &web.Server{Handler: h, TLS: &tls.Config{GetCertificate: files.Get, MinVersion: tls.VersionTLS12}, Private: []string{"/setup/"}}, ln, nil
}

// setupHosts are the names under which the page may be reached.
func setupHosts(ln net.Listener) (out []string) {
	at := ln.Addr().(*net.TCPAddr)
	if !at.IP.IsUnspecified() {
		return []string{at.IP.String()}
	}
	for _, a := range zone.RoutedAddresses() {
		out = append(out, a.String())
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		out = append(out, name)
	}
	if len(out) == 0 {
		out = []string{"localhost"}
	}
	return out
}

// throwawayFor makes a certificate for hosts that leaves nothing on the disk.
func throwawayFor(hosts []string) (*certs.Files, error) {
	dir, err := os.MkdirTemp("", "essaim-setup-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	names, ips := []string{"localhost"}, []net.IP{}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			ips = append(ips, ip)
		} else {
			names = append(names, h)
		}
	}
	return certs.Throwaway(dir, names, ips)
}

// fingerprint is a certificate's as browsers show it.
func fingerprint(der []byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(der)), " ", ":")
}

// handler serves the page below the token, and nothing else.
func (d *setupDesk) handler() (http.Handler, error) {
	folder, err := fs.Sub(setupPages, "setup_pages")
	if err != nil {
		return nil, err
	}
	set, err := page.New(folder, setupWords)
	if err != nil {
		return nil, err
	}
	m := &page.Router{Logger: slog.New(slog.DiscardHandler), Secure: true, Coop: func(context.Context) string { return "essaim" },
		Identify: func(*http.Request, string) (page.Identity, error) { return page.Identity{}, nil }}
	m.Layout()
	m.Add(page.Room{Set: set, Routes: []page.Route{
		{Pattern: "GET /setup/{token}", Access: page.Anyone, Do: d.form},
		{Pattern: "POST /setup/{token}", Access: page.Anyone, Do: d.answer},
	}})
	return m.Handler(), nil
}

// admit lets in who has the token, until the page has done its work.
func (d *setupDesk) admit(x *page.Request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over || subtle.ConstantTimeCompare([]byte(x.R.PathValue("token")), []byte(d.token)) != 1 {
		return page.Problem{Word: "wrong.notfound"}
	}
	return nil
}

// setupForm is what the form shows again.
type setupForm struct {
	founding
	Path string
}

// Speaks reports whether a language is ticked.
func (f setupForm) Speaks(l page.Lang) bool {
	for _, s := range f.Languages {
		if s == l {
			return true
		}
	}
	return false
}

func (d *setupDesk) form(x *page.Request) error {
	if err := d.admit(x); err != nil {
		return err
	}
	f := d.start
	if len(f.Languages) == 0 {
		f.Languages = []page.Lang{x.Lang}
	}
	return x.Page("setup", "setup.title", setupForm{f, x.R.URL.Path})
}

func (d *setupDesk) answer(x *page.Request) error {
	if err := d.admit(x); err != nil {
		return err
	}
	f := d.start
	f.Name, f.Domain, f.Where, f.Address, f.Hostname = x.Form("name"), x.Form("domain"), x.Form("where"), x.Form("address"), x.Form("hostname")
	f.Relay, f.RelayUser, f.RelayPass = x.Form("relay"), x.Form("relayuser"), x.Form("relaypass")
	f.Languages = []page.Lang{}
	for _, l := range x.R.PostForm["languages"] {
		f.Languages = append(f.Languages, page.Lang(l))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over { // a second press of the button
		return page.Problem{Word: "wrong.notfound"}
	}
	typed := f
	out, err := d.make(&f)
	if err != nil {
		typed.RelayPass = ""
		if p := (page.Problem{}); !errors.As(err, &p) {
			err = page.Problem{Word: "setup.failed", Args: []any{err.Error()}, Err: err}
		}
		return x.Again("setup", "setup.title", setupForm{typed, x.R.URL.Path}, err)
	}
	d.over = true
	defer d.done()
	return x.Page("founded", "founded.title", out)
}
