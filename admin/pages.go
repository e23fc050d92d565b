package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/zone"
	"essaim.coop/essaim/storage"
)

func (d *Desk) pageRoutes() []page.Route {
	get := func(path string, do func(*page.Request) error) page.Route {
		return page.Route{Pattern: "GET " + path, Access: page.Admin, Do: do}
	}
	post := func(path string, do func(*page.Request) error) page.Route {
		return page.Route{Pattern: "POST " + path, Access: page.Admin, Do: do}
	}
	csv := post("/admin/payments", d.postPayments)
	csv.Body = apiBody
	return []page.Route{
		get("/admin", d.overviewPage),
		get("/admin/people", d.peoplePage),
		get("/admin/people/{id}", d.personPage),
		post("/admin/people/{id}", d.postPerson),
		post("/admin/people/{id}/approve", d.postApprove),
		post("/admin/people/{id}/suspend", d.postSuspend),
		post("/admin/people/{id}/recovery", d.postRecovery),
		post("/admin/people/{id}/addresses", d.postAddress),
		post("/admin/people/{id}/delete", d.postDelete),
		get("/admin/households", d.householdsPage),
		get("/admin/households.csv", d.householdsCSV),
		get("/admin/households/{id}", d.householdPage),
		post("/admin/households/{id}", d.postHousehold),
		csv,
		get("/admin/invitations", d.invitationsPage),
		post("/admin/invitations", d.postInvite),
		post("/admin/invitations/withdraw", d.postWithdraw),
		get("/admin/groups", d.groupsPage),
		post("/admin/groups", d.postGroup),
		post("/admin/groups/{id}/members", d.postMembership),
		post("/admin/groups/{id}/delete", d.postDeleteGroup),
		get("/admin/domains", d.domainsPage),
		post("/admin/domains", d.postDomain),
		post("/admin/domains/remove", d.postRemoveDomain),
		get("/admin/domains/{name}", d.domainPage),
		get("/admin/start", d.startPage),
		get("/admin/queue", d.queuePage),
		post("/admin/queue", d.postQueue),
		get("/admin/traces", d.tracesPage),
		get("/admin/log", d.logPage),
		get("/admin/coop", d.coopPage),
		post("/admin/coop", d.postCoop),
	}
}

// show writes the page of an operation's answer.
func show[T any](x *page.Request, name, title string, out T, err error) error {
	if err != nil {
		return problem(err)
	}
	return x.Page(name, title, out)
}

// after leads on when a form's operation is done, or says why not.
func after(x *page.Request, to string, err error) error {
	if err != nil {
		return problem(err)
	}
	x.Redirect(to)
	return nil
}

func id(x *page.Request) ID {
	n, _ := strconv.ParseUint(x.R.PathValue("id"), 10, 32)
	return ID{uint32(n)}
}

func fromOf(x *page.Request) From {
	n, _ := strconv.ParseUint(x.R.URL.Query().Get("from"), 10, 31)
	return From{uint32(n), pageRows}
}

func (d *Desk) overviewPage(x *page.Request) error {
	o, err := d.Overview(x.R.Context(), actor(x), Nothing{})
	return show(x, "overview", "overview.title", o, err)
}

func (d *Desk) peoplePage(x *page.Request) error {
	q := x.R.URL.Query().Get("q")
	from := fromOf(x)
	list, err := d.People(x.R.Context(), actor(x), PeopleIn{q, from})
	return show(x, "people", "people.title", map[string]any{"Query": q, "List": list, "Next": from.next(len(list))}, err)
}

// A Fact is a word about somebody; Bad ones ask for attention.
type Fact struct {
	Word string
	Bad  bool
}

// Facts are what the list of people says of one.
func (p Person) Facts() (out []Fact) {
	for _, f := range []struct {
		is bool
		Fact
	}{
		{p.Waiting, Fact{"is.waiting", true}}, {p.Suspended && !p.Waiting, Fact{"is.suspended", true}}, {!p.Leaving.IsZero(), Fact{"is.leaving", true}},
		{p.Late, Fact{"is.late", true}}, {p.Cooperator, Fact{"is.cooperator", false}}, {p.Subscriber, Fact{"is.subscriber", false}}, {p.Admin, Fact{"is.admin", false}},
	} {
		if f.is {
			out = append(out, f.Fact)
		}
	}
	return out
}

// personData is a person's page; Codes are shown once.
type personData struct {
	Person
	Fresh []string
}

func (d *Desk) personPage(x *page.Request) error {
	p, err := d.Person(x.R.Context(), actor(x), id(x))
	return show(x, "person", "person.title", personData{Person: p}, err)
}

func (d *Desk) personPath(x *page.Request) string { return fmt.Sprintf("/admin/people/%d", id(x).ID) }

func (d *Desk) postPerson(x *page.Request) error {
	name := x.Form("name")
	yes := func(field string) *bool { b := x.Form(field) != ""; return &b }
	_, err := d.ChangePerson(x.R.Context(), actor(x), ChangePersonIn{ID: id(x), Name: &name,
		Cooperator: yes("cooperator"), Subscriber: yes("subscriber"), Admin: yes("admin")})
	return after(x, d.personPath(x)+"?done=saved", err)
}

