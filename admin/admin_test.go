package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/trace"
	"essaim.coop/essaim/internal/zone"
	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/register"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

type dnsTable map[string][]string

func (t dnsTable) Lookup(_ context.Context, name, kind string) ([]string, error) {
	return t[name+" "+kind], nil
}

type testDesk struct {
	t     testing.TB
	desk  *Desk
	h     http.Handler
	amy   storage.AccountID // the administrator
	bram  storage.AccountID
	woken int
}

// office has the administrator amy and the member bram. A request comes from
// whom its cookie names.
func office(t testing.TB) *testDesk {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.View(audit.Verify); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	o := &testDesk{t: t}
	ring := trace.NewRing("smtp")
	ring.New("192.0.2.1").Event("rejected", "to", "bram@coop.example")
	o.desk = &Desk{DB: db, Logger: slog.New(slog.DiscardHandler), Origin: "https://mail.coop.example", Now: func() time.Time { return start },
		Wake: func() { o.woken++ }, Traces: ring.Recent,
		Health: func(context.Context) []Health {
			return []Health{{What: "disk", State: Well, Bytes: 12e9, Percent: 30}, {What: "queue", State: Look, Seconds: 3 * 3600}, {What: "store", State: Well}, {What: "backup", State: Look}}
		},
		Site: func(domain string) zone.Site {
			return zone.Site{Domain: domain, Host: "mail." + domain, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Authority: "ca.example", PolicyID: "1"}
		},
		Backups:  &fakeBackups{},
		Done:     func(string) []Health { return []Health{{What: "domain", State: Well, Value: "coop.example"}} },
		Outbound: func(context.Context, zone.Resolver) error { return errors.New("connection timed out") },
		Resolver: func() (zone.Resolver, error) {
			return dnsTable{"coop.example MX": {"10 mail.coop.example."}, "mail.coop.example A": {"192.0.2.9"}}, nil
		}}
	room, err := o.desk.Room()
	if err != nil {
		t.Fatal(err)
	}
	m := &page.Router{Logger: slog.New(slog.DiscardHandler), SignIn: "/signin", Prove: "/prove", Coop: func(context.Context) string { return "Voisins" },
		Identify: func(_ *http.Request, token string) (page.Identity, error) {
			who := map[string]page.Identity{"amy": {Account: uint32(o.amy), Name: "Amy", Admin: true, Proved: true}, "bram": {Account: uint32(o.bram), Name: "Bram", Proved: true}}
			return who[token], nil
		}}
	m.Layout()
	m.Add(room)
	o.h = m.Handler()
	o.update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		if err := register.SetCoop(tx, register.Coop{Name: "Voisins", Domain: "coop.example", Quota: 5e9}); err != nil {
			return err
		}
		a, err := people.Join(tx, accounts.NewAccount{Address: "amy@coop.example", Name: "Amy", Admin: true}, people.Actor{}, start)
		if err != nil {
			return err
		}
		b, err := people.Join(tx, accounts.NewAccount{Address: "bram@coop.example", Name: "Bram <b>", Subscriber: true}, people.Actor{}, start)
		o.amy, o.bram = a.ID, b.ID
		return err
	})
	return o
}

func (o *testDesk) update(fn func(*storage.Tx) error) {
	o.t.Helper()
	if err := o.desk.DB.Update(fn); err != nil {
		o.t.Fatal(err)
	}
}

func (o *testDesk) ask(who, method, path, kind string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://mail.coop.example"+path, body)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.AddCookie(&http.Cookie{Name: "essaim", Value: who})
	w := httptest.NewRecorder()
	o.h.ServeHTTP(w, r)
	return w
}

