package imapwire

import (
	"strings"
	"time"
)

// A SearchKey is one condition of SEARCH; Keys are the operands of AND, OR and
// NOT.
type SearchKey struct {
	Op    string // the key's name; AND for a list, SET for a sequence set
	Text  string
	Field string // of HEADER
	N     uint64
	Set   Set
	Date  time.Time
	Keys  []SearchKey
}

// SearchArgs are the arguments of SEARCH.
type SearchArgs struct {
	Extended                   bool // RETURN was given: answer with ESEARCH
	Min, Max, All, Count, Save bool
	Key                        SearchKey
}

// Search reads them (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 7162 §3.1.5,
// RFC 5032, RFC 8514).
func (d *Decoder) Search() (a SearchArgs, err error) {
	if err := d.SP(); err != nil {
		return a, err
	}
	a.Key.Op = "AND"
	for first := true; ; first = false {
		k, err := d.searchKey()
		switch {
		case err != nil:
			return a, err
		case first && k.Op == "RETURN":
			a.Extended = true
			err = d.searchReturn(&a)
		case k.Op == "RETURN":
			err = bad("RETURN comes first")
		case k.Op == "CHARSET":
			err = d.charset()
		default:
			a.Key.Keys = append(a.Key.Keys, k)
		}
		if err != nil {
			return a, err
		}
		if ok, err := d.skipByte(' '); err != nil {
			return a, err
		} else if !ok {
			break
		}
	}
	if len(a.Key.Keys) == 0 {
		return a, bad("a search key is missing")
	}
	return a, d.CRLF()
}

func (d *Decoder) charset() error {
	if err := d.SP(); err != nil {
		return err
	}
	c, err := d.AString()
	if err != nil {
		return err
	}
	switch strings.ToUpper(c) {
	case "UTF-8", "US-ASCII":
		return nil
	}
	return &Error{status: "NO", Code: "BADCHARSET (UTF-8 US-ASCII)", Text: "unknown charset"}
}

func (d *Decoder) searchReturn(a *SearchArgs) error {
	if err := d.SP(); err != nil {
		return err
	}
	err := d.list(func() error {
		o, err := d.atom("a return option")
		switch {
		case err != nil:
			return err
		case o == "MIN":
			a.Min = true
		case o == "MAX":
			a.Max = true
		case o == "ALL":
			a.All = true
		case o == "COUNT":
			a.Count = true
		case o == "SAVE":
			a.Save = true
		default:
			return bad("unknown return option %s", o)
		}
		return nil
	})
	if !a.Min && !a.Max && !a.Count && !a.Save {
		a.All = true
	}
	return err
}

// What one search can ask of every message.
const (
	maxKeys  = 500
	maxTexts = 50
)

func (d *Decoder) searchKey() (k SearchKey, err error) {
	if d.keys++; d.keys > maxKeys {
		return k, &Error{status: "NO", Code: "LIMIT", Text: "too many search keys"}
	}
	c, err := d.peek()
	if err != nil {
		return k, err
	}
	switch {
	case c == '(':
		k.Op = "AND"
		err := d.list(func() error {
			x, err := d.searchKey()
			k.Keys = append(k.Keys, x)
			return err
		})
		if err == nil && len(k.Keys) == 0 {
			err = bad("an empty list")
		}
		return k, err
	case c >= '0' && c <= '9' || c == '*' || c == '$':
		k.Op = "SET"
		k.Set, err = d.Set()
		return k, err
	}
	if k.Op, err = d.atom("a search key"); err != nil {
		return k, err
	}
	return k, d.searchOperand(&k)
}

var plainKeys = map[string]bool{
	"ALL": true, "ANSWERED": true, "DELETED": true, "DRAFT": true, "FLAGGED": true, "NEW": true, "OLD": true,
	"RECENT": true, "SEEN": true, "UNANSWERED": true, "UNDELETED": true, "UNDRAFT": true, "UNFLAGGED": true,
	"UNSEEN": true, "RETURN": true, "CHARSET": true, "SAVEDATESUPPORTED": true,
}

func (d *Decoder) searchOperand(k *SearchKey) (err error) {
	if plainKeys[k.Op] {
		return nil
	}
	if err := d.SP(); err != nil {
		return bad("unknown search key %s, or its operand is missing", k.Op)
	}
	switch k.Op {
	case "BODY", "TEXT":
		if d.texts++; d.texts > maxTexts {
			return &Error{status: "NO", Code: "LIMIT", Text: "too many texts to search"}
		}
		k.Text, err = d.AString()
	case "BCC", "CC", "FROM", "SUBJECT", "TO":
		k.Text, err = d.AString()
	case "KEYWORD", "UNKEYWORD":
		k.Text, err = d.run("a keyword", isAtom)
	case "HEADER":
		if k.Field, err = d.AString(); err == nil {
			k.Text, err = d.spAString()
		}
	case "BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE", "SAVEDBEFORE", "SAVEDON", "SAVEDSINCE":
		k.Date, err = d.date()
	case "LARGER", "SMALLER":
		k.N, err = d.Number()
	case "OLDER", "YOUNGER":
		if k.N, err = d.Number(); err == nil && k.N == 0 { // RFC 5032 §3: nz-number
			err = bad("an interval of no seconds")
		}
	case "UID":
		k.Set, err = d.Set()
	case "MODSEQ":
		err = d.searchModSeq(k)
	case "NOT", "OR":
		err = d.operands(k)
	default:
		err = bad("unknown search key %s", k.Op)
	}
	return err
}

func (d *Decoder) operands(k *SearchKey) error {
	if d.depth++; d.depth > MaxDepth {
		return bad("nested too deep")
	}
	defer func() { d.depth-- }()
	n := 1
	if k.Op == "OR" {
		n = 2
	}
	for i := range n {
		if i > 0 {
			if err := d.SP(); err != nil {
				return err
			}
		}
		x, err := d.searchKey()
		if err != nil {
			return err
		}
		k.Keys = append(k.Keys, x)
	}
	return nil
}

// searchModSeq reads an optional flag name and type, then the value.
func (d *Decoder) searchModSeq(k *SearchKey) error {
	if c, err := d.peek(); err != nil {
		return err
	} else if c == '"' {
		if _, err := d.String(); err != nil {
			return err
		}
		if err := d.SP(); err != nil {
			return err
		}
		if _, err := d.atom("an entry type"); err != nil {
			return err
		}
		if err := d.SP(); err != nil {
			return err
		}
	}
	var err error
	k.N, err = d.Number()
	return err
}

func (d *Decoder) date() (time.Time, error) {
	s, err := d.AString()
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse("2-Jan-2006", s)
	if err != nil {
		return t, bad("date %q", s)
	}
	return t, nil
}
