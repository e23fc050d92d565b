package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/admin"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"

	"github.com/emersion/go-imap/v2/imapclient"
)

// A client is what programs of one person see, by IMAP and by DAV.
type client struct {
	t        *testing.T
	web, who string
	imap     *imapclient.Client
}

// clientOf connects a person's programs to an App.
func clientOf(t *testing.T, a *App, web, imap, who string) *client {
	t.Helper()
	if err := a.db.Update(func(tx *storage.Tx) error {
		m, err := accounts.Lookup(tx, who)
		if err == nil {
			_, err = accounts.SetAppPassword(tx, m.ID, "test", accounts.ScopeAll, testPassword, time.Now())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	c, err := imapclient.DialTLS(imap, &imapclient.Options{TLSConfig: &tls.Config{InsecureSkipVerify: true}})
	if err == nil {
		err = c.Login(who, testPassword).Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{t, web, who, c}
}

// serveIMAPS serves IMAP over TLS on a loopback port.
func serveIMAPS(t *testing.T, a *App) string {
	t.Helper()
	conf, err := a.tlsConfig()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, done := a.imapServer(conf), make(chan error, 1)
	go func() { done <- s.Serve(ln, true) }()
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err != nil {
			t.Log(err) // its context has ended: connections are cut
		}
		<-done
	})
	return ln.Addr().String()
}

func (c *client) mailboxes() (out []string) {
	c.t.Helper()
	list, err := c.imap.List("", "*", nil).Collect()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, l := range list {
		out = append(out, l.Mailbox)
	}
	return out
}

// dav asks for a path of one of the trees, below the person's own address.
func (c *client) dav(method, tree, path, body string) (int, string) {
	c.t.Helper()
	r, err := http.NewRequest(method, c.web+"/dav/"+tree+"/"+c.who+"/"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.SetBasicAuth(c.who, testPassword)
	r.Header.Set("Depth", "1")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// What an administrator makes for a group is in its members' programs, what is
// given to somebody else is in theirs, and what is taken is gone again.
func TestWhatThePageSharesIsInThePrograms(t *testing.T) {
	a := webApp(t, Config{Hostname: "mail.coop.example", PlainHTTP: true, TrustLocal: true})
	everybody(t, a)
	desk := a.desk()
	desk.Now = time.Now
	g, err := desk.AddGroup(t.Context(), people.Actor{}, admin.AddGroupIn{Address: "potager@coop.example", Name: "Potager"})
	if err == nil {
		_, err = desk.JoinGroup(t.Context(), people.Actor{}, admin.MembershipIn{ID: admin.ID{ID: g.ID}, Member: "member@coop.example"})
	}
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]admin.SharedID{}
	for kind, name := range map[string]string{"mailbox": "Commandes", "folder": "Plans", "calendar": "Arrosage", "addressbook": "Semences"} {
		s, err := desk.Share(t.Context(), people.Actor{}, admin.ShareIn{Group: g.ID, Kind: kind, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		made[kind] = admin.SharedID{Collection: s.Collection, Item: s.Item}
	}
	url, imap := serveWeb(t, a), serveIMAPS(t, a)
	inside, outside := clientOf(t, a, url, imap, "member@coop.example"), clientOf(t, a, url, imap, "another@coop.example")

	const box = "Shared/potager@coop.example/Commandes"
	sees := func(c *client, folder string) (out []string) {
		t.Helper()
		if slices.Contains(c.mailboxes(), box) {
			out = append(out, "mailbox")
		}
		for tree, want := range map[string]string{"calendars": "Potager: Arrosage", "addressbooks": "Potager: Semences"} {
			if status, body := c.dav("PROPFIND", tree, "", ""); status == http.StatusMultiStatus && strings.Contains(body, want) {
				out = append(out, tree)
			}
		}
		if status, _ := c.dav("PROPFIND", "files", folder, ""); status == http.StatusMultiStatus {
			out = append(out, "files")
		}
		slices.Sort(out)
		return out
	}
	all := []string{"addressbooks", "calendars", "files", "mailbox"}
	if got := sees(inside, "Potager/Plans/"); !slices.Equal(got, all) {
		t.Errorf("a member of the group sees %v", got)
	}
	if got := sees(outside, "Plans/"); len(got) != 0 {
		t.Errorf("somebody else sees %v", got)
	}
	if status, _ := inside.dav("PUT", "files", "Potager/Plans/a.txt", "a"); status != http.StatusCreated {
		t.Errorf("a member of the group writes: %d", status)
	}

	give := func(rights string) {
		t.Helper()
		for _, id := range made {
			if _, err := desk.GiveRights(t.Context(), people.Actor{}, admin.RightsIn{SharedID: id, Member: "another@coop.example", Rights: rights}); err != nil {
				t.Fatal(err)
			}
		}
	}
	calendar := fmt.Sprintf("~%d/", made["calendar"].Collection)
	const event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261128T120000Z\r\nDTSTART:20261201T120000Z\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	for _, c := range []struct {
		rights     string
		file, date int // what becomes of a PUT
		store      bool
	}{
		{"read", http.StatusForbidden, http.StatusForbidden, false},
		{"write", http.StatusCreated, http.StatusCreated, true},
		{"manage", http.StatusNoContent, http.StatusNoContent, true},
	} {
		give(c.rights)
		if got := sees(outside, "Plans/"); !slices.Equal(got, all) {
			t.Errorf("who may %s sees %v", c.rights, got)
		}
		file, _ := outside.dav("PUT", "files", "Plans/b.txt", "b")
		date, _ := outside.dav("PUT", "calendars", calendar+"1.ics", event)
		if file != c.file || date != c.date {
			t.Errorf("who may %s writes: %d and %d", c.rights, file, date)
		}
		w := outside.imap.Append(box, int64(len("Subject: x\r\n\r\n")), nil)
		_, _ = w.Write([]byte("Subject: x\r\n\r\n"))
		_ = w.Close() // what became of it is in Wait
		if _, err := w.Wait(); (err == nil) != c.store {
			t.Errorf("who may %s puts a message there: %v", c.rights, err)
		}
	}
	inOrder := func() {
		t.Helper()
		r, err := a.db.Check(t.Context(), storage.CheckOptions{Bodies: true, Hooks: checks})
		if err != nil || !r.Clean() {
			t.Errorf("%v %v", r.Problems, err)
		}
	}
	inOrder()
	give("none")
	if got := sees(outside, "Plans/"); len(got) != 0 {
		t.Errorf("what was taken away is still seen: %v", got)
	}
	for kind, id := range made {
		if _, err := desk.RemoveShared(t.Context(), people.Actor{}, admin.RemoveSharedIn{SharedID: id, Contents: true,
			Name: map[string]string{"mailbox": "Commandes", "folder": "Plans", "calendar": "Arrosage"}[kind]}); err != nil {
			t.Errorf("removing the %s: %v", kind, err)
		}
	}
	if got := sees(inside, "Potager/Plans/"); len(got) != 0 {
		t.Errorf("what was removed is still seen: %v", got)
	}
	inOrder()
}
