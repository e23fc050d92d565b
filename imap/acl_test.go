package imap

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
	"essaim.coop/essaim/storage/mailbox"
)

// A village is a house with yves, who is in no group, and info@, a group of
// zoe's with a quota of its own.
type village struct {
	*house
	yves, info storage.AccountID
}

func newVillage(t *testing.T) *village {
	v := &village{house: newHouse(t)}
	must(t, v.db.Update(func(tx *storage.Tx) error {
		for _, n := range []accounts.NewAccount{
			{Name: "Yves", Address: "yves@coop.example"},
			{Name: "Info", Address: "info@coop.example", Group: true, Quota: 100_000},
		} {
			a, err := accounts.Create(tx, n, now)
			if err != nil {
				return err
			}
			if err := mailbox.Ensure(tx, a.ID, now); err != nil {
				return err
			}
			if n.Group {
				v.info = a.ID
				continue
			}
			v.yves = a.ID
			if _, err := accounts.SetAppPassword(tx, a.ID, "a phone", accounts.ScopeIMAP, "secret", now); err != nil {
				return err
			}
		}
		return accounts.AddMember(tx, v.info, "zoe@coop.example")
	}))
	return v
}

func (v *village) as(t *testing.T, who string) *peer {
	t.Helper()
	p := v.dial(t)
	p.line()
	p.ok("LOGIN " + who + "@coop.example secret")
	return p
}

// refused sends a command and returns the code of its NO.
func (p *peer) refused(text string) string {
	p.t.Helper()
	_, l := p.cmd("r", text)
	if !strings.HasPrefix(l, "r NO [") {
		p.t.Errorf("%s: %s", text, l)
		return ""
	}
	code, _, _ := strings.Cut(l[len("r NO ["):], "]")
	return code
}

// names are those of a LIST.
func (p *peer) names(command string) []string {
	p.t.Helper()
	var out []string
	for _, l := range p.ok(command) {
		_, name, _ := strings.Cut(l, `"/" `)
		out = append(out, strings.Trim(name, `"`))
	}
	return out
}

func used(t *testing.T, db *storage.DB, a storage.AccountID) (n int64) {
	t.Helper()
	must(t, db.View(func(tx *storage.Tx) error {
		n, _ = tx.Quota(tx.Household(a))
		return nil
	}))
	return n
}

// A group's mailboxes are its members', and what they put there is the group's.
func TestGroupMailbox(t *testing.T) {
	v := newVillage(t)
	v.deliver(t, "INBOX", hello)
	zoe := v.as(t, "zoe")
	if got := zoe.ok("NAMESPACE"); got[0] != `* NAMESPACE (("" "/")) (("Other Users/" "/")) (("Shared/" "/"))` {
		t.Error(got)
	}
	if got := zoe.names(`LIST "" Shared/%/INBOX`); !slices.Equal(got, []string{"Shared/info@coop.example/INBOX"}) {
		t.Error(got)
	}
	if got := zoe.ok(`LIST "" Shar%`); len(got) != 1 || got[0] != `* LIST (\Noselect \HasChildren) "/" "Shared"` {
		t.Error(got)
	}
	for _, l := range zoe.ok(`LIST (SPECIAL-USE) "" *`) {
		if strings.Contains(l, "Shared") {
			t.Error("a group's special use is taken for one's own:", l)
		}
	}
	zoe.ok("SELECT INBOX")
	before := used(t, v.db, v.info)
	zoe.ok("COPY 1 Shared/info@coop.example/INBOX")
	size := int64(len(strings.ReplaceAll(hello, "\n", "\r\n")))
	if n := used(t, v.db, v.info) - before; n != size {
		t.Errorf("a copy charges the group %d bytes, want %d", n, size)
	}
	if c := zoe.refused(fmt.Sprintf("APPEND Shared/info@coop.example/INBOX {200000+}\r\n%s", strings.Repeat("x", 200_000))); c != "OVERQUOTA" {
		t.Error(c)
	}
	zoe.ok("CREATE Shared/info@coop.example/Done/2026")
	zoe.ok("SUBSCRIBE Shared/info@coop.example/Done")
	if got := zoe.names(`LSUB "" Shared/*`); !slices.Equal(got, []string{"Shared/info@coop.example/Done"}) {
		t.Error(got)
	}
	if c := zoe.refused("RENAME Shared/info@coop.example/Done Done"); c != "CANNOT" {
		t.Error(c)
	}
	if c := zoe.refused("SETACL Shared/info@coop.example/Done yves@coop.example lr"); c != "NOPERM" {
		t.Error("a member changes who has rights:", c)
	}
	if got := zoe.ok("MYRIGHTS Shared/info@coop.example/INBOX"); got[0] != "* MYRIGHTS Shared/info@coop.example/INBOX lrswipkxtecd" &&
		got[0] != `* MYRIGHTS "Shared/info@coop.example/INBOX" lrswipkxtecd` {
		t.Error(got)
	}

	// another member hears of it while idling
	must(t, v.db.Update(func(tx *storage.Tx) error { return accounts.AddMember(tx, v.info, "yves@coop.example") }))
	yves := v.as(t, "yves")
	yves.ok("SELECT Shared/info@coop.example/INBOX")
	yves.send("i IDLE\r\n")
	if l := yves.line(); !strings.HasPrefix(l, "+") {
		t.Fatal(l)
	}
	zoe.ok("SELECT Shared/info@coop.example/INBOX")
	zoe.ok(`STORE 1 +FLAGS (\Seen)`)
	if l := yves.line(); l != `* 1 FETCH (UID 1 FLAGS (\Seen))` {
		t.Error(l)
	}
	zoe.ok("MOVE 1 INBOX")
	if l := yves.line(); l != "* 1 EXPUNGE" {
		t.Error(l)
	}
	if n := used(t, v.db, v.info) - before; n != 0 {
		t.Errorf("%d bytes stay charged to the group", n)
	}
	// and is shown out when no longer one
	must(t, v.db.Update(func(tx *storage.Tx) error { return accounts.RemoveMember(tx, v.info, "yves@coop.example") }))
	if l := yves.line(); !strings.HasPrefix(l, "* BYE") {
		t.Error(l)
	}
}

