// Package report writes delivery status notifications: what becomes of a
// message that could not be delivered, for people in three languages and for
// programs (RFC 3464 in the container of RFC 6522; RFC 6533 for addresses that
// are not ASCII). Pure: values in, bytes out, CRLF line ends.
package report

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"essaim.coop/essaim/format/message"
)

// An Action is what happened (RFC 3464 §2.3.3).
type Action string

const (
	Failed  Action = "failed"
	Delayed Action = "delayed"
)

// A Recipient is one the report is about.
type Recipient struct {
	Addr, ORCPT    string
	Host           string // that answered
	Code           int
	Enhanced, Text string
}

// A Report is one notification.
type Report struct {
	Action        Action
	From, To      string
	Host          string // ours
	Date, Arrived time.Time
	GiveUp        time.Time // when a delayed message is returned
	EnvID         string
	Recipients    []Recipient
	Header        []byte // of the message
}

var subjects = map[Action]string{
	Failed:  "Message non remis / Niet bezorgd / Not delivered",
	Delayed: "Message retardé / Vertraagd / Delayed",
}

// texts are the sentences for people: French, Dutch, English.
var texts = map[Action][3]string{
	Failed: {
		"Votre message n'a pas pu être remis aux adresses suivantes.",
		"Uw bericht kon niet worden bezorgd aan de volgende adressen.",
		"Your message could not be delivered to the following addresses.",
	},
	Delayed: {
		"Votre message n'a pas encore pu être remis aux adresses suivantes. Nous continuons d'essayer jusqu'au %s; vous n'avez rien à faire.",
		"Uw bericht kon nog niet worden bezorgd aan de volgende adressen. We blijven proberen tot %s; u hoeft niets te doen.",
		"Your message could not be delivered to the following addresses yet. We keep trying until %s; you need not do anything.",
	},
}

// Bytes returns the message.
func (r *Report) Bytes() []byte {
	boundary := strings.Trim(message.NewID("x"), "<>@x")
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: Mail <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: %s\r\n",
		r.From, r.To, message.EncodeHeader(subjects[r.Action]), r.Date.Format(message.DateFormat), message.NewID(r.Host))
	fmt.Fprintf(&b, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n\r\n", boundary)
	fmt.Fprintf(&b, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", boundary)
	r.human(&b)
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: %s\r\n\r\n", boundary, r.statusType())
	r.status(&b)
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: text/rfc822-headers\r\n\r\n", boundary)
	b.Write(r.Header)
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.Bytes()
}

func (r *Report) human(b *bytes.Buffer) {
	for _, t := range texts[r.Action] {
		if r.Action == Delayed {
			t = fmt.Sprintf(t, r.GiveUp.Format("2006-01-02 15:04 MST"))
		}
		fmt.Fprintf(b, "%s\r\n", t)
	}
	for _, x := range r.Recipients {
		fmt.Fprintf(b, "\r\n  <%s>\r\n    %s\r\n", x.Addr, oneLine(x.answer()))
	}
}

func (x Recipient) answer() string {
	if x.Host == "" {
		return x.Text
	}
	return fmt.Sprintf("%s: %d %s %s", x.Host, x.Code, x.Enhanced, x.Text)
}

// statusType is the global form as soon as an address is not ASCII.
func (r *Report) statusType() string {
	for _, x := range r.Recipients {
		if !ascii(x.Addr) || !ascii(x.Text) {
			return "message/global-delivery-status; charset=utf-8\r\nContent-Transfer-Encoding: 8bit"
		}
	}
	return "message/delivery-status"
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c > 126 }) < 0
}

func (r *Report) status(b *bytes.Buffer) {
	if r.EnvID != "" {
		fmt.Fprintf(b, "Original-Envelope-Id: %s\r\n", oneLine(r.EnvID))
	}
	fmt.Fprintf(b, "Reporting-MTA: dns; %s\r\nArrival-Date: %s\r\n", r.Host, r.Arrived.Format(message.DateFormat))
	for _, x := range r.Recipients {
		b.WriteString("\r\n")
		if x.ORCPT != "" {
			fmt.Fprintf(b, "Original-Recipient: %s\r\n", oneLine(x.ORCPT))
		}
		kind := "rfc822"
		if !ascii(x.Addr) {
			kind = "utf-8"
		}
		fmt.Fprintf(b, "Final-Recipient: %s; %s\r\nAction: %s\r\nStatus: %s\r\n", kind, x.Addr, r.Action, x.Enhanced)
		if x.Host != "" {
			fmt.Fprintf(b, "Remote-MTA: dns; %s\r\nDiagnostic-Code: smtp; %d %s %s\r\n", x.Host, x.Code, x.Enhanced, oneLine(x.Text))
		}
		fmt.Fprintf(b, "Last-Attempt-Date: %s\r\n", r.Date.Format(message.DateFormat))
		if r.Action == Delayed {
			fmt.Fprintf(b, "Will-Retry-Until: %s\r\n", r.GiveUp.Format(message.DateFormat))
		}
	}
}

// oneLine keeps what others said from becoming fields of ours.
func oneLine(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c == 127 {
			return ' '
		}
		return c
	}, s)
	return s[:min(len(s), 800)]
}
