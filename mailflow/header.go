package mailflow

import (
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/smtp"
)

// maxReceived is when a message is taken to run in circles (RFC 5321 §6.3).
const maxReceived = 50

// A headerFacts is what routing needs to know of a header block.
type headerFacts struct {
	from              []string // addresses of the From field
	froms, received   int
	hasDate, hasMsgID bool
}

func inspect(header []byte) headerFacts {
	var h headerFacts
	for _, f := range message.ParseHeader(header) {
		switch {
		case strings.EqualFold(f.Name, "From"):
			h.froms++
			for _, a := range message.ParseAddressList(string(f.Value)) {
				h.from = append(h.from, a.Address())
			}
		case strings.EqualFold(f.Name, "Received"):
			h.received++
		case strings.EqualFold(f.Name, "Date"):
			h.hasDate = true
		case strings.EqualFold(f.Name, "Message-ID"):
			h.hasMsgID = true
		}
	}
	return h
}

// refuse says why no message with this header is taken, or nil.
func (h headerFacts) refuse() error {
	switch {
	case h.froms != 1:
		// Two From fields let one be checked and the other be shown.
		return &smtp.Error{Code: 554, Enhanced: "5.6.0", Text: fmt.Sprintf("A message has exactly one From field, this one has %d", h.froms)}
	case h.received > maxReceived:
		return &smtp.Error{Code: 554, Enhanced: "5.4.6", Text: "Too many hops: this message runs in circles"}
	}
	return nil
}

// trace makes the fields we put in front: Return-Path and Received.
func (m *Mail) traceFields(env *smtp.Envelope, now time.Time) []byte {
	s := &env.Session
	var b []byte
	b = fmt.Appendf(b, "Return-Path: <%s>\r\n", env.From)
	r := message.Received{
		From: s.HELO, Addr: s.IP(), By: m.Hostname, With: s.Protocol(), ID: s.ID, TLS: s.TLSInfo(), Date: now,
	}
	if len(env.To) == 1 { // RFC 5321 §7.6: several would tell of blind copies
		r.For = env.To[0].Addr
	}
	return message.AppendReceived(b, r)
}
