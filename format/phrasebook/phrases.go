package phrasebook

// The book, version 1. What is in it and in which order must not change while
// the version stays; phrases can be added at the end of the last list.

// often are the phrases of one byte.
var often = []string{
	"~From: ", "~To: ", "~Cc: ", "~Subject: ", "~Date: ", "~Message-ID: <", "~In-Reply-To: <", "~References: <",
	"~Content-Type: ", ">~", ">~^<", ">~ <", "> <", "~^", "~ ", "~", " <", ">, ",
	` NIL "`, `" NIL `, `"))`, `" "`, `")) ((NIL NIL "`, `")) (("`, `")) NIL NIL NIL `, `"<`, `>")`, `=?utf-8?q?`,
	`("text" "plain" ("charset" "`, `("text" "html" ("charset" "`, `utf-8") NIL NIL "`, `7bit" `, `quoted-printable" `,
	`base64" `, `8bit" `, ` NIL NIL NIL NIL)`, `("attachment" ("filename" "`, `("boundary" "`, ` NIL NIL NIL`, `"))`,
	`) "alternative" ("boundary" "`, `) "mixed" ("boundary" "`, `") NIL NIL NIL)`,
	"Mon, ", "Tue, ", "Wed, ", "Thu, ", "Fri, ", "Sat, ", "Sun, ",
	" Jan 20", " Feb 20", " Mar 20", " Apr 20", " May 20", " Jun 20", " Jul 20", " Aug 20", " Sep 20", " Oct 20", " Nov 20", " Dec 20",
	" +0000", " +0100", " +0200", "Re: ", ".com", ".org", ".net", ".example", "www.", "mail",
	"er", "in", "en", "es", "an", "on", "re", "te", "ti", "de", "or", "ar", "al", "st", "le", "is", "ra", "it", "nt", "at",
	"ro", "li", "la", "ed", "co", "me", "ma", "se", "ou", "as", "ri", "ne", "el", "ic", "il", "ch", "ho", "ve", "ta", "di",
	"e ", "s ", "t ", "n ", "d ", "r ", "a ", ", ", ". ", "to", "no", "ha",
}

