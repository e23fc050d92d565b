package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/alecthomas/kong"
)

var updateDocs = flag.Bool("update", false, "write docs/config.md, docs/cli.md and packaging/essaim.8 anew")

// The references are made from the code; go test ./cmd/essaim -run References
// -update writes them.
func TestReferencesAreCurrent(t *testing.T) {
	for path, want := range map[string]string{"../../docs/config.md": configReference(t), "../../docs/cli.md": cliReference(t), "../../packaging/essaim.8": manPage(t)} {
		if *updateDocs {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not what the code says: %v", path, err)
		}
	}
}

func configReference(t *testing.T) string {
	var b strings.Builder
	b.WriteString("# Settings\n\nThe configuration is one TOML file, `/etc/essaim/essaim.toml` unless `--config` names another. It holds what\n" +
		"must be known before the store opens; everything else is set with the commands in `cli.md`. A name that is not\nin this list is refused.\n\n")
	fields(&b, "", reflect.TypeFor[Config]())
	b.WriteString("\nThe defaults:\n\n```toml\n")
	var d bytes.Buffer
	if err := toml.NewEncoder(&d).Encode(defaultConfig()); err != nil {
		t.Fatal(err)
	}
	b.Write(d.Bytes())
	b.WriteString("```\n")
	return b.String()
}

func fields(b *strings.Builder, prefix string, typ reflect.Type) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name := f.Tag.Get("toml")
		if name == "-" {
			continue
		}
		fmt.Fprintf(b, "- `%s%s`: %s\n", prefix, name, f.Tag.Get("doc"))
		if f.Type.Kind() == reflect.Struct {
			fields(b, prefix+name+".", f.Type)
		}
	}
}

