package zone

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"essaim.coop/essaim/internal/page"
)

func TestReverseNamesAreAskedOfTheProvider(t *testing.T) {
	records := site().Reverse()
	if len(records) != 2 || records[0].Name != "1.2.0.192.in-addr.arpa" || !strings.HasSuffix(records[1].Name, ".ip6.arpa") || !records[0].Required {
		t.Fatalf("%+v", records)
	}
	found := Check(t.Context(), table{"1.2.0.192.in-addr.arpa PTR": {"MAIL.coop.example."}, records[1].Name + " PTR": {"host-1.provider.example."}}, records)
	if found[0].State != Right || found[1].State != Differs {
		t.Errorf("%+v", found)
	}
}

func TestOutbound(t *testing.T) {
	mx := table{"a.example MX": {"10 mx.a.example."}, "b.example MX": {"10 mx.b.example."}}
	var dialled []string
	dial := func(open string) Dial {
		dialled = nil
		return func(_ context.Context, _, address string) (net.Conn, error) {
			dialled = append(dialled, address)
			if address != open {
				return nil, errors.New("timeout")
			}
			here, there := net.Pipe()
			there.Close()
			return here, nil
		}
	}
	domains := []string{"none.example", "broken.example", "a.example", "b.example"}
	if err := Outbound(t.Context(), mx, dial("mx.b.example:25"), domains); err != nil || len(dialled) != 2 {
		t.Errorf("open: %v, %v", err, dialled)
	}
	if err := Outbound(t.Context(), mx, dial(""), domains); err == nil {
		t.Error("closed: no error")
	}
}

func TestLetter(t *testing.T) {
	for _, l := range page.Languages {
		text := site().Letter(l, "Les Voisins")
		for _, want := range []string{"Les Voisins", "mail.coop.example", "1.2.0.192.in-addr.arpa. PTR mail.coop.example.", "postmaster@coop.example", "25"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", l, want, text)
			}
		}
		if strings.ContainsAny(text, "{}") {
			t.Errorf("%s: a gap in\n%s", l, text)
		}
		relayed := site()
		relayed.RelayHost = "smtp.sister.example"
		if text := relayed.Letter(l, "x"); strings.Contains(text, "SMTP") {
			t.Errorf("%s: port 25 is asked for, though a relay sends:\n%s", l, text)
		}
	}
}

func TestSPFNamesTheRelay(t *testing.T) {
	for _, c := range []struct {
		site Site
		want string
	}{
		{Site{}, "v=spf1 mx -all"},
		{Site{RelayHost: "smtp.sister.example"}, "v=spf1 mx a:smtp.sister.example -all"},
		{Site{RelayHost: "smtp.sister.example", Relay: "_spf.sister.example"}, "v=spf1 mx include:_spf.sister.example -all"},
	} {
		if got := c.site.spf(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{"192.0.2.1": true, "10.0.0.1": false, "192.168.1.9": false, "100.64.3.4": false, "fe80::1": false, "fd00::1": false, "2a01::1": true, "127.0.0.1": false} {
		if public(netip.MustParseAddr(text)) != want {
			t.Errorf("%s: public is %v", text, !want)
		}
	}
	for _, a := range RoutedAddresses() {
		if !public(a) {
			t.Errorf("%s is not public", a)
		}
	}
}
