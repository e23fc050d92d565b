package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "essaim.coop/essaim"

// A rule says what the packages below one folder may import of the house.
type rule struct {
	room   string
	may    []string
	reason string
}

// The longest matching room decides. Everyone may import internal and, above
// internal itself, format.
var rules = []rule{
	{"internal", nil, "tools know nothing of the house"},
	{"format", nil, "codecs are pure: bytes in, values out"},
	{"storage/blob", nil, "bodies know only the file system"},
	{"storage/kv", []string{"storage/kv", "storage/blob"}, "an engine knows keys, values and bodies, nothing of what they mean"},
	{"storage", []string{"storage/kv", "storage/blob"}, "the floor carries the stores, it does not know them"},
	{"storage/accounts", []string{"storage", "storage/blob"}, "a store sees only the floor, so that one transaction can hold any of them"},
	{"storage/files", []string{"storage", "storage/blob"}, "a store sees only the floor, so that one transaction can hold any of them"},
	{"storage/locks", []string{"storage", "storage/blob"}, "a store sees only the floor, so that one transaction can hold any of them"},
	{"storage/resource", []string{"storage", "storage/blob"}, "what calendars and address books have in common knows neither"},
	{"storage/storagetest", []string{"storage", "storage/blob"}, "what rooms are tested with stands on the floor"},
	{"storage/calendar", []string{"storage", "storage/blob", "storage/resource"}, "a store sees only the floor, so that one transaction can hold any of them"},
	{"storage/contacts", []string{"storage", "storage/blob", "storage/resource"}, "a store sees only the floor, so that one transaction can hold any of them"},
	{"storage/mailbox", []string{"storage", "storage/blob"}, "a store sees only the floor, so that one transaction can hold any of them"},
	{"storage/audit", []string{"storage", "storage/blob"}, "a store sees only the floor, so that one transaction can hold any of them"},
	{"storage/signin", []string{"storage", "storage/blob"}, "a store sees only the floor, so that one transaction can hold any of them"},
	{"storage/register", []string{"storage", "storage/blob"}, "a store sees only the floor, so that one transaction can hold any of them"},
	{"smtp", []string{"storage", "smtp"}, "a door does not look into another door; what mail means is mailflow's"},
	{"imap", []string{"storage", "storage/blob", "storage/accounts", "storage/mailbox", "imap"}, "a door does not look into another door"},
	{"dav", []string{"storage", "storage/blob", "storage/accounts", "storage/locks", "dav/davxml"}, "the engine knows resources, not what their content means"},
	{"dav/davtest", []string{"storage", "storage/blob", "storage/accounts", "storage/locks", "dav", "dav/davxml"}, "what trees are tested with stands on the engine"},
	{"dav/home", []string{"storage", "storage/accounts", "dav", "dav/davxml"}, "what calendars and address books have in common knows neither"},
	{"dav/caldav", []string{"storage", "storage/accounts", "storage/calendar", "dav", "dav/davxml", "dav/home"}, "a door does not look into another door"},
	{"dav/carddav", []string{"storage", "storage/accounts", "storage/contacts", "dav", "dav/davxml", "dav/home"}, "a door does not look into another door"},
	{"dav/webfs", []string{"storage", "storage/accounts", "storage/files", "dav", "dav/davxml"}, "a door does not look into another door"},
	{"dav/davxml", nil, "a codec is pure: bytes in, values out"},
	{"mailflow", []string{"storage", "storage/blob", "storage/accounts", "storage/mailbox", "smtp", "smtp/smtpclient", "mailflow"}, "the corridor between the mail doors and the stores"},
	{"mailflow/itip", []string{"storage", "storage/blob", "storage/accounts", "storage/calendar", "storage/mailbox"}, "only here mail and calendars know of each other"},
	{"people", []string{"storage", "storage/accounts", "storage/audit", "storage/calendar", "storage/contacts", "storage/files", "storage/locks", "storage/mailbox", "storage/register", "storage/signin"}, "what happens to a person happens in every store; doors and commands call it"},
	{"portal", []string{"storage", "storage/accounts", "storage/audit", "storage/register", "storage/signin", "people"}, "a door does not look into another door"},
	{"admin", []string{"storage", "storage/accounts", "storage/audit", "storage/register", "storage/signin", "people", "mailflow/queue"}, "a door does not look into another door; of the queue it shows what waits"},
	{"packaging", nil, "what makes a release knows the program as a file"},
	{"cmd", []string{""}, "the stairwell knows every room"},
}

func TestStairs(t *testing.T) {
	for _, p := range packages(t) {
		room := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		r := ruleFor(room)
		if r == nil {
			t.Errorf("%s: no rule; say in archtest where this room stands and why", room)
			continue
		}
		for _, imp := range p.Imports {
			if to, ok := strings.CutPrefix(imp, module+"/"); ok && !r.allows(room, to) {
				t.Errorf("%s imports %s: %s", room, to, r.reason)
			}
		}
	}
}

func TestOnlyTheEngineKnowsTheTree(t *testing.T) {
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			if imp == "go.etcd.io/bbolt" && p.ImportPath != module+"/storage/kv/local" {
				t.Errorf("%s imports bbolt: nothing above kv knows which engine it stands on", p.ImportPath)
			}
		}
	}
}

func TestPackagesSayWhatTheyPromise(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

func ruleFor(room string) *rule {
	var best *rule
	for i, r := range rules {
		if (room == r.room || strings.HasPrefix(room, r.room+"/")) && (best == nil || len(r.room) > len(best.room)) {
			best = &rules[i]
		}
	}
	return best
}

func (r *rule) allows(from, to string) bool {
	top, _, _ := strings.Cut(to, "/")
	if top == "internal" || top == "format" && r.room != "internal" {
		return true
	}
	for _, m := range r.may {
		if m == "" || m == to || m != "storage" && strings.HasPrefix(to, m+"/") {
			return true
		}
	}
	return false
}

type pkg struct {
	ImportPath, Dir  string
	Doc              string
	GoFiles, Imports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
