package page

// common are the words of the layout and of errors that any room can meet.
var common = Words{
	"layout.skip":     T("Skip to content", "Aller au contenu", "Naar de inhoud"),
	"layout.menu":     T("Menu", "Menu", "Menu"),
	"layout.language": T("Language", "Langue", "Taal"),
	"layout.signout":  T("Sign out", "Se déconnecter", "Afmelden"),
	"layout.foot":     T("Run by its members, with essaim.", "Géré par ses membres, avec essaim.", "Beheerd door de leden, met essaim."),

	"wrong.title": T("Something went wrong", "Quelque chose n'a pas marché", "Er ging iets mis"),
	"wrong.internal": T("Something went wrong on our side. Nothing you had is lost. Please try again; if it happens again, tell your cooperative.",
		"Un problème est survenu de notre côté. Rien de ce que vous aviez n'est perdu. Réessayez ; si cela se reproduit, prévenez votre coopérative.",
		"Er ging iets mis aan onze kant. Niets van wat je had is verloren. Probeer het opnieuw; gebeurt het nog eens, meld het dan aan je coöperatie."),
	"wrong.notfound": T("There is nothing at this address.", "Il n'y a rien à cette adresse.", "Er is niets op dit adres."),
	"wrong.forbidden": T("This page is not for you. If you think it should be, ask your cooperative's administrators.",
		"Cette page n'est pas pour vous. Si vous pensez que si, demandez à l'administration de votre coopérative.",
		"Deze pagina is niet voor jou. Denk je van wel, vraag het dan aan de beheerders van je coöperatie."),
	"wrong.crossorigin": T("This form came from another site, so nothing was done.",
		"Ce formulaire venait d'un autre site : rien n'a été fait.",
		"Dit formulier kwam van een andere site, er is niets gedaan."),
	"wrong.large": T("That is too large to be sent at once.", "C'est trop volumineux pour être envoyé en une fois.", "Dat is te groot om in één keer te verzenden."),
	"wrong.slow": T("Too many attempts from here. Please wait a little, then try again.",
		"Trop d'essais depuis ici. Attendez un peu, puis réessayez.",
		"Te veel pogingen vanaf hier. Wacht even en probeer het dan opnieuw."),

	"do.save":   T("Save", "Enregistrer", "Opslaan"),
	"do.add":    T("Add", "Ajouter", "Toevoegen"),
	"do.remove": T("Remove", "Retirer", "Verwijderen"),
	"do.cancel": T("Cancel", "Annuler", "Annuleren"),
	"do.back":   T("Back", "Retour", "Terug"),
	"do.copy":   T("Copy", "Copier", "Kopiëren"),
	"do.copied": T("Copied", "Copié", "Gekopieerd"),
	"do.show":   T("Show", "Afficher", "Tonen"),
	"do.search": T("Search", "Chercher", "Zoeken"),

	"log.older": T("Older", "Plus ancien", "Ouder"),
	"do.more":   T("More", "La suite", "Meer"),

	"span.short":       T("less than a minute", "moins d'une minute", "minder dan een minuut"),
	"span.minutes":     T("%d minutes", "%d minutes", "%d minuten"),
	"span.minutes.one": T("%d minute", "%d minute", "%d minuut"),
	"span.hours":       T("%d hours", "%d heures", "%d uur"),
	"span.hours.one":   T("%d hour", "%d heure", "%d uur"),
	"span.days":        T("%d days", "%d jours", "%d dagen"),
	"span.days.one":    T("%d day", "%d jour", "%d dag"),

	"is.yes":   T("yes", "oui", "ja"),
	"is.no":    T("no", "non", "nee"),
	"is.never": T("never", "jamais", "nooit"),
}
