package dav

import (
	"errors"
	"net/http"

	"essaim.coop/essaim/dav/davxml"
	"essaim.coop/essaim/storage"
)

// A StatusError is an error that knows its answer: a status and, where a
// standard names one, the violated pre- or postcondition (RFC 4918 §16).
type StatusError struct {
	Status    int
	Condition davxml.Name
	// Detail writes what stands in the condition's element; nil is nothing.
	Detail func(w *davxml.Writer)
	Err    error // for the log; may be nil
}

func (e *StatusError) Error() string {
	s := http.StatusText(e.Status)
	if e.Condition.Local != "" {
		s += ": " + e.Condition.Local
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *StatusError) Unwrap() error { return e.Err }

// Status is an error that is answered with a bare status.
func Status(code int) *StatusError { return &StatusError{Status: code} }

// Forbidden is a 403 that names a condition: repeating the request will fail,
// too.
func Forbidden(condition davxml.Name) *StatusError {
	return &StatusError{Status: http.StatusForbidden, Condition: condition}
}

// Conflict is a 409 that names a condition: the user can mend it and try again.
func Conflict(condition davxml.Name) *StatusError {
	return &StatusError{Status: http.StatusConflict, Condition: condition}
}

// WithHref has the condition's element name a resource.
func (e *StatusError) WithHref(href string) *StatusError {
	e.Detail = func(w *davxml.Writer) { w.Href(href) }
	return e
}

// statuses is the one table from the house's words to HTTP's.
var statuses = []struct {
	err       error
	status    int
	condition davxml.Name
}{
	{storage.ErrNotFound, http.StatusNotFound, davxml.Name{}},
	{storage.ErrConflict, http.StatusConflict, davxml.Name{}},
	{storage.ErrQuota, http.StatusInsufficientStorage, davxml.DAV("quota-not-exceeded")},   // RFC 4331 §6
	{storage.ErrFull, http.StatusInsufficientStorage, davxml.DAV("sufficient-disk-space")}, // RFC 4331 §6
	{storage.ErrPermission, http.StatusForbidden, davxml.Name{}},                           // RFC 3744 §7.1.1 where we know the privilege
	{storage.ErrReadOnly, http.StatusServiceUnavailable, davxml.Name{}},                    // the store was opened for reading
	{storage.ErrFloor, http.StatusForbidden, davxml.DAV("valid-sync-token")},               // RFC 6578 §3.2
	{storage.ErrTemporary, http.StatusServiceUnavailable, davxml.Name{}},                   // try again
	{storage.ErrInvalid, http.StatusBadRequest, davxml.Name{}},                             // what matches nothing is internal
}

// statusOf returns what an error is answered with; nil for one that the table
// does not know, which is internal.
func statusOf(err error) *StatusError {
	var e *StatusError
	if errors.As(err, &e) {
		return e
	}
	for _, row := range statuses {
		if errors.Is(err, row.err) {
			return &StatusError{Status: row.status, Condition: row.condition, Err: err}
		}
	}
	return nil
}
