// Package portal is the members' web pages: joining by invitation, signing in,
// connecting devices, addresses, the household, leaving.
//
// What it promises: a member can do all of it on a phone, in their language,
// and without a script where a form is enough (passkeys need one). The main
// password is asked for here and nowhere else; a device gets a password of its
// own that can be taken back. Whatever a form did is on stable storage before
// the next page shows. Guessing is slowed by address and by account, and what
// a wrong password is answered with does not tell whether the account exists.
//
// Public beside the pages are what mail programs look up by themselves:
// Thunderbird's autoconfig and Outlook's autodiscover, Apple's configuration
// profiles (behind a link that works for a quarter of an hour), and the
// MTA-STS policy (RFC 8461 §3.2).
//
// Natural places: webmail, files, calendar pages, polls and the transparency
// page come as further files with their own routes.
package portal

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

// A Portal serves the members' pages. Set the fields, then call New.
type Portal struct {
	DB          *storage.DB
	Auth        *accounts.Service
	Gate        *web.Gate
	Logger      *slog.Logger
	Origin      string // https://mail.coop.example, with the port when it is an unusual one
	Services    Services
	STS         STS                              // what others are told of encryption on the way here
	Certificate func() (*tls.Certificate, error) // signs profiles; nil leaves them unsigned
	Now         func() time.Time

	set      *page.Set
	passkeys relyingParty

	mu      sync.Mutex
	halves  waiting[half]    // signed in with a password, a code to come
	devices waiting[newborn] // new devices whose password can still be fetched
	rites   waiting[rite]    // passkey ceremonies under way
}

// Services are where the protocols answer, for programs that look it up.
type Services struct {
	Host                                 string
	IMAPS, IMAP, Submissions, Submission int
}

//go:embed pages
var pages embed.FS

// Room returns the portal's pages for a router.
func (p *Portal) Room() (page.Room, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	folder, err := fs.Sub(pages, "pages")
	if err != nil {
		return page.Room{}, err
	}
	if p.set, err = page.New(folder, words); err != nil {
		return page.Room{}, err
	}
	if err := p.passkeys.begin(p.Origin); err != nil {
		return page.Room{}, err
	}
	return page.Room{Set: p.set, Nav: nav, Routes: p.routes()}, nil
}

func nav(who page.Identity) []page.Link {
	if who.Account == 0 {
		return nil
	}
	links := []page.Link{{Path: "/", Word: "home.title"}, {Path: "/devices", Word: "devices.title"}, {Path: "/addresses", Word: "addresses.title"},
		{Path: "/household", Word: "household.title"}, {Path: "/security", Word: "security.title"}, {Path: "/settings", Word: "settings.title"}}
	if who.Admin {
		links = append(links, page.Link{Path: "/admin", Word: "nav.admin"})
	}
	return links
}

func (p *Portal) routes() []page.Route {
	const any, member, proved = page.Anyone, page.Member, page.Proved
	return []page.Route{
		{Pattern: "GET /{$}", Access: member, Do: p.home},
		{Pattern: "GET /signin", Access: any, Do: p.signinPage},
		{Pattern: "POST /signin", Access: any, Do: p.signin},
		{Pattern: "GET /signin/code", Access: any, Do: p.codePage},
		{Pattern: "POST /signin/code", Access: any, Do: p.code},
		{Pattern: "POST /signout", Access: any, Do: p.signout},
		{Pattern: "GET /prove", Access: member, Do: p.provePage},
		{Pattern: "POST /prove", Access: member, Do: p.prove},
		{Pattern: "GET /recover", Access: any, Do: p.recoverPage},
		{Pattern: "POST /recover", Access: any, Do: p.recover},
		{Pattern: "GET /join/{code}", Access: any, Do: p.joinPage},
		{Pattern: "POST /join/{code}", Access: any, Do: p.join},
		{Pattern: "GET /devices", Access: member, Do: p.devicesPage},
		{Pattern: "POST /devices", Access: proved, Do: p.addDevice},
		{Pattern: "POST /devices/revoke", Access: member, Do: p.revokeDevice},
		{Pattern: "GET /device/{token}", Access: any, Do: p.devicePage},
		{Pattern: "GET /device/{token}/essaim.mobileconfig", Access: any, Do: p.profile},
		{Pattern: "GET /addresses", Access: member, Do: p.addressesPage},
		{Pattern: "POST /addresses", Access: member, Do: p.addAddress},
		{Pattern: "POST /addresses/remove", Access: member, Do: p.removeAddress},
		{Pattern: "GET /household", Access: member, Do: p.householdPage},
		{Pattern: "POST /household/invite", Access: member, Do: p.inviteHome},
		{Pattern: "GET /security", Access: member, Do: p.securityPage},
		{Pattern: "POST /security/password", Access: member, Do: p.changePassword},
		{Pattern: "POST /security/sessions", Access: member, Do: p.endSession},
		{Pattern: "GET /security/codes", Access: proved, Do: p.codesPage},
		{Pattern: "POST /security/codes", Access: proved, Do: p.confirmCodes},
		{Pattern: "POST /security/codes/remove", Access: proved, Do: p.removeCodes},
		{Pattern: "POST /security/recovery", Access: proved, Do: p.renewRecovery},
		{Pattern: "POST /security/passkeys/remove", Access: proved, Do: p.removePasskey},
		{Pattern: "POST /passkey/new", Access: proved, Do: p.passkeyNew},
		{Pattern: "POST /passkey/keep", Access: proved, Do: p.passkeyKeep},
		{Pattern: "POST /passkey/ask", Access: any, Do: p.passkeyAsk},
		{Pattern: "POST /passkey/enter", Access: any, Do: p.passkeyEnter},
		{Pattern: "GET /settings", Access: member, Do: p.settingsPage},
		{Pattern: "POST /settings", Access: member, Do: p.settings},
		{Pattern: "POST /leave", Access: proved, Do: p.leave},
		{Pattern: "POST /stay", Access: member, Do: p.stay},
		{Pattern: "GET /log", Access: member, Do: p.logPage},
		{Pattern: "GET /.well-known/autoconfig/mail/config-v1.1.xml", Access: any, Do: p.autoconfig},
		{Pattern: "GET /mail/config-v1.1.xml", Access: any, Do: p.autoconfig},
		{Pattern: "POST /autodiscover/autodiscover.xml", Access: any, Do: p.autodiscover},
		{Pattern: "GET /.well-known/mta-sts.txt", Access: any, Do: p.mtaSTS},
	}
}

