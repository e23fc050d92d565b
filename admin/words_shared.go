package admin

import "essaim.coop/essaim/internal/page"

// sharedWords are those of what groups share.
var sharedWords = func() page.Words {
	t := page.T
	return page.Words{
		"shared.nav":     t("Shared", "Partagé", "Gedeeld"),
		"shared.title":   t("What groups share", "Ce que les groupes partagent", "Wat groepen delen"),
		"shared.one":     t("Shared", "Partagé", "Gedeeld"),
		"shared.explain": t("Mail, folders, calendars and address books of the groups, and who may do what there. What is in them cannot be seen from here.", "Le courrier, les dossiers, les agendas et les carnets d'adresses des groupes, et qui peut y faire quoi. Leur contenu ne se voit pas d'ici.", "Mail, mappen, agenda's en adresboeken van de groepen, en wie er wat mag. Wat erin staat is hier niet te zien."),
		"shared.what":    t("What", "Quoi", "Wat"),
		"shared.size":    t("Size", "Taille", "Grootte"),
		"shared.changed": t("Last change", "Dernier changement", "Laatste wijziging"),
		"shared.group":   t("Group", "Groupe", "Groep"),
		"shared.empty":   t("empty", "vide", "leeg"),

		"shared.members":      t("Its %d members can write in all of it.", "Ses %d membres peuvent écrire partout ici.", "De %d leden kunnen overal schrijven."),
		"shared.members.one":  t("Its %d member can write in all of it.", "Son %d membre peut écrire partout ici.", "Het %d lid kan overal schrijven."),
		"shared.members.none": t("Nobody is in it yet.", "Personne n'en fait encore partie.", "Er zit nog niemand in."),
		"shared.nobodyelse":   t("nobody else", "personne d'autre", "niemand anders"),

		"shared.kind.mailbox":         t("mailbox", "boîte mail", "mailbox"),
		"shared.kind.folder":          t("folder", "dossier", "map"),
		"shared.kind.calendar":        t("calendar", "agenda", "agenda"),
		"shared.kind.addressbook":     t("address book", "carnet d'adresses", "adresboek"),
		"shared.standard.mailbox":     t("Inbox", "Boîte de réception", "Inbox"),
		"shared.standard.folder":      t("All files", "Tous les fichiers", "Alle bestanden"),
		"shared.standard.calendar":    t("The calendar", "L'agenda", "De agenda"),
		"shared.standard.addressbook": t("The address book", "Le carnet d'adresses", "Het adresboek"),

		"shared.count.mailbox":         t("%d messages", "%d messages", "%d berichten"),
		"shared.count.mailbox.one":     t("%d message", "%d message", "%d bericht"),
		"shared.count.folder":          t("%d files and folders", "%d fichiers et dossiers", "%d bestanden en mappen"),
		"shared.count.folder.one":      t("%d file or folder", "%d fichier ou dossier", "%d bestand of map"),
		"shared.count.calendar":        t("%d events", "%d événements", "%d afspraken"),
		"shared.count.calendar.one":    t("%d event", "%d événement", "%d afspraak"),
		"shared.count.addressbook":     t("%d cards", "%d fiches", "%d fiches"),
		"shared.count.addressbook.one": t("%d card", "%d fiche", "%d fiche"),

		"shared.where":             t("Where members find it", "Où les membres le trouvent", "Waar leden het vinden"),
		"shared.where.mailbox":     t("in their mail program, under Shared, %s", "dans leur logiciel de courrier, sous Shared, %s", "in hun mailprogramma, onder Shared, %s"),
		"shared.where.folder":      t("among their files, in the folder of the group %s", "parmi leurs fichiers, dans le dossier du groupe %s", "bij hun bestanden, in de map van de groep %s"),
		"shared.where.calendar":    t("in their calendar program, beside their own (group %s)", "dans leur logiciel d'agenda, à côté des leurs (groupe %s)", "in hun agendaprogramma, naast die van henzelf (groep %s)"),
		"shared.where.addressbook": t("in their address book program, beside their own (group %s)", "dans leur logiciel de contacts, à côté des leurs (groupe %s)", "in hun adresboekprogramma, naast die van henzelf (groep %s)"),

		"shared.who":        t("Who may", "Qui peut", "Wie mag"),
		"shared.whoexplain": t("Who is in the group %s can write. Others can do here what they are given below.", "Qui fait partie du groupe %s peut écrire. Les autres peuvent ici ce qui leur est donné ci-dessous.", "Wie in de groep %s zit kan schrijven. Anderen mogen hier wat hieronder gegeven is."),
		"shared.give":       t("Give rights", "Donner des droits", "Rechten geven"),
		"shared.take":       t("Take away", "Retirer", "Intrekken"),
		"shared.member":     t("Address of a member or a group", "Adresse d'un membre ou d'un groupe", "Adres van een lid of een groep"),
		"shared.may":        t("May", "Peut", "Mag"),
		"shared.may.read":   t("may read", "peut lire", "mag lezen"),
		"shared.may.write":  t("may write", "peut écrire", "mag schrijven"),
		"shared.may.manage": t("may manage", "peut gérer", "mag beheren"),
		"shared.may.other":  t("as set in a program", "réglé dans un logiciel", "ingesteld in een programma"),
		"shared.can.read":   t("read", "lire", "lezen"),
		"shared.can.write":  t("read and write", "lire et écrire", "lezen en schrijven"),
		"shared.can.manage": t("manage: also give rights to others and remove it", "gérer : aussi donner des droits aux autres et le supprimer", "beheren: ook anderen rechten geven en het verwijderen"),
		"shared.nobody":     t("Nobody here has the address %s.", "Personne ici n'a l'adresse %s.", "Niemand hier heeft het adres %s."),
		"shared.already":    t("%s belongs to the group and can write already.", "%s fait partie du groupe et peut déjà écrire.", "%s hoort bij de groep en kan al schrijven."),

		"shared.new":  t("Something new to share", "Quelque chose de nouveau à partager", "Iets nieuws om te delen"),
		"shared.make": t("Make it", "Créer", "Maken"),

		"shared.remove":       t("Remove it", "Supprimer", "Verwijderen"),
		"shared.standard":     t("Every group has this. It goes with the group only.", "Chaque groupe a cela. Cela ne disparaît qu'avec le groupe.", "Elke groep heeft dit. Het verdwijnt alleen met de groep."),
		"shared.totrash":      t("The folder goes to the group's trash with all that is in it; members can bring it back for 30 days.", "Le dossier va à la corbeille du groupe avec tout ce qu'il contient ; les membres peuvent le reprendre pendant 30 jours.", "De map gaat met alles erin naar de prullenbak van de groep; leden kunnen ze 30 dagen terughalen."),
		"shared.forgood":      t("It is gone for good, for everybody, with all that is in it.", "C'est supprimé pour de bon, pour tout le monde, avec tout ce qu'il y a dedans.", "Het is voorgoed weg, voor iedereen, met alles wat erin zit."),
		"shared.ask":          t("%s will be removed for everybody. Go on?", "%s sera supprimé pour tout le monde. Continuer ?", "%s wordt voor iedereen verwijderd. Doorgaan?"),
		"shared.contents":     t("Also the %d things in it", "Aussi les %d éléments qu'il contient", "Ook de %d dingen die erin zitten"),
		"shared.contents.one": t("Also the %d thing in it", "Aussi l'élément (%d) qu'il contient", "Ook het ene (%d) dat erin zit"),
		"shared.notempty":     t("It is not empty: %d things are in it. Nothing was removed. Tick the box and type its name to remove them, too.", "Ce n'est pas vide : il y a %d éléments. Rien n'a été supprimé. Cochez la case et tapez son nom pour les supprimer aussi.", "Het is niet leeg: er zitten %d dingen in. Er is niets verwijderd. Vink het vakje aan en typ de naam om ze mee te verwijderen."),
		"shared.notempty.one": t("It is not empty: %d thing is in it. Nothing was removed. Tick the box and type its name to remove it, too.", "Ce n'est pas vide : il y a %d élément. Rien n'a été supprimé. Cochez la case et tapez son nom pour le supprimer aussi.", "Het is niet leeg: er zit %d ding in. Er is niets verwijderd. Vink het vakje aan en typ de naam om het mee te verwijderen."),

		"done.made": t("It is there. Members of the group find it the next time their programs look.", "C'est créé. Les membres du groupe le trouveront dès que leurs logiciels regarderont.", "Het is er. De leden van de groep vinden het zodra hun programma's kijken."),
	}
}()
