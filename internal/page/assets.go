package page

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed layout.html wrong.html
var layout embed.FS

//go:embed static
var static embed.FS

// An asset is a file that browsers may keep for ever: its name changes with it.
type asset struct {
	body []byte
	kind string
}

const assetPrefix = "/static/"

var assets, assetNames = loadAssets()

func loadAssets() (byPath map[string]asset, byName map[string]string) {
	byPath, byName = map[string]asset{}, map[string]string{}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	_ = fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		base, ext := path.Base(name), path.Ext(name)
		p := assetPrefix + strings.TrimSuffix(base, ext) + "." + base64.RawURLEncoding.EncodeToString(sum[:9]) + ext
		byPath[p], byName[base] = asset{body, kinds[ext]}, p
		return nil
	})
	return byPath, byName
}

// Asset returns the path of a file of ours, as style.css.
func Asset(name string) string { return assetNames[name] }

// ServeAssets answers GET for every asset, without asking who it is.
func ServeAssets(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.body)
}

// Policy is the Content-Security-Policy of every page: nothing from elsewhere,
// no inline script or style.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// Secure sets what every page and asset is sent with.
func Secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", Policy)
		h.Set("X-Content-Type-Options", "nosniff")
		// Other sites learn nothing. Our own forms have to say where they come from:
		// with no-referrer their Origin would be null (Fetch §3.1), which a browser
		// without Sec-Fetch-Site could not send, and no way would lead back to them.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), interest-cohort=()")
		next.ServeHTTP(w, r)
	})
}
