// Command essaim runs the mail and cloud service of a small cooperative: one
// program, one data directory, every protocol over one store.
//
// app.go is the wiring diagram; each other file holds one subcommand.
// Subcommands that look at or change the store work beside a running server:
// they then run inside it, over a socket in the data directory (control.go).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the build.
var version = "dev"

// An exitError ends the process with a code, after its text is printed.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Main runs one command line and returns the exit status: 0 done, 1 failed or
// found damage, 2 not understood.
func Main(ctx context.Context, args []string, in io.Reader, out, errout io.Writer) int {
	status, err := run(&env{ctx: ctx, args: args, in: in, out: out, errout: errout})
	if err != nil {
		fmt.Fprintln(errout, "essaim:", err)
	}
	return status
}

// run parses a command line and carries it out.
func run(e *env) (int, error) {
	var cli cli
	helped := false
	parser, err := kong.New(&cli, kong.Name("essaim"),
		kong.Description("Mail and cloud service of a small cooperative, in one program."),
		kong.Writers(e.out, e.errout), kong.Exit(func(int) { helped = true }))
	if err != nil {
		return 2, err
	}
	k, err := parser.Parse(e.args)
	if helped {
		return 0, nil
	}
	if err != nil {
		return 2, fmt.Errorf("%w; essaim %s--help tells more", err, firstWord(e.args))
	}
	e.config, e.data = cli.Config, cli.Data
	if err := k.Run(e); err != nil {
		var x exitError
		if errors.As(err, &x) {
			return x.code, err
		}
		return 1, err
	}
	return 0, nil
}

// runInServer carries out a command line that came over the control socket.
func runInServer(ctx context.Context, a *App, args []string, out io.Writer) error {
	status, err := run(&env{ctx: ctx, args: args, in: strings.NewReader(""), out: out, errout: out, app: a})
	if err != nil {
		return exitError{status, err}
	}
	return nil
}

func firstWord(args []string) string {
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			return a + " "
		}
	}
	return ""
}

// env is what every subcommand gets besides its flags.
type env struct {
	ctx         context.Context
	args        []string
	in          io.Reader
	out, errout io.Writer
	config      string
	data        string
	app         *App // set when the command runs in the server
}

type cli struct {
	Config string `short:"c" default:"/etc/essaim/essaim.toml" help:"Configuration file." placeholder:"FILE"`
	Data   string `help:"Data directory; overrides the configuration file." placeholder:"DIR"`

	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Demo    demoCmd    `cmd:"" help:"Run a demo cooperative on loopback ports."`
	Setup   setupCmd   `cmd:"" help:"Write the configuration and make the first administrator."`
	Domain  domainCmd  `cmd:"" help:"Domains the cooperative receives mail for."`
	DNS     dnsCmd     `cmd:"" name:"dns" help:"What to publish in the DNS, and how the world sees it."`
	Member  memberCmd  `cmd:"" help:"Members and their passwords."`
	Address addressCmd `cmd:"" help:"Addresses and aliases."`
	Group   groupCmd   `cmd:"" help:"Groups and who is in them."`
	Queue   queueCmd   `cmd:"" help:"Mail waiting for other hosts."`
	Lock    lockCmd    `cmd:"" help:"Locks that WebDAV clients hold."`
	Trace   traceCmd   `cmd:"" help:"What happened on the last connections."`
	Check   checkCmd   `cmd:"" help:"Verify the store."`
	Backup  backupCmd  `cmd:"" help:"Copy the store to a directory while it runs."`
	Verify  verifyCmd  `cmd:"" help:"Restore a backup to a temporary place, verify it, and remove it again."`
	Restore restoreCmd `cmd:"" help:"Make a data directory from a backup."`
	Compact compactCmd `cmd:"" help:"Give free space in the store back."`
	Rebuild rebuildCmd `cmd:"" help:"Make a lost or damaged index anew; the server must not run."`
	Salvage salvageCmd `cmd:"" help:"Write every body that can still be read to files, when index and backups are lost."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

type versionCmd struct{}

func (versionCmd) Run(e *env) error {
	fmt.Fprintln(e.out, "essaim", version)
	return nil
}
