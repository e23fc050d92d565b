package dav

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"essaim.coop/essaim/dav/davxml"
)

func TestWants(t *testing.T) {
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "<p%d/>", i)
		}
		return "<prop>" + b.String() + "</prop>"
	}
	for body, want := range map[string]int{
		"<allprop/>":        0,
		"<propname/>":       0,
		names(maxAsked):     0,
		names(maxAsked + 1): http.StatusRequestEntityTooLarge,
		"<allprop/>" + "<include><acl/></include>": 0,
		"":                  http.StatusBadRequest,
		"<prop/><allprop/>": http.StatusBadRequest,
		"<other/>":          http.StatusBadRequest,
	} {
		e, err := davxml.Parse(strings.NewReader(`<propfind xmlns="DAV:">`+body+`</propfind>`), davxml.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseWant(e)
		if s := statusOf(err); (err == nil) != (want == 0) || s != nil && s.Status != want {
			t.Errorf("%.40s: %v", body, err)
		}
	}
}
