package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"essaim.coop/essaim/imap"
	"essaim.coop/essaim/internal/certs"
	"essaim.coop/essaim/internal/trace"
	"essaim.coop/essaim/internal/web"
	"essaim.coop/essaim/internal/zone"
	"essaim.coop/essaim/mailflow"
	"essaim.coop/essaim/mailflow/itip"
	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/smtp"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
)

// graceful is how long commands under way may take at a stop.
const graceful = 20 * time.Second

// An App is the whole house: the store and the rooms that stand on it.
type App struct {
	cfg   Config
	log   *slog.Logger
	db    *storage.DB
	auth  *accounts.Service
	mail  *mailflow.Mail
	queue *queue.Queue
	// scheduling brings invitations to calendars and mailboxes.
	scheduling *itip.Service
	views      *mailbox.Views
	rings      map[string]*trace.Ring
	gate       *web.Gate     // of logins on the web
	keeper     *backupKeeper // of backups

	goes    sync.WaitGroup
	servers []service
	metrics counters
	acme    *certs.ACME              // nil: certificates come from files
	leaf    func() *x509.Certificate // the one in service
	// provisional reports whether that is a throwaway; it is set with leaf.
	provisional func() bool
	// What is asked of the world outside, for the first steps.
	resolver func() (zone.Resolver, error)
	outbound func(context.Context, zone.Resolver) error
}

// A service is one door on its listeners.
type service struct {
	name      string
	addresses []string
	serve     func(net.Listener) error
	shutdown  func(context.Context) error
}

// openApp opens the store and builds the rooms that need no network.
func openApp(cfg Config, log *slog.Logger) (*App, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, err
	}
	db, err := storage.Open(cfg.storeDir(), storage.Options{Logger: log})
	if err != nil {
		return nil, fmt.Errorf("opening the store in %s: %w", cfg.storeDir(), err)
	}
	a := &App{cfg: cfg, log: log, db: db, auth: accounts.NewService(db, log), views: mailbox.NewViews(0),
		rings: map[string]*trace.Ring{}, gate: &web.Gate{Log: log}}
	a.gate.Exempt = a.trusted
	a.keeper = newBackupKeeper(a)
	a.resolver, a.outbound = systemResolver, outbound
	for _, kind := range traceKinds {
		a.rings[kind] = trace.NewRing(kind)
	}
	if err := a.wireMail(); err != nil {
		db.Close()
		return nil, err
	}
	return a, nil
}

// wireMail joins the flow of mail to the queue: each needs the other, as a
// report the queue writes takes the way of all mail.
func (a *App) wireMail() error {
	password, err := a.cfg.relayPassword()
	if err != nil {
		return err
	}
	a.mail = &mailflow.Mail{DB: a.db, Auth: a.auth, Hostname: a.cfg.Hostname, Log: a.log}
	a.queue = &queue.Queue{
		DB: a.db, Hostname: a.cfg.Hostname, Log: a.log, Routes: a.cfg.Routes,
		Relay: a.cfg.Relay, RelayUser: a.cfg.RelayUser, RelayPassword: password,
		Into: a.mail.Into, Return: a.mail.Return, NewTrace: func(s string) queue.Trace { return a.rings["queue"].New(s) },
	}
	a.mail.Wake = a.queue.Wake
	a.scheduling = &itip.Service{DB: a.db, Hostname: a.cfg.Hostname, Log: a.log, Post: a.mail.Post, Wake: a.queue.Wake}
	a.mail.Arrived = func(tx *storage.Tx, to, login storage.AccountID, in *mailbox.Incoming) error {
		return itip.Arrived(tx, to, login, false, in)
	}
	return nil
}

// Close closes the store.
func (a *App) Close() error {
	a.auth.Wait()
	return a.db.Close()
}

// run serves until ctx ends or a part fails for good, then stops in order: no
// new work, the work under way, the queue, the store. It calls ready when
// everything answers, and closes the store.
func (a *App) run(ctx context.Context, ready func() error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := a.start(ctx, cancel)
	if err == nil {
		err = ready()
	}
	if err == nil {
		_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
		a.log.Info("serving", "version", version, "hostname", a.cfg.Hostname)
		select {
		case <-ctx.Done():
		case <-a.db.Failed():
			// A sync that failed is final: what is not acknowledged must not be.
			a.log.Error("the disk failed to sync; stopping without acknowledging anything more")
			os.Exit(74) // EX_IOERR; systemd starts us again and the store verifies itself
		}
		err = context.Cause(ctx)
	}
	cancel(nil)
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	a.stop()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, a.Close())
}

