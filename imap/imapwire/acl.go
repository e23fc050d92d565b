package imapwire

// ACLArgs are the arguments of the commands of RFC 4314.
type ACLArgs struct {
	Mailbox, Identifier, Rights string
}

// MailboxIdentifier reads the arguments of DELETEACL and LISTRIGHTS.
func (d *Decoder) MailboxIdentifier(utf8Names bool) (a ACLArgs, err error) {
	a.Mailbox = d.spMailbox(utf8Names)
	a.Identifier = d.spAString()
	return a, d.CRLF()
}

// SetACL reads the arguments of SETACL.
func (d *Decoder) SetACL(utf8Names bool) (a ACLArgs, err error) {
	a.Mailbox = d.spMailbox(utf8Names)
	a.Identifier = d.spAString()
	a.Rights = d.spAString()
	return a, d.CRLF()
}
