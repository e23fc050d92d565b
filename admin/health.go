package admin

import (
	"strings"
	"time"

	"essaim.coop/essaim/internal/page"
)

// A Health is one thing that is well or not. What there is to say of it stands
// in Value, or in figures that are written as the reader's language has them.
type Health struct {
	What    string    `json:"what"` // a word's key below health
	State   string    `json:"state"`
	Value   string    `json:"value"`             // a name, or a word's key below health.What
	At      time.Time `json:"at,omitzero"`       // when it was, or until when it is good
	Seconds int64     `json:"seconds,omitempty"` // how long
	Bytes   int64     `json:"bytes,omitempty"`
	Percent int       `json:"percent,omitempty"`
}

// States of a Health.
const (
	Well = "good"
	Look = "look" // somebody should look at it soon
	Bad  = "bad"
)

// In writes what there is to say, never nothing: what is well is in order, what
// is not has never been.
func (h Health) In(l page.Lang) string {
	var parts []string
	if !h.At.IsZero() {
		parts = append(parts, page.Day(l, h.At))
	}
	if h.Seconds > 0 {
		parts = append(parts, page.Span(l, time.Duration(h.Seconds)*time.Second))
	}
	if h.Bytes > 0 {
		parts = append(parts, page.Bytes(l, h.Bytes))
	}
	if h.Percent > 0 {
		parts = append(parts, "("+page.Percent(l, float64(h.Percent)/100)+")")
	}
	if word := "health." + h.What + "." + h.Value; h.Value != "" {
		if _, is := allWords[word]; is {
			parts = append(parts, allWords.Say(l, word))
		} else {
			parts = append(parts, h.Value)
		}
	}
	switch {
	case len(parts) > 0:
		return strings.Join(parts, " ")
	case h.State == Well:
		return allWords.Say(l, "is.well")
	}
	return allWords.Say(l, "is.not")
}
