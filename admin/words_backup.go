package admin

import "essaim.coop/essaim/internal/page"

// backupWords are those of the backup's page.
var backupWords = func() page.Words {
	t := page.T
	return page.Words{
		"backup.title":   t("Backup", "Sauvegarde", "Back-up"),
		"backup.explain": t("A copy of everything: mail, files, calendars, address books and accounts. It is made while members go on working, and is looked through at once.", "Une copie de tout : courrier, fichiers, agendas, carnets d'adresses et comptes. Elle se fait pendant que les membres continuent de travailler, et est relue aussitôt.", "Een kopie van alles: mail, bestanden, agenda's, adresboeken en accounts. Ze wordt gemaakt terwijl de leden verder werken, en meteen nagelezen."),
		"backup.last":    t("The last one", "La dernière", "De laatste"),
		"backup.place":   t("Place", "Endroit", "Plaats"),
		"backup.unset":   t("not chosen yet", "pas encore choisi", "nog niet gekozen"),
		"backup.made":    t("Made", "Faite", "Gemaakt"),
		"backup.ago":     t("%s ago", "il y a %s", "%s geleden"),
		"backup.size":    t("Size", "Taille", "Grootte"),

		"backup.verified":    t("Last verified restore", "Dernière restauration vérifiée", "Laatste geslaagde hersteltest"),
		"backup.start":       t("Make a backup now", "Faire une sauvegarde maintenant", "Nu een back-up maken"),
		"backup.test":        t("Restore test", "Test de restauration", "Hersteltest"),
		"backup.testexplain": t("A backup is worth what comes back from it. The test restores it to a temporary place on this machine, reads every message and file, and removes it again. Members notice nothing. It needs as much free disk as the backup has.", "Une sauvegarde vaut ce qu'elle rend. Le test la restaure à un endroit provisoire de cette machine, lit chaque message et chaque fichier, puis efface le tout. Les membres ne remarquent rien. Il faut autant de place libre sur le disque que la sauvegarde en occupe.", "Een back-up is waard wat eruit terugkomt. De test zet hem terug op een tijdelijke plaats op deze machine, leest elk bericht en elk bestand, en ruimt alles weer op. Leden merken er niets van. Er is evenveel vrije schijfruimte nodig als de back-up inneemt."),
		"backup.verify":      t("Test it now", "Tester maintenant", "Nu testen"),

		"backup.noplace":   t("No place is chosen yet. Write one line in the configuration, /etc/essaim/essaim.toml, and start the service again:", "Aucun endroit n'est encore choisi. Écrivez une ligne dans la configuration, /etc/essaim/essaim.toml, et redémarrez le service :", "Er is nog geen plaats gekozen. Schrijf één regel in de configuratie, /etc/essaim/essaim.toml, en start de dienst opnieuw:"),
		"backup.elsewhere": t("The directory should be on another disk, best on another machine whose disk is mounted there, and belong to the user essaim. For any other directory than this one, docs/operations.md has two lines more.", "Le dossier devrait être sur un autre disque, au mieux sur une autre machine dont le disque est monté là, et appartenir à l'utilisateur essaim. Pour un autre dossier que celui-ci, docs/operations.md a deux lignes de plus.", "De map staat best op een andere schijf, liefst van een andere machine, en hoort toe aan de gebruiker essaim. Voor een andere map dan deze heeft docs/operations.md nog twee regels."),
		"backup.busy":      t("A backup or a test is already under way. Nothing was started.", "Une sauvegarde ou un test est déjà en cours. Rien n'a été lancé.", "Er loopt al een back-up of een test. Er werd niets gestart."),
		"backup.nothing":   t("There is no backup to test yet. Make one first.", "Il n'y a pas encore de sauvegarde à tester. Faites-en une d'abord.", "Er is nog geen back-up om te testen. Maak er eerst een."),

		"backup.running.backup": t("A backup is being made", "Une sauvegarde est en cours", "Er wordt een back-up gemaakt"),
		"backup.running.verify": t("A restore test is under way", "Un test de restauration est en cours", "Er loopt een hersteltest"),
		"backup.since":          t("For %s, since %s. You can leave this page.", "Depuis %s : %s. Vous pouvez quitter cette page.", "Al %s, sinds %s. Je mag deze pagina verlaten."),
		"backup.failed.backup":  t("The last backup did not succeed", "La dernière sauvegarde n'a pas réussi", "De laatste back-up is niet gelukt"),
		"backup.failed.verify":  t("The last restore test did not succeed", "Le dernier test de restauration n'a pas réussi", "De laatste hersteltest is niet gelukt"),
		"backup.detail":         t("What the machine says", "Ce que dit la machine", "Wat de machine zegt"),

		"backup.why.damage":  t("Something in the copy is damaged. What members have is not touched. Run essaim check; docs/operations.md says what to do then.", "Quelque chose dans la copie est abîmé. Ce que les membres ont n'est pas touché. Lancez essaim check ; docs/operations.md dit quoi faire ensuite.", "Iets in de kopie is beschadigd. Wat de leden hebben is onaangeroerd. Voer essaim check uit; docs/operations.md zegt wat daarna te doen."),
		"backup.why.full":    t("There is not enough free space on the disk. What members have is not touched. Make room, then try again.", "Il n'y a pas assez de place libre sur le disque. Ce que les membres ont n'est pas touché. Faites de la place, puis réessayez.", "Er is niet genoeg vrije plaats op de schijf. Wat de leden hebben is onaangeroerd. Maak plaats en probeer opnieuw."),
		"backup.why.rights":  t("The service may not write to that place. Give the directory to the user essaim, and name it under ReadWritePaths as docs/operations.md says. It has to be there when the service starts.", "Le service n'a pas le droit d'écrire à cet endroit. Donnez le dossier à l'utilisateur essaim, et nommez-le sous ReadWritePaths comme le dit docs/operations.md. Il doit être là quand le service démarre.", "De dienst mag op die plaats niet schrijven. Geef de map aan de gebruiker essaim, en noem ze bij ReadWritePaths zoals docs/operations.md zegt. Ze moet er zijn wanneer de dienst start."),
		"backup.why.gone":    t("The place is not there. Is its disk connected and mounted?", "L'endroit n'est pas là. Son disque est-il branché et monté ?", "De plaats is er niet. Is de schijf aangesloten en gekoppeld?"),
		"backup.why.stopped": t("The service was stopped meanwhile. Start it once more.", "Le service a été arrêté entre-temps. Relancez-la.", "De dienst werd intussen gestopt. Start opnieuw."),
		"backup.why.other":   t("It stopped on something unexpected. The backup before it may be incomplete now: make a new one soon.", "Arrêt sur quelque chose d'inattendu. La sauvegarde d'avant peut être incomplète à présent : refaites-en une bientôt.", "Het stopte door iets onverwachts. De vorige back-up kan nu onvolledig zijn: maak er snel een nieuwe."),

		"done.backup": t("The backup has begun.", "La sauvegarde a commencé.", "De back-up is begonnen."),
		"done.verify": t("The restore test has begun.", "Le test de restauration a commencé.", "De hersteltest is begonnen."),
	}
}()