// Identify tells a router who a session's token belongs to.
func (p *Portal) Identify(_ *http.Request, token string) (who page.Identity, err error) {
	now, stale := p.Now(), false
	err = p.DB.View(func(tx *storage.Tx) error {
		s, old, err := signin.Resume(tx, token, now)
		if err != nil {
			return err
		}
		a, err := accounts.Get(tx, s.Account)
		if err != nil {
			return err
		}
		if a.Waiting || a.Group {
			return signin.ErrNoSession
		}
		stale = old
		who = page.Identity{Account: uint32(a.ID), Name: nameOf(a), Lang: a.Language, Admin: a.Admin, Proved: s.Fresh(now), Token: token}
		return nil
	})
	switch {
	case errors.Is(err, signin.ErrNoSession), errors.Is(err, storage.ErrNotFound):
		return page.Identity{}, nil
	case err != nil:
		return page.Identity{}, err
	}
	if stale {
		err = p.DB.Update(func(tx *storage.Tx) error { return signin.Touch(tx, token, now) })
		if errors.Is(err, storage.ErrFull) || errors.Is(err, storage.ErrTemporary) {
			err = nil // a full disk does not keep anybody from looking
		}
	}
	return who, err
}

// CoopName tells a router the cooperative's name.
func (p *Portal) CoopName(context.Context) string {
	var c register.Coop
	_ = p.DB.View(func(tx *storage.Tx) (err error) { c, err = register.TheCoop(tx); return err })
	return c.Name
}

func nameOf(a accounts.Account) string {
	if a.Name != "" {
		return a.Name
	}
	return a.Address
}

func me(x *page.Request) storage.AccountID { return storage.AccountID(x.Who.Account) }

// actor is who is behind a request, for the audit log.
func actor(x *page.Request) people.Actor {
	return people.Actor{Account: me(x), Client: client(x).String()}
}

func client(x *page.Request) netip.Addr { return web.Client(x.R) }

// What is guessed under no member's name is counted under these, which no
// address can be.
const (
	guessedLink    = "a link"
	guessedPasskey = "a passkey"
)

// gateName is what an account is called where guesses are counted: the same
// for every spelling of its address.
func gateName(address string) string {
	if name, err := accounts.Normalize(address); err == nil {
		return name
	}
	return address
}

// slow reports whether a client has guessed too often as a name.
func (p *Portal) slow(x *page.Request, name string) bool {
	return p.Gate.Wait(client(x), gateName(name)) > 0
}

// guessed notes a wrong secret of a member, or of nobody.
func (p *Portal) guessed(x *page.Request, name, secret string) {
	p.Gate.Failed(client(x), gateName(name), secret)
}

// guessedCode notes a wrong code. Unlike the same wrong password, the same
// wrong code again is a guess again: the right one changes.
func (p *Portal) guessedCode(x *page.Request, name, code string) {
	p.guessed(x, name, code+" "+rand.Text())
}

// slowed is the problem of who has guessed too often.
var slowed = page.Problem{Word: "wrong.slow"}
