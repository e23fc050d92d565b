package accounts

import (
	"fmt"
	"strings"

	"essaim.coop/essaim/storage"
)

// A Scope is what an app password is good for, in bits.
type Scope uint8

const (
	ScopeSMTP Scope = 1 << iota
	ScopeIMAP
	ScopeFiles
	ScopeCalendar
	ScopeContacts

	ScopeMail = ScopeSMTP | ScopeIMAP
	ScopeDAV  = ScopeFiles | ScopeCalendar | ScopeContacts
	ScopeAll  = ScopeMail | ScopeDAV
)

// services are the names people know scopes by.
var services = []struct {
	name  string
	scope Scope
}{
	{"mail", ScopeMail}, {"files", ScopeFiles}, {"calendar", ScopeCalendar}, {"contacts", ScopeContacts},
}

// Valid reports whether a scope is good for something and for nothing unknown.
func (s Scope) Valid() bool { return s != 0 && s&^ScopeAll == 0 }

// String is what ParseScope reads.
func (s Scope) String() string {
	if s == ScopeAll {
		return "all"
	}
	var out []string
	for _, v := range services {
		if s&v.scope != 0 {
			out = append(out, v.name)
		}
	}
	return strings.Join(out, ",")
}

// ParseScope reads mail, files, calendar, contacts or all, with commas between
// them; anything else is ErrInvalid.
func ParseScope(text string) (s Scope, err error) {
	if text == "all" {
		return ScopeAll, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		found := false
		for _, v := range services {
			if v.name == name {
				s, found = s|v.scope, true
			}
		}
		if !found {
			return 0, fmt.Errorf("service %q: %w", name, storage.ErrInvalid)
		}
	}
	return s, nil
}
