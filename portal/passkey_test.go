package portal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

// A softKey is an authenticator that says yes, with one ES256 key
// (WebAuthn §6).
type softKey struct {
	key     *ecdsa.PrivateKey
	id      []byte
	counter uint32
}

func newSoftKey(id string) *softKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &softKey{key: key, id: []byte(id)}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// clientData is what a browser says of a ceremony.
func clientData(kind, challenge, origin string) []byte {
	b, _ := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false})
	return b
}

// authData is WebAuthn §6.1, with user presence and verification.
func (k *softKey) authData(flags byte) *bytes.Buffer {
	var b bytes.Buffer
	rp := sha256.Sum256([]byte("mail.coop.example"))
	k.counter++
	b.Write(rp[:])
	b.WriteByte(flags)
	_ = binary.Write(&b, binary.BigEndian, k.counter)
	return &b
}

// create answers a registration, attesting nothing.
func (k *softKey) create(challenge, origin string) []byte {
	a := k.authData(0x45)
	a.Write(make([]byte, 16))
	_ = binary.Write(a, binary.BigEndian, uint16(len(k.id)))
	a.Write(k.id)
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	// COSE (RFC 9053 §7.1.1): {1: 2, 3: -7, -1: 1, -2: x, -3: y}
	a.Write([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32})
	a.Write(point[1:33])
	a.Write([]byte{0x22, 0x58, 32})
	a.Write(point[33:])
	var o bytes.Buffer // CBOR of {"fmt": "none", "attStmt": {}, "authData": …}
	o.WriteString("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59")
	_ = binary.Write(&o, binary.BigEndian, uint16(a.Len()))
	o.Write(a.Bytes())
	body, _ := json.Marshal(map[string]any{"id": b64(k.id), "rawId": b64(k.id), "type": "public-key",
		"response": map[string]string{"clientDataJSON": b64(clientData("webauthn.create", challenge, origin)), "attestationObject": b64(o.Bytes())}})
	return body
}

// get answers a sign-in as the account with a handle.
func (k *softKey) get(challenge, origin string, account uint32) []byte {
	a, c := k.authData(0x05), clientData("webauthn.get", challenge, origin)
	ch := sha256.Sum256(c)
	sum := sha256.Sum256(append(bytes.Clone(a.Bytes()), ch[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, k.key, sum[:])
	if err != nil {
		panic(err)
	}
	body, _ := json.Marshal(map[string]any{"id": b64(k.id), "rawId": b64(k.id), "type": "public-key", "response": map[string]string{
		"clientDataJSON": b64(c), "authenticatorData": b64(a.Bytes()), "signature": b64(sig), "userHandle": b64(binary.BigEndian.AppendUint32(nil, account))}})
	return body
}

// json posts what a page's script posts and returns the answer.
func (v *visitor) json(path string, body []byte) *visitor {
	req, _ := http.NewRequest("POST", v.h.server.URL+path, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return v.do(req)
}

// begins starts a ceremony and returns its rite and challenge.
func (v *visitor) begins(path string) (rite, challenge string) {
	v.h.t.Helper()
	var out struct {
		Rite    string
		Options struct {
			PublicKey struct{ Challenge string }
		}
	}
	if err := json.Unmarshal([]byte(v.json(path, nil).body), &out); err != nil || out.Rite == "" {
		v.h.t.Fatalf("%s: %d %s", path, v.status, v.body)
	}
	return out.Rite, out.Options.PublicKey.Challenge
}

func TestPasskeyCeremonies(t *testing.T) {
	const here = "https://mail.coop.example"
	h := house(t)
	amelie, bram := h.amelie(), h.visitor()
	link := "/join/" + h.invite(register.Invitation{})
	bram.post(link, "local", "bram", "name", "Bram", "password", goodWord).sees(200, link)
	keys := func(id storage.AccountID) (n int) {
		h.update(func(tx *storage.Tx) error { n = len(signin.Passkeys(tx, id)); return nil })
		return n
	}
	k := newSoftKey("a passkey of amelie")

	rite, challenge := amelie.begins("/passkey/new")
	answer := k.create(challenge, here)
	if bram.json("/passkey/keep?rite="+rite, answer).status != 422 || keys(2) != 0 {
		t.Error("bram ended amelie's registration")
	}
	if amelie.json("/passkey/keep?rite="+rite, answer).status != 422 {
		t.Error("a rite was good twice")
	}
	rite, challenge = amelie.begins("/passkey/new")
	if amelie.json("/passkey/keep?rite="+rite, k.create(challenge, "https://mail.coop.example.evil.example")).status != 422 {
		t.Error("a passkey made on another site was kept")
	}
	rite, challenge = amelie.begins("/passkey/ask")
	if amelie.json("/passkey/keep?rite="+rite, k.create(challenge, here)).status != 422 || keys(1) != 0 {
		t.Error("a passkey was kept by the rite of a sign-in")
	}
	rite, challenge = amelie.begins("/passkey/new")
	if amelie.json("/passkey/keep?rite="+rite, k.create(challenge, here)).status != 200 || keys(1) != 1 {
		t.Fatalf("%d %s", amelie.status, amelie.body)
	}

	thief := h.visitor()
	rite, challenge = amelie.begins("/passkey/new")
	if thief.json("/passkey/enter?rite="+rite, k.get(challenge, here, 1)).status != 422 {
		t.Error("a sign-in by the rite of a registration")
	}
	rite, challenge = thief.begins("/passkey/ask")
	if thief.json("/passkey/enter?rite="+rite, k.get(challenge, here, 2)).status != 422 {
		t.Error("amelie's passkey signs in as bram")
	}
	rite, challenge = thief.begins("/passkey/ask")
	if thief.json("/passkey/enter?rite="+rite, newSoftKey("a passkey of amelie").get(challenge, here, 1)).status != 422 {
		t.Error("another key under the same name signs in")
	}
	thief.get("/").sees(200, "/signin")

	rite, challenge = thief.begins("/passkey/ask")
	answer = k.get(challenge, here, 1)
	if v := h.visitor().json("/passkey/enter?rite="+rite+"&to=https://evil.example//x", answer); v.status != 200 || !strings.Contains(v.body, `"to":"/"`) {
		t.Errorf("amelie's own sign-in: %d %s", v.status, v.body)
	}
	if h.visitor().json("/passkey/enter?rite="+rite, answer).status != 422 {
		t.Error("a sign-in was good twice")
	}
	rite, challenge = thief.begins("/passkey/ask")
	k.counter = 0
	if thief.json("/passkey/enter?rite="+rite, k.get(challenge, here, 1)).status != 422 {
		t.Error("a passkey whose counter went back, as a copy's does, signs in")
	}
}
