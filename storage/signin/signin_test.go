package signin

import (
	"encoding/base32"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func open2(t *testing.T) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func do(t *testing.T, db *storage.DB, fn func(tx *storage.Tx) error) {
	t.Helper()
	if err := db.Update(fn); err != nil {
		t.Fatal(err)
	}
}

func TestSessions(t *testing.T) {
	db := open2(t)
	do(t, db, func(tx *storage.Tx) error {
		token, err := Begin(tx, 7, strings.Repeat("a", 1000), start)
		if err != nil {
			return err
		}
		s, stale, err := Resume(tx, token, start.Add(time.Minute))
		if err != nil || s.Account != 7 || stale || len(s.Agent) != 200 || !s.Fresh(start.Add(9*time.Minute)) || s.Fresh(start.Add(11*time.Minute)) {
			t.Errorf("resumed %+v stale %v: %v", s, stale, err)
		}
		if _, stale, _ := Resume(tx, token, start.Add(time.Hour)); !stale {
			t.Error("use after an hour need not be noted")
		}
		if _, _, err := Resume(tx, token, start.Add(13*time.Hour)); !errors.Is(err, ErrNoSession) {
			t.Errorf("after 13 idle hours: %v", err)
		}
		for at := start; at.Before(start.Add(Absolute)); at = at.Add(10 * time.Hour) {
			if err := Touch(tx, token, at); err != nil {
				t.Fatalf("used every 10 hours, at %v: %v", at.Sub(start), err)
			}
		}
		if err := Touch(tx, token, start.Add(Absolute+time.Hour)); !errors.Is(err, ErrNoSession) {
			t.Errorf("after thirty days: %v", err)
		}
		return nil
	})
	if err := db.View(func(tx *storage.Tx) error {
		for _, guess := range []string{"", "x", strings.Repeat("A", 43)} {
			if _, _, err := Resume(tx, guess, start); !errors.Is(err, ErrNoSession) {
				t.Errorf("token %q: %v", guess, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestProvingMovesTheSession(t *testing.T) {
	do(t, open2(t), func(tx *storage.Tx) error {
		old, _ := Begin(tx, 7, "", start)
		fresh, err := Prove(tx, old, start.Add(time.Hour))
		if err != nil {
			return err
		}
		if _, _, err := Resume(tx, old, start.Add(time.Hour)); !errors.Is(err, ErrNoSession) {
			t.Error("the token from before still opens it")
		}
		s, _, err := Resume(tx, fresh, start.Add(time.Hour))
		if err != nil || !s.Fresh(start.Add(time.Hour)) || !s.Created.Equal(start) {
			t.Errorf("%+v %v", s, err)
		}
		return nil
	})
}

func TestEndingSessions(t *testing.T) {
	do(t, open2(t), func(tx *storage.Tx) error {
		var tokens []string
		for i := range MaxSessions + 5 {
			token, err := Begin(tx, 7, "", start.Add(time.Duration(i)*time.Second))
			if err != nil {
				return err
			}
			tokens = append(tokens, token)
		}
		other, _ := Begin(tx, 8, "", start)
		now := start.Add(time.Hour)
		list := Sessions(tx, 7, now)
		if len(list) != MaxSessions {
			t.Errorf("%d sessions", len(list))
		}
		if err := End(tx, 8, list[0].ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("ending somebody else's: %v", err)
		}
		if err := End(tx, 7, list[0].ID); err != nil {
			t.Error(err)
		}
		last := tokens[len(tokens)-1]
		EndOthers(tx, 7, last)
		if _, _, err := Resume(tx, last, now); err != nil || len(Sessions(tx, 7, now)) != 1 {
			t.Errorf("after EndOthers %d are left, own: %v", len(Sessions(tx, 7, now)), err)
		}
		if done := Sweep(tx, now.Add(Absolute), 1); done {
			t.Error("a sweep of one looked at all")
		}
		Sweep(tx, now.Add(Absolute), 100)
		if n := len(hashes(tx, 7)) + len(hashes(tx, 8)); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		_ = other
		return nil
	})
}

// RFC 6238, appendix B (SHA-1).
func TestCodesOfTheRFC(t *testing.T) {
	for at, want := range map[int64]string{59: "94287082", 1111111109: "07081804", 1111111111: "14050471",
		1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130"} {
		if got := hotp([]byte("12345678901234567890"), uint64(at/30), 8); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

func TestOneTimeCodes(t *testing.T) {
	do(t, open2(t), func(tx *storage.Tx) error {
		uri, err := BeginCodes(tx, 7, "Nos Voisins", "amelie@coop.example")
		if err != nil {
			return err
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "otpauth" || u.Query().Get("issuer") != "Nos Voisins" {
			t.Fatalf("%s: %v", uri, err)
		}
		secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
		if err != nil {
			return err
		}
		code := func(at time.Time) string { return hotp(secret, uint64(at.Unix()/30), 6) }
		if HasCodes(tx, 7) || !errors.Is(UseCode(tx, 7, code(start), start), ErrCode) {
			t.Error("codes count before they are confirmed")
		}
		if err := ConfirmCodes(tx, 7, "000000", start); !errors.Is(err, ErrCode) || HasCodes(tx, 7) {
			t.Errorf("a wrong first code: %v", err)
		}
		if err := ConfirmCodes(tx, 7, code(start), start); err != nil || !HasCodes(tx, 7) {
			t.Errorf("the first code: %v", err)
		}
		if _, err := BeginCodes(tx, 7, "x", "y"); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("a second secret over a confirmed one: %v", err)
		}
		for _, c := range []struct {
			what string
			code string
			at   time.Time
			want error
		}{
			{"the same again", code(start), start, ErrCode},
			{"an older one", code(start.Add(-step)), start, ErrCode},
			{"a fast clock", code(start.Add(step)), start, nil},
			{"too far ahead", code(start.Add(5 * step)), start, ErrCode},
			{"with a space", code(start.Add(9 * step))[:3] + " " + code(start.Add(9 * step))[3:], start.Add(9 * step), nil},
			{"of another account", code(start.Add(20 * step)), start.Add(20 * step), nil},
		} {
			if err := UseCode(tx, 7, c.code, c.at); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.what, err)
			}
		}
		if err := UseCode(tx, 8, code(start.Add(30*step)), start.Add(30*step)); !errors.Is(err, ErrCode) {
			t.Errorf("account without codes: %v", err)
		}
		return nil
	})
}

func TestRecoveryCodesAreGoodOnce(t *testing.T) {
	do(t, open2(t), func(tx *storage.Tx) error {
		codes, err := NewRecoveryCodes(tx, 7)
		if err != nil || len(codes) != 10 {
			t.Fatalf("%v %v", codes, err)
		}
		if err := UseCode(tx, 8, codes[0], start); !errors.Is(err, ErrCode) {
			t.Errorf("for another account: %v", err)
		}
		if err := UseCode(tx, 7, strings.ToUpper(codes[0]), start); err != nil {
			t.Error(err)
		}
		if err := UseCode(tx, 7, codes[0], start); !errors.Is(err, ErrCode) || RecoveryCodesLeft(tx, 7) != 9 {
			t.Errorf("again: %v, %d left", err, RecoveryCodesLeft(tx, 7))
		}
		again, _ := NewRecoveryCodes(tx, 7)
		if err := UseCode(tx, 7, codes[1], start); !errors.Is(err, ErrCode) {
			t.Errorf("one of the old set: %v", err)
		}
		if err := UseCode(tx, 7, again[1], start); err != nil {
			t.Error(err)
		}
		return nil
	})
}

func TestPasskeys(t *testing.T) {
	do(t, open2(t), func(tx *storage.Tx) error {
		for i := range MaxPasskeys {
			if err := PutPasskey(tx, 7, Passkey{ID: []byte{byte(i)}, Name: "phone", Created: start}); err != nil {
				return err
			}
		}
		if err := PutPasskey(tx, 7, Passkey{ID: []byte("one more")}); !errors.Is(err, storage.ErrInvalid) {
			t.Errorf("beyond the limit: %v", err)
		}
		if err := PutPasskey(tx, 7, Passkey{ID: []byte{3}, Used: start}); err != nil || len(Passkeys(tx, 7)) != MaxPasskeys {
			t.Errorf("rewriting one: %v", err)
		}
		if err := RemovePasskey(tx, 8, []byte{3}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("somebody else's: %v", err)
		}
		Forget(tx, 7)
		if len(Passkeys(tx, 7)) != 0 {
			t.Error("some are left")
		}
		return nil
	})
}
