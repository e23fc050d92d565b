package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

// screen is a terminal that a test reads while it is written.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// waitFor waits until the screen shows something.
func (s *screen) waitFor(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if m := re.FindStringSubmatch(s.String()); m != nil {
			return m
		}
	}
	t.Fatalf("no %s in\n%s", pattern, s)
	return nil
}

func TestFoundingAnswers(t *testing.T) {
	good := founding{Name: "Les Voisins", Domain: "Coop.Example", Languages: []page.Lang{"nl"}, Address: "zoe"}
	for name, c := range map[string]struct {
		change func(*founding)
		word   string
	}{
		"good":                  {func(*founding) {}, ""},
		"whole address":         {func(f *founding) { f.Address = "zoe@COOP.example" }, ""},
		"no name":               {func(f *founding) { f.Name = "" }, "setup.noname"},
		"no domain":             {func(f *founding) { f.Domain = "coop" }, "setup.nodomain"},
		"no language":           {func(f *founding) { f.Languages = nil }, "setup.nolanguage"},
		"no such language":      {func(f *founding) { f.Languages = []page.Lang{"de"} }, "setup.nolanguage"},
		"address elsewhere":     {func(f *founding) { f.Address = "zoe@evil.example" }, "setup.noaddress"},
		"hostname of one label": {func(f *founding) { f.Hostname = "vps1234" }, "setup.nohost"},
		"relay of one name":     {func(f *founding) { f.Relay = "smtp.sister.example" }, ""},
		"login without word":    {func(f *founding) { f.Relay, f.RelayUser = "smtp.sister.example:465", "us" }, "setup.norelay"},
	} {
		f := good
		c.change(&f)
		err := f.complete()
		p := page.Problem{}
		if asProblem(err, &p); p.Word != c.word || (err == nil) != (c.word == "") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (f.Address != "zoe@coop.example" || f.Hostname != "mail.coop.example" || f.Relay != "" && f.Relay != "smtp.sister.example:587") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// A relay is asked for as a first-class choice; its password is in a file of
// its own that the configuration names.
func TestSetUpWithRelay(t *testing.T) {
	t.Setenv("LC_ALL", "nl_BE.UTF-8")
	dir := t.TempDir()
	e := &env{ctx: t.Context(), config: dir + "/etc/essaim.toml", data: dir + "/data", out: io.Discard, errout: io.Discard,
		in: strings.NewReader("Buren\ncoop.example\nGent\n\nzoe\nsmtp.sister.example\nburen\ngeheim\n")}
	if err := (&setupCmd{}).Run(e); err != nil {
		t.Fatal(err)
	}
	cfg, err := e.loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	word, err := cfg.relayPassword()
	if err != nil || word != "geheim" || cfg.Relay != "smtp.sister.example:587" || cfg.RelayUser != "buren" {
		t.Errorf("%+v, %q, %v", cfg, word, err)
	}
	if st, err := os.Stat(cfg.RelayPass); err != nil || st.Mode().Perm()&0o007 != 0 {
		t.Errorf("the password's file: %v, %v", st.Mode(), err)
	}
	if left, _ := filepath.Glob(dir + "/etc/.essaim-*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
	if err := (&setupCmd{}).Run(e); err == nil {
		t.Error("set up twice")
	}
	a, err := openApp(cfg, discardLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if s := a.site("coop.example"); s.RelayHost != "smtp.sister.example" {
		t.Errorf("%+v", s)
	}
	_ = a.db.View(func(tx *storage.Tx) error {
		m, err := accounts.Lookup(tx, "abuse@coop.example")
		if c, cerr := register.TheCoop(tx); err != nil || cerr != nil || m.Language != "nl" || c.Where != "Gent" || c.Languages[0] != "nl" {
			t.Errorf("%+v, %+v, %v, %v", m, c, err, cerr)
		}
		return nil
	})
}

// webSetup starts a set-up on its page and returns where that is.
func webSetup(t *testing.T, within time.Duration) (e *env, out *screen, address string, client *http.Client, ended chan error) {
	t.Helper()
	t.Setenv("LC_ALL", "C")
	dir := t.TempDir()
	out = &screen{}
	ctx, cancel := context.WithCancel(context.Background())
	e = &env{ctx: ctx, config: dir + "/etc/essaim.toml", data: dir + "/data", out: out, errout: io.Discard, in: strings.NewReader("")}
	ended = make(chan error, 1)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ended <- (&setupCmd{Web: true, ACME: true, Listen: "127.0.0.1:0", within: within}).Run(e)
	}()
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: time.Minute}
	t.Cleanup(func() { cancel(); client.CloseIdleConnections(); <-stopped })
	if within > time.Minute {
		address = out.waitFor(t, `(https://127\.0\.0\.1:\d+/setup/[a-z0-9]+)\n`)[1]
	}
	return e, out, address, client, ended
}

func fetch(t *testing.T, client *http.Client, address string, form url.Values) (int, string, *tls.ConnectionState) {
	t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	if form != nil {
		r, err = http.NewRequest("POST", address, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.TLS
}

// From an empty machine to an administrator with a recovery code, on the page.
func TestSetUpOnThePage(t *testing.T) {
	e, out, address, client, ended := webSetup(t, time.Hour)
	status, body, conn := fetch(t, client, address, nil)
	if status != 200 || !strings.Contains(body, `name="domain"`) {
		t.Fatalf("%d %s", status, body)
	}
	if want := fingerprint(conn.PeerCertificates[0].Raw); !strings.Contains(out.String(), want) {
		t.Errorf("the fingerprint %s is not printed:\n%s", want, out)
	}
	for _, wrong := range []string{address[:len(address)-1], address + "a", address[:strings.LastIndex(address, "/")] + "/", "/"} {
		if wrong == "/" {
			wrong = address[:strings.Index(address, "/setup/")+1]
		}
		if status, _, _ := fetch(t, client, wrong, nil); status != 404 {
			t.Errorf("%s: %d", wrong, status)
		}
		if status, _, _ := fetch(t, client, wrong, url.Values{"name": {"x"}}); status != 404 {
			t.Errorf("form to %s: %d", wrong, status)
		}
	}
	answers := url.Values{"name": {"Les <Voisins>"}, "domain": {"coop.example"}, "where": {"Liège"}, "address": {"zoe@evil.example"}, "languages": {"fr", "en"}}
	if status, body, _ := fetch(t, client, address, answers); status != 422 || !strings.Contains(body, "has to be in the domain") || !strings.Contains(body, "Les &lt;Voisins&gt;") {
		t.Fatalf("a wrong answer: %d %s", status, body)
	}
	answers.Set("address", "zoe")
	status, body, _ = fetch(t, client, address, answers)
	code := regexp.MustCompile(`<li><span class="secret">([a-z2-9-]+)</span>`).FindStringSubmatch(body)
	if status != 200 || code == nil || !strings.Contains(body, "https://mail.coop.example/recover") || !strings.Contains(body, "IN MX 10 mail.coop.example.") {
		t.Fatalf("%d %s", status, body)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the page goes on after success")
	}
	cfg, err := e.loadConfig()
	if err != nil || !cfg.TLS.ACME || cfg.TLS.Email != "zoe@coop.example" {
		t.Fatalf("%+v, %v", cfg, err)
	}
	a, err := openApp(cfg, discardLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.db.Update(func(tx *storage.Tx) error {
		m, err := accounts.Lookup(tx, "zoe@coop.example")
		if err != nil || !m.Admin {
			t.Errorf("%+v, %v", m, err)
		}
		return signin.UseRecovery(tx, m.ID, code[1])
	}); err != nil {
		t.Error(err)
	}
}

func TestSetUpPageDoesNotWaitForEver(t *testing.T) {
	_, _, _, _, ended := webSetup(t, time.Millisecond)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("no error after the time was over")
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the page waits for ever")
	}
}

// The page is whole in every language, without a script.
func TestSetUpPageSpeaksEveryLanguage(t *testing.T) {
	_, _, address, client, _ := webSetup(t, time.Hour)
	seen := map[string]bool{}
	for _, l := range page.Languages {
		r, err := http.NewRequest("GET", address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Language", string(l))
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || strings.Contains(string(b), "[setup") || !strings.Contains(string(b), setupWords.Say(l, "setup.do")) {
			t.Errorf("%s: %d %v %s", l, resp.StatusCode, err, b)
		}
		seen[string(b)] = true
	}
	if len(seen) != len(page.Languages) {
		t.Error("two languages are the same")
	}
}
