package vcardtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

var shapes = []struct {
	name  string
	write func(*rand.Rand, person) string
}{
	{"macos", macos}, {"ios", ios}, {"google", google}, {"thunderbird", thunderbird}, {"davx5", davx5},
	{"outlook", outlook}, {"evolution", evolution}, {"kde", kde}, {"khard", khard}, {"nextcloud", nextcloud},
	{"apple-group", appleGroup}, {"group4", group4}, {"octet-folded", octetFolded}, {"bare-types", bareTypes},
}

func macos(r *rand.Rand, p person) string {
	return lines("\r\n", "BEGIN:VCARD", "VERSION:3.0", "PRODID:-//Apple Inc.//macOS 14.5//EN",
		"N:"+esc.Replace(p.family)+";"+esc.Replace(p.given)+";;;", "FN:"+esc.Replace(p.given+" "+p.family),
		"ORG:"+esc.Replace(p.org)+";", "EMAIL;type=INTERNET;type=HOME;type=pref:"+p.email,
		"item1.TEL;type=pref:"+p.tel, "item1.X-ABLabel:_$!<Mobile>!$_",
		"item2.ADR;type=WORK;type=pref:;;"+esc.Replace(p.street)+`\nBoîte 3;`+p.city+";;5000;Belgique", "item2.X-ABADR:be",
		`item3.URL;type=pref:http\://`+p.city+`.example/\~x`, "item3.X-ABLabel:_$!<HomePage>!$_",
		fmt.Sprintf("BDAY;value=date:%04d-%02d-%02d", p.year, p.month, p.day), fold75(note(p, "NOTE")),
		"PHOTO;ENCODING=b;TYPE=JPEG:"+foldOctets(photo(r, 900+r.IntN(2000)), 47, "\r\n "), "REV:2024-05-11T08:15:30Z",
		"UID:"+p.uid, "X-ABUID:"+p.uid+":ABPerson", "END:VCARD")
}

func ios(r *rand.Rand, p person) string {
	return lines("\r\n", "BEGIN:VCARD", "VERSION:3.0", "PRODID:-//Apple Inc.//iPhone OS 17.5.1//EN",
		"N:"+esc.Replace(p.family)+";"+esc.Replace(p.given)+";Marie;Dr.;", "FN:Dr. "+esc.Replace(p.given+" Marie "+p.family),
		"X-PHONETIC-FIRST-NAME:"+p.given, "TEL;type=CELL;type=VOICE;type=pref:"+p.tel, "TEL;type=HOME;type=FAX:"+p.tel,
		fmt.Sprintf("BDAY;X-APPLE-OMIT-YEAR=1604:1604-%02d-%02d", p.month, p.day),
		"item1.X-ABDATE;type=pref:2011-07-02", "item1.X-ABLabel:_$!<Anniversary>!$_",
		"item2.X-ABRELATEDNAMES;type=pref:"+esc.Replace(p.family), "item2.X-ABLabel:_$!<Sister>!$_",
		"X-SOCIALPROFILE;type=twitter;x-user=bee:x-apple:bee", `IMPP;X-SERVICE-TYPE=Jabber;type=HOME;type=pref:xmpp:`+p.email,
		"X-ABSHOWAS:COMPANY", "REV:2024-06-01T10:00:00Z", "UID:"+strings.ToLower(p.uid), "END:VCARD")
}

func google(_ *rand.Rand, p person) string {
	return lines("\r\n", "BEGIN:VCARD", "VERSION:3.0", "FN:"+esc.Replace(p.given+" "+p.family),
		"N:"+esc.Replace(p.family)+";"+esc.Replace(p.given)+";;;", "EMAIL;TYPE=INTERNET;TYPE=HOME:"+p.email,
		"EMAIL;TYPE=INTERNET:x."+p.email, "TEL;TYPE=CELL:"+p.tel, "item1.ORG:"+esc.Replace(p.org), "item1.X-ABLabel:",
		"CATEGORIES:myContacts,starred", "PHOTO:https://photos.example/a-b=s100", fold75(note(p, "NOTE")), "UID:"+p.uid[:16], "END:VCARD")
}