func (o *testDesk) get(path string) string {
	o.t.Helper()
	w := o.ask("amy", "GET", path, "", nil)
	if w.Code != 200 {
		o.t.Fatalf("%s: %d\n%s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

// post sends a form, which must lead on, and returns where to.
func (o *testDesk) post(path string, fields ...string) string {
	o.t.Helper()
	w := o.form(path, fields...)
	if w.Code != 303 {
		o.t.Fatalf("%s %q: %d\n%s", path, fields, w.Code, w.Body)
	}
	return w.Header().Get("Location")
}

func (o *testDesk) form(path string, fields ...string) *httptest.ResponseRecorder {
	v := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		v.Add(fields[i], fields[i+1])
	}
	return o.ask("amy", "POST", path, "application/x-www-form-urlencoded", strings.NewReader(v.Encode()))
}

func TestEveryPageIsForAdministratorsAndShows(t *testing.T) {
	o := office(t)
	paths := strings.NewReplacer("{id}", fmt.Sprint(o.bram), "{name}", "coop.example")
	for _, r := range append(o.desk.pageRoutes(), o.desk.apiRoutes()...) {
		method, path, _ := strings.Cut(paths.Replace(r.Pattern), " ")
		if r.Access != page.Admin {
			t.Errorf("%s is for %s", r.Pattern, r.Access)
		}
		for who, want := range map[string]int{"": 303, "bram": 403} {
			if r.Program && who == "" {
				want = 401
			}
			if w := o.ask(who, method, path, "", nil); w.Code != want {
				t.Errorf("%s as %q: %d, want %d", r.Pattern, who, w.Code, want)
			}
		}
		if method == "GET" && !strings.Contains(path, "/households/") && !strings.Contains(path, "/api/households/") && !strings.Contains(path, "{collection}") {
			body := o.get(path)
			if regexp.MustCompile(`\[[a-z]+\.[a-z.]+\]`).MatchString(body) || strings.Contains(body, "Bram <b>") && !strings.HasPrefix(path, "/api/") && !strings.HasSuffix(path, ".csv") {
				t.Errorf("%s lacks a word or an escape:\n%s", path, body)
			}
		}
	}
}

func TestPersonByForms(t *testing.T) {
	o := office(t)
	path := fmt.Sprintf("/admin/people/%d", o.bram)
	o.post(path, "name", "Bram P.", "cooperator", "yes")
	o.post(path+"/suspend", "to", "suspended")
	o.post(path+"/addresses", "address", "bp@coop.example")
	p, err := o.desk.Person(t.Context(), people.Actor{}, ID{uint32(o.bram)})
	if err != nil || p.Name != "Bram P." || !p.Cooperator || p.Subscriber || !p.Suspended || len(p.Addresses) != 2 {
		t.Errorf("%+v %v", p, err)
	}
	o.post(path+"/suspend", "to", "active")
	o.post(path+"/addresses", "do", "remove", "address", "bp@coop.example")
	if w := o.form(path+"/addresses", "address", "amy@coop.example"); w.Code != 422 {
		t.Errorf("somebody else's address: %d", w.Code)
	}
	if w := o.form(path+"/addresses", "do", "remove", "address", "amy@coop.example"); w.Code != 404 {
		t.Errorf("taking somebody else's address away: %d", w.Code)
	}
	w := o.form(path + "/recovery")
	if n := len(regexp.MustCompile(`\b[a-z2-9]{5}-[a-z2-9]{5}\b`).FindAllString(w.Body.String(), -1)); w.Code != 200 || n != 10 {
		t.Errorf("%d, %d codes\n%s", w.Code, n, w.Body)
	}
	if w := o.form(path+"/delete", "address", "amy@coop.example"); w.Code != 422 {
		t.Errorf("deleted by a slip: %d", w.Code)
	}
	if w := o.form(fmt.Sprintf("/admin/people/%d/delete", o.amy), "address", "amy@coop.example"); w.Code != 422 {
		t.Errorf("deleting an administrator: %d", w.Code)
	}
	o.post(path+"/delete", "address", "Bram@coop.example")
	if w := o.ask("amy", "GET", path, "", nil); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
	log := o.get("/admin/log")
	for _, did := range []string{"Sending suspended", "Sending allowed again", "Address added", "Address removed", "A new password was allowed", "Account changed", "Account deleted"} {
		if !strings.Contains(log, did) {
			t.Errorf("the log lacks %s", did)
		}
	}
	if w := o.form(fmt.Sprintf("/admin/people/%d", o.amy), "name", "Amy"); w.Code != 422 {
		t.Errorf("the last administrator stepped back: %d", w.Code)
	}
}

func TestInvitingAndApproving(t *testing.T) {
	o := office(t)
	w := o.form("/admin/invitations", "note", "the Martins", "domain", "coop.example", "language", "nl", "quota", "2,5", "size", "3", "uses", "1", "days", "7", "approve", "yes")
	link := regexp.MustCompile(`https://mail\.coop\.example/join/([a-z2-9]+)`).FindStringSubmatch(w.Body.String())
	if w.Code != 200 || link == nil {
		t.Fatalf("%d\n%s", w.Code, w.Body)
	}
	if body := o.get("/admin/invitations"); strings.Contains(body, link[1]) || !strings.Contains(body, "the Martins") {
		t.Error("the code is shown again, or the invitation is not")
	}
	var chloe accounts.Account
	o.update(func(tx *storage.Tx) (err error) {
		chloe, err = people.Accept(tx, people.Acceptance{Code: link[1], Local: "chloe", Name: "Chloe"}, people.Actor{}, start)
		return err
	})
	if body := o.get("/admin"); !strings.Contains(body, "1 account waits") || !strings.Contains(body, "No household is late") || !strings.Contains(body, "12 GB (30%)") || !strings.Contains(body, "backup: not yet") {
		t.Error(body)
	}
	o.post(fmt.Sprintf("/admin/people/%d/approve", chloe.ID))
	if w := o.form(fmt.Sprintf("/admin/people/%d/approve", chloe.ID)); w.Code != 422 {
		t.Errorf("approved twice: %d", w.Code)
	}
	for _, bad := range [][]string{{"domain", "evil.example", "quota", "1", "size", "1", "uses", "1", "days", "1"}, {"domain", "coop.example", "quota", "-1", "size", "1", "uses", "1", "days", "1"},
		{"domain", "coop.example", "quota", "1", "size", "1", "uses", "x", "days", "1"}, {"domain", "coop.example", "quota", "1", "size", "1", "uses", "1", "days", "4000"}} {
		if w := o.form("/admin/invitations", bad...); w.Code != 422 {
			t.Errorf("%q: %d", bad, w.Code)
		}
	}
	i, err := o.desk.Invite(t.Context(), people.Actor{}, InviteIn{})
	if err != nil || i.Quota != 5e9 || i.Domain != "coop.example" {
		t.Errorf("%+v %v", i, err)
	}
	o.post("/admin/invitations/withdraw", "id", i.ID)
	if w := o.form("/admin/invitations/withdraw", "id", i.ID); w.Code != 404 {
		t.Errorf("withdrawn twice: %d", w.Code)
	}
}

func TestHouseholdsAndPayments(t *testing.T) {
	o := office(t)
	p, _ := o.desk.Person(t.Context(), people.Actor{}, ID{uint32(o.bram)})
	path := fmt.Sprintf("/admin/households/%d", p.Household)
	o.post(path, "name", "Peeters", "paid", "2026-10-31", "quota", "10", "size", "4", "note", "=cmd()")
	if body := o.get("/admin/households?late=yes"); !strings.Contains(body, "Peeters") || strings.Contains(body, "amy@") {
		t.Error(body)
	}
	h, err := o.desk.Household(t.Context(), people.Actor{}, ID{p.Household})
	if err != nil || !h.Late || h.Quota != 10e9 || h.Size != 4 {
		t.Errorf("%+v %v", h, err)
	}
	if w := o.form(path, "name", "x", "paid", "tomorrow", "quota", "1", "size", "1"); w.Code != 422 {
		t.Errorf("%d", w.Code)
	}
	if w := o.ask("amy", "GET", "/admin/households/999", "", nil); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
	table := o.get("/admin/households.csv")
	if !strings.Contains(table, "'=cmd()") || !strings.Contains(table, "Peeters,bram@coop.example") {
		t.Error(table)
	}
	send := func(list string) *httptest.ResponseRecorder {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		f, _ := m.CreateFormFile("file", "list.csv")
		_, _ = io.WriteString(f, list)
		m.Close()
		return o.ask("amy", "POST", "/admin/payments", m.FormDataContentType(), &b)
	}
	if w := send("reference,paid_until\n" + h.Reference + ",31/12/2027\n"); w.Code != 303 {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	if w := send("reference,paid_until\n" + h.Reference + ",never\n"); w.Code != 422 || !strings.Contains(w.Body.String(), "line 2") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	if w := send(strings.Repeat("x", 2<<20)); w.Code != 413 {
		t.Errorf("two megabytes of payments: %d", w.Code)
	}
	if h, _ = o.desk.Household(t.Context(), people.Actor{}, ID{p.Household}); h.Late || h.Paid.Year() != 2027 {
		t.Errorf("%+v", h)
	}
}

func TestGroupsDomainsQueueTraces(t *testing.T) {
	o := office(t)
	o.post("/admin/groups", "name", "Potager", "address", "potager@coop.example", "forward", "yes")
	groups, err := o.desk.Groups(t.Context(), people.Actor{}, From{})
	if err != nil || len(groups) != 1 || !groups[0].Forward {
		t.Fatalf("%+v %v", groups, err)
	}
	path := fmt.Sprintf("/admin/groups/%d", groups[0].ID)
	o.post(path+"/members", "member", "bram@coop.example")
	o.post(path+"/members", "member", "friend@elsewhere.example")
	o.post(path+"/members", "do", "remove", "member", "friend@elsewhere.example")
	if body := o.get("/admin/groups"); !strings.Contains(body, "bram@coop.example") || strings.Contains(body, "friend@") {
		t.Error(body)
	}
	if w := o.form(fmt.Sprintf("/admin/groups/%d/delete", o.bram)); w.Code != 404 {
		t.Errorf("deleting a person as a group: %d", w.Code)
	}
	o.post(path + "/delete")

	o.post("/admin/domains", "name", "Andere.Example", "aliasof", "coop.example")
	if w := o.form("/admin/domains/remove", "name", "coop.example"); w.Code != 422 {
		t.Errorf("a domain with addresses: %d", w.Code)
	}
	if body := o.get("/admin/domains/coop.example?check=yes"); !strings.Contains(body, "192.0.2.9") || !strings.Contains(body, `class="good"`) || !strings.Contains(body, "_dmarc.coop.example") {
		t.Error(body)
	}
	for _, query := range []string{"", "?check=yes"} {
		if w := o.ask("amy", "GET", "/admin/domains/evil.example"+query, "", nil); w.Code != 404 {
			t.Errorf("another's domain%s: %d", query, w.Code)
		}
	}
	o.post("/admin/domains/remove", "name", "andere.example")

	id := o.enqueue("x@far.example", start)
	if body := o.get("/admin/queue"); !strings.Contains(body, "x@far.example") || !strings.Contains(body, "no route") || strings.Contains(body, "secret") {
		t.Error(body)
	}
	o.post("/admin/queue", "id", fmt.Sprint(id), "do", "hold")
	o.post("/admin/queue", "id", fmt.Sprint(id), "do", "retry")
	if o.woken != 1 {
		t.Errorf("the queue was woken %d times", o.woken)
	}
	o.post("/admin/queue", "id", fmt.Sprint(id), "do", "drop")
	if w := o.form("/admin/queue", "id", fmt.Sprint(id), "do", "drop"); w.Code != 404 {
		t.Errorf("dropped twice: %d", w.Code)
	}
	if body := o.get("/admin/traces?q=BRAM%40"); !strings.Contains(body, "rejected") {
		t.Error(body)
	}
	if body := o.get("/admin/traces?q=nobody"); strings.Contains(body, "rejected") {
		t.Error(body)
	}
}

// enqueue puts a message for elsewhere into the queue.
func (o *testDesk) enqueue(to string, at time.Time) (id uint64) {
	o.t.Helper()
	w := o.desk.DB.Stage()
	_, _ = w.Write([]byte("Subject: secret\r\n\r\nbody"))
	staged, err := w.Finish()
	if err != nil {
		o.t.Fatal(err)
	}
	o.update(func(tx *storage.Tx) (err error) {
		id, err = queue.Put(tx, queue.Entry{Domain: "far.example", Sender: "bram@coop.example", Recipients: []queue.Recipient{{Addr: to}}, Blob: tx.Attach(staged), Created: at, LastError: "no route"}, at)
		return err
	})
	return id
}

func (o *testDesk) api(method, path, body string) (int, map[string]any) {
	o.t.Helper()
	var in io.Reader
	if body == "chunked" { // its length is not told, and there is nothing in it
		in = io.MultiReader()
	} else if body != "" {
		in = strings.NewReader(body)
	}
	w := o.ask("amy", method, path, "application/json", in)
	var out map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &out)
	return w.Code, out
}

func TestAPI(t *testing.T) {
	o := office(t)
	path := fmt.Sprintf("/api/people/%d", o.bram)
	for _, c := range []struct {
		method, path, body string
		status             int
		field              string
		want               any
	}{
		{"GET", path, "", 200, "address", "bram@coop.example"},
		{"PATCH", path, `{"suspended":true}`, 200, "suspended", true},
		{"PATCH", path, `{"suspended":"yes"}`, 422, "status", 422.0},
		{"PATCH", path, `{"id":1}`, 422, "status", 422.0},
		{"PATCH", path, `{} {}`, 422, "status", 422.0},
		{"PATCH", path, `{"password":"x"}`, 422, "status", 422.0},
		{"GET", "/api/people/0", "", 404, "status", 404.0},
		{"GET", "/api/people/x", "", 422, "status", 422.0},
		{"POST", path + "/addresses", `{"address":"amy@coop.example"}`, 409, "title", "Conflict"},
		{"POST", path + "/addresses", `{"address":"b@coop.example"}`, 204, "", nil},
		{"DELETE", path + "/addresses?address=b%40coop.example", "", 204, "", nil},
		{"POST", "/api/groups", `{"address":"g@coop.example","name":"G"}`, 200, "address", "g@coop.example"},
		{"PUT", "/api/coop", `{"name":"Voisins","domain":"evil.example"}`, 422, "status", 422.0},
		{"GET", "/api/overview", "", 200, "members", 2.0},
		{"DELETE", path, "", 422, "status", 422.0},
		{"POST", path + "/recovery", "chunked", 200, "", nil},
		{"DELETE", path + "?address=bram%40coop.example", "", 204, "", nil},
		{"GET", "/api/nothing", "", 404, "", nil},
	} {
		status, out := o.api(c.method, c.path, c.body)
		if status != c.status || c.field != "" && out[c.field] != c.want {
			t.Errorf("%s %s %s: %d %v, want %d %v", c.method, c.path, c.body, status, out, c.status, c.want)
		}
	}
	r := httptest.NewRequest("PATCH", "https://mail.coop.example/api/people/1", strings.NewReader(`{"admin":false}`))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.AddCookie(&http.Cookie{Name: "essaim", Value: "amy"})
	w := httptest.NewRecorder()
	if o.h.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("from another site: %d", w.Code)
	}
}

func TestDescriptionNamesEveryOperation(t *testing.T) {
	o := office(t)
	_, doc := o.api("GET", "/api/openapi.json", "")
	paths := doc["paths"].(map[string]any)
	n := 0
	for _, p := range paths {
		n += len(p.(map[string]any))
	}
	if n != len(o.desk.operations()) {
		t.Errorf("%d operations are described of %d", n, len(o.desk.operations()))
	}
	patch := paths["/api/people/{id}"].(map[string]any)["patch"].(map[string]any)
	if b, _ := json.Marshal(patch); !bytes.Contains(b, []byte(`"suspended":{"type":"boolean"}`)) || !bytes.Contains(b, []byte(`"in":"path"`)) {
		t.Errorf("%s", b)
	}
}
