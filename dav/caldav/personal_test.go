package caldav

import (
	"fmt"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
)

// share gives somebody rights on anna's calendar, and returns where they have it.
func (h *house) share(with string, r storage.Rights) (path string) {
	h.t.Helper()
	h.Update(func(tx *storage.Tx) error {
		c, err := tx.CollectionByName(h.Accounts["anna"], storage.KindCalendar, "calendar")
		if err != nil {
			return err
		}
		path = fmt.Sprintf("/dav/calendars/%s@coop.example/~%d/", with, c.ID)
		return tx.SetACL(c.ID.Object(), h.Accounts[with], r)
	})
	return path
}

func alarmed(trigger string) string {
	return "|BEGIN:VALARM|ACTION:DISPLAY|TRIGGER:" + trigger + "|DESCRIPTION:x|END:VALARM"
}

// get is an object as a member sees it, with its tag.
func (h *house) get(user, path string) (text, tag string) {
	h.t.Helper()
	status, text, head := h.do(user, "GET", path, "")
	if status != 200 {
		h.t.Fatalf("GET %s: %d\n%s", path, status, text)
	}
	if n := head.Get("Content-Length"); n != "" && n != fmt.Sprint(len(text)) {
		h.t.Errorf("Content-Length %s of %d bytes", n, len(text))
	}
	return text, head.Get("ETag")
}

// put stores with the tag, and fails unless the status is right.
func (h *house) put(want int, user, path, text, tag string) string {
	h.t.Helper()
	status, answer, head := h.do(user, "PUT", path, text, "If-Match", tag)
	if status != want {
		h.t.Errorf("PUT %s: %d, want %d\n%s", path, status, want, answer)
	}
	return head.Get("ETag")
}

// changed follows a collection: the names that changed since the token, and the next.
func (h *house) changed(user, path, token string) (string, string) {
	h.t.Helper()
	answer := h.want(207, nil, user, "REPORT", path, `<D:sync-collection`+spaces+`><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`)
	_, rest, _ := strings.Cut(answer, "<D:sync-token>")
	token, _, _ = strings.Cut(rest, "<")
	return names(answer), token
}

const readers = storage.RightLookup | storage.RightRead | storage.RightSeen

