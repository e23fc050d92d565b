package main

import (
	"context"
	"runtime/metrics"
	"slices"
	"time"

	"essaim.coop/essaim/admin"
	"essaim.coop/essaim/internal/trace"
	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/storage"

	"golang.org/x/sys/unix"
)

// desk is where administrators work.
func (a *App) desk() *admin.Desk {
	return &admin.Desk{
		DB: a.db, Logger: a.log, Origin: a.cfg.origin(), Wake: a.queue.Wake, Traces: a.traces, Health: a.health, Site: a.site,
		Resolver: a.resolver, Done: a.done, Outbound: a.outbound, Backups: a.keeper,
	}
}

// traces are those of every door, newest first. Of IMAP and the web they say
// only when somebody was there, and are left out: the question is about mail.
func (a *App) traces() (out []*trace.Trace) {
	for _, kind := range []string{"smtp", "submission", "lmtp", "queue"} {
		out = append(out, a.rings[kind].Recent()...)
	}
	slices.SortFunc(out, func(x, y *trace.Trace) int { return y.Start.Compare(x.Start) })
	return out
}

// Below these somebody should look, or act.
const (
	diskLook, diskBad   = 0.15, 0.05 // free part
	certLook, certBad   = 20 * 24 * time.Hour, 5 * 24 * time.Hour
	queueLook, queueBad = time.Hour, 24 * time.Hour
	copyLook, copyBad   = 3 * 24 * time.Hour, 14 * 24 * time.Hour
	freePagesLook       = 0.5
)

// health says in plain figures how the machine is.
func (a *App) health(context.Context) []admin.Health {
	now := time.Now()
	out := []admin.Health{{What: "version", State: admin.Well, Value: version}, a.storeHealth()}
	var disk unix.Statfs_t
	if err := unix.Statfs(a.cfg.Data, &disk); err == nil && disk.Blocks > 0 {
		free := float64(disk.Bavail) / float64(disk.Blocks)
		out = append(out, admin.Health{What: "disk", State: below(free, diskLook, diskBad),
			Bytes: int64(disk.Bavail) * int64(disk.Bsize), Percent: int(free*100 + .5)})
	}
	if a.leaf != nil {
		out = append(out, a.certificateHealth(now))
	}
	out = append(out, a.backupHealth(now))
	if a.acme != nil {
		for _, err := range a.acme.Failed() {
			out = append(out, admin.Health{What: "authority", State: admin.Look, Value: err.Error()})
		}
	}
	if age, ok := a.oldestQueued(now); ok {
		out = append(out, admin.Health{What: "queue", State: above(age, queueLook, queueBad), Seconds: int64(age / time.Second)})
	}
	if st := a.db.Stats(); st.Tree > 0 {
		free := float64(st.TreeFree) / float64(st.Tree)
		out = append(out, admin.Health{What: "free", State: above(free, freePagesLook, 2), Percent: int(free*100 + .5)})
	}
	memory := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(memory)
	out = append(out, admin.Health{What: "memory", State: admin.Well,
		Bytes: int64(memory[0].Value.Uint64() - memory[1].Value.Uint64())})
	return out
}

func (a *App) storeHealth() admin.Health {
	if why := a.db.ReadOnly(); why != "" {
		return admin.Health{What: "store", State: admin.Bad, Value: why}
	}
	return admin.Health{What: "store", State: admin.Well}
}

// certificateHealth tells until when the certificate is good; a throwaway never
// is.
func (a *App) certificateHealth(now time.Time) admin.Health {
	h := admin.Health{What: "certificate", State: below(a.leaf().NotAfter.Sub(now), certLook, certBad), At: a.leaf().NotAfter}
	if a.provisional() && h.State == admin.Well {
		h.State = admin.Look
	}
	return h
}

// backupHealth tells how old the last verified backup is.
func (a *App) backupHealth(now time.Time) admin.Health {
	switch at, err := a.keeper.last(); {
	case err != nil:
		return admin.Health{What: "backup", State: admin.Bad, Value: err.Error()}
	case at.IsZero():
		return admin.Health{What: "backup", State: admin.Look}
	default:
		return admin.Health{What: "backup", State: above(now.Sub(at), copyLook, copyBad), At: at}
	}
}

func (a *App) oldestQueued(now time.Time) (age time.Duration, ok bool) {
	_ = a.db.View(func(tx *storage.Tx) error {
		return queue.List(tx, func(e *queue.Entry) bool {
			age, ok = max(age, now.Sub(e.Created)), true
			return true
		})
	})
	return age, ok
}

func below[T time.Duration | float64](v, look, bad T) string {
	switch {
	case v < bad:
		return admin.Bad
	case v < look:
		return admin.Look
	}
	return admin.Well
}

func above[T time.Duration | float64](v, look, bad T) string {
	switch {
	case v > bad:
		return admin.Bad
	case v > look:
		return admin.Look
	}
	return admin.Well
}
