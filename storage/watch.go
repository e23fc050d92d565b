package storage

import (
	"slices"
	"sync"
)

// House stands for the cooperative as a whole where an account is asked for: a
// room calls Touch(House) for a change that concerns everybody, and Watch(House)
// hears of it.
const House AccountID = 0

// Shares stands for who shares what with whom: Watch(Shares) hears of every
// entry of an access control list that is made or taken away, and of every
// folder with such that comes, goes or moves.
const Shares = ^AccountID(0)

// Touch has the watchers of an account nudged after the commit, without a
// change to the account.
func (tx *Tx) Touch(a AccountID) {
	if tx.writable() && !slices.Contains(tx.nudged, a) {
		tx.nudged = append(tx.nudged, a)
	}
}

// nudges are the watchers of accounts.
type nudges struct {
	mu       sync.Mutex
	watchers map[AccountID]map[*func()]struct{}
}

// Watch calls nudge after every durable commit that changed the account, from
// the goroutine that committed: it must not block. It carries nothing, as the
// watcher reads the log after its own cursor; so watch first and read second.
// A nudge may still come while stop runs, not after.
func (db *DB) Watch(account AccountID, nudge func()) (stop func()) {
	n, key := &db.nudges, &nudge
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.watchers == nil {
		n.watchers = map[AccountID]map[*func()]struct{}{}
	}
	if n.watchers[account] == nil {
		n.watchers[account] = map[*func()]struct{}{}
	}
	n.watchers[account][key] = struct{}{}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.watchers[account], key)
		if len(n.watchers[account]) == 0 {
			delete(n.watchers, account)
		}
	}
}

func (n *nudges) nudge(accounts []AccountID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range accounts {
		for f := range n.watchers[a] {
			(*f)()
		}
	}
}

// Nudge returns a function for Watch that leaves a token in a channel of one
// slot, where many nudges are one.
func Nudge(ch chan struct{}) func() {
	return func() {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
