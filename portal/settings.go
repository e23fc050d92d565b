package portal

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/audit"
)

func split(address string) (local, domain string) {
	local, domain, _ = strings.Cut(address, "@")
	return local, domain
}

func (p *Portal) settingsPage(x *page.Request) error {
	var a accounts.Account
	if err := p.DB.View(func(tx *storage.Tx) (err error) { a, err = accounts.Get(tx, me(x)); return err }); err != nil {
		return err
	}
	return x.Page("settings", "settings.title", a)
}

func (p *Portal) settings(x *page.Request) error {
	name, lang := x.Form("name"), x.Form("language")
	var a accounts.Account
	err := p.DB.Update(func(tx *storage.Tx) (err error) {
		if a, err = accounts.Get(tx, me(x)); err != nil {
			return err
		}
		a.Name, a.Hidden = name, x.Form("shown") == ""
		if err := accounts.CheckName(name); err != nil {
			return page.Problem{Word: "settings.name", Err: err}
		}
		if slices.Contains(page.Languages, page.Lang(lang)) {
			a.Language = lang
		}
		return accounts.Save(tx, a)
	})
	if err != nil {
		return x.Again("settings", "settings.title", a, err)
	}
	page.Choose(x.W, page.Lang(a.Language))
	x.Redirect("/settings?done=saved")
	return nil
}

func (p *Portal) leave(x *page.Request) error {
	now := p.Now()
	err := p.DB.Update(func(tx *storage.Tx) error {
		_, err := people.Leave(tx, me(x), actor(x), now)
		return err
	})
	if errors.Is(err, storage.ErrConflict) {
		return page.Problem{Word: "leave.last", Err: err}
	}
	if err != nil {
		return err
	}
	x.Redirect("/?done=leaving")
	return nil
}

func (p *Portal) stay(x *page.Request) error {
	now := p.Now()
	if err := p.DB.Update(func(tx *storage.Tx) error { return people.Stay(tx, me(x), actor(x), now) }); err != nil {
		return err
	}
	x.Redirect("/?done=staying")
	return nil
}

// logRows is how much of the log one page shows.
const logRows = 100

type logRow struct {
	At     time.Time
	Word   string
	Detail string
	Client string
	Mine   bool
}

// logPage shows a member what was done by them and about them.
func (p *Portal) logPage(x *page.Request) error {
	var rows []logRow
	var next uint64
	before, _ := strconv.ParseUint(x.R.URL.Query().Get("before"), 10, 64)
	err := p.DB.View(func(tx *storage.Tx) error {
		return audit.EntriesOf(tx, me(x), before, func(e audit.Entry) bool {
			rows, next = append(rows, logRow{e.At, "did." + e.Did, e.Detail, clientFor(e, me(x)), e.By == me(x)}), e.Number
			return len(rows) < logRows
		})
	})
	if err != nil {
		return err
	}
	if len(rows) < logRows {
		next = 0
	}
	return x.Page("log", "log.title", map[string]any{"Rows": rows, "Next": next})
}

// clientFor hides where somebody else was.
func clientFor(e audit.Entry, me storage.AccountID) string {
	if e.By != me {
		return ""
	}
	return e.Client
}
