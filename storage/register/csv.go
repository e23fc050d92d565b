package register

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"essaim.coop/essaim/storage"
)

// A Payment is one line of a list of payments.
type Payment struct {
	Line      int
	Reference string
	Until     time.Time
}

// MaxPayments bounds one list.
const MaxPayments = 5000

// ReadPayments reads a list of payments: a header that has the columns
// reference and paid_until, then one payment a line, with commas or semicolons
// and dates as 2026-12-31 or 31/12/2026. A wrong line is ErrInvalid and names
// its number; nothing is taken from a list that has one.
func ReadPayments(r io.Reader) ([]Payment, error) {
	lines := bufio.NewReader(io.LimitReader(r, 1<<20))
	head, _ := lines.Peek(512)
	c := csv.NewReader(lines)
	c.FieldsPerRecord = -1
	first, _, _ := strings.Cut(string(head), "\n")
	if strings.Count(first, ";") > strings.Count(first, ",") {
		c.Comma = ';'
	}
	columns, err := header(c)
	if err != nil {
		return nil, err
	}
	var out []Payment
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", storage.ErrInvalid, err) // it names its line
		}
		line, _ := c.FieldPos(0)
		if len(out) == MaxPayments {
			return nil, fmt.Errorf("line %d: more than %d payments: %w", line, MaxPayments, storage.ErrInvalid)
		}
		p, err := payment(row, columns)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		p.Line = line
		out = append(out, p)
	}
}

func header(c *csv.Reader) (columns [2]int, err error) {
	row, err := c.Read()
	if err != nil {
		return columns, fmt.Errorf("%w: %w", storage.ErrInvalid, err)
	}
	columns = [2]int{-1, -1}
	for i, name := range row {
		switch strings.ToLower(strings.Trim(name, "\ufeff \t")) {
		case "reference":
			columns[0] = i
		case "paid_until":
			columns[1] = i
		}
	}
	if columns[0] < 0 || columns[1] < 0 {
		return columns, fmt.Errorf("%w: the first line has no columns reference and paid_until", storage.ErrInvalid)
	}
	return columns, nil
}

func payment(row []string, columns [2]int) (p Payment, err error) {
	if len(row) <= max(columns[0], columns[1]) {
		return p, fmt.Errorf("%d columns: %w", len(row), storage.ErrInvalid)
	}
	if p.Reference, err = ParseReference(row[columns[0]]); err != nil {
		return p, err
	}
	p.Until, err = ParseDay(row[columns[1]])
	return p, err
}

// ParseDay reads a day as 2026-12-31 or 31/12/2026.
func ParseDay(s string) (time.Time, error) {
	for _, form := range []string{time.DateOnly, "02/01/2006", "2/1/2006"} {
		if at, err := time.Parse(form, strings.TrimSpace(s)); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("day %.20q: %w", s, storage.ErrInvalid)
}

// Apply notes payments: each moves its household's paid-until forward, never
// back. A reference nobody has is ErrNotFound and undoes all with the
// transaction. It returns how many households moved.
func Apply(tx *storage.Tx, list []Payment) (moved int, err error) {
	for _, p := range list {
		h, err := ByReference(tx, p.Reference)
		if err != nil {
			return 0, fmt.Errorf("line %d: %w", p.Line, err)
		}
		if !p.Until.After(h.Paid) {
			continue
		}
		h.Paid = p.Until
		if _, err := Put(tx, h); err != nil {
			return 0, err
		}
		moved++
	}
	return moved, nil
}

// Cell makes a text safe to open in a spreadsheet: one that a spreadsheet
// would take for a formula is quoted.
func Cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
