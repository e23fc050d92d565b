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
	var cli cli
	status := -1
	parser, err := kong.New(&cli, kong.Name("essaim"),
		kong.Description("Mail and cloud service of a small cooperative, in one program."),
		kong.UsageOnError(), kong.Writers(out, errout), kong.Exit(func(c int) { status = c }))
	if err != nil {
		fmt.Fprintln(errout, "essaim:", err)
		return 2
	}
	k, err := parser.Parse(args)
	if status >= 0 { // --help was printed
		return status
	}
	if err != nil {
		fmt.Fprintf(errout, "essaim: %v\nessaim: try: essaim %s --help\n", err, strings.Join(firstWord(args), ""))
		return 2
	}
	e := &env{ctx: ctx, args: args, in: in, out: out, errout: errout, config: cli.Config, data: cli.Data}
	if err := k.Run(e); err != nil {
		fmt.Fprintln(errout, "essaim:", err)
		var x exitError
		if errors.As(err, &x) {
			return x.code
		}
		return 1
	}
	return 0
}

func firstWord(args []string) []string {
	for i, a := range args {
		if !strings.HasPrefix(a, "-") {
			return args[i : i+1]
		}
	}
	return nil
}

// env is what every subcommand gets besides its flags.
type env struct {
	ctx         context.Context
	args        []string
	in          io.Reader
	out, errout io.Writer
	config      string
	data        string
}

type cli struct {
	Config string `short:"c" default:"/etc/essaim/essaim.toml" help:"Configuration file." placeholder:"FILE"`
	Data   string `help:"Data directory; overrides the configuration file." placeholder:"DIR"`

	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Demo    demoCmd    `cmd:"" help:"Run a demo cooperative on loopback ports."`
	Setup   setupCmd   `cmd:"" help:"Write the configuration and make the first administrator."`
	Domain  domainCmd  `cmd:"" help:"Domains the cooperative receives mail for."`
	Member  memberCmd  `cmd:"" help:"Members and their passwords."`
	Address addressCmd `cmd:"" help:"Addresses and aliases."`
	Group   groupCmd   `cmd:"" help:"Groups and who is in them."`
	Queue   queueCmd   `cmd:"" help:"Mail waiting for other hosts."`
	Trace   traceCmd   `cmd:"" help:"What happened on the last connections."`
	Check   checkCmd   `cmd:"" help:"Verify the store."`
	Backup  backupCmd  `cmd:"" help:"Copy the store to a directory while it runs."`
	Restore restoreCmd `cmd:"" help:"Make a data directory from a backup."`
	Compact compactCmd `cmd:"" help:"Give free space in the store back."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

type versionCmd struct{}

func (versionCmd) Run(e *env) error {
	fmt.Fprintln(e.out, "essaim", version)
	return nil
}
