// Package page renders the house's web pages on the server, in French, Dutch
// and English, for phones first.
//
// What it promises: a string cannot be written without its three languages (T
// takes three), and Check fails when a template asks for a string that is not
// there, as do the tests of a room that has pages. A page is read when it is
// first shown, as a start need not wait for what nobody looks at. Pages ask
// nobody else for anything: styles and scripts are served from here, under
// names that change with their content. A page is rendered whole before its
// first byte is sent; a template that fails costs a 500 and no half page.
// A Set is safe for concurrent use.
package page

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"
)

// A Set is the pages of one room. Each template file is a page that defines
// "main"; it is set into the layout.
type Set struct {
	frame func() (*template.Template, error)                     // the layout, read once
	pages map[string]func() (map[Lang]*template.Template, error) // each read once
	words Words
}

// A View is what the layout and the page are filled with.
type View struct {
	Lang  Lang
	Title string // a word's key
	Coop  string // the cooperative's name
	User  string // who is signed in, or empty
	Nav   []Link
	Here  string // path of the page, to mark it in Nav and to come back from a change of language
	Done  string // a word's key: what just happened
	Wrong error  // what went wrong; a Problem is shown in the reader's words
	Data  any    // the page's own

	back  string     // page that the form was on
	typed url.Values // what a form was sent with that could not be done
}

// Typed is what a field shows: what was typed when the form could not be done,
// else the value it has. Fields of passwords do not ask.
func (v View) Typed(field string, value any) any {
	if !v.typed.Has(field) { // a page can have more forms than one
		return value
	}
	return v.typed.Get(field)
}

// Ticked is Typed for a box.
func (v View) Ticked(field string, on bool) bool {
	if v.typed == nil {
		return on
	}
	return v.typed.Has(field)
}

// Back is where the link of a page of errors leads.
func (v View) Back() string {
	if v.back == "" {
		return "/"
	}
	return v.back
}

// A Link is one entry of the navigation; Word is a word's key.
type Link struct{ Path, Word string }

// A Problem is an error for the reader of a page: a word's key, with what
// stands in its text.
type Problem struct {
	Word string
	Args []any
	Err  error // for the log; may be nil
}

func (p Problem) Error() string {
	if p.Err != nil {
		return p.Word + ": " + p.Err.Error()
	}
	return p.Word
}

func (p Problem) Unwrap() error { return p.Err }

// New makes a set of every *.html file of the folder, with the words, which are
// added to the common ones of this package.
func New(pages fs.FS, words Words) (*Set, error) {
	s := &Set{pages: map[string]func() (map[Lang]*template.Template, error){}, words: words.with(common).with(did)}
	if err := s.words.check(); err != nil {
		return nil, err
	}
	names, err := fs.Glob(pages, "*.html")
	if err != nil {
		return nil, err
	}
	s.frame = sync.OnceValues(func() (*template.Template, error) {
		return template.New("layout.html").Funcs(s.funcs(EN)).Option("missingkey=error").ParseFS(layout, "layout.html")
	})
	s.add(layout, "wrong.html")
	for _, name := range names {
		s.add(pages, name)
	}
	return s, nil
}

// Check reads every page. It fails when one is no template, or asks for a word
// that is not there.
func (s *Set) Check() error {
	var errs []error
	for _, page := range s.pages {
		_, err := page()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Set) add(pages fs.FS, name string) {
	s.pages[strings.TrimSuffix(path.Base(name), ".html")] = sync.OnceValues(func() (map[Lang]*template.Template, error) {
		byLang, err := s.read(pages, name)
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		return byLang, nil
	})
}

// read reads a page once; the languages differ in their functions.
func (s *Set) read(pages fs.FS, name string) (map[Lang]*template.Template, error) {
	frame, err := s.frame()
	if err != nil {
		return nil, err
	}
	t, err := frame.Clone()
	if err == nil {
		t, err = t.ParseFS(pages, name)
	}
	if err == nil {
		err = s.words.checkTemplate(t)
	}
	byLang := map[Lang]*template.Template{}
	for _, lang := range Languages {
		if err == nil {
			byLang[lang], err = t.Clone()
		}
		if err == nil {
			byLang[lang].Funcs(s.funcs(lang))
		}
	}
	return byLang, err
}

func (s *Set) funcs(lang Lang) template.FuncMap {
	return template.FuncMap{
		"t":       func(key string, args ...any) string { return s.words.Say(lang, key, args...) },
		"markup":  func(key string, args ...any) template.HTML { return s.words.markup(lang, key, args...) },
		"wrong":   func(err error) string { return s.words.Problem(lang, err) },
		"bytes":   func(n int64) string { return Bytes(lang, n) },
		"day":     func(at time.Time) string { return Day(lang, at) },
		"date":    func(at time.Time) string { return Date(lang, at) },
		"hour":    func(at time.Time) string { return Hour(lang, at) },
		"span":    func(d time.Duration) string { return Span(lang, d) },
		"decimal": func(f float64) string { return Decimal(lang, f) },
		"asset":   Asset,
		"langs":   func() []Lang { return Languages },
	}
}

// Words returns the set's words, for mails and other texts beside the pages.
func (s *Set) Words() Words { return s.words }

// Render writes a page. Pages are never stored by caches: they show a person's
// own things.
func (s *Set) Render(w http.ResponseWriter, status int, name string, v View) error {
	read, ok := s.pages[name]
	if !ok {
		return fmt.Errorf("no page is called %s", name)
	}
	byLang, err := read()
	if err != nil {
		return err
	}
	if byLang[v.Lang] == nil {
		v.Lang = EN
	}
	var b bytes.Buffer
	if err := byLang[v.Lang].Execute(&b, v); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", string(v.Lang))
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the reader went away: nobody is left to tell
	return nil
}
