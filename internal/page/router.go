package page

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// An Access says who may come to a route. Every route has one; there is no
// default.
type Access uint8

const (
	Anyone Access = 1 + iota // signed in or not
	Member                   // signed in
	Proved                   // signed in, and proved lately to be who they are
	Admin                    // an administrator, proved lately
)

func (a Access) String() string {
	return [...]string{"undeclared", "anyone", "member", "proved", "administrator"}[min(a, 4)]
}

// An Identity is who a session belongs to.
type Identity struct {
	Account uint32 // 0: nobody is signed in
	Name    string
	Lang    string // as the account says, or empty
	Admin   bool
	Proved  bool
	Token   string // of the session
}

// A Route is one page or form. Pattern is as in net/http, with its method.
type Route struct {
	Pattern string
	Access  Access
	Do      func(*Request) error
	// Body bounds a form's size in bytes; 0 is 64 KiB.
	Body int64
	// Program says that programs ask: who may not come is told so by a status
	// and problem details (RFC 9457), not led to a page.
	Program bool
}

// A Room is the pages of one door: its templates and words, its navigation,
// its routes.
type Room struct {
	Set    *Set
	Nav    func(Identity) []Link // may be nil
	Routes []Route
}

// A Router serves the routes of several rooms. Fill it before it serves.
type Router struct {
	Identify func(r *http.Request, token string) (Identity, error) // an unknown token is nobody, no error
	Coop     func(ctx context.Context) string                      // the cooperative's name
	Logger   *slog.Logger
	Secure   bool // cookies only over TLS: everywhere but in a demo without
	// SignIn and Prove are where those go who are not signed in, or not
	// lately; they come back by ?to=.
	SignIn, Prove string

	routes []Route
	mux    http.ServeMux
}

const formBody = 64 << 10

// Add takes a room. A route without an access panics, as it is a mistake of
// ours that no request may find.
func (m *Router) Add(room Room) {
	for _, r := range room.Routes {
		if r.Access < Anyone || r.Access > Admin || r.Do == nil {
			panic("route " + r.Pattern + " does not say who may come")
		}
		if r.Body == 0 {
			r.Body = formBody
		}
		m.routes = append(m.routes, r)
		m.mux.HandleFunc(r.Pattern, func(w http.ResponseWriter, req *http.Request) { m.serve(w, req, r, &room) })
	}
}

// Routes returns every route there is, for a test that knows who may come
// where.
func (m *Router) Routes() []Route { return m.routes }

// Handler returns what serves them: forms from other origins are refused (the
// browser says where they come from), and so is what is not declared.
func (m *Router) Handler() http.Handler {
	m.mux.HandleFunc("GET "+assetPrefix, ServeAssets)
	m.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		x := &Request{W: w, R: r, router: m, set: plain, Lang: Preferred(r, "")}
		x.fail(Problem{Word: "wrong.notfound"}, http.StatusNotFound)
	})
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &Request{W: w, R: r, router: m, set: plain, Lang: Preferred(r, "")}
		x.fail(Problem{Word: "wrong.crossorigin"}, http.StatusForbidden)
	}))
	return Secure(guard.Handler(&m.mux))
}

func (m *Router) serve(w http.ResponseWriter, r *http.Request, route Route, room *Room) {
	r.Body = http.MaxBytesReader(w, r.Body, route.Body)
	x := &Request{W: w, R: r, router: m, set: room.Set, program: route.Program}
	var err error
	if token := m.token(r); token != "" {
		x.Who, err = m.Identify(r, token)
	}
	x.Lang = Preferred(r, x.Who.Lang)
	if room.Nav != nil {
		x.nav = room.Nav(x.Who)
	}
	if err == nil {
		err = x.admit(route.Access)
	}
	if err == nil {
		err = route.Do(x)
	}
	if err != nil {
		x.answer(err)
	}
}

// plain is the set of what belongs to no room: it has the page of errors.
var plain = func() *Set {
	s, err := New(embed.FS{}, nil)
	if err != nil {
		panic(err)
	}
	return s
}()

// errElsewhere says that the answer was a way to somewhere else.
var errElsewhere = errors.New("sent elsewhere")

// admit sends away who may not come: to the sign-in or the proof when that
// helps.
func (x *Request) admit(a Access) error {
	switch {
	case a == Anyone:
		return nil
	case x.Who.Account == 0:
		x.detour(x.router.SignIn)
		return errElsewhere
	case a == Admin && !x.Who.Admin:
		return Problem{Word: "wrong.forbidden"}
	case a >= Proved && !x.Who.Proved:
		x.detour(x.router.Prove)
		return errElsewhere
	}
	return nil
}

// detour leads to a page that leads back here; a form is not sent twice.
func (x *Request) detour(path string) {
	if x.program {
		x.W.Header().Set("Content-Type", "application/problem+json")
		x.W.WriteHeader(http.StatusUnauthorized)
		_, _ = fmt.Fprintf(x.W, `{"status":401,"title":"Unauthorized","detail":"first come by %s"}`, path)
		return
	}
	back := x.R.URL.Path
	if x.R.Method != http.MethodGet {
		back = BackPath(x.R.Referer())
	}
	x.Redirect(path + "?to=" + strings.ReplaceAll(url.QueryEscape(back), "%2F", "/"))
}

