package imapwire

import (
	"strings"
	"time"
)

// FetchArgs are the arguments of FETCH.
type FetchArgs struct {
	Set                                              Set
	UID, Flags, InternalDate, Size, Envelope, ModSeq bool
	SaveDate                                         bool
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
	case "SAVEDATE":
		a.SaveDate = true
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
