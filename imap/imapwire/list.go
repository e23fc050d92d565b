package imapwire

// ListArgs are the arguments of LIST and LSUB.
type ListArgs struct {
	Reference                                                              string
	Patterns                                                               []string
	Extended                                                               bool // any option or more than one pattern
	SelectSubscribed, SelectRemote, SelectRecursiveMatch, SelectSpecialUse bool
	ReturnSubscribed, ReturnChildren, ReturnSpecialUse, ReturnMyRights     bool
	ReturnStatus                                                           *StatusItems
}

// Lsub reads LSUB's arguments.
func (d *Decoder) Lsub(utf8Names bool) (*ListArgs, error) {
	a := &ListArgs{}
	if err := d.SP(); err != nil {
		return nil, err
	}
	var err error
	if a.Reference, err = d.Mailbox(utf8Names); err != nil {
		return nil, err
	}
	if err := d.SP(); err != nil {
		return nil, err
	}
	p, err := d.pattern(utf8Names)
	if err != nil {
		return nil, err
	}
	a.Patterns = []string{p}
	return a, d.CRLF()
}

// List reads LIST's arguments, extended or not (RFC 5258 §6).
func (d *Decoder) List(utf8Names bool) (*ListArgs, error) {
	a := &ListArgs{}
	if err := d.SP(); err != nil {
		return nil, err
	}
	if err := d.listSelection(a); err != nil {
		return nil, err
	}
	var err error
	if a.Reference, err = d.Mailbox(utf8Names); err != nil {
		return nil, err
	}
	if err := d.SP(); err != nil {
		return nil, err
	}
	if err := d.listPatterns(a, utf8Names); err != nil {
		return nil, err
	}
	if ok, err := d.skipByte(' '); err != nil {
		return nil, err
	} else if ok {
		if err := d.listReturn(a); err != nil {
			return nil, err
		}
	}
	return a, d.CRLF()
}

func (d *Decoder) listSelection(a *ListArgs) error {
	if c, err := d.peek(); err != nil || c != '(' {
		return err
	}
	a.Extended = true
	err := d.list(func() error {
		o, err := d.atom("a selection option")
		switch {
		case err != nil:
			return err
		case o == "SUBSCRIBED":
			a.SelectSubscribed = true
		case o == "REMOTE":
			a.SelectRemote = true
		case o == "RECURSIVEMATCH":
			a.SelectRecursiveMatch = true
		case o == "SPECIAL-USE":
			a.SelectSpecialUse = true
		default:
			return bad("unknown selection option %s", o)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return d.SP()
}

func (d *Decoder) listPatterns(a *ListArgs, utf8Names bool) error {
	c, err := d.peek()
	if err != nil {
		return err
	}
	one := func() error {
		p, err := d.pattern(utf8Names)
		a.Patterns = append(a.Patterns, p)
		if len(a.Patterns) > 100 {
			return bad("too many patterns")
		}
		return err
	}
	if c != '(' {
		return one()
	}
	a.Extended = true
	return d.list(one)
}

// maxPattern is longer than any name; matching takes time with both.
const maxPattern = 1000

// pattern is a mailbox name with wildcards.
func (d *Decoder) pattern(utf8Names bool) (string, error) {
	c, err := d.peek()
	if err != nil {
		return "", err
	}
	var s string
	if c == '"' || c == '{' {
		s, err = d.String()
	} else {
		s, err = d.run("a pattern", func(c byte) bool { return isAtom(c) || c == '*' || c == '%' || c == ']' })
	}
	if err != nil {
		return "", err
	}
	if len(s) > maxPattern {
		return "", ErrTooLong
	}
	return mailboxName(s, utf8Names)
}

func (d *Decoder) listReturn(a *ListArgs) error {
	if w, err := d.atom("RETURN"); err != nil || w != "RETURN" {
		return orBad(err, "RETURN is expected")
	}
	if err := d.SP(); err != nil {
		return err
	}
	a.Extended = true
	return d.list(func() error {
		o, err := d.atom("a return option")
		switch {
		case err != nil:
			return err
		case o == "SUBSCRIBED":
			a.ReturnSubscribed = true
		case o == "CHILDREN":
			a.ReturnChildren = true
		case o == "SPECIAL-USE":
			a.ReturnSpecialUse = true
		case o == "MYRIGHTS":
			a.ReturnMyRights = true
		case o == "STATUS":
			if err := d.SP(); err != nil {
				return err
			}
			s, err := d.statusItems()
			a.ReturnStatus = &s
			return err
		default:
			return bad("unknown return option %s", o)
		}
		return nil
	})
}
