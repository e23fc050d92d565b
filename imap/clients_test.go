package imap

import (
	"crypto/tls"
	"os/exec"
	"strings"
	"testing"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
)

// The client library of others understands what we say.
func TestGoIMAPClient(t *testing.T) {
	h := newHouse(t)
	exists := make(chan uint32, 10)
	c, err := imapclient.DialTLS(h.tls, &imapclient.Options{
		TLSConfig: &tls.Config{InsecureSkipVerify: true},
		UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				exists <- *d.NumMessages
			}
		}},
	})
	must(t, err)
	defer c.Close()
	must(t, c.Authenticate(sasl.NewPlainClient("", "zoe@coop.example", "secret")))
	boxes, err := c.List("", "*", &goimap.ListOptions{ReturnStatus: &goimap.StatusOptions{NumMessages: true}, ReturnSpecialUse: true}).Collect()
	must(t, err)
	special := ""
	for _, b := range boxes {
		if b.Status == nil || *b.Status.NumMessages != 0 {
			t.Errorf("%s: no status", b.Mailbox)
		}
		for _, a := range b.Attrs {
			special += " " + string(a)
		}
	}
	for _, want := range []string{`\Drafts`, `\Sent`, `\Junk`, `\Trash`, `\Archive`} {
		if !strings.Contains(special, want) {
			t.Error("no", want, "in", special)
		}
	}
	_, err = c.Enable(goimap.CapIMAP4rev2).Wait()
	must(t, err)
	must(t, c.Create("Été 🐝", nil).Wait())
	d, err := c.Select("Été 🐝", &goimap.SelectOptions{CondStore: true}).Wait()
	must(t, err)
	if d.HighestModSeq == 0 || d.UIDValidity == 0 || d.UIDNext != 1 {
		t.Errorf("%+v", d)
	}
	_, err = c.Select("INBOX", nil).Wait()
	must(t, err)
	for range 2 {
		idle, err := c.Idle()
		must(t, err)
		h.deliver(t, "INBOX", hello)
		select {
		case <-exists:
		case <-time.After(5 * time.Second):
			t.Fatal("no push")
		}
		must(t, idle.Close())
		must(t, idle.Wait())
	}
	fetched, err := c.Fetch(goimap.SeqSetNum(1, 2), &goimap.FetchOptions{
		UID: true, Flags: true, Envelope: true, InternalDate: true, RFC822Size: true, ModSeq: true,
		BodyStructure: &goimap.FetchItemBodyStructure{Extended: true}, BodySection: []*goimap.FetchItemBodySection{{Peek: true}},
	}).Collect()
	must(t, err)
	if len(fetched) != 2 || fetched[0].Envelope.Subject != "hello" || len(fetched[0].BodySection[0].Bytes) != int(fetched[0].RFC822Size) {
		t.Errorf("%+v", fetched)
	}
	found, err := c.UIDSearch(&goimap.SearchCriteria{Text: []string{"hello"}}, nil).Wait()
	must(t, err)
	if len(found.AllUIDs()) != 2 {
		t.Errorf("%+v", found)
	}
	must(t, c.Store(goimap.SeqSetNum(1), &goimap.StoreFlags{Op: goimap.StoreFlagsAdd, Flags: []goimap.Flag{goimap.FlagSeen}}, nil).Close())
	moved, err := c.Move(goimap.UIDSetNum(1), "Trash").Wait()
	must(t, err)
	if moved.UIDValidity == 0 {
		t.Errorf("%+v", moved)
	}
	must(t, c.Unselect().Wait())
	must(t, c.Logout().Wait())
}

func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl")
	}
	h := newHouse(t)
	for _, args := range [][]string{
		{"imaps://" + h.tls + "/", "-u", "zoe@coop.example:secret"},
		{"imap://" + h.addr + "/", "--ssl-reqd", "-u", "zoe@coop.example:secret"},
		{"imaps://" + h.tls + "/INBOX", "-X", "STATUS INBOX (MESSAGES)", "-u", "zoe@coop.example:secret"},
	} {
		out, err := exec.Command(curl, append([]string{"-sSk", "--max-time", "10"}, args...)...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "INBOX") {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
	if out, err := exec.Command(curl, "-sSk", "--max-time", "10", "imaps://"+h.tls+"/", "-u", "zoe@coop.example:wrong").CombinedOutput(); err == nil {
		t.Errorf("wrong password: %s", out)
	}
}
