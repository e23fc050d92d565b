package portal

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/signin"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
)

// A relyingParty is this site to a passkey.
type relyingParty struct{ *webauthn.WebAuthn }

func (r *relyingParty) begin(origin string) (err error) {
	u, err := url.Parse(origin)
	if err != nil {
		return err
	}
	r.WebAuthn, err = webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: u.Hostname(), RPOrigins: []string{origin},
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired},
	})
	return err
}

// A rite is a ceremony that has begun.
type rite struct {
	session webauthn.SessionData
	account storage.AccountID // who registers a passkey; 0 for a sign-in
}

const riteTime = 5 * time.Minute

// A keyOwner is an account as the library sees it.
type keyOwner struct {
	account accounts.Account
	keys    []signin.Passkey
}

func (o keyOwner) WebAuthnID() []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(o.account.ID))
}
func (o keyOwner) WebAuthnName() string        { return o.account.Address }
func (o keyOwner) WebAuthnDisplayName() string { return nameOf(o.account) }
func (o keyOwner) WebAuthnCredentials() (out []webauthn.Credential) {
	for _, k := range o.keys {
		var c webauthn.Credential
		if json.Unmarshal(k.Credential, &c) == nil {
			out = append(out, c)
		}
	}
	return out
}

func (p *Portal) keyOwner(id storage.AccountID) (o keyOwner, err error) {
	err = p.DB.View(func(tx *storage.Tx) error {
		if o.account, err = accounts.Get(tx, id); err != nil {
			return err
		}
		o.keys = signin.Passkeys(tx, id)
		return nil
	})
	return o, err
}

// begun keeps a rite and answers with what the browser needs for it.
func (p *Portal) begun(x *page.Request, r rite, options any) error {
	p.mu.Lock()
	token, err := p.rites.keep(networkOf(client(x)), r, p.Now(), riteTime)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	return answerJSON(x, map[string]any{"rite": token, "options": options})
}

// networkOf is whose ceremonies an address's are: of IPv6 a household has 2^64.
func networkOf(a netip.Addr) string {
	if net, err := a.Prefix(64); err == nil && a.Is6() {
		return net.String()
	}
	return a.String()
}

func (p *Portal) rite(x *page.Request) (rite, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rites.take(x.R.URL.Query().Get("rite"), p.Now())
}

func answerJSON(x *page.Request, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	x.W.Header().Set("Content-Type", "application/json")
	x.W.Header().Set("Cache-Control", "no-store")
	_, _ = x.W.Write(b)
	return nil
}

// refuseJSON answers a script with a word of the reader's.
func refuseJSON(x *page.Request, status int, word string) error {
	x.W.Header().Set("Content-Type", "application/json")
	x.W.WriteHeader(status)
	return json.NewEncoder(x.W).Encode(map[string]string{"wrong": x.Say(word)})
}

func (p *Portal) passkeyNew(x *page.Request) error {
	o, err := p.keyOwner(me(x))
	if err != nil {
		return err
	}
	var known []protocol.CredentialDescriptor
	for _, c := range o.WebAuthnCredentials() {
		known = append(known, c.Descriptor())
	}
	options, session, err := p.passkeys.BeginRegistration(o, webauthn.WithExclusions(known))
	if err != nil {
		return err
	}
	return p.begun(x, rite{*session, me(x)}, options)
}

func (p *Portal) passkeyKeep(x *page.Request) error {
	r, ok := p.rite(x)
	if !ok || r.account != me(x) {
		return refuseJSON(x, http.StatusUnprocessableEntity, "passkey.wrong")
	}
	o, err := p.keyOwner(me(x))
	if err != nil {
		return err
	}
	c, err := p.passkeys.FinishRegistration(o, r.session, x.R)
	if err != nil {
		p.Logger.Info("passkey refused", "account", me(x), "error", err)
		return refuseJSON(x, http.StatusUnprocessableEntity, "passkey.wrong")
	}
	blob, err := json.Marshal(c)
	if err != nil {
		return err
	}
	now, name := p.Now(), x.R.URL.Query().Get("name")
	if accounts.CheckName(name) != nil {
		name = "" // it has its day to be known by
	}
	err = p.change(x, "passkey.add", func(tx *storage.Tx) error {
		return signin.PutPasskey(tx, me(x), signin.Passkey{ID: c.ID, Name: name, Credential: blob, Created: now})
	})
	if errors.Is(err, storage.ErrInvalid) {
		return refuseJSON(x, http.StatusUnprocessableEntity, "passkey.many")
	}
	if err != nil {
		return err
	}
	return answerJSON(x, map[string]string{"to": "/security?done=passkey"})
}

func (p *Portal) passkeyAsk(x *page.Request) error {
	options, session, err := p.passkeys.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return err
	}
	return p.begun(x, rite{session: *session}, options)
}

// passkeyEnter signs somebody in who proved with a passkey: it is something
// they have and, as the device asked for a finger or a PIN, a second factor in
// itself. For who is signed in it renews the proof.
func (p *Portal) passkeyEnter(x *page.Request) error {
	r, ok := p.rite(x)
	if !ok || r.account != 0 || p.slow(x, guessedPasskey) {
		return refuseJSON(x, http.StatusUnprocessableEntity, "passkey.wrong")
	}
	var owner keyOwner
	c, err := p.passkeys.FinishDiscoverableLogin(func(_, handle []byte) (webauthn.User, error) {
		if len(handle) != 4 {
			return nil, storage.ErrNotFound
		}
		var err error
		owner, err = p.keyOwner(storage.AccountID(binary.BigEndian.Uint32(handle)))
		return owner, err
	}, r.session, x.R)
	if err != nil || owner.account.Waiting || c.Authenticator.CloneWarning {
		p.guessed(x, guessedPasskey, x.R.URL.Query().Get("rite"))
		p.Logger.Info("passkey refused", "account", owner.account.ID, "error", err)
		return refuseJSON(x, http.StatusUnprocessableEntity, "passkey.wrong")
	}
	return p.enterByKey(x, owner, c)
}

func (p *Portal) enterByKey(x *page.Request, o keyOwner, c *webauthn.Credential) error {
	blob, err := json.Marshal(c)
	if err != nil {
		return err
	}
	now := p.Now()
	var token string
	err = p.DB.Update(func(tx *storage.Tx) (err error) {
		if err := mayEnter(tx, o.account.ID); err != nil {
			return err
		}
		for _, k := range signin.Passkeys(tx, o.account.ID) {
			if string(k.ID) == string(c.ID) {
				k.Credential, k.Used = blob, now
				if err := signin.PutPasskey(tx, o.account.ID, k); err != nil {
					return err
				}
			}
		}
		if x.Who.Account == uint32(o.account.ID) {
			token, err = signin.Prove(tx, x.Who.Token, now)
			return err
		}
		endSession(tx, x.Who.Token, now)
		if token, err = signin.Begin(tx, o.account.ID, x.R.UserAgent(), now); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, By: o.account.ID, About: o.account.ID, Did: "signin.passkey", Client: client(x).String()})
	})
	if err != nil {
		return err
	}
	x.SetSession(token, signin.Absolute)
	return answerJSON(x, map[string]string{"to": page.BackPath(x.R.URL.Query().Get("to"))})
}

func keyText(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

func (p *Portal) removePasskey(x *page.Request) error {
	id, err := base64.RawURLEncoding.DecodeString(x.Form("id"))
	if err == nil {
		err = p.change(x, "passkey.remove", func(tx *storage.Tx) error { return signin.RemovePasskey(tx, me(x), id) })
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	x.Redirect("/security?done=nopasskey")
	return nil
}
