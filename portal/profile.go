package portal

import (
	"crypto/rand"
	"crypto/x509"
	"embed"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/template"

	"essaim.coop/essaim/storage/accounts"

	"github.com/smallstep/pkcs7"
)

// The files that mail programs and phones fetch by themselves.
//
//go:embed lookups
var lookups embed.FS

var lookupTexts = template.Must(template.New("").Funcs(template.FuncMap{"xml": escapeXML}).ParseFS(lookups, "lookups/*"))

func escapeXML(s any) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&apos;").Replace(fmt.Sprint(s))
}

// writeProfile writes Apple's configuration profile for what a device may use.
func (p *Portal) writeProfile(w io.Writer, n newborn, coop string) error {
	ids := make([]string, 4)
	for i := range ids {
		ids[i] = newUUID()
	}
	origin, err := url.Parse(p.Origin)
	if err != nil {
		return err
	}
	port := origin.Port()
	if port == "" {
		port = "443"
	}
	return lookupTexts.ExecuteTemplate(w, "profile.xml", map[string]any{
		"Coop": coop, "Address": n.address, "Name": n.name, "Device": n.device, "Password": n.password, "UUID": ids, "Services": p.Services,
		"Host": origin.Hostname(), "Port": port, "Mail": n.scope&accounts.ScopeMail != 0,
		"Calendar": n.scope&accounts.ScopeCalendar != 0, "Contacts": n.scope&accounts.ScopeContacts != 0,
	})
}

func newUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}

// sign wraps a profile in a CMS signature by our certificate, so that a phone
// says who it is from.
func (p *Portal) sign(profile []byte) ([]byte, error) {
	if p.Certificate == nil {
		return profile, nil
	}
	cert, err := p.Certificate()
	if err != nil {
		return nil, err
	}
	signed, err := pkcs7.NewSignedData(profile)
	if err != nil {
		return nil, err
	}
	chain := make([]*x509.Certificate, 0, len(cert.Certificate))
	for _, der := range cert.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	signed.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := signed.AddSignerChain(chain[0], cert.PrivateKey, chain[1:], pkcs7.SignerInfoConfig{}); err != nil {
		return nil, err
	}
	return signed.Finish()
}
