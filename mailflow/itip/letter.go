package itip

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"strings"
	"time"

	"essaim.coop/essaim/format/ical"
	"essaim.coop/essaim/format/ical/filter"
	"essaim.coop/essaim/format/ical/itip"
	"essaim.coop/essaim/format/ical/zone"
	"essaim.coop/essaim/format/message"
	"essaim.coop/essaim/storage/calendar"
)

// mail has a message sent to somebody elsewhere (RFC 6047); who may not send mail
// invites nobody by it.
func (w *work) mail(me string, out itip.Out) (string, error) {
	if w.sender.Suspended {
		return "3.8", nil // RFC 5546 §3.6: no authority
	}
	if _, last, ok := calendar.MessageExtent(out.Text); ok && last < w.now.Unix() {
		return "", nil // what is over is put into a calendar, as by an import, and nobody wants mail about it
	}
	m, err := itip.Read(out.Text)
	if err != nil {
		return statusFailed, w.refused(out.To, err)
	}
	text := compose(m, &envelope{from: me, name: w.sender.Name, to: out.To, host: w.s.Hostname, language: w.sender.Language, now: w.now}, out.Text)
	w.letters = append(w.letters, letter{me, out.To, text})
	return statusSent, nil
}

type envelope struct {
	from, name, to, host string
	language             string
	now                  time.Time
}

// words are what letters say, in the sender's language: what somebody elsewhere
// speaks is not known.
type words struct {
	invitation, update, cancelled, when, where, by, says string
	answers                                              map[string]string
	howto                                                string
	reminder                                             string
}

var languages = map[string]words{
	"fr": {"Invitation", "Mise à jour", "Annulé", "Quand", "Où", "De la part de", "a répondu",
		map[string]string{"ACCEPTED": "Accepté", "DECLINED": "Refusé", "TENTATIVE": "Peut-être", "DELEGATED": "Délégué"},
		"Votre programme peut répondre à ce message ; une réponse par courriel convient aussi.",
		"Rappel"},
	"nl": {"Uitnodiging", "Gewijzigd", "Geannuleerd", "Wanneer", "Waar", "Van", "antwoordt",
		map[string]string{"ACCEPTED": "Aanvaard", "DECLINED": "Geweigerd", "TENTATIVE": "Misschien", "DELEGATED": "Doorgegeven"},
		"Uw programma kan op dit bericht antwoorden; een antwoord per e-mail is ook goed.",
		"Herinnering"},
	"en": {"Invitation", "Updated", "Cancelled", "When", "Where", "From", "has answered",
		map[string]string{"ACCEPTED": "Accepted", "DECLINED": "Declined", "TENTATIVE": "Maybe", "DELEGATED": "Delegated"},
		"Your program can answer this message; an answer by mail is fine, too.",
		"Reminder"},
}

// A row is a line of what a letter says.
type row struct{ label, text string }

// compose writes a message as mail: for people, for their calendar programs, and
// once more as a file for those that only see that.
func compose(m *itip.Message, e *envelope, text []byte) []byte {
	say, ok := languages[e.language]
	if !ok {
		say = languages["en"]
	}
	c := m.Parts[0]
	title := oneLine(c.Text("SUMMARY"))
	if title == "" {
		title = "—"
	}
	kind := kindOf(m, &say)
	rows := details(m, e, &say)
	mixed, alternative := boundary(), boundary()
	var b bytes.Buffer
	from := "<" + e.from + ">"
	if e.name != "" {
		from = phrase(e.name) + " " + from
	}
	field := func(name, v string) { fmt.Fprintf(&b, "%s: %s\r\n", name, v) }
	field("From", from)
	field("To", "<"+e.to+">")
	field("Subject", message.EncodeHeader(clip(kind+": "+title, 200)))
	field("Date", e.now.Format(message.DateFormat))
	field("Message-ID", message.NewID(e.host))
	// Everything about one event is one thread.
	sum := sha256.Sum256([]byte(m.UID))
	thread := "<event-" + hex.EncodeToString(sum[:12]) + "@" + e.host + ">"
	field("In-Reply-To", thread)
	field("References", thread)
	field("Auto-Submitted", "auto-generated") // RFC 3834 §5
	field("MIME-Version", "1.0")
	field("Content-Type", `multipart/mixed; boundary="`+mixed+`"`)
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: multipart/alternative; boundary=\"%s\"\r\n\r\n", mixed, alternative)
	part := func(in, contentType string, body []byte, more ...string) {
		fmt.Fprintf(&b, "--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n", in, contentType)
		for _, f := range more {
			b.WriteString(f + "\r\n")
		}
		b.WriteString("\r\n")
		writeBase64(&b, body)
	}
	part(alternative, "text/plain; charset=utf-8", plainText(kind, title, rows, say.howto))
	part(alternative, "text/html; charset=utf-8", htmlText(kind, title, rows, say.howto))
	part(alternative, "text/calendar; charset=utf-8; method="+string(m.Method), text)
	fmt.Fprintf(&b, "--%s--\r\n", alternative)
	part(mixed, `application/ics; name="invite.ics"`, text, `Content-Disposition: attachment; filename="invite.ics"`)
	fmt.Fprintf(&b, "--%s--\r\n", mixed)
	return b.Bytes()
}

