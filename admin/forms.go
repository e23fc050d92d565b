package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/storage"
)

// after leads on when a form's operation is done, or says why not.
func after(x *page.Request, to string, err error) error {
	if err != nil {
		return problem(err)
	}
	x.Redirect(to)
	return nil
}

// again shows the form's page once more with why it could not be done and what
// was typed; what the reader cannot mend is answered as it is.
func again[T any](x *page.Request, name, title string, why error, load func(*page.Request) (T, error)) error {
	why = problem(why)
	if errors.Is(why, storage.ErrNotFound) {
		return why
	}
	data, err := load(x)
	if err != nil {
		return problem(err)
	}
	return x.Again(name, title, data, why)
}

func (d *Desk) personOf(x *page.Request) (personData, error) {
	p, err := d.Person(x.R.Context(), actor(x), id(x))
	return personData{Person: p}, err
}

// afterPerson leads back to the person, or shows the page again with why not.
func (d *Desk) afterPerson(x *page.Request, err error) error {
	if err != nil {
		return again(x, "person", "person.title", err, d.personOf)
	}
	x.Redirect(d.personPath(x) + "?done=saved")
	return nil
}

func (d *Desk) postPerson(x *page.Request) error {
	name := x.Form("name")
	yes := func(field string) *bool { b := x.Form(field) != ""; return &b }
	_, err := d.ChangePerson(x.R.Context(), actor(x), ChangePersonIn{ID: id(x), Name: &name,
		Cooperator: yes("cooperator"), Subscriber: yes("subscriber"), Admin: yes("admin")})
	return d.afterPerson(x, err)
}

func (d *Desk) postApprove(x *page.Request) error {
	_, err := d.Approve(x.R.Context(), actor(x), id(x))
	if err == nil {
		x.Redirect(d.personPath(x) + "?done=approved")
		return nil
	}
	return d.afterPerson(x, err)
}

func (d *Desk) postSuspend(x *page.Request) error {
	to := x.Form("to") == "suspended"
	_, err := d.ChangePerson(x.R.Context(), actor(x), ChangePersonIn{ID: id(x), Suspended: &to})
	return d.afterPerson(x, err)
}

func (d *Desk) postRecovery(x *page.Request) error {
	out, err := d.AllowRecovery(x.R.Context(), actor(x), id(x))
	if err != nil {
		return problem(err)
	}
	p, err := d.Person(x.R.Context(), actor(x), id(x))
	return show(x, "person", "person.title", personData{p, out.Codes}, err)
}

func (d *Desk) postAddress(x *page.Request) error {
	in := AddressIn{id(x), x.Form("address")}
	do := d.AddAddress
	if x.Form("do") == "remove" {
		do = d.RemoveAddress
	}
	_, err := do(x.R.Context(), actor(x), in)
	return d.afterPerson(x, err)
}

func (d *Desk) postDelete(x *page.Request) error {
	_, err := d.DeletePerson(x.R.Context(), actor(x), DeletePersonIn{id(x), x.Form("address")})
	if err != nil {
		return d.afterPerson(x, err)
	}
	x.Redirect("/admin/people?done=deleted")
	return nil
}

func (d *Desk) householdOf(x *page.Request) (Household, error) {
	return d.Household(x.R.Context(), actor(x), id(x))
}

func (d *Desk) postHousehold(x *page.Request) error {
	name, note, paid := x.Form("name"), x.Form("note"), x.Form("paid")
	size, err := strconv.Atoi(x.Form("size"))
	quota, err2 := gigabytes(x.Form("quota"))
	if err = errors.Join(err, err2); err != nil {
		return again(x, "household", "household.title", page.Problem{Word: "admin.invalid", Err: err}, d.householdOf)
	}
	_, err = d.ChangeHousehold(x.R.Context(), actor(x), ChangeHouseholdIn{ID: id(x), Name: &name, Note: &note, Paid: &paid, Size: &size, Quota: &quota})
	if err != nil {
		return again(x, "household", "household.title", err, d.householdOf)
	}
	x.Redirect(fmt.Sprintf("/admin/households/%d?done=saved", id(x).ID))
	return nil
}

// gigabytes reads a size as people write it, with a point or a comma.
func gigabytes(s string) (int64, error) {
	f, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	if err != nil || f < 0 || f > 1e6 {
		return 0, fmt.Errorf("%q gigabytes: %w", s, storage.ErrInvalid)
	}
	return int64(f * 1e9), nil
}

