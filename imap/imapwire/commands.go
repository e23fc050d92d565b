package imapwire

import "strings"

// Login reads LOGIN's arguments.
func (d *Decoder) Login() (user, password string, err error) {
	user, password = d.spAString(), d.spAString()
	return user, password, d.CRLF()
}

func (d *Decoder) spAString() string {
	d.sp()
	return d.astring()
}

// Authenticate reads the mechanism and the initial response (RFC 4959).
func (d *Decoder) Authenticate() (mechanism, initial string, hasInitial bool, err error) {
	d.sp()
	mechanism = d.atom("the mechanism")
	if hasInitial = d.skip(' '); hasInitial {
		initial = d.run("the initial response", func(c byte) bool { return c > ' ' && c < 127 })
	}
	return mechanism, initial, hasInitial, d.CRLF()
}

// Enable reads capability names, in upper case.
func (d *Decoder) Enable() (names []string, err error) {
	d.sp()
	for more := true; more; more = d.skip(' ') {
		names = append(names, d.atom("a capability"))
	}
	return names, d.CRLF()
}

// ID reads the client's description of itself (RFC 2971), at most 30 fields.
func (d *Decoder) ID() (map[string]string, error) {
	d.sp()
	if d.peek() != '(' {
		d.nilOrString()
		return nil, d.CRLF()
	}
	fields, name := map[string]string{}, ""
	d.list(func() {
		s := d.nilOrString()
		if name == "" {
			name = s
			return
		}
		if len(fields) < 30 {
			fields[strings.ToLower(name)] = s
		}
		name = ""
	})
	return fields, d.CRLF()
}

// nilOrString reads a string, or NIL as "".
func (d *Decoder) nilOrString() string {
	if d.atString() {
		return d.str()
	}
	if d.atom("a string") != "NIL" {
		d.bad("a string is missing")
	}
	return ""
}

// MailboxOnly reads the argument of DELETE, SUBSCRIBE and UNSUBSCRIBE.
func (d *Decoder) MailboxOnly(utf8Names bool) (string, error) {
	name := d.spMailbox(utf8Names)
	return name, d.CRLF()
}

func (d *Decoder) spMailbox(utf8Names bool) string {
	d.sp()
	return d.mailbox(utf8Names)
}

// Rename reads two mailbox names.
func (d *Decoder) Rename(utf8Names bool) (from, to string, err error) {
	from, to = d.spMailbox(utf8Names), d.spMailbox(utf8Names)
	return from, to, d.CRLF()
}

// SelectArgs are the arguments of SELECT and EXAMINE.
type SelectArgs struct {
	Mailbox   string
	CondStore bool
}

// Select reads them.
func (d *Decoder) Select(utf8Names bool) (a SelectArgs, err error) {
	a.Mailbox = d.spMailbox(utf8Names)
	if d.skip(' ') {
		d.words("a parameter", map[string]*bool{"CONDSTORE": &a.CondStore})
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
	a.Mailbox = d.spMailbox(utf8Names)
	if d.skip(' ') {
		d.list(func() {
			d.keyword("a parameter", "USE")
			d.sp()
			d.list(func() { a.Use = append(a.Use, d.atom("a special use")) })
		})
	}
	return a, d.CRLF()
}

// StatusItems are what STATUS can be asked for.
type StatusItems struct {
	Messages, Recent, UIDNext, UIDValidity, Unseen, Deleted, Size, HighestModSeq, AppendLimit bool
}

// StatusArgs are the arguments of STATUS.
type StatusArgs struct {
	Mailbox string
	Items   StatusItems
}

// Status reads them.
func (d *Decoder) Status(utf8Names bool) (a StatusArgs, err error) {
	a.Mailbox = d.spMailbox(utf8Names)
	d.sp()
	a.Items = d.statusItems()
	return a, d.CRLF()
}

func (d *Decoder) statusItems() (s StatusItems) {
	d.words("a status item", map[string]*bool{
		"MESSAGES": &s.Messages, "RECENT": &s.Recent, "UIDNEXT": &s.UIDNext, "UIDVALIDITY": &s.UIDValidity,
		"UNSEEN": &s.Unseen, "DELETED": &s.Deleted, "SIZE": &s.Size, "HIGHESTMODSEQ": &s.HighestModSeq, "APPENDLIMIT": &s.AppendLimit,
	})
	return s
}
