package carddav

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/format/vcard/vcardtest"
)

// serve starts a server that lets members in by their name as user and password.
func (h *house) serve() *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user == password {
			r.Header.Set("User", user)
		}
		if strings.HasPrefix(r.URL.Path, "/.well-known/") {
			dav.WellKnown(w, r)
			return
		}
		h.Engine.ServeHTTP(w, r)
	}))
	h.t.Cleanup(s.Close)
	return s
}

// tool finds a program or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(name + " is not installed")
	}
	return path
}

func run(t *testing.T, dir, stdin, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "LC_ALL=C.UTF-8", "NO_PROXY=*")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// vdirsyncer discovers the books from the name of the host, brings cards both
// ways, and khard reads what came.
func TestVdirsyncerAndKhard(t *testing.T) {
	vdirsyncer := tool(t, "vdirsyncer")
	h := newHouse(t)
	server := h.serve()
	dir := t.TempDir()
	config := fmt.Sprintf("[general]\nstatus_path = %q\n", dir+"/status")
	for name, more := range map[string]string{"contacts": "", "directory": "read_only = true\n"} {
		config += fmt.Sprintf(`[pair %[1]s]
a = "%[1]s_here"
b = "%[1]s_there"
collections = ["%[1]s"]
conflict_resolution = "b wins"
[storage %[1]s_here]
type = "filesystem"
path = "%[2]s/cards"
fileext = ".vcf"
[storage %[1]s_there]
type = "carddav"
url = "%[3]s"
username = "anna"
password = "anna"
%[4]s`, name, dir, server.URL, more)
	}
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	sync := func(args ...string) {
		run(t, dir, "y\ny\ny\ny\n", vdirsyncer, append([]string{"-c", "config"}, args...)...)
	}
	sync("discover")

	samples := vcardtest.Cards(28, 9)
	for i, s := range samples[:14] {
		h.Want(201, nil, "anna", "PUT", fmt.Sprintf("%s%d.vcf", annaBook, i), string(s.Bytes))
	}
	here := filepath.Join(dir, "cards", "contacts")
	for i, s := range samples[14:] {
		if s.Shape == "octet-folded" { // vdirsyncer cannot read its own file then
			s.Bytes = []byte(vcf(s.UID, "Whole"))
		}
		if err := os.WriteFile(filepath.Join(here, fmt.Sprintf("local%d.vcf", i)), s.Bytes, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sync("sync")
	cards := map[string]string{}
	h.syncOnce(annaBook, "", 1000, cards)
	files, _ := filepath.Glob(filepath.Join(here, "*.vcf"))
	if len(cards) != 28 || len(files) != 28 {
		t.Fatalf("%d cards there, %d here", len(cards), len(files))
	}
	if people, _ := filepath.Glob(filepath.Join(dir, "cards", "directory", "*.vcf")); len(people) != 4 {
		t.Errorf("%d people of the directory", len(people))
	}
	for path := range cards { // there is deleted, here follows; here is changed, there follows
		h.Want(204, nil, "anna", "DELETE", path, "")
		break
	}
	changed := filepath.Join(here, "new.vcf")
	if err := os.WriteFile(changed, []byte(vcf("brand-new", "Nova")), 0o600); err != nil {
		t.Fatal(err)
	}
	sync("sync")
	if files, _ = filepath.Glob(filepath.Join(here, "*.vcf")); len(files) != 28 {
		t.Errorf("%d cards here after a deletion there and a new one here", len(files))
	}
	h.Want(207, []string{"FN:Nova"}, "anna", "REPORT", annaBook, queryBody(etagData, `<C:filter><C:prop-filter name="FN"><C:text-match>nova</C:text-match></C:prop-filter></C:filter>`), "Depth", "1")

	khard := tool(t, "khard")
	conf := "[addressbooks]\n[[all]]\npath = " + here + "\n[general]\ndefault_action = list\n[vcard]\nskip_unparsable = yes\n"
	if err := os.WriteFile(filepath.Join(dir, "khard.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(t, dir, "", khard, "-c", "khard.conf", "list", "Nova"); !strings.Contains(out, "Nova") {
		t.Errorf("khard: %s", out)
	}
}
