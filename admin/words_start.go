package admin

import (
	"maps"

	"essaim.coop/essaim/internal/page"
)

// startWords are those of the first days.
var startWords = func() page.Words {
	t := page.T
	return page.Words{
		"start.line":      t("%s: %s", "%s : %s", "%s: %s"),
		"start.title":     t("First steps", "Premiers pas", "Eerste stappen"),
		"start.explain":   t("Mail between members works already. Three lists lead to mail with the world.", "Le courrier entre membres marche déjà. Trois listes mènent au courrier avec le monde.", "Mail tussen leden werkt al. Drie lijsten leiden naar mail met de wereld."),
		"start.ready":     t("Everything that is required is there.", "Tout ce qu'il faut est en place.", "Alles wat nodig is, is er."),
		"start.done":      t("Done by the machine", "Fait par la machine", "Door de machine gedaan"),
		"start.registrar": t("To do at your registrar", "À faire chez votre registraire", "Te doen bij je registrar"),
		"start.provider":  t("To ask your provider", "À demander à votre fournisseur", "Te vragen aan je provider"),
		"start.port":      t("Port 25 open to the world", "Port 25 ouvert vers le monde", "Poort 25 open naar de wereld"),
		"start.relay":     t("Mail for elsewhere leaves by the relay %s, so port 25 may stay closed.", "Le courrier pour ailleurs part par le relais %s : le port 25 peut rester fermé.", "Mail voor elders vertrekt via de relay %s; poort 25 mag dicht blijven."),
		"start.noaddress": t("No public address of the machine is known. Set addresses in the configuration.", "Aucune adresse publique de la machine n'est connue. Indiquez addresses dans la configuration.", "Er is geen publiek adres van de machine bekend. Zet addresses in de configuratie."),
		"start.letter":    t("A letter to your provider", "Une lettre à votre fournisseur", "Een brief aan je provider"),
		"start.again":     t("Look again", "Regarder de nouveau", "Opnieuw kijken"),
		"start.watch":     t("Look again every minute", "Regarder de nouveau chaque minute", "Elke minuut opnieuw kijken"),
		"start.watching":  t("This page looks again every minute, until everything is there.", "Cette page regarde de nouveau chaque minute, jusqu'à ce que tout soit en place.", "Deze pagina kijkt elke minuut opnieuw, tot alles er is."),
		"start.stop":      t("Stop", "Arrêter", "Stoppen"),
		"purpose.reverse": t("The address leads back to the name (reverse DNS)", "L'adresse ramène au nom (DNS inverse)", "Het adres leidt terug naar de naam (reverse DNS)"),

		"health.domain":     t("Mail is received for", "Le courrier est reçu pour", "Mail wordt ontvangen voor"),
		"health.postmaster": t("Who reads what other machines complain of", "Qui lit les plaintes des autres machines", "Wie leest wat andere machines melden"),
		"health.relay":      t("Mail for elsewhere leaves by", "Le courrier pour ailleurs part par", "Mail voor elders vertrekt via"),
	}
}()

// allWords are the room's.
var allWords = func() page.Words {
	all := maps.Clone(words)
	maps.Copy(all, startWords)
	maps.Copy(all, backupWords)
	maps.Copy(all, sharedWords)
	return all
}()