func thunderbird(_ *rand.Rand, p person) string {
	return lines("\r\n", "BEGIN:VCARD", "VERSION:4.0", "EMAIL;PREF=1:"+p.email, "FN:"+esc.Replace(p.given+" "+p.family),
		"NICKNAME:"+esc.Replace(p.given), "N:"+esc.Replace(p.family)+";"+esc.Replace(p.given)+";;;",
		"TEL;TYPE=work;VALUE=TEXT:"+p.tel, "ORG:"+esc.Replace(p.org), "TITLE:Boulanger", fold75(note(p, "NOTE")),
		fmt.Sprintf("BDAY;VALUE=DATE:%04d%02d%02d", p.year, p.month, p.day), "X-CUSTOM1;VALUE=TEXT:something", "UID:"+strings.ToLower(p.uid), "END:VCARD")
}

func davx5(r *rand.Rand, p person) string {
	return lines("\r\n", "BEGIN:VCARD", "VERSION:4.0", "PRODID:+//IDN bitfire.at//DAVx5/4.4.1-ose ez-vcard/0.12.1", "UID:"+strings.ToLower(p.uid),
		"FN:"+esc.Replace(p.given+" "+p.family), "N:"+esc.Replace(p.family)+";"+esc.Replace(p.given)+";;;",
		fold75("TEL;TYPE=cell;PREF=1:"+p.tel), "EMAIL;TYPE=home:"+p.email,
		fold75(`ADR;TYPE=home;LABEL="`+p.street+`^n5000 `+p.city+`":;;`+esc.Replace(p.street)+";"+p.city+";;5000;"),
		fmt.Sprintf("BDAY:--%02d%02d", p.month, p.day), "ANNIVERSARY:20110702", "CATEGORIES:Friends,Garden", fold75(note(p, "NOTE")),
		"group1.URL:https://"+p.city+".example/", "group1.X-ABLABEL:Blog", "REV:20240511T081530Z",
		fold75("PHOTO:data:image/jpeg;base64,"+photo(r, 300+r.IntN(600))), "END:VCARD")
}

func outlook(_ *rand.Rand, p person) string {
	return lines("\r\n", "BEGIN:VCARD", "PROFILE:VCARD", "VERSION:3.0", "MAILER:Microsoft Exchange", "PRODID:Microsoft Exchange",
		"FN:"+esc.Replace(p.given+" "+p.family), "N:"+esc.Replace(p.family)+";"+esc.Replace(p.given)+";;;", "EMAIL;TYPE=INTERNET:"+p.email,
		fold75(note(p, "NOTE")), "ORG:"+esc.Replace(p.org)+";", "CLASS:PUBLIC", "ADR;TYPE=WORK:;;"+esc.Replace(p.street)+";"+p.city+";;;",
		fold75("LABEL;TYPE=WORK:"+esc.Replace(p.street+"\n"+p.city)), "TEL;TYPE=WORK:"+p.tel, "TITLE:", "X-MS-IMADDRESS:",
		"SORT-STRING:"+esc.Replace(p.family), "TZ:-05:00", "GEO:50.4669;4.86746", "REV;VALUE=DATE-TIME:2012-03-01T10:15:00,000Z", "UID:"+p.uid, "END:VCARD")
}

func evolution(_ *rand.Rand, p person) string {
	return lines("\r\n", "BEGIN:VCARD", "VERSION:3.0", "X-EVOLUTION-FILE-AS:"+esc.Replace(p.family+", "+p.given),
		"FN:"+esc.Replace(p.given+" "+p.family), "N:"+esc.Replace(p.family)+";"+esc.Replace(p.given)+";;;",
		`EMAIL;X-EVOLUTION-UI-SLOT=1;TYPE="WORK":`+p.email, `TEL;X-EVOLUTION-E164=4712345678,"+32";TYPE="HOME,VOICE":`+p.tel,
		fmt.Sprintf("X-EVOLUTION-ANNIVERSARY:%04d-01-01", p.year), "X-EVOLUTION-SPOUSE:", "X-MOZILLA-HTML:FALSE", fold75(note(p, "NOTE")),
		"UID:pas-id-"+p.uid, "REV:2024-01-01T00:00:00Z(7)", "END:VCARD")
}

func kde(_ *rand.Rand, p person) string {
	return lines("\r\n", "BEGIN:VCARD", "VERSION:3.0", "ADR;TYPE=home:;;"+esc.Replace(p.street)+";"+p.city+";;5000;Belgium", "EMAIL:"+p.email,
		"FN:"+esc.Replace(p.given+" "+p.family), "IMPP;X-SERVICE-TYPE=xmpp:xmpp:"+p.email, "LANG:fr",
		"N:"+esc.Replace(p.family)+";"+esc.Replace(p.given)+";;;", "REV:2024-02-02T02:02:02Z", "UID:"+strings.ToLower(p.uid),
		"X-KADDRESSBOOK-X-AssistantsName:Jo", "X-PHONETIC-FIRST-NAME:"+p.given, "END:VCARD", "")
}

