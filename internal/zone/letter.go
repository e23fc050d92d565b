package zone

import (
	"strings"

	"essaim.coop/essaim/internal/page"
)

// Letter drafts what to write to whoever lends the machine and its addresses:
// open port 25, set the reverse DNS. With a relay only the latter is asked for.
func (s Site) Letter(l page.Lang, coop string) string {
	var lines []string
	for _, r := range s.Reverse() {
		lines = append(lines, "    "+r.Name+". PTR "+r.Value)
	}
	if len(lines) == 0 {
		lines = []string{"    … PTR " + s.Host + "."}
	}
	ask := letterReverse.In(l)
	if s.RelayHost == "" {
		ask = letterPort.In(l) + "\n" + ask
	}
	return strings.NewReplacer("{coop}", coop, "{host}", s.Host, "{domain}", s.Domain, "{ask}", ask, "{ptr}", strings.Join(lines, "\n")).Replace(letterText.In(l))
}

var letterText = page.T(
	`Subject: mail from {host}

Hello,

We are {coop}, a small cooperative whose members run their own mail, on the
machine {host} that stands with you. So that their letters arrive elsewhere,
could you please

{ask}

{ptr}

Only letters of our members leave this machine, no bulk mail. Whoever has a
complaint reaches people at postmaster@{domain}.

Thank you, and kind regards,
`,
	`Objet : courrier de {host}

Bonjour,

Nous sommes {coop}, une petite coopérative dont les membres gèrent eux-mêmes
leur courrier, sur la machine {host} qui se trouve chez vous. Pour que leurs
lettres arrivent ailleurs, pourriez-vous

{ask}

{ptr}

Seules les lettres de nos membres partent de cette machine, aucun envoi en
masse. Toute plainte est lue par des personnes à postmaster@{domain}.

Merci, et bien cordialement,
`,
	`Onderwerp: mail van {host}

Dag,

Wij zijn {coop}, een kleine coöperatie waarvan de leden hun mail zelf beheren,
op de machine {host} die bij jullie staat. Kunnen jullie, zodat hun brieven
elders aankomen,

{ask}

{ptr}

Alleen brieven van onze leden vertrekken van deze machine, geen massamail. Wie
een klacht heeft, bereikt mensen op postmaster@{domain}.

Bedankt, en vriendelijke groeten,
`)

var letterPort = page.T(
	"  - open outgoing connections to port 25 (SMTP) for it,",
	"  - lui ouvrir les connexions sortantes vers le port 25 (SMTP),",
	"  - uitgaande verbindingen naar poort 25 (SMTP) openzetten voor die machine,")

var letterReverse = page.T(
	"  - set the reverse DNS of its addresses to its name:",
	"  - régler le DNS inverse de ses adresses sur son nom :",
	"  - de reverse DNS van haar adressen op haar naam zetten:")
