package dav

import "testing"

// A name from an attribute becomes a tag: nothing but a name may come of it.
func TestNamesFromAttributes(t *testing.T) {
	for name, want := range map[string]bool{
		"owner": true, "état": true, "a.b-c_1": true,
		"": false, "1a": false, "a b='c'": false, "a/": false, "a><b/></a": false, "x:y": false, "a>": false, "a\x00": false, `a xmlns="urn:x"`: false,
	} {
		if got := validLocal(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
