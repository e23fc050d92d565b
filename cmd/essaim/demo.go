package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"essaim.coop/essaim/dav/caldav"
	"essaim.coop/essaim/dav/carddav"
	"essaim.coop/essaim/dav/webfs"
	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/register"
)

// demoCmd runs a demo cooperative. Its flags and demo.env are a fixed contract:
// tests and benchmarks hold the whole program by it.
type demoCmd struct {
	Members   int               `default:"3" help:"Members user1 … userN."`
	Domain    string            `default:"coop.example" help:"The cooperative's domain."`
	Password  string            `default:"essaim-demo" help:"App password of every member."`
	BasePort  int               `default:"20000" help:"Each service listens on this plus its well-known port."`
	NoSamples bool              `help:"No named members with sample mail."`
	Keep      bool              `help:"Open the data directory again instead of starting afresh."`
	PlainHTTP bool              `name:"plain-http" help:"Serve HTTP without TLS."`
	Route     map[string]string `help:"host:port for the mail of single domains." placeholder:"DOMAIN=HOST:PORT"`
}

func (d *demoCmd) Run(e *env) error {
	dir := e.data
	if dir == "" {
		tmp, err := os.MkdirTemp("", "essaim-demo-")
		if err != nil {
			return err
		}
		dir = tmp
	}
	if err := d.prepare(dir); err != nil {
		return err
	}
	cfg := d.config(dir)
	a, err := openApp(cfg, newLogger(e.errout))
	if err != nil {
		return err
	}
	if err := d.populate(e.ctx, a); err != nil {
		a.Close()
		return err
	}
	return a.run(e.ctx, func() error {
		if err := d.writeEnv(dir); err != nil {
			return err
		}
		d.explain(e, dir)
		return nil
	})
}