// The owner's alarms are the owner's, each reader's are theirs, and neither learns
// of the other's; a reader changes nothing else.
func TestReadersAlarms(t *testing.T) {
	h := newHouse(t)
	text := ics("1", "DTSTART:20270310T100000Z|SUMMARY:Walk"+alarmed("-PT1M"))
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", text)
	cleo, ben := h.share("cleo", readers), h.share("ben", readers&^storage.RightSeen)
	_, annaTag := h.get("anna", annaCal+"one.ics")
	bare, tag := h.get("cleo", cleo+"one.ics")
	if strings.Contains(bare, "VALARM") || !strings.Contains(bare, "SUMMARY:Walk") || tag == annaTag {
		t.Errorf("tag %s\n%s", tag, bare)
	}
	_, token := h.changed("cleo", cleo, "")
	_, annaToken := h.changed("anna", annaCal, "")

	mine := ics("1", "DTSTART:20270310T100000Z|SUMMARY:Walk|TRANSP:TRANSPARENT"+alarmed("-PT2M"))
	h.put(412, "cleo", cleo+"one.ics", mine, annaTag)
	h.put(204, "cleo", cleo+"one.ics", mine, tag)
	got, mineTag := h.get("cleo", cleo+"one.ics")
	if got != mine || mineTag == tag || mineTag == annaTag {
		t.Errorf("tag %s\n%s", mineTag, got)
	}
	h.put(412, "cleo", cleo+"one.ics", mine, tag)
	if back := h.put(204, "cleo", cleo+"one.ics", mine, mineTag); back != mineTag {
		t.Errorf("tag %q after what was there, not %s", back, mineTag)
	}
	if same, tag := h.get("anna", annaCal+"one.ics"); same != text || tag != annaTag {
		t.Errorf("anna's: %s\n%s", tag, same)
	}
	if other, tag2 := h.get("ben", ben+"one.ics"); other != bare || tag2 != tag {
		t.Errorf("ben's: %s\n%s", tag2, other)
	}
	if all, _ := h.changed("cleo", cleo, token); all != "one" {
		t.Errorf("cleo is told of %q", all)
	}
	if all, _ := h.changed("anna", annaCal, annaToken); all != "one" {
		t.Errorf("anna is told of %q", all)
	}

	h.want(403, []string{"need-privileges", "write-content"}, "cleo", "PUT", cleo+"one.ics", strings.Replace(mine, "Walk", "Run", 1))
	h.want(403, []string{"need-privileges"}, "cleo", "PUT", cleo+"two.ics", strings.Replace(mine, "UID:1", "UID:2", 1))
	h.want(403, []string{"need-privileges"}, "ben", "PUT", ben+"one.ics", mine)
	h.want(403, []string{"max-resource-size"}, "cleo", "PUT", cleo+"one.ics", ics("1", "DTSTART:20270310T100000Z|SUMMARY:Walk"+strings.Repeat(alarmed("-PT3M"), 600)))
	h.want(403, nil, "cleo", "DELETE", cleo+"one.ics", "")

	// Her own alarm of the owner changes nothing for who has none; the text does for all.
	h.want(204, nil, "anna", "PUT", annaCal+"one.ics", strings.Replace(text, "-PT1M", "-PT9M", 1))
	if _, now := h.get("ben", ben+"one.ics"); now != tag {
		t.Errorf("ben's tag is %s, was %s", now, tag)
	}
	if _, now := h.get("cleo", cleo+"one.ics"); now != mineTag {
		t.Errorf("cleo's tag is %s, was %s", now, mineTag)
	}
	h.want(204, nil, "anna", "PUT", annaCal+"one.ics", strings.Replace(text, "Walk", "Stroll", 1))
	if now, tag := h.get("cleo", cleo+"one.ics"); now != strings.Replace(mine, "Walk", "Stroll", 1) || tag == mineTag {
		t.Errorf("%s\n%s", tag, now)
	}
	h.want(204, nil, "anna", "DELETE", annaCal+"one.ics", "")
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", text)
	if now, _ := h.get("cleo", cleo+"one.ics"); now != bare {
		t.Errorf("after it was made anew:\n%s", now)
	}
}

// Who may write changes the object for all and their alarms for themselves, in one
// PUT; what they copy away is without anybody's.
func TestWritersAlarms(t *testing.T) {
	h := newHouse(t)
	text := ics("1", "DTSTART:20270310T100000Z|SUMMARY:Walk"+alarmed("-PT1M"))
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", text)
	cleo := h.share("cleo", storage.GroupRights)
	_, tag := h.get("cleo", cleo+"one.ics")
	mine := ics("1", "DTSTART:20270310T100000Z|SUMMARY:Run"+alarmed("-PT2M"))
	now := h.put(204, "cleo", cleo+"one.ics", mine, tag)
	if got, tag := h.get("cleo", cleo+"one.ics"); got != mine || tag != now {
		t.Errorf("tag %s, was told %s\n%s", tag, now, got)
	}
	if got, _ := h.get("anna", annaCal+"one.ics"); got != strings.Replace(text, "Walk", "Run", 1) {
		t.Errorf("anna's\n%s", got)
	}
	h.put(204, "cleo", cleo+"one.ics", strings.ReplaceAll(mine, "20270101T000000Z", "20270202T000000Z"), now)
	if got, again := h.get("cleo", cleo+"one.ics"); got != mine || again != now {
		t.Errorf("a later DTSTAMP alone: %s\n%s", again, got)
	}
	fresh := ics("2", "DTSTART:20270311T100000Z|SUMMARY:New"+alarmed("-PT3M"))
	h.want(201, nil, "cleo", "PUT", cleo+"two.ics", fresh, "If-None-Match", "*")
	if got, _ := h.get("cleo", cleo+"two.ics"); got != fresh {
		t.Errorf("cleo's\n%s", got)
	}
	if got, _ := h.get("anna", annaCal+"two.ics"); got != strings.ReplaceAll(ics("2", "DTSTART:20270311T100000Z|SUMMARY:New"), "|", "") {
		t.Errorf("anna's\n%s", got)
	}
}

