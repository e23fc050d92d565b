package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// evolutionSource is how Evolution and the programs of GNOME keep an account.
const evolutionSource = `[Data Source]
DisplayName=%[1]s
Enabled=true
Parent=%[2]s-stub
[%[3]s]
BackendName=%[2]s
[Authentication]
Host=localhost
Method=plain/password
Port=%[4]d
User=%[5]s
RememberPassword=false
[WebDAV Backend]
ResourcePath=%[6]s
[Security]
Method=none
[Offline]
StaySynchronized=true
`

const evolutionScript = `
import faulthandler, sys, time, base64, urllib.request, urllib.parse, gi
faulthandler.dump_traceback_later(150, exit=True)
for name, version in [("EDataServer", "1.2"), ("ECal", "2.0"), ("EBook", "1.2"), ("EBookContacts", "1.2"), ("ICalGLib", "3.0")]:
    gi.require_version(name, version)
from gi.repository import EDataServer, ECal, EBook, EBookContacts, ICalGLib, GLib
base, user, password = sys.argv[1:]
calendar = base + urllib.parse.quote("/dav/calendars/" + user + "/calendar/", safe="/@")
book = base + urllib.parse.quote("/dav/addressbooks/" + user + "/contacts/", safe="/@")

def other(method, url, body="", **fields): # the other program
    fields["Authorization"] = "Basic " + base64.b64encode((user + ":" + password).encode()).decode()
    request = urllib.request.Request(url, body.encode(), {k.replace("_", "-"): v for k, v in fields.items()}, method=method)
    return urllib.request.urlopen(request, timeout=60).read().decode()

def until(what):
    end = time.monotonic() + 90
    while time.monotonic() < end:
        while GLib.MainContext.default().iteration(False):
            pass
        try:
            got = what()
            if got:
                return got
        except GLib.Error as e:
            error = e
        time.sleep(0.1)
    raise SystemExit("it did not come: %s" % locals().get("error"))

# Both change the same thing: whoever does not know what the other did is told so.
# A refresh that was under way may tell them first; then it is done once more.
def conflict(cached, theirs, ours):
    def refused():
        known = cached()
        theirs()
        try:
            ours(known)
        except GLib.Error as e:
            assert e.domain == "e-client-error-quark" and "OUT_OF_SYNC" in str(EDataServer.ClientError(e.code)), e
            return True
    until(refused)

registry = EDataServer.SourceRegistry.new_sync(None)
credentials = EDataServer.NamedParameters.new()
credentials.set(EDataServer.SOURCE_CREDENTIAL_USERNAME, user)
credentials.set(EDataServer.SOURCE_CREDENTIAL_PASSWORD, password)

def opened(uid, connect):
    source = registry.ref_source(uid)
    client = connect(source)
    source.invoke_authenticate_sync(credentials, None)
    return client
`

const evolutionCalendar = evolutionScript + `
def event(uid, summary):
    return ("BEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20270101T000000Z\r\nDTSTART;TZID=Europe/Brussels:20270310T100000\r\n"
        "DURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\nSUMMARY:%s\r\nEND:VEVENT\r\n" % (uid, summary))
def whole(e): return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n" + e + "END:VCALENDAR\r\n"
query = '<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
def there(): return other("REPORT", calendar, query, Depth="1", Content_Type="text/xml")
other("PUT", calendar + "one.ics", whole(event("one", "Réunion")), Content_Type="text/calendar")
client = opened("coopcal", lambda source: ECal.Client.connect_sync(source, ECal.ClientSourceType.EVENTS, 0xFFFFFFFF, None))
def cached(): return {c.get_uid(): c for c in client.get_object_list_as_comps_sync("#t", None)[1]}
def here():
    client.refresh_sync(None)
    return cached()
assert until(lambda: here().get("one")).get_summary().get_value() == "Réunion"
until(lambda: not client.is_readonly())
client.create_object_sync(ICalGLib.Component.new_from_string(event("two", "Fête")), ECal.OperationFlags.NONE, None)
until(lambda: "SUMMARY:Fête" in there())

def change(e, summary):
    e.set_summary(ECal.ComponentText.new(summary, None))
    client.modify_object_sync(e.get_icalcomponent(), ECal.ObjModType.ALL, ECal.OperationFlags.CONFLICT_FAIL, None)
conflict(lambda: cached()["two"],
    lambda: other("PUT", calendar + "two.ics", whole(event("two", "Remise")), Content_Type="text/calendar"),
    lambda e: change(e, "Ailleurs"))
assert "SUMMARY:Remise" in there() and "Ailleurs" not in there(), there()
until(lambda: here()["two"].get_summary().get_value() == "Remise")
change(cached()["two"], "Remise ailleurs")
until(lambda: "SUMMARY:Remise ailleurs" in there())
other("DELETE", calendar + "one.ics")
until(lambda: "one" not in here())
client.remove_object_sync("two", None, ECal.ObjModType.ALL, ECal.OperationFlags.NONE, None)
until(lambda: "BEGIN:VEVENT" not in there())
`

