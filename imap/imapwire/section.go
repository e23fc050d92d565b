package imapwire

import "strings"

// A Section is one BODY[...] of FETCH.
type Section struct {
	Name    string // as the response repeats it, partial origin not included
	Part    []int
	Spec    string   // "", HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME
	Fields  []string // in lower case
	Peek    bool
	Binary  bool // decoded: BINARY[...] (RFC 3516)
	Size    bool // only how long that is: BINARY.SIZE[...]
	Partial bool
	Off, N  int64
}

// binarySection reads a part number and, but for SIZE, a partial range.
func (d *Decoder) binarySection(item string) (s Section, err error) {
	if s, err = d.section(); err != nil {
		return s, err
	}
	if s.Spec != "" || s.Partial && item == "BINARY.SIZE" {
		return s, bad("%s takes a part number", item)
	}
	s.Binary, s.Size, s.Peek = true, item == "BINARY.SIZE", item != "BINARY"
	s.Name = strings.TrimSuffix(item, ".PEEK") + strings.TrimPrefix(s.Name, "BODY")
	return s, nil
}

// section reads [...] and <...> behind it.
func (d *Decoder) section() (s Section, err error) {
	if _, err = d.skipByte('['); err != nil {
		return s, err
	}
	text, err := d.optional(func(c byte) bool { return c != ']' && c != ' ' && c > ' ' && c < 127 })
	if err != nil {
		return s, err
	}
	if err := s.parse(strings.ToUpper(text)); err != nil {
		return s, err
	}
	s.Name = "BODY[" + strings.ToUpper(text)
	if strings.HasPrefix(s.Spec, "HEADER.FIELDS") {
		if err := d.fieldList(&s); err != nil {
			return s, err
		}
	}
	if ok, err := d.skipByte(']'); err != nil || !ok {
		return s, orBad(err, "a section does not end")
	}
	s.Name += "]"
	return s, d.partial(&s)
}

func (d *Decoder) optional(ok func(byte) bool) (string, error) {
	c, err := d.peek()
	if err != nil || !ok(c) {
		return "", err
	}
	return d.run("", ok)
}

// parse reads part numbers and the specifier: 1.2.MIME.
func (s *Section) parse(text string) error {
	rest := text
	for rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		var word string
		word, rest, _ = strings.Cut(rest, ".")
		n := 0
		for _, c := range word {
			if c < '0' || c > '9' || n > 100_000 {
				return bad("section %s", text)
			}
			n = n*10 + int(c-'0')
		}
		if n == 0 || len(s.Part) > 60 {
			return bad("section %s", text)
		}
		s.Part = append(s.Part, n)
	}
	switch rest {
	case "", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT":
	case "MIME":
		if len(s.Part) == 0 {
			return bad("MIME needs a part number")
		}
	default:
		return bad("unknown section %s", text)
	}
	s.Spec = rest
	return nil
}

func (d *Decoder) fieldList(s *Section) error {
	if err := d.SP(); err != nil {
		return err
	}
	s.Name += " ("
	err := d.list(func() error {
		f, err := d.AString()
		if err != nil {
			return err
		}
		if f == "" || strings.ContainsAny(f, " :\r\n\"\\(){}") {
			return bad("a field name is malformed")
		}
		if len(s.Fields) > 0 {
			s.Name += " "
		}
		s.Name += f
		s.Fields = append(s.Fields, strings.ToLower(f))
		return nil
	})
	if err == nil && len(s.Fields) == 0 {
		err = bad("a field name is missing")
	}
	s.Name += ")"
	return err
}

func (d *Decoder) partial(s *Section) error {
	ok, err := d.skipByte('<')
	if err != nil || !ok {
		return err
	}
	off, err := d.Number()
	if err != nil {
		return err
	}
	if ok, err := d.skipByte('.'); err != nil || !ok {
		return orBad(err, "a partial range is malformed")
	}
	n, err := d.Number()
	if err != nil {
		return err
	}
	if ok, err := d.skipByte('>'); err != nil || !ok || n == 0 {
		return orBad(err, "a partial range is malformed")
	}
	s.Partial, s.Off, s.N = true, int64(off), int64(n)
	return nil
}

// Cut returns which piece of a text of that length is asked for.
func (s *Section) Cut(length int64) (from, n int64) {
	if !s.Partial {
		return 0, length
	}
	from = min(s.Off, length)
	return from, min(s.N, length-from)
}
