package contacts

import (
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/resource"
	"essaim.coop/essaim/storage/storagetest"
)

// Each kind of damage is found, and named.
func TestCheckFindsDamage(t *testing.T) {
	for name, tt := range map[string]struct {
		harm func(tx *storage.Tx, b Book, c Card)
		want string
	}{
		"text lost":       {func(tx *storage.Tx, b Book, c Card) { tx.Delete(indexKey(b.ID, c.Item)) }, "text"},
		"text damaged":    {func(tx *storage.Tx, b Book, c Card) { tx.Put(indexKey(b.ID, c.Item), []byte{1, 200, 'x'}) }, "text"},
		"row damaged":     {func(tx *storage.Tx, b Book, c Card) { tx.ReplaceItem(b.Collection, c.Item, []byte("x")) }, "row"},
		"text of nothing": {func(tx *storage.Tx, b Book, c Card) { tx.Put(indexKey(b.ID, 77), []byte{0}) }, "a text leads to card"},
		"tail damaged":    {func(tx *storage.Tx, b Book, c Card) { _ = resource.Touch(tx, b.Collection, &c.Resource, nil) }, "row"},
	} {
		h := furnish(t, storagetest.OpenUnchecked(t, Check))
		c, err := h.put(h.a, "a.vcf", simple("1", "Ann", "ann@coop.example"))
		if err != nil {
			t.Fatal(err)
		}
		h.Must(func(tx *storage.Tx) error { tt.harm(tx, h.book(tx, h.a), c); return nil })
		if p := strings.Join(h.Problems(), "\n"); !strings.Contains(p, tt.want) {
			t.Errorf("%s: want %q in %q", name, tt.want, p)
		}
	}
}
