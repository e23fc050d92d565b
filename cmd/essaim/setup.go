package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"essaim.coop/essaim/internal/page"

	"golang.org/x/sys/unix"
)

// setupCmd makes a cooperative of an empty machine: on the terminal, where it
// asks what it was not told, or on a page of its own.
type setupCmd struct {
	Name      string      `help:"The cooperative's name."`
	Domain    string      `help:"Its domain."`
	Where     string      `help:"Where the machine stands, in words: members read it."`
	Languages []page.Lang `help:"What its members speak: fr, nl, en; the first one is yours." placeholder:"LANG,…"`
	Admin     string      `help:"Your address in the domain." placeholder:"ADDRESS"`

	Hostname  string   `help:"Name of this machine as other mail servers see it; mail in the domain when not given."`
	Address   []string `help:"Public address of this machine, where it cannot see its own."`
	ACME      bool     `name:"acme" default:"true" negatable:"" help:"Get certificates from Let's Encrypt."`
	Relay     string   `help:"host:port that sends mail to the world for this machine." placeholder:"HOST:PORT"`
	RelayUser string   `help:"Login at the relay." placeholder:"NAME"`
	RelayPass string   `name:"relay-password-file" help:"File that holds the password for the relay." placeholder:"FILE"`
	RelaySPF  string   `name:"relay-spf" help:"Name that the relay's operator wants included in the SPF record." placeholder:"NAME"`

	Web    bool   `help:"Ask on a page instead, which can be opened once, from the address that is printed."`
	Listen string `default:":443" help:"Where that page listens." placeholder:"ADDRESS"`

	within time.Duration // that the page waits; 0 is setupTime
}

func (c *setupCmd) Run(e *env) error {
	if _, err := os.Stat(e.config); err == nil {
		return fmt.Errorf("%s is there already; essaim is set up", e.config)
	}
	f, err := c.founding()
	if err != nil {
		return err
	}
	if c.Web {
		return c.runWeb(e, f)
	}
	lang := terminalLanguage()
	if err := c.ask(e, f, lang); err != nil {
		return err
	}
	out, err := f.found(e.config, e.data)
	if err != nil {
		return setupProblem(err, lang)
	}
	return out.print(e.out, f.Languages[0])
}

// founding is what the flags say.
func (c *setupCmd) founding() (*founding, error) {
	f := &founding{Name: c.Name, Domain: c.Domain, Where: c.Where, Languages: c.Languages, Address: c.Admin, Hostname: c.Hostname,
		Addresses: c.Address, ACME: c.ACME, Relay: c.Relay, RelayUser: c.RelayUser, RelaySPF: c.RelaySPF}
	if c.RelayPass != "" {
		b, err := os.ReadFile(c.RelayPass)
		if err != nil {
			return nil, err
		}
		f.RelayPass = strings.TrimSpace(string(b))
	}
	return f, nil
}

// terminalLanguage is what the locale says.
func terminalLanguage() page.Lang {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		for _, l := range page.Languages {
			if v := os.Getenv(name); strings.HasPrefix(v, string(l)) {
				return l
			}
		}
	}
	return page.EN
}

// ask asks for what the flags do not say.
func (c *setupCmd) ask(e *env, f *founding, lang page.Lang) error {
	in := bufio.NewReader(e.in)
	question := func(into *string, word, fallback string, secret bool) error {
		if *into != "" {
			return nil
		}
		fmt.Fprintf(e.out, "%s%s: ", setupWords.Say(lang, word), suggestion(fallback))
		answer, err := readAnswer(in, e.in, secret)
		if secret {
			fmt.Fprintln(e.out)
		}
		if *into = answer; answer == "" {
			*into = fallback
		}
		if err == io.EOF && *into == "" && fallback == "" {
			return nil // what is needed is missed by complete
		}
		return err
	}
	spoken := ""
	for _, l := range f.Languages {
		spoken += string(l) + " "
	}
	for _, q := range []struct {
		into           *string
		word, fallback string
	}{
		{&f.Name, "setup.name", ""}, {&f.Domain, "setup.domain", ""}, {&f.Where, "setup.where", ""},
		{&spoken, "setup.languages", string(lang)}, {&f.Address, "setup.address", ""}, {&f.Relay, "setup.relay", ""},
	} {
		if err := question(q.into, q.word, q.fallback, false); err != nil && err != io.EOF {
			return err
		}
	}
	f.Languages = nil
	for _, l := range strings.FieldsFunc(strings.ToLower(spoken), func(r rune) bool { return r == ' ' || r == ',' }) {
		f.Languages = append(f.Languages, page.Lang(l))
	}
	if f.Relay == "" {
		return nil
	}
	if err := question(&f.RelayUser, "setup.relayuser", "", false); err != nil && err != io.EOF || f.RelayUser == "" {
		return err
	}
	if err := question(&f.RelayPass, "setup.relaypass", "", true); err != io.EOF {
		return err
	}
	return nil
}

func suggestion(fallback string) string {
	if fallback == "" {
		return ""
	}
	return " [" + fallback + "]"
}

// readAnswer reads a line; a secret one is not shown while it is typed.
func readAnswer(in *bufio.Reader, from io.Reader, secret bool) (string, error) {
	if f, ok := from.(*os.File); ok && secret {
		if was, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			quiet := *was
			quiet.Lflag &^= unix.ECHO
			if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &quiet); err != nil {
				return "", err
			}
			defer func() { _ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, was) }()
		}
	}
	line, err := in.ReadString('\n')
	return strings.TrimSpace(line), err
}

// print tells what is told once, and what comes next.
func (s founded) print(w io.Writer, l page.Lang) error {
	say := func(key string, args ...any) string { return setupWords.Say(l, key, args...) }
	fmt.Fprintf(w, "\n%s\n\n%s\n", say("founded.config", s.Config), say("founded.codes", s.Recover))
	for _, c := range s.Codes {
		fmt.Fprintln(w, "    "+c)
	}
	fmt.Fprintf(w, "\n%s\n    %s\n    %s\n\n%s\n\n", say("founded.device"), s.Address, s.Password, say("founded.once"))
	if err := s.Start.Print(w, l); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n    %s\n    essaim dns --check\n", say("founded.next"), startCommand)
	return err
}

// startCommand starts the service that the package brings.
const startCommand = "systemctl enable --now essaim.socket essaim.service"

// setupProblem says what cannot be in the reader's words.
func setupProblem(err error, l page.Lang) error {
	if p := (page.Problem{}); asProblem(err, &p) {
		return fmt.Errorf("%s", setupWords.Problem(l, err))
	}
	return problem("setting up", err)
}