func khard(_ *rand.Rand, p person) string {
	return lines("\n", "BEGIN:VCARD", "VERSION:3.0", "EMAIL;TYPE=home,pref:"+p.email, "FN:"+esc.Replace(p.given+" "+p.family),
		"N:"+esc.Replace(p.family)+";"+esc.Replace(p.given)+";;;", strings.ReplaceAll(fold75(note(p, "NOTE")), "\r\n", "\n"),
		"ORG:"+esc.Replace(p.org), "REV:20240101T101010Z", "TEL;TYPE=cell:"+p.tel, "UID:"+p.uid[24:]+"-kh", "END:VCARD")
}

func nextcloud(r *rand.Rand, p person) string {
	return lines("\n", "BEGIN:VCARD", "VERSION:3.0", "PRODID:-//Sabre//Sabre VObject 4.5.4//EN", "UID:"+strings.ToLower(p.uid),
		"FN:"+esc.Replace(p.given+" "+p.family), "ADR;TYPE=HOME:;;"+esc.Replace(p.street)+";"+p.city+";;;", "EMAIL;TYPE=HOME:"+p.email,
		"TEL;TYPE=HOME,VOICE:"+p.tel, "CATEGORIES:Équipe,Potager", "GENDER:F", "RELATED;TYPE=FRIEND:"+esc.Replace(p.family),
		"PHOTO;ENCODING=b;TYPE=image/png:"+photo(r, 200), "REV;VALUE=DATE-AND-OR-TIME:20240301T120000Z", "END:VCARD")
}

func appleGroup(r *rand.Rand, p person) string {
	ls := []string{"BEGIN:VCARD", "VERSION:3.0", "PRODID:-//Apple Inc.//macOS 14.5//EN", "N:" + esc.Replace(p.org) + ";;;;",
		"FN:" + esc.Replace(p.org), "X-ADDRESSBOOKSERVER-KIND:group"}
	for range 1 + r.IntN(40) {
		ls = append(ls, fmt.Sprintf("X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:%08X-0000-4000-8000-%012X", r.Uint32(), r.Int64N(1<<48)))
	}
	return lines("\r\n", append(ls, "REV:2024-01-01T00:00:00Z", "UID:"+p.uid, "END:VCARD")...)
}

func group4(r *rand.Rand, p person) string {
	ls := []string{"BEGIN:VCARD", "VERSION:4.0", "KIND:group", "FN:" + esc.Replace(p.org)}
	for range 1 + r.IntN(40) {
		ls = append(ls, fmt.Sprintf("MEMBER:urn:uuid:%08x-0000-4000-8000-%012x", r.Uint32(), r.Int64N(1<<48)))
	}
	return lines("\r\n", append(ls, "MEMBER:mailto:"+p.email, "UID:urn:uuid:"+strings.ToLower(p.uid), "END:VCARD")...)
}

// octetFolded cuts lines inside of characters and parameters, with tabs.
func octetFolded(_ *rand.Rand, p person) string {
	var out strings.Builder
	for _, l := range []string{"BEGIN:VCARD", "VERSION:3.0", "FN:" + esc.Replace(p.given+" "+p.family), "N:" + esc.Replace(p.family) + ";" + esc.Replace(p.given),
		"NOTE:" + esc.Replace(p.given+p.note), `X-ODD;X-P="a:b;c,d":` + esc.Replace(p.note), "UID:" + p.uid} {
		out.WriteString(foldOctets(l, 13, "\r\n\t") + "\r\n")
	}
	return "\xef\xbb\xbf" + out.String() + "\r\nEND:VCARD\r\n\r\n"
}

func bareTypes(_ *rand.Rand, p person) string {
	return lines("\r\n", "begin:vcard", "version:3.0", "fn:"+esc.Replace(p.given+" "+p.family), "n:"+esc.Replace(p.family)+";"+esc.Replace(p.given)+";;;",
		"tel;CELL;PREF:"+p.tel, "email;INTERNET:"+p.email, "org:"+esc.Replace(p.org), "uid:"+p.uid) + "end:vcard"
}
