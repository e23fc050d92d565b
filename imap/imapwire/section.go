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
func (d *Decoder) binarySection(item string) Section {
	if d.peek() != '[' {
		d.bad("%s needs a section", item)
	}
	s := d.section()
	if s.Spec != "" || s.Partial && item == "BINARY.SIZE" {
		d.bad("%s takes a part number", item)
	}
	s.Binary, s.Size, s.Peek = true, item == "BINARY.SIZE", item != "BINARY"
	s.Name = strings.TrimSuffix(item, ".PEEK") + strings.TrimPrefix(s.Name, "BODY")
	return s
}

// section reads [...] and <...> behind it.
func (d *Decoder) section() (s Section) {
	if !d.skip('[') {
		d.bad("a section is missing")
	}
	text := strings.ToUpper(d.optional(func(c byte) bool { return c != ']' && c > ' ' && c < 127 }))
	d.fail(s.parse(text))
	s.Name = "BODY[" + text
	if strings.HasPrefix(s.Spec, "HEADER.FIELDS") {
		d.fieldList(&s)
	}
	if !d.skip(']') {
		d.bad("a section does not end")
	}
	s.Name += "]"
	d.partial(&s)
	return s
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

func (d *Decoder) fieldList(s *Section) {
	var names []string
	d.sp()
	d.list(func() {
		f := d.astring()
		if f == "" || strings.ContainsAny(f, " :\r\n\"\\(){}") {
			d.bad("a field name is malformed")
		}
		names = append(names, f)
		s.Fields = append(s.Fields, strings.ToLower(f))
	})
	if len(names) == 0 {
		d.bad("a field name is missing")
	}
	s.Name += " (" + strings.Join(names, " ") + ")"
}

func (d *Decoder) partial(s *Section) {
	if !d.skip('<') {
		return
	}
	off := d.number()
	if !d.skip('.') {
		d.bad("a partial range is malformed")
	}
	n := d.number()
	if !d.skip('>') || n == 0 {
		d.bad("a partial range is malformed")
	}
	s.Partial, s.Off, s.N = true, int64(off), int64(n)
}

// Cut returns which piece of a text of that length is asked for.
func (s *Section) Cut(length int64) (from, n int64) {
	if !s.Partial {
		return 0, length
	}
	from = min(s.Off, length)
	return from, min(s.N, length-from)
}
