package main

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/signin"
)

// Every route there is, as everybody there is: what is written here is the
// policy, and a route that answers otherwise, or a new one that does not say
// who may come, fails.
func TestAccessMatrix(t *testing.T) {
	a := webApp(t, Config{Hostname: "mail.coop.example"})
	m, err := a.pages(&tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := m.Handler()
	people := everybody(t, a)
	visited := 0
	for _, r := range m.Routes() {
		pattern := strings.ReplaceAll(r.Pattern, "{$}", "")
		method, path, _ := strings.Cut(regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(pattern, "x"), " ")
		for _, who := range []string{"nobody", "ex-member", "member", "proved member", "administrator", "proved administrator"} {
			w := visit(h, method, path, session(t, a, people, who))
			if got, want := outcome(w), policy(r.Access, who); got != want {
				t.Errorf("%s as %s: %s (%d), want %s", r.Pattern, who, got, w.Code, want)
			}
			visited++
		}
	}
	if visited < 400 {
		t.Errorf("only %d visits", visited)
	}
}

// policy is who may come where.
func policy(a page.Access, who string) string {
	signedIn := who != "nobody" && who != "ex-member"
	switch {
	case a == page.Anyone || signedIn && a == page.Member:
		return "in"
	case !signedIn:
		return "sign in"
	case a == page.Admin && !strings.Contains(who, "administrator"):
		return "forbidden"
	case !strings.Contains(who, "proved"):
		return "prove"
	}
	return "in"
}

func outcome(w *httptest.ResponseRecorder) string {
	to := w.Header().Get("Location")
	switch {
	case w.Code == http.StatusSeeOther && strings.HasPrefix(to, "/signin?to="):
		return "sign in"
	case w.Code == http.StatusSeeOther && strings.HasPrefix(to, "/prove?to="):
		return "prove"
	case w.Code == http.StatusUnauthorized && strings.Contains(w.Body.String(), "by /signin"):
		return "sign in"
	case w.Code == http.StatusUnauthorized && strings.Contains(w.Body.String(), "by /prove"):
		return "prove"
	case w.Code == http.StatusForbidden:
		return "forbidden"
	case w.Code >= 500:
		return "broken"
	}
	return "in"
}

// everybody makes a member and administrators.
func everybody(t *testing.T, a *App) map[string]storage.AccountID {
	t.Helper()
	people := map[string]storage.AccountID{}
	if err := a.db.Update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, "coop.example", ""); err != nil {
			return err
		}
		for name, admin := range map[string]bool{"member": false, "administrator": true, "another": true} {
			m, err := join(tx, accounts.NewAccount{Address: name + "@coop.example", Admin: admin}, time.Now())
			if err != nil {
				return err
			}
			people[name] = m.ID
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return people
}

// session opens one for a visit, as some visits end them all: proved just now,
// or an hour ago.
func session(t *testing.T, a *App, people map[string]storage.AccountID, who string) (token string) {
	t.Helper()
	id, at := people[strings.TrimPrefix(who, "proved ")], time.Now()
	if id == 0 {
		return map[string]string{"ex-member": "gone"}[who]
	}
	if !strings.HasPrefix(who, "proved") {
		at = at.Add(-time.Hour)
	}
	if err := a.db.Update(func(tx *storage.Tx) (err error) { token, err = signin.Begin(tx, id, "", at); return err }); err != nil {
		t.Fatal(err)
	}
	return token
}

func visit(h http.Handler, method, path, token string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://mail.coop.example"+path, nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if token != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-essaim", Value: token})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
