package vcard

import (
	"encoding/base64"
	"net/url"
	"strings"
)

// Media types by the words that 3.0 uses for them.
var mediaTypes = map[string]string{
	"JPEG": "image/jpeg", "JPG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp",
	"BMP": "image/bmp", "TIFF": "image/tiff", "HEIC": "image/heic",
	"BASIC": "audio/basic", "WAVE": "audio/wave", "MP3": "audio/mpeg", "OGG": "audio/ogg",
	"PGP": "application/pgp-keys", "X509": "application/pkix-cert",
}

var kindOfMedia = map[string]string{"PHOTO": "image", "LOGO": "image", "SOUND": "audio", "KEY": "application"}

// binary4 turns what is inline in base64 into a data: URI (RFC 6350 §6.2.4), and
// a TYPE that names a format into a MEDIATYPE.
func binary4(p Property) Property {
	format, others := p.format()
	if p.is("ENCODING", "b") || p.is("ENCODING", "base64") {
		data := strings.Map(dropSpace, p.Value)
		if format == "" {
			format = sniff(data, p.Name)
		}
		p.setParam("ENCODING")
		p.setParam("VALUE")
		p.setParam("TYPE", others...)
		p.Value = "data:" + format + ";base64," + data
		return p
	}
	if p.is("VALUE", "uri") || p.is("VALUE", "url") {
		p.setParam("VALUE")
		if format != "" {
			p.setParam("TYPE", others...)
			p.setParam("MEDIATYPE", format)
		}
		p.Value = clean(p.Text())
	}
	return p
}

// format takes the media type out of the types.
func (p *Property) format() (media string, others []string) {
	for _, t := range p.types() {
		kind := kindOfMedia[strings.ToUpper(p.Name)]
		switch m := mediaTypes[strings.ToUpper(t)]; {
		case media != "" || isUse(t):
			others = append(others, t)
		case m != "":
			media = m
		case strings.Contains(t, "/"):
			media = strings.ToLower(t)
		default:
			media = kind + "/" + strings.ToLower(t)
		}
	}
	return media, others
}

// isUse tells the types that say what for, not in which format.
func isUse(t string) bool {
	return strings.EqualFold(t, "home") || strings.EqualFold(t, "work") || strings.EqualFold(t, "pref") || strings.EqualFold(t, "uri")
}

// sniff names the format of base64 data by how it begins.
func sniff(data, name string) string {
	switch {
	case strings.HasPrefix(data, "/9j/"):
		return "image/jpeg"
	case strings.HasPrefix(data, "iVBORw0K"):
		return "image/png"
	case strings.HasPrefix(data, "R0lGOD"):
		return "image/gif"
	case strings.EqualFold(name, "PHOTO") || strings.EqualFold(name, "LOGO"):
		return "image/jpeg"
	}
	return "application/octet-stream"
}

func dropSpace(r rune) rune {
	if r == ' ' || r == '\t' {
		return -1
	}
	return r
}

// binary3 turns a data: URI into inline base64 (RFC 2426 §3.1.4).
func binary3(p Property) Property {
	media := ""
	if m := p.Param("MEDIATYPE"); len(m) > 0 {
		media = m[0]
	}
	head, data, ok := strings.Cut(p.Value, ",")
	if !ok || len(head) < 5 || !strings.EqualFold(head[:5], "data:") {
		p.setParam("MEDIATYPE")
		if !p.is("VALUE", "text") {
			p.setParam("VALUE", "uri")
		}
		return withFormat(p, media)
	}
	head = strings.ReplaceAll(head[5:], `\;`, ";") // some escape it
	fields := strings.Split(head, ";")
	if fields[0] != "" {
		media = fields[0]
	}
	if !strings.EqualFold(fields[len(fields)-1], "base64") {
		raw, err := url.PathUnescape(data)
		if err != nil {
			return p // not a data: URI after all
		}
		data = base64.StdEncoding.EncodeToString([]byte(raw))
	}
	p.setParam("VALUE")
	p.setParam("MEDIATYPE")
	p.setParam("ENCODING", "b")
	p.Value = strings.TrimSpace(data)
	return withFormat(p, media)
}

// withFormat adds the word of 3.0 for a media type.
func withFormat(p Property, media string) Property {
	if media == "" {
		return p
	}
	word := ""
	for w, m := range mediaTypes {
		if strings.EqualFold(m, media) && (word == "" || len(w) > len(word)) {
			word = w // JPEG, not JPG
		}
	}
	if word == "" {
		_, sub, _ := strings.Cut(media, "/")
		word = strings.ToUpper(sub)
		if kindOfMedia[strings.ToUpper(p.Name)]+"/"+strings.ToLower(sub) != strings.ToLower(media) {
			word = media
		}
	}
	p.setParam("TYPE", append(p.types(), word)...)
	return p
}
