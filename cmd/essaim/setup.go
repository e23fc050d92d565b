package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"

	"github.com/BurntSushi/toml"
)

// setupCmd asks what it was not told, writes the configuration and makes the
// first administrator.
type setupCmd struct {
	Hostname string `help:"Name of this machine as other mail servers see it."`
	Domain   string `help:"The cooperative's domain."`
	Admin    string `help:"Your address in that domain."`
	Name     string `help:"Your name."`
}

func (c *setupCmd) Run(e *env) error {
	if _, err := os.Stat(e.config); err == nil {
		return fmt.Errorf("%s is there already; essaim is set up", e.config)
	}
	in := bufio.NewReader(e.in)
	host, _ := os.Hostname()
	for _, q := range []struct {
		into          *string
		ask, fallback string
	}{
		{&c.Domain, "Domain of the cooperative (coop.example)", ""},
		{&c.Hostname, "Name of this machine as other mail servers see it", host},
		{&c.Admin, "Your address in that domain", ""},
		{&c.Name, "Your name", ""},
	} {
		if *q.into != "" {
			continue
		}
		fmt.Fprintf(e.out, "%s [%s]: ", q.ask, q.fallback)
		line, err := in.ReadString('\n')
		if *q.into = strings.TrimSpace(line); *q.into == "" {
			*q.into = q.fallback
		}
		if *q.into == "" {
			return fmt.Errorf("%s: an answer is needed (%v)", q.ask, err)
		}
	}
	return c.write(e)
}

func (c *setupCmd) write(e *env) error {
	cfg := defaultConfig()
	cfg.Hostname = c.Hostname
	if e.data != "" {
		cfg.Data = e.data
	}
	a, err := openApp(cfg, discardLogger())
	if err != nil {
		return err
	}
	var password string
	now := time.Now()
	err = a.db.Update(func(tx *storage.Tx) error {
		if err := accounts.AddDomain(tx, c.Domain, ""); err != nil {
			return err
		}
		m, err := join(tx, accounts.NewAccount{Address: c.Admin, Name: c.Name, Cooperator: true, Subscriber: true, Admin: true}, now)
		if err != nil {
			return err
		}
		if err := accounts.AddAddress(tx, "postmaster@"+c.Domain, m.ID); err != nil { // RFC 5321 §4.5.1
			return err
		}
		password, _, err = accounts.NewAppPassword(tx, m.ID, "first device", accounts.ScopeAll, now)
		return err
	})
	if err == nil {
		err = a.Close()
	} else {
		a.Close()
	}
	if err != nil {
		return problem("setting up", err)
	}
	if err := writeConfig(e.config, cfg); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "\nWrote %s.\n%s, app password for your mail program: %s\nIt is shown only now.\n\nDNS to set:\n"+
		"  %s. MX 10 %s.\n  %s. A/AAAA this machine, and its reverse\n\nThen: essaim serve\n",
		e.config, c.Admin, password, c.Domain, c.Hostname, c.Hostname)
	return nil
}

func writeConfig(path string, cfg Config) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString("# essaim; docs/config.md explains each setting.\n\n"); err != nil {
		return err
	}
	return toml.NewEncoder(f).Encode(cfg)
}
