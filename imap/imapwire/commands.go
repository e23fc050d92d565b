package imapwire

import "strings"

// StatusItems are what STATUS can be asked for.
type StatusItems struct {
	Messages, Recent, UIDNext, UIDValidity, Unseen, Deleted, Size, HighestModSeq, AppendLimit bool
}

// Login reads LOGIN's arguments.
func (d *Decoder) Login() (user, password string, err error) {
	if user, err = d.spAString(); err != nil {
		return "", "", err
	}
	if password, err = d.spAString(); err != nil {
		return "", "", err
	}
	return user, password, d.CRLF()
}

func (d *Decoder) spAString() (string, error) {
	if err := d.SP(); err != nil {
		return "", err
	}
	return d.AString()
}

// Authenticate reads the mechanism and the initial response (RFC 4959).
func (d *Decoder) Authenticate() (mechanism, initial string, hasInitial bool, err error) {
	if err = d.SP(); err != nil {
		return "", "", false, err
	}
	if mechanism, err = d.atom("the mechanism"); err != nil {
		return "", "", false, err
	}
	if hasInitial, err = d.skipByte(' '); err != nil || !hasInitial {
		if err == nil {
			err = d.CRLF()
		}
		return mechanism, "", false, err
	}
	initial, err = d.run("the initial response", func(c byte) bool { return c > ' ' && c < 127 })
	if err == nil {
		err = d.CRLF()
	}
	return mechanism, initial, true, err
}

// Enable reads capability names, in upper case.
func (d *Decoder) Enable() (names []string, err error) {
	for {
		if err := d.SP(); err != nil {
			if len(names) > 0 {
				return names, d.CRLF()
			}
			return nil, err
		}
		n, err := d.atom("a capability")
		if err != nil {
			return nil, err
		}
		names = append(names, n)
		if c, err := d.peek(); err != nil || c != ' ' {
			if err != nil {
				return nil, err
			}
			return names, d.CRLF()
		}
	}
}

// ID reads the client's description of itself (RFC 2971), at most 30 fields.
func (d *Decoder) ID() (map[string]string, error) {
	if err := d.SP(); err != nil {
		return nil, err
	}
	if c, err := d.peek(); err != nil || c != '(' {
		if err == nil {
			_, err = d.nilOrString()
		}
		if err == nil {
			err = d.CRLF()
		}
		return nil, err
	}
	fields, name := map[string]string{}, ""
	err := d.list(func() error {
		s, err := d.nilOrString()
		if err != nil {
			return err
		}
		if name == "" {
			name = s
			return nil
		}
		if len(fields) < 30 {
			fields[strings.ToLower(name)] = s
		}
		name = ""
		return nil
	})
	if err == nil {
		err = d.CRLF()
	}
	return fields, err
}

// nilOrString reads a string, or NIL as "".
func (d *Decoder) nilOrString() (string, error) {
	c, err := d.peek()
	if err != nil {
		return "", err
	}
	if c == '"' || c == '{' {
		return d.String()
	}
	s, err := d.atom("a string")
	if err == nil && s != "NIL" {
		err = bad("a string is missing")
	}
	return "", err
}

// MailboxOnly reads the argument of DELETE, SUBSCRIBE and UNSUBSCRIBE.
func (d *Decoder) MailboxOnly(utf8Names bool) (string, error) {
	name, err := d.spMailbox(utf8Names)
	if err == nil {
		err = d.CRLF()
	}
	return name, err
}

func (d *Decoder) spMailbox(utf8Names bool) (string, error) {
	if err := d.SP(); err != nil {
		return "", err
	}
	return d.Mailbox(utf8Names)
}

// Rename reads two mailbox names.
func (d *Decoder) Rename(utf8Names bool) (from, to string, err error) {
	if from, err = d.spMailbox(utf8Names); err != nil {
		return "", "", err
	}
	to, err = d.MailboxOnly(utf8Names)
	return from, to, err
}

// SelectArgs are the arguments of SELECT and EXAMINE.
type SelectArgs struct {
	Mailbox   string
	CondStore bool
}

// Select reads them.
func (d *Decoder) Select(utf8Names bool) (a SelectArgs, err error) {
	if a.Mailbox, err = d.spMailbox(utf8Names); err != nil {
		return a, err
	}
	if ok, err := d.skipByte(' '); err != nil {
		return a, err
	} else if ok {
		err := d.list(func() error {
			p, err := d.atom("a parameter")
			if err == nil && p != "CONDSTORE" {
				err = bad("unknown parameter %s", p)
			}
			a.CondStore = true
			return err
		})
		if err != nil {
			return a, err
		}
	}
	return a, d.CRLF()
}

// CreateArgs are the arguments of CREATE.
type CreateArgs struct {
	Mailbox string
	Use     []string
}

// Create reads them.
func (d *Decoder) Create(utf8Names bool) (a CreateArgs, err error) {
	if a.Mailbox, err = d.spMailbox(utf8Names); err != nil {
		return a, err
	}
	if ok, err := d.skipByte(' '); err != nil {
		return a, err
	} else if ok {
		err := d.list(func() error {
			p, err := d.atom("a parameter")
			if err != nil {
				return err
			}
			if p != "USE" {
				return bad("unknown parameter %s", p)
			}
			if err := d.SP(); err != nil {
				return err
			}
			return d.list(func() error {
				u, err := d.atom("a special use")
				a.Use = append(a.Use, u)
				return err
			})
		})
		if err != nil {
			return a, err
		}
	}
	return a, d.CRLF()
}

// StatusArgs are the arguments of STATUS.
type StatusArgs struct {
	Mailbox string
	Items   StatusItems
}

// Status reads them.
func (d *Decoder) Status(utf8Names bool) (a StatusArgs, err error) {
	if a.Mailbox, err = d.spMailbox(utf8Names); err != nil {
		return a, err
	}
	if err := d.SP(); err != nil {
		return a, err
	}
	if a.Items, err = d.statusItems(); err != nil {
		return a, err
	}
	return a, d.CRLF()
}

func (d *Decoder) statusItems() (s StatusItems, err error) {
	items := map[string]*bool{
		"MESSAGES": &s.Messages, "RECENT": &s.Recent, "UIDNEXT": &s.UIDNext, "UIDVALIDITY": &s.UIDValidity,
		"UNSEEN": &s.Unseen, "DELETED": &s.Deleted, "SIZE": &s.Size, "HIGHESTMODSEQ": &s.HighestModSeq, "APPENDLIMIT": &s.AppendLimit,
	}
	err = d.list(func() error {
		n, err := d.atom("a status item")
		if err != nil {
			return err
		}
		if items[n] == nil {
			return bad("unknown status item %s", n)
		}
		*items[n] = true
		return nil
	})
	return s, err
}
