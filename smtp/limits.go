package smtp

import "time"

// Limits bounds what clients may take; zero means the default in parentheses.
type Limits struct {
	Message       int64         // bytes (50 MiB)
	Line          int           // bytes of a line of a message (64 KiB)
	Recipients    int           // of one message (1000)
	Mails         int           // MAIL commands of a session (1000); none for LMTP and trusted peers
	Commands      int           // that bring no message forward, between two messages (200)
	Errors        int           // refused commands between two messages (100)
	Conns, PerIP  int           // connections in all, and of one address (2000, 30)
	InFlight      int64         // memory of all messages coming in, in bytes (64 MiB)
	Read, Write   time.Duration // silence of a client (5 min, RFC 5321 §4.5.3.2.7; 1 min)
	Handshake     time.Duration // of TLS (1 min)
	Transfer      time.Duration // of one whole message (2 h: 50 MiB at 56 kbit/s)
	Pause         time.Duration // before every refusal after the tenth (500 ms)
	AuthTries     int           // failed logins in a session (3)
	TrustLoopback bool          // no limit of connections and of their mails for 127.0.0.0/8 and ::1
}

// What a client may get wrong before it is answered more slowly.
const patience = 10

func or[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

func (l *Limits) defaults() {
	or(&l.Message, 50<<20)
	or(&l.Line, 64<<10)
	or(&l.Recipients, 1000)
	or(&l.Mails, 1000)
	or(&l.Commands, 200)
	or(&l.Errors, 100)
	or(&l.Conns, 2000)
	or(&l.PerIP, 30)
	or(&l.InFlight, 64<<20)
	or(&l.Read, 5*time.Minute)
	or(&l.Write, time.Minute)
	or(&l.Handshake, time.Minute)
	or(&l.Transfer, 2*time.Hour)
	or(&l.Pause, 500*time.Millisecond)
	or(&l.AuthTries, 3)
}
