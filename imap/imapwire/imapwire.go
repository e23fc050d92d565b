// Package imapwire turns the bytes of IMAP commands into values, and values
// into the bytes of responses.
//
// What it promises: a command takes no more than its limit of memory, however
// it is written: MaxLine bytes after login, MaxLineStranger before, literals
// included, nested no deeper than MaxDepth. A mistake is an *Error with the
// status to answer; Skip then finds the start of the next command. Only APPEND
// has a literal that is streamed instead of read.
//
// It waits for nothing but its reader. A synchronising literal makes the
// Decoder call Continue before it reads on (RFC 9051 §4.3, RFC 7888).
//
// API: a Decoder's Begin, Tag and CommandName start a command; one method a
// command reads the arguments and the line's end. Encoder methods chain.
package imapwire

import "fmt"

// Limits of one command.
const (
	MaxLine         = 64 << 10
	MaxLineStranger = 8 << 10
	MaxDepth        = 32
	maxSkip         = 1 << 20  // more than this behind a mistake ends the session
	maxDrop         = 64 << 20 // or, after login, than this of a message that is refused
)

// An Error is a mistake in a command.
type Error struct {
	status     string
	Code, Text string
}

func (e *Error) Error() string { return e.status + " " + e.Text }

// Status is BAD, or NO for what is understood and refused.
func (e *Error) Status() string { return e.status }

func bad(format string, args ...any) error {
	return &Error{status: "BAD", Text: fmt.Sprintf(format, args...)}
}

// A Span is an element of a sequence set; 0 stands for *.
type Span struct{ From, To uint32 }

// A Set is a sequence set, or with Saved the result of the last SEARCH ($,
// RFC 5182).
type Set struct {
	Spans []Span
	Saved bool
}