// headers are field names and usual values.
const headers = "~Reply-To: |~Sender: |~Bcc: |~List-Id: |~List-Id: <|~List-Unsubscribe: <|~List-Unsubscribe: <https://|~List-Unsubscribe: <mailto:|" +
	"~Message-Id: <|~Authentication-Results: |~Return-Path: <|Return-Path: <|From: |~Delivered-To: |~X-Priority: 3~|~X-Priority: 1|" +
	"~Importance: normal~|~Importance: high~|~Priority: |~DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=|" +
	"~Received: from |Received: from |~^by | with ESMTPS id | with ESMTPSA id | with ESMTP id | with LMTP id | with SMTP id | with ESMTP |~^for <|" +
	"~^(TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))|(Postfix)|(TLS1.3 TLS_AES_128_GCM_SHA256)|(version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256)|" +
	"TLS_AES_128_GCM_SHA256|TLS_AES_256_GCM_SHA384|TLS_CHACHA20_POLY1305_SHA256|ECDHE-RSA-AES256-GCM-SHA384|~^(envelope-from |(using TLSv1.3 with cipher |" +
	"dkim=pass |dkim=pass header.d=|dkim=pass header.i=@|dkim=none|dkim=fail |header.d=|header.i=@|header.s=|header.b=|header.a=rsa-sha256 |header.from=|" +
	"spf=pass |spf=pass smtp.mailfrom=|spf=pass smtp.helo=|spf=none|spf=fail |spf=softfail |spf=neutral |smtp.mailfrom=|smtp.helo=|smtp.rcpttodomain=|" +
	"dmarc=pass |dmarc=pass header.from=|dmarc=pass (p=none |dmarc=pass (p=reject |dmarc=pass (p=quarantine |sp=none |sp=reject |sp=quarantine |dis=none) |" +
	"dmarc=none|dmarc=fail |arc=none|arc=pass |iprev=pass |policy.iprev=|auth=pass |smtp.auth=|: domain of | designates | as permitted sender) |(google.com: domain of |" +
	"; dkim=pass|; spf=pass|; dmarc=pass|;~^dkim=pass |;~^spf=pass |;~^dmarc=pass |;~       dkim=pass |;~       spf=pass |;~       dmarc=pass |mx.google.com;|" +
	"multipart/alternative; boundary=|multipart/alternative; boundary=\"|multipart/mixed; boundary=|multipart/mixed; boundary=\"|" +
	"multipart/related; boundary=|multipart/related; boundary=\"|multipart/signed; boundary=\"|multipart/report; report-type=delivery-status; boundary=\"|" +
	"multipart/alternative;~ boundary=\"|multipart/mixed;~ boundary=\"|multipart/related;~ boundary=\"|multipart/alternative;~^boundary=\"|multipart/mixed;~^boundary=\"|" +
	"text/plain; charset=utf-8~|text/plain; charset=UTF-8~|text/plain; charset=\"utf-8\"~|text/plain; charset=\"UTF-8\"~|text/html; charset=utf-8~|text/html; charset=UTF-8~|text/html; charset=\"UTF-8\"~|" +
	"text/plain; charset=us-ascii~|text/plain; charset=iso-8859-1~|text/plain; charset=UTF-8; format=flowed~|text/plain; charset=utf-8; format=flowed~|text/calendar; charset=utf-8; method=|" +
	"; charset=|; format=flowed|; boundary=|; protocol=\"application/pgp-signature\"|; protocol=\"application/pkcs7-signature\"; micalg=|micalg=pgp-sha256|micalg=pgp-sha512|" +
	"\"----=_Part_|----=_NextPart_|--==_mimepart_|------------|Apple-Mail-|=_Part_|boundary-|" +
	"Mon, 1|Mon, 2|Tue, 1|Tue, 2|Wed, 1|Wed, 2|Thu, 1|Thu, 2|Fri, 1|Fri, 2| +0000 (UTC)~| +0100 (CET)~| +0200 (CEST)~| -0400~| -0500~| -0700~| -0800~| GMT~| +0530~| (UTC)|" +
	"noreply@|no-reply@|notifications@|notification@|newsletter@|support@|info@|contact@|bounce|mailer-daemon@|postmaster@|hello@|team@|" +
	"@gmail.com|@mail.gmail.com|@googlemail.com|@googlegroups.com|@outlook.com|@hotmail.com|@yahoo.com|@icloud.com|@proton.me|@protonmail.com|@orange.fr|@free.fr|" +
	"@laposte.net|@sfr.fr|@wanadoo.fr|@gmx.net|@gmx.de|@web.de|@t-online.de|@posteo.de|@mailbox.org|@github.com|@ziggo.nl|@kpnmail.nl|@xs4all.nl|@telenet.be|@skynet.be|" +
	"@email.amazonses.com|@amazonses.com|.amazonses.com|.sendgrid.net|.mailchimp.com|.mcsv.net|.mailgun.|.google.com|.outlook.com|.prod.outlook.com|.eurprd|.lists.|lists.|" +
	"https://|http://|mailto:|?subject=unsubscribe|unsubscribe|/unsubscribe/|.fr|.de|.nl|.be|.eu|.co.uk|.info|.io|.coop|.ch|gmail|outlook|localhost|localdomain|mx1.|mx.|smtp.|mail.|" +
	">~Subject: |>~To: |>~Cc: |>~Date: |>~In-Reply-To: <|>~References: <|>~Content-Type: |>~Message-ID: <|>~Reply-To: |>~List-Id: |>~List-Unsubscribe: <|>~X-Priority: |" +
	">~Content-Type: multipart/alternative;~^boundary=\"|>~Content-Type: multipart/mixed;~^boundary=\"|>~Content-Type: multipart/alternative; boundary=\"|>~Content-Type: multipart/mixed; boundary=\"|" +
	">~Content-Type: multipart/alternative; boundary=|>~Content-Type: multipart/mixed; boundary=|>~Content-Type: text/plain; charset=utf-8~|>~Content-Type: text/plain; charset=UTF-8; format=flowed~|>~Content-Type: text/html; charset=utf-8~|" +
	"Authentication-Results: |Content-Type: |.JavaMail.root@|.JavaMail.|@users.noreply.github.com|<mailto:|>,~ <|>,~^<|@mail.|" +
	"authentication-results|dkim-signature|references|list-unsubscribe|content-type"

