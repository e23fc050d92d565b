package webfs

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/dav"
	"essaim.coop/essaim/dav/davxml"

	"golang.org/x/text/cases"
)

const maxLiteral = 512 // bytes of what is compared: it is held against every name

// A truth has three values (RFC 5323 §5.5.3): what is not there is unknown, and
// so is its negation.
type truth int8

const (
	no      truth = -1
	unknown truth = 0
	yes     truth = 1
)

func searchable(w *dav.Where) error {
	if w == nil {
		return nil
	}
	switch w.Op {
	case "and", "or", "not", "eq", "lt", "gt", "lte", "gte", "like", "is-collection", "is-defined":
	default:
		return dav.Forbidden(davxml.DAV("search-grammar-supported"))
	}
	if len(w.Value) > maxLiteral {
		return dav.Forbidden(davxml.DAV("search-grammar-supported"))
	}
	for _, a := range w.Args {
		if err := searchable(a); err != nil {
			return err
		}
	}
	return nil
}

func evaluate(w *dav.Where, r dav.Resource) truth {
	if w == nil {
		return yes
	}
	switch w.Op {
	case "and", "or":
		worst := yes
		if w.Op == "or" {
			worst = no
		}
		for _, a := range w.Args {
			if t := evaluate(a, r); w.Op == "and" {
				worst = min(worst, t)
			} else {
				worst = max(worst, t)
			}
		}
		return worst
	case "not":
		if len(w.Args) == 1 {
			return -evaluate(w.Args[0], r)
		}
		return unknown
	case "is-collection":
		return truthOf(r.Kind().Collection)
	}
	v, ok := valueOf(r, w.Prop)
	switch {
	case w.Op == "is-defined":
		return truthOf(ok)
	case !ok:
		return unknown
	case w.Op == "like":
		text, isText := v.(string)
		return truthOf(isText && like(text, w.Value, w.Caseless))
	}
	return compared(w, v)
}

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func compared(w *dav.Where, v any) truth {
	want, err := literal(v, w.Value)
	if err != nil {
		return unknown
	}
	if a, ok := v.(string); ok && w.Caseless {
		v, want = cases.Fold().String(a), cases.Fold().String(want.(string))
	}
	c := compare(v, want)
	switch w.Op {
	case "eq":
		return truthOf(c == 0)
	case "lt":
		return truthOf(c < 0)
	case "gt":
		return truthOf(c > 0)
	case "lte":
		return truthOf(c <= 0)
	}
	return truthOf(c >= 0)
}

// literal reads a literal as a value of the kind of v.
func literal(v any, text string) (any, error) {
	switch v.(type) {
	case int64:
		return strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	case time.Time:
		return parseDate(text)
	}
	return text, nil
}

func compare(a, b any) int {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y)
		}
	case time.Time:
		if y, ok := b.(time.Time); ok {
			return x.Truncate(time.Second).Compare(y.Truncate(time.Second))
		}
	case string:
		if y, ok := b.(string); ok {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(fmt.Sprintf("%T", a), fmt.Sprintf("%T", b)) // what is not there comes together
}

// valueOf is a property as a string, an int64 or a time.
func valueOf(r dav.Resource, p davxml.Name) (any, bool) {
	st := r.Stat()
	switch p {
	case davxml.DAV("displayname"):
		return st.Display, st.Display != ""
	case davxml.DAV("getcontenttype"):
		return st.Type, st.Type != ""
	case davxml.DAV("getetag"):
		return `"` + st.ETag + `"`, st.ETag != ""
	case davxml.DAV("getcontentlength"):
		return st.Size, st.Size >= 0
	case davxml.DAV("getlastmodified"):
		return st.Modified, true
	case davxml.DAV("creationdate"):
		return st.Created, true
	case oc("fileid"), oc("id"):
		return fileID(nodeOf(r).Object()), true
	case oc("size"):
		return sizeOf(r), true
	}
	return nil, false
}

// like matches a pattern: % is any characters, _ is one, \ takes the next as it
// is. It looks at each character of the text once for every % (the last one is
// the only one it returns to).
func like(text, pattern string, caseless bool) bool {
	if caseless {
		text, pattern = cases.Fold().String(text), cases.Fold().String(pattern)
	}
	t, p := []rune(text), []rune(pattern)
	i, j, star, mark := 0, 0, -1, 0
	for i < len(t) {
		switch {
		case j < len(p) && p[j] == '%':
			star, mark = j, i
			j++
			continue
		case j < len(p) && p[j] == '_':
			i, j = i+1, j+1
			continue
		case j+1 < len(p) && p[j] == '\\' && p[j+1] == t[i]:
			i, j = i+1, j+2
			continue
		case j < len(p) && p[j] != '\\' && p[j] == t[i]:
			i, j = i+1, j+1
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		i, j = mark, star+1
	}
	for j < len(p) && p[j] == '%' {
		j++
	}
	return j == len(p)
}
