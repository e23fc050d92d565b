package imapwire

import "time"

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
	a.Mailbox = d.spMailbox(utf8Names)
	d.sp()
	if d.peek() == '(' {
		a.Flags = d.flags()
		d.sp()
	}
	if d.peek() == '"' {
		a.Date = d.time("_2-Jan-2006 15:04:05 -0700", d.str())
		d.sp()
	}
	a.Binary = d.skip('~')
	if !d.skip('{') {
		d.bad("the message is missing")
	}
	a.Size, a.wait = d.literalHeader()
	return a, d.err
}

func (d *Decoder) time(layout, text string) time.Time {
	t, err := time.Parse(layout, text)
	if err != nil {
		d.bad("no date: %q", text)
	}
	return t
}

// AppendBody asks for the message; Size bytes then come from Read, and CRLF
// reads the line's end behind them.
func (d *Decoder) AppendBody(a AppendArgs) error {
	d.accept(a.Size, a.wait)
	return d.err
}

// Read reads the literal that AppendBody has asked for.
func (d *Decoder) Read(p []byte) (int, error) { return d.br.Read(p) }

// Announced reports that the literal is on its way whether we want it or not.
func (a AppendArgs) Announced() bool { return !a.wait }
