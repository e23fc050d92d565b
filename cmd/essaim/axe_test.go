package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/page"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Every page there is, filled, in every language, on a phone and on a desk, has
// no serious violation of what axe-core checks. AXE names its axe.min.js, which
// no Debian package has.
func TestStoryPagesAreAccessible(t *testing.T) {
	needs(t, "chromium")
	if os.Getenv("AXE") == "" {
		t.Skip("AXE does not name an axe.min.js")
	}
	axe, err := os.ReadFile(os.Getenv("AXE"))
	if err != nil {
		t.Fatal(err)
	}
	base, session, paths := filledHouse(t)
	if len(paths) < 28 {
		t.Errorf("only %d pages: %q", len(paths), paths)
	}
	for _, lang := range page.Languages {
		b := openTab(t, base)
		for _, width := range []int64{360, 1200} {
			b.do(emulation.SetDeviceMetricsOverride(width, 800, 1, width < 500),
				network.SetCookie("lang", string(lang)).WithURL(base))
			for _, path := range paths {
				cookie := session
				if strings.HasPrefix(path, "stranger ") {
					cookie = "none"
				}
				b.do(network.SetCookie("essaim", cookie).WithURL(base), chromedp.Navigate(base+strings.TrimPrefix(path, "stranger ")),
					chromedp.WaitReady("html[lang="+string(lang)+"]", chromedp.ByQuery), chromedp.Evaluate(string(axe), nil))
				for _, v := range b.violations() {
					t.Errorf("%s in %s at %d: %s", path, lang, width, v)
				}
			}
		}
		b.do(chromedp.Evaluate(`document.querySelector("main").append(document.createElement("input"))`, nil))
		if len(b.violations()) == 0 {
			t.Error("a field without a name is in order: nothing is checked")
		}
		b.calm()
	}
}

// violations are the serious and critical ones of the page that is shown.
func (b *tab) violations() (out []string) {
	b.t.Helper()
	var told string
	b.do(chromedp.Evaluate(`axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations))`, &told,
		func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	var found []struct {
		ID, Impact, Help string
		Nodes            []struct{ HTML string }
	}
	if err := json.Unmarshal([]byte(told), &found); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range found {
		if v.Impact == "serious" || v.Impact == "critical" {
			out = append(out, fmt.Sprintf("%s (%s) %.200q", v.Help, v.ID, v.Nodes[0].HTML))
		}
	}
	return out
}

// filledHouse serves pages on which everything has a name and there is
// something of everything. It returns who is signed in, and every page that a
// member who has proved who they are gets, or a stranger.
func filledHouse(t *testing.T) (base, session string, paths []string) {
	t.Helper()
	a := webApp(t, Config{Hostname: "localhost", PlainHTTP: true, TrustLocal: true})
	ids := plant(t, a)
	base = strings.Replace(serveWeb(t, a), "127.0.0.1", "localhost", 1)
	m, err := a.pages(&tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ids["{token}"] = plantDevice(t, client, base, ids["session"])
	for _, route := range m.Routes() {
		method, path, _ := strings.Cut(route.Pattern, " ")
		if strings.Contains(path, "/people/") {
			path = strings.ReplaceAll(path, "{id}", ids["account"])
		}
		for brace, id := range ids {
			path = strings.ReplaceAll(path, brace, id)
		}
		path = strings.TrimSuffix(path, "{$}")
		for who, cookie := range map[string]string{"": ids["session"], "stranger ": "none"} {
			if method == "GET" && (who == "" || route.Access == page.Anyone) && isPage(t, client, base+path, cookie) {
				paths = append(paths, who+path)
			}
		}
	}
	return base, ids["session"], paths
}

// plantDevice connects one, and returns what names the page of its password.
func plantDevice(t *testing.T, client *http.Client, base, session string) string {
	t.Helper()
	r, err := http.NewRequest("POST", base+"/devices", strings.NewReader(url.Values{"device": {payload}, "scope": {"mail", "files", "calendar", "contacts"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "essaim", Value: session})
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return strings.TrimPrefix(res.Header.Get("Location"), "/device/")
}

func isPage(t *testing.T, client *http.Client, url, session string) bool {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "essaim", Value: session})
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK && strings.HasPrefix(res.Header.Get("Content-Type"), "text/html")
}
