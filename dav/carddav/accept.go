package carddav

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/format/vcard"
)

// negotiate picks the version to answer with (RFC 6352 §5.1.1, RFC 9110
// §12.5.1). As it is stored is preferred where the client does not care.
func negotiate(accept string, stored vcard.Version) (vcard.Version, error) {
	if strings.TrimSpace(accept) == "" {
		return stored, nil
	}
	other := vcard.V4
	if stored == vcard.V4 {
		other = vcard.V3
	}
	ranges := mediaRanges(accept)
	own, theirs := quality(ranges, stored), quality(ranges, other)
	switch {
	case own <= 0 && theirs <= 0:
		e := dav.Forbidden(davxml.CardDAV("supported-address-data-conversion"))
		e.Status = http.StatusNotAcceptable
		return "", e
	case theirs > own:
		return other, nil
	}
	return stored, nil
}

// A mediaRange is one of an Accept header.
type mediaRange struct {
	kind, version string
	q             float64
}

const maxRanges = 50

func mediaRanges(accept string) (out []mediaRange) {
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil || len(out) == maxRanges {
			continue
		}
		q := 1.0
		if v, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(v, 64); err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
		}
		out = append(out, mediaRange{kind, params["version"], q})
	}
	return out
}

// quality is that of the most specific range that a version is in.
func quality(ranges []mediaRange, v vcard.Version) float64 {
	best, q := 0, 0.0
	for _, r := range ranges {
		how := 0
		switch {
		case r.version != "" && r.version != string(v):
		case r.kind == "*/*":
			how = 1
		case r.kind == "text/*":
			how = 2
		case r.kind == "text/x-vcard" || r.kind == "text/directory": // what 3.0 was called
			if v == vcard.V3 {
				how = 3
			}
		case r.kind == "text/vcard" && r.version == "":
			how = 3
		case r.kind == "text/vcard":
			how = 4
		}
		if how > best {
			best, q = how, r.q
		}
	}
	return q
}
