package page

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func pages(body string) fstest.MapFS {
	return fstest.MapFS{"hello.html": {Data: []byte(`{{define "main"}}` + body + `{{end}}`)}}
}

var testWords = Words{
	"hello.title": T("Hello", "Bonjour", "Dag"),
	"hello.to":    T("Hello %s, you use %s", "Bonjour %s, vous utilisez %s", "Dag %s, je gebruikt %s"),
	"hello.bold":  T("A <b>%s</b>", "Un <b>%s</b>", "Een <b>%s</b>"),
}

func TestRenderInEachLanguage(t *testing.T) {
	s, err := New(pages(`<p>{{t "hello.to" .Data (bytes 1200000000)}}</p><p>{{markup "hello.bold" .Data}}</p>`), testWords)
	if err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[Lang]string{
		EN: "Hello &lt;i&gt;, you use 1.2 GB", FR: "Bonjour &lt;i&gt;, vous utilisez 1,2 Go", NL: "Dag &lt;i&gt;, je gebruikt 1,2 GB",
	} {
		w := httptest.NewRecorder()
		v := View{Lang: lang, Title: "hello.title", Coop: "Nos <Voisins>", Data: "<i>", Wrong: Problem{Word: "wrong.slow"}}
		if err := s.Render(w, 200, "hello", v); err != nil {
			t.Fatal(err)
		}
		body := w.Body.String()
		for _, part := range []string{want, "<b>&lt;i&gt;</b>", `<html lang="` + string(lang) + `">`, "Nos &lt;Voisins&gt;", common["wrong.slow"].In(lang)[:4]} {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks %q:\n%s", lang, part, body)
			}
		}
		if strings.Contains(body, "//") && strings.Contains(body, "http") {
			t.Errorf("%s names another host:\n%s", lang, body)
		}
	}
}

func TestNewAndCheckRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		page  string
		words Words
	}{
		"unknown word":       {`{{if .User}}{{range .Nav}}{{t "no.such"}}{{end}}{{end}}`, nil},
		"unknown word, html": {`{{with .Data}}x{{else}}{{markup "no.such" 1}}{{end}}`, nil},
		"missing language":   {`x`, Words{"a.b": T("a", "b", "")}},
		"other arguments":    {`x`, Words{"a.b": T("a %s", "b", "c %s")}},
		"broken template":    {`{{if}}`, nil},
	} {
		s, err := New(pages(c.page), c.words)
		if err == nil {
			err = s.Check()
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAFailingPageSendsNothing(t *testing.T) {
	s, err := New(pages(`before {{.Data.Missing}}`), testWords)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := s.Render(w, 200, "hello", View{Title: "hello.title", Data: struct{}{}}); err == nil || w.Body.Len() > 0 {
		t.Errorf("error %v, %d bytes sent", err, w.Body.Len())
	}
}

func TestPreferred(t *testing.T) {
	for _, c := range []struct {
		cookie, account, accept string
		want                    Lang
	}{
		{"nl", "fr", "en", NL}, {"xx", "fr", "en", FR}, {"", "", "fr-BE,fr;q=0.9,en;q=0.8", FR},
		{"", "", "nl-BE", NL}, {"", "", "de,nl;q=0.5", NL}, {"", "", "de", EN}, {"", "", ";;;", EN}, {"", "", "", EN},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "lang", Value: c.cookie})
		}
		if got := Preferred(r, c.account); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestFormats(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 5, 0, 0, time.Local)
	for got, want := range map[string]string{
		Bytes(EN, 999): "999 B", Span(FR, 59*time.Second): "moins d'une minute", Span(NL, 3*time.Hour+time.Minute): "3 uur", Span(FR, time.Hour): "1 heure", Span(EN, 47*time.Hour): "47 hours",
		Span(FR, 50*time.Hour): "2 jours", Percent(EN, .305): "30%", Percent(FR, .5): "50 %", Decimal(NL, 2.5): "2,5", Decimal(EN, 1e6): "1000000", Bytes(FR, 0): "0 octets", Bytes(NL, 1500): "1,5 kB", Bytes(FR, 999_600): "1,0 Mo", Bytes(EN, 25_000_000_000): "25 GB",
		Day(FR, at): "1er mars 2026", Day(NL, at): "1 maart 2026", Hour(EN, at): "1 March 2026, 09:05", Hour(FR, at): "1er mars 2026, 09 h 05",
		Day(EN, time.Time{}): "–",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAssets(t *testing.T) {
	h := Secure(http.HandlerFunc(ServeAssets))
	for _, name := range []string{"style.css", "essaim.js", "bee.svg"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", Asset(name), nil))
		if w.Code != 200 || w.Body.Len() == 0 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") ||
			!strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/static/../page.go", nil))
	if w.Code != 404 {
		t.Errorf("a path that is no asset: %d", w.Code)
	}
}

func TestProblemIsInside(t *testing.T) {
	inner := errors.New("inner")
	if p := (Problem{Word: "w", Err: inner}); !errors.Is(p, inner) || p.Error() != "w: inner" {
		t.Error(p)
	}
}

func TestFormsOfNumbers(t *testing.T) {
	w := Words{"a.left": T("%d codes", "%d codes", "%d codes"), "a.left.one": T("%d code", "%d code", "%d code"), "b.left": T("%d left", "%d restent", "%d over"),
		"b.left.one": T("%d left", "%d reste", "%d over"), "b.left.none": T("none left", "aucun ne reste", "geen over")}
	if err := w.check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		l    Lang
		key  string
		n    int
		want string
	}{
		{EN, "a.left", 0, "0 codes"}, {EN, "a.left", 1, "1 code"}, {EN, "a.left", 2, "2 codes"}, {FR, "a.left", 0, "0 code"}, {NL, "a.left", 0, "0 codes"},
		{FR, "b.left", 0, "aucun ne reste"}, {FR, "b.left", 1, "1 reste"}, {FR, "b.left", 2, "2 restent"},
	} {
		if got := w.Say(c.l, c.key, c.n); got != c.want {
			t.Errorf("%s %s %d: %q", c.l, c.key, c.n, got)
		}
	}
	if err := (Words{"a.left.one": T("%d %s", "%d %s", "%d %s"), "a.left": T("%d", "%d", "%d")}).check(); err == nil {
		t.Error("forms that take other arguments pass")
	}
}

// A moment is told where the machine stands, a date as it was written.
func TestDaysAreLocalAndDatesAreNot(t *testing.T) {
	here := time.Local
	time.Local = time.FixedZone("Brussels in summer", 2*3600)
	defer func() { time.Local = here }()
	at := time.Date(2026, 7, 31, 22, 30, 0, 0, time.UTC)
	if got := Hour(NL, at); got != "1 augustus 2026, 00:30" {
		t.Error(got)
	}
	if got := Date(NL, time.Date(2026, 7, 31, 0, 0, 0, 0, time.UTC)); got != "31 juli 2026" {
		t.Error(got)
	}
}
