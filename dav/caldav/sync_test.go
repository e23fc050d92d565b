package caldav

import (
	"strings"
	"testing"
)

// What a calendar's changes look like to who follows it (RFC 6578 §3.5): each name once,
// in its last state.
func TestSyncReport(t *testing.T) {
	h := newHouse(t)
	token := ""
	sync := func(props string) string {
		t.Helper()
		answer := h.want(207, nil, "anna", "REPORT", annaCal, `<D:sync-collection`+spaces+`><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop>`+props+`</D:prop></D:sync-collection>`)
		_, rest, _ := strings.Cut(answer, "<D:sync-token>")
		token, _, _ = strings.Cut(rest, "</")
		return answer
	}
	put := func(name, lines string) { t.Helper(); h.do("anna", "PUT", annaCal+name+".ics", ics(name, lines)) }
	const at = "DTSTART:20270310T100000Z|SUMMARY:"
	sync("<D:getetag/>")
	for _, c := range []struct {
		section, what string
		do            func()
		names, gone   string
	}{
		{"3.5.1", "added", func() { put("a", at+"1"); put("b", at+"1") }, "a b", ""},
		{"3.5.1", "changed twice", func() { put("a", at+"2"); put("a", at+"3") }, "a", ""},
		{"3.5", "the same again", func() { put("a", at+"3") }, "a", ""},
		{"3.5.2", "removed", func() { h.do("anna", "DELETE", annaCal+"a.ics", "") }, "a", "a"},
		{"3.5.2", "added and removed", func() { put("c", at+"1"); h.do("anna", "DELETE", annaCal+"c.ics", "") }, "c", "c"},
		{"3.5.1", "removed and added", func() { h.do("anna", "DELETE", annaCal+"b.ics", ""); put("b", at+"2") }, "b", ""},
		{"3.5.1", "another property", func() { h.do("anna", "PROPPATCH", annaCal+"b.ics", proppatch(`<X:a xmlns:X="urn:x">1</X:a>`)) }, "b", ""},
		{"3.5.2", "under another name", func() { h.do("anna", "MOVE", annaCal+"b.ics", "", "Destination", annaCal+"d.ics") }, "b d", "b"},
		{"3.5.2", "to another calendar", func() {
			h.do("anna", "MKCALENDAR", annaHome+"other/", "")
			h.do("anna", "MOVE", annaCal+"d.ics", "", "Destination", annaHome+"other/d.ics")
		}, "d", "d"},
		{"3.5", "nothing", func() {}, "", ""},
		{"3.5", "refused", func() { put("e", "SUMMARY:without a start") }, "", ""},
		{"3.5", "the calendar's name", func() { h.do("anna", "PROPPATCH", annaCal, proppatch("<D:displayname>Mine</D:displayname>")) }, "", ""},
	} {
		c.do()
		answer := sync("<D:getetag/>")
		var gone []string
		for _, r := range strings.Split(answer, "<D:response>")[1:] {
			if strings.Contains(r, "404 Not Found") {
				gone = append(gone, names(r))
			}
		}
		if got := names(answer); c.what != "the same again" && got != c.names || strings.Join(gone, " ") != c.gone {
			t.Errorf("§%s, %s: %q, gone %q", c.section, c.what, got, gone)
		}
	}
	// The token is a property, too (§4), names a state in If (§5), and an old one is
	// refused by If but not by the report.
	h.want(207, []string{"<D:sync-token>" + token + "<"}, "anna", "PROPFIND", annaCal, propfind("<D:sync-token/>"), "Depth", "0")
	old := token
	h.want(201, nil, "anna", "PUT", annaCal+"f.ics", ics("f", at), "If", "<"+annaCal+"> (<"+token+">)")
	h.want(412, nil, "anna", "PUT", annaCal+"g.ics", ics("g", at), "If", "<"+annaCal+"> (<"+old+">)")
	if got := sync("<C:calendar-data/>"); names(got) != "f" || !strings.Contains(got, "UID:f") {
		t.Errorf("with the data: %s", got)
	}
	h.want(403, []string{"supported-report"}, "anna", "REPORT", annaHome, `<D:sync-collection`+spaces+`><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>`)
	h.want(403, []string{"valid-sync-token"}, "anna", "REPORT", annaHome+"other/", `<D:sync-collection`+spaces+`><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>`)
}
