package queue

import "time"

// The retry schedule: quick at first, as most failures are short, then every
// four hours. RFC 5321 §4.5.4.1 asks for at least 30 minutes between later
// attempts and for four to five days before giving up.
var pauses = []time.Duration{
	5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute,
	1 * time.Hour, 2 * time.Hour, 4 * time.Hour,
}

const (
	giveUpAfter = 5 * 24 * time.Hour
	warnAfter   = 4 * time.Hour // RFC 5321 §4.5.4.1: tell the sender once that it takes long
)

// pause returns how long to wait after the n-th failed attempt, from 1. Entries
// that failed together drift apart by up to an eighth, decided by their id.
func pause(n int, id uint64) time.Duration {
	p := pauses[min(n, len(pauses))-1]
	return p + time.Duration(id*2654435761%1024)*p/8192
}
