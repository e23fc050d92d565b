package imapwire

// ACLArgs are the arguments of the commands of RFC 4314.
type ACLArgs struct {
	Mailbox, Identifier, Rights string
}

// MailboxIdentifier reads the arguments of DELETEACL and LISTRIGHTS.
func (d *Decoder) MailboxIdentifier(utf8Names bool) (a ACLArgs, err error) {
	if a.Mailbox, err = d.spMailbox(utf8Names); err != nil {
		return a, err
	}
	if a.Identifier, err = d.spAString(); err != nil {
		return a, err
	}
	return a, d.CRLF()
}

// SetACL reads the arguments of SETACL.
func (d *Decoder) SetACL(utf8Names bool) (a ACLArgs, err error) {
	if a.Mailbox, err = d.spMailbox(utf8Names); err != nil {
		return a, err
	}
	if a.Identifier, err = d.spAString(); err != nil {
		return a, err
	}
	if a.Rights, err = d.spAString(); err != nil {
		return a, err
	}
	return a, d.CRLF()
}
