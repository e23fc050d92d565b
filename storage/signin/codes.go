package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // RFC 6238 §1.2: what authenticator apps compute
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
)

// Ten codes of 50 bits: one in 10^14 guesses, and guesses are limited.
const (
	recoveryCodes = 10
	recoveryLen   = 10
)

// ErrCode says that a code is wrong, used up or too old.
var ErrCode = errors.New("wrong code")

// totp are the one-time codes of an account (RFC 6238): SHA-1, 30 s, six digits.
type totp struct {
	Sealed    []byte // nonce and secret under the store's key
	Confirmed bool   // a first code came back; before that it is no second factor
	Last      int64  // the last step used, so that a code is good once (RFC 6238 §5.2)
}

const (
	step  = 30 * time.Second
	drift = 1 // steps that a phone's clock may be off, either way (RFC 6238 §6)
)

var base32Secret = base32.StdEncoding.WithPadding(base32.NoPadding)

// BeginCodes makes the secret for an authenticator app and returns the URI to
// show as a QR code. It counts as a second factor only after ConfirmCodes.
func BeginCodes(tx *storage.Tx, a storage.AccountID, issuer, name string) (uri string, err error) {
	if t, ok := readTOTP(tx, a); ok && t.Confirmed {
		return "", fmt.Errorf("one-time codes are set up already: %w", storage.ErrConflict)
	}
	secret := make([]byte, 20)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	sealed, err := seal(tx, a, secret)
	if err != nil {
		return "", err
	}
	return codesURI(secret, issuer, name), writeTOTP(tx, a, totp{Sealed: sealed})
}

// PendingCodes is the URI once more that BeginCodes returned, while no code has
// come back: who mistyped one need not scan again.
func PendingCodes(tx *storage.Tx, a storage.AccountID, issuer, name string) (uri string, err error) {
	t, ok := readTOTP(tx, a)
	if !ok || t.Confirmed {
		return "", fmt.Errorf("one-time codes are not begun: %w", storage.ErrNotFound)
	}
	secret, err := open(tx, a, t.Sealed)
	return codesURI(secret, issuer, name), err
}

func codesURI(secret []byte, issuer, name string) string {
	q := url.Values{"secret": {base32Secret.EncodeToString(secret)}, "issuer": {issuer}}
	return "otpauth://totp/" + url.PathEscape(issuer+":"+name) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// ConfirmCodes takes the first code from the app and switches codes on.
func ConfirmCodes(tx *storage.Tx, a storage.AccountID, code string, now time.Time) error {
	t, ok := readTOTP(tx, a)
	if !ok {
		return fmt.Errorf("one-time codes are not begun: %w", storage.ErrNotFound)
	}
	t.Confirmed = true
	return useTOTP(tx, a, t, code, now)
}

// HasCodes reports whether one-time codes are asked for at sign-in.
func HasCodes(tx *storage.Tx, a storage.AccountID) bool {
	t, ok := readTOTP(tx, a)
	return ok && t.Confirmed
}

// UseCode takes a code from the authenticator app, or a recovery code, which
// it uses up. ErrCode when it is neither.
func UseCode(tx *storage.Tx, a storage.AccountID, code string, now time.Time) error {
	code = strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(code))
	if t, ok := readTOTP(tx, a); ok && t.Confirmed && len(code) == 6 {
		return useTOTP(tx, a, t, code, now)
	}
	return UseRecovery(tx, a, code)
}

func useTOTP(tx *storage.Tx, a storage.AccountID, t totp, code string, now time.Time) error {
	secret, err := open(tx, a, t.Sealed)
	if err != nil {
		return err
	}
	at := now.Unix() / int64(step/time.Second)
	for n := at - drift; n <= at+drift; n++ {
		if n > t.Last && subtle.ConstantTimeCompare([]byte(hotp(secret, uint64(n), 6)), []byte(code)) == 1 {
			t.Last = n
			return writeTOTP(tx, a, t)
		}
	}
	return ErrCode
}

// hotp is RFC 4226 §5.3.
func hotp(secret []byte, counter uint64, digits int) string {
	m := hmac.New(sha1.New, secret)
	_ = binary.Write(m, binary.BigEndian, counter)
	sum := m.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&15:]) & 0x7fffffff
	mod := uint32(1)
	for range digits {
		mod *= 10
	}
	return fmt.Sprintf("%0*d", digits, n%mod)
}

