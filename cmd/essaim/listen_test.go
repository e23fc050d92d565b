package main

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
)

// The service manager opens the sockets, and the server finds out which is
// which; it opens none itself.
func TestStorySocketsOfTheServiceManager(t *testing.T) {
	program, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("systemd-socket-activate is not installed")
	}
	c := loopbackConfig(t)
	mx, imap := c.Listen.SMTP[0], c.Listen.IMAP[0]
	c.Listen = Listen{SMTP: []string{"127.0.0.1:1"}, IMAP: []string{"127.0.0.1:1"}} // would fail
	config := filepath.Join(t.TempDir(), "essaim.toml")
	f, err := os.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := toml.NewEncoder(f).Encode(c); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	log := &screen{}
	cmd := exec.Command(program, "-l", mx, "-l", imap, "--fdname=smtp:imap", binary(t), "serve", "--config", config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() })
	log.waitFor(t, `(?i)listening on.*as 4`)
	for address, want := range map[string]string{mx: "220 ", imap: "* OK "} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		_ = conn.SetDeadline(time.Now().Add(60 * time.Second))
		line, err := bufio.NewReader(conn).ReadString('\n')
		conn.Close()
		if err != nil || !strings.HasPrefix(line, want) {
			t.Errorf("%s says %q, %v\n%s", address, line, err, log)
		}
	}
}

// While the store answers, the service manager hears of it in time.
func TestWatchdog(t *testing.T) {
	a := webApp(t, Config{Hostname: "mail.coop.example"})
	path := filepath.Join(t.TempDir(), "notify")
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	a.watchdog(t.Context()) // nobody asked: it returns
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "20000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { a.watchdog(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	_ = heard.SetReadDeadline(time.Now().Add(60 * time.Second))
	for range 2 {
		b := make([]byte, 100)
		n, err := heard.Read(b)
		if err != nil || string(b[:n]) != "WATCHDOG=1" {
			t.Fatalf("%q, %v", b[:n], err)
		}
	}
}
