// Package certs gives the listeners their certificates: from files that are
// read again when they change, or from a throwaway authority for the demo and
// for the first minutes of an installation.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Files serves the certificate in two PEM files. A change of the certificate
// file is noticed at the next handshake; a broken replacement keeps the old
// certificate in service. Safe for concurrent use.
type Files struct {
	cert, key string

	mu      sync.Mutex
	current *tls.Certificate
	stamp   time.Time
	looked  time.Time
}

// Load reads the pair once, so that a mistake shows at start.
func Load(cert, key string) (*Files, error) {
	f := &Files{cert: cert, key: key}
	return f, f.reload()
}

// Get is a tls.Config.GetCertificate.
func (f *Files) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.looked) > time.Minute {
		f.looked = now
		if st, err := os.Stat(f.cert); err == nil && !st.ModTime().Equal(f.stamp) {
			_ = f.reload() // a half-written file: the old pair goes on, the next look tries again
		}
	}
	return f.current, nil
}

// Leaf returns the certificate in service.
func (f *Files) Leaf() *x509.Certificate {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current.Leaf
}

func (f *Files) reload() error {
	st, err := os.Stat(f.cert)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", f.cert, err)
	}
	f.current, f.stamp = &pair, st.ModTime()
	return nil
}

// Throwaway makes a certificate authority and a certificate for names and
// addresses that it signs, valid for a year, and writes ca.pem, cert.pem and
// key.pem into dir. An authority that is there already is kept.
func Throwaway(dir string, names []string, ips []net.IP) (*Files, error) {
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if f, err := Load(cert, key); err == nil && time.Until(f.current.Leaf.NotAfter) > 30*24*time.Hour {
		return f, nil
	}
	caKey, ca, err := authority()
	if err != nil {
		return nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := template(names[0])
	leaf.DNSNames, leaf.IPAddresses = names, ips
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &leafKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		mode os.FileMode
		pem  *pem.Block
	}{
		{"ca.pem", 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}},
		{"key.pem", 0o600, &pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}},
		{"cert.pem", 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: der}},
	} {
		if err := os.WriteFile(filepath.Join(dir, f.name), pem.EncodeToMemory(f.pem), f.mode); err != nil {
			return nil, err
		}
	}
	return Load(cert, key)
}

func authority() (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	ca := template("essaim throwaway authority")
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	return key, parsed, err
}

func template(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}