func readTOTP(tx *storage.Tx, a storage.AccountID) (t totp, ok bool) {
	b := tx.Get(accountKey('U', a, []byte{'t'}))
	return t, b != nil && json.Unmarshal(b, &t) == nil
}

func writeTOTP(tx *storage.Tx, a storage.AccountID, t totp) error {
	b, err := json.Marshal(t)
	if err == nil {
		tx.Put(accountKey('U', a, []byte{'t'}), b)
	}
	return err
}

var recoveryText = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// NewRecoveryCodes replaces an account's recovery codes and returns the new
// ones, to print. Each is good once, where a one-time code is asked for.
func NewRecoveryCodes(tx *storage.Tx, a storage.AccountID) ([]string, error) {
	codes, kept := make([]string, recoveryCodes), make([]string, recoveryCodes)
	for i := range codes {
		raw := make([]byte, 7)
		if _, err := rand.Read(raw); err != nil {
			return nil, err
		}
		c := recoveryText.EncodeToString(raw)[:recoveryLen]
		codes[i], kept[i] = c[:5]+"-"+c[5:], hex.EncodeToString(hashOf(c))
	}
	return codes, writeRecovery(tx, a, kept)
}

// RecoveryCodesLeft returns how many are not used.
func RecoveryCodesLeft(tx *storage.Tx, a storage.AccountID) int { return len(readRecovery(tx, a)) }

// UseRecovery uses a recovery code up. ErrCode when it is none of the account.
func UseRecovery(tx *storage.Tx, a storage.AccountID, code string) error {
	code = strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(code))
	kept, hash := readRecovery(tx, a), hex.EncodeToString(hashOf(code))
	for i, k := range kept {
		if subtle.ConstantTimeCompare([]byte(k), []byte(hash)) == 1 {
			return writeRecovery(tx, a, append(kept[:i:i], kept[i+1:]...))
		}
	}
	return ErrCode
}

func readRecovery(tx *storage.Tx, a storage.AccountID) (kept []string) {
	if b := tx.Get(accountKey('U', a, []byte{'r'})); b != nil {
		_ = json.Unmarshal(b, &kept) // damage reads as no codes
	}
	return kept
}

func writeRecovery(tx *storage.Tx, a storage.AccountID, kept []string) error {
	b, err := json.Marshal(kept)
	if err == nil {
		tx.Put(accountKey('U', a, []byte{'r'}), b)
	}
	return err
}

// RemoveTOTP switches one-time codes off; recovery codes stay.
func RemoveTOTP(tx *storage.Tx, a storage.AccountID) {
	tx.Delete(accountKey('U', a, []byte{'t'}))
}

// RemoveCodes switches one-time codes off and drops the recovery codes.
func RemoveCodes(tx *storage.Tx, a storage.AccountID) {
	tx.Delete(accountKey('U', a, []byte{'t'}))
	tx.Delete(accountKey('U', a, []byte{'r'}))
}

// seal and open keep a secret of an account under a key of the store.
func seal(tx *storage.Tx, a storage.AccountID, secret []byte) ([]byte, error) {
	g, err := sealer(tx, true)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, g.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return g.Seal(nonce, nonce, secret, accountKey('U', a, nil)), nil
}

func open(tx *storage.Tx, a storage.AccountID, sealed []byte) ([]byte, error) {
	g, err := sealer(tx, false)
	if err != nil {
		return nil, err
	}
	if len(sealed) < g.NonceSize() {
		return nil, fmt.Errorf("secret of account %d: %w", a, storage.ErrInvalid)
	}
	return g.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], accountKey('U', a, nil))
}

func sealer(tx *storage.Tx, fresh bool) (cipher.AEAD, error) {
	key := tx.Get([]byte("Ukey"))
	if key == nil && fresh {
		key = make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
		tx.Put([]byte("Ukey"), key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// CodeAt is what an authenticator app shows that was given a secret in base32.
func CodeAt(secret string, now time.Time) string {
	raw, err := base32Secret.DecodeString(secret)
	if err != nil {
		return ""
	}
	return hotp(raw, uint64(now.Unix()/int64(step/time.Second)), 6)
}
