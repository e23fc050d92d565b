package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"essaim.coop/essaim/storage"
)

// A storeCmd is a subcommand that works on the open store. It runs in the
// server when one has the store open, else in this process.
type storeCmd func(ctx context.Context, a *App, out io.Writer) error

// onStore runs f where the store is: in the running server, which is sent the
// command line, or here.
func (e *env) onStore(f storeCmd) error {
	cfg, err := e.loadConfig()
	if err != nil {
		return err
	}
	if e.app != nil { // we are the server, asked over the socket
		return f(e.ctx, e.app, e.out)
	}
	switch err := e.ask(cfg); {
	case err == nil:
		return nil
	case !errors.Is(err, errNoServer):
		return err
	}
	a, err := openApp(cfg, discardLogger())
	if err != nil {
		return err
	}
	return errors.Join(f(e.ctx, a, e.out), a.Close(), handBack(cfg.Data))
}

var errNoServer = errors.New("no server runs on this data directory")

// The wire is a line of JSON each way: the arguments, then the output in
// pieces, the last of which carries the exit status.
type controlRequest struct{ Args []string }

type controlReply struct {
	Out    string `json:",omitempty"`
	Err    string `json:",omitempty"`
	Done   bool   `json:",omitempty"`
	Status int    `json:",omitempty"`
}

func controlPath(data string) string { return filepath.Join(data, "control.sock") }

func (e *env) ask(cfg Config) error {
	c, err := net.Dial("unix", controlPath(cfg.Data))
	if err != nil {
		return errNoServer
	}
	defer c.Close()
	if err := json.NewEncoder(c).Encode(controlRequest{e.args}); err != nil {
		return err
	}
	for dec := json.NewDecoder(c); ; {
		var r controlReply
		if err := dec.Decode(&r); err != nil {
			return fmt.Errorf("the server ended the conversation: %w", err)
		}
		fmt.Fprint(e.out, r.Out)
		if !r.Done {
			continue
		}
		if r.Status != 0 {
			return exitError{r.Status, errors.New(r.Err)}
		}
		return nil
	}
}

// serveControl answers command lines on the control socket, which only the
// server's own user can open, until ctx ends.
func (a *App) serveControl(ctx context.Context) error {
	path := controlPath(a.cfg.Data)
	_ = os.Remove(path) // left by a killed server; the store's lock says it is gone
	ln, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { ln.Close() })
	for {
		c, err := ln.Accept()
		if err != nil {
			return ctx.Err()
		}
		a.goes.Go(func() { a.answerControl(ctx, c) })
	}
}

func (a *App) answerControl(ctx context.Context, c net.Conn) {
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	var req controlRequest
	if err := json.NewDecoder(io.LimitReader(c, 1<<20)).Decode(&req); err != nil {
		return
	}
	enc := json.NewEncoder(c)
	out := writerFunc(func(p []byte) (int, error) {
		return len(p), enc.Encode(controlReply{Out: string(p)})
	})
	reply := controlReply{Done: true}
	if err := runInServer(ctx, a, req.Args, out); err != nil {
		reply.Status, reply.Err = 1, err.Error()
		var x exitError
		if errors.As(err, &x) {
			reply.Status = x.code
		}
	}
	_ = enc.Encode(reply)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// problem turns the store's errors into a sentence for the terminal.
func problem(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("%s: there is none", what)
	case errors.Is(err, storage.ErrConflict):
		return fmt.Errorf("%s: exists already", what)
	}
	return fmt.Errorf("%s: %w", what, err)
}
