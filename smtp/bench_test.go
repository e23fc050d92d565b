package smtp

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"

	"essaim.coop/essaim/smtp/smtpclient"
)

// nobody takes every message and keeps none.
type nobody struct{}

func (nobody) Sender(context.Context, *Envelope) error          { return nil }
func (nobody) Recipient(context.Context, *Envelope, Rcpt) error { return nil }
func (nobody) Deliver(_ context.Context, _ *Envelope, body io.Reader) error {
	_, err := io.Copy(io.Discard, body)
	return err
}

func serveBench(b *testing.B) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &Server{Hostname: "mx.test", Backend: nobody{}, Logger: slog.New(slog.DiscardHandler), Limits: Limits{TrustLoopback: true, Message: 1 << 30}}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	b.Cleanup(func() { _ = srv.Shutdown(context.Background()); <-done })
	return ln
}

func answers(b *testing.B, r *bufio.Reader, n int) {
	for n > 0 {
		line, err := r.ReadSlice('\n')
		if err != nil || line[0] > '3' {
			b.Fatalf("%q, %v", line, err)
		}
		if line[3] == ' ' {
			n--
		}
	}
}

// BenchmarkSession is one message after the other on one connection, with
// nothing behind the door.
func BenchmarkSession(b *testing.B) {
	for _, size := range []int{2 << 10, 20 << 10, 10 << 20} {
		b.Run(fmt.Sprintf("%dk", size>>10), func(b *testing.B) {
			c, err := net.Dial("tcp", serveBench(b).Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			r := bufio.NewReader(c)
			_, _ = io.WriteString(c, "EHLO me\r\n")
			answers(b, r, 2)
			envelope := []byte("MAIL FROM:<a@other.test>\r\nRCPT TO:<m1@coop.test>\r\nDATA\r\n")
			body := []byte(head + strings.Repeat(strings.Repeat("abcdefgh ", 8)+"\r\n", size/74) + ".\r\n")
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.Write(envelope)
				answers(b, r, 3)
				_, _ = c.Write(body)
				answers(b, r, 1)
			}
		})
	}
}

// BenchmarkClient is our client handing messages to our server on one
// connection.
func BenchmarkClient(b *testing.B) {
	for _, size := range []int{2 << 10, 20 << 10, 10 << 20} {
		b.Run(fmt.Sprintf("%dk", size>>10), func(b *testing.B) {
			body := []byte(head + strings.Repeat(strings.Repeat("abcdefgh ", 8)+"\r\n", size/74))
			client := &smtpclient.Client{Hostname: "me", Host: "mx.test", Addr: serveBench(b).Addr().String()}
			conn, err := client.Dial(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			m := &smtpclient.Message{From: "a@b.test", To: []smtpclient.Rcpt{{Addr: "c@d.test"}}, Body: bytes.NewReader(body), Size: int64(len(body))}
			b.SetBytes(m.Size)
			b.ReportAllocs()
			for b.Loop() {
				if r := conn.Send(m)[0]; r.Status != smtpclient.Sent {
					b.Fatalf("%+v", r)
				}
			}
		})
	}
}

// BenchmarkIdle is what a silent connection keeps in memory, both ends.
func BenchmarkIdle(b *testing.B) {
	ln := serveBench(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range b.N {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "EHLO me\r\n")
		var one [400]byte
		for n := 0; n < 100; {
			k, err := c.Read(one[:])
			if err != nil {
				b.Fatal(err)
			}
			n += k
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/float64(b.N), "B/connection")
}
