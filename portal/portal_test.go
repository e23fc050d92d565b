package portal

import (
	"bytes"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"

	"github.com/smallstep/pkcs7"
)

// A clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) get() time.Time       { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

type testHouse struct {
	t      testing.TB
	db     *storage.DB
	portal *Portal
	server *httptest.Server
	clock  *clock
}

const goodWord = "four words in a row"

// house has the administrator amelie, who can sign in.
func house(t testing.TB) *testHouse {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &testHouse{t: t, db: db, clock: &clock{now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)}}
	h.server = httptest.NewUnstartedServer(nil)
	h.portal = &Portal{DB: db, Auth: accounts.NewService(db, slog.New(slog.DiscardHandler)), Gate: &web.Gate{Now: h.clock.get}, Now: h.clock.get,
		Logger: slog.New(slog.DiscardHandler), Origin: "https://mail.coop.example",
		Services: Services{Host: "mail.coop.example", IMAPS: 993, IMAP: 143, Submissions: 465, Submission: 587}}
	room, err := h.portal.Room()
	if err != nil {
		t.Fatal(err)
	}
	m := &page.Router{Logger: slog.New(slog.DiscardHandler), Secure: true, SignIn: "/signin", Prove: "/prove",
		Identify: h.portal.Identify, Coop: h.portal.CoopName}
	m.Layout()
	m.Add(room)
	h.server.Config.Handler = m.Handler()
	h.server.StartTLS()
	t.Cleanup(func() {
		h.server.Close()
		if err := db.View(audit.Verify); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	set, err := h.portal.Auth.HashMainPassword(t.Context(), goodWord)
	if err != nil {
		t.Fatal(err)
	}
	h.update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		if err := register.SetCoop(tx, register.Coop{Name: "Nos Voisins", Domain: "coop.example"}); err != nil {
			return err
		}
		a, err := people.Join(tx, accounts.NewAccount{Address: "amelie@coop.example", Name: "Amélie", Language: "fr", Admin: true, Quota: 1 << 30}, people.Actor{}, h.clock.get())
		if err != nil {
			return err
		}
		return set(tx, a.ID)
	})
	return h
}

func (h *testHouse) update(fn func(*storage.Tx) error) {
	h.t.Helper()
	if err := h.db.Update(fn); err != nil {
		h.t.Fatal(err)
	}
}

// A visitor is a browser with its cookies that shows where it ended.
type visitor struct {
	h      *testHouse
	client *http.Client
	status int
	path   string
	body   string
}

func (h *testHouse) visitor() *visitor {
	jar, _ := cookiejar.New(nil)
	c := *h.server.Client()
	c.Jar = jar
	return &visitor{h: h, client: &c}
}

