package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Housekeeping finds the store in order, says when it is not, and notes when it
// looked.
func TestHousekeeping(t *testing.T) {
	cfg := defaultConfig()
	cfg.Data, cfg.Hostname = t.TempDir(), "mx.coop.example"
	var log bytes.Buffer
	a, err := openApp(cfg, newLogger(&log))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.checkAfterCrash(t.Context())
	a.scrub(t.Context())
	if s := log.String(); !strings.Contains(s, `msg="checked after an unclean stop" problems=0`) ||
		!strings.Contains(s, `"pass complete"=true problems=0`) || a.db.LastScrub().IsZero() {
		t.Errorf("last scrub %v, log:\n%s", a.db.LastScrub(), s)
	}
	log.Reset()
	if err := os.WriteFile(filepath.Join(cfg.storeDir(), "failed"), []byte("rot"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.scrub(t.Context())
	if s := log.String(); !strings.Contains(s, `problem="failed: `) || !strings.Contains(s, "problems=1") {
		t.Errorf("with damage:\n%s", s)
	}
}