// prepare empties a directory that an earlier demo left, unless it is to be
// kept. Any other directory with something in it is refused.
func (d *demoCmd) prepare(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "tls"), 0o700); err != nil {
		return err
	}
	mark := filepath.Join(dir, "demo")
	if d.Keep {
		_ = os.Remove(filepath.Join(dir, "demo.env"))
	} else if _, err := os.Stat(mark); err == nil {
		if err := removeContents(dir); err != nil {
			return err
		}
	} else if _, err := os.Stat(filepath.Join(dir, "store")); err == nil {
		return fmt.Errorf("%s holds a store that is not a demo's: choose another directory", dir)
	}
	if err := os.MkdirAll(filepath.Join(dir, "tls"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(mark, []byte("This directory is a demo; the next demo started on it empties it.\n"), 0o600)
}

func removeContents(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := os.RemoveAll(filepath.Join(dir, n.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (d *demoCmd) addr(port int) []string {
	return []string{net.JoinHostPort("127.0.0.1", fmt.Sprint(d.BasePort+port))}
}

func (d *demoCmd) config(dir string) Config {
	c := defaultConfig()
	c.Hostname, c.Data, c.TrustLocal = "localhost", dir, true
	c.Routes = d.Route
	c.MetricsAddr = ""
	c.Listen = Listen{
		SMTP: d.addr(25), Submission: d.addr(587), Submissions: d.addr(465),
		IMAP: d.addr(143), IMAPS: d.addr(993), LMTP: d.addr(24),
	}
	if c.PlainHTTP = d.PlainHTTP; d.PlainHTTP {
		c.Listen.HTTP = d.addr(80)
		c.Web = fmt.Sprintf("http://localhost:%d", d.BasePort+80)
	} else {
		c.Listen.HTTPS = d.addr(443)
		c.Web = fmt.Sprintf("https://localhost:%d", d.BasePort+443)
	}
	return c
}

// A demoMember is one of the three people who have something in their mailbox.
type demoMember struct{ local, name, language string }

var demoPeople = []demoMember{
	{"amelie", "Amélie Dubois", "fr"},
	{"bram", "Bram Peeters", "nl"},
	{"chloe", "Chloe Martin", "en"},
}

// populate makes what is missing: the domain, the members, their password.
func (d *demoCmd) populate(ctx context.Context, a *App) error {
	if a.db.ReadOnly() != "" {
		return nil
	}
	who := make([]demoMember, 0, d.Members+len(demoPeople))
	for i := range d.Members {
		who = append(who, demoMember{fmt.Sprintf("user%d", i+1), fmt.Sprintf("Member %d", i+1), "en"})
	}
	if !d.NoSamples {
		who = append(who, demoPeople...)
	}
	for len(who) > 0 { // bounded commits
		n := min(len(who), 100)
		if err := a.db.Update(func(tx *storage.Tx) error { return d.enrol(tx, a, who[:n]) }); err != nil {
			return err
		}
		who = who[n:]
	}
	if d.NoSamples {
		return nil
	}
	return d.samples(ctx, a)
}

func (d *demoCmd) enrol(tx *storage.Tx, a *App, who []demoMember) error {
	now := time.Now()
	if !accounts.LocalDomain(tx, d.Domain) {
		if err := accounts.AddDomain(tx, d.Domain, ""); err != nil {
			return err
		}
	}
	for _, p := range who {
		addr := p.local + "@" + d.Domain
		if _, err := accounts.Lookup(tx, addr); err == nil {
			continue
		}
		m := accounts.NewAccount{Address: addr, Name: p.name, Language: p.language, Cooperator: true, Subscriber: true}
		if err := a.enrol(tx, m, d.Password, now); err != nil {
			return fmt.Errorf("member %s: %w", addr, err)
		}
	}
	return nil
}

// samples sends each of the three people a few messages from the others, by
// the way every message comes in, unless the store has them.
func (d *demoCmd) samples(ctx context.Context, a *App) error {
	mark := []byte("demo samples")
	done, err := a.marked(mark)
	if err != nil || done {
		return err
	}
	for i, to := range demoPeople {
		from := demoPeople[(i+1)%len(demoPeople)]
		if err := a.deliverSample(ctx, from.local+"@"+d.Domain, to.local+"@"+d.Domain, sampleMessage(from, to, d.Domain)); err != nil {
			return err
		}
	}
	if err := d.openPages(ctx, a); err != nil {
		return err
	}
	if err := d.cards(a); err != nil {
		return err
	}
	if err := d.events(a); err != nil {
		return err
	}
	if err := d.folders(a); err != nil {
		return err
	}
	return a.mark(mark)
}

// openPages lets the three people sign in on the web, with the same password
// as everywhere; the first of them administers.
func (d *demoCmd) openPages(ctx context.Context, a *App) error {
	set, err := a.auth.HashMainPassword(ctx, d.Password)
	if err != nil {
		return err
	}
	now := time.Now()
	return a.db.Update(func(tx *storage.Tx) error {
		for i, p := range demoPeople {
			m, err := accounts.Lookup(tx, p.local+"@"+d.Domain)
			if err == nil {
				err = set(tx, m.ID)
			}
			if err == nil && i == 0 {
				err = people.SetAdmin(tx, m.ID, true, people.Actor{}, now)
			}
			if err != nil {
				return err
			}
		}
		return register.SetCoop(tx, register.Coop{Name: "Les Voisins", Domain: d.Domain, Where: "loopback", Contact: demoPeople[0].local + "@" + d.Domain, Quota: 20e9})
	})
}

var sampleTexts = map[string][2]string{
	"fr": {"Réunion du potager partagé", "Bonjour,\r\n\r\nOn se voit samedi à 10 h au potager. J'apporte le café.\r\n"},
	"nl": {"Vergadering van de tuin", "Dag,\r\n\r\nWe zien elkaar zaterdag om 10 uur in de tuin. Ik breng koffie mee.\r\n"},
	"en": {"Meeting in the shared garden", "Hello,\r\n\r\nSee you on Saturday at 10 in the garden. I bring the coffee.\r\n"},
}

func sampleMessage(from, to demoMember, domain string) []byte {
	t := sampleTexts[to.language]
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: %s <%s@%s>\r\nTo: %s <%s@%s>\r\n",
		message.EncodeHeader(from.name), from.local, domain, message.EncodeHeader(to.name), to.local, domain)
	fmt.Fprintf(&b, "Subject: %s\r\nDate: %s\r\nMessage-ID: <welcome-%s@%s>\r\n",
		message.EncodeHeader(t[0]), time.Now().Format(time.RFC1123Z), to.local, domain)
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
	b.WriteString(t[1])
	return b.Bytes()
}

// writeEnv writes DIR/demo.env when everything answers.
func (d *demoCmd) writeEnv(dir string) error {
	var b strings.Builder
	set := func(k string, v any) { fmt.Fprintf(&b, "%s=%v\n", k, v) }
	set("HOST", "127.0.0.1")
	set("SMTP_PORT", d.BasePort+25)
	set("LMTP_PORT", d.BasePort+24)
	set("SUBMISSION_PORT", d.BasePort+587)
	set("SUBMISSIONS_PORT", d.BasePort+465)
	set("IMAP_PORT", d.BasePort+143)
	set("IMAPS_PORT", d.BasePort+993)
	set("HTTP_BASE", d.httpBase())
	set("FILES_PATH", webfs.Prefix+"{user}/") // {user} is an address
	set("CALDAV_PATH", davRoot)
	set("CALDAV_HOME", caldav.Prefix+"{user}/")
	set("CARDDAV_PATH", davRoot)
	set("CARDDAV_HOME", carddav.Prefix+"{user}/")
	for i := 1; i <= min(2, d.Members); i++ {
		set(fmt.Sprintf("USER%d", i), fmt.Sprintf("user%d@%s", i, d.Domain))
		set(fmt.Sprintf("PASS%d", i), d.Password)
		set(fmt.Sprintf("MAIL%d", i), fmt.Sprintf("user%d@%s", i, d.Domain))
	}
	set("CA_FILE", filepath.Join(dir, "tls", "ca.pem"))
	set("DATA", dir)
	set("PID", os.Getpid())
	tmp := filepath.Join(dir, ".demo.env")
	if err := os.WriteFile(tmp, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, "demo.env"))
}

func (d *demoCmd) httpBase() string {
	if d.PlainHTTP {
		return fmt.Sprintf("http://127.0.0.1:%d", d.BasePort+80)
	}
	return fmt.Sprintf("https://127.0.0.1:%d", d.BasePort+443)
}

func (d *demoCmd) explain(e *env, dir string) {
	p := d.BasePort
	fmt.Fprintf(e.out, `essaim demo cooperative %s

  log in as   user1@%s%s
  password    %s
  read        127.0.0.1 IMAP over TLS %d, or %d with STARTTLS
  send        127.0.0.1 submission over TLS %d, or %d with STARTTLS
  receive     127.0.0.1 SMTP %d
  trust       %s
  data        %s
  browse      %s as %s@%[2]s

  curl --cacert %[10]s -u user1@%[2]s:%[4]s imaps://localhost:%[5]d/INBOX
  swaks --server 127.0.0.1:%[8]d --tls --au user1@%[2]s --ap %[4]s -f user1@%[2]s -t user2@%[2]s

Stop with Ctrl-C.
`, d.Domain, d.Domain, d.alsoNamed(), d.Password, p+993, p+143, p+465, p+587, p+25, filepath.Join(dir, "tls", "ca.pem"), dir,
		strings.Replace(d.httpBase(), "127.0.0.1", "localhost", 1)+"/", demoPeople[0].local)
}

func (d *demoCmd) alsoNamed() string {
	s := fmt.Sprintf(" … user%d@%s", d.Members, d.Domain)
	if !d.NoSamples {
		for _, p := range demoPeople {
			s += ", " + p.local + "@" + d.Domain
		}
	}
	return s
}

func demoCertificate(dir string) (*certs.Files, error) {
	return certs.Throwaway(dir, []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback})
}
