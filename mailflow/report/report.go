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
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered" // into a mailbox here
	Relayed   Action = "relayed"   // to a host that sends no reports
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
	Original      []byte // of the message: its header
	Whole         bool   // or all of it
	UTF8          bool   // its header has UTF-8 in it
}

var subjects = map[Action]string{
	Failed:  "Message non remis / Niet bezorgd / Not delivered",
	Delayed: "Message retardé / Vertraagd / Delayed",

	Delivered: "Message remis / Bezorgd / Delivered",
	Relayed:   "Message transmis / Doorgestuurd / Relayed",
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
	Delivered: {
		"Votre message a été remis aux adresses suivantes.",
		"Uw bericht is bezorgd aan de volgende adressen.",
		"Your message was delivered to the following addresses.",
	},
	Relayed: {
		"Votre message a été transmis au serveur des adresses suivantes, qui n'en confirmera pas la remise.",
		"Uw bericht is doorgegeven aan de server van de volgende adressen, die de bezorging niet bevestigt.",
		"Your message was passed on to the server of the following addresses, which does not confirm delivery.",
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
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: %s\r\n\r\n", boundary, r.originalType())
	b.Write(r.Original)
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
		fmt.Fprintf(b, "\r\n  <%s>\r\n", x.Addr)
		if r.Action == Failed || r.Action == Delayed {
			for _, t := range reasons[class(x.Enhanced)] {
				fmt.Fprintf(b, "    %s\r\n", t)
			}
		}
		if text := oneLine(x.answer()); text != "" {
			fmt.Fprintf(b, "    %s\r\n", text)
		}
	}
}

// reasons are what the usual codes (RFC 3463 §3) mean, for people.
var reasons = map[string][3]string{
	"1.1":  {"Cette adresse n'existe pas.", "Dit adres bestaat niet.", "There is no such address."},
	"1.2":  {"Ce domaine n'existe pas ou ne reçoit pas de courrier.", "Dit domein bestaat niet of ontvangt geen mail.", "This domain does not exist or takes no mail."},
	"1.10": {"Ce domaine ne reçoit pas de courrier.", "Dit domein ontvangt geen mail.", "This domain takes no mail."},
	"2.1":  {"Cette boîte est désactivée.", "Deze mailbox is uitgeschakeld.", "This mailbox is switched off."},
	"2.2":  {"La boîte du destinataire est pleine.", "De mailbox van de ontvanger is vol.", "The recipient's mailbox is full."},
	"3.4":  {"Le message est trop grand pour le serveur du destinataire.", "Het bericht is te groot voor de server van de ontvanger.", "The message is too large for the recipient's server."},
	"4.1":  {"Le serveur du destinataire ne répond pas.", "De server van de ontvanger antwoordt niet.", "The recipient's server does not answer."},
	"4.2":  {"La connexion avec le serveur du destinataire s'est interrompue.", "De verbinding met de server van de ontvanger werd verbroken.", "The connection with the recipient's server broke."},
	"6.7":  {"Le serveur du destinataire n'accepte pas les adresses internationales.", "De server van de ontvanger aanvaardt geen internationale adressen.", "The recipient's server does not take international addresses."},
	"7.1":  {"Le serveur du destinataire refuse ce message.", "De server van de ontvanger weigert dit bericht.", "The recipient's server refuses this message."},
}

// class is a status code without its first digit.
func class(enhanced string) string {
	_, rest, _ := strings.Cut(enhanced, ".")
	return rest
}

// originalType is what the last part is (RFC 6522 §3, RFC 6533 §6).
func (r *Report) originalType() string {
	switch {
	case r.Whole && r.UTF8:
		return "message/global\r\nContent-Transfer-Encoding: 8bit"
	case r.Whole:
		return "message/rfc822\r\nContent-Transfer-Encoding: 8bit"
	case r.UTF8:
		return "message/global-headers\r\nContent-Transfer-Encoding: 8bit"
	}
	return "text/rfc822-headers"
}

// answer is what the other host said, or what happened.
func (x Recipient) answer() string {
	if x.Code == 0 {
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
			fmt.Fprintf(b, "Remote-MTA: dns; %s\r\n", x.Host)
		}
		if x.Code != 0 {
			fmt.Fprintf(b, "Diagnostic-Code: smtp; %d %s %s\r\n", x.Code, x.Enhanced, oneLine(x.Text))
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
	return strings.ToValidUTF8(s[:min(len(s), 800)], "?")
}
