package main

import (
	"errors"

	"essaim.coop/essaim/internal/page"
)

// setupWords are those of the set-up, on the terminal and on its page.
var setupWords = func() page.Words {
	t := page.T
	return page.Words{
		"setup.title":        t("A new cooperative", "Une nouvelle coopérative", "Een nieuwe coöperatie"),
		"setup.explain":      t("Five answers are enough. Everything can be changed later.", "Cinq réponses suffisent. Tout peut être changé plus tard.", "Vijf antwoorden volstaan. Alles kan later nog veranderen."),
		"setup.name":         t("Name of the cooperative", "Nom de la coopérative", "Naam van de coöperatie"),
		"setup.domain":       t("Its domain, as coop.example", "Son domaine, comme coop.example", "Het domein, zoals coop.example"),
		"setup.where":        t("Where the machine stands (members read it)", "Où se trouve la machine (les membres le lisent)", "Waar de machine staat (leden lezen het)"),
		"setup.languages":    t("Languages of its members, yours first (fr, nl, en)", "Langues de ses membres, la vôtre d'abord (fr, nl, en)", "Talen van de leden, die van jou eerst (fr, nl, en)"),
		"setup.speaks":       t("Languages of its members", "Langues de ses membres", "Talen van de leden"),
		"setup.address":      t("Your address in the domain", "Votre adresse dans le domaine", "Je adres in het domein"),
		"setup.relay":        t("Relay that sends to the world for this machine (host:port; empty: it sends itself)", "Relais qui envoie vers le monde pour cette machine (hôte:port ; vide : elle envoie elle-même)", "Relay die voor deze machine naar de wereld stuurt (host:poort; leeg: ze stuurt zelf)"),
		"setup.more":         t("Name of the machine, relay", "Nom de la machine, relais", "Naam van de machine, relay"),
		"setup.hostname":     t("Name of this machine (mail. and the domain when empty)", "Nom de cette machine (mail. et le domaine si vide)", "Naam van deze machine (mail. en het domein als het leeg is)"),
		"setup.relayexplain": t("Where port 25 is closed, receive here and send by a relay, such as a sister cooperative's.", "Là où le port 25 est fermé, recevez ici et envoyez par un relais, par exemple celui d'une coopérative sœur.", "Waar poort 25 dicht is, ontvang je hier en stuur je via een relay, bijvoorbeeld die van een zustercoöperatie."),
		"setup.relayname":    t("Relay (host:port; empty: none)", "Relais (hôte:port ; vide : aucun)", "Relay (host:poort; leeg: geen)"),
		"setup.relayuser":    t("Login at the relay", "Identifiant chez le relais", "Gebruikersnaam bij de relay"),
		"setup.relaypass":    t("Password at the relay", "Mot de passe chez le relais", "Wachtwoord bij de relay"),
		"setup.do":           t("Set up", "Installer", "Installeren"),
		"setup.open":         t("Open this once, within half an hour:", "Ouvrez ceci une fois, dans la demi-heure :", "Open dit één keer, binnen het halfuur:"),
		"setup.fingerprint":  t("The browser will not know the certificate. Compare its SHA-256 fingerprint:", "Le navigateur ne connaîtra pas le certificat. Comparez son empreinte SHA-256 :", "De browser kent het certificaat niet. Vergelijk de SHA-256-vingerafdruk:"),

		"setup.noname":     t("The cooperative needs a name.", "La coopérative a besoin d'un nom.", "De coöperatie heeft een naam nodig."),
		"setup.nodomain":   t("That is no domain. It looks like coop.example.", "Ce n'est pas un domaine. Il ressemble à coop.example.", "Dat is geen domein. Het ziet eruit als coop.example."),
		"setup.nolanguage": t("Choose at least one language: fr, nl or en.", "Choisissez au moins une langue : fr, nl ou en.", "Kies minstens één taal: fr, nl of en."),
		"setup.noaddress":  t("Your address has to be in the domain.", "Votre adresse doit être dans le domaine.", "Je adres moet in het domein zitten."),
		"setup.nohost":     t("That is no name of a machine. It looks like mail.coop.example.", "Ce n'est pas un nom de machine. Il ressemble à mail.coop.example.", "Dat is geen naam van een machine. Hij ziet eruit als mail.coop.example."),
		"setup.norelay":    t("The relay needs a name and a port, and a login comes with its password.", "Le relais a besoin d'un nom et d'un port, et un identifiant va avec son mot de passe.", "De relay heeft een naam en een poort nodig, en een gebruikersnaam hoort bij een wachtwoord."),
		"setup.failed":     t("That did not work: %s. Nothing is set up; try again.", "Cela n'a pas marché : %s. Rien n'est installé ; réessayez.", "Dat lukte niet: %s. Er is niets geïnstalleerd; probeer opnieuw."),

		"founded.title":  t("It is set up", "C'est installé", "Het is geïnstalleerd"),
		"founded.once":   t("Passwords and codes are shown only now. Write them down.", "Les mots de passe et les codes ne sont montrés que maintenant. Notez-les.", "Wachtwoorden en codes worden alleen nu getoond. Schrijf ze op."),
		"founded.config": t("The configuration is %s.", "La configuration est %s.", "De configuratie is %s."),
		"founded.signin": t("Sign in on the web", "Se connecter sur le web", "Aanmelden op het web"),
		"founded.codes":  t("One of these codes lets you set your password for the web, at %s; keep the others.", "Un de ces codes vous permet de choisir votre mot de passe pour le web, à %s ; gardez les autres.", "Met een van deze codes kies je je wachtwoord voor het web, op %s; bewaar de andere."),
		"founded.device": t("Your first device: name and password", "Votre premier appareil : identifiant et mot de passe", "Je eerste toestel: gebruikersnaam en wachtwoord"),
		"founded.next":   t("Now start it:", "Démarrez maintenant :", "Start het nu:"),
		"founded.zone":   t("To do at your registrar", "À faire chez votre registraire", "Te doen bij je registrar"),
		"founded.later":  t("These lines and their checks are also on the administrators' page First steps.", "Ces lignes et leur vérification sont aussi sur la page d'administration Premiers pas.", "Deze regels en hun controle staan ook op de beheerderspagina Eerste stappen."),
		"founded.letter": t("A letter to your provider", "Une lettre à votre fournisseur", "Een brief aan je provider"),
	}
}()

func asProblem(err error, p *page.Problem) bool { return errors.As(err, p) }