func cliReference(t *testing.T) string {
	var c cli
	parser, err := kong.New(&c, kong.Name("essaim"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Commands\n\nA command that looks at or changes the store runs inside the server when one runs on the data directory, else\non its own.\n")
	for _, n := range parser.Model.Leaves(true) {
		fmt.Fprintf(&b, "\n## essaim %s\n\n%s\n", strings.TrimPrefix(n.FullPath(), "essaim "), n.Help)
		for _, p := range n.Positional {
			fmt.Fprintf(&b, "\n- `%s`: %s", p.Summary(), p.Help)
		}
		for _, f := range n.Flags {
			if f.Name != "help" {
				fmt.Fprintf(&b, "\n- `--%s`: %s", f.Name, f.Help)
			}
		}
		if len(n.Positional)+len(n.Flags) > 0 {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// manPage is the reference in the macros of man(7).
func manPage(t *testing.T) string {
	var c cli
	parser, err := kong.New(&c, kong.Name("essaim"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace
	var b strings.Builder
	b.WriteString(".TH ESSAIM 8 \"\" \"essaim\" \"System administration\"\n.SH NAME\nessaim \\- mail and cloud of a small cooperative\n" +
		".SH SYNOPSIS\n.B essaim\n[\\fB\\-\\-config\\fR \\fIFILE\\fR] [\\fB\\-\\-data\\fR \\fIDIR\\fR] \\fIcommand\\fR\n" +
		".SH DESCRIPTION\nOne program and one data directory give a cooperative its mail, files, calendars and address books.\n" +
		"A command that looks at or changes the store runs inside the server when one runs on the data directory, else on its own.\n" +
		".SH COMMANDS\n")
	for _, n := range parser.Model.Leaves(true) {
		fmt.Fprintf(&b, ".SS \"%s\"\n%s\n", text(strings.TrimPrefix(n.FullPath(), "essaim ")), text(n.Help))
		for _, p := range n.Positional {
			fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", text(p.Summary()), text(p.Help))
		}
		for _, f := range n.Flags {
			if f.Name != "help" {
				fmt.Fprintf(&b, ".TP\n.B \\-\\-%s\n%s\n", text(f.Name), text(f.Help))
			}
		}
	}
	b.WriteString(".SH CONFIGURATION\nOne TOML file; a name that is not in this list is refused.\n")
	settings(&b, text, "", reflect.TypeFor[Config]())
	b.WriteString(".SH VARIABLES\n.TP\n.B GOMEMLIMIT\nMemory the program tries to stay below, such as 350MiB.\n" +
		".TP\n.B GOGC\nHow much garbage may gather, in percent of what lives: less memory for more work.\n" +
		".SH FILES\n.TP\n.I /etc/essaim/essaim.toml\nThe configuration.\n.TP\n.I /var/lib/essaim\nEverything members have.\n" +
		".TP\n.I /etc/default/essaim\nVariables of the service.\n" +
		".SH EXIT STATUS\n0: done. 1: it failed, or damage was found. 2: the command line was not understood. 74: the disk failed to sync.\n")
	return b.String()
}

func settings(b *strings.Builder, text func(string) string, prefix string, typ reflect.Type) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name := f.Tag.Get("toml")
		if name == "-" {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			settings(b, text, prefix+name+".", f.Type)
			continue
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", text(prefix+name), text(f.Tag.Get("doc")))
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"version"}, 0, "essaim"},
		{[]string{"--help"}, 0, "Usage: essaim"},
		{[]string{"nonsense"}, 2, "unexpected argument nonsense"},
		{[]string{"member", "add"}, 2, "expected"},
		{[]string{"--config", "/nonexistent", "check"}, 1, "run essaim setup"},
	} {
		var out, errout bytes.Buffer
		status := Main(context.Background(), c.args, strings.NewReader(""), &out, &errout)
		if status != c.status || !strings.Contains(out.String()+errout.String(), c.says) {
			t.Errorf("%v: status %d, %s%s", c.args, status, out.String(), errout.String())
		}
	}
}

// From nothing to a served domain, as an operator types it.
func TestStorySetUpOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	base := []string{"--config", dir + "/essaim.toml", "--data", dir + "/data"}
	run := func(in string, args ...string) string {
		t.Helper()
		var out, errout bytes.Buffer
		if status := Main(context.Background(), append(base, args...), strings.NewReader(in), &out, &errout); status != 0 {
			t.Fatalf("essaim %v: %d %s%s", args, status, out.String(), errout.String())
		}
		return out.String()
	}
	t.Setenv("LC_ALL", "C")
	if out := run("Les Voisins\ncoop.example\nLiège\nfr, nl\nzoe\n\n", "setup", "--hostname", "mx.coop.example"); !strings.Contains(out, "/recover") || !strings.Contains(out, "Bonjour") {
		t.Errorf("setup: %s", out)
	}
	if out := run("", "dns"); !strings.Contains(out, "coop.example. 3600 IN MX 10 mx.coop.example.\n") || !strings.Contains(out, `"v=STSv1; id=20261128testing"`) {
		t.Errorf("dns: %s", out)
	}
	run("", "member", "add", "bram@coop.example", "--with", "zoe@coop.example", "--subscriber")
	run("", "member", "set", "bram@coop.example", "--suspended", "--quota", "1000000")
	run("", "address", "add", "info@coop.example", "bram@coop.example")
	run("", "group", "add", "board@coop.example", "--forward")
	run("", "group", "join", "board@coop.example", "zoe@coop.example")
	if out := run("", "member", "list"); !strings.Contains(out, "bram@coop.example") || !strings.Contains(out, "suspended") || !strings.Contains(out, "of 1000000 bytes") {
		t.Errorf("members: %s", out)
	}
	if out := run("", "address", "list", "bram@coop.example"); !strings.Contains(out, "info@coop.example") {
		t.Errorf("addresses: %s", out)
	}
	run("", "group", "rename", "board@coop.example", "The board")
	if out := run("", "group", "list"); !strings.Contains(out, "board@coop.example\tThe board\t1 members") {
		t.Errorf("groups: %s", out)
	}
	run("", "member", "password", "bram@coop.example", "--device", "phone", "--scope", "files,contacts")
	if out := run("", "member", "password", "bram@coop.example"); !strings.Contains(out, "\tphone\tfiles,contacts\t") {
		t.Errorf("passwords: %s", out)
	}
	if out := run("", "lock", "list"); out != "" {
		t.Errorf("locks: %s", out)
	}
	run("", "member", "remove", "bram@coop.example", "--yes")
	if out := run("", "check"); !strings.Contains(out, "clean") {
		t.Errorf("check: %s", out)
	}
}

func TestSettingsWithAFewValuesTakeNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "essaim.toml")
	for text, want := range map[string]string{`mta_sts = "enforce"`: "enforce", "": "testing", `mta_sts = "none"`: "none", `mta_sts = "enforced"`: ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := (&env{config: path}).loadConfig(); (err == nil) != (want != "") || want != "" && string(c.sts()) != want {
			t.Errorf("%s: %s, %v", text, c.MTASTS, err)
		}
	}
}
