package portal

import (
	"errors"
	"html/template"
	"net/url"
	"strings"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/signin"
)

type securityData struct {
	Sessions []sessionRow
	This     string
	Codes    bool
	Recovery int
	Passkeys []passkeyRow
	Fresh    []string // recovery codes just made
}

type sessionRow struct {
	signin.Session
	Browser string
}

// browser makes of what a browser calls itself what people call it.
func browser(agent string) string {
	name, system := "", ""
	for _, k := range [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS", "Firefox"}, {"CriOS", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(agent, k[0]) {
			name = k[1]
			break
		}
	}
	for _, k := range [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Macintosh", "Mac"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, k[0]) {
			system = k[1]
			break
		}
	}
	if name == "" || system == "" {
		return agent
	}
	return name + ", " + system
}

type passkeyRow struct {
	signin.Passkey
	Key string // its ID, for the form
}

func (p *Portal) securityData(x *page.Request) (d securityData, err error) {
	err = p.DB.View(func(tx *storage.Tx) error {
		s, _, err := signin.Resume(tx, x.Who.Token, p.Now())
		if err != nil {
			return err
		}
		d.This = s.ID
		for _, o := range signin.Sessions(tx, me(x), p.Now()) {
			d.Sessions = append(d.Sessions, sessionRow{o, browser(o.Agent)})
		}
		d.Codes, d.Recovery = signin.HasCodes(tx, me(x)), signin.RecoveryCodesLeft(tx, me(x))
		for _, k := range signin.Passkeys(tx, me(x)) {
			d.Passkeys = append(d.Passkeys, passkeyRow{k, keyText(k.ID)})
		}
		return nil
	})
	return d, err
}

func (p *Portal) securityPage(x *page.Request) error {
	d, err := p.securityData(x)
	if err != nil {
		return err
	}
	return x.Page("security", "security.title", d)
}

// changePassword changes the main password and ends every other session.
// Devices keep theirs: nothing stops working.
func (p *Portal) changePassword(x *page.Request) error {
	d, err := p.securityData(x)
	if err != nil {
		return err
	}
	var a accounts.Account
	if err := p.DB.View(func(tx *storage.Tx) (err error) { a, err = accounts.Get(tx, me(x)); return err }); err != nil {
		return err
	}
	fresh := x.R.PostFormValue("new")
	if err := goodPassword(fresh, a.Address); err != nil {
		return x.Again("security", "security.title", d, err)
	}
	if _, err := p.password(x, a.Address, x.R.PostFormValue("password")); err != nil {
		return x.Again("security", "security.title", d, err)
	}
	set, err := p.Auth.HashMainPassword(x.R.Context(), fresh)
	if err != nil {
		return err
	}
	if err := p.change(x, "password.change", func(tx *storage.Tx) error {
		signin.EndOthers(tx, a.ID, x.Who.Token)
		return set(tx, a.ID)
	}); err != nil {
		return err
	}
	p.forgetHalves(a.ID)
	return p.proved(x, "/security?done=password")
}

// change runs a member's change to their own sign-in and notes it.
func (p *Portal) change(x *page.Request, did string, fn func(tx *storage.Tx) error) error {
	now := p.Now()
	return p.DB.Update(func(tx *storage.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, By: me(x), About: me(x), Did: did, Client: client(x).String()})
	})
}

func (p *Portal) endSession(x *page.Request) error {
	err := p.change(x, "session.end", func(tx *storage.Tx) error {
		if id := x.Form("id"); id != "" {
			return signin.End(tx, me(x), id)
		}
		signin.EndOthers(tx, me(x), x.Who.Token)
		return nil
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	x.Redirect("/security?done=sessions")
	return nil
}

// codesPage begins one-time codes: the secret as a picture for the app.
func (p *Portal) codesPage(x *page.Request) error {
	var uri string
	name := p.CoopName(x.R.Context())
	err := p.DB.Update(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, me(x))
		if err == nil {
			uri, err = signin.BeginCodes(tx, a.ID, name, a.Address)
		}
		return err
	})
	if errors.Is(err, storage.ErrConflict) {
		x.Redirect("/security")
		return nil
	}
	if err != nil {
		return err
	}
	d, err := codesData(uri)
	if err != nil {
		return err
	}
	return x.Page("codes", "codes.title", d)
}

func codesData(uri string) (map[string]any, error) {
	picture, err := qrPicture(uri)
	u, bad := url.Parse(uri)
	if err = errors.Join(err, bad); err != nil {
		return nil, err
	}
	return map[string]any{"QR": picture, "Secret": u.Query().Get("secret"), "URI": template.URL(uri)}, nil //nolint:gosec // otpauth, made by us
}

func (p *Portal) confirmCodes(x *page.Request) error {
	now := p.Now()
	err := p.change(x, "codes.begin", func(tx *storage.Tx) error { return signin.ConfirmCodes(tx, me(x), x.Form("code"), now) })
	switch {
	case errors.Is(err, signin.ErrCode):
		return p.codesAgain(x, page.Problem{Word: "codes.wrong", Err: err})
	case errors.Is(err, storage.ErrNotFound): // another tab switched them off
		x.Redirect("/security/codes")
		return nil
	}
	if err != nil {
		return err
	}
	x.Redirect("/security?done=codes")
	return nil
}

// codesAgain shows the same picture again: the app has it already.
func (p *Portal) codesAgain(x *page.Request, why error) error {
	var uri string
	name := p.CoopName(x.R.Context())
	err := p.DB.View(func(tx *storage.Tx) error {
		a, err := accounts.Get(tx, me(x))
		if err == nil {
			uri, err = signin.PendingCodes(tx, a.ID, name, a.Address)
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) { // they are on: the code was sent twice
		x.Redirect("/security")
		return nil
	}
	if err != nil {
		return err
	}
	d, err := codesData(uri)
	if err != nil {
		return err
	}
	return x.Again("codes", "codes.title", d, why)
}

func (p *Portal) removeCodes(x *page.Request) error {
	if err := p.change(x, "codes.end", func(tx *storage.Tx) error { signin.RemoveTOTP(tx, me(x)); return nil }); err != nil {
		return err
	}
	x.Redirect("/security?done=nocodes")
	return nil
}

// renewRecovery makes new recovery codes and shows them once.
func (p *Portal) renewRecovery(x *page.Request) error {
	var codes []string
	err := p.change(x, "recovery.renew", func(tx *storage.Tx) (err error) {
		codes, err = signin.NewRecoveryCodes(tx, me(x))
		return err
	})
	if err != nil {
		return err
	}
	d, err := p.securityData(x)
	if err != nil {
		return err
	}
	d.Fresh = codes
	return x.Page("security", "security.title", d)
}
