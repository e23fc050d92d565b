package mailflow

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"essaim.coop/essaim/smtp"
)

// BenchmarkDelivery is the way of a message from the wire to one mailbox and
// its 250, on one connection. What it allocates is the server's.
func BenchmarkDelivery(b *testing.B) {
	for _, size := range []int{2 << 10, 20 << 10} {
		b.Run(fmt.Sprintf("%dk", size>>10), func(b *testing.B) {
			h := newHouse(b, 1)
			srv := &smtp.Server{Hostname: "mx.coop.test", Backend: Inbound{h.Mail}, Logger: h.Log, Limits: smtp.Limits{Mails: 1 << 30}}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			done := make(chan struct{})
			go func() { defer close(done); _ = srv.Serve(ln) }()
			defer func() { _ = srv.Shutdown(context.Background()); <-done }()
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			r := bufio.NewReader(c)
			body := letter
			for i := 0; len(body) < size; i++ {
				body += fmt.Sprintf("line %d %s\r\n", i*i, strings.Repeat("abcdefg ", i%9))
			}
			envelope := []byte("MAIL FROM:<a@other.test>\r\nRCPT TO:<m1@coop.test>\r\nDATA\r\n")
			content := []byte(body + ".\r\n")
			fmt.Fprint(c, "EHLO me\r\n")
			replies(b, r, 2)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				_, _ = c.Write(envelope)
				replies(b, r, 3)
				_, _ = c.Write(content)
				replies(b, r, 1)
			}
			b.StopTimer()
		})
	}
}

// replies reads n replies, none of them a refusal.
func replies(b *testing.B, r *bufio.Reader, n int) {
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
