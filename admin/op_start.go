package admin

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/zone"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/register"
)

// StartIn asks for the three lists of a new cooperative.
type StartIn struct {
	Domain   string `query:"domain"`   // empty is the cooperative's first
	Language string `query:"language"` // of the letter
	Check    bool   `query:"check"`    // ask the DNS, and try port 25
}

// A Start is what stands between an installation and mail with the world: what
// the house has done, what the registrar must publish, what the provider must
// open. Without a check the states are empty.
type Start struct {
	Domain    string    `json:"domain"`
	Done      []Health  `json:"done"`
	Registrar []Finding `json:"registrar"`
	Zone      string    `json:"zone"` // of Registrar, to copy
	Provider  []Finding `json:"provider"`
	Outbound  Health    `json:"outbound"` // port 25; its value is why not
	Relay     string    `json:"relay,omitempty"`
	Letter    string    `json:"letter"` // to the provider
}

// Start makes the lists. A resolver that does not answer makes states unknown,
// no error.
func (d *Desk) Start(ctx context.Context, _ people.Actor, in StartIn) (out Start, err error) {
	var coop register.Coop
	ours := false
	if err := d.DB.View(func(tx *storage.Tx) (err error) {
		coop, err = register.TheCoop(tx)
		if in.Domain == "" {
			in.Domain = coop.Domain
		}
		if list, lerr := accounts.Domains(tx); in.Domain == "" && lerr == nil && len(list) > 0 {
			in.Domain = list[0].Name
		}
		ours = accounts.LocalDomain(tx, in.Domain)
		return err
	}); err != nil {
		return out, err
	}
	if !ours {
		return out, fmt.Errorf("domain %s: %w", in.Domain, storage.ErrNotFound)
	}
	site := d.Site(in.Domain)
	records, reverse := site.Records(), site.Reverse()
	var text strings.Builder
	if err := zone.Print(&text, records); err != nil {
		return out, err
	}
	out = Start{Domain: in.Domain, Done: d.Done(in.Domain), Zone: text.String(), Relay: site.RelayHost,
		Letter: site.Letter(page.Lang(in.Language), coop.Name), Registrar: findings(unasked(records)), Provider: findings(unasked(reverse)),
		Outbound: Health{What: "outbound"}}
	if in.Check {
		d.lookOutside(ctx, &out, records, reverse)
	}
	return out, nil
}

// lookOutside asks everything side by side, for dnsTime at most.
func (d *Desk) lookOutside(ctx context.Context, out *Start, records, reverse []zone.Record) {
	ctx, cancel := context.WithTimeout(ctx, dnsTime)
	defer cancel()
	r := d.resolver()
	var wg sync.WaitGroup
	wg.Go(func() { out.Registrar = findings(zone.Check(ctx, r, records)) })
	wg.Go(func() { out.Provider = findings(zone.Check(ctx, r, reverse)) })
	if out.Relay == "" {
		wg.Go(func() {
			out.Outbound.State = Well
			if err := d.Outbound(ctx, r); err != nil {
				out.Outbound.State, out.Outbound.Value = Bad, err.Error()
			}
		})
	}
	wg.Wait()
}

// resolver is the machine's; where it has none, nothing is known.
func (d *Desk) resolver() zone.Resolver {
	r, err := d.Resolver()
	if err != nil {
		return mute{err}
	}
	return r
}

// mute is a resolver where there is none.
type mute struct{ err error }

// Lookup is zone.Resolver.
func (m mute) Lookup(context.Context, string, string) ([]string, error) { return nil, m.err }

func unasked(records []zone.Record) (out []zone.Finding) {
	for _, r := range records {
		out = append(out, zone.Finding{Record: r})
	}
	return out
}

func findings(list []zone.Finding) (out []Finding) {
	for _, f := range list {
		out = append(out, Finding{f.Name, f.Type, f.Value, f.Purpose, f.Required, string(f.State), f.Found})
	}
	return out
}

// Ready reports whether nothing that is required is missing.
func (s Start) Ready() bool {
	for _, list := range [][]Finding{s.Registrar, s.Provider} {
		for _, f := range list {
			if f.Required && f.State != string(zone.Right) {
				return false
			}
		}
	}
	return s.Relay != "" || s.Outbound.State == Well
}

// Print writes the lists for a terminal. The zone stands between lines of its
// own, to be copied; what is right is not repeated there.
func (s Start) Print(w io.Writer, l page.Lang) error {
	var b strings.Builder
	say := func(key string, args ...any) string { return allWords.Say(l, key, args...) }
	fmt.Fprintf(&b, "%s\n", say("start.done"))
	for _, h := range s.Done {
		fmt.Fprintf(&b, "  %s %s\n", tick(h.State), say("start.line", say("health."+h.What), h.In(l)))
	}
	fmt.Fprintf(&b, "\n%s\n", say("start.registrar"))
	for _, f := range s.Registrar {
		f.print(&b, say)
	}
	fmt.Fprintf(&b, "\n%s\n", say("start.provider"))
	if s.Relay == "" {
		fmt.Fprintf(&b, "  %s %s\n", tick(s.Outbound.State), say("start.port"))
		if s.Outbound.Value != "" {
			fmt.Fprintf(&b, "      %s\n", strings.ReplaceAll(s.Outbound.Value, "\n", "\n      "))
		}
	}
	for _, f := range s.Provider {
		f.print(&b, say)
	}
	if !s.Ready() {
		fmt.Fprintf(&b, "\n%s\n\n%s", say("start.letter"), s.Letter)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (f Finding) print(b *strings.Builder, say func(string, ...any) string) {
	note := ""
	if !f.Required {
		note = ", " + say("domain.nice")
	}
	fmt.Fprintf(b, "  %s %s%s\n      %s %s %s\n", tick(f.State), say("purpose."+f.Purpose), note, f.Name, f.Type, f.Want)
	if f.State == string(zone.Differs) {
		fmt.Fprintf(b, "      %s %s\n", say("state.differs"), strings.Join(f.Found, " | "))
	}
}

// tick is how a state looks on a terminal.
func tick(state string) string {
	switch state {
	case Well, string(zone.Right):
		return "[x]"
	case "", string(zone.Unknown):
		return "[?]"
	}
	return "[ ]"
}
