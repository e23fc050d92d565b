package imap

import (
	"errors"
	"io"
	"net"
	"os"

	"essaim.coop/essaim/imap/imapwire"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/blob"
)

// A refusal is a tagged NO or BAD. Handlers return one as an error when they
// have something more exact to say than the table below.
type refusal struct {
	status   string // NO or BAD
	code     string // response code without brackets, or empty
	text     string
	internal error // the cause, when it is nothing the client can know
}

func (r *refusal) Error() string { return r.status + " [" + r.code + "] " + r.text }

// no makes a NO with a response code (RFC 9051 §7.1, RFC 5530).
func no(code, text string) error { return &refusal{status: "NO", code: code, text: text} }

// bad makes a BAD for arguments that parse but cannot be meant.
func bad(text string) error { return &refusal{status: "BAD", text: text} }

// errBroken wraps whatever ended the connection.
var errBroken = errors.New("connection broken")

// refusals turns the house's errors into response codes: the one table.
var refusals = []struct {
	err        error
	code, text string
}{
	{storage.ErrNotFound, "NONEXISTENT", "no such mailbox or message"},
	{storage.ErrConflict, "ALREADYEXISTS", "it exists already"},
	{storage.ErrQuota, "OVERQUOTA", "the household's quota is used up"},
	{storage.ErrPermission, "NOPERM", "not permitted"},
	{storage.ErrInvalid, "CANNOT", "not a valid name or value"},
	{storage.ErrFull, "UNAVAILABLE", "the server's disk is full, nothing was changed"},
	{storage.ErrTemporary, "UNAVAILABLE", "try again later"},
	{storage.ErrReadOnly, "UNAVAILABLE", "the server is read-only for now"},
	{blob.ErrCorrupt, "CORRUPTION", "the stored message is damaged"},
}

// refusalOf is the answer to err: nil for nil, BAD for syntax, a row of the
// table, or, for what nobody foresaw, an internal error with its cause.
func refusalOf(err error) *refusal {
	if err == nil {
		return nil
	}
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	var syntax *imapwire.Error
	if errors.As(err, &syntax) {
		return &refusal{status: syntax.Status(), code: syntax.Code, text: syntax.Text}
	}
	for _, t := range refusals {
		if errors.Is(err, t.err) {
			return &refusal{status: "NO", code: t.code, text: t.text}
		}
	}
	return &refusal{status: "NO", code: "SERVERBUG", internal: err}
}

// tryCreate makes "no such mailbox" an invitation to create it, as COPY, MOVE
// and APPEND owe it (RFC 9051 §6.3.12), where the client could.
func tryCreate(name string, err error) error {
	if errors.Is(err, storage.ErrNotFound) && own(name) {
		return no("TRYCREATE", "no such mailbox")
	}
	return err
}

// fatal reports errors after which nothing can be answered any more.
func fatal(err error) bool {
	var r *refusal
	if err == nil || errors.As(err, &r) {
		return false
	}
	var ne *net.OpError // not net.Error: an errno of the disk is one, too
	return errors.Is(err, errBroken) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne)
}
