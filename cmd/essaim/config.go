package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"essaim.coop/essaim/portal"

	"github.com/BurntSushi/toml"
)

// A Config is what must be known before the store opens; everything else lives
// in the store. docs/config.md is generated from the doc tags.
type Config struct {
	Hostname    string            `toml:"hostname" doc:"Name of this machine as other mail servers see it; it should resolve both ways."`
	Addresses   []string          `toml:"addresses" doc:"Public addresses of this machine, for the DNS; those it listens on, or speaks from, when empty."`
	Data        string            `toml:"data" doc:"Data directory: the whole store."`
	Listen      Listen            `toml:"listen" doc:"Addresses to listen on. An empty list switches a service off."`
	TLS         TLS               `toml:"tls" doc:"Certificate for every listener. Without one a throwaway certificate is made."`
	Relay       string            `toml:"relay" doc:"host:port that takes all mail for other hosts, where the provider blocks port 25."`
	RelayUser   string            `toml:"relay_user" doc:"Login at the relay."`
	RelaySPF    string            `toml:"relay_spf" doc:"Name that the relay's operator wants included in the SPF record; the relay's own address is let in when empty."`
	RelayPass   string            `toml:"relay_password_file" doc:"File that holds the password for the relay."`
	Routes      map[string]string `toml:"routes" doc:"host:port for the mail of single domains, instead of their MX."`
	MaxMessage  int64             `toml:"max_message_bytes" doc:"Largest message accepted, in bytes."`
	Backup      string            `toml:"backup" doc:"Directory that essaim backup writes to when it is given none; on another disk, or mounted from another machine."`
	MTASTS      string            `toml:"mta_sts" doc:"What other mail servers are told of encryption on the way here (MTA-STS): testing, until everything in the first steps has been right for some weeks; enforce; none, which also takes an earlier policy back."`
	Web         string            `toml:"web" doc:"Where members' browsers come to; https:// and the hostname when empty."`
	Proxies     []string          `toml:"http_proxies" doc:"Addresses or networks of reverse proxies in front, whose X-Forwarded-For is believed."`
	Origins     []string          `toml:"dav_origins" doc:"Web applications elsewhere, such as https://calendar.example, whose pages may use DAV here (CORS)."`
	TrustLocal  bool              `toml:"-"`
	PlainHTTP   bool              `toml:"-"`
	MetricsAddr string            `toml:"metrics" doc:"Address for Prometheus metrics; keep it on loopback. Empty: none."`
}

// Listen names the addresses of each service.
type Listen struct {
	SMTP        []string `toml:"smtp" doc:"Mail from other hosts, port 25."`
	Submission  []string `toml:"submission" doc:"Members' mail with STARTTLS, port 587."`
	Submissions []string `toml:"submissions" doc:"Members' mail over TLS, port 465."`
	IMAP        []string `toml:"imap" doc:"IMAP with STARTTLS, port 143."`
	IMAPS       []string `toml:"imaps" doc:"IMAP over TLS, port 993."`
	HTTPS       []string `toml:"https" doc:"The web, port 443."`
	HTTP        []string `toml:"http" doc:"Sends browsers to https, port 80."`
	LMTP        []string `toml:"lmtp" doc:"Local delivery from a mail server in front; off by default."`
}

// TLS says where the certificate comes from: files, or an authority.
type TLS struct {
	Cert      string   `toml:"cert" doc:"PEM file of the certificate with its chain."`
	Key       string   `toml:"key" doc:"PEM file of the private key."`
	ACME      bool     `toml:"acme" doc:"Get certificates from an authority by itself, answering on ports 80 and 443."`
	Email     string   `toml:"email" doc:"Address that the authority may write to."`
	Directory string   `toml:"directory" doc:"URL of an authority's ACME directory; Let's Encrypt when empty."`
	Roots     string   `toml:"directory_roots" doc:"PEM file of who vouches for the directory's own certificate, for an authority in the house."`
	Names     []string `toml:"names" doc:"Names to have certificates for beside the hostname, such as mta-sts.coop.example."`
}

func defaultConfig() Config {
	return Config{
		Data: "/var/lib/essaim",
		Listen: Listen{
			SMTP: []string{":25"}, Submission: []string{":587"}, Submissions: []string{":465"},
			IMAP: []string{":143"}, IMAPS: []string{":993"}, HTTPS: []string{":443"}, HTTP: []string{":80"},
		},
		MaxMessage:  50 << 20,
		MTASTS:      string(portal.STSTesting),
		MetricsAddr: "127.0.0.1:9090",
	}
}

// loadConfig reads the file named on the command line. Names it does not know
// are errors, as they are mostly typing mistakes.
func (e *env) loadConfig() (Config, error) {
	c := defaultConfig()
	meta, err := toml.DecodeFile(e.config, &c)
	switch {
	case errors.Is(err, fs.ErrNotExist) && e.data != "":
	case errors.Is(err, fs.ErrNotExist):
		return c, fmt.Errorf("no configuration at %s: run essaim setup, or name the store with --data", e.config)
	case err != nil:
		return c, fmt.Errorf("%s: %w", e.config, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return c, fmt.Errorf("%s: %s is not a setting; docs/config.md lists them", e.config, unknown[0])
	}
	switch c.sts() {
	case portal.STSTesting, portal.STSEnforce, portal.STSNone:
	default:
		return c, fmt.Errorf("%s: mta_sts is testing, enforce or none, not %q", e.config, c.MTASTS)
	}
	if e.data != "" {
		c.Data = e.data
	}
	if c.Hostname == "" {
		c.Hostname, _ = os.Hostname()
	}
	return c, nil
}

func (c *Config) relayPassword() (string, error) {
	if c.RelayPass == "" {
		return "", nil
	}
	b, err := os.ReadFile(c.RelayPass)
	return strings.TrimSpace(string(b)), err
}

func (c *Config) storeDir() string { return filepath.Join(c.Data, "store") }
func (c *Config) tlsDir() string   { return filepath.Join(c.Data, "tls") }

func (c *Config) sts() portal.STS { return cmp.Or(portal.STS(c.MTASTS), portal.STSTesting) }