// kindOf is what a message is, in a word.
func kindOf(m *itip.Message, say *words) string {
	switch m.Method {
	case itip.Cancel:
		return say.cancelled
	case itip.Reply:
		if v := say.answers[strings.ToUpper(m.Parts[0].All("ATTENDEE")[0].Param("PARTSTAT"))]; v != "" {
			return v
		}
	case itip.Request:
		if v := m.Parts[0].Value("SEQUENCE"); v != "" && v != "0" {
			return say.update
		}
	}
	return say.invitation
}

func details(m *itip.Message, e *envelope, say *words) (out []row) {
	c := m.Parts[0]
	z := zone.Of(m.Calendar, nil)
	if from, ok := c.Stamp("DTSTART"); ok {
		start, end := filter.Bounds(c, z)
		out = append(out, row{say.when, when(from, start, end)})
	} else if id, ok := c.Stamp("RECURRENCE-ID"); ok {
		out = append(out, row{say.when, when(id, z.Time(id), z.Time(id))})
	}
	if v := c.Text("LOCATION"); v != "" {
		out = append(out, row{say.where, clip(oneLine(v), 500)})
	}
	by := e.from
	if e.name != "" {
		by = oneLine(e.name) + " <" + e.from + ">"
	}
	if m.Method == itip.Reply {
		by += " " + say.says
	}
	out = append(out, row{say.by, by})
	if v := c.Text("DESCRIPTION"); v != "" && m.Method == itip.Request {
		out = append(out, row{"", clip(v, 4000)})
	}
	return out
}

// when writes a time so that nobody mistakes day for month.
func when(written ical.Stamp, start, end time.Time) string {
	if written.Date {
		last := end.Add(-time.Second)
		if !last.After(start) || last.Format(time.DateOnly) == start.Format(time.DateOnly) {
			return start.Format(time.DateOnly)
		}
		return start.Format(time.DateOnly) + " – " + last.Format(time.DateOnly)
	}
	const clock = "15:04"
	s := start.Format(time.DateOnly + " " + clock)
	switch {
	case !end.After(start):
	case end.Format(time.DateOnly) == start.Format(time.DateOnly):
		s += "–" + end.Format(clock)
	default:
		s += " – " + end.Format(time.DateOnly+" "+clock)
	}
	if written.Floating() {
		return s
	}
	return s + " (" + start.Location().String() + ")"
}

func plainText(kind, title string, rows []row, howto string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s\r\n\r\n", kind, title)
	for _, r := range rows {
		if r.label == "" {
			fmt.Fprintf(&b, "\r\n%s\r\n", strings.ReplaceAll(strings.ReplaceAll(r.text, "\r\n", "\n"), "\n", "\r\n"))
			continue
		}
		fmt.Fprintf(&b, "%s: %s\r\n", r.label, r.text)
	}
	fmt.Fprintf(&b, "\r\n%s\r\n", howto)
	return b.Bytes()
}

func htmlText(kind, title string, rows []row, howto string) []byte {
	var b bytes.Buffer
	esc := func(s string) string { return strings.ReplaceAll(html.EscapeString(s), "\n", "<br>\r\n") }
	fmt.Fprintf(&b, "<!DOCTYPE html>\r\n<html><body>\r\n<h2>%s: %s</h2>\r\n<table>\r\n", esc(kind), esc(title))
	for _, r := range rows {
		if r.label == "" {
			fmt.Fprintf(&b, "<tr><td colspan=\"2\">%s</td></tr>\r\n", esc(r.text))
			continue
		}
		fmt.Fprintf(&b, "<tr><th align=\"left\">%s</th><td>%s</td></tr>\r\n", esc(r.label), esc(r.text))
	}
	fmt.Fprintf(&b, "</table>\r\n<p>%s</p>\r\n</body></html>\r\n", esc(howto))
	return b.Bytes()
}

// phrase writes a name as it stands before an address (RFC 5322 §3.4, RFC 2047 §5).
func phrase(name string) string {
	name = oneLine(name)
	if word := message.EncodeHeader(name); word != name {
		return word
	}
	return `"` + strings.NewReplacer(`"`, "'", `\`, "/").Replace(name) + `"`
}

func writeBase64(b *bytes.Buffer, p []byte) {
	const perLine = 57 // 76 characters
	for len(p) > 0 {
		n := min(perLine, len(p))
		b.WriteString(base64.StdEncoding.EncodeToString(p[:n]))
		b.WriteString("\r\n")
		p = p[n:]
	}
}

func boundary() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // does not fail
	return "=_" + hex.EncodeToString(b)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// clip keeps whole characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
