// Package zone knows what a cooperative's domain must say in the DNS: it makes
// the records to copy to the registrar, and checks what the world sees of them.
//
// What it promises: Records is a pure function, in an order fit to be shown;
// Print writes a zone file (RFC 1035 §5) that any registrar's import reads.
// Check asks a resolver about each record and never waits longer than its
// context; it reports what was found beside what was wanted, and takes a
// stricter or richer record of the cooperative's own (another DMARC policy,
// more SPF terms that still name this host) for what it is: right.
//
// Done: MX and address records (RFC 5321 §5), SPF (RFC 7208), DMARC (RFC 7489),
// TLSA for port 25 (RFC 7672), MTA-STS (RFC 8461), SRV for mail (RFC 6186, RFC
// 8314 §5.1) and for calendars and contacts (RFC 6764), autoconfig and
// autodiscover names, CAA. DKIM keys have their place in Site.TXT.
package zone

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// A Site is what the records follow from.
type Site struct {
	Domain    string       // the cooperative's domain, as coop.example
	Host      string       // this machine, as mail.coop.example
	Addresses []netip.Addr // public ones of this machine
	RelayHost string       // of the relay that sends for us, or empty
	Relay     string       // SPF include that the relay's operator names; empty: its address is let in
	Leaf      *x509.Certificate
	Authority string            // CAA issuer, as letsencrypt.org; empty: none
	PolicyID  string            // of the MTA-STS policy served; empty: none is served
	PolicyOff bool              // that policy takes an earlier one back (RFC 8461 §8.3)
	TXT       map[string]string // further TXT records by name under Domain: DKIM keys
}

// A Record is one line of a zone.
type Record struct {
	Name     string // absolute, without the dot
	Type     string
	Value    string // in zone file form; host names end in a dot
	Purpose  string // a word for pages to explain: address, mx, spf, dmarc, dane, sts, stsoff, clients, caa, dkim, reverse
	Required bool   // mail does not flow, or is taken for spam, without it
}

// Records returns what the domain must publish, the required ones first.
func (s Site) Records() []Record {
	d, h := s.Domain, s.Host
	var out []Record
	need := func(name, kind, value, purpose string) {
		out = append(out, Record{name, kind, value, purpose, true})
	}
	nice := func(name, kind, value, purpose string) {
		out = append(out, Record{name, kind, value, purpose, false})
	}
	for _, a := range s.Addresses {
		need(h, addressType(a), a.String(), "address")
	}
	need(d, "MX", "10 "+h+".", "mx")
	need(d, "TXT", quote(s.spf()), "spf")
	need(h, "TXT", quote("v=spf1 a -all"), "spf") // bounces have an empty sender: the name in EHLO counts (RFC 7208 §2.3)
	for _, name := range slices.Sorted(maps.Keys(s.TXT)) {
		need(name+"."+d, "TXT", quote(s.TXT[name]), "dkim")
	}
	need("_dmarc."+d, "TXT", quote("v=DMARC1; p=quarantine; rua=mailto:postmaster@"+d), "dmarc")
	if s.Leaf != nil {
		sum := sha256.Sum256(s.Leaf.RawSubjectPublicKeyInfo)
		nice("_25._tcp."+h, "TLSA", "3 1 1 "+hex.EncodeToString(sum[:]), "dane") // RFC 7672 §3.1.1
	}
	if s.PolicyID != "" {
		purpose := "sts"
		if s.PolicyOff {
			purpose = "stsoff"
		}
		nice("_mta-sts."+d, "TXT", quote("v=STSv1; id="+s.PolicyID), purpose)
		nice("mta-sts."+d, "CNAME", h+".", purpose)
	}
	for _, srv := range services {
		nice("_"+srv.name+"._tcp."+d, "SRV", fmt.Sprintf("0 %d %d %s.", srv.weight, srv.port, h), "clients")
	}
	for _, name := range []string{"_caldavs", "_carddavs"} {
		nice(name+"._tcp."+d, "TXT", quote("path=/dav/"), "clients") // RFC 6764 §4
	}
	nice("autoconfig."+d, "CNAME", h+".", "clients")
	if s.Authority != "" {
		nice(d, "CAA", `0 issue "`+s.Authority+`"`, "caa")
	}
	return out
}

// services are what clients look up; implicit TLS is what is offered first
// (RFC 8314 §5.1).
var services = []struct {
	name         string
	weight, port int
}{
	{"imaps", 1, 993}, {"submissions", 1, 465}, {"imap", 1, 143}, {"submission", 1, 587},
	{"caldavs", 1, 443}, {"carddavs", 1, 443}, {"autodiscover", 1, 443},
}

func (s Site) spf() string {
	if s.Relay != "" {
		return "v=spf1 mx include:" + s.Relay + " -all"
	}
	if s.RelayHost != "" {
		return "v=spf1 mx a:" + s.RelayHost + " -all"
	}
	return "v=spf1 mx -all"
}

func addressType(a netip.Addr) string {
	if a.Unmap().Is4() {
		return "A"
	}
	return "AAAA"
}

// quote writes a TXT value as strings of at most 255 bytes (RFC 1035 §3.3.14).
func quote(s string) string {
	var b strings.Builder
	for len(s) > 255 {
		b.WriteString(`"` + s[:255] + `" `)
		s = s[255:]
	}
	b.WriteString(`"` + s + `"`)
	return b.String()
}

// Print writes records as a zone file with a TTL of an hour.
func Print(w io.Writer, records []Record) error {
	for _, r := range records {
		if _, err := fmt.Fprintf(w, "%s. 3600 IN %s %s\n", r.Name, r.Type, r.Value); err != nil {
			return err
		}
	}
	return nil
}
