package imapwire

import "strings"

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
	a.Set = d.spSet()
	d.sp()
	if d.peek() == '(' {
		d.list(func() { d.fetchItem(&a, false) })
	} else {
		d.fetchItem(&a, true)
	}
	if d.skip(' ') {
		d.list(func() {
			d.keyword("a modifier", "CHANGEDSINCE")
			d.sp()
			a.ChangedSince, a.HasChangedSince = d.number(), true
		})
	}
	return a, d.CRLF()
}

// fetchItem reads one item; macros stand alone.
func (d *Decoder) fetchItem(a *FetchArgs, alone bool) {
	name := strings.ToUpper(d.run("a fetch item", func(c byte) bool { return isAtom(c) && c != '[' }))
	switch name {
	case "ALL", "FULL", "FAST":
		if !alone {
			d.bad("%s stands alone", name)
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
	case "BODY":
		if a.Body = d.peek() != '['; !a.Body {
			d.bodySection(a, name)
		}
	default:
		d.bodySection(a, name)
	}
}

// maxSections are the pieces of a message that one FETCH can ask for.
const maxSections = 100

// bodySection reads an item that asks for octets of the message.
func (d *Decoder) bodySection(a *FetchArgs, name string) {
	var s Section
	switch name {
	case "RFC822":
		s = Section{Name: name}
	case "RFC822.HEADER":
		s = Section{Name: name, Spec: "HEADER", Peek: true}
	case "RFC822.TEXT":
		s = Section{Name: name, Spec: "TEXT"}
	case "BODY", "BODY.PEEK":
		s = d.section()
		s.Peek = name == "BODY.PEEK"
	case "BINARY", "BINARY.PEEK", "BINARY.SIZE":
		s = d.binarySection(name)
	default:
		d.bad("unknown fetch item %s", name)
	}
	if a.Sections = append(a.Sections, s); len(a.Sections) > maxSections {
		d.bad("too many sections")
	}
}
