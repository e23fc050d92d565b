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
	a := &ListArgs{Reference: d.spMailbox(utf8Names)}
	d.sp()
	a.Patterns = []string{d.pattern(utf8Names)}
	return a, d.CRLF()
}

// List reads LIST's arguments, extended or not (RFC 5258 §6).
func (d *Decoder) List(utf8Names bool) (*ListArgs, error) {
	a := &ListArgs{}
	d.sp()
	if d.peek() == '(' {
		a.Extended = true
		d.words("a selection option", map[string]*bool{
			"SUBSCRIBED": &a.SelectSubscribed, "REMOTE": &a.SelectRemote,
			"RECURSIVEMATCH": &a.SelectRecursiveMatch, "SPECIAL-USE": &a.SelectSpecialUse,
		})
		d.sp()
	}
	a.Reference = d.mailbox(utf8Names)
	d.sp()
	d.patterns(a, utf8Names)
	if d.skip(' ') {
		d.keyword("an option", "RETURN")
		d.sp()
		a.Extended = true
		d.list(func() { d.listReturn(a) })
	}
	return a, d.CRLF()
}

func (d *Decoder) patterns(a *ListArgs, utf8Names bool) {
	one := func() {
		if len(a.Patterns) == 100 {
			d.bad("too many patterns")
		}
		a.Patterns = append(a.Patterns, d.pattern(utf8Names))
	}
	if d.peek() != '(' {
		one()
		return
	}
	a.Extended = true
	d.list(one)
}

// maxPattern is longer than any name; matching takes time with both.
const maxPattern = 1000

// pattern is a mailbox name with wildcards.
func (d *Decoder) pattern(utf8Names bool) string {
	var s string
	if d.atString() {
		s = d.str()
	} else {
		s = d.run("a pattern", func(c byte) bool { return isAtom(c) || c == '*' || c == '%' || c == ']' })
	}
	if len(s) > maxPattern {
		d.fail(ErrTooLong)
	}
	return d.mailboxName(s, utf8Names)
}

// listReturn reads one option (RFC 5258 §3.2, RFC 5819, RFC 6154, RFC 8440).
func (d *Decoder) listReturn(a *ListArgs) {
	status := false
	d.word("a return option", map[string]*bool{
		"SUBSCRIBED": &a.ReturnSubscribed, "CHILDREN": &a.ReturnChildren, "SPECIAL-USE": &a.ReturnSpecialUse,
		"MYRIGHTS": &a.ReturnMyRights, "STATUS": &status,
	})
	if status {
		d.sp()
		items := d.statusItems()
		a.ReturnStatus = &items
	}
}
