package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A thunderbird is the program itself, without a screen, with a profile of its
// own, and held by its remote control: Marionette, JSON after its length.
type thunderbird struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	last int
}

// thunderbirdPrefs keep it from asking anybody but the house for anything: what
// is not on this machine goes to a proxy that is not there.
const thunderbirdPrefs = `
user_pref("marionette.port", 0);
user_pref("remote.prefs.recommended", false);
user_pref("app.update.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("mailnews.start_page.enabled", false);
user_pref("mail.provider.suppress_dialog_on_startup", true);
user_pref("mail.inappnotifications.enabled", false);
user_pref("mail.spotlight.firstRunDone", true);
user_pref("mail.shell.checkDefaultClient", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 9);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 9);
user_pref("calendar.timezone.local", "Europe/Brussels");
user_pref("calendar.timezone.useSystemTimezone", false);
`

// newThunderbird starts one that trusts the house's certificates and knows the
// first member's password.
func newThunderbird(t *testing.T, h *house) *thunderbird {
	t.Helper()
	dir := t.TempDir()
	profile := filepath.Join(dir, "profile")
	if err := os.Mkdir(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(thunderbirdPrefs), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("thunderbird", "--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile", profile)
	cmd.Env = append(privateEnv(dir), "RES_OPTIONS=timeout:1 attempts:1")
	startGroup(t, cmd)
	b := &thunderbird{t: t}
	b.connect(filepath.Join(profile, "MarionetteActivePort"))
	b.ask("WebDriver:NewSession", map[string]any{})
	b.ask("Marionette:SetContext", map[string]any{"value": "chrome"})
	b.ask("WebDriver:SetTimeouts", map[string]any{"script": 120_000})
	ca, err := os.ReadFile(filepath.Join(h.dir, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	b.js(`
		Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(args[0].replace(/-----[^-]+-----|\s/g, ""), "C,,");
		const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
		login.init(args[1], null, "essaim", args[2], args[3], "", "");
		await Services.logins.addLoginAsync(login);`, string(ca), strings.TrimSuffix(h.web(""), "/"), user(1), testPassword)
	return b
}

// privateEnv is the environment of a program that is to see nothing of the
// session and the home of whoever runs the tests.
func privateEnv(home string) []string {
	env := []string{"HOME=" + home, "LC_ALL=C.UTF-8", "TZ=Europe/Brussels"}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if name == "PATH" || name == "TMPDIR" {
			env = append(env, v)
		}
	}
	return env
}

// startGroup starts a program that is killed with all it started when the test
// ends.
func startGroup(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		log.Close()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			lines := slices.DeleteFunc(strings.Split(string(said), "\n"), func(l string) bool { return l == "" || strings.Contains(l, "gtk_") })
			t.Logf("%s said:\n%s", cmd.Path, strings.Join(lines[max(0, len(lines)-40):], "\n"))
		}
	})
}

// connect waits for the port to be written down, and for the greeting.
func (b *thunderbird) connect(file string) {
	b.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		port, err := os.ReadFile(file)
		if err != nil || len(port) == 0 {
			continue
		}
		if b.conn, err = net.Dial("tcp", "127.0.0.1:"+strings.TrimSpace(string(port))); err != nil {
			continue
		}
		b.t.Cleanup(func() { b.conn.Close() })
		b.in = bufio.NewReader(b.conn)
		b.read()
		return
	}
	b.t.Fatal("Thunderbird did not come up")
}

func (b *thunderbird) read() []byte {
	b.t.Helper()
	_ = b.conn.SetReadDeadline(time.Now().Add(3 * time.Minute))
	size, err := b.in.ReadString(':')
	if err != nil {
		b.t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(size, ":"))
	if err != nil {
		b.t.Fatal(err)
	}
	packet := make([]byte, n)
	if _, err := io.ReadFull(b.in, packet); err != nil {
		b.t.Fatal(err)
	}
	return packet
}

// ask sends [0, id, command, parameters] and reads [1, id, error, result].
func (b *thunderbird) ask(command string, params map[string]any) json.RawMessage {
	b.t.Helper()
	b.last++
	packet, err := json.Marshal([]any{0, b.last, command, params})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.conn, "%d:%s", len(packet), packet); err != nil {
		b.t.Fatal(err)
	}
	var answer [4]json.RawMessage
	if err := json.Unmarshal(b.read(), &answer); err != nil {
		b.t.Fatal(err)
	}
	if string(answer[2]) != "null" {
		b.t.Fatalf("Thunderbird, %s: %s", command, answer[2])
	}
	return answer[3]
}

// thunderbirdPrelude is at hand in every script.
const thunderbirdPrelude = `
const args = arguments;
const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const { setTimeout } = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
const until = async what => { for (;;) { const got = await what(); if (got) return got; await new Promise(r => setTimeout(r, 100)); } };
`

// js runs a script in the program and returns what it returns, as JSON. A script
// that waits for what does not come ends the test when its two minutes are up.
func (b *thunderbird) js(script string, args ...any) string {
	b.t.Helper()
	if args == nil {
		args = []any{}
	}
	answer := b.ask("WebDriver:ExecuteScript", map[string]any{"script": thunderbirdPrelude + "return (async () => {" + script + "})();", "args": args, "sandbox": "system", "newSandbox": true})
	var value struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(answer, &value); err != nil {
		b.t.Fatal(err)
	}
	return string(value.Value)
}
