package portal

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/signin"
)

// from sends a form from an address, as a browser with the cookies given.
func (h *testHouse) from(addr, path string, cookies []*http.Cookie, fields ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r := httptest.NewRequest("POST", "https://mail.coop.example"+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = addr + ":4321"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	h.server.Config.Handler.ServeHTTP(w, r)
	return w
}

func (h *testHouse) guess(addr, name, password string) int {
	return h.from(addr, "/signin", nil, "address", name, "password", password).Code
}

// An account has one name to the gate, however it is written.
func TestGuessingUnderManySpellings(t *testing.T) {
	h := house(t)
	for i := range 15 {
		name := []string{"amelie@coop.example", "Amelie@COOP.example", "amelie@coop.example.", "amelie@ｃoop.example"}[i%4]
		if code := h.guess("192.0.2.1", name, fmt.Sprint("guess number ", i)); i >= 12 && code != http.StatusUnprocessableEntity {
			t.Fatal(code)
		}
	}
	if w := h.from("192.0.2.1", "/signin", nil, "address", "amelie@coop.example.", "password", goodWord); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "wait a little") {
		t.Errorf("after 15 guesses under four spellings: %d", w.Code)
	}
}

// Whoever guesses from one address or from a hundred is slowed down, and
// amelie gets in from a place of her own at the first try.
func TestGuessingDoesNotLockOutTheMember(t *testing.T) {
	for name, addresses := range map[string]int{"one": 1, "many": 120} {
		t.Run(name, func(t *testing.T) {
			h, looked := house(t), 0
			for i := range 140 {
				w := h.from(fmt.Sprintf("192.0.%d.%d", 2+i%addresses, 1), "/signin", nil, "address", "amelie@coop.example", "password", fmt.Sprint("guess number ", i))
				if !strings.Contains(w.Body.String(), "wait a little") {
					looked++
				}
			}
			if most := map[string]int{"one": 10, "many": 120}[name]; looked > most {
				t.Errorf("%d guesses were looked at, at most %d should be", looked, most)
			}
			if code := h.guess("198.51.100.7", "amelie@coop.example", goodWord); code != http.StatusSeeOther {
				t.Errorf("amelie, from elsewhere: %d", code)
			}
		})
	}
}

// codesOn switches one-time codes on and returns their secret.
func (h *testHouse) codesOn() string {
	h.t.Helper()
	var secret string
	h.update(func(tx *storage.Tx) error {
		uri, err := signin.BeginCodes(tx, 1, "x", "y")
		if err != nil {
			return err
		}
		u, err := url.Parse(uri)
		if err != nil {
			return err
		}
		secret = u.Query().Get("secret")
		return signin.ConfirmCodes(tx, 1, signin.CodeAt(secret, h.clock.get()), h.clock.get())
	})
	return secret
}

// A thief who has the password cannot try one code after the other by giving
// the password again.
func TestKnowingThePasswordDoesNotOpenTheCodesToGuessing(t *testing.T) {
	for name, next := range map[string]func(int) string{
		"other codes":  func(i int) string { return fmt.Sprintf("%06d", i) },
		"the same one": func(int) string { return "123456" },
	} {
		t.Run(name, func(t *testing.T) {
			h := house(t)
			h.codesOn()
			looked := 0
			for range 12 {
				w := h.from("192.0.2.1", "/signin", nil, "address", "amelie@coop.example", "password", goodWord)
				if w.Code != http.StatusSeeOther {
					break
				}
				for range halfTries {
					looked++
					w := h.from("192.0.2.1", "/signin/code", w.Result().Cookies(), "code", next(looked))
					if w.Code == http.StatusSeeOther || strings.Contains(w.Body.String(), "wait a little") {
						looked--
						break
					}
				}
			}
			if looked > 10 {
				t.Errorf("%d codes were looked at", looked)
			}
		})
	}
}

// What fails under no name at all is counted apart from passwords: ten wrong
// passwords of a neighbour leave invitations and passkeys open.
func TestWrongPasswordsDoNotCloseInvitations(t *testing.T) {
	h := house(t)
	for i := range 10 {
		h.guess("192.0.2.1", "nobody@coop.example", fmt.Sprint("guess number ", i))
	}
	for i := range 120 { // others elsewhere guess links
		h.from(fmt.Sprintf("198.51.%d.1", i), "/join/guess"+fmt.Sprint(i), nil)
	}
	if w := h.from("192.0.2.1", "/join/mistyped", nil); !strings.Contains(w.Body.String(), "not good any more") {
		t.Errorf("%d: %s", w.Code, regexp.MustCompile(`role="alert">[^<]*`).FindString(w.Body.String()))
	}
}

// Somebody who begins ceremonies by the thousand ends their own, not others'.
func TestCeremoniesOfOthersAreLeftAlone(t *testing.T) {
	h := house(t)
	mine := regexp.MustCompile(`"rite":"([^"]+)"`).FindStringSubmatch(h.from("198.51.100.7", "/passkey/ask", nil).Body.String())
	for range maxWaiting + 10 {
		h.from("192.0.2.1", "/passkey/ask", nil)
	}
	h.portal.mu.Lock()
	_, there := h.portal.rites.look(mine[1], h.clock.get())
	n := len(h.portal.rites.things)
	h.portal.mu.Unlock()
	if !there || n > 100 {
		t.Errorf("mine is there: %v; %d are kept", there, n)
	}
	h.clock.move(riteTime + time.Second)
	h.from("198.51.100.7", "/passkey/ask", nil)
	h.portal.mu.Lock()
	defer h.portal.mu.Unlock()
	if n := len(h.portal.rites.things); n != 1 {
		t.Errorf("%d are kept after their time", n)
	}
}

// A password that is changed ends what the old one has begun.
func TestAChangedPasswordEndsAHalfSignIn(t *testing.T) {
	h := house(t)
	secret := h.codesOn()
	v := h.visitor()
	h.clock.move(time.Minute)
	thief := h.from("192.0.2.1", "/signin", nil, "address", "amelie@coop.example", "password", goodWord).Result().Cookies()
	v.post("/signin", "address", "amelie@coop.example", "password", goodWord).sees(200, "/signin/code")
	v.post("/signin/code", "code", signin.CodeAt(secret, h.clock.get())).sees(200, "/")
	v.post("/security/password", "password", goodWord, "new", "another good one").sees(200, "/security")
	h.clock.move(time.Minute)
	if w := h.from("192.0.2.1", "/signin/code", thief, "code", signin.CodeAt(secret, h.clock.get())); w.Header().Get("Location") != "/signin" {
		t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
	}
}