func TestCopiesHaveNoAlarms(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", ics("1", "DTSTART:20270310T100000Z|SUMMARY:Walk"+alarmed("-PT1M")))
	cleo := h.share("cleo", storage.GroupRights)
	h.want(204, nil, "cleo", "PUT", cleo+"one.ics", ics("1", "DTSTART:20270310T100000Z|SUMMARY:Walk"+alarmed("-PT2M")))
	const home = "/dav/calendars/cleo@coop.example/calendar/"
	h.want(201, nil, "cleo", "COPY", cleo+"one.ics", "", "Destination", home+"one.ics")
	h.want(200, []string{"SUMMARY:Walk", "!VALARM"}, "cleo", "GET", home+"one.ics", "")
	h.want(204, nil, "cleo", "DELETE", home+"one.ics", "")
	h.want(201, nil, "cleo", "MOVE", cleo+"one.ics", "", "Destination", cleo+"renamed.ics")
	h.want(200, []string{"-PT2M", "!-PT1M"}, "cleo", "GET", cleo+"renamed.ics", "")
	h.want(200, []string{"-PT1M", "!-PT2M"}, "anna", "GET", annaCal+"renamed.ics", "")
	h.want(201, nil, "cleo", "MOVE", cleo+"renamed.ics", "", "Destination", home+"one.ics")
	h.want(200, []string{"SUMMARY:Walk", "!VALARM"}, "cleo", "GET", home+"one.ics", "")
	h.want(404, nil, "anna", "GET", annaCal+"renamed.ics", "")
}

// Of a group's calendar nobody is the owner: each member has alarms of their own,
// and those by e-mail are the group's.
func TestGroupsAlarms(t *testing.T) {
	h := newHouse(t)
	const group = "/dav/calendars/garden@coop.example/calendar/g.ics"
	const mail = "|BEGIN:VALARM|ACTION:EMAIL|TRIGGER:-PT9M|SUMMARY:x|DESCRIPTION:x|ATTENDEE:mailto:garden@coop.example|END:VALARM"
	h.want(201, nil, "anna", "PUT", group, ics("g", "DTSTART:20270310T100000Z"+mail+alarmed("-PT1M")))
	h.want(200, []string{"-PT9M", "!-PT1M"}, "ben", "GET", group, "")
	_, tag := h.get("ben", group)
	h.put(204, "ben", group, ics("g", "DTSTART:20270310T100000Z"+mail+alarmed("-PT2M")), tag)
	h.want(200, []string{"-PT9M", "-PT1M", "!-PT2M"}, "anna", "GET", group, "")
	h.want(200, []string{"-PT9M", "-PT2M", "!-PT1M"}, "ben", "GET", group, "")
	_, ben := h.get("ben", group)
	if _, anna := h.get("anna", group); anna == ben {
		t.Errorf("both have %s", anna)
	}
	h.want(204, nil, "ben", "PUT", group, ics("g", "DTSTART:20270310T110000Z"+mail+alarmed("-PT2M")))
	h.want(200, []string{"T110000Z", "-PT1M", "!-PT2M"}, "anna", "GET", group, "")
}

