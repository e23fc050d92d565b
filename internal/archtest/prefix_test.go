package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// schemaRow is a row of the key schema in a package comment.
var schemaRow = regexp.MustCompile(`(?m)^//\t'(.)' `)

// Two rooms with one prefix read each other's rows: each says on its first page
// which it has.
func TestNoTwoRoomsShareAKeyPrefix(t *testing.T) {
	rooms := map[string]string{}
	for _, p := range packages(t) {
		for _, f := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range schemaRow.FindAllSubmatch(text, -1) {
				prefix := string(row[1])
				if other := rooms[prefix]; other != "" && other != p.ImportPath {
					t.Errorf("%s and %s both have the prefix %q", other, p.ImportPath, prefix)
				}
				rooms[prefix] = p.ImportPath
			}
		}
	}
	if len(rooms) < 20 {
		t.Errorf("only %d prefixes found: are the schemas written otherwise now?", len(rooms))
	}
}