func (v *visitor) do(req *http.Request) *visitor {
	v.h.t.Helper()
	resp, err := v.client.Do(req)
	if err != nil {
		v.h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	v.status, v.path, v.body = resp.StatusCode, resp.Request.URL.Path, string(body)
	return v
}

func (v *visitor) get(path string) *visitor {
	v.h.t.Helper()
	req, _ := http.NewRequest("GET", v.h.server.URL+path, nil)
	return v.do(req)
}

func (v *visitor) post(path string, fields ...string) *visitor {
	v.h.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	req, _ := http.NewRequest("POST", v.h.server.URL+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return v.do(req)
}

// sees fails the test unless the visitor is at a path with a status and sees
// the words.
func (v *visitor) sees(status int, path string, words ...string) *visitor {
	v.h.t.Helper()
	if v.status != status || v.path != path {
		v.h.t.Fatalf("at %s with %d, want %s with %d:\n%s", v.path, v.status, path, status, v.body)
	}
	for _, w := range words {
		if !strings.Contains(v.body, w) {
			v.h.t.Errorf("%s does not say %q:\n%s", v.path, w, v.body)
		}
	}
	return v
}

func (h *testHouse) amelie() *visitor {
	h.t.Helper()
	return h.visitor().post("/signin", "address", "amelie@coop.example", "password", goodWord).sees(200, "/", "Amélie")
}

func TestSigningIn(t *testing.T) {
	h := house(t)
	v := h.visitor()
	v.get("/devices").sees(200, "/signin", `name="to" value="/devices"`)
	v.post("/signin", "address", "amelie@coop.example", "password", "wrong password").sees(422, "/signin", "do not go together")
	wrong := v.body
	v.post("/signin", "address", "nobody@coop.example", "password", "wrong password").sees(422, "/signin", "do not go together")
	if strings.ReplaceAll(wrong, "amelie", "nobody") != v.body {
		t.Error("the answer tells whether the account is there")
	}
	v.post("/signin", "address", "Amelie@Coop.example", "password", goodWord, "to", "https://evil.example//evil").sees(200, "/", "Mon compte", "Nos Voisins")
	v.post("/signout").sees(200, "/signin")
	v.get("/").sees(200, "/signin")
	// The browser's address is known to amelie by now, and unknown to nobody.
	for i := range 12 {
		v.post("/signin", "address", "nobody@coop.example", "password", fmt.Sprint("guess number ", i))
	}
	v.sees(422, "/signin", "wait a little")
	v.post("/signin", "address", "amelie@coop.example", "password", goodWord).sees(200, "/")
}

func TestSessionEndsByItself(t *testing.T) {
	h := house(t)
	v := h.amelie()
	h.clock.move(11 * time.Hour)
	v.get("/").sees(200, "/") // notes the use
	h.clock.move(11 * time.Hour)
	v.get("/").sees(200, "/")
	h.clock.move(13 * time.Hour)
	v.get("/").sees(200, "/signin")
}

func TestDevices(t *testing.T) {
	h := house(t)
	v := h.amelie()
	v.post("/devices", "device", "", "scope", "mail").sees(422, "/devices", "Donnez un nom")
	v.post("/devices", "device", "téléphone <b>").sees(422, "/devices", "au moins une chose")
	v.post("/devices", "device", "téléphone <b>", "scope", "mail", "scope", "calendar")
	if v.status != 200 || !strings.HasPrefix(v.path, "/device/") || strings.Contains(v.body, "téléphone <b>") {
		t.Fatalf("%d %s\n%s", v.status, v.path, v.body)
	}
	secret := regexp.MustCompile(`id="secret">([a-z2-9]+)<`).FindStringSubmatch(v.body)
	if secret == nil {
		t.Fatal(v.body)
	}
	if _, err := h.portal.Auth.For(accounts.ScopeIMAP).Password("amelie@coop.example", secret[1]); err != nil {
		t.Error(err)
	}
	if _, err := h.portal.Auth.For(accounts.ScopeFiles).Password("amelie@coop.example", secret[1]); err == nil {
		t.Error("a password for mail and calendar opens files")
	}
	page := v.path
	h.visitor().get(page).sees(200, page, secret[1]) // the phone that scanned it
	h.clock.move(16 * time.Minute)
	h.visitor().get(page).sees(422, page, "This link has ended")
	v.get("/devices").sees(200, "/devices", "téléphone &lt;b&gt;")
	v.post("/devices", "device", "late", "scope", "mail").sees(200, "/prove")
	v.post("/prove", "password", "no", "to", "/devices").sees(422, "/prove")
	v.post("/prove", "password", goodWord, "to", "/devices").sees(200, "/devices")
	other := h.visitor()
	other.post("/devices/revoke", "id", "1").sees(200, "/signin")
	v.post("/devices/revoke", "id", "1").sees(200, "/devices", "déconnecté")
	v.post("/devices/revoke", "id", "1").sees(200, "/devices")
	if _, err := h.portal.Auth.For(accounts.ScopeIMAP).Password("amelie@coop.example", secret[1]); err == nil {
		t.Error("a revoked password works")
	}
}

func TestProfileIsAPropertyListThatWeSigned(t *testing.T) {
	h := house(t)
	files, err := certs.Throwaway(t.TempDir(), []string{"mail.coop.example"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.portal.Certificate = func() (*tls.Certificate, error) { return files.Get(nil) }
	v := h.amelie().post("/devices", "device", `"phone" & <co>`, "scope", "mail", "scope", "calendar", "scope", "contacts")
	v.get(v.path + "/essaim.mobileconfig")
	signed, err := pkcs7.Parse([]byte(v.body))
	if err != nil {
		t.Fatal(err)
	}
	if err := signed.Verify(); err != nil {
		t.Error(err)
	}
	if !signed.GetOnlySigner().Equal(files.Leaf()) {
		t.Error("signed by another")
	}
	d := xml.NewDecoder(bytes.NewReader(signed.Content))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, signed.Content)
		}
	}
	for _, part := range []string{"com.apple.mail.managed", "com.apple.caldav.account", "com.apple.carddav.account", "<integer>993</integer>", "&quot;phone&quot; &amp; &lt;co&gt;"} {
		if !bytes.Contains(signed.Content, []byte(part)) {
			t.Errorf("the profile lacks %s", part)
		}
	}
}

func (h *testHouse) invite(i register.Invitation) (code string) {
	h.t.Helper()
	i.Domain, i.Expires = "coop.example", h.clock.get().AddDate(0, 0, 7)
	i.Uses = max(i.Uses, 1)
	h.update(func(tx *storage.Tx) (err error) { code, err = register.Invite(tx, i, h.clock.get()); return err })
	return code
}

func TestJoiningByInvitation(t *testing.T) {
	h := house(t)
	link := "/join/" + h.invite(register.Invitation{Quota: 5 << 30})
	v := h.visitor()
	v.get("/join/nosuchcode").sees(422, "/join/nosuchcode", "not good any more")
	v.get(link).sees(200, link, "@coop.example")
	for _, c := range []struct{ local, password, says string }{
		{"bram", "short", "at least 10"}, {"bram", "bram@coop.example", "guessed first"}, {"bram", "aaaaaaaaaaaaaaa", "guessed first"},
		{"amelie", goodWord, "is taken"}, {"b ram", goodWord, "cannot be an address"}, {"", goodWord, "cannot be an address"},
	} {
		v.post(link, "local", c.local, "name", "Bram", "language", "nl", "password", c.password).sees(422, link, c.says)
	}
	v.post(link, "local", "bram", "name", "Bram <i>", "language", "nl", "password", goodWord).sees(200, link, "bram@coop.example")
	codes := regexp.MustCompile(`\b[a-z2-9]{5}-[a-z2-9]{5}\b`).FindAllString(v.body, -1)
	if len(codes) != 10 {
		t.Fatalf("recovery codes %q in\n%s", codes, v.body)
	}
	v.get("/").sees(200, "/", "Mijn account", "Bram &lt;i&gt;", "5,4 GB")
	h.visitor().get(link).sees(422, link)
	t.Run("recovery", func(t *testing.T) {
		lost := h.visitor()
		lost.post("/recover", "address", "bram@coop.example", "code", "aaaaa-aaaaa", "password", "another good one").sees(422, "/recover")
		lost.post("/recover", "address", "bram@coop.example", "code", codes[0], "password", "another good one").sees(200, "/signin", "The password is set")
		v.get("/").sees(200, "/signin") // the old session is over
		lost.post("/recover", "address", "bram@coop.example", "code", codes[0], "password", "a third good one").sees(422, "/recover")
		lost.post("/signin", "address", "bram@coop.example", "password", "another good one").sees(200, "/")
	})
}

func TestWaitingForApproval(t *testing.T) {
	h := house(t)
	link := "/join/" + h.invite(register.Invitation{Approve: true})
	v := h.visitor()
	v.post(link, "local", "chloe", "name", "Chloe", "password", goodWord).sees(200, link, "will confirm")
	v.get("/").sees(200, "/signin")
	v.post("/signin", "address", "chloe@coop.example", "password", goodWord).sees(422, "/signin", "not confirmed")
	h.update(func(tx *storage.Tx) error {
		a, err := accounts.Lookup(tx, "chloe@coop.example")
		if err != nil {
			return err
		}
		return people.Approve(tx, a.ID, people.Actor{}, h.clock.get())
	})
	v.post("/signin", "address", "chloe@coop.example", "password", goodWord).sees(200, "/")
}

func TestOneTimeCodesAtSignIn(t *testing.T) {
	h := house(t)
	v := h.amelie()
	v.get("/security/codes").sees(200, "/security/codes")
	secret := regexp.MustCompile(`class="secret">([A-Z2-7]+)<`).FindStringSubmatch(v.body)
	if secret == nil {
		t.Fatal(v.body)
	}
	code := func() string { return signin.CodeAt(secret[1], h.clock.get()) }
	v.post("/security/codes", "code", "000000").sees(422, "/security/codes", secret[1], "le plus récent")
	v.post("/security/codes", "code", code()).sees(200, "/security", "sont activés")
	fresh := h.visitor()
	fresh.post("/signin", "address", "amelie@coop.example", "password", goodWord, "to", "/settings").sees(200, "/signin/code")
	fresh.get("/").sees(200, "/signin")
	fresh.post("/signin/code", "code", code()).sees(422, "/signin/code") // it was used to switch them on
	h.clock.move(time.Minute)
	fresh.post("/signin/code", "code", code()).sees(200, "/settings")
	guesser := h.visitor()
	guesser.post("/signin", "address", "amelie@coop.example", "password", goodWord).sees(200, "/signin/code")
	for range halfTries {
		guesser.post("/signin/code", "code", "123456")
	}
	h.clock.move(time.Minute)
	guesser.post("/signin/code", "code", code()).sees(200, "/signin")
	h.clock.move(11 * time.Minute)
	v.post("/security/codes/remove").sees(200, "/prove")
	v.post("/prove", "password", goodWord, "code", code(), "to", "/security").sees(200, "/security")
	v.post("/security/codes/remove").sees(200, "/security", "sont désactivés")
	h.visitor().post("/signin", "address", "amelie@coop.example", "password", goodWord).sees(200, "/")
}

func TestChangingThePassword(t *testing.T) {
	h := house(t)
	v, elsewhere := h.amelie(), h.amelie()
	v.post("/security/password", "password", "wrong one here", "new", "another good one").sees(422, "/security/password")
	v.post("/security/password", "password", goodWord, "new", "short").sees(422, "/security/password")
	v.post("/security/password", "password", goodWord, "new", "another good one").sees(200, "/security", "Le mot de passe est changé")
	elsewhere.get("/").sees(200, "/signin")
	h.visitor().post("/signin", "address", "amelie@coop.example", "password", goodWord).sees(422, "/signin")
	third := h.visitor().post("/signin", "address", "amelie@coop.example", "password", "another good one").sees(200, "/")
	v.post("/security/sessions").sees(200, "/security")
	third.get("/").sees(200, "/signin")
}

func TestAddresses(t *testing.T) {
	h := house(t)
	v := h.amelie()
	v.post("/addresses", "local", "postmaster", "domain", "coop.example").sees(422, "/addresses", "déjà prise")
	v.post("/addresses", "local", "x", "domain", "evil.example").sees(422, "/addresses")
	for _, local := range []string{"a.dubois", "ad", "dubois", "potager", "velo"} {
		v.post("/addresses", "local", local, "domain", "coop.example").sees(200, "/addresses", local+"@coop.example")
	}
	v.post("/addresses", "local", "onemore", "domain", "coop.example").sees(422, "/addresses", "5 adresses")
	v.post("/addresses/remove", "address", "velo@coop.example").sees(200, "/addresses")
	v.post("/addresses/remove", "address", "amelie@coop.example").sees(422, "/addresses/remove", "ne peut pas")
	link := "/join/" + h.invite(register.Invitation{})
	b := h.visitor()
	b.post(link, "local", "bram", "name", "Bram", "password", goodWord)
	b.post("/addresses/remove", "address", "ad@coop.example")
	v.get("/addresses").sees(200, "/addresses", "ad@coop.example")
}

func TestHousehold(t *testing.T) {
	h := house(t)
	h.update(func(tx *storage.Tx) error {
		a, err := accounts.Lookup(tx, "amelie@coop.example")
		if err != nil {
			return err
		}
		r, err := register.Get(tx, a.Household)
		if err != nil {
			return err
		}
		r.Size = 2
		_, err = register.Put(tx, r)
		return err
	})
	v := h.amelie()
	v.get("/household").sees(200, "/household", "&#43;&#43;&#43;", "amelie@coop.example")
	v.post("/household/invite").sees(200, "/household/invite", "https://mail.coop.example/join/")
	link := regexp.MustCompile(`/join/[a-z2-9]+`).FindString(v.body)
	h.visitor().post(link, "local", "lotte", "name", "Lotte", "password", goodWord).sees(200, link)
	v.get("/household").sees(200, "/household", "lotte@coop.example", "autant de comptes")
	v.post("/household/invite").sees(422, "/household/invite")
}

func TestLeavingWithUndo(t *testing.T) {
	h := house(t)
	v := h.amelie()
	v.post("/leave").sees(422, "/leave", "administre")
	link := "/join/" + h.invite(register.Invitation{})
	b := h.visitor()
	b.post(link, "local", "bram", "name", "Bram", "language", "nl", "password", goodWord)
	b.post("/leave").sees(200, "/", "12 december 2026", "Ik blijf")
	b.post("/stay").sees(200, "/", "Fijn")
	b.get("/log").sees(200, "/log", "Toch gebleven", "Lid geworden")
}

func TestSettings(t *testing.T) {
	h := house(t)
	v := h.amelie()
	v.post("/settings", "name", "Amélie D.", "language", "nl").sees(200, "/settings", "Opgeslagen")
	h.update(func(tx *storage.Tx) error {
		a, err := accounts.Lookup(tx, "amelie@coop.example")
		if a.Name != "Amélie D." || a.Language != "nl" || !a.Hidden {
			t.Errorf("%+v", a)
		}
		return err
	})
	v.post("/settings", "name", strings.Repeat("x", 101)).sees(422, "/settings")
}

func TestWhatProgramsLookUp(t *testing.T) {
	h := house(t)
	v := h.visitor()
	v.get("/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=x%40coop.example").sees(200, "/.well-known/autoconfig/mail/config-v1.1.xml", "<hostname>mail.coop.example</hostname><port>993</port>")
	var any struct{ XMLName xml.Name }
	if err := xml.Unmarshal([]byte(v.body), &any); err != nil || any.XMLName.Local != "clientConfig" {
		t.Error(err, any)
	}
	v.get("/mail/config-v1.1.xml?emailaddress=x%40elsewhere.example").sees(404, "/mail/config-v1.1.xml")
	req, _ := http.NewRequest("POST", h.server.URL+"/autodiscover/autodiscover.xml",
		strings.NewReader(`<Autodiscover><Request><EMailAddress>a&amp;b@coop.example</EMailAddress></Request></Autodiscover>`))
	v.do(req).sees(200, "/autodiscover/autodiscover.xml", "<LoginName>a&amp;b@coop.example</LoginName>")
	req, _ = http.NewRequest("POST", h.server.URL+"/autodiscover/autodiscover.xml", strings.NewReader(`<!DOCTYPE x [<!ENTITY e "e">]><A>&e;`))
	v.do(req).sees(404, "/autodiscover/autodiscover.xml")
	ids := map[string]STS{}
	for mode, age := range map[STS]string{STSTesting: "604800", STSEnforce: "604800", STSNone: "86400"} {
		h.portal.STS = mode
		v.get("/.well-known/mta-sts.txt").sees(200, "/.well-known/mta-sts.txt", "version: STSv1\r\nmode: "+string(mode)+"\r\nmx: mail.coop.example\r\nmax_age: "+age+"\r\n")
		ids[mode.ID()] = mode
	}
	if len(ids) != 3 {
		t.Errorf("a change of policy is not announced: %v", ids)
	}
}

func TestGuessable(t *testing.T) {
	for _, p := range []string{"password123!", "motdepasse2026", "1234567890", "qwertyuiop", "abababababab", "amelie@coop.example", "coop.example", "Amelie2026"} {
		if !guessable(p, "amelie@coop.example") {
			t.Errorf("%s passes", p)
		}
	}
	for _, p := range []string{goodWord, "paard batterij nietje", "Tr0ub4dor&3xyz", "mon chat dort beaucoup"} {
		if guessable(p, "amelie@coop.example") {
			t.Errorf("%s is refused", p)
		}
	}
}

func TestWaitingIsBounded(t *testing.T) {
	var w waiting[int]
	now := time.Now()
	first, _ := w.keep("0", 0, now, time.Hour)
	for i := range maxWaiting {
		if _, err := w.keep(fmt.Sprint("owner ", i), i, now, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := w.look(first, now); ok || len(w.things) != maxWaiting {
		t.Errorf("%d wait, the first still: %v", len(w.things), ok)
	}
	last, _ := w.keep("1", 1, now, time.Minute)
	if _, ok := w.look(last, now.Add(2*time.Minute)); ok {
		t.Error("what is over is there")
	}
	if _, ok := w.take(last, now); !ok {
		t.Error("not there")
	}
	if _, ok := w.take(last, now); ok {
		t.Error("taken twice")
	}
}