func (a *App) start(ctx context.Context, fail context.CancelCauseFunc) error {
	a.keeper.life = ctx
	conf, err := a.tlsConfig()
	if err != nil {
		return err
	}
	a.buildServices(conf)
	if err := a.buildWeb(conf); err != nil {
		return err
	}
	named, err := activation.ListenersWithNames()
	if err != nil {
		return err
	}
	inherited := byService(named)
	for _, s := range a.servers {
		listeners, err := s.listen(ctx, inherited[s.name])
		if err != nil {
			return err
		}
		for _, ln := range listeners {
			a.log.Info("listening", "service", s.name, "address", ln.Addr().String())
			a.goes.Go(func() {
				if err := s.serve(ln); err != nil && ctx.Err() == nil {
					fail(fmt.Errorf("%s: %w", s.name, err))
				}
			})
		}
	}
	if a.db.ReadOnly() == "" { // what is sent must be written down, or it is sent again
		a.goes.Go(func() {
			if err := a.queue.Run(ctx); err != nil && ctx.Err() == nil {
				fail(fmt.Errorf("queue: %w", err))
			}
		})
		a.goes.Go(func() {
			if err := a.scheduling.Run(ctx); err != nil && ctx.Err() == nil {
				fail(fmt.Errorf("scheduling: %w", err))
			}
		})
		a.goes.Go(func() { a.emptyTrash(ctx) })
		a.goes.Go(func() { a.keepDeadlines(ctx) })
	}
	a.goes.Go(func() { a.watchdog(ctx) })
	if a.acme != nil {
		a.goes.Go(func() { a.acme.Run(ctx) })
	}
	a.goes.Go(func() { _ = a.serveControl(ctx) })
	a.goes.Go(func() { a.housekeep(ctx) })
	return nil
}

func (a *App) buildServices(conf *tls.Config) {
	l := a.cfg.Listen
	mx := a.smtpServer(smtp.MX, "smtp", conf, false)
	submission := a.smtpServer(smtp.Submission, "submission", conf, false)
	submissions := a.smtpServer(smtp.Submission, "submission", conf, true)
	lmtp := a.smtpServer(smtp.LMTP, "lmtp", conf, false)
	im := a.imapServer(conf)
	a.metrics = counters{smtp: map[string]*smtp.Server{"smtp": mx, "submission": submission, "submissions": submissions, "lmtp": lmtp}, imap: im}
	a.servers = []service{
		{"smtp", l.SMTP, mx.Serve, mx.Shutdown},
		{"submission", l.Submission, submission.Serve, submission.Shutdown},
		{"submissions", l.Submissions, submissions.Serve, submissions.Shutdown},
		{"lmtp", l.LMTP, lmtp.Serve, lmtp.Shutdown},
		{"imap", l.IMAP, func(ln net.Listener) error { return im.Serve(ln, false) }, im.Shutdown},
		{"imaps", l.IMAPS, func(ln net.Listener) error { return im.Serve(ln, true) }, nil},
	}
	if a.cfg.MetricsAddr != "" {
		srv := &http.Server{Handler: a.metricsHandler(), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
		a.servers = append(a.servers, service{"metrics", []string{a.cfg.MetricsAddr}, srv.Serve, srv.Shutdown})
	}
}

func (a *App) smtpServer(kind smtp.Kind, ring string, conf *tls.Config, implicit bool) *smtp.Server {
	s := &smtp.Server{
		Kind: kind, Hostname: a.cfg.Hostname, TLS: conf, ImplicitTLS: implicit, Auth: a.auth.For(accounts.ScopeSMTP), Logger: a.log,
		NewTrace: func(s string) smtp.Trace { return a.rings[ring].New(s) },
	}
	s.Limits.Message = a.cfg.MaxMessage
	s.Limits.TrustLoopback = a.cfg.TrustLocal
	if kind == smtp.Submission {
		s.Backend = mailflow.Submission{Mail: a.mail}
	} else {
		s.Backend = mailflow.Inbound{Mail: a.mail}
	}
	return s
}

func (a *App) imapServer(conf *tls.Config) *imap.Server {
	s := &imap.Server{
		DB: a.db, Auth: a.auth.For(accounts.ScopeIMAP), Views: a.views, TLS: conf, Logger: a.log,
		NewTrace: func(s string) imap.Trace { return a.rings["imap"].New(s) },
	}
	s.Limits.Message = a.cfg.MaxMessage
	if a.cfg.TrustLocal {
		s.Limits.PerIP, s.Limits.PerAccount = 1<<20, 1<<20
	}
	return s
}

// stop ends the services side by side, then waits for every goroutine.
func (a *App) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), graceful)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range a.servers {
		if s.shutdown == nil {
			continue
		}
		wg.Go(func() {
			if err := s.shutdown(ctx); err != nil {
				a.log.Warn("stopping", "service", s.name, "error", err)
			}
		})
	}
	wg.Wait()
	a.goes.Wait()
}

func newLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func discardLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }
