package main

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/signin"

	"github.com/emersion/go-imap/v2/imapclient"
)

// presence is a device of zoe's that is logged in at every door.
type presence struct {
	t          *testing.T
	pass, base string
	smtp       *smtp.Client
	idle       *imapclient.IdleCommand
	ended      chan struct{} // closed when the idling session is
}

func enter(t *testing.T, at map[string]string, base, pass string) *presence {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p := &presence{t: t, pass: pass, base: base, ended: make(chan struct{})}
	conf := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the throwaway certificate of this test
	conn, err := tls.Dial("tcp", at["submissions"], conf)
	must(err)
	t.Cleanup(func() { conn.Close() })
	p.smtp, err = smtp.NewClient(conn, "localhost")
	must(err)
	must(p.smtp.Auth(smtp.PlainAuth("", "zoe@coop.example", pass, "localhost")))
	c, err := imapclient.DialTLS(at["imaps"], &imapclient.Options{TLSConfig: conf})
	must(err)
	t.Cleanup(func() { c.Close() })
	must(c.Login("zoe@coop.example", pass).Wait())
	_, err = c.Select("INBOX", nil).Wait()
	must(err)
	p.idle, err = c.Idle()
	must(err)
	go func() { defer close(p.ended); _ = p.idle.Wait() }()
	return p
}

// dav is the answer to a request whose name and password were asked before.
func (p *presence) dav() int {
	p.t.Helper()
	status, _ := ask(p.t, "PROPFIND", p.base+"/dav/files/zoe@coop.example/", p.pass, whoAmI)
	return status
}

// reads fails unless the device can still read.
func (p *presence) reads(when string) {
	p.t.Helper()
	if status := p.dav(); status != http.StatusMultiStatus {
		p.t.Errorf("%s: DAV answers %d", when, status)
	}
	select {
	case <-p.ended:
		p.t.Errorf("%s: the idling session has ended", when)
	default:
	}
}

// isOut fails unless every door has closed behind the device.
func (p *presence) isOut(when string) {
	p.t.Helper()
	if status := p.dav(); status != http.StatusUnauthorized {
		p.t.Errorf("%s: DAV answers %d", when, status)
	}
	if err := p.smtp.Mail("zoe@coop.example"); err == nil || !strings.HasPrefix(err.Error(), "421") {
		p.t.Errorf("%s: MAIL is answered %v", when, err)
	}
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		p.t.Errorf("%s: the idling session goes on", when)
	}
}

// What is open when a member is suspended, a device taken away or an account
// deleted: the first cannot send any more, the others are out at every door.
func TestOpenSessionsEndWithWhatOpenedThem(t *testing.T) {
	a := builtApp(t)
	zoe, ids := addMember(t, a, "zoe@coop.example", map[string]accounts.Scope{"phone": accounts.ScopeAll, "laptop": accounts.ScopeAll})
	at, base, now := doors(t, a, "submissions", "imaps"), serveWeb(t, a), time.Now()
	update := func(fn func(*storage.Tx) error) {
		t.Helper()
		if err := a.db.Update(fn); err != nil {
			t.Fatal(err)
		}
	}
	session := ""
	update(func(tx *storage.Tx) (err error) { session, err = signin.Begin(tx, zoe, "", now); return err })
	phone, laptop := enter(t, at, base, "phone"), enter(t, at, base, "laptop")

	update(func(tx *storage.Tx) error { return people.Suspend(tx, zoe, people.Actor{}, now) })
	phone.reads("suspended")
	if err := phone.smtp.Mail("zoe@coop.example"); err == nil || !strings.HasPrefix(err.Error(), "550") {
		t.Errorf("suspended: MAIL is answered %v", err)
	}
	update(func(tx *storage.Tx) error { return people.Resume(tx, zoe, people.Actor{}, now) })

	update(func(tx *storage.Tx) error { return accounts.Revoke(tx, zoe, ids["phone"]) })
	phone.isOut("taken away")
	laptop.reads("another is taken away")
	if got := visitWith(t, base, session); got != http.StatusOK {
		t.Errorf("a device is taken away: the web answers %d", got)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the first commit is made, the rest is still to be taken apart
	_ = people.Delete(ctx, a.db, zoe, people.Actor{}, now)
	laptop.isOut("being deleted")
	if got := visitWith(t, base, session); got != http.StatusSeeOther {
		t.Errorf("being deleted: the web answers %d", got)
	}
}

// visitWith asks for the first page with a session's cookie.
func visitWith(t *testing.T, base, session string) int {
	t.Helper()
	r, err := http.NewRequest("GET", base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "essaim", Value: session})
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
