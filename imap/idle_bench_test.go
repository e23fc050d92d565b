package imap

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// TestIdleMemory measures what an idling TLS session costs. The clients are in
// another process, this same test binary.
func TestIdleMemory(t *testing.T) {
	if addr := os.Getenv("ESSAIM_IDLERS"); addr != "" {
		idlers(t, addr)
		return
	}
	if testing.Short() {
		t.Skip("a thousand connections")
	}
	const n = 1000
	h := newHouse(t, func(s *Server) { s.Limits.PerIP, s.Limits.PerAccount = 2*n, 2*n })
	w := h.in(t, "INBOX")
	w.ok("NOOP")
	before, rss0 := inUse(), rss(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestIdleMemory$")
	cmd.Env = append(os.Environ(), "ESSAIM_IDLERS="+h.tls+" "+itoa(n))
	in, err := cmd.StdinPipe()
	must(t, err)
	out := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	defer func() { in.Close(); cmd.Wait() }()
	for end := time.Now().Add(60 * time.Second); h.srv.Counters.Idle.Load() < n; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("only ", h.srv.Counters.Idle.Load(), " idle; ", out)
		}
	}
	time.Sleep(300 * time.Millisecond)
	after := inUse()
	debug.FreeOSMemory()
	t.Logf("per idle TLS session: %d B heap and stack, %d B RSS, %.2f goroutines", (after-before)/n, (rss(t)-rss0)/n, float64(runtime.NumGoroutine())/n)
	if per := (after - before) / n; per > 24<<10 {
		t.Errorf("%d bytes for an idle session", per)
	}
	cpu0, wake0 := cpu(), h.srv.Counters.Wakeups.Load()
	time.Sleep(2 * time.Second)
	t.Logf("quiet for 2 s: %v CPU, %d keep-alives", cpu()-cpu0, h.srv.Counters.Wakeups.Load()-wake0)
}

// inUse is heap and stacks in use after two collections.
func inUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

func rss(t testing.TB) int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var total, resident int
	fmt.Sscan(string(b), &total, &resident)
	return resident * os.Getpagesize()
}

// idlers is the other process: it opens sessions and holds them until its input ends.
func idlers(t *testing.T, what string) {
	var addr string
	var n int
	fmt.Sscan(what, &addr, &n)
	h := &house{tls: addr}
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range n / 4 {
				p := h.dialTLS(t)
				p.line()
				p.ok("LOGIN zoe@coop.example secret")
				p.ok("SELECT INBOX")
				p.send("i IDLE\r\n")
				p.line()
			}
		}()
	}
	wg.Wait()
	os.Stdin.Read(make([]byte, 1))
}

// BenchmarkPush measures a commit followed by what an idling client hears.
func BenchmarkPush(b *testing.B) {
	h := newHouse(b)
	p := h.in(b, "INBOX")
	p.send("i IDLE\r\n")
	p.line()
	var worst time.Duration
	for b.Loop() {
		b.StopTimer()
		h.deliver(b, "INBOX", hello)
		b.StartTimer()
		start := time.Now()
		if l := p.line(); l[0] != '*' {
			b.Fatal(l)
		}
		worst = max(worst, time.Since(start))
	}
	b.ReportMetric(float64(worst.Microseconds()), "worst-µs")
}

// BenchmarkStatus and BenchmarkNoop are round trips.
func BenchmarkStatus(b *testing.B) { roundTrip(b, "STATUS Sent (MESSAGES UIDNEXT UNSEEN)") }
func BenchmarkNoop(b *testing.B)   { roundTrip(b, "NOOP") }
func BenchmarkSelect(b *testing.B) { roundTrip(b, "SELECT Sent") }

func roundTrip(b *testing.B, cmd string) {
	h := newHouse(b)
	p := h.in(b, "INBOX")
	for b.Loop() {
		p.ok(cmd)
	}
}
