package admin

import (
	"fmt"
	"strings"
	"testing"

	"essaim.coop/essaim/people"
)

// A form that could not be done is shown again with what was typed, and why.
func TestFormsKeepWhatWasTyped(t *testing.T) {
	o := office(t)
	p, err := o.desk.Person(t.Context(), people.Actor{}, ID{uint32(o.bram)})
	if err != nil {
		t.Fatal(err)
	}
	for path, c := range map[string]struct{ fields, keeps []string }{
		"/admin/invitations": {[]string{"note", "the <Martins>", "domain", "coop.example", "language", "nl", "quota", "2,5", "size", "many", "uses", "1", "days", "9", "cooperator", "yes"},
			[]string{`value="the &lt;Martins&gt;"`, `value="2,5"`, `value="many"`, `value="9"`, `<option value="nl" lang="nl" selected>`, `name="cooperator" value="yes" checked`, `name="subscriber" value="yes">`}},
		"/admin/groups":  {[]string{"name", "Potager", "address", "bram@coop.example", "forward", "yes"}, []string{`value="Potager"`, `value="bram@coop.example"`, `name="forward" value="yes" checked`}},
		"/admin/domains": {[]string{"name", "no domain", "catchall", "x@coop.example"}, []string{`value="no domain"`, `value="x@coop.example"`}},
		"/admin/coop":    {[]string{"name", "Nous", "domain", "evil.example", "where", "Liège", "contact", "a@b.c", "quota", "3"}, []string{`value="Nous"`, `value="evil.example"`, `value="Liège"`, `value="3"`}},
		fmt.Sprintf("/admin/households/%d", p.Household):  {[]string{"name", "Peeters", "paid", "tomorrow", "quota", "7", "size", "3", "note", "a <note>"}, []string{`value="Peeters"`, `value="7"`, `a &lt;note&gt;</textarea>`}},
		fmt.Sprintf("/admin/people/%d", o.bram):           {[]string{"name", strings.Repeat("x", 101)}, []string{strings.Repeat("x", 101)}},
		fmt.Sprintf("/admin/people/%d/addresses", o.bram): {[]string{"address", "amy@coop.example"}, []string{`value="amy@coop.example"`, `value="Bram &lt;b&gt;"`}},
	} {
		w := o.form(path, c.fields...)
		if w.Code != 422 || !strings.Contains(w.Body.String(), `role="alert"`) {
			t.Errorf("%s: %d", path, w.Code)
		}
		for _, keep := range c.keeps {
			if !strings.Contains(w.Body.String(), keep) {
				t.Errorf("%s lost %s:\n%s", path, keep, w.Body)
			}
		}
	}
}
