package portal

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/fstest"

	"essaim.coop/essaim/internal/page"
)

func TestPagesAreWhole(t *testing.T) {
	folder, err := fs.Sub(pages, "pages")
	if err != nil {
		t.Fatal(err)
	}
	set, err := page.New(folder, words)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Check(); err != nil {
		t.Error(err)
	}
}

// Whatever any room notes about a member has words for the member's own log.
func TestTheLogHasWordsForEverythingDone(t *testing.T) {
	noted := regexp.MustCompile(`(?:Did: |note\(tx, by, |by\.log\(tx, |change\(x, |setSuspended\([^"]*|membership\([^"]*|did :?= )"([a-z.]+)"`)
	set, err := page.New(fstest.MapFS{}, words)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, room := range []string{"../people", "../portal", "../admin"} {
		files, err := filepath.Glob(room + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", room, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range noted.FindAllStringSubmatch(string(b), -1) {
				found++
				if _, ok := set.Words()["did."+m[1]]; !ok {
					t.Errorf("%s: no words for %s", f, m[1])
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d notes were found", found)
	}
}
