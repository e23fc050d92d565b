package files

import (
	"reflect"
	"testing"
)

// Any row is a node or an error, and a node's row reads as the same node.
func FuzzNode(f *testing.F) {
	n := Node{ID: 7, Parent: 1, Kind: File, Name: "a", Created: 5, Modified: 6, Placed: 3, Versions: 2, Kept: 9, By: 4,
		Content: Content{Size: 3, Type: "text/plain", SHA256: []byte("sum"), Extents: []Extent{{1, 0, 2}, {9, 4, 1}}}}
	f.Add(n.marshal())
	f.Add((&Node{Kind: Folder, Name: "d", Partial: true, Deleted: 1}).marshal())
	f.Add([]byte{1, 1, 0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, row []byte) {
		got, err := unmarshalNode(7, row)
		if err != nil {
			return
		}
		again, err := unmarshalNode(7, got.marshal())
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%+v came back as %+v, %v", got, again, err)
		}
	})
}
