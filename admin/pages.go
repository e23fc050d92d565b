package admin

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"essaim.coop/essaim/internal/page"
	"essaim.coop/essaim/internal/zone"
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
		get("/admin/shared", d.sharedPage),
		post("/admin/shared", d.postShare),
		get("/admin/shared/{collection}/{item}", d.oneSharedPage),
		post("/admin/shared/{collection}/{item}/rights", d.postRights),
		post("/admin/shared/{collection}/{item}/remove", d.postRemoveShared),
		get("/admin/domains", d.domainsPage),
		post("/admin/domains", d.postDomain),
		post("/admin/domains/remove", d.postRemoveDomain),
		get("/admin/domains/{name}", d.domainPage),
		get("/admin/start", d.startPage),
		get("/admin/queue", d.queuePage),
		post("/admin/queue", d.postQueue),
		get("/admin/traces", d.tracesPage),
		get("/admin/backup", d.backupPage),
		post("/admin/backup", d.postBackup),
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

type groupsData struct {
	List []Group
	Next uint32
}

func (d *Desk) groupsOf(x *page.Request) (groupsData, error) {
	from := fromOf(x)
	list, err := d.Groups(x.R.Context(), actor(x), from)
	return groupsData{list, from.next(len(list))}, err
}

func (d *Desk) groupsPage(x *page.Request) error {
	list, err := d.groupsOf(x)
	return show(x, "groups", "groups.title", list, err)
}

func (d *Desk) domainsPage(x *page.Request) error {
	list, err := d.Domains(x.R.Context(), actor(x), Nothing{})
	return show(x, "domains", "domains.title", list, err)
}

// domainPage shows what a domain must publish and, when asked, what the world
// sees of it.
func (d *Desk) domainPage(x *page.Request) error {
	name := x.R.PathValue("name")
	if err := d.ours(name); err != nil {
		return problem(err)
	}
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
	from := fromOf(x)
	list, err := d.Queue(x.R.Context(), actor(x), from)
	return show(x, "queue", "queue.title", map[string]any{"List": list, "Now": d.Now(), "Next": from.next(len(list))}, err)
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