// mime are pieces of BODYSTRUCTURE and ENVELOPE.
const mime = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" |("text" "plain" ("charset" "utf-8") NIL NIL "7bit" |("text" "plain" ("charset" "utf-8") NIL NIL "8bit" |` +
	`("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" |("text" "plain" ("charset" "utf-8") NIL NIL "base64" |` +
	`("text" "html" ("charset" "utf-8") NIL NIL "7bit" |("text" "html" ("charset" "utf-8") NIL NIL "8bit" |("text" "html" ("charset" "utf-8") NIL NIL "quoted-printable" |("text" "html" ("charset" "utf-8") NIL NIL "base64" |` +
	`("text" "plain" ("charset" "UTF-8") NIL NIL "|("text" "html" ("charset" "UTF-8") NIL NIL "|("text" "plain" ("charset" "UTF-8" "format" "flowed") NIL NIL "|("text" "plain" ("charset" "utf-8" "format" "flowed") NIL NIL "|` +
	`("text" "plain" ("charset" "iso-8859-1") NIL NIL "|("text" "plain" ("charset" "iso-8859-15") NIL NIL "|("text" "plain" ("charset" "windows-1252") NIL NIL "|("text" "plain" NIL NIL NIL "|("text" "|` +
	`("image" "png" ("name" "|("image" "jpeg" ("name" "|("image" "gif" ("name" "|("application" "pdf" ("name" "|("application" "octet-stream" ("name" "|("application" "zip" ("name" "|` +
	`("application" "ics" ("name" "|("text" "calendar" ("charset" "utf-8" "method" "|("text" "calendar" ("charset" "|("message" "rfc822" NIL NIL NIL "|("message" "rfc822" |("message" "delivery-status" NIL NIL NIL "|` +
	`("text" "rfc822-headers" |("application" "pgp-signature" ("name" "signature.asc") NIL "OpenPGP digital signature" "|("application" "pkcs7-signature" ("name" "smime.p7s") NIL NIL "|` +
	`("application" "vnd.openxmlformats-officedocument.wordprocessingml.document" ("name" "|("application" "vnd.openxmlformats-officedocument.spreadsheetml.sheet" ("name" "|("application" "vnd.oasis.opendocument.text" ("name" "|` +
	`("application" "msword" ("name" "|("audio" "|("video" "mp4" ("name" "|("image" "|("application" "|("application" "pgp-encrypted" NIL NIL NIL "|("application" "octet-stream" |` +
	`") NIL NIL "base64" |") NIL NIL "7bit" |") NIL NIL "quoted-printable" |") NIL NIL "8bit" |") NIL NIL "|") "<|>" NIL "base64" |>" NIL "|` +
	` NIL ("attachment" ("filename" "| NIL ("inline" ("filename" "| NIL ("attachment" NIL) NIL NIL)| NIL ("inline" NIL) NIL NIL)|")) NIL NIL)|"))) NIL NIL)|" "size" "|` +
	` NIL NIL NIL NIL)(|) "alternative" ("boundary" "|) "mixed" ("boundary" "|) "related" ("boundary" "|) "related" ("type" "text/html" "boundary" "|) "related" ("type" "multipart/alternative" "boundary" "|) "signed" ("boundary" "|` +
	`) "signed" ("micalg" "pgp-sha256" "protocol" "application/pgp-signature" "boundary" "|) "report" ("report-type" "delivery-status" "boundary" "|) "encrypted" ("protocol" "application/pgp-encrypted" "boundary" "|` +
	`") NIL NIL NIL)(|" "format" "flowed" "delsp" "yes"|" "format" "flowed"|" "x-unix-mode" "0644"|" "charset" "|" "name" "|" "filename" "|` +
	`(NIL NIL "|((NIL NIL "|")(NIL NIL "|")("|(("|")) NIL NIL "<|")) NIL "<|>" "<| NIL NIL NIL "<| NIL NIL NIL NIL "<|NIL NIL NIL NIL NIL|")) NIL NIL NIL "<|` +
	`.pdf|.png|.jpg|.jpeg|.docx|.xlsx|.odt|.ods|.zip|.ics|.txt|.csv|.html|image001.png|image00|invite.ics|Scan|IMG_|scan|facture|Facture|invoice|Invoice|Rechnung|factuur|report|rapport|=?utf-8?b?|=?iso-8859-1?q?|?=|=C3=A9|=C3=A8|=C3=A0|=C3=BC|=C3=B6|=C3=A4|=E2=80=99|=20|=?UTF-8?Q?|=?UTF-8?B?|` +
	"é|è|à|ê|ç|ü|ö|ä|ë|ï|ô|î|û|ù|ß|’|“|”|–|—|«|»|…|€|É"

// words are of the languages the house speaks, as in names and subjects.
const words = "Re: |Fwd: |Fw: |RE: |AW: |TR: |Antw: | the | and | for | your | you | with | from | have | this | that | are | was | our | new | not | of | to | in | is | on | at | by | we |" +
	"Your |The |New |Welcome to |Please |Meeting|meeting|Update|update|order|Order|confirm|account|Account|password|Newsletter|newsletter|week|Weekly |payment|invoice|" +
	"ing |tion|ment|ation|ing|ness|ight|ould|ther|here|ence|ance|able|ible|ive |ical|ally|ship|" +
	" de | la | le | les | des | du | un | une | et | pour | est | que | dans | avec | sur | votre | vous | nous | pas |Votre |Réunion|réunion|commande|compte|facture |assemblée |générale|" +
	" der | die | das | und | für | mit | von | ist | ein | eine | nicht | auf | dem | den | zu | Ihre | im |Ihre |Bestellung|Rechnung |sch|lich|keit|ung |ein|" +
	" het | een | van | voor | met | niet | aan | op | dat | er | zijn |Uw |vergadering|bestelling|heid|lijk|aan|" +
	"January|February|March|April|June|July|August|September|October|November|December|2024|2025|2026|2027|2028|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|" +
	"the|and|com|man|son|ine|est|ell|ent|ant|ter|ver|ber|ier|eur|ard|ein|ich|cht|ien|len|ren|den|gen|ken|ten|sen|men|ste|tra|pro|con|per|pre|com|dis|" +
	"Marie|Jean|Pierre|Anna|Thomas|Martin|Peter|Jan |Paul|Michel|David|Maria|Sophie|Julie|Claire|Lucas|Emma|Thomas |Nicolas|Christ|Alex|Andre|Stefan|Michael|Daniel"
