package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"essaim.coop/essaim/internal/sasl"
	"essaim.coop/essaim/storage"

	"golang.org/x/crypto/argon2"
)

// An AppPassword is one device's. It is random, so a fast keyed hash protects
// it; the main password never goes to a mail program.
type AppPassword struct {
	ID      uint32 `json:"-"`
	Device  string
	Scope   Scope
	Hash    []byte // HMAC-SHA-256 with the store's key
	Stored  []byte // SCRAM StoredKey
	Server  []byte // SCRAM ServerKey
	Created time.Time
	Used    time.Time // to the hour
}

func newSalt() ([]byte, error) {
	b := make([]byte, 16)
	_, err := rand.Read(b)
	return b, err
}

// secret returns a random key of the store, making it at first use.
func secret(tx *storage.Tx, name string) ([]byte, error) {
	k := append([]byte{'h'}, name...)
	if v := tx.Get(k); v != nil {
		return v, nil
	}
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	tx.Put(k, b)
	return b, nil
}

func keyed(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

var passwordText = base32.NewEncoding("abcdefghijkmnpqrstuvwxyz23456789").WithPadding(base32.NoPadding)

// NewAppPassword makes a password of 160 random bits, without spaces, and
// returns it; it cannot be shown again.
func NewAppPassword(tx *storage.Tx, a storage.AccountID, device string, scope Scope, now time.Time) (string, uint32, error) {
	b := make([]byte, 20)
	if _, err := rand.Read(b); err != nil {
		return "", 0, err
	}
	plain := passwordText.EncodeToString(b)
	id, err := SetAppPassword(tx, a, device, scope, plain, now)
	return plain, id, err
}

// SetAppPassword adds an app password that somebody chose; it is for demos and
// tests.
func SetAppPassword(tx *storage.Tx, a storage.AccountID, device string, scope Scope, plain string, now time.Time) (uint32, error) {
	acct, err := Get(tx, a)
	if err != nil {
		return 0, err
	}
	if acct.Group {
		return 0, fmt.Errorf("a group has no password: %w", storage.ErrInvalid)
	}
	if !scope.Valid() {
		return 0, fmt.Errorf("scope %#x: %w", uint8(scope), storage.ErrInvalid)
	}
	pepper, err := secret(tx, "app passwords")
	if err != nil {
		return 0, err
	}
	sk, err := sasl.NewKey(plain, acct.Salt, sasl.Iterations)
	if err != nil {
		return 0, err
	}
	tx.Touch(storage.House)
	id := uint32(tx.NextID(fmt.Sprintf("password %d", a)))
	p := AppPassword{Device: device, Scope: scope, Hash: keyed(pepper, plain), Stored: sk.StoredKey[:], Server: sk.ServerKey[:], Created: now}
	return id, put(tx, passwordKey(a, id), p)
}

func passwordKey(a storage.AccountID, id uint32) []byte {
	return binary.BigEndian.AppendUint32(key('e', a, ""), id)
}

// AppPasswords returns an account's.
func AppPasswords(tx *storage.Tx, a storage.AccountID) (out []AppPassword) {
	tx.ScanPrefix(key('e', a, ""), func(rest, v []byte) bool {
		var p AppPassword
		if json.Unmarshal(v, &p) == nil {
			p.ID = binary.BigEndian.Uint32(rest)
			out = append(out, p)
		}
		return true
	})
	return out
}

// Revoke takes an app password away.
func Revoke(tx *storage.Tx, a storage.AccountID, id uint32) error {
	k := passwordKey(a, id)
	if tx.Get(k) == nil {
		return fmt.Errorf("app password %d: %w", id, storage.ErrNotFound)
	}
	tx.Touch(storage.House)
	tx.Delete(k)
	return nil
}

// A Service authenticates. Safe for concurrent use.
type Service struct {
	db  *storage.DB
	dir *Directory
	log *slog.Logger

	mu   sync.Mutex
	used map[usedKey]time.Time // app passwords whose use was noted lately
	goes sync.WaitGroup        // notes being written
	slow gate
	hash func(password, salt []byte, time, memory uint32, threads uint8, size uint32) []byte
}

type usedKey struct{ account, password uint32 }

// NewService makes the service of a store.
func NewService(db *storage.DB, log *slog.Logger) *Service {
	return &Service{db: db, dir: NewDirectory(db), log: log, used: map[usedKey]time.Time{}, slow: newGate(max(1, runtime.NumCPU()/2), 32, 3*time.Second), hash: argon2.IDKey}
}

// Directory is who there is.
func (s *Service) Directory() *Directory { return s.dir }

// For returns what a protocol authenticates with: app passwords of that scope.
func (s *Service) For(scope Scope) sasl.Authenticator { return scoped{s, scope} }

type scoped struct {
	*Service
	scope Scope
}

// Password is sasl.Authenticator.
func (s scoped) Password(name, password string) (sasl.Login, error) {
	e := s.dir.name(name)
	if e.err != nil && !unknown(e.err) {
		return sasl.Login{}, e.err
	}
	hash := keyed(e.pepper, password)
	var fit *AppPassword
	for _, p := range e.passwords {
		if subtle.ConstantTimeCompare(p.Hash, hash) == 1 && p.Scope&s.scope != 0 {
			fit = &p
		}
	}
	if fit == nil || e.Group || e.Waiting {
		return sasl.Login{}, sasl.ErrCredentials
	}
	login := e.login()
	login.AppPassword, login.Scope = fit.ID, uint32(fit.Scope)
	s.noteUse(login, *fit)
	return login, nil
}

// Holds is sasl.Authenticator. When the store cannot tell, a login holds.
func (s scoped) Holds(l sasl.Login) bool {
	e := s.dir.id(storage.AccountID(l.Account))
	if e.err != nil {
		return !unknown(e.err)
	}
	return !e.Group && !e.Waiting && slices.ContainsFunc(e.passwords, func(p AppPassword) bool {
		return p.ID == l.AppPassword && p.Scope&s.scope != 0
	})
}

// Watch is sasl.Authenticator.
func (s scoped) Watch(nudge func()) (stop func()) { return s.dir.Watch(nudge) }

func unknown(err error) bool {
	return errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrInvalid)
}

