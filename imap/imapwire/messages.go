package imapwire

import (
	"strings"
	"time"
)

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

// FetchArgs are the arguments of FETCH.
type FetchArgs struct {
	Set                                              Set
	UID, Flags, InternalDate, Size, Envelope, ModSeq bool
	BodyStructure, Body                              bool
	Sections                                         []Section
	ChangedSince                                     uint64
	HasChangedSince                                  bool
}

// Fetch reads them.
func (d *Decoder) Fetch() (a FetchArgs, err error) {
	if err := d.SP(); err != nil {
		return a, err
	}
	if a.Set, err = d.Set(); err != nil {
		return a, err
	}
	if err := d.SP(); err != nil {
		return a, err
	}
	if c, err := d.peek(); err != nil {
		return a, err
	} else if c == '(' {
		err = d.list(func() error { return d.fetchItem(&a, false) })
		if err != nil {
			return a, err
		}
	} else if err := d.fetchItem(&a, true); err != nil {
		return a, err
	}
	if ok, err := d.skipByte(' '); err != nil {
		return a, err
	} else if ok {
		err := d.list(func() error {
			m, err := d.atom("a modifier")
			if err != nil {
				return err
			}
			if m != "CHANGEDSINCE" {
				return bad("unknown modifier %s", m)
			}
			if err := d.SP(); err != nil {
				return err
			}
			a.ChangedSince, err = d.Number()
			a.HasChangedSince = true
			return err
		})
		if err != nil {
			return a, err
		}
	}
	return a, d.CRLF()
}

