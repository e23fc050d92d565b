package admin

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/zone"
	"essaim.coop/essaim/people"
)

func TestFirstSteps(t *testing.T) {
	o := office(t)
	body := o.get("/admin/start")
	for _, want := range []string{"connection timed out", "1.2.0.192.in-addr.arpa", "192.0.2.9", `class="good"`, "v=DMARC1", "Voisins, a small cooperative"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	for path, want := range map[string]string{"/admin/start": "", "/admin/start?watch=yes": watchEvery} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Cookie", "__Host-essaim=amy; essaim=amy")
		w := httptest.NewRecorder()
		o.h.ServeHTTP(w, r)
		if got := w.Header().Get("Refresh"); w.Code != 200 || got != want {
			t.Errorf("%s: %d, looks again in %q", path, w.Code, got)
		}
	}
	if _, err := o.desk.Start(t.Context(), people.Actor{}, StartIn{Domain: "elsewhere.example"}); err == nil {
		t.Error("lists for a domain of others")
	}
}

// When everything is there, nobody is asked to do anything, on the page or on
// the terminal.
func TestFirstStepsDone(t *testing.T) {
	o := office(t)
	all := dnsTable{}
	site := o.desk.Site("coop.example")
	for _, r := range append(site.Records(), site.Reverse()...) {
		all[r.Name+" "+r.Type] = append(all[r.Name+" "+r.Type], r.Value)
	}
	o.desk.Resolver = func() (zone.Resolver, error) { return all, nil }
	o.desk.Outbound = func(context.Context, zone.Resolver) error { return nil }
	s, err := o.desk.Start(t.Context(), people.Actor{}, StartIn{Check: true})
	if err != nil || !s.Ready() {
		t.Fatalf("%+v, %v", s, err)
	}
	if body := o.get("/admin/start?watch=yes"); strings.Contains(body, `class="bad"`) || strings.Contains(body, s.Letter[:20]) {
		t.Errorf("something is still to do:\n%s", body)
	}
	for _, l := range page.Languages {
		var b strings.Builder
		if err := s.Print(&b, l); err != nil || strings.Contains(b.String(), "[ ]") || strings.Contains(b.String(), "[?]") || strings.Contains(b.String(), "[start") {
			t.Errorf("%s, %v", b.String(), err)
		}
	}
}

// Without a resolver nothing is known, and nothing is ready.
func TestFirstStepsWithoutResolver(t *testing.T) {
	o := office(t)
	o.desk.Resolver = func() (zone.Resolver, error) { return nil, errors.New("no resolv.conf") }
	s, err := o.desk.Start(t.Context(), people.Actor{}, StartIn{Check: true, Language: "fr"})
	if err != nil || s.Ready() || s.Registrar[0].State != string(zone.Unknown) {
		t.Fatalf("%+v, %v", s, err)
	}
	var b strings.Builder
	if err := s.Print(&b, page.FR); err != nil || !strings.Contains(b.String(), "[?]") || !strings.Contains(b.String(), "Bonjour") {
		t.Errorf("%s, %v", b.String(), err)
	}
}
