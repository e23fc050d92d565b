package mailflow

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"

	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/mailflow/queue"
	"essaim.coop/essaim/smtp"
)

// maxReceived is when a message is taken to run in circles (RFC 5321 §6.3 asks
// for 100 at least).
const maxReceived = 100

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
				if addr := a.Address(); addr != "" {
					h.from = append(h.from, addr)
				}
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

// traceFields makes the fields we put in front: Return-Path and Received.
func (m *Mail) traceFields(env *smtp.Envelope, now time.Time) []byte {
	s := &env.Session
	b := fmt.Appendf(nil, "%s: <%s>\r\n", returnPath, env.From)
	r := message.Received{
		From: s.HELO, Addr: literal(s.IP()), By: m.Hostname, With: s.Protocol(env.UTF8), ID: s.ID, TLS: s.TLSInfo(), Date: now,
	}
	if len(env.To) == 1 { // RFC 5321 §7.6: several would tell of blind copies
		r.For = env.To[0].Addr
	}
	return message.AppendReceived(b, r)
}

const returnPath = "Return-Path"

// relayed is our prefix without the Return-Path, which is only for the last
// host (RFC 5321 §4.4).
func relayed(prefix []byte) []byte {
	if bytes.HasPrefix(prefix, []byte(returnPath+":")) {
		return prefix[bytes.IndexByte(prefix, '\n')+1:]
	}
	return prefix
}

// literal is an address as it stands in brackets (RFC 5321 §4.1.3).
func literal(ip string) string {
	if strings.Contains(ip, ":") {
		return "IPv6:" + ip
	}
	return ip
}

func ascii(b string) bool {
	return strings.IndexFunc(b, func(c rune) bool { return c > 126 }) < 0
}

// needsUTF8 reports whether a message can only go where SMTPUTF8 is offered.
// Clients say so of all their mail, iOS for one; what counts is what is in it
// (RFC 6531 §3.2).
func needsUTF8(env *smtp.Envelope, header []byte, to []queue.Recipient) bool {
	if !env.UTF8 {
		return false
	}
	for _, r := range to {
		if !ascii(r.Addr) {
			return true
		}
	}
	return !ascii(env.From) || hasHigh(header)
}

// An octets notes whether what is written needs 8BITMIME.
type octets struct {
	w    io.Writer
	high bool
}

func (o *octets) Write(p []byte) (int, error) {
	o.high = o.high || hasHigh(p)
	return o.w.Write(p)
}

func hasHigh(p []byte) bool {
	for ; len(p) >= 8; p = p[8:] {
		if binary.NativeEndian.Uint64(p)&0x8080808080808080 != 0 {
			return true
		}
	}
	for _, c := range p {
		if c >= 0x80 {
			return true
		}
	}
	return false
}