// Whatever somebody without the right to look asks, the answer is that for a
// mailbox, or a member, that does not exist.
func TestNothingTellsThatAMailboxIsThere(t *testing.T) {
	v := newVillage(t)
	zoe := v.as(t, "zoe")
	zoe.ok("CREATE Secret")
	zoe.ok("CREATE Plans")
	zoe.ok("SETACL Plans yves@coop.example lr")
	yves := v.as(t, "yves")
	for _, command := range []string{"SELECT %s", "EXAMINE %s", "STATUS %s (MESSAGES)", "DELETE %s", "RENAME %s x", "RENAME Trash %s", "CREATE %s", "SUBSCRIBE %s",
		"GETACL %s", "MYRIGHTS %s", "SETACL %s yves@coop.example lr", "DELETEACL %s yves@coop.example", "LISTRIGHTS %s yves@coop.example", "APPEND %s {1+}\r\nx"} {
		_, want := yves.cmd("t", fmt.Sprintf(command, `"Other Users/zoe@coop.example/Nothing/x"`))
		for _, name := range []string{"Other Users/zoe@coop.example/Secret", "Other Users/zoe@coop.example/Secret/x", "Other Users/zoe@coop.example/INBOX", "Shared/info@coop.example/INBOX", "Other Users/nobody@coop.example/INBOX"} {
			_, got := yves.cmd("t", fmt.Sprintf(command, `"`+name+`"`))
			if got != want || !strings.HasPrefix(got, "t NO") {
				t.Errorf("%s of %s: %s, and for nothing %s", command, name, got, want)
			}
		}
	}
	want := []string{"Other Users", "Other Users/zoe@coop.example", "Other Users/zoe@coop.example/Plans"}
	if got := yves.names(`LIST "" "Other Users*"`); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := yves.ok(`LIST "" "Other Users*" RETURN (MYRIGHTS)`); len(got) != 4 || got[3] != `* MYRIGHTS "Other Users/zoe@coop.example/Plans" lr` {
		t.Errorf("%q", got)
	}
	if got := yves.ok(`LIST "" Shared*`); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

// Every right of RFC 4314 §4, and what is missing without it.
func TestRights(t *testing.T) {
	v := newVillage(t)
	v.deliver(t, "INBOX", hello)
	zoe, yves := v.as(t, "zoe"), v.as(t, "yves")
	zoe.ok("CREATE Plans/2026")
	zoe.ok("SELECT INBOX")
	zoe.ok("COPY 1 Plans")
	zoe.ok("COPY 1 Plans")
	v.deliver(t, "Drafts", hello)
	yves.ok("NOOP")
	const plans = `"Other Users/zoe@coop.example/Plans"`
	set := func(rights string) { zoe.ok(fmt.Sprintf("SETACL Plans yves@coop.example %q", rights)) }
	must(t, v.db.Update(func(tx *storage.Tx) error { // something to copy
		b, err := mailbox.Open(tx, v.yves, "INBOX")
		if err != nil {
			return err
		}
		from, err := mailbox.Open(tx, v.zoe, "INBOX")
		if err == nil {
			_, err = mailbox.Copy(tx, from, b, []storage.Range{{From: 1, To: 1}}, mailbox.AllFlags, now)
		}
		return err
	}))
	set("l")
	if c := yves.refused("SELECT " + plans); c != "NOPERM" {
		t.Error(c)
	}
	if got := yves.ok(`LIST "" "Other Users/*" RETURN (STATUS (MESSAGES))`); len(got) != 2 {
		t.Errorf("a STATUS without r: %q", got)
	}
	set("lr")
	got := yves.ok("SELECT " + plans)
	if !slices.Contains(got, "* OK [PERMANENTFLAGS ()] read-only") {
		t.Errorf("%q", got)
	}
	yves.ok("FETCH 1 BODY[]") // marks nothing
	for _, c := range []string{`STORE 1 +FLAGS (\Seen)`, "EXPUNGE", "MOVE 1 INBOX"} {
		if code := yves.refused(c); code != "NOPERM" {
			t.Error(c, code)
		}
	}
	yves.ok("COPY 1 INBOX")
	yves.ok("CLOSE")

	set("lrs")
	got = yves.ok("SELECT " + plans)
	if !slices.Contains(got, `* OK [PERMANENTFLAGS (\Seen)] kept`) {
		t.Errorf("%q", got)
	}
	if got := yves.ok(`STORE 1 FLAGS (\Seen \Flagged \Deleted $Work)`); got[0] != `* 1 FETCH (UID 1 FLAGS (\Seen))` {
		t.Errorf("%q", got)
	}
	if c := yves.refused(`STORE 1 +FLAGS (\Flagged)`); c != "NOPERM" {
		t.Error(c)
	}
	set("lrsw")
	yves.ok("NOOP") // hears of it
	if got := yves.ok(`STORE 2 FLAGS (\Flagged \Deleted $Work)`); !slices.Contains(got, `* 2 FETCH (UID 2 FLAGS (\Flagged $Work))`) {
		t.Errorf("%q", got)
	}
	set("lrswt")
	yves.ok(`STORE 2 +FLAGS (\Deleted)`)
	if c := yves.refused("EXPUNGE"); c != "NOPERM" {
		t.Error(c)
	}
	yves.ok("CLOSE") // expunges nothing
	if got := zoe.ok("STATUS Plans (MESSAGES DELETED)"); got[0] != "* STATUS Plans (MESSAGES 2 DELETED 1)" && got[0] != `* STATUS "Plans" (MESSAGES 2 DELETED 1)` {
		t.Error(got)
	}
	set("lrswte")
	yves.ok("SELECT " + plans)
	yves.ok("EXPUNGE")
	yves.ok("MOVE 1 INBOX")
	yves.ok("SELECT INBOX")
	if c := yves.refused("COPY 1 " + plans); c != "NOPERM" {
		t.Error(c)
	}
	set("lri")
	yves.ok(`STORE 1 FLAGS (\Seen \Flagged \Deleted $Work)`)
	yves.ok("COPY 1 " + plans)
	yves.ok("APPEND " + plans + " (\\Seen) {1+}\r\nx")
	yves.ok("EXAMINE " + plans)
	if got := yves.ok("FETCH 1:* FLAGS"); len(got) != 2 || !strings.HasSuffix(got[0], "FLAGS ())") || !strings.HasSuffix(got[1], "FLAGS ())") {
		t.Errorf("flags without the right to set them: %q", got)
	}
	if c := yves.refused(`CREATE "Other Users/zoe@coop.example/Plans/x"`); c != "NOPERM" {
		t.Error(c)
	}
	set("lrk")
	yves.ok(`CREATE "Other Users/zoe@coop.example/Plans/x/y"`)
	if got := yves.ok(`MYRIGHTS "Other Users/zoe@coop.example/Plans/x/y"`); !strings.HasSuffix(got[0], " lrkc") {
		t.Errorf("what it inherits: %q", got)
	}
	if c := yves.refused(`DELETE "Other Users/zoe@coop.example/Plans/x/y"`); c != "NOPERM" {
		t.Error(c)
	}
	zoe.ok("SETACL Plans/x/y yves@coop.example +x")
	yves.ok(`RENAME "Other Users/zoe@coop.example/Plans/x/y" "Other Users/zoe@coop.example/Plans/z"`)
	yves.ok(`DELETE "Other Users/zoe@coop.example/Plans/z"`)
	if c := yves.refused("SETACL " + plans + " yves@coop.example lra"); c != "NOPERM" {
		t.Error(c)
	}
	set("lra")
	yves.ok("SETACL " + plans + " info@coop.example lrd")
	if got := yves.ok("GETACL " + plans); !strings.HasSuffix(got[0], " zoe@coop.example lrswipkxteacd yves@coop.example lra info@coop.example lrted") {
		t.Errorf("%q", got)
	}
	if got := yves.ok("LISTRIGHTS " + plans + " info@coop.example"); !strings.HasSuffix(got[0], ` info@coop.example "" l r s w i p k x t e a c d`) {
		t.Errorf("%q", got)
	}
	if c := yves.refused("SETACL " + plans + " zoe@coop.example lr"); c != "CANNOT" {
		t.Error(c)
	}
	if _, l := yves.cmd("b", "SETACL "+plans+" info@coop.example lrz"); !strings.HasPrefix(l, "b BAD") {
		t.Error(l)
	}
	zoe.ok("DELETEACL Plans yves@coop.example")
	if c := yves.refused("SELECT " + plans); c != "NONEXISTENT" {
		t.Error(c)
	}
}
