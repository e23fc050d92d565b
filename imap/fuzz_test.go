package imap

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzSession lets a member say anything. Whatever it is, the session ends when
// the client does, and nothing internal goes wrong (newHouse's clean-up looks).
func FuzzSession(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, name := range files {
		b, err := os.ReadFile(name)
		must(f, err)
		var said strings.Builder
		for _, l := range strings.Split(string(b), "\n") {
			if c, ok := strings.CutPrefix(l, "C: "); ok && !strings.Contains(c, "LOG") {
				said.WriteString(c + "\r\n")
			}
		}
		f.Add([]byte(said.String()))
	}
	h := newHouse(f, func(s *Server) { s.Limits.PerAccount, s.Limits.PerIP = 100000, 100000 })
	h.deliver(f, "Sent", hello)
	h.srv.once.Do(h.srv.init)
	f.Fuzz(func(t *testing.T, said []byte) {
		if strings.Contains(strings.ToUpper(string(said)), "LOG") {
			t.Skip() // failed logins are slow on purpose
		}
		theirs, ours := net.Pipe()
		h.srv.accept(ours, false)
		theirs.SetDeadline(time.Now().Add(10 * time.Second))
		go func() {
			io.WriteString(theirs, "x LOGIN zoe@coop.example secret\r\ny SELECT Sent\r\n")
			theirs.Write(said)
			io.WriteString(theirs, "\r\nDONE\r\nz LOGOUT\r\n")
			time.AfterFunc(50*time.Millisecond, func() { theirs.Close() })
		}()
		io.Copy(io.Discard, theirs)
		theirs.Close()
		if n := h.srv.Counters.Internal.Load() + h.srv.Counters.Panics.Load(); n > 0 {
			t.Fatal("internal error or panic")
		}
	})
}
