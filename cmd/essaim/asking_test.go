package main

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/signin"
)

// askedHouse has amelie, with a password, a device and recovery codes.
func askedHouse(t *testing.T) (a *App, pages http.Handler) {
	t.Helper()
	a = webApp(t, Config{Hostname: "mail.coop.example"})
	set, err := a.auth.HashMainPassword(t.Context(), browserWord)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := addMember(t, a, "amelie@coop.example", map[string]accounts.Scope{"phone": accounts.ScopeAll})
	if err := a.db.Update(func(tx *storage.Tx) error {
		_, err := signin.NewRecoveryCodes(tx, id)
		if err == nil {
			err = set(tx, id)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	m, err := a.pages(&tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return a, m.Handler()
}

// sendForm sends a form as a browser with a cookie does.
func sendForm(h http.Handler, path, cookie string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "https://mail.coop.example"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-essaim", Value: cookie})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The pages that a stranger can fill in answer alike, whoever is asked for.
func TestAnswersDoNotTellWhoThereIs(t *testing.T) {
	_, h := askedHouse(t)
	for path, form := range map[string]url.Values{
		"/signin":  {"password": {"not the four words"}},
		"/recover": {"password": {"four other words here"}, "code": {"aaaaa-bbbbb"}},
	} {
		answers := map[string]bool{}
		for _, name := range []string{"amelie", "nobody"} {
			form.Set("address", name+"@coop.example")
			w := sendForm(h, path, "", form)
			if w.Code != http.StatusUnprocessableEntity || len(w.Result().Cookies()) != 0 {
				t.Errorf("%s as %s: %d", path, name, w.Code)
			}
			answers[strings.ReplaceAll(w.Body.String(), name+"@", "@")] = true
		}
		if len(answers) != 1 {
			t.Errorf("%s tells: %v", path, answers)
		}
	}
}

// A session that somebody else has put into a browser is not the one that the
// sign-in makes, and the way back leads nowhere else.
func TestSignInMakesASessionOfItsOwn(t *testing.T) {
	a, h := askedHouse(t)
	planted := ""
	mallory, _ := addMember(t, a, "mallory@coop.example", nil)
	if err := a.db.Update(func(tx *storage.Tx) (err error) {
		planted, err = signin.Begin(tx, mallory, "", time.Now())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, cookie := range []string{planted, strings.Repeat("A", 43)} {
		w := sendForm(h, "/signin", cookie, url.Values{"address": {"amelie@coop.example"}, "password": {browserWord}, "to": {"//evil.example/"}})
		got := w.Result().Cookies()
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" || len(got) != 1 || got[0].Value == cookie || len(got[0].Value) < 43 {
			t.Fatalf("%d to %q with %v", w.Code, w.Header().Get("Location"), got)
		}
		if w := visit(h, "GET", "/", got[0].Value); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "amelie@coop.example") {
			t.Errorf("the new session opens %d", w.Code)
		}
		if w := visit(h, "GET", "/", cookie); strings.Contains(w.Body.String(), "amelie@coop.example") {
			t.Error("the planted session is amelie's now")
		}
	}
}

// What a request calls the host is in no page, no link and no redirect.
func TestHostOfTheRequestIsNowhere(t *testing.T) {
	a := webApp(t, Config{Hostname: "mail.coop.example"})
	m, err := a.pages(&tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h, people, visited := m.Handler(), plant(t, a), 0
	for _, route := range m.Routes() {
		method, path, _ := strings.Cut(route.Pattern, " ")
		for brace, id := range people {
			path = strings.ReplaceAll(path, brace, id)
		}
		r := httptest.NewRequest(method, "https://mail.coop.example"+strings.TrimSuffix(path, "{$}"), nil)
		r.Host = "evil.example"
		r.Header.Set("X-Forwarded-Host", "evil.example")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.AddCookie(&http.Cookie{Name: "__Host-essaim", Value: people["session"]})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "evil.example") || strings.Contains(w.Header().Get("Location"), "evil") {
			t.Errorf("%s: %d to %q\n%s", route.Pattern, w.Code, w.Header().Get("Location"), w.Body)
		}
		visited++
	}
	if visited < 60 {
		t.Errorf("only %d visits", visited)
	}
}
