package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/admin"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

// Who left two weeks ago is gone, who left yesterday and who came back is not;
// what has ended is swept, what has not stays.
func TestDeadlinesOfPeople(t *testing.T) {
	a := webApp(t, Config{Hostname: "mail.coop.example"})
	who := everybody(t, a)
	now := time.Now()
	var over, open string
	if err := a.db.Update(func(tx *storage.Tx) (err error) {
		for name, left := range map[string]time.Duration{"member": people.Undo + time.Hour, "another": 24 * time.Hour} {
			if _, err := people.Leave(tx, who[name], people.Actor{}, now.Add(-left)); err != nil {
				return err
			}
		}
		if over, err = signin.Begin(tx, who["administrator"], "", now.AddDate(0, -2, 0)); err != nil {
			return err
		}
		if open, err = signin.Begin(tx, who["administrator"], "", now); err != nil {
			return err
		}
		for _, at := range []time.Time{now.AddDate(0, 0, -3), now} {
			if _, err := register.Invite(tx, register.Invitation{Domain: "coop.example", Uses: 1, Expires: at.Add(48 * time.Hour)}, at); err != nil {
				return err
			}
		}
		return audit.Append(tx, audit.Entry{At: now.AddDate(-1, 0, 0), Did: "test", Client: "192.0.2.1"})
	}); err != nil {
		t.Fatal(err)
	}
	next, err := a.meetDeadlines(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	if !next.Equal(now.Add(deadlinesSleep)) {
		t.Errorf("next in %v", next.Sub(now))
	}
	if next, err := a.meetDeadlines(t.Context(), now.Add(people.Undo-30*time.Hour)); err != nil || next.Sub(now) != people.Undo-24*time.Hour {
		t.Errorf("the next one who leaves: %v, %v", next.Sub(now), err)
	}
	_ = a.db.View(func(tx *storage.Tx) error {
		if _, err := accounts.Get(tx, who["member"]); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("who left: %v", err)
		}
		if _, err := accounts.Get(tx, who["another"]); err != nil {
			t.Errorf("who can come back: %v", err)
		}
		if _, _, err := signin.Resume(tx, over, now.AddDate(0, -2, 0)); err == nil {
			t.Error("a session that was over is kept")
		}
		if _, _, err := signin.Resume(tx, open, now); err == nil {
			t.Error("a session of two weeks ago is kept")
		}
		invitations := 0
		register.Invitations(tx, func(register.Invitation) bool { invitations++; return true })
		if invitations != 0 { // the second one ended before the second round
			t.Errorf("%d invitations", invitations)
		}
		deleted := false
		err := audit.Entries(tx, 0, func(e audit.Entry) bool {
			deleted = deleted || e.Did == "member.delete" && e.About == who["member"]
			return true
		})
		if err != nil || !deleted {
			t.Errorf("the log tells of it: %v, %v", deleted, err)
		}
		return audit.Verify(tx)
	})
}

// Who comes back just before the deletion stays.
func TestWhoCameBackStays(t *testing.T) {
	a := webApp(t, Config{Hostname: "mail.coop.example"})
	who := everybody(t, a)
	if err := a.bury(t.Context(), who["member"], time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := a.db.View(func(tx *storage.Tx) error { _, err := accounts.Get(tx, who["member"]); return err }); err != nil {
		t.Error(err)
	}
}

// The command line goes the way of the pages: in the audit log, and never
// without the last administrator.
func TestStandingOnTheCommandLine(t *testing.T) {
	a := webApp(t, Config{Hostname: "mail.coop.example"})
	who := everybody(t, a)
	command := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := runInServer(t.Context(), a, append([]string{"--data", a.cfg.Data, "--config", a.cfg.Data + "/none.toml"}, args...), &out)
		return out.String(), err
	}
	for _, args := range [][]string{
		{"member", "set", "member@coop.example", "--suspended", "--name", "Bram"},
		{"member", "set", "another@coop.example", "--no-admin"},
	} {
		if out, err := command(args...); err != nil {
			t.Fatal(args, out, err)
		}
	}
	if _, err := command("member", "set", "administrator@coop.example", "--no-admin"); err == nil {
		t.Error("the last administrator is gone")
	}
	out, err := command("member", "recover", "member@coop.example")
	if err != nil {
		t.Fatal(err)
	}
	code, _, _ := strings.Cut(out, "\n")
	var did []string
	if err := a.db.Update(func(tx *storage.Tx) error {
		if err := audit.Entries(tx, 0, func(e audit.Entry) bool { did = append(did, e.Did); return true }); err != nil {
			return err
		}
		m, err := accounts.Get(tx, who["member"])
		if err != nil || !m.Suspended || m.Name != "Bram" {
			t.Errorf("%+v, %v", m, err)
		}
		return signin.UseRecovery(tx, who["member"], code)
	}); err != nil {
		t.Errorf("code %q: %v", code, err)
	}
	for _, want := range []string{"member.suspend", "admin.end", "password.reset"} {
		if !slices.Contains(did, want) {
			t.Errorf("the log does not tell of %s: %v", want, did)
		}
	}
}

// A verified backup is remembered and shown; one that nobody made is asked for.
func TestBackupAgeIsShown(t *testing.T) {
	a := webApp(t, Config{Hostname: "mail.coop.example"})
	shown := func() admin.Health {
		list := a.health(context.Background())
		i := slices.IndexFunc(list, func(h admin.Health) bool { return h.What == "backup" })
		return list[i]
	}
	if h := shown(); h.State != admin.Look {
		t.Errorf("never: %+v", h)
	}
	e := &env{ctx: t.Context(), out: io.Discard, app: a, config: a.cfg.Data + "/none.toml", data: a.cfg.Data}
	if err := (&backupCmd{}).Run(e); err == nil {
		t.Error("a backup to nowhere")
	}
	a.cfg.Backup = t.TempDir() + "/copy"
	if err := (&backupCmd{}).Run(e); err != nil {
		t.Fatal(err)
	}
	if h := shown(); h.State != admin.Well {
		t.Errorf("just made: %+v", h)
	}
	if h := a.backupHealth(time.Now().Add(30 * 24 * time.Hour)); h.State != admin.Bad {
		t.Errorf("a month old: %+v", h)
	}
}

// What was restored by mistake is not lost: the store that was there is set
// aside.
func TestRestoreReplaces(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) (string, int) {
		var out bytes.Buffer
		status := Main(context.Background(), append([]string{"--config", dir + "/none.toml", "--data", dir + "/data"}, args...), strings.NewReader(""), &out, &out)
		return out.String(), status
	}
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"domain", "add", "coop.example"}, 0, ""},
		{[]string{"backup", dir + "/copy"}, 0, "clean"},
		{[]string{"verify", dir + "/copy"}, 0, "clean"},
		{[]string{"verify", dir + "/nothing"}, 1, ""},
		{[]string{"verify"}, 1, "set backup in the configuration"},
		{[]string{"domain", "add", "later.example"}, 0, ""},
		{[]string{"restore", dir + "/copy"}, 1, ""},
		{[]string{"restore", "--replace", dir + "/nothing"}, 1, ""},
		{[]string{"domain", "list"}, 0, "later.example"},
		{[]string{"restore", "--replace", dir + "/copy"}, 0, ".aside-"},
	} {
		if out, status := run(c.args...); status != c.status || !strings.Contains(out, c.says) {
			t.Fatalf("%v: %d %s", c.args, status, out)
		}
	}
	if out, _ := run("domain", "list"); !strings.Contains(out, "coop.example") || strings.Contains(out, "later.example") {
		t.Errorf("restored: %s", out)
	}
}
