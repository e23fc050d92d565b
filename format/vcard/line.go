package vcard

import (
	"errors"
	"fmt"
	"strings"
)

// parseLine reads a logical line (RFC 6350 §3.3).
func parseLine(s string) (p Property, err error) {
	i := strings.IndexAny(s, ";:")
	if i <= 0 {
		return p, errors.New("no property name and colon")
	}
	p.Name = strings.TrimRight(s[:i], " \t")
	if g, name, ok := strings.Cut(p.Name, "."); ok {
		p.Group, p.Name = g, name
	}
	if !isToken(p.Name) || p.Group != "" && !isToken(p.Group) {
		return p, fmt.Errorf("%.40q is no property name", s[:i])
	}
	for s[i] == ';' {
		s = s[i+1:]
		var x Param
		if x, i, err = parseParam(s); err != nil {
			return p, err
		}
		p.bare = p.bare || x.Name == bareType
		switch x.Name {
		case "":
		case bareType:
			x.Name = "TYPE"
			fallthrough
		default:
			p.Params = append(p.Params, x)
		}
		if len(p.Params) > MaxParams {
			return p, fmt.Errorf("more than %d parameters", MaxParams)
		}
	}
	p.Value = s[i+1:]
	return p, nil
}

// bareType is the name of a parameter without one until the property knows.
const bareType = " "

// parseParam reads up to the ";" or ":" behind the parameter, where i is.
func parseParam(s string) (x Param, i int, err error) {
	i = strings.IndexAny(s, "=;:")
	if i < 0 {
		return x, 0, errors.New("no colon")
	}
	name := strings.TrimSpace(s[:i])
	if s[i] != '=' { // a type alone, as 2.1 has them; or nothing, as in "TEL;:"
		if name == "" {
			return x, i, nil
		}
		return Param{bareType, []string{name}}, i, nil
	}
	if err := checkToken(name); err != nil {
		return x, 0, err
	}
	x.Name = name
	for {
		v, n, err := paramValue(s[i+1:])
		if err != nil {
			return x, 0, err
		}
		x.Values = append(x.Values, v)
		if i += 1 + n; s[i] != ',' {
			return x, i, nil
		}
		if len(x.Values) > MaxParams {
			return x, 0, fmt.Errorf("more than %d values of a parameter", MaxParams)
		}
	}
}

// paramValue reads a value, quoted or not, up to what ends it.
func paramValue(s string) (v string, n int, err error) {
	if strings.HasPrefix(s, `"`) {
		q := strings.IndexByte(s[1:], '"')
		if q < 0 {
			return "", 0, errors.New("a quoted parameter value has no end")
		}
		n = q + 2
		if n == len(s) || !strings.ContainsRune(",;:", rune(s[n])) {
			return "", 0, errors.New("something follows a quoted parameter value")
		}
		return decodeParam(s[1 : n-1]), n, nil
	}
	if n = strings.IndexAny(s, ",;:"); n < 0 {
		return "", 0, errors.New("no colon")
	}
	return decodeParam(s[:n]), n, nil
}

// decodeParam undoes RFC 6868 §3; an unknown ^ stands for itself.
func decodeParam(s string) string {
	if strings.IndexByte(s, '^') < 0 {
		return s
	}
	return paramDecoder.Replace(s)
}

var (
	paramDecoder = strings.NewReplacer("^^", "^", "^n", "\n", "^'", `"`)
	paramEncoder = strings.NewReplacer("^", "^^", "\r\n", "^n", "\n", "^n", "\r", "^n", `"`, "^'")
)

func checkToken(s string) error {
	if !isToken(s) {
		return fmt.Errorf("%.40q is no parameter name", s)
	}
	return nil
}

// isToken: letters, digits and hyphens, and the underscore and dot that some
// programs put into their own names.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == '/' && i > 0) {
			return false
		}
	}
	return s != ""
}
