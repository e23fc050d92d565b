package sasl

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
)

// Iterations is the count for new keys (RFC 7677 §4 asks for 4096 or more). App
// passwords are random, so more would protect nothing.
const Iterations = 4096

// NewKey derives a password's SCRAM key.
func NewKey(password string, salt []byte, iterations int) (k Key, err error) {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return k, err
	}
	k.StoredKey = sha256.Sum256(mac(salted, "Client Key"))
	copy(k.ServerKey[:], mac(salted, "Server Key"))
	return k, nil
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

type scram struct {
	auth  Authenticator
	state *tls.ConnectionState
	plus  bool

	step        int
	gs2, bare   string // the client's first message in its two parts
	nonce       string
	serverFirst string
	creds       Credentials
	login       Login
}

func newSCRAM(auth Authenticator, state *tls.ConnectionState, plus bool) *scram {
	return &scram{auth: auth, state: state, plus: plus}
}

func (s *scram) Login() Login { return s.login }

func (s *scram) Next(response []byte) ([]byte, bool, error) {
	s.step++
	switch s.step {
	case 1:
		ch, err := s.first(string(response))
		return ch, false, err
	case 2:
		return s.final(string(response))
	}
	return nil, false, ErrSyntax
}

// first is client-first-message and server-first-message (RFC 5802 §5).
func (s *scram) first(msg string) ([]byte, error) {
	flag, rest, ok := strings.Cut(msg, ",")
	authzid, bare, ok2 := strings.Cut(rest, ",")
	if !ok || !ok2 || authzid != "" && !strings.HasPrefix(authzid, "a=") {
		return nil, ErrSyntax
	}
	if err := s.checkBinding(flag); err != nil {
		return nil, err
	}
	attrs := strings.Split(bare, ",")
	if len(attrs) < 2 || !strings.HasPrefix(attrs[0], "n=") || !strings.HasPrefix(attrs[1], "r=") || len(attrs[1]) < 10 {
		return nil, ErrSyntax // m= extensions must fail, too
	}
	name := strings.NewReplacer("=2C", ",", "=3D", "=").Replace(attrs[0][2:])
	s.gs2, s.bare = flag+","+authzid+",", bare
	var err error
	if s.creds, err = s.auth.SCRAM(name); err != nil {
		return nil, err
	}
	random := make([]byte, 18)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	s.nonce = attrs[1][2:] + base64.StdEncoding.EncodeToString(random)
	s.serverFirst = fmt.Sprintf("r=%s,s=%s,i=%d", s.nonce, base64.StdEncoding.EncodeToString(s.creds.Salt), s.creds.Iterations)
	return []byte(s.serverFirst), nil
}

// checkBinding: y says that the client could bind and thinks that we cannot. On
// TLS we offer it, so somebody in between has taken the offer away.
func (s *scram) checkBinding(flag string) error {
	switch {
	case flag == "n" && !s.plus:
		return nil
	case flag == "y" && !s.plus && s.state == nil:
		return nil
	case strings.HasPrefix(flag, "p=") && s.plus:
		if _, err := s.binding(flag[2:]); err != nil {
			return err
		}
		return nil
	}
	return fmt.Errorf("%w: channel binding %q", ErrSyntax, flag)
}

// binding returns the channel binding data of a type.
func (s *scram) binding(kind string) ([]byte, error) {
	switch kind {
	case "tls-exporter":
		return s.state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	case "tls-server-end-point":
		if c := LocalCertificate(s.state.ServerName); c != nil {
			return endPoint(c)
		}
	}
	return nil, fmt.Errorf("%w: channel binding type %q", ErrSyntax, kind)
}

// LocalCertificate tells the certificate that TLS shows to who asked for a
// server name, which Go's ConnectionState does not. Whoever makes the TLS configuration sets it, once,
// before serving; without it tls-server-end-point is refused.
var LocalCertificate = func(string) *x509.Certificate { return nil }

func endPoint(c *x509.Certificate) ([]byte, error) {
	var h hash.Hash
	switch c.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h = sha512.New384()
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h = sha512.New()
	default:
		h = sha256.New()
	}
	h.Write(c.Raw)
	return h.Sum(nil), nil
}

// final is client-final-message and server-final-message.
func (s *scram) final(msg string) ([]byte, bool, error) {
	at := strings.LastIndex(msg, ",p=")
	if at < 0 {
		return nil, false, ErrSyntax
	}
	without, proof64 := msg[:at], msg[at+3:]
	attrs := strings.Split(without, ",")
	if len(attrs) < 2 || !strings.HasPrefix(attrs[0], "c=") || attrs[1] != "r="+s.nonce {
		return nil, false, ErrSyntax
	}
	if err := s.verifyBinding(attrs[0][2:]); err != nil {
		return nil, false, err
	}
	proof, err := base64.StdEncoding.DecodeString(proof64)
	if err != nil || len(proof) != sha256.Size {
		return nil, false, ErrSyntax
	}
	text := s.bare + "," + s.serverFirst + "," + without
	key := s.match(text, proof)
	if key == nil {
		return nil, false, ErrCredentials
	}
	s.login = s.creds.Login
	s.login.AppPassword = key.AppPassword
	return []byte("v=" + base64.StdEncoding.EncodeToString(mac(key.ServerKey[:], text))), true, nil
}

func (s *scram) verifyBinding(c64 string) error {
	got, err := base64.StdEncoding.DecodeString(c64)
	if err != nil {
		return ErrSyntax
	}
	want := []byte(s.gs2)
	if s.plus {
		data, err := s.binding(strings.TrimPrefix(s.gs2[:strings.IndexByte(s.gs2, ',')], "p="))
		if err != nil {
			return err
		}
		want = append(want, data...)
	}
	if subtle.ConstantTimeCompare(got, want) != 1 {
		return fmt.Errorf("%w: channel binding differs", ErrCredentials)
	}
	return nil
}

// match finds the password's key: the proof is ClientKey XOR ClientSignature.
// Every key is tried, so that the time does not tell which it was.
func (s *scram) match(text string, proof []byte) (found *Key) {
	for i := range s.creds.Keys {
		k := &s.creds.Keys[i]
		client := mac(k.StoredKey[:], text)
		subtle.XORBytes(client, client, proof)
		sum := sha256.Sum256(client)
		if subtle.ConstantTimeCompare(sum[:], k.StoredKey[:]) == 1 {
			found = k
		}
	}
	return found
}
