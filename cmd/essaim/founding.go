package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"essaim.coop/essaim/admin"
	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"

	"github.com/BurntSushi/toml"
)

// A founding is what makes a cooperative of an empty machine. The first five
// are asked; the rest has an answer of its own.
type founding struct {
	Name      string
	Domain    string
	Where     string      // the machine stands
	Languages []page.Lang // the first one is the administrator's
	Address   string      // of the first administrator; the part before the @ is enough

	Hostname  string
	Addresses []string
	ACME      bool
	Relay     string // host:port; empty: this machine sends itself
	RelayUser string
	RelayPass string
	RelaySPF  string
}

// A founded is what there is to tell afterwards, once.
type founded struct {
	Config   string // path of the file
	Address  string
	Password string   // app password of the first device
	Codes    []string // each opens Recover, where a web password is set
	Recover  string
	Start    admin.Start
}

// offeredQuota is what a new household is offered until somebody decides, in
// bytes.
const offeredQuota = 20e9

// complete fills in what was not answered and says what cannot be, as a
// page.Problem.
func (f *founding) complete() error {
	wrong := func(word string, err error) error { return page.Problem{Word: word, Err: err} }
	if f.Name == "" || len(f.Name) > 200 {
		return wrong("setup.noname", nil)
	}
	domain, err := accounts.NormalizeDomain(f.Domain)
	if err != nil || !strings.Contains(domain, ".") {
		return wrong("setup.nodomain", err)
	}
	f.Domain = domain
	f.Languages = slices.DeleteFunc(slices.Clone(f.Languages), func(l page.Lang) bool { return !slices.Contains(page.Languages, l) })
	if len(f.Languages) == 0 {
		return wrong("setup.nolanguage", nil)
	}
	local, of, whole := strings.Cut(f.Address, "@")
	if whole {
		if of, err = accounts.NormalizeDomain(of); err != nil || of != domain {
			local = ""
		}
	}
	if local == "" {
		return wrong("setup.noaddress", nil)
	}
	f.Address = local + "@" + domain
	if f.Hostname == "" {
		f.Hostname = hostnameFor(domain)
	}
	if f.Hostname, err = accounts.NormalizeDomain(f.Hostname); err != nil || !strings.Contains(f.Hostname, ".") {
		return wrong("setup.nohost", err)
	}
	return f.completeRelay(wrong)
}

// completeRelay takes a relay without a port as one that takes mail from
// clients (RFC 6409).
func (f *founding) completeRelay(wrong func(string, error) error) error {
	if f.Relay == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(f.Relay); err != nil {
		f.Relay = net.JoinHostPort(f.Relay, "587")
	}
	if host, port, err := net.SplitHostPort(f.Relay); err != nil || host == "" || port == "" {
		return wrong("setup.norelay", err)
	}
	if (f.RelayUser == "") != (f.RelayPass == "") {
		return wrong("setup.norelay", errors.New("a login and its password come together"))
	}
	return nil
}

// hostnameFor is the machine's own name when that is in the domain, or else
// mail in it: a name that a provider gave says nothing to other hosts.
func hostnameFor(domain string) string {
	if own, err := os.Hostname(); err == nil && strings.HasSuffix(own, "."+domain) {
		return own
	}
	return "mail." + domain
}

// found makes the configuration, the store and in it the domain, the
// cooperative and its first administrator. The configuration appears last: until
// it does, nothing is set up.
func (f *founding) found(path, data string) (out founded, err error) {
	if _, err := os.Stat(path); err == nil {
		return out, fmt.Errorf("%s is there already; essaim is set up", path)
	}
	if err := f.complete(); err != nil {
		return out, err
	}
	cfg := f.config(path, data)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return out, err
	}
	if f.RelayPass != "" {
		if err := os.WriteFile(cfg.RelayPass, []byte(f.RelayPass+"\n"), 0o640); err != nil {
			return out, err
		}
	}
	draft, err := draftConfig(path, cfg)
	if err != nil {
		return out, err
	}
	defer os.Remove(draft)
	if out, err = f.populate(cfg); err != nil {
		return out, err
	}
	out.Config = path
	if err := os.Link(draft, path); err != nil { // unlike a rename, it replaces nothing
		return out, err
	}
	return out, handToService(cfg.Data, path, cfg.RelayPass)
}

func (f *founding) config(path, data string) Config {
	cfg := defaultConfig()
	cfg.Hostname, cfg.Addresses = f.Hostname, f.Addresses
	if data != "" {
		cfg.Data = data
	}
	if f.ACME {
		cfg.TLS.ACME, cfg.TLS.Email = true, f.Address
		cfg.TLS.Names = []string{"mta-sts." + f.Domain, "autoconfig." + f.Domain}
	}
	cfg.Relay, cfg.RelayUser, cfg.RelaySPF = f.Relay, f.RelayUser, f.RelaySPF
	if f.RelayPass != "" {
		cfg.RelayPass = filepath.Join(filepath.Dir(path), "relay-password")
	}
	return cfg
}

// draftConfig writes the configuration beside its place.
func draftConfig(path string, cfg Config) (draft string, err error) {
	w, err := os.CreateTemp(filepath.Dir(path), ".essaim-*.toml")
	if err != nil {
		return "", err
	}
	_, err = w.WriteString("# essaim; docs/config.md explains each setting.\n\n")
	err = errors.Join(err, toml.NewEncoder(w).Encode(cfg), w.Chmod(0o640), w.Sync(), w.Close())
	return w.Name(), err
}

// populate fills the store.
func (f *founding) populate(cfg Config) (out founded, err error) {
	a, err := openApp(cfg, discardLogger())
	if err != nil {
		return out, err
	}
	now := time.Now()
	err = a.db.Update(func(tx *storage.Tx) (err error) { out, err = f.firstPeople(tx, now); return err })
	if err == nil {
		out.Recover = cfg.origin() + "/recover"
		out.Start, err = a.desk().Start(context.Background(), people.Actor{}, admin.StartIn{Domain: f.Domain, Language: string(f.Languages[0])})
	}
	return out, errors.Join(err, a.Close())
}

func (f *founding) firstPeople(tx *storage.Tx, now time.Time) (out founded, err error) {
	if err := accounts.AddDomain(tx, f.Domain, ""); err != nil {
		return out, err
	}
	spoken := make([]string, len(f.Languages))
	for i, l := range f.Languages {
		spoken[i] = string(l)
	}
	if err := register.SetCoop(tx, register.Coop{Name: f.Name, Domain: f.Domain, Where: f.Where, Contact: f.Address, Quota: offeredQuota, Languages: spoken}); err != nil {
		return out, err
	}
	local, _, _ := strings.Cut(f.Address, "@")
	m, err := join(tx, accounts.NewAccount{Address: f.Address, Name: local, Language: spoken[0], Cooperator: true, Subscriber: true, Admin: true}, now)
	if err != nil {
		return out, err
	}
	for _, role := range []string{"postmaster", "abuse"} { // RFC 5321 §4.5.1, RFC 2142 §4
		if role == strings.ToLower(local) {
			continue
		}
		if err := accounts.AddAddress(tx, role+"@"+f.Domain, m.ID); err != nil {
			return out, err
		}
	}
	out.Address = m.Address
	if out.Codes, err = signin.NewRecoveryCodes(tx, m.ID); err != nil {
		return out, err
	}
	out.Password, _, err = accounts.NewAppPassword(tx, m.ID, "first device", accounts.ScopeAll, now)
	return out, err
}
