package queue

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"essaim.coop/essaim/storage"
)

// zone is a resolver with what a test needs.
type zone struct {
	mx map[string][]*net.MX
	ip map[string][]netip.Addr
}

func (z zone) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	if l, ok := z.mx[name]; ok {
		return l, nil
	}
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (z zone) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if l, ok := z.ip[host]; ok {
		return l, nil
	}
	return nil, &net.DNSError{Name: host, IsNotFound: true}
}

func TestTargets(t *testing.T) {
	ip := netip.MustParseAddr
	z := zone{
		mx: map[string][]*net.MX{
			"two.test": {{Host: "b.test.", Pref: 20}, {Host: "a.test.", Pref: 10}}, "null.test": {{Host: "."}},
			"self.test": {{Host: "loop.test.", Pref: 1}}, "gone.test": {{Host: "missing.test."}},
			"backup.test": {{Host: "a.test.", Pref: 10}, {Host: "MX.coop.test.", Pref: 20}, {Host: "b.test.", Pref: 30}}, "mine.test": {{Host: "mx.coop.test.", Pref: 10}},
		},
		ip: map[string][]netip.Addr{"a.test": {ip("192.0.2.1")}, "b.test": {ip("192.0.2.2")}, "plain.test": {ip("192.0.2.3")}, "six.test": {ip("2001:db8::1"), ip("2001:db8::2"), ip("2001:db8::3"), ip("::ffff:192.0.2.6")}, "loop.test": {ip("127.0.0.1")}},
	}
	for domain, want := range map[string][]string{"two.test": {"192.0.2.1:25", "192.0.2.2:25"}, "plain.test": {"192.0.2.3:25"},
		"backup.test": {"192.0.2.1:25"}, "six.test": {"192.0.2.6:25", "[2001:db8::1]:25", "[2001:db8::2]:25"}, "[192.0.2.9]": {"192.0.2.9:25"}, "[IPv6:2001:db8::9]": {"[2001:db8::9]:25"}} {
		got, err := targets(context.Background(), z, "mx.coop.test", domain)
		if err != nil || len(got) != len(want) || got[0].addr != want[0] {
			t.Errorf("%s: %v, %v", domain, got, err)
		}
	}
	for domain, code := range map[string]string{"null.test": "5.1.10", "nowhere.test": "5.1.2", "self.test": "5.4.6", "gone.test": "", "mine.test": "5.4.6", "[127.0.0.1]": "5.1.2", "[x]": "5.1.2"} {
		_, err := targets(context.Background(), z, "mx.coop.test", domain)
		var p permanent
		if errors.As(err, &p); err == nil || p.code != code {
			t.Errorf("%s: %v", domain, err)
		}
	}
}

func TestEntriesComeDueInOrderAndCanBeHeld(t *testing.T) {
	db, err := storage.Open(t.TempDir(), storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Now().Truncate(time.Millisecond)
	var ids []uint64
	if err := db.Update(func(tx *storage.Tx) error {
		for i := range 3 {
			id, err := Put(tx, Entry{Domain: "a.test", Recipients: []Recipient{{Addr: "x@a.test"}}}, now.Add(time.Duration(i)*time.Minute))
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return Hold(tx, ids[0])
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.View(func(tx *storage.Tx) error {
		if n := Count(tx); n != 3 {
			t.Errorf("%d entries", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	dueAt := func(at time.Time) (got []uint64, next time.Time) {
		_ = db.View(func(tx *storage.Tx) error {
			next = due(tx, at, func(id uint64, _ string) bool { got = append(got, id); return true })
			return nil
		})
		return got, next
	}
	if got, next := dueAt(now); len(got) != 0 || !next.Equal(now.Add(time.Minute)) {
		t.Errorf("due %v, next %v", got, next)
	}
	if err := db.Update(func(tx *storage.Tx) error { return errors.Join(Retry(tx, ids[0], now), Drop(tx, ids[1])) }); err != nil {
		t.Fatal(err)
	}
	if got, _ := dueAt(now.Add(time.Hour)); len(got) != 2 || got[0] != ids[0] || got[1] != ids[2] {
		t.Errorf("due %v", got)
	}
}

func TestScheduleKeepsTryingForDays(t *testing.T) {
	var total time.Duration
	for n := 1; total < giveUpAfter; n++ {
		p := pause(n, uint64(n))
		if n > 3 && p < 30*time.Minute {
			t.Errorf("attempt %d waits only %v", n, p)
		}
		if total += p; n > 60 {
			t.Fatal("too many attempts")
		}
	}
}

func TestWants(t *testing.T) {
	for _, c := range []struct {
		notify []string
		event  string
		want   bool
	}{{nil, "FAILURE", true}, {nil, "DELAY", true}, {nil, "SUCCESS", false}, {[]string{"NEVER"}, "FAILURE", false}, {[]string{"SUCCESS"}, "FAILURE", false}, {[]string{"DELAY", "FAILURE"}, "DELAY", true}} {
		if got := (Recipient{Notify: c.notify}).wants(c.event); got != c.want {
			t.Errorf("%v wants %s: %v", c.notify, c.event, got)
		}
	}
}
