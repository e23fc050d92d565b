package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"

	"essaim.coop/essaim/imap"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/smtp"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/kv"
)

// counters are the doors whose figures are shown.
type counters struct {
	smtp map[string]*smtp.Server
	imap *imap.Server
	web  map[string]*web.Server
}

// metricsHandler answers in Prometheus' text format, counting when asked.
func (a *App) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		a.writeMetrics(w)
	})
	return mux
}

func (a *App) writeMetrics(w io.Writer) {
	put := func(name string, v any) { fmt.Fprintf(w, "essaim_%s %v\n", name, v) }
	st := a.db.Stats()
	put("store_commits_total", st.Commits)
	put("store_syncs_total", st.Syncs)
	put("store_checkpoints_total", st.Checkpoints)
	for _, c := range causes(st.Written) {
		put(fmt.Sprintf("store_written_bytes_total{cause=%q}", c.name), c.bytes)
	}
	put("store_journal_bytes", st.Journal)
	put("store_journal_live_bytes", st.JournalLive)
	put("store_tree_bytes", st.Tree)
	put("store_tree_free_bytes", st.TreeFree)
	put("store_overlay_bytes", st.Overlay)
	for _, kind := range slices.Sorted(maps.Keys(a.metrics.smtp)) {
		c := &a.metrics.smtp[kind].Counters
		label := func(n string) string { return fmt.Sprintf("%s{service=%q}", n, kind) }
		put(label("smtp_connections_total"), c.Accepted.Load())
		put(label("smtp_refused_connections_total"), c.Refused.Load())
		put(label("smtp_delivered_total"), c.Delivered.Load())
		put(label("smtp_rejected_total"), c.Rejected.Load())
		put(label("smtp_logins_total"), c.Logins.Load())
		put(label("smtp_login_failures_total"), c.LoginFailures.Load())
		put(label("smtp_internal_errors_total"), c.Internal.Load())
	}
	if m := a.metrics.imap; m != nil {
		put("imap_connections_total", m.Counters.Accepted.Load())
		put("imap_open", m.Counters.Open.Load())
		put("imap_idle", m.Counters.Idle.Load())
		put("imap_commands_total", m.Counters.Commands.Load())
		put("imap_pushes_total", m.Counters.Pushes.Load())
		put("imap_logins_total", m.Counters.Logins.Load())
		put("imap_login_failures_total", m.Counters.LoginFailures.Load())
		put("imap_internal_errors_total", m.Counters.Internal.Load()+m.Counters.Panics.Load())
	}
	for _, kind := range slices.Sorted(maps.Keys(a.metrics.web)) {
		c := &a.metrics.web[kind].Counters
		label := func(n string) string { return fmt.Sprintf("%s{service=%q}", n, kind) }
		put(label("http_connections_total"), c.Accepted.Load())
		put(label("http_refused_connections_total"), c.Refused.Load())
		put(label("http_open"), c.Open.Load())
		put(label("http_requests_total"), c.Requests.Load())
		put(label("http_internal_errors_total"), c.Internal.Load())
	}
	put("http_login_failures_total", a.gate.Failures.Load())
	waiting := 0
	_ = a.db.View(func(tx *storage.Tx) error { waiting = queue.Count(tx); return nil })
	put("queue_entries", waiting)
	put("queue_sent_total", a.queue.Counters.Sent.Load())
	put("queue_deferred_total", a.queue.Counters.Deferred.Load())
	put("queue_returned_total", a.queue.Counters.Returned.Load())
	put("queue_unknown_total", a.queue.Counters.Unknown.Load())
	put("goroutines", runtime.NumGoroutine())
}

type cause struct {
	name  string
	bytes uint64
}

func causes(w kv.Written) []cause {
	return []cause{
		{"bodies", w.Bodies}, {"redo", w.Redo}, {"frames", w.Frames}, {"rest", w.Rest},
		{"files", w.Files}, {"tree", w.Tree}, {"spare", w.Spare},
	}
}
