package main

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/portal"
)

// mountPages puts the pages behind everything that no other door has. At the
// root itself they stand beside the DAV door.
func (a *App) mountPages(mux *web.Mux, conf *tls.Config, davDoor http.Handler) error {
	m, err := a.pages(conf)
	if err != nil {
		return err
	}
	pages := m.Handler()
	mux.Handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if walksDown(r) {
			davDoor.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	}))
	return nil
}

// pages is the router of all rooms that have pages.
func (a *App) pages(conf *tls.Config) (*page.Router, error) {
	members := &portal.Portal{DB: a.db, Auth: a.auth, Gate: a.gate, Logger: a.log, Origin: a.cfg.origin(), Services: a.cfg.mailServices(), STS: a.cfg.sts()}
	if conf.GetCertificate != nil {
		members.Certificate = func() (*tls.Certificate, error) { return conf.GetCertificate(&tls.ClientHelloInfo{}) }
	}
	m := &page.Router{Identify: members.Identify, Coop: members.CoopName, Logger: a.log, Secure: !a.cfg.PlainHTTP, SignIn: "/signin", Prove: "/prove"}
	m.Layout()
	for _, door := range []interface{ Room() (page.Room, error) }{members, a.desk()} {
		room, err := door.Room()
		if err != nil {
			return nil, err
		}
		m.Add(room)
	}
	return m, nil
}

// secretPaths begin the paths that open something to whoever knows them.
var secretPaths = []string{"/join/", "/device/"}

// origin is where members' browsers come to.
func (c *Config) origin() string {
	if c.Web != "" {
		return strings.TrimSuffix(c.Web, "/")
	}
	return "https://" + c.Hostname
}

// mailServices are the ports that mail programs are told.
func (c *Config) mailServices() portal.Services {
	s := portal.Services{Host: c.Hostname, IMAPS: 993, IMAP: 143, Submissions: 465, Submission: 587}
	for port, addresses := range map[*int][]string{&s.IMAPS: c.Listen.IMAPS, &s.IMAP: c.Listen.IMAP, &s.Submissions: c.Listen.Submissions, &s.Submission: c.Listen.Submission} {
		if len(addresses) > 0 {
			if _, text, err := net.SplitHostPort(addresses[0]); err == nil {
				if n, err := strconv.Atoi(text); err == nil {
					*port = n
				}
			}
		}
	}
	return s
}
