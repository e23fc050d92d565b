package portal

import (
	"fmt"

	"essaim.coop/essaim/internal/page"
)

// An STS is the mode of the MTA-STS policy (RFC 8461 §5).
type STS string

const (
	STSTesting STS = "testing" // others report what would fail, and deliver
	STSEnforce STS = "enforce"
	STSNone    STS = "none" // takes an earlier policy back
)

// ID names the policy in the DNS: it is another one for every mode, so that a
// change is fetched at once and not when the old policy has expired (§3.1).
func (s STS) ID() string { return "20261128" + string(s) }

// maxAge is for how long others keep the policy, in seconds: a week, and a day
// when it says nothing (§8.3).
func (s STS) maxAge() int {
	if s == STSNone {
		return 24 * 3600
	}
	return 7 * 24 * 3600
}

// mtaSTS is the policy of RFC 8461 §3.2: mail for the domain comes to this
// host, over TLS with a certificate that holds.
func (p *Portal) mtaSTS(x *page.Request) error {
	x.W.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(x.W, "version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: %d\r\n", p.STS, p.Services.Host, p.STS.maxAge())
	return nil
}
