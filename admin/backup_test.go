package admin

import (
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"
)

// fakeBackups do nothing and remember what was started.
type fakeBackups struct {
	state   Backup
	started []string
}

func (f *fakeBackups) State() (Backup, error) { return f.state, nil }

func (f *fakeBackups) Start(what string, note func() error) error {
	if f.state.Running != "" {
		return page.Problem{Word: "backup.busy", Err: storage.ErrConflict}
	}
	if err := note(); err != nil {
		return err
	}
	f.started = append(f.started, what)
	f.state.Running, f.state.Since = what, start.Add(-90*time.Minute)
	return nil
}

func TestBackupByThePage(t *testing.T) {
	o := office(t)
	b := o.desk.Backups.(*fakeBackups)
	if body := o.get("/admin/backup"); !strings.Contains(body, "Write one line") || strings.Contains(body, `action="/admin/backup"`) {
		t.Errorf("without a place:\n%s", body)
	}
	if w := o.form("/admin/backup", "do", "backup"); w.Code != 422 || !strings.Contains(w.Body.String(), `role="alert"`) {
		t.Errorf("without a place: %d", w.Code)
	}
	b.state.Place = "/srv/copies"
	if w := o.form("/admin/backup", "do", "verify"); w.Code != 422 || len(b.started) != 0 {
		t.Errorf("tested what is not there: %d", w.Code)
	}
	if to := o.post("/admin/backup", "do", "backup"); to != "/admin/backup?done=backup" {
		t.Error(to)
	}
	body := o.get("/admin/backup?done=backup")
	for _, want := range []string{"The backup has begun", "/srv/copies", "For 1 hour, since", "never"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	if w := o.form("/admin/backup", "do", "backup"); w.Code != 422 || strings.Contains(body, `action="/admin/backup"`) {
		t.Errorf("two at once: %d", w.Code)
	}
	if status, _ := o.api("POST", "/api/backup", ""); status != 409 {
		t.Errorf("two at once: %d", status)
	}
	b.state = Backup{Place: "/srv/copies", Last: start.Add(-50 * time.Hour), Bytes: 3e9, Verified: start.Add(-10 * 24 * time.Hour)}
	body = o.get("/admin/backup")
	for _, want := range []string{"2 days ago", "3.0 GB", "10 days ago"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	if status, _ := o.api("POST", "/api/backup/verify", ""); status != 204 || len(b.started) != 2 || b.started[1] != VerifyBackup {
		t.Errorf("%d, %v", status, b.started)
	}
	if status, out := o.api("GET", "/api/backup", ""); status != 200 || out["running"] != "verify" || out["bytes"] != 3e9 {
		t.Errorf("%d %v", status, out)
	}
	if log := o.get("/admin/log"); strings.Count(log, "Backup started") != 1 || strings.Count(log, "Restore test started") != 1 {
		t.Error(log)
	}
}

// Every way to fail has its words, in every language.
func TestBackupFailuresInWords(t *testing.T) {
	o := office(t)
	for _, why := range []string{"damage", "full", "rights", "gone", "stopped", "other"} {
		for _, what := range []string{MakeBackup, VerifyBackup} {
			o.desk.Backups.(*fakeBackups).state = Backup{Place: "/srv/copies", Failed: BackupFailure{What: what, Why: why, Detail: "EIO", At: start}}
			if body := o.get("/admin/backup"); strings.Contains(body, "[backup.") || !strings.Contains(body, "EIO") {
				t.Errorf("%s of %s:\n%s", why, what, body)
			}
		}
	}
}
