package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/signin"
)

// A half is somebody who gave the right password and still owes a code.
type half struct {
	account storage.AccountID
	address string
	to      string
	tries   int
}

const (
	halfTime  = 10 * time.Minute
	halfTries = 5
)

// The cookie that carries a half between two pages.
const halfCookie = "essaim-half"

type signinForm struct{ Address, To string }

func (p *Portal) signinPage(x *page.Request) error {
	to := page.BackPath(x.R.URL.Query().Get("to"))
	if x.Who.Account != 0 {
		x.Redirect(to)
		return nil
	}
	return x.Page("signin", "signin.title", signinForm{To: to})
}

func (p *Portal) signin(x *page.Request) error {
	form := signinForm{x.Form("address"), page.BackPath(x.Form("to"))}
	a, err := p.password(x, form.Address, x.R.PostFormValue("password"))
	if err != nil {
		return x.Again("signin", "signin.title", form, err)
	}
	codes := false
	if err := p.DB.View(func(tx *storage.Tx) error { codes = signin.HasCodes(tx, a.ID); return nil }); err != nil {
		return err
	}
	if !codes {
		p.Gate.Succeeded(client(x), gateName(form.Address))
		return p.enter(x, a.ID, form.To)
	}
	p.mu.Lock()
	token, err := p.halves.keep(ownerOf(a.ID), half{a.ID, a.Address, form.To, 0}, p.Now(), halfTime)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	x.SetCookie(&http.Cookie{Name: halfCookie, Value: token, Path: "/signin", MaxAge: int(halfTime / time.Second), SameSite: http.SameSiteStrictMode})
	x.Redirect("/signin/code")
	return nil
}

// password checks the main password, slowed by the gate. That somebody got in
// is the caller's to tell the gate: where a code is owed, they have not yet.
func (p *Portal) password(x *page.Request, address, password string) (accounts.Account, error) {
	if p.slow(x, address) {
		return accounts.Account{}, slowed
	}
	if len(password) > maxPassword {
		return accounts.Account{}, page.Problem{Word: "signin.wrong"}
	}
	a, err := p.Auth.CheckMainPassword(x.R.Context(), address, password)
	switch {
	case errors.Is(err, sasl.ErrCredentials):
		p.guessed(x, address, password)
		return a, page.Problem{Word: "signin.wrong"}
	case errors.Is(err, storage.ErrTemporary):
		return a, page.Problem{Word: "signin.busy", Err: err}
	case err != nil:
		return a, err
	case a.Waiting:
		return a, page.Problem{Word: "signin.waiting"}
	}
	return a, nil
}

func (p *Portal) half(x *page.Request) (token string, h half, ok bool) {
	c, err := x.R.Cookie(halfCookie)
	if err != nil {
		return "", h, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok = p.halves.look(c.Value, p.Now())
	return c.Value, h, ok
}

func (p *Portal) codePage(x *page.Request) error {
	if _, _, ok := p.half(x); !ok {
		x.Redirect("/signin")
		return nil
	}
	return x.Page("code", "code.title", nil)
}

func (p *Portal) code(x *page.Request) error {
	token, h, ok := p.half(x)
	if !ok {
		x.Redirect("/signin")
		return nil
	}
	if p.slow(x, h.address) {
		return x.Again("code", "code.title", nil, slowed)
	}
	err := p.useCode(h.account, x.Form("code"))
	if errors.Is(err, signin.ErrCode) {
		p.guessedCode(x, h.address, x.Form("code"))
		p.countTry(token)
		return x.Again("code", "code.title", nil, page.Problem{Word: "code.wrong"})
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	_, ok = p.halves.take(token, p.Now())
	p.mu.Unlock()
	if !ok { // another request was faster
		x.Redirect("/signin")
		return nil
	}
	p.Gate.Succeeded(client(x), gateName(h.address))
	return p.enter(x, h.account, h.to)
}

func (p *Portal) useCode(a storage.AccountID, code string) error {
	now := p.Now()
	return p.DB.Update(func(tx *storage.Tx) error { return signin.UseCode(tx, a, code, now) })
}

// ownerOf is whose the things are that wait for an account's next request.
func ownerOf(a storage.AccountID) string { return strconv.FormatUint(uint64(a), 10) }

// forgetHalves ends what was begun with a password that is not good any more.
func (p *Portal) forgetHalves(a storage.AccountID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.halves.drop(func(k kept[half]) bool { return k.thing.account == a })
}

// countTry ends a half after a few wrong codes.
func (p *Portal) countTry(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.halves.things[token]
	if !ok {
		return
	}
	if k.thing.tries++; k.thing.tries >= halfTries {
		delete(p.halves.things, token)
		return
	}
	p.halves.things[token] = k
}

// enter opens a session and leads on.
func (p *Portal) enter(x *page.Request, a storage.AccountID, to string) error {
	now := p.Now()
	var token string
	err := p.DB.Update(func(tx *storage.Tx) (err error) {
		if err := mayEnter(tx, a); err != nil {
			return err
		}
		endSession(tx, x.Who.Token, now)
		if token, err = signin.Begin(tx, a, x.R.UserAgent(), now); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, By: a, About: a, Did: "signin", Client: client(x).String()})
	})
	if err != nil {
		return err
	}
	x.SetSession(token, signin.Absolute)
	x.Redirect(to)
	return nil
}