func (d *Desk) postApprove(x *page.Request) error {
	_, err := d.Approve(x.R.Context(), actor(x), id(x))
	return after(x, d.personPath(x)+"?done=approved", err)
}

func (d *Desk) postSuspend(x *page.Request) error {
	to := x.Form("to") == "suspended"
	_, err := d.ChangePerson(x.R.Context(), actor(x), ChangePersonIn{ID: id(x), Suspended: &to})
	return after(x, d.personPath(x)+"?done=saved", err)
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
	return after(x, d.personPath(x)+"?done=saved", err)
}

func (d *Desk) postDelete(x *page.Request) error {
	_, err := d.DeletePerson(x.R.Context(), actor(x), DeletePersonIn{id(x), x.Form("address")})
	return after(x, "/admin/people?done=deleted", err)
}

func (d *Desk) householdsPage(x *page.Request) error {
	late := x.R.URL.Query().Get("late") != ""
	from := fromOf(x)
	list, err := d.Households(x.R.Context(), actor(x), HouseholdsIn{late, from})
	return show(x, "households", "households.title", map[string]any{"List": list, "Late": late, "Next": from.next(len(list))}, err)
}

func (d *Desk) householdsCSV(x *page.Request) error {
	body, err := d.HouseholdsCSV(x.R.Context(), actor(x))
	if err != nil {
		return problem(err)
	}
	h := x.W.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="households.csv"`)
	h.Set("Cache-Control", "no-store")
	_, _ = x.W.Write(body)
	return nil
}

func (d *Desk) householdPage(x *page.Request) error {
	h, err := d.Household(x.R.Context(), actor(x), id(x))
	return show(x, "household", "household.title", h, err)
}

// Gigabytes and MemberIDs are for the page.
func (h Household) Gigabytes() float64 { return float64(h.Quota) / 1e9 }

// A MemberLink leads to a member's page.
type MemberLink struct {
	ID      uint32
	Address string
}

// MemberLinks are the household's members.
func (h Household) MemberLinks() (out []MemberLink) {
	for i, a := range h.Members {
		out = append(out, MemberLink{h.memberIDs[i], a})
	}
	return out
}

func (d *Desk) postHousehold(x *page.Request) error {
	name, note, paid := x.Form("name"), x.Form("note"), x.Form("paid")
	size, err := strconv.Atoi(x.Form("size"))
	quota, err2 := gigabytes(x.Form("quota"))
	if err = errors.Join(err, err2); err != nil {
		return page.Problem{Word: "admin.invalid", Err: err}
	}
	_, err = d.ChangeHousehold(x.R.Context(), actor(x), ChangeHouseholdIn{ID: id(x), Name: &name, Note: &note, Paid: &paid, Size: &size, Quota: &quota})
	return after(x, fmt.Sprintf("/admin/households/%d?done=saved", id(x).ID), err)
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

type invitationsData struct {
	List    []Invitation
	Domains []Domain
	Coop    Coop
	Fresh   Invitation
}

func (d *Desk) invitations(x *page.Request) (v invitationsData, err error) {
	if v.List, err = d.Invitations(x.R.Context(), actor(x), Nothing{}); err != nil {
		return v, err
	}
	if v.Domains, err = d.Domains(x.R.Context(), actor(x), Nothing{}); err != nil {
		return v, err
	}
	v.Coop, err = d.Coop(x.R.Context(), actor(x), Nothing{})
	return v, err
}

func (d *Desk) invitationsPage(x *page.Request) error {
	v, err := d.invitations(x)
	return show(x, "invitations", "invitations.title", v, err)
}

func (d *Desk) postInvite(x *page.Request) error {
	quota, err := gigabytes(x.Form("quota"))
	size, err1 := strconv.Atoi(x.Form("size"))
	days, err2 := strconv.Atoi(x.Form("days"))
	uses, err3 := strconv.Atoi(x.Form("uses"))
	if err = errors.Join(err, err1, err2, err3); err != nil {
		return page.Problem{Word: "admin.invalid", Err: err}
	}
	fresh, err := d.Invite(x.R.Context(), actor(x), InviteIn{Note: x.Form("note"), Domain: x.Form("domain"), Language: x.Form("language"), Quota: quota,
		Size: size, Days: days, Uses: uses, Cooperator: x.Form("cooperator") != "", Subscriber: x.Form("subscriber") != "", Approve: x.Form("approve") != ""})
	if err != nil {
		return problem(err)
	}
	v, err := d.invitations(x)
	v.Fresh = fresh
	return show(x, "invitations", "invitations.title", v, err)
}

func (d *Desk) postWithdraw(x *page.Request) error {
	_, err := d.Withdraw(x.R.Context(), actor(x), InvitationID{x.Form("id")})
	return after(x, "/admin/invitations?done=withdrawn", err)
}

func (d *Desk) groupsPage(x *page.Request) error {
	list, err := d.Groups(x.R.Context(), actor(x), Nothing{})
	return show(x, "groups", "groups.title", list, err)
}

func (d *Desk) postGroup(x *page.Request) error {
	_, err := d.AddGroup(x.R.Context(), actor(x), AddGroupIn{x.Form("address"), x.Form("name"), x.Form("forward") != ""})
	return after(x, "/admin/groups?done=saved", err)
}

func (d *Desk) postMembership(x *page.Request) error {
	do := d.JoinGroup
	if x.Form("do") == "remove" {
		do = d.LeaveGroup
	}
	_, err := do(x.R.Context(), actor(x), MembershipIn{id(x), x.Form("member")})
	return after(x, "/admin/groups?done=saved", err)
}

func (d *Desk) postDeleteGroup(x *page.Request) error {
	_, err := d.DeleteGroup(x.R.Context(), actor(x), id(x))
	return after(x, "/admin/groups?done=deleted", err)
}

func (d *Desk) domainsPage(x *page.Request) error {
	list, err := d.Domains(x.R.Context(), actor(x), Nothing{})
	return show(x, "domains", "domains.title", list, err)
}

func (d *Desk) postDomain(x *page.Request) error {
	_, err := d.PutDomain(x.R.Context(), actor(x), Domain{x.Form("name"), x.Form("catchall"), x.Form("aliasof")})
	return after(x, "/admin/domains?done=saved", err)
}

func (d *Desk) postRemoveDomain(x *page.Request) error {
	_, err := d.RemoveDomain(x.R.Context(), actor(x), DomainName{x.Form("name")})
	return after(x, "/admin/domains?done=deleted", err)
}

// domainPage shows what a domain must publish and, when asked, what the world
// sees of it.
func (d *Desk) domainPage(x *page.Request) error {
	name := x.R.PathValue("name")
	var b strings.Builder
	if err := zone.Print(&b, d.Site(name).Records()); err != nil {
		return err
	}
	v := map[string]any{"Name": name, "Zone": b.String(), "Findings": []Finding(nil), "Check": "/admin/domains/" + url.PathEscape(name) + "?check=yes"}
	if x.R.URL.Query().Get("check") != "" {
		list, err := d.CheckDomain(x.R.Context(), actor(x), DomainName{name})
		if err != nil {
			return problem(err)
		}
		v["Findings"] = list
	}
	return x.Page("domain", "domain.title", v)
}

// startData is the three lists, and whether the page looks again by itself.
type startData struct {
	Start
	Watched   bool
	NoAddress bool
}

// watchEvery is how often the page looks again, in seconds, when asked to.
const watchEvery = "60"

// startPage shows the lists as the world is now. It looks again by itself only
// on wish (WCAG 2.2, failure F41), and until all is there.
func (d *Desk) startPage(x *page.Request) error {
	s, err := d.Start(x.R.Context(), actor(x), StartIn{Check: true, Language: string(x.Lang)})
	v := startData{Start: s, NoAddress: len(s.Provider) == 0, Watched: x.R.URL.Query().Get("watch") != "" && !s.Ready()}
	if v.Watched && err == nil {
		x.W.Header().Set("Refresh", watchEvery)
	}
	return show(x, "start", "start.title", v, err)
}

func (d *Desk) queuePage(x *page.Request) error {
	list, err := d.Queue(x.R.Context(), actor(x), Nothing{})
	return show(x, "queue", "queue.title", list, err)
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

func (d *Desk) tracesPage(x *page.Request) error {
	in := TracesIn{x.R.URL.Query().Get("q"), ""}
	list, err := d.FindTraces(x.R.Context(), actor(x), in)
	return show(x, "traces", "traces.title", map[string]any{"Query": in.Query, "List": list}, err)
}

func (d *Desk) logPage(x *page.Request) error {
	before, _ := strconv.ParseUint(x.R.URL.Query().Get("before"), 10, 64)
	list, err := d.Log(x.R.Context(), actor(x), LogIn{before})
	next := uint64(0)
	if len(list) == logRows {
		next = list[len(list)-1].Number
	}
	return show(x, "log", "log.title", map[string]any{"List": list, "Next": next}, err)
}

func (d *Desk) coopPage(x *page.Request) error {
	c, err := d.Coop(x.R.Context(), actor(x), Nothing{})
	return show(x, "coop", "coop.title", c, err)
}

// Gigabytes is the offered quota as the page shows it.
func (c Coop) Gigabytes() float64 { return float64(c.Quota) / 1e9 }

func (d *Desk) postCoop(x *page.Request) error {
	quota, err := gigabytes(x.Form("quota"))
	if err != nil {
		return page.Problem{Word: "admin.invalid", Err: err}
	}
	_, err = d.SetCoop(x.R.Context(), actor(x), Coop{x.Form("name"), x.Form("domain"), x.Form("where"), x.Form("contact"), quota, strings.Fields(x.Form("languages"))})
	return after(x, "/admin/coop?done=saved", err)
}
