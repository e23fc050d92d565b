package portal

import (
	"errors"
	"net/url"
	"slices"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/register"
	"essaim.coop/essaim/storage/signin"
)

type joinForm struct {
	Code, Domain, Local, Name, Language string
	Approve                             bool
}

// joinForm looks the invitation up; a code that invites nobody is a problem of
// its own page.
func (p *Portal) joinForm(x *page.Request) (f joinForm, err error) {
	f.Code = x.R.PathValue("code")
	if p.slow(x, guessedLink) {
		return f, slowed
	}
	err = p.DB.View(func(tx *storage.Tx) error {
		i, err := register.Invited(tx, f.Code, p.Now())
		f.Domain, f.Approve, f.Language = i.Domain, i.Approve, string(x.Lang)
		return err
	})
	if errors.Is(err, register.ErrInvitation) {
		p.guessed(x, guessedLink, f.Code)
		return f, page.Problem{Word: "join.unknown"}
	}
	return f, err
}

func (p *Portal) joinPage(x *page.Request) error {
	form, err := p.joinForm(x)
	if err != nil {
		return err
	}
	return x.Page("join", "join.title", form)
}

func (p *Portal) join(x *page.Request) error {
	form, err := p.joinForm(x)
	if err != nil {
		return err
	}
	form.Local, form.Name, form.Language = x.Form("local"), x.Form("name"), x.Form("language")
	if !slices.Contains(page.Languages, page.Lang(form.Language)) {
		form.Language = string(x.Lang)
	}
	if err := accounts.CheckName(form.Name); err != nil {
		return x.Again("join", "join.title", form, page.Problem{Word: "settings.name", Err: err})
	}
	password := x.R.PostFormValue("password")
	if err := goodPassword(password, form.Local+"@"+form.Domain); err != nil {
		return x.Again("join", "join.title", form, err)
	}
	set, err := p.Auth.HashMainPassword(x.R.Context(), password)
	if err != nil {
		return err
	}
	a, codes, token, err := p.accept(x, form, set)
	if err != nil {
		return x.Again("join", "join.title", form, joinProblem(err, form))
	}
	if token != "" {
		x.SetSession(token, signin.Absolute)
	}
	return x.Page("welcome", "welcome.title", map[string]any{"Address": a.Address, "Codes": codes, "Waiting": a.Waiting})
}

// accept makes the account with its password, its recovery codes and its first
// session, or nothing of it.
func (p *Portal) accept(x *page.Request, form joinForm, set func(*storage.Tx, storage.AccountID) error) (a accounts.Account, codes []string, token string, err error) {
	now := p.Now()
	err = p.DB.Update(func(tx *storage.Tx) (err error) {
		token = ""
		in := people.Acceptance{Code: form.Code, Local: form.Local, Name: form.Name, Language: form.Language}
		if a, err = people.Accept(tx, in, people.Actor{Client: client(x).String()}, now); err != nil {
			return err
		}
		if err := set(tx, a.ID); err != nil {
			return err
		}
		if codes, err = signin.NewRecoveryCodes(tx, a.ID); err != nil || a.Waiting {
			return err
		}
		token, err = signin.Begin(tx, a.ID, x.R.UserAgent(), now)
		return err
	})
	return a, codes, token, err
}

func joinProblem(err error, form joinForm) error {
	switch {
	case errors.Is(err, people.ErrFull):
		return page.Problem{Word: "join.full", Err: err}
	case errors.Is(err, register.ErrInvitation):
		return page.Problem{Word: "join.unknown", Err: err}
	case errors.Is(err, storage.ErrConflict):
		return page.Problem{Word: "join.taken", Args: []any{form.Local + "@" + form.Domain}, Err: err}
	case errors.Is(err, storage.ErrInvalid), errors.Is(err, storage.ErrNotFound):
		return page.Problem{Word: "join.invalid", Err: err}
	}
	return err
}

// joinLink is what an invitation's code is sent as.
func (p *Portal) joinLink(code string) string { return p.Origin + "/join/" + url.PathEscape(code) }
