package zone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// A State is what Check says of a record.
type State string

const (
	Right   State = "right"
	Missing State = "missing"
	Differs State = "differs" // something else is published there
	Unknown State = "unknown" // the resolver gave no answer
)

// A Finding is one record beside what was found.
type Finding struct {
	Record
	State State
	Found []string // values of the same name and type, in zone file form
	Err   error    // with Unknown
}

// A Resolver asks one question and returns the answers in zone file form.
// No answer at all is not an error.
type Resolver interface {
	Lookup(ctx context.Context, name, kind string) ([]string, error)
}

// Check looks up every record, one after the other.
func Check(ctx context.Context, r Resolver, records []Record) []Finding {
	out := make([]Finding, 0, len(records))
	for _, want := range records {
		f := Finding{Record: want, State: Missing}
		f.Found, f.Err = r.Lookup(ctx, want.Name, want.Type)
		switch {
		case f.Err != nil:
			f.State = Unknown
		case slices.ContainsFunc(f.Found, func(got string) bool { return fits(want, got) }):
			f.State = Right
		case len(kindred(want, f.Found)) > 0:
			f.State = Differs
		}
		f.Found = kindred(want, f.Found)
		out = append(out, f)
	}
	return out
}

// kindred drops TXT records that serve another purpose.
func kindred(want Record, found []string) (out []string) {
	for _, v := range found {
		if want.Type != "TXT" || version(v) == version(want.Value) {
			out = append(out, v)
		}
	}
	return out
}

// version is the tag that says what a TXT record is for, as v=spf1.
func version(txt string) string {
	v, _, _ := strings.Cut(unquote(txt), " ")
	v, _, _ = strings.Cut(v, ";")
	if v, _, ok := strings.Cut(v, "path="); ok {
		return v + "path="
	}
	return v
}

func unquote(txt string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(txt, `" "`, ""), `"`), `"`)
}

// fits reports whether what was found does what was wanted.
func fits(want Record, got string) bool {
	switch want.Purpose {
	case "mx": // the preference is the cooperative's own
		return lastField(got) == lastField(want.Value)
	case "clients":
		if want.Type == "SRV" {
			return sameEnd(got, want.Value, 2)
		}
	case "dmarc":
		return version(got) == "v=DMARC1" && strings.Contains(got, "p=")
	case "spf":
		return spfFits(unquote(want.Value), unquote(got))
	}
	return canonical(got) == canonical(want.Value)
}

// spfFits accepts a record that has all wanted terms beside its own.
func spfFits(want, got string) bool {
	have := strings.Fields(got)
	for _, term := range strings.Fields(want) {
		if term != "-all" && !slices.Contains(have, term) {
			return false
		}
	}
	return !slices.Contains(have, "+all") && !slices.Contains(have, "all")
}

func canonical(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(unquote(s)), " "))
}

func lastField(s string) string {
	f := strings.Fields(canonical(s))
	if len(f) == 0 {
		return ""
	}
	return f[len(f)-1]
}

func sameEnd(a, b string, n int) bool {
	x, y := strings.Fields(canonical(a)), strings.Fields(canonical(b))
	return len(x) >= n && len(y) >= n && slices.Equal(x[len(x)-n:], y[len(y)-n:])
}

// A Server is a recursive resolver at host:port. Answers cut short over UDP are
// asked for again over TCP.
type Server string

// SystemResolver returns the first resolver of /etc/resolv.conf.
func SystemResolver() (Server, error) {
	conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return "", err
	}
	if len(conf.Servers) == 0 {
		return "", errors.New("resolv.conf names no resolver")
	}
	return Server(net.JoinHostPort(conf.Servers[0], conf.Port)), nil
}

// queryTime bounds one question; three are asked before giving up.
const queryTime = 3 * time.Second

// Lookup implements Resolver.
func (s Server) Lookup(ctx context.Context, name, kind string) ([]string, error) {
	t, ok := dns.StringToType[kind]
	if !ok {
		return nil, fmt.Errorf("no such record type: %s", kind)
	}
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), t).SetEdns0(1232, false)
	answer, err := s.exchange(ctx, q)
	switch {
	case err != nil:
		return nil, fmt.Errorf("asking %s for %s %s: %w", string(s), name, kind, err)
	case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
		return nil, fmt.Errorf("%s answers %s for %s %s", string(s), dns.RcodeToString[answer.Rcode], name, kind)
	}
	var out []string
	for _, rr := range answer.Answer {
		if rr.Header().Rrtype == t {
			out = append(out, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
	}
	return out, nil
}

func (s Server) exchange(ctx context.Context, q *dns.Msg) (answer *dns.Msg, err error) {
	for _, network := range []string{"udp", "udp", "tcp"} {
		client := dns.Client{Net: network, Timeout: queryTime}
		answer, _, err = client.ExchangeContext(ctx, q, string(s))
		if err == nil && !answer.Truncated {
			return answer, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return answer, err
}
