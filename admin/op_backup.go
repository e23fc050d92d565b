package admin

import (
	"context"
	"fmt"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
)

// What is done about backups.
const (
	MakeBackup   = "backup"
	VerifyBackup = "verify" // restore it to a temporary place and look whether all is there
)

// Backups are made in the background, one at a time, whoever asks.
type Backups interface {
	State() (Backup, error)
	// Start begins one of the two works and does not wait for it. note is called
	// when nothing else is under way; when it fails nothing begins.
	// storage.ErrConflict while another is under way.
	Start(what string, note func() error) error
}

// A Backup is what there is to know of the cooperative's backup.
type Backup struct {
	Place    string        `json:"place"` // a directory; empty when none is configured
	Last     time.Time     `json:"last,omitzero"`
	Bytes    int64         `json:"bytes,omitempty"`
	Verified time.Time     `json:"verified,omitzero"` // when one was last restored and was whole
	Running  string        `json:"running,omitempty"` // backup or verify
	Since    time.Time     `json:"since,omitzero"`
	Failed   BackupFailure `json:"failed,omitzero"` // why the last work failed, if it did since the server started
}

// A BackupFailure is why a work was not done. Why is damage, full, rights,
// gone, stopped or other.
type BackupFailure struct {
	What   string    `json:"what"`
	Why    string    `json:"why"`
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
}

// Backup tells it.
func (d *Desk) Backup(context.Context, people.Actor, Nothing) (Backup, error) {
	return d.Backups.State()
}

// StartBackup starts one to the configured place.
func (d *Desk) StartBackup(_ context.Context, by people.Actor, _ Nothing) (Nothing, error) {
	return Nothing{}, d.startBackup(by, MakeBackup, "backup.start")
}

// StartVerify starts a restore of the backup to a temporary place.
func (d *Desk) StartVerify(_ context.Context, by people.Actor, _ Nothing) (Nothing, error) {
	return Nothing{}, d.startBackup(by, VerifyBackup, "backup.verify")
}

func (d *Desk) startBackup(by people.Actor, what, did string) error {
	b, err := d.Backups.State()
	switch {
	case err != nil:
		return err
	case b.Place == "":
		return page.Problem{Word: "backup.noplace", Err: fmt.Errorf("no place is configured: %w", storage.ErrConflict)}
	case what == VerifyBackup && b.Last.IsZero():
		return page.Problem{Word: "backup.nothing", Err: fmt.Errorf("there is no backup: %w", storage.ErrConflict)}
	}
	return d.Backups.Start(what, func() error {
		return d.change(func(tx *storage.Tx, _ time.Time) error { return d.note(tx, by, did, 0, b.Place) })
	})
}

// backupData is the page; ages are of now.
type backupData struct {
	Backup
	now time.Time
}

// Age, VerifiedAge and For are how long ago, and for how long.
func (b backupData) Age() time.Duration         { return b.now.Sub(b.Last) }
func (b backupData) VerifiedAge() time.Duration { return b.now.Sub(b.Verified) }
func (b backupData) For() time.Duration         { return b.now.Sub(b.Since) }

func (d *Desk) backupOf(*page.Request) (backupData, error) {
	b, err := d.Backups.State()
	return backupData{b, d.Now()}, err
}

func (d *Desk) backupPage(x *page.Request) error {
	b, err := d.backupOf(x)
	return show(x, "backup", "backup.title", b, err)
}

func (d *Desk) postBackup(x *page.Request) error {
	do, done := d.StartBackup, "backup"
	if x.Form("do") == VerifyBackup {
		do, done = d.StartVerify, "verify"
	}
	if _, err := do(x.R.Context(), actor(x), Nothing{}); err != nil {
		return again(x, "backup", "backup.title", err, d.backupOf)
	}
	x.Redirect("/admin/backup?done=" + done)
	return nil
}
