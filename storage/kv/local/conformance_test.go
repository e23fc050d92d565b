package local

import (
	"testing"

	"essaim.coop/essaim/storage/kv"
	"essaim.coop/essaim/storage/kv/kvtest"
)

func TestConformance(t *testing.T) {
	kvtest.Run(t,
		// Small sizes, so that checkpoints and new segments come often.
		func(t testing.TB, dir string) kv.Engine {
			return open(t, dir, Options{Overlay: 20_000, Segment: 300_000, Ballast: -1})
		},
		func(e kv.Engine) { e.(*DB).kill() })
}

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
