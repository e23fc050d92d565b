package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"essaim.coop/essaim/admin"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
)

// What the page starts is done in the background, one at a time, and what
// became of it is there to be read.
func TestBackupsAreMadeAndTried(t *testing.T) {
	place := filepath.Join(t.TempDir(), "copies")
	a := webApp(t, Config{Hostname: "mail.coop.example", Backup: place})
	everybody(t, a)
	body := make([]byte, 100_000) // what is damaged below
	_, _ = rand.Read(body)
	if err := a.deliverSample(t.Context(), "ann@elsewhere.example", "member@coop.example", []byte("From: ann@elsewhere.example\r\nDate: Sat, 28 Nov 2026 12:00:00 +0000\r\nSubject: x\r\n\r\n"+hex.EncodeToString(body))); err != nil {
		t.Fatal(err)
	}
	desk := a.desk()
	state := func() admin.Backup {
		t.Helper()
		a.goes.Wait()
		b, err := a.keeper.State()
		if err != nil || b.Running != "" {
			t.Fatalf("%+v, %v", b, err)
		}
		return b
	}
	do := func(fn func(context.Context, people.Actor, admin.Nothing) (admin.Nothing, error)) admin.Backup {
		t.Helper()
		if _, err := fn(t.Context(), people.Actor{}, admin.Nothing{}); err != nil {
			t.Fatal(err)
		}
		return state()
	}
	desk.Now = time.Now
	if b := state(); b.Place != place || !b.Last.IsZero() {
		t.Errorf("%+v", b)
	}
	made := do(desk.StartBackup)
	if made.Last.IsZero() || made.Bytes == 0 || made.Failed.Why != "" || !made.Verified.IsZero() {
		t.Errorf("%+v", made)
	}
	tried := do(desk.StartVerify)
	if tried.Verified.IsZero() || tried.Failed.Why != "" {
		t.Errorf("%+v", tried)
	}
	if _, err := os.Stat(a.keeper.trialDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the restored copy is still there: %v", err)
	}

	if err := a.keeper.claim(admin.MakeBackup, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := desk.StartBackup(t.Context(), people.Actor{}, admin.Nothing{}); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("two at once: %v", err)
	}
	a.keeper.release()
	if err := a.keeper.Start(admin.MakeBackup, func() error { return storage.ErrFull }); !errors.Is(err, storage.ErrFull) || state().Last != made.Last {
		t.Errorf("without a note in the log: %v", err)
	}

	damageLargest(t, place)
	if b := do(desk.StartVerify); b.Failed.Why != "damage" || b.Failed.What != admin.VerifyBackup || b.Verified != tried.Verified {
		t.Errorf("a damaged backup: %+v", b)
	}
	if err := os.RemoveAll(place); err != nil {
		t.Fatal(err)
	}
	if b := do(desk.StartVerify); b.Failed.Why != "gone" {
		t.Errorf("no backup: %+v", b)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	a.keeper.life = ended
	if b := do(desk.StartBackup); b.Failed.Why != "stopped" {
		t.Errorf("a stop: %+v", b)
	}
}

// damageLargest changes a byte in the middle of a directory's largest file.
func damageLargest(t *testing.T, dir string) {
	t.Helper()
	largest, size := "", int64(0)
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "tree.db" {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > size {
			largest, size = path, info.Size()
		}
		return err
	}); err != nil || size == 0 {
		t.Fatalf("nothing to damage in %s: %v", dir, err)
	}
	b, err := os.ReadFile(largest)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(largest, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhyABackupFailed(t *testing.T) {
	for want, err := range map[string]error{"full": storage.ErrFull, "rights": os.ErrPermission, "gone": os.ErrNotExist, "stopped": context.Canceled, "other": errors.New("x")} {
		if f := failure(admin.MakeBackup, nil, err, time.Now()); f.Why != want {
			t.Errorf("%v: %+v", err, f)
		}
	}
}

// What a crash leaves of a restore test is gone with the next start.
func TestTrialIsRemovedAtTheStart(t *testing.T) {
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "restore-test", "journal"), 0o700); err != nil {
		t.Fatal(err)
	}
	a, err := openApp(Config{Data: data}, discardLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := os.Stat(a.keeper.trialDir()); !errors.Is(err, os.ErrNotExist) {
		t.Error("it is still there")
	}
}
