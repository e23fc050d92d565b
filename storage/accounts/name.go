package accounts

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"essaim.coop/essaim/storage"
)

// maxName bounds the name of a person, a group or a device, in characters.
const maxName = 100

// CheckName refuses, with ErrInvalid, a name that is too long or has what no
// name has and a header, a profile or a list would stumble over: control
// characters, line ends, marks that turn the direction of what follows.
func CheckName(name string) error {
	if utf8.RuneCountInString(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unnameable) {
		return fmt.Errorf("name %.100q: %w", name, storage.ErrInvalid)
	}
	return nil
}

func unnameable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}
