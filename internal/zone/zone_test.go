package zone

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func site() Site {
	return Site{
		Domain: "coop.example", Host: "mail.coop.example", Authority: "letsencrypt.org", PolicyID: "20261128",
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		TXT:       map[string]string{"s1._domainkey": "v=DKIM1; k=rsa; p=" + strings.Repeat("A", 400)},
	}
}

func TestPrintedZoneParses(t *testing.T) {
	var b strings.Builder
	records := site().Records()
	if err := Print(&b, records); err != nil {
		t.Fatal(err)
	}
	p := dns.NewZoneParser(strings.NewReader(b.String()), "", "")
	n := 0
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		if want := records[n]; rr.Header().Name != want.Name+"." || dns.TypeToString[rr.Header().Rrtype] != want.Type {
			t.Errorf("record %d reads back as %s", n, rr)
		}
		n++
	}
	if p.Err() != nil || n != len(records) {
		t.Fatalf("%d of %d records read back: %v\n%s", n, len(records), p.Err(), b.String())
	}
}

type table map[string][]string

func (t table) Lookup(_ context.Context, name, kind string) ([]string, error) {
	if name == "broken.example" {
		return nil, errors.New("no answer")
	}
	return t[name+" "+kind], nil
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		want  Record
		found []string
		state State
	}{
		{"same", Record{Type: "A", Value: "192.0.2.1"}, []string{"192.0.2.1"}, Right},
		{"one of two", Record{Type: "A", Value: "192.0.2.1"}, []string{"192.0.2.9", "192.0.2.1"}, Right},
		{"other address", Record{Type: "A", Value: "192.0.2.1"}, []string{"192.0.2.9"}, Differs},
		{"nothing", Record{Type: "A", Value: "192.0.2.1"}, nil, Missing},
		{"preference", Record{Type: "MX", Value: "10 mail.coop.example.", Purpose: "mx"}, []string{"5 MAIL.coop.example."}, Right},
		{"other mx", Record{Type: "MX", Value: "10 mail.coop.example.", Purpose: "mx"}, []string{"5 mx.other.example."}, Differs},
		{"richer spf", Record{Type: "TXT", Value: `"v=spf1 mx -all"`, Purpose: "spf"}, []string{`"v=spf1 ip4:192.0.2.7 mx ~all"`}, Right},
		{"open spf", Record{Type: "TXT", Value: `"v=spf1 mx -all"`, Purpose: "spf"}, []string{`"v=spf1 mx +all"`}, Differs},
		{"foreign spf", Record{Type: "TXT", Value: `"v=spf1 mx -all"`, Purpose: "spf"}, []string{`"v=spf1 include:other.example -all"`}, Differs},
		{"other txt only", Record{Type: "TXT", Value: `"v=spf1 mx -all"`, Purpose: "spf"}, []string{`"site-verification=1"`}, Missing},
		{"stricter dmarc", Record{Type: "TXT", Value: `"v=DMARC1; p=quarantine"`, Purpose: "dmarc"}, []string{`"v=DMARC1; p=reject"`}, Right},
		{"long key", Record{Type: "TXT", Value: quote("v=DKIM1; p=" + strings.Repeat("B", 300)), Purpose: "dkim"},
			[]string{`"v=DKIM1; p=` + strings.Repeat("B", 100) + `" "` + strings.Repeat("B", 200) + `"`}, Right},
		{"srv weight", Record{Type: "SRV", Value: "0 1 993 mail.coop.example.", Purpose: "clients"}, []string{"10 0 993 mail.coop.example."}, Right},
		{"srv port", Record{Type: "SRV", Value: "0 1 993 mail.coop.example.", Purpose: "clients"}, []string{"0 1 143 mail.coop.example."}, Differs},
	} {
		c.want.Name = "x.example"
		got := Check(t.Context(), table{"x.example " + c.want.Type: c.found}, []Record{c.want})
		if got[0].State != c.state {
			t.Errorf("%s: %s, want %s", c.name, got[0].State, c.state)
		}
	}
	if f := Check(t.Context(), table{}, []Record{{Name: "broken.example", Type: "A"}}); f[0].State != Unknown || f[0].Err == nil {
		t.Errorf("a resolver without answer: %+v", f[0])
	}
}

// A site whose own zone is served by a name server is wholly right.
func TestCheckAgainstServer(t *testing.T) {
	var b strings.Builder
	records := site().Records()
	_ = Print(&b, records)
	byName := map[string][]dns.RR{}
	p := dns.NewZoneParser(strings.NewReader(b.String()), "", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		k := rr.Header().Name + dns.TypeToString[rr.Header().Rrtype]
		byName[k] = append(byName[k], rr)
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Answer = byName[q.Question[0].Name+dns.TypeToString[q.Question[0].Qtype]]
		_ = w.WriteMsg(m)
	})}
	go func() { _ = srv.ActivateAndServe() }()
	t.Cleanup(func() { _ = srv.Shutdown() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, f := range Check(ctx, Server(conn.LocalAddr().String()), records) {
		if f.State != Right {
			t.Errorf("%s %s: %s, found %q, %v", f.Name, f.Type, f.State, f.Found, f.Err)
		}
	}
}
