package imapwire

import "strings"

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
	a.Set = d.spSet()
	d.sp()
	if d.peek() == '(' {
		d.list(func() {
			d.keyword("a modifier", "UNCHANGEDSINCE")
			d.sp()
			a.UnchangedSince, a.Conditional = d.number(), true
		})
		d.sp()
	}
	d.storeItem(&a)
	d.sp()
	a.Flags = d.flags()
	return a, d.CRLF()
}

// storeItem reads [+-]FLAGS[.SILENT].
func (d *Decoder) storeItem(a *StoreArgs) {
	if c := d.peek(); c == '+' || c == '-' {
		a.Op = d.next()
	}
	name := d.atom("FLAGS")
	if name, a.Silent = strings.CutSuffix(name, ".SILENT"); name != "FLAGS" {
		d.bad("unknown store item %s", name)
	}
}

// maxFlags are the flags that one command can name.
const maxFlags = 200

// flags reads a list of flags, or flags without parentheses.
func (d *Decoder) flags() (out []string) {
	one := func() {
		f := d.run("a flag", func(c byte) bool { return isAtom(c) || c == '\\' || c == ']' })
		if f == `\` || strings.LastIndexByte(f, '\\') > 0 || len(out) > maxFlags {
			d.bad("flag %q", f)
		}
		out = append(out, f)
	}
	if d.peek() == '(' {
		d.list(one)
		return out
	}
	for more := true; more; more = d.skip(' ') {
		one()
	}
	return out
}

func (d *Decoder) spSet() Set {
	d.sp()
	return d.set()
}

// SetOnly reads the argument of UID EXPUNGE.
func (d *Decoder) SetOnly() (Set, error) {
	s := d.spSet()
	return s, d.CRLF()
}

// SetMailbox reads the arguments of COPY and MOVE.
func (d *Decoder) SetMailbox(utf8Names bool) (Set, string, error) {
	s, name := d.spSet(), d.spMailbox(utf8Names)
	return s, name, d.CRLF()
}