func (d *Desk) postPayments(x *page.Request) error {
	text := x.R.PostFormValue("csv")
	if file, _, err := x.R.FormFile("file"); err == nil {
		defer file.Close()
		b, err := io.ReadAll(file)
		if err != nil {
			return err
		}
		text = string(b)
	} else if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		return err
	}
	_, err := d.Payments(x.R.Context(), actor(x), PaymentsIn{text})
	if errors.Is(err, storage.ErrInvalid) || errors.Is(err, storage.ErrNotFound) {
		return page.Problem{Word: "households.badlist", Args: []any{err.Error()}, Err: err}
	}
	return after(x, "/admin/households?done=payments", err)
}

func (d *Desk) postInvite(x *page.Request) error {
	quota, err := gigabytes(x.Form("quota"))
	size, err1 := strconv.Atoi(x.Form("size"))
	days, err2 := strconv.Atoi(x.Form("days"))
	uses, err3 := strconv.Atoi(x.Form("uses"))
	if err = errors.Join(err, err1, err2, err3); err != nil {
		return again(x, "invitations", "invitations.title", page.Problem{Word: "admin.invalid", Err: err}, d.invitations)
	}
	fresh, err := d.Invite(x.R.Context(), actor(x), InviteIn{Note: x.Form("note"), Domain: x.Form("domain"), Language: x.Form("language"), Quota: quota,
		Size: size, Days: days, Uses: uses, Cooperator: x.Form("cooperator") != "", Subscriber: x.Form("subscriber") != "", Approve: x.Form("approve") != ""})
	if err != nil {
		return again(x, "invitations", "invitations.title", err, d.invitations)
	}
	v, err := d.invitations(x)
	v.Fresh = fresh
	return show(x, "invitations", "invitations.title", v, err)
}

func (d *Desk) postWithdraw(x *page.Request) error {
	_, err := d.Withdraw(x.R.Context(), actor(x), InvitationID{x.Form("id")})
	return after(x, "/admin/invitations?done=withdrawn", err)
}

func (d *Desk) afterGroup(x *page.Request, err error) error {
	if err != nil {
		return again(x, "groups", "groups.title", err, d.groupsOf)
	}
	x.Redirect("/admin/groups?done=saved")
	return nil
}

func (d *Desk) postGroup(x *page.Request) error {
	_, err := d.AddGroup(x.R.Context(), actor(x), AddGroupIn{x.Form("address"), x.Form("name"), x.Form("forward") != ""})
	return d.afterGroup(x, err)
}

func (d *Desk) postMembership(x *page.Request) error {
	do := d.JoinGroup
	if x.Form("do") == "remove" {
		do = d.LeaveGroup
	}
	_, err := do(x.R.Context(), actor(x), MembershipIn{id(x), x.Form("member")})
	return d.afterGroup(x, err)
}

func (d *Desk) postDeleteGroup(x *page.Request) error {
	_, err := d.DeleteGroup(x.R.Context(), actor(x), id(x))
	return after(x, "/admin/groups?done=deleted", err)
}

func (d *Desk) afterDomain(x *page.Request, done string, err error) error {
	if err != nil {
		return again(x, "domains", "domains.title", err, func(x *page.Request) ([]Domain, error) { return d.Domains(x.R.Context(), actor(x), Nothing{}) })
	}
	x.Redirect("/admin/domains?done=" + done)
	return nil
}

func (d *Desk) postDomain(x *page.Request) error {
	_, err := d.PutDomain(x.R.Context(), actor(x), Domain{x.Form("name"), x.Form("catchall"), x.Form("aliasof")})
	return d.afterDomain(x, "saved", err)
}

func (d *Desk) postRemoveDomain(x *page.Request) error {
	_, err := d.RemoveDomain(x.R.Context(), actor(x), DomainName{x.Form("name")})
	return d.afterDomain(x, "deleted", err)
}

func (d *Desk) postQueue(x *page.Request) error {
	n, _ := strconv.ParseUint(x.Form("id"), 10, 64)
	do := d.Retry
	switch x.Form("do") {
	case "hold":
		do = d.Hold
	case "drop":
		do = d.Drop
	}
	_, err := do(x.R.Context(), actor(x), QueueID{n})
	return after(x, "/admin/queue?done=saved", err)
}

func (d *Desk) coopOf(x *page.Request) (Coop, error) {
	return d.Coop(x.R.Context(), actor(x), Nothing{})
}

func (d *Desk) postCoop(x *page.Request) error {
	quota, err := gigabytes(x.Form("quota"))
	if err != nil {
		return again(x, "coop", "coop.title", page.Problem{Word: "admin.invalid", Err: err}, d.coopOf)
	}
	_, err = d.SetCoop(x.R.Context(), actor(x), Coop{x.Form("name"), x.Form("domain"), x.Form("where"), x.Form("contact"), quota, strings.Fields(x.Form("languages"))})
	if err != nil {
		return again(x, "coop", "coop.title", err, d.coopOf)
	}
	x.Redirect("/admin/coop?done=saved")
	return nil
}
