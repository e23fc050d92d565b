package web

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// strict sets what every answer has unless its handler says otherwise: a page
// that runs or loads something must name it.
func (s *Server) strict(h http.Header, overTLS bool) {
	for _, field := range always {
		h[field.name] = field.value
	}
	if s.HSTS && overTLS { // RFC 6797 §7.2: never without
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// always are those without a condition, in the form of http.Header. Values that
// are not changed in place can be shared: setting or adding makes another.
var always = []struct {
	name  string
	value []string
}{
	{"Content-Security-Policy", []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}},
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"Referrer-Policy", []string{"same-origin"}},
	{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
	{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
}

// inline are the types that a browser may show: it runs nothing in them.
var inline = map[string]bool{
	"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true, "image/avif": true,
	"audio/mpeg": true, "audio/ogg": true, "audio/flac": true, "audio/mp4": true, "audio/wav": true,
	"video/mp4": true, "video/webm": true, "video/ogg": true, "text/plain": true,
}

// UserContent sets the headers of an answer with bytes that somebody has
// uploaded. Whatever they are, they cannot run as a page of ours: the answer is
// for saving, unless show is set and its type is one that browsers only show,
// and it is sandboxed in any case.
func UserContent(h http.Header, name, mediaType string, show bool) {
	base, _, err := mime.ParseMediaType(mediaType)
	if err != nil {
		mediaType = "application/octet-stream"
	}
	disposition := "attachment"
	if show && inline[base] {
		disposition = "inline"
	}
	h.Set("Content-Type", mediaType)
	h.Set("Content-Disposition", Disposition(disposition, name))
	h.Set("Content-Security-Policy", "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
}

// Disposition is a Content-Disposition with a file name: in full by RFC 8187,
// with an ASCII stand-in first for what does not know that (RFC 6266 §4.3, D).
func Disposition(kind, name string) string {
	if name == "" {
		return kind
	}
	plain := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || strings.ContainsRune(`"\%/`, c) {
			return '_'
		}
		return c
	}, name)
	v := fmt.Sprintf(`%s; filename="%s"`, kind, plain)
	if plain != name {
		v += "; filename*=UTF-8''" + extValue(name)
	}
	return v
}

// extValue encodes by RFC 8187 §3.2.1: more than is needed, which is allowed.
func extValue(s string) string {
	return strings.NewReplacer("+", "%20", "'", "%27", "(", "%28", ")", "%29", "*", "%2A").Replace(url.QueryEscape(s))
}

// CORS lets scripts of other origins ask for what is below some paths. They
// authenticate themselves: no cookie is sent along.
type CORS struct {
	Paths   []string // prefixes
	Origins []string // https://app.example, or "*" for all
}

func (c *CORS) allows(path, origin string) bool {
	for _, p := range c.Paths {
		if !strings.HasPrefix(path, p) {
			continue
		}
		for _, o := range c.Origins {
			if o == "*" || o == origin {
				return true
			}
		}
	}
	return false
}

const (
	corsMethods = "OPTIONS, GET, HEAD, POST, PUT, PATCH, DELETE, PROPFIND, PROPPATCH, MKCOL, MKCALENDAR, COPY, MOVE, LOCK, UNLOCK, REPORT, SEARCH, ACL"
	corsHeaders = "Authorization, Content-Type, Content-Range, Depth, Destination, If, If-Match, If-None-Match, If-Schedule-Tag-Match, " +
		"If-Modified-Since, If-Unmodified-Since, Lock-Token, Overwrite, Prefer, Range, Timeout, X-Requested-With"
	corsExpose = "Allow, Content-Disposition, Content-Range, DAV, ETag, Last-Modified, Location, Lock-Token, Preference-Applied, Schedule-Tag, WWW-Authenticate, X-Request-Id"
)

// crossOrigin adds the headers that let another origin see an answer, and
// answers a preflight.
func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request) (answered bool) {
	if len(s.CORS) == 0 {
		return false
	}
	h, origin := w.Header(), r.Header.Get("Origin")
	h.Add("Vary", "Origin")
	if origin == "" {
		return false
	}
	for i := range s.CORS {
		if !s.CORS[i].allows(r.URL.Path, origin) {
			continue
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", corsExpose)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			return false
		}
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", "86400")
		w.WriteHeader(http.StatusNoContent)
		return true
	}
	return false
}