// BackPath returns the path of an address of ours, or "/" when it is another's:
// a way back never leads off the site.
func BackPath(address string) string {
	if i := strings.Index(address, "://"); i >= 0 {
		_, rest, found := strings.Cut(address[i+3:], "/")
		if !found {
			return "/"
		}
		address = "/" + rest
	}
	path, _, _ := strings.Cut(address, "?")
	path, _, _ = strings.Cut(path, "#")
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t ") || len(path) > 200 {
		return "/"
	}
	return path
}

// A Request is one page being asked for, and its answer.
type Request struct {
	W    http.ResponseWriter
	R    *http.Request
	Who  Identity
	Lang Lang

	program bool
	router  *Router
	set     *Set
	nav     []Link
}

// Form returns a form's field without the spaces around it.
func (x *Request) Form(name string) string { return strings.TrimSpace(x.R.PostFormValue(name)) }

// View is what a page is filled with, apart from its data. ?done= names what a
// form just did, by a word below done.
func (x *Request) View(title string, data any) View {
	v := View{Lang: x.Lang, Title: title, Coop: x.router.Coop(x.R.Context()), User: x.Who.Name, Nav: x.nav, Here: x.R.URL.Path, Data: data}
	if x.R.Method != http.MethodGet { // nothing is there to be looked at
		v.back = BackPath(x.R.Referer())
		v.Here = v.back
	}
	if done := "done." + x.R.URL.Query().Get("done"); x.R.Method == http.MethodGet {
		if _, ok := x.set.words[done]; ok {
			v.Done = done
		}
	}
	return v
}

// Page writes a page.
func (x *Request) Page(name, title string, data any) error {
	return x.set.Render(x.W, http.StatusOK, name, x.View(title, data))
}

// Again writes a page whose form could not be done, with why. What is no
// Problem of the reader's is answered as an error instead.
func (x *Request) Again(name, title string, data any, why error) error {
	if p := (Problem{}); !errors.As(why, &p) {
		return why
	}
	v := x.View(title, data)
	v.Wrong, v.typed = why, x.R.PostForm
	return x.set.Render(x.W, http.StatusUnprocessableEntity, name, v)
}

// Redirect leads on after a form (RFC 9110 §15.4.4).
func (x *Request) Redirect(path string) {
	x.W.Header().Set("Cache-Control", "no-store")
	http.Redirect(x.W, x.R, path, http.StatusSeeOther)
}

// Say returns a word in the reader's language.
func (x *Request) Say(key string, args ...any) string {
	return x.set.words.Say(x.Lang, key, args...)
}

// statuses are what problems of every room are answered with.
var statuses = map[string]int{
	"wrong.notfound": http.StatusNotFound, "wrong.forbidden": http.StatusForbidden, "wrong.slow": http.StatusTooManyRequests,
}

// answer shows an error: a Problem as it says, anything else as ours, with the
// story in the log, which names the route: a path can hold an invitation.
func (x *Request) answer(err error) {
	var p Problem
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errElsewhere):
	case errors.As(err, &p):
		status := statuses[p.Word]
		if status == 0 {
			status = http.StatusUnprocessableEntity
		}
		x.fail(err, status)
	case errors.As(err, &large):
		x.fail(Problem{Word: "wrong.large"}, http.StatusRequestEntityTooLarge)
	default:
		x.router.Logger.Error("page", "route", x.R.Pattern, "account", x.Who.Account, "error", err)
		x.fail(err, http.StatusInternalServerError)
	}
}

func (x *Request) fail(err error, status int) {
	v := x.View("wrong.title", nil)
	v.Wrong = err
	if err := x.set.Render(x.W, status, "wrong", v); err != nil {
		http.Error(x.W, http.StatusText(status), status)
	}
}

// The session cookie. Its name keeps it to this host and to TLS (RFC 6265bis
// §4.1.3.2); a demo without TLS cannot have that.
func (m *Router) cookieName() string {
	if m.Secure {
		return "__Host-essaim"
	}
	return "essaim"
}

func (m *Router) token(r *http.Request) string {
	if c, err := r.Cookie(m.cookieName()); err == nil && len(c.Value) < 100 {
		return c.Value
	}
	return ""
}

// SetSession gives the browser a session's token, or takes it away when empty.
// It stays no longer than a session can.
func (x *Request) SetSession(token string, keep time.Duration) {
	c := &http.Cookie{Name: x.router.cookieName(), Value: token, Path: "/", MaxAge: int(keep / time.Second), SameSite: http.SameSiteLaxMode}
	if token == "" {
		c.MaxAge = -1
	}
	x.SetCookie(c)
}

// SetCookie sets a cookie that no script sees and that only TLS carries.
func (x *Request) SetCookie(c *http.Cookie) {
	c.HttpOnly, c.Secure = true, x.router.Secure
	http.SetCookie(x.W, c)
}

// Layout adds the routes that the layout itself needs: the choice of language.
func (m *Router) Layout() {
	m.Add(Room{Set: plain, Routes: []Route{{Pattern: "POST /language", Access: Anyone, Do: func(x *Request) error {
		for _, l := range Languages {
			if string(l) == x.Form("lang") {
				Choose(x.W, l)
			}
		}
		x.Redirect(BackPath(x.Form("back")))
		return nil
	}}}})
}
