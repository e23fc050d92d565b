package page

import (
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"text/template/parse"

	"golang.org/x/text/language"
)

// A Lang is a language the house speaks.
type Lang string

const (
	EN Lang = "en"
	FR Lang = "fr"
	NL Lang = "nl"
)

// Languages are all of them.
var Languages = []Lang{FR, NL, EN}

// Name is how a language calls itself.
func (l Lang) Name() string {
	return map[Lang]string{EN: "English", FR: "Français", NL: "Nederlands"}[l]
}

// A Text is one string in every language. %s and the like stand for what Say
// is given; all three take the same, in an order of their own (%[2]s).
type Text struct{ en, fr, nl string }

// T makes a text. That it takes three strings is what keeps the house complete.
func T(en, fr, nl string) Text { return Text{en, fr, nl} }

// In returns the text of one language.
func (t Text) In(l Lang) string {
	switch l {
	case FR:
		return t.fr
	case NL:
		return t.nl
	}
	return t.en
}

// Words are texts by key. Keys read as room.thing, as join.title. A text whose
// first argument is a number can have forms beside it: key.none for 0, which
// says no number, and key.one for one, and in French for 0 too.
type Words map[string]Text

func (w Words) with(other Words) Words {
	out := maps.Clone(other)
	maps.Copy(out, w)
	return out
}

// Say returns a text with its arguments set in; a key that is not there comes
// back in brackets, which New makes impossible for what templates name.
func (w Words) Say(l Lang, key string, args ...any) string {
	t, ok := w[key]
	if len(args) > 0 {
		if n, number := args[0].(int); number {
			if none, there := w[key+".none"]; there && n == 0 {
				return none.In(l)
			}
			if one, there := w[key+".one"]; there && (n == 1 || n == 0 && l == FR) {
				t = one
			}
		}
	}
	switch {
	case !ok:
		return "[" + key + "]"
	case len(args) == 0:
		return t.In(l)
	}
	return fmt.Sprintf(t.In(l), args...)
}

// markup is Say for texts that hold markup of ours; arguments are escaped.
func (w Words) markup(l Lang, key string, args ...any) template.HTML {
	for i, a := range args {
		args[i] = template.HTMLEscapeString(fmt.Sprint(a))
	}
	return template.HTML(w.Say(l, key, args...)) //nolint:gosec // the text is ours, the arguments are escaped
}

// Problem says an error in the reader's words.
func (w Words) Problem(l Lang, err error) string {
	if p := (Problem{}); errors.As(err, &p) {
		return w.Say(l, p.Word, p.Args...)
	}
	return w.Say(l, "wrong.internal")
}

// check finds texts that lack a language or whose languages take different
// arguments.
func (w Words) check() error {
	for _, key := range slices.Sorted(maps.Keys(w)) {
		t := w[key]
		if t.en == "" || t.fr == "" || t.nl == "" {
			return fmt.Errorf("word %s lacks a language", key)
		}
		if a := verbs(t.en); a != verbs(t.fr) || a != verbs(t.nl) {
			return fmt.Errorf("word %s: its languages take different arguments", key)
		}
		if many, of := strings.CutSuffix(key, ".one"); of && verbs(w[many].en) != verbs(t.en) {
			return fmt.Errorf("word %s takes other arguments than %s", key, many)
		}
	}
	return nil
}

// verbs counts the arguments that a text takes.
func verbs(s string) int { return strings.Count(strings.ReplaceAll(s, "%%", ""), "%") }

// checkTemplate finds keys in a template that are no words.
func (w Words) checkTemplate(t *template.Template) error {
	var missing []string
	for _, part := range t.Templates() {
		if part.Tree != nil {
			walk(part.Tree.Root, func(key string) {
				if _, ok := w[key]; !ok {
					missing = append(missing, key)
				}
			})
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no words for %s", strings.Join(missing, ", "))
	}
	return nil
}

// walk calls fn with every literal key that is given to t or markup.
func walk(n parse.Node, fn func(key string)) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, c := range n.Nodes {
				walk(c, fn)
			}
		}
	case *parse.ActionNode:
		walk(n.Pipe, fn)
	case *parse.IfNode:
		walkBranch(&n.BranchNode, fn)
	case *parse.RangeNode:
		walkBranch(&n.BranchNode, fn)
	case *parse.WithNode:
		walkBranch(&n.BranchNode, fn)
	case *parse.TemplateNode:
		walk(n.Pipe, fn)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				walk(c, fn)
			}
		}
	case *parse.CommandNode:
		if id, ok := n.Args[0].(*parse.IdentifierNode); ok && (id.Ident == "t" || id.Ident == "markup") && len(n.Args) > 1 {
			if s, ok := n.Args[1].(*parse.StringNode); ok {
				fn(s.Text)
			}
		}
		for _, a := range n.Args {
			walk(a, fn)
		}
	}
}

func walkBranch(n *parse.BranchNode, fn func(string)) {
	walk(n.Pipe, fn)
	walk(n.List, fn)
	walk(n.ElseList, fn)
}

var matcher = language.NewMatcher([]language.Tag{language.English, language.French, language.Dutch})

// languageCookie keeps what a reader chose.
const languageCookie = "lang"

// Preferred returns the language of a request: what the reader chose, then
// what the account says, then what the browser asks for.
func Preferred(r *http.Request, account string) Lang {
	if c, err := r.Cookie(languageCookie); err == nil && slices.Contains(Languages, Lang(c.Value)) {
		return Lang(c.Value)
	}
	if slices.Contains(Languages, Lang(account)) {
		return Lang(account)
	}
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return EN
	}
	_, i, _ := matcher.Match(tags...)
	return []Lang{EN, FR, NL}[i]
}

// Choose keeps a reader's choice for a year.
func Choose(w http.ResponseWriter, l Lang) {
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: string(l), Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, SameSite: http.SameSiteLaxMode})
}
