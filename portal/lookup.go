package portal

import (
	"encoding/xml"
	"errors"
	"net"
	"net/http"
	"strings"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// lookup answers with one of the files, for a domain of ours and no other.
func (p *Portal) lookup(x *page.Request, file, domain, address string) error {
	ours := false
	if err := p.DB.View(func(tx *storage.Tx) error { ours = accounts.LocalDomain(tx, domain); return nil }); err != nil {
		return err
	}
	if !ours {
		return page.Problem{Word: "wrong.notfound"}
	}
	x.W.Header().Set("Content-Type", "application/xml; charset=utf-8")
	return lookupTexts.ExecuteTemplate(x.W, file, map[string]any{
		"Domain": domain, "Address": address, "Coop": p.CoopName(x.R.Context()), "Services": p.Services, "Origin": p.Origin,
	})
}

// autoconfig is what Thunderbird asks for: at the domain's autoconfig name, or
// at the domain itself.
func (p *Portal) autoconfig(x *page.Request) error {
	address := x.R.URL.Query().Get("emailaddress")
	_, domain, _ := strings.Cut(address, "@")
	if domain == "" {
		domain = strings.TrimPrefix(hostOf(x.R), "autoconfig.")
	}
	return p.lookup(x, "autoconfig.xml", domain, address)
}

func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}

// autodiscover is what Outlook asks for. The form is bounded by the router.
func (p *Portal) autodiscover(x *page.Request) error {
	var q struct {
		Address string `xml:"Request>EMailAddress"`
	}
	if err := xml.NewDecoder(x.R.Body).Decode(&q); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		return page.Problem{Word: "wrong.notfound", Err: err}
	}
	_, domain, _ := strings.Cut(q.Address, "@")
	return p.lookup(x, "autodiscover.xml", domain, q.Address)
}