// mayEnter looks once more, as an account can have gone between two pages.
func mayEnter(tx *storage.Tx, id storage.AccountID) error {
	switch a, err := accounts.Get(tx, id); {
	case errors.Is(err, storage.ErrNotFound):
		return page.Problem{Word: "signin.wrong", Err: err}
	case err != nil:
		return err
	case a.Waiting, a.Group:
		return page.Problem{Word: "signin.waiting"}
	}
	return nil
}

// endSession ends the session of a token, if there is one.
func endSession(tx *storage.Tx, token string, now time.Time) {
	if s, _, err := signin.Resume(tx, token, now); err == nil {
		_ = signin.End(tx, s.Account, s.ID) // it was there a moment ago
	}
}

func (p *Portal) signout(x *page.Request) error {
	if x.Who.Token != "" {
		now := p.Now()
		if err := p.DB.Update(func(tx *storage.Tx) error { endSession(tx, x.Who.Token, now); return nil }); err != nil {
			return err
		}
	}
	x.SetSession("", 0)
	x.Redirect("/signin")
	return nil
}

type proveForm struct {
	To   string
	Code bool // codes are on: one is as good as the password
}

func (p *Portal) proveForm(x *page.Request, to string) (f proveForm, err error) {
	f.To = page.BackPath(to)
	err = p.DB.View(func(tx *storage.Tx) error { f.Code = signin.HasCodes(tx, me(x)); return nil })
	return f, err
}

func (p *Portal) provePage(x *page.Request) error {
	form, err := p.proveForm(x, x.R.URL.Query().Get("to"))
	if err != nil {
		return err
	}
	return x.Page("prove", "prove.title", form)
}

// prove asks again for the password before what matters, and gives the session
// a new token.
func (p *Portal) prove(x *page.Request) error {
	form, err := p.proveForm(x, x.Form("to"))
	if err != nil {
		return err
	}
	var a accounts.Account
	if err := p.DB.View(func(tx *storage.Tx) (err error) { a, err = accounts.Get(tx, me(x)); return err }); err != nil {
		return err
	}
	if _, err := p.password(x, a.Address, x.R.PostFormValue("password")); err != nil {
		return x.Again("prove", "prove.title", form, err)
	}
	if form.Code {
		if err := p.useCode(a.ID, x.Form("code")); errors.Is(err, signin.ErrCode) {
			p.guessedCode(x, a.Address, x.Form("code"))
			return x.Again("prove", "prove.title", form, page.Problem{Word: "code.wrong"})
		} else if err != nil {
			return err
		}
	}
	p.Gate.Succeeded(client(x), gateName(a.Address))
	return p.proved(x, form.To)
}

func (p *Portal) proved(x *page.Request, to string) error {
	now := p.Now()
	var token string
	err := p.DB.Update(func(tx *storage.Tx) (err error) { token, err = signin.Prove(tx, x.Who.Token, now); return err })
	if err != nil {
		return err
	}
	x.SetSession(token, signin.Absolute)
	x.Redirect(to)
	return nil
}

func (p *Portal) recoverPage(x *page.Request) error {
	return x.Page("recover", "recover.title", signinForm{})
}

// recover sets a new password against a recovery code. Whoever has no code
// left asks a person at the cooperative.
func (p *Portal) recover(x *page.Request) error {
	form := signinForm{Address: x.Form("address")}
	password := x.R.PostFormValue("password")
	if err := goodPassword(password, form.Address); err != nil {
		return x.Again("recover", "recover.title", form, err)
	}
	if p.slow(x, form.Address) {
		return x.Again("recover", "recover.title", form, slowed)
	}
	set, err := p.Auth.HashMainPassword(x.R.Context(), password)
	if err != nil {
		return err
	}
	now := p.Now()
	var a accounts.Account
	err = p.DB.Update(func(tx *storage.Tx) (err error) {
		if a, err = accounts.Lookup(tx, form.Address); err != nil {
			return signin.ErrCode // nobody learns which of the two was wrong
		}
		if err := signin.UseRecovery(tx, a.ID, x.Form("code")); err != nil {
			return err
		}
		signin.EndOthers(tx, a.ID, "")
		if err := set(tx, a.ID); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, By: a.ID, About: a.ID, Did: "password.recover", Client: client(x).String()})
	})
	if errors.Is(err, signin.ErrCode) {
		p.guessedCode(x, form.Address, x.Form("code"))
		return x.Again("recover", "recover.title", form, page.Problem{Word: "recover.wrong"})
	}
	if err != nil {
		return err
	}
	p.forgetHalves(a.ID)
	x.Redirect("/signin?done=recovered&to=" + url.QueryEscape("/security"))
	return nil
}

// Bounds of the main password, in characters and bytes.
const (
	leastPassword = 10
	maxPassword   = 1000
)

// goodPassword refuses what is guessed first. It asks for no mixture of signs:
// length is what counts.
func goodPassword(password, address string) error {
	switch {
	case utf8.RuneCountInString(password) < leastPassword:
		return page.Problem{Word: "password.short", Args: []any{leastPassword}}
	case len(password) > maxPassword || !utf8.ValidString(password):
		return page.Problem{Word: "password.long"}
	case guessable(password, address):
		return page.Problem{Word: "password.easy"}
	}
	return nil
}