// fetchItem reads one item; macros stand alone.
func (d *Decoder) fetchItem(a *FetchArgs, alone bool) error {
	name, err := d.run("a fetch item", func(c byte) bool { return isAtom(c) && c != '[' })
	if err != nil {
		return err
	}
	switch name = strings.ToUpper(name); name {
	case "ALL", "FULL", "FAST":
		if !alone {
			return bad("%s stands alone", name)
		}
		a.Flags, a.InternalDate, a.Size = true, true, true
		a.Envelope, a.Body = name != "FAST", name == "FULL"
	case "UID":
		a.UID = true
	case "FLAGS":
		a.Flags = true
	case "INTERNALDATE":
		a.InternalDate = true
	case "RFC822.SIZE":
		a.Size = true
	case "ENVELOPE":
		a.Envelope = true
	case "BODYSTRUCTURE":
		a.BodyStructure = true
	case "MODSEQ":
		a.ModSeq = true
	case "RFC822":
		a.Sections = append(a.Sections, Section{Name: name})
	case "RFC822.HEADER":
		a.Sections = append(a.Sections, Section{Name: name, Spec: "HEADER", Peek: true})
	case "RFC822.TEXT":
		a.Sections = append(a.Sections, Section{Name: name, Spec: "TEXT"})
	case "BODY", "BODY.PEEK":
		c, err := d.peek()
		if err != nil {
			return err
		}
		if c != '[' {
			if name == "BODY.PEEK" {
				return bad("BODY.PEEK needs a section")
			}
			a.Body = true
			return nil
		}
		s, err := d.section()
		s.Peek = name == "BODY.PEEK"
		a.Sections = append(a.Sections, s)
		return err
	case "BINARY", "BINARY.PEEK", "BINARY.SIZE":
		s, err := d.binarySection(name)
		a.Sections = append(a.Sections, s)
		if err != nil {
			return err
		}
	default:
		return bad("unknown fetch item %s", name)
	}
	if len(a.Sections) > 100 {
		return bad("too many sections")
	}
	return nil
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

// StoreArgs are the arguments of STORE.
type StoreArgs struct {
	Set            Set
	Op             byte // 0, '+' or '-'
	Silent         bool
	Flags          []string
	UnchangedSince uint64
	Conditional    bool
}

// Store reads them.
func (d *Decoder) Store() (a StoreArgs, err error) {
	if err := d.SP(); err != nil {
		return a, err
	}
	if a.Set, err = d.Set(); err != nil {
		return a, err
	}
	if err := d.SP(); err != nil {
		return a, err
	}
	if c, err := d.peek(); err != nil {
		return a, err
	} else if c == '(' {
		err := d.list(func() error {
			m, err := d.atom("a modifier")
			if err != nil || m != "UNCHANGEDSINCE" {
				return orBad(err, "unknown modifier")
			}
			if err := d.SP(); err != nil {
				return err
			}
			a.UnchangedSince, err = d.Number()
			a.Conditional = true
			return err
		})
		if err == nil {
			err = d.SP()
		}
		if err != nil {
			return a, err
		}
	}
	name, err := d.atom("FLAGS")
	if err != nil {
		return a, err
	}
	if name[0] == '+' || name[0] == '-' {
		a.Op, name = name[0], name[1:]
	}
	if name, a.Silent = strings.CutSuffix(name, ".SILENT"); name != "FLAGS" {
		return a, bad("unknown store item %s", name)
	}
	if err := d.SP(); err != nil {
		return a, err
	}
	if a.Flags, err = d.flags(); err != nil {
		return a, err
	}
	return a, d.CRLF()
}

// flags reads a list of flags, or flags without parentheses.
func (d *Decoder) flags() (out []string, err error) {
	one := func() error {
		f, err := d.run("a flag", func(c byte) bool { return isAtom(c) || c == '\\' || c == ']' })
		if err == nil && (f == `\` || strings.LastIndexByte(f, '\\') > 0 || len(out) > 200) {
			err = bad("flag %q", f)
		}
		out = append(out, f)
		return err
	}
	if c, err := d.peek(); err != nil {
		return nil, err
	} else if c == '(' {
		err := d.list(one)
		return out, err
	}
	for {
		if err := one(); err != nil {
			return nil, err
		}
		if ok, err := d.skipByte(' '); err != nil || !ok {
			return out, err
		}
	}
}

// SetOnly reads the argument of UID EXPUNGE.
func (d *Decoder) SetOnly() (Set, error) {
	if err := d.SP(); err != nil {
		return Set{}, err
	}
	s, err := d.Set()
	if err == nil {
		err = d.CRLF()
	}
	return s, err
}

// SetMailbox reads the arguments of COPY and MOVE.
func (d *Decoder) SetMailbox(utf8Names bool) (Set, string, error) {
	if err := d.SP(); err != nil {
		return Set{}, "", err
	}
	s, err := d.Set()
	if err != nil {
		return s, "", err
	}
	name, err := d.MailboxOnly(utf8Names)
	return s, name, err
}

// AppendArgs are the arguments of APPEND up to the literal.
type AppendArgs struct {
	Mailbox string
	Flags   []string
	Date    time.Time // zero: none given
	Size    int64
	Binary  bool // a literal8, which may hold NUL (RFC 3516 §4.4)
	wait    bool
}

// Append reads them. AppendBody or Skip must follow.
func (d *Decoder) Append(utf8Names bool) (a AppendArgs, err error) {
	if a.Mailbox, err = d.spMailbox(utf8Names); err != nil {
		return a, err
	}
	if err := d.SP(); err != nil {
		return a, err
	}
	c, err := d.peek()
	if err != nil {
		return a, err
	}
	if c == '(' {
		if a.Flags, err = d.flags(); err == nil {
			err = d.SP()
		}
		if err == nil {
			c, err = d.peek()
		}
		if err != nil {
			return a, err
		}
	}
	if c == '"' {
		text, err := d.String()
		if err != nil {
			return a, err
		}
		if a.Date, err = time.Parse("_2-Jan-2006 15:04:05 -0700", text); err != nil {
			return a, bad("date-time %q", text)
		}
		if err := d.SP(); err != nil {
			return a, err
		}
	}
	if a.Binary, err = d.skipByte('~'); err != nil {
		return a, err
	}
	if ok, err := d.skipByte('{'); err != nil || !ok {
		return a, orBad(err, "the message is missing")
	}
	a.Size, a.wait, err = d.literalHeader()
	return a, err
}

// AppendBody asks for the message; Size bytes then come from Body. AppendEnd
// reads the line's end behind them.
func (d *Decoder) AppendBody(a AppendArgs) error { return d.accept(a.Size, a.wait) }

// Read reads the literal that AppendBody has asked for.
func (d *Decoder) Read(p []byte) (int, error) {
	n, err := d.br.Read(p)
	return n, err
}

// Announced reports that the literal is on its way whether we want it or not.
func (a AppendArgs) Announced() bool { return !a.wait }

// Cut returns which piece of a text of that length is asked for.
func (s *Section) Cut(length int64) (from, n int64) {
	if !s.Partial {
		return 0, length
	}
	from = min(s.Off, length)
	return from, min(s.N, length-from)
}
