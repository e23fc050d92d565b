package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/internal/sasl"
)

// tlsConfig is the configuration of every listener. Certificates come from the
// files that are configured, from an authority, or from nobody.
func (a *App) tlsConfig() (*tls.Config, error) {
	files, err := a.certificate()
	if err != nil {
		return nil, err
	}
	get := files.Get
	a.leaf = files.Leaf
	a.provisional = func() bool { return a.cfg.TLS.Cert == "" && a.leaf().Equal(files.Leaf()) }
	if a.cfg.TLS.ACME {
		if a.acme, err = a.authority(files); err != nil {
			return nil, err
		}
		get, a.leaf = a.acme.Get, a.acme.Leaf
	}
	sasl.LocalCertificate = func(name string) *x509.Certificate {
		cert, err := get(&tls.ClientHelloInfo{ServerName: name})
		if err != nil {
			return nil
		}
		return cert.Leaf
	}
	return &tls.Config{GetCertificate: get, MinVersion: tls.VersionTLS12}, nil
}

// certificate is the one of the files or, for a demo and until an authority has
// given another, a throwaway.
func (a *App) certificate() (*certs.Files, error) {
	if a.cfg.TLS.Cert != "" {
		if a.cfg.TLS.ACME {
			return nil, errors.New("tls: cert and acme exclude each other")
		}
		return certs.Load(a.cfg.TLS.Cert, a.cfg.TLS.Key)
	}
	if err := os.MkdirAll(a.cfg.tlsDir(), 0o700); err != nil {
		return nil, err
	}
	if a.cfg.TrustLocal {
		return demoCertificate(a.cfg.tlsDir())
	}
	if !a.cfg.TLS.ACME {
		a.log.Warn("no certificate configured: clients will not trust the throwaway one", "authority", filepath.Join(a.cfg.tlsDir(), "ca.pem"))
	}
	return certs.Throwaway(a.cfg.tlsDir(), a.cfg.names(), nil)
}

// names are what certificates are for, the hostname first.
func (c *Config) names() []string {
	out := []string{c.Hostname}
	for _, n := range c.TLS.Names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// authority is who is asked for certificates, in the background (App.start).
func (a *App) authority(fallback *certs.Files) (*certs.ACME, error) {
	c := a.cfg.TLS
	opt := certs.ACMEOptions{Names: a.cfg.names(), Directory: c.Directory, Email: c.Email, Fallback: fallback,
		Cache: filepath.Join(a.cfg.tlsDir(), "acme"), Logger: a.log}
	if c.Directory == "" { // an authority in the house may know other names than the DNS here
		opt.Resolves = func(ctx context.Context, name string) error {
			_, err := net.DefaultResolver.LookupHost(ctx, name)
			return err
		}
	}
	if c.Roots != "" {
		pem, err := os.ReadFile(c.Roots)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("directory_roots: no certificate in %s", c.Roots)
		}
		opt.Client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, IdleConnTimeout: time.Minute}}
	}
	return certs.NewACME(opt), nil
}

// hasCertificate reports whether browsers trust what is served, now or as soon
// as an authority has answered.
func (c *Config) hasCertificate() bool { return c.TLS.Cert != "" || c.TLS.ACME }
