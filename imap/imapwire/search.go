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
	a.Key.Op = "AND"
	d.sp()
	for more := true; more; more = d.skip(' ') {
		switch k := d.searchKey(); k.Op {
		case "RETURN":
			if len(a.Key.Keys) > 0 || a.Extended {
				d.bad("RETURN comes first")
			}
			a.Extended = true
			d.searchReturn(&a)
		case "CHARSET":
			d.charset()
		default:
			a.Key.Keys = append(a.Key.Keys, k)
		}
	}
	if len(a.Key.Keys) == 0 {
		d.bad("a search key is missing")
	}
	return a, d.CRLF()
}

func (d *Decoder) charset() {
	switch strings.ToUpper(d.spAString()) {
	case "UTF-8", "US-ASCII":
	default:
		d.fail(&Error{status: "NO", Code: "BADCHARSET (UTF-8 US-ASCII)", Text: "unknown charset"})
	}
}

func (d *Decoder) searchReturn(a *SearchArgs) {
	d.sp()
	d.words("a return option", map[string]*bool{"MIN": &a.Min, "MAX": &a.Max, "ALL": &a.All, "COUNT": &a.Count, "SAVE": &a.Save})
	if !a.Min && !a.Max && !a.Count && !a.Save {
		a.All = true
	}
}

// What one search can ask of every message.
const (
	maxKeys  = 500
	maxTexts = 50
)

func (d *Decoder) searchKey() (k SearchKey) {
	if d.keys++; d.keys > maxKeys {
		d.limit("too many search keys")
	}
	switch c := d.peek(); {
	case c == '(':
		k.Op = "AND"
		d.list(func() { k.Keys = append(k.Keys, d.searchKey()) })
		if len(k.Keys) == 0 {
			d.bad("an empty list")
		}
	case isDigit(c) || c == '*' || c == '$':
		k.Op, k.Set = "SET", d.set()
	default:
		if k.Op = d.atom("a search key"); !plainKeys[k.Op] {
			d.searchOperand(&k)
		}
	}
	return k
}

var plainKeys = map[string]bool{
	"ALL": true, "ANSWERED": true, "DELETED": true, "DRAFT": true, "FLAGGED": true, "NEW": true, "OLD": true,
	"RECENT": true, "SEEN": true, "UNANSWERED": true, "UNDELETED": true, "UNDRAFT": true, "UNFLAGGED": true,
	"UNSEEN": true, "RETURN": true, "CHARSET": true, "SAVEDATESUPPORTED": true,
}

func (d *Decoder) searchOperand(k *SearchKey) {
	if !d.skip(' ') {
		d.bad("unknown search key %s, or its operand is missing", k.Op)
	}
	switch k.Op {
	case "BODY", "TEXT":
		if d.texts++; d.texts > maxTexts {
			d.limit("too many texts to search")
		}
		k.Text = d.astring()
	case "BCC", "CC", "FROM", "SUBJECT", "TO":
		k.Text = d.astring()
	case "KEYWORD", "UNKEYWORD":
		k.Text = d.run("a keyword", isAtom)
	case "HEADER":
		k.Field, k.Text = d.astring(), d.spAString()
	case "BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE", "SAVEDBEFORE", "SAVEDON", "SAVEDSINCE":
		k.Date = d.time("2-Jan-2006", d.astring())
	case "LARGER", "SMALLER":
		k.N = d.number()
	case "OLDER", "YOUNGER":
		if k.N = d.number(); k.N == 0 { // RFC 5032 §3: nz-number
			d.bad("an interval of no seconds")
		}
	case "UID":
		k.Set = d.set()
	case "MODSEQ":
		d.searchModSeq(k)
	case "NOT":
		d.deeper(func() { k.Keys = []SearchKey{d.searchKey()} })
	case "OR":
		d.deeper(func() {
			k.Keys = []SearchKey{d.searchKey()}
			d.sp()
			k.Keys = append(k.Keys, d.searchKey())
		})
	default:
		d.bad("unknown search key %s", k.Op)
	}
}

// searchModSeq reads an optional flag name and type, then the value.
func (d *Decoder) searchModSeq(k *SearchKey) {
	if d.peek() == '"' {
		d.str()
		d.sp()
		d.atom("an entry type")
		d.sp()
	}
	k.N = d.number()
}
