package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// curl is the other program: it asks the house as the first member.
func (h *house) curl(args ...string) string {
	h.t.Helper()
	return h.run(nil, h.dir, "", "curl", append([]string{"-sS", "-f", "--max-time", "60", "--cacert", h.dir + "/tls/ca.pem", "-u", user(1) + ":" + testPassword}, args...)...)
}

func (h *house) web(path string) string {
	return fmt.Sprintf("https://localhost:%d/%s", h.base+443, path)
}

// put writes an object from outside.
func (h *house) put(url, kind, text string) {
	h.t.Helper()
	h.curl("-X", "PUT", "-H", "Content-Type: "+kind, "--data-binary", text, url)
}

// until waits for a text to be in an answer, or to be gone from it.
func (h *house) until(what func() string, want string, there bool) {
	h.t.Helper()
	var got string
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got = what(); strings.Contains(got, want) == there {
			return
		}
	}
	h.t.Fatalf("%q is there: %v, in\n%s", want, !there, got)
}

func event(uid, more string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20270101T000000Z\r\n" + more + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

// The calendars are found from the host's name. What another program writes,
// changes and deletes arrives; what is written, moved once and deleted here
// goes out.
func TestStoryThunderbirdCalendar(t *testing.T) {
	needs(t, "thunderbird", "curl")
	h := newHouse(t, 1)
	url := h.web("dav/calendars/" + user(1) + "/calendar/")
	const weekly = "DTSTART;TZID=Europe/Brussels:20270310T100000\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\nSUMMARY:"
	there := func() string {
		return h.curl("-X", "REPORT", "-H", "Depth: 1", "-H", "Content-Type: text/xml", url, "--data-binary",
			`<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>`)
	}
	h.put(url+"one.ics", "text/calendar", event("one", weekly+"Réunion"))
	b := newThunderbird(t, h)
	got := b.js(`
		const found = [...(await cal.provider.detection.detect(args[0], args[1], args[2], false, [], {})).values()].flat();
		for (const c of found) cal.manager.registerCalendar(c);
		return found.map(c => c.name + " " + c.readOnly);`, user(1), testPassword, h.web(""))
	if got != `["Calendar false"]` {
		t.Fatalf("found %s", got)
	}
	const here = `
		const { CalEvent } = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
		const calendar = cal.manager.getCalendars().find(c => c.type == "caldav");
		const item = async id => (await calendar.getItemsAsArray(Ci.calICalendar.ITEM_FILTER_ALL_ITEMS, 0, null, null)).find(i => i.id == id);
		const synced = what => { calendar.refresh(); return until(what); };
	`
	if got := b.js(here + `const i = await synced(() => item("one")); return i.title + " " + i.startDate.icalString + " " + i.startDate.timezone.tzid;`); got != `"Réunion 20270310T100000 Europe/Brussels"` {
		t.Errorf("what another wrote: %s", got)
	}
	b.js(here+`await calendar.addItem(new CalEvent(args[0]));`, event("two", "DTSTART;TZID=Europe/Brussels:20270311T180000\r\nDURATION:PT2H\r\nSUMMARY:Fête 🎉"))
	h.until(there, "SUMMARY:Fête 🎉", true)
	b.js(here + `
		const old = await item("one"), changed = old.clone();
		const second = changed.recurrenceInfo.getOccurrences(old.startDate, cal.createDateTime("20270401T000000Z"), 0)[1].clone();
		second.title = "Réunion ailleurs";
		changed.recurrenceInfo.modifyException(second, false);
		await calendar.modifyItem(changed, old);`)
	h.until(there, "SUMMARY:Réunion ailleurs", true)
	if all := there(); !strings.Contains(all, "RECURRENCE-ID;TZID=Europe/Brussels:20270317T100000") || !strings.Contains(all, "RRULE:FREQ=WEEKLY;COUNT=3") {
		t.Errorf("one occurrence changed:\n%s", all)
	}
	h.put(url+"two.ics", "text/calendar", event("two", weekly+"Fête remise"))
	b.js(here + `await synced(async () => (await item("two")).title == "Fête remise");`)
	h.curl("-X", "DELETE", url+"one.ics")
	b.js(here + `await synced(async () => !(await item("one"))); await calendar.deleteItem(await item("two"));`)
	h.until(there, "BEGIN:VEVENT", false)
}

// So it is with address books; the cooperative's directory cannot be written.
func TestStoryThunderbirdContacts(t *testing.T) {
	needs(t, "thunderbird", "curl")
	h := newHouse(t, 2)
	url := h.web("dav/addressbooks/" + user(1) + "/contacts/")
	there := func() string {
		return h.curl("-X", "REPORT", "-H", "Depth: 1", "-H", "Content-Type: text/xml", url, "--data-binary",
			`<C:addressbook-query xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:D="DAV:"><D:prop><C:address-data/></D:prop></C:addressbook-query>`)
	}
	card := func(uid, name string) string {
		return "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:" + uid + "\r\nFN:" + name + "\r\nN:" + name + ";;;;\r\nEMAIL:" + uid + "@elsewhere.example\r\nEND:VCARD\r\n"
	}
	h.put(url+"one.vcf", "text/vcard", card("one", "Zoé"))
	b := newThunderbird(t, h)
	got := b.js(`
		const { CardDAVUtils } = ChromeUtils.importESModule("resource:///modules/CardDAVUtils.sys.mjs");
		const found = await CardDAVUtils.detectAddressBooks(args[0], args[1], args[2], false, false);
		for (const f of found) f.create();
		return MailServices.ab.directories.filter(d => d.dirType == Ci.nsIAbManager.CARDDAV_DIRECTORY_TYPE).map(d => d.dirName + " " + d.readOnly).sort();`, user(1), testPassword, h.web(""))
	if got != `["Contacts false","Directory true"]` {
		t.Errorf("found, and not to be written: %s", got)
	}
	const here = `
		const { VCardUtils } = ChromeUtils.importESModule("resource:///modules/VCardUtils.sys.mjs");
		const { CardDAVDirectory } = ChromeUtils.importESModule("resource:///modules/CardDAVDirectory.sys.mjs");
		const book = CardDAVDirectory.forFile(MailServices.ab.directories.find(d => d.dirName == "Contacts").fileName);
		const card = uid => book.childCards.find(c => c.UID == uid);
		const synced = what => until(async () => { await book.syncWithServer(); return what(); });
	`
	if got := b.js(here + `await until(() => card("one") && !book._syncInProgress); return card("one").displayName + " " + card("one").primaryEmail;`); got != `"Zoé one@elsewhere.example"` {
		t.Errorf("what another wrote: %s", got)
	}
	b.js(here+`book.addCard(VCardUtils.vCardToAbCard(args[0]));`, card("two", "Nadia 🐝"))
	h.until(there, "FN:Nadia 🐝", true)
	b.js(here + `
		const c = card("one");
		c.vCardProperties.getFirstEntry("fn").value = "Zoé Lefèvre";
		book.modifyCard(c);`)
	h.until(there, "FN:Zoé Lefèvre", true)
	h.put(url+"two.vcf", "text/vcard", card("two", "Nadia Wagner"))
	b.js(here + `await synced(() => card("two").displayName == "Nadia Wagner");`)
	h.curl("-X", "DELETE", url+"one.vcf")
	b.js(here + `
		book._syncToken = "data:,00000000-1-1"; // as if the house had been restored
		await synced(() => !card("one"));
		book.deleteCards([card("two")]);`)
	h.until(there, "BEGIN:VCARD", false)
}

// Mail arrives, is read here and flagged elsewhere: what was done with it shows on
// both sides. Then some is sent, and some thrown away.
func TestStoryThunderbirdMail(t *testing.T) {
	needs(t, "thunderbird")
	h := newHouse(t, 1)
	if err := h.deliver("load@example.net", []string{user(1)}, letter("first", 2000)); err != nil {
		t.Fatal(err)
	}
	b := newThunderbird(t, h)
	b.js(`
		const server = MailServices.accounts.createIncomingServer(args[0], "localhost", "imap");
		server.port = args[2];
		server.socketType = Ci.nsMsgSocketType.SSL;
		server.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
		server.password = args[1];
		const account = MailServices.accounts.createAccount();
		account.incomingServer = server;
		const identity = MailServices.accounts.createIdentity();
		identity.email = args[0];
		identity.fccFolderURI = server.serverURI + "/Sent";
		account.addIdentity(identity);
		const out = MailServices.outgoingServer.createServer("smtp");
		const smtp = out.QueryInterface(Ci.nsISmtpServer);
		smtp.hostname = "localhost";
		smtp.port = args[3];
		out.username = args[0];
		out.password = args[1];
		out.socketType = Ci.nsMsgSocketType.alwaysSTARTTLS;
		out.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
		identity.smtpServerKey = out.key;`, user(1), testPassword, h.base+993, h.base+587)
	const here = `
		const server = MailServices.accounts.allServers.find(s => s.type == "imap");
		const inbox = await until(() => { const f = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox); if (!f) server.performExpand(null); return f; });
		const mail = subject => [...inbox.messages].find(m => m.mime2DecodedSubject == subject);
		const synced = what => until(() => { inbox.updateFolder(null); return what(); });
	`
	b.js(here + `await synced(() => mail("letter first")); inbox.markMessagesRead([mail("letter first")], true);`)
	c, err := h.imap(user(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	h.until(func() string { return flagsOf(t, c) }, `\Seen`, true)
	if err := c.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagFlagged, imap.FlagAnswered}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	b.js(here + `await synced(() => mail("letter first").isFlagged && mail("letter first").flags & Ci.nsMsgMessageFlags.Replied);`)
	if err := h.deliver("load@example.net", []string{user(1)}, letter("second", 2000)); err != nil {
		t.Fatal(err)
	}
	b.js(here + `await until(() => mail("letter second"));`) // it is told, and does not ask
	b.js(here+`
		const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
		fields.from = fields.to = args[0];
		fields.subject = "Réponse";
		fields.body = "Merci 🐝";
		const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
		params.composeFields = fields;
		const account = MailServices.accounts.findAccountForServer(server);
		await MailServices.compose.initCompose(params).sendMsg(Ci.nsIMsgCompDeliverMode.Now, account.defaultIdentity, account.key, null, null);
		await until(() => mail("Réponse"));`, user(1))
	h.until(func() string { return mailsIn(t, c, "Sent") }, "=?UTF-8?Q?R=C3=A9ponse?=", true)
	b.js(here + `inbox.deleteMessages([mail("letter second")], null, false, true, null, false);`)
	h.until(func() string { return mailsIn(t, c, "Trash") }, "Subject: letter second", true)
	h.until(func() string { return mailsIn(t, c, "INBOX") }, "Subject: letter second", false)
}

func mailsIn(t *testing.T, c *imapclient.Client, mailbox string) string {
	t.Helper()
	sel, err := c.Select(mailbox, nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for n := range sel.NumMessages {
		all.Write(fetchOne(t, c, n+1))
	}
	return all.String()
}

func flagsOf(t *testing.T, c *imapclient.Client) string {
	t.Helper()
	msgs, err := c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{Flags: true}).Collect()
	if err != nil || len(msgs) != 1 {
		t.Fatalf("%d messages, %v", len(msgs), err)
	}
	return fmt.Sprint(msgs[0].Flags)
}
