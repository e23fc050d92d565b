package local

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"essaim.coop/essaim/storage/kv"
	"essaim.coop/essaim/storage/kv/kvtest"
)

// small sizes, so that checkpoints, new segments and spare copies come often.
var small = Options{Overlay: 20_000, Segment: 300_000, Spare: 150_000, Ballast: -1}

func TestConformance(t *testing.T) {
	kvtest.Run(t,
		func(t testing.TB, dir string) kv.Engine { return open(t, dir, small) },
		func(e kv.Engine) { e.(*DB).kill() })
}

// The tree is lost before every start, and made anew.
func TestConformanceOfRebuiltTrees(t *testing.T) {
	spares := 0
	kvtest.Run(t,
		func(t testing.TB, dir string) kv.Engine {
			if !isSnapshot(dir) && os.Remove(filepath.Join(dir, "tree.db")) == nil {
				if _, err := Open(dir, small); !errors.Is(err, ErrNoTree) {
					t.Fatalf("without a tree: %v", err)
				}
				r, err := Rebuild(t.Context(), dir, small)
				if err != nil {
					t.Fatal(err)
				}
				if r.From != "" {
					spares++
				}
			}
			return open(t, dir, small)
		},
		func(e kv.Engine) { e.(*DB).kill() })
	if spares < 20 {
		t.Errorf("%d trees were made from a spare copy", spares)
	}
}

// isSnapshot tells a backup, which has no spare copy and keeps its tree.
func isSnapshot(dir string) bool { return filepath.Base(dir) == "snapshot" }

// kill ends the engine as a kill would: nothing more is written.
func (db *DB) kill() {
	if db.quiet != nil {
		db.quiet.Stop()
	}
	db.ckpt.Lock() // a checkpoint under way ends; the next finds the engine closed
	db.shown.Lock()
	db.closed = true
	db.shown.Unlock()
	db.ckpt.Unlock()
	db.broken.Store(true) // nor a group that nobody waits for any more
	db.flush <- struct{}{}
	<-db.flush
	db.goes.Wait()
	_ = db.release()
}
