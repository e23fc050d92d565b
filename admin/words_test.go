package admin

import (
	"io/fs"
	"testing"

	"essaim.coop/essaim/internal/page"
)

func TestPagesAreWhole(t *testing.T) {
	folder, err := fs.Sub(pages, "pages")
	if err != nil {
		t.Fatal(err)
	}
	set, err := page.New(folder, allWords)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Check(); err != nil {
		t.Error(err)
	}
}
