package portal

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

func sessionOf(t *testing.T, cookies []*http.Cookie) *http.Cookie {
	t.Helper()
	for _, c := range cookies {
		if c.Name == "__Host-essaim" {
			return c
		}
	}
	t.Fatalf("no session in %v", cookies)
	return nil
}

// A token is of the server's making, new at every sign-in and proof, and the
// one before is worth nothing.
func TestATokenIsNotFixed(t *testing.T) {
	h := house(t)
	in := func(cookies ...*http.Cookie) *http.Cookie {
		t.Helper()
		return sessionOf(t, h.from("192.0.2.1", "/signin", cookies, "address", "amelie@coop.example", "password", goodWord).Result().Cookies())
	}
	opens := func(c *http.Cookie) bool {
		w := h.from("192.0.2.1", "/security/sessions", []*http.Cookie{c}, "id", "none")
		return strings.HasPrefix(w.Header().Get("Location"), "/security")
	}
	planted := &http.Cookie{Name: "__Host-essaim", Value: "planted-by-somebody-else"}
	first := in(planted)
	if first.Value == planted.Value || opens(planted) || !opens(first) {
		t.Error("a planted token is one's session")
	}
	if !first.HttpOnly || !first.Secure || first.Path != "/" || first.Domain != "" || first.SameSite != http.SameSiteLaxMode || first.MaxAge != int(signin.Absolute/time.Second) {
		t.Errorf("cookie %+v", first)
	}
	second := in(first)
	if second.Value == first.Value || opens(first) || !opens(second) {
		t.Error("signing in again leaves the old session open")
	}
	third := sessionOf(t, h.from("192.0.2.1", "/prove", []*http.Cookie{second}, "password", goodWord).Result().Cookies())
	if opens(second) || !opens(third) {
		t.Error("a proof leaves the token as it was")
	}
	h.from("192.0.2.1", "/signout", []*http.Cookie{third})
	if opens(third) {
		t.Error("signing out leaves the session open")
	}
}

// An account that comes to wait, or to be deleted, between two pages.
func TestSessionsOfWhoIsNoMemberAnyMore(t *testing.T) {
	h := house(t)
	link := "/join/" + h.invite(register.Invitation{})
	v := h.visitor()
	v.post(link, "local", "bram", "name", "Bram", "password", goodWord)
	v.get("/").sees(200, "/")
	h.update(func(tx *storage.Tx) error {
		a, err := accounts.Lookup(tx, "bram@coop.example")
		if err != nil {
			return err
		}
		a.Waiting = true
		return accounts.Save(tx, a)
	})
	v.get("/").sees(200, "/signin")
}

// What changes how one gets in is in the member's own log and ends the other
// sessions.
func TestAMemberLearnsOfTheCooperativesRecovery(t *testing.T) {
	h := house(t)
	v := h.amelie()
	h.update(func(tx *storage.Tx) error {
		_, err := people.Recover(tx, 1, people.Actor{}, h.clock.get())
		return err
	})
	v.get("/").sees(200, "/signin")
	v.post("/signin", "address", "amelie@coop.example", "password", goodWord)
	v.get("/log").sees(200, "/log", "Un nouveau mot de passe a été permis", "par la coopérative")
	v.post("/security/password", "password", goodWord, "new", "another good one").sees(200, "/security")
	v.get("/log").sees(200, "/log", "Mot de passe changé")
	if err := h.db.View(audit.Verify); err != nil {
		t.Error(err)
	}
}
