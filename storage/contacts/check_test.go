package contacts

import (
	"context"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
)

// Each kind of damage is found, and named.
func TestCheckFindsDamage(t *testing.T) {
	for name, tt := range map[string]struct {
		harm func(tx *storage.Tx, b Book, c Card)
		want string
	}{
		"name lost":       {func(tx *storage.Tx, b Book, c Card) { tx.Delete(key('v', b.ID, c.Name)) }, `name "a.vcf" leads to 0`},
		"UID lost":        {func(tx *storage.Tx, b Book, c Card) { tx.Delete(uidKey(b.ID, c.UID)) }, `UID "1" leads to 0`},
		"text lost":       {func(tx *storage.Tx, b Book, c Card) { tx.Delete(indexKey(b.ID, c.Item)) }, "text"},
		"text damaged":    {func(tx *storage.Tx, b Book, c Card) { tx.Put(indexKey(b.ID, c.Item), []byte{1, 200, 'x'}) }, "text"},
		"row damaged":     {func(tx *storage.Tx, b Book, c Card) { tx.ReplaceItem(b.Collection, c.Item, []byte("x")) }, "row"},
		"name of nothing": {func(tx *storage.Tx, b Book, c Card) { tx.Put(key('v', b.ID, "x"), itemValue(77)) }, "a name leads to card"},
		"UID of nothing":  {func(tx *storage.Tx, b Book, c Card) { tx.Put(uidKey(b.ID, "x"), itemValue(77)) }, "a UID leads to card"},
		"text of nothing": {func(tx *storage.Tx, b Book, c Card) { tx.Put(indexKey(b.ID, 77), []byte{0}) }, "a text leads to card"},
		"body released":   {func(tx *storage.Tx, _ Book, c Card) { tx.Release(c.Blob) }, "is missing"},
		"size":            {func(tx *storage.Tx, b Book, c Card) { c.Size++; tx.ReplaceItem(b.Collection, c.Item, c.marshal()) }, "its cards and properties have"},
	} {
		db, err := storage.Open(t.TempDir(), storage.Options{})
		if err != nil {
			t.Fatal(err)
		}
		in, err := prepare(db, simple("1", "Ann", "ann@coop.example"))
		if err != nil {
			t.Fatal(err)
		}
		var id storage.CollectionID
		err = db.Update(func(tx *storage.Tx) error {
			b, err := Create(tx, tx.CreateAccount(tx.CreateHousehold(0)), DefaultBook, now)
			if err == nil {
				_, err = Put(tx, b, "a.vcf", in, now)
				id = b.ID
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *storage.Tx) error {
			b, err := ByID(tx, id)
			if err != nil {
				return err
			}
			c, err := Get(tx, id, "a.vcf")
			tt.harm(tx, b, c)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := db.Check(context.Background(), storage.CheckOptions{Hooks: []storage.CheckHook{Check}})
		if err != nil || !strings.Contains(strings.Join(r.Problems, "\n"), tt.want) {
			t.Errorf("%s: %v, want %q in %q", name, err, tt.want, r.Problems)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