const evolutionContacts = evolutionScript + `
def card(uid, name): return "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:%s\r\nFN:%s\r\nN:%s;;;;\r\nEMAIL:%s@elsewhere.example\r\nEND:VCARD\r\n" % (uid, name, name, uid)
query = '<C:addressbook-query xmlns:C="urn:ietf:params:xml:ns:carddav" xmlns:D="DAV:"><D:prop><C:address-data/></D:prop></C:addressbook-query>'
def there(): return other("REPORT", book, query, Depth="1", Content_Type="text/xml")
other("PUT", book + "one.vcf", card("one", "Zoé"), Content_Type="text/vcard")
client = opened("coopbook", lambda source: EBook.BookClient.connect_sync(source, 0xFFFFFFFF, None))
def here():
    client.refresh_sync(None)
    return {c.props.full_name: c for c in client.get_contacts_sync('(exists "full_name")', None)[1]}
until(lambda: here().get("Zoé"))
until(lambda: not client.is_readonly())
flags = EBookContacts.BookOperationFlags
client.add_contact_sync(EBookContacts.Contact.new_from_vcard(card("two", "Nadia")), flags.NONE, None)
until(lambda: "FN:Nadia" in there())
def change(c, name):
    c.props.full_name = name
    client.modify_contact_sync(c, flags.CONFLICT_FAIL, None)
conflict(lambda: client.get_contact_sync("one", None)[1],
    lambda: other("PUT", book + "one.vcf", card("one", "Zoé Lefèvre"), Content_Type="text/vcard"),
    lambda c: change(c, "Zoé W."))
assert "FN:Zoé Lefèvre" in there() and "Zoé W." not in there(), there()
until(lambda: "Zoé Lefèvre" in here())
change(here()["Nadia"], "Nadia Wagner")
until(lambda: "FN:Nadia Wagner" in there())
other("DELETE", book + "one.vcf")
until(lambda: list(here()) == ["Nadia Wagner"])
client.remove_contact_by_uid_sync("two", flags.NONE, None)
until(lambda: "BEGIN:VCARD" not in there())
`

// Evolution's data server keeps the calendar for all programs of GNOME. What is
// changed in both places at once is told to whoever comes second.
func TestStoryEvolutionCalendar(t *testing.T) {
	evolution(t, evolutionCalendar)
}

// So it is with the contacts.
func TestStoryEvolutionContacts(t *testing.T) {
	evolution(t, evolutionContacts)
}

// evolution runs a script on Evolution's data server, which has a house, a bus and
// a home of its own.
func evolution(t *testing.T, script string) {
	t.Helper()
	const python = "/usr/bin/python3" // the one that has the distribution's modules
	needs(t, "dbus-run-session")
	if err := exec.Command(python, "-c", "import gi\ngi.require_version('ECal', '2.0')\ngi.require_version('EBook', '1.2')").Run(); err != nil {
		t.Skip("no gir1.2-ecal-2.0, gir1.2-ebook-1.2")
	}
	home := t.TempDir()
	privateBus(t, home)
	h := newHouse(t, 1, "--plain-http")
	sources := filepath.Join(home, ".config", "evolution", "sources")
	if err := os.MkdirAll(sources, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]string{
		"coopcal":  fmt.Sprintf(evolutionSource, "Calendar", "caldav", "Calendar", h.base+80, user(1), "/dav/calendars/"+user(1)+"/calendar/"),
		"coopbook": fmt.Sprintf(evolutionSource, "Contacts", "carddav", "Address Book", h.base+80, user(1), "/dav/addressbooks/"+user(1)+"/contacts/"),
	} {
		if err := os.WriteFile(filepath.Join(sources, name+".source"), []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("dbus-run-session", "--config-file", filepath.Join(home, "bus.conf"), "--",
		python, "-W", "ignore", "-c", script, fmt.Sprintf("http://localhost:%d", h.base+80), user(1), testPassword)
	cmd.Dir, cmd.Env = home, append(privateEnv(home), "GSETTINGS_BACKEND=memory", "GIO_USE_VFS=local")
	runGroup(t, cmd)
}

// privateBus configures a bus that starts nothing but Evolution's own services:
// no keyring asks for a password.
func privateBus(t *testing.T, home string) {
	t.Helper()
	services := filepath.Join(home, "services")
	if err := os.Mkdir(services, 0o700); err != nil {
		t.Fatal(err)
	}
	found, _ := filepath.Glob("/usr/share/dbus-1/services/org.gnome.evolution.dataserver.*.service")
	if len(found) == 0 {
		t.Skip("no evolution-data-server")
	}
	for _, f := range found {
		if err := os.Symlink(f, filepath.Join(services, filepath.Base(f))); err != nil {
			t.Fatal(err)
		}
	}
	conf := `<busconfig><type>session</type><listen>unix:tmpdir=` + home + `</listen><servicedir>` + services + `</servicedir>` +
		`<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`
	if err := os.WriteFile(filepath.Join(home, "bus.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
}

// runGroup runs a program that ends by itself, and kills it with all it started
// when it does not.
func runGroup(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	late := time.AfterFunc(3*time.Minute, kill)
	err := cmd.Wait()
	late.Stop()
	kill() // what it left behind
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd.Path, err, out.String())
	}
}