func (e *entry) login() sasl.Login {
	return sasl.Login{Account: uint32(e.ID), Address: e.Address}
}

// SCRAM is sasl.Authenticator. A name nobody has gets a salt that is its own
// and stays.
func (s scoped) SCRAM(name string) (sasl.Credentials, error) {
	c := sasl.Credentials{Iterations: sasl.Iterations}
	e := s.dir.name(name)
	c.Salt = keyed(e.pepper, "salt "+strings.ToLower(name))[:16]
	switch {
	case unknown(e.err) || e.Group || e.Waiting:
		return c, nil
	case e.err != nil:
		return sasl.Credentials{}, e.err
	}
	c.Salt, c.Login = e.Salt, e.login()
	for _, p := range e.passwords {
		if p.Scope&s.scope != 0 {
			k := sasl.Key{AppPassword: p.ID}
			copy(k.StoredKey[:], p.Stored)
			copy(k.ServerKey[:], p.Server)
			c.Keys = append(c.Keys, k)
		}
	}
	return c, nil
}

// noteUse remembers when a password was last used, to the hour, without making
// the login wait for the disk.
func (s *Service) noteUse(l sasl.Login, p AppPassword) {
	now := time.Now().Truncate(time.Hour)
	if !p.Used.Before(now) {
		return
	}
	k := usedKey{l.Account, p.ID}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.used[k].Before(now) {
		return
	}
	if len(s.used) > 10_000 {
		clear(s.used)
	}
	s.used[k] = now
	s.goes.Go(func() {
		err := s.db.Update(func(tx *storage.Tx) error {
			var p2 AppPassword
			row := passwordKey(storage.AccountID(l.Account), p.ID)
			if err := get(tx, row, &p2); err != nil {
				return err
			}
			p2.Used = now
			return put(tx, row, p2)
		})
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			s.log.Debug("noting the use of an app password", "error", err)
		}
	})
}

// Wait returns when what logins have left to write is written. Nobody may log
// in any more.
func (s *Service) Wait() { s.goes.Wait() }

// A mainPassword is for the web sign-in only.
type mainPassword struct {
	Hash, Salt   []byte
	Memory, Time uint32
}

// The cost of argon2id: OWASP's minimum, which a small board can bear.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
)

// HashMainPassword does the slow part of SetMainPassword, outside of any
// transaction. At most half of the processors hash at once; ErrTemporary when
// too many wait.
func (s *Service) HashMainPassword(ctx context.Context, password string) (func(*storage.Tx, storage.AccountID) error, error) {
	salt, err := newSalt()
	if err != nil {
		return nil, err
	}
	h, err := s.argon(ctx, password, mainPassword{Salt: salt, Memory: argonMemory, Time: argonTime})
	if err != nil {
		return nil, err
	}
	m := mainPassword{h, salt, argonMemory, argonTime}
	return func(tx *storage.Tx, a storage.AccountID) error { return put(tx, key('f', a, ""), m) }, nil
}

// CheckMainPassword reports who signs in. A name nobody has takes as long.
func (s *Service) CheckMainPassword(ctx context.Context, name, password string) (a Account, err error) {
	m := mainPassword{Salt: make([]byte, 16), Memory: argonMemory, Time: argonTime}
	known := false
	err = s.db.View(func(tx *storage.Tx) error {
		var err error
		if a, err = Lookup(tx, name); err == nil {
			known = get(tx, key('f', a.ID, ""), &m) == nil
		}
		return nil
	})
	if err != nil {
		return Account{}, err
	}
	h, err := s.argon(ctx, password, m)
	if err != nil {
		return Account{}, err
	}
	if subtle.ConstantTimeCompare(h, m.Hash) != 1 || !known {
		return Account{}, sasl.ErrCredentials
	}
	return a, nil
}

func (s *Service) argon(ctx context.Context, password string, m mainPassword) ([]byte, error) {
	if err := s.slow.enter(ctx); err != nil {
		return nil, err
	}
	defer s.slow.leave()
	return s.hash([]byte(password), m.Salt, m.Time, m.Memory, 1, 32), nil
}

// A gate lets few through at once and few wait.
type gate struct {
	places, queue chan struct{}
	wait          time.Duration
}

func newGate(places, queue int, wait time.Duration) gate {
	return gate{make(chan struct{}, places), make(chan struct{}, queue), wait}
}

func (g gate) enter(ctx context.Context) error {
	select {
	case g.queue <- struct{}{}:
	default:
		return fmt.Errorf("too many sign-ins at once: %w", storage.ErrTemporary)
	}
	defer func() { <-g.queue }()
	t := time.NewTimer(g.wait)
	defer t.Stop()
	select {
	case g.places <- struct{}{}:
		return nil
	case <-t.C:
		return fmt.Errorf("too many sign-ins at once: %w", storage.ErrTemporary)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) leave() { <-g.places }