// Reports show and search what the member sees.
func TestReportsOfOwnAlarms(t *testing.T) {
	h := newHouse(t)
	h.want(201, nil, "anna", "PUT", annaCal+"one.ics", ics("1", "DTSTART:20270310T100000Z|DTEND:20270310T110000Z|SUMMARY:Walk"+alarmed("-PT1M")))
	cleo := h.share("cleo", readers)
	far := ics("1", "DTSTART:20270310T100000Z|DTEND:20270310T110000Z|SUMMARY:Walk|TRANSP:TRANSPARENT"+alarmed("-P60D"))
	h.want(204, nil, "cleo", "PUT", cleo+"one.ics", far)
	rings := func(from, to string) string {
		return query1(`<C:comp-filter name="VALARM"><C:time-range start="` + from + `" end="` + to + `"/></C:comp-filter>`)
	}
	theirs, hers := rings("20270310T095800Z", "20270310T100000Z"), rings("20270109T095900Z", "20270109T100100Z")
	free := query1(`<C:prop-filter name="TRANSP"><C:text-match>TRANSPARENT</C:text-match></C:prop-filter>`)
	for _, c := range []struct{ user, path, query, want string }{
		{"anna", annaCal, theirs, "one"}, {"anna", annaCal, hers, ""}, {"anna", annaCal, free, ""},
		{"cleo", cleo, theirs, ""}, {"cleo", cleo, hers, "one"}, {"cleo", cleo, free, "one"},
	} {
		if answer := h.want(207, nil, c.user, "REPORT", c.path, c.query, "Depth", "1"); names(answer) != c.want {
			t.Errorf("%s: %q, want %q\n%s", c.user, names(answer), c.want, c.query)
		}
	}
	_, tag := h.get("cleo", cleo+"one.ics")
	h.want(207, []string{"-P60D", "TRANSPARENT", "!-PT1M", strings.Trim(tag, `"`)}, "cleo", "REPORT", cleo, `<C:calendar-multiget`+spaces+`>`+dataProp+`<D:href>`+cleo+`one.ics</D:href></C:calendar-multiget>`)
	h.want(207, []string{"!P60D", "!overlay"}, "anna", "PROPFIND", annaCal, `<D:propfind`+spaces+`><D:allprop/></D:propfind>`, "Depth", "1")
	h.want(207, []string{"!P60D", "!overlay"}, "cleo", "PROPFIND", cleo, `<D:propfind`+spaces+`><D:allprop/></D:propfind>`, "Depth", "1")
	h.want(200, []string{"BUSY", "20270310T100000Z"}, "cleo", "REPORT", cleo, `<C:free-busy-query`+spaces+`><C:time-range start="20270301T000000Z" end="20270401T000000Z"/></C:free-busy-query>`, "Depth", "1")
}

func query1(inner string) string {
	return `<C:calendar-query` + spaces + `><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">` + inner + `</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>`
}

// An invitation in a shared calendar keeps its schedule tag when a reader sets an
// alarm.
func TestScheduleTagAndOwnAlarms(t *testing.T) {
	h := newHouse(t)
	const lines = "DTSTART:20270310T100000Z|SUMMARY:Meet|ORGANIZER:mailto:anna@coop.example|ATTENDEE:mailto:ben@coop.example"
	h.want(201, nil, "anna", "PUT", annaCal+"m.ics", ics("m", lines+alarmed("-PT1M")))
	cleo := h.share("cleo", readers)
	seen, _ := h.get("cleo", cleo+"m.ics")
	_, _, head := h.do("cleo", "GET", cleo+"m.ics", "")
	tag := head.Get("Schedule-Tag")
	mine := strings.Replace(seen, "END:VEVENT", strings.ReplaceAll(strings.TrimPrefix(alarmed("-PT2M"), "|"), "|", "\r\n")+"\r\nEND:VEVENT", 1)
	if status, answer, head := h.do("cleo", "PUT", cleo+"m.ics", mine, "If-Schedule-Tag-Match", tag); status != 204 || head.Get("Schedule-Tag") != tag {
		t.Errorf("%d %v %s", status, head, answer)
	}
	h.want(412, nil, "cleo", "PUT", cleo+"m.ics", mine, "If-Schedule-Tag-Match", `"x"`)
	h.want(200, []string{"-PT2M", "!-PT1M"}, "cleo", "GET", cleo+"m.ics", "")
	if _, _, head := h.do("anna", "GET", annaCal+"m.ics", ""); head.Get("Schedule-Tag") != tag {
		t.Errorf("%s, was %s", head.Get("Schedule-Tag"), tag)
	}
	cleo = h.share("cleo", storage.GroupRights)
	h.want(204, nil, "cleo", "PUT", cleo+"m.ics", strings.Replace(mine, "Meet", "Talk", 1))
	h.want(200, []string{"Talk", "-PT2M", "!-PT1M"}, "cleo", "GET", cleo+"m.ics", "")
	h.want(200, []string{"Talk", "-PT1M", "!-PT2M"}, "anna", "GET", annaCal+"m.ics", "")
}
