package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// A tab is a browser's, with what it asked for and complained of.
type tab struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu       sync.Mutex
	outside  []string
	errors   []string
	received float64
}

const browserWord = "four words in a row"

// browserHouse serves the pages on http://localhost, which a browser trusts as
// it trusts TLS; amelie administers.
func browserHouse(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := fmt.Sprintf("http://localhost:%d", ln.Addr().(*net.TCPAddr).Port)
	a := webApp(t, Config{Hostname: "localhost", PlainHTTP: true, Web: base, TrustLocal: true})
	set, err := a.auth.HashMainPassword(t.Context(), browserWord)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.db.Update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		m, err := people.Join(tx, accounts.NewAccount{Address: "amelie@coop.example", Name: "Amélie Dubois", Admin: true}, people.Actor{}, time.Now())
		if err != nil {
			return err
		}
		return set(tx, m.ID)
	}); err != nil {
		t.Fatal(err)
	}
	m, err := a.pages(&tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: m.Handler(), ReadHeaderTimeout: 30 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return base
}

// openTab starts Chromium of its own.
func openTab(t *testing.T, base string) *tab {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(60*time.Second))
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, base: base}
	chromedp.ListenTarget(ctx, b.hear)
	b.do(network.Enable(), runtime.Enable())
	return b
}

func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, b.base+"/") && !strings.HasPrefix(u, "data:") {
			b.outside = append(b.outside, u)
		}
	case *network.EventLoadingFinished:
		b.received += e.EncodedDataLength
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError {
			b.errors = append(b.errors, fmt.Sprint(e.Args))
		}
	}
}

func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// arrive waits until the tab is at a path, and the page is there.
func (b *tab) arrive(path string) {
	b.t.Helper()
	var at string
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := chromedp.Run(b.ctx, chromedp.Location(&at)); err == nil && strings.TrimPrefix(at, b.base) == path {
			b.do(chromedp.WaitReady("footer", chromedp.ByQuery))
			return
		}
	}
	b.t.Fatalf("at %s, not %s", at, path)
}

func (b *tab) signIn() {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base+"/signin"), chromedp.SendKeys("#address", "amelie@coop.example"), chromedp.SendKeys("#password", browserWord),
		chromedp.Click("form.card button", chromedp.ByQuery))
	b.arrive("/")
}

func TestStoryPasskey(t *testing.T) {
	base := browserHouse(t)
	b := openTab(t, base)
	b.do(webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}).Do(ctx)
		return err
	}))
	b.signIn()
	b.do(chromedp.Navigate(b.base+"/security"), chromedp.Click("button[data-passkey]", chromedp.ByQuery))
	b.arrive("/security?done=passkey")
	b.do(chromedp.Click("form.who button", chromedp.ByQuery))
	b.arrive("/signin")
	b.do(chromedp.Click("button[data-passkey]", chromedp.ByQuery))
	b.arrive("/")
	b.calm()
}

// calm fails the test when a page asked elsewhere or complained.
func (b *tab) calm() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.outside)+len(b.errors) > 0 {
		b.t.Errorf("asked elsewhere: %q; complaints: %q", b.outside, b.errors)
	}
}

// Every page, on a phone and on a desk, in every language: nothing runs over
// the edge and nobody else is asked.
func TestStoryPagesOnAPhone(t *testing.T) {
	base := browserHouse(t)
	b := openTab(t, base)
	b.do(chromedp.Navigate(b.base + "/signin"))
	b.mu.Lock()
	if b.received > 60_000 {
		t.Errorf("the first page takes %.0f bytes", b.received)
	}
	b.mu.Unlock()
	b.signIn()
	paths := []string{"/", "/devices", "/addresses", "/household", "/security", "/settings", "/log", "/admin", "/admin/people", "/admin/people/1",
		"/admin/households", "/admin/invitations", "/admin/groups", "/admin/domains", "/admin/domains/coop.example", "/admin/start", "/admin/queue", "/admin/traces", "/admin/log", "/admin/coop"}
	var titles []string
	for _, lang := range []string{"fr", "nl", "en"} {
		b.do(chromedp.Navigate(b.base+"/"), chromedp.Click("footer button[value="+lang+"]", chromedp.ByQuery), chromedp.WaitReady("html[lang="+lang+"]", chromedp.ByQuery))
		for _, width := range []int64{360, 1200} {
			b.do(emulation.SetDeviceMetricsOverride(width, 800, 1, width < 500))
			for _, path := range paths {
				var wide bool
				var title string
				b.do(chromedp.Navigate(b.base+path), chromedp.Evaluate(`document.documentElement.scrollWidth > window.innerWidth`, &wide), chromedp.Title(&title))
				if wide {
					t.Errorf("%s in %s at %d runs over the edge", path, lang, width)
				}
				titles = append(titles, title)
			}
		}
	}
	slices.Sort(titles)
	if n := len(slices.Compact(titles)); n < 35 {
		t.Errorf("only %d different titles: are the languages there?", n)
	}
	b.calm()
}

func TestStoryPagesWithoutScript(t *testing.T) {
	base := browserHouse(t)
	b := openTab(t, base)
	b.do(emulation.SetScriptExecutionDisabled(true))
	b.signIn()
	b.do(chromedp.Navigate(b.base+"/devices"), chromedp.SendKeys("#device", "old laptop"), chromedp.Click("main > form.card button", chromedp.ByQuery),
		chromedp.WaitReady("#secret", chromedp.ByQuery))
	var secret string
	b.do(chromedp.Text("#secret", &secret, chromedp.ByQuery))
	if len(secret) != 32 {
		t.Errorf("the device's password is %q", secret)
	}
}
