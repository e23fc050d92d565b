package caldav

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"essaim.coop/essaim/storage"
)

// Whatever an owner, a writer and a reader put in whatever order, each is shown
// the text of all with the alarm of their own, under a tag that changes when that
// does and not otherwise.
func TestAlarmsModel(t *testing.T) {
	h := newHouse(t)
	paths := map[string]string{"anna": annaCal, "ben": h.share("ben", readers), "cleo": h.share("cleo", storage.GroupRights)}
	rng := rand.New(rand.NewPCG(1, 2))
	users := []string{"anna", "ben", "cleo"}
	alarms, tags, shown := map[string]string{}, map[string]map[string]string{}, map[string]string{}
	text, there := "", false
	object := func(text, alarm string) string {
		if alarm != "" {
			alarm = alarmed(alarm)
		}
		return ics("1", "DTSTART:20270310T100000Z|RRULE:FREQ=DAILY|SUMMARY:"+text+alarm)
	}
	for step := range 400 {
		user := users[rng.IntN(3)]
		path := paths[user] + "one.ics"
		next, alarm := text, []string{"", "-PT1M", "-PT2M"}[rng.IntN(3)]
		if rng.IntN(3) == 0 {
			next = fmt.Sprint("text ", rng.IntN(3))
		}
		if rng.IntN(20) == 0 {
			if status, _, _ := h.do(user, "DELETE", path, ""); status == 204 {
				alarms, there = map[string]string{}, false
			}
			continue
		}
		header := []string{"If-Match", shown[user]}
		if !there {
			header = []string{"If-None-Match", "*"}
		}
		status, answer, head := h.do(user, "PUT", path, object(next, alarm), header...)
		want := 204
		switch {
		case user == "ben" && (!there || next != text):
			want = 403
		case !there:
			want = 201
		}
		if status != want {
			t.Fatalf("%d: %s puts %q with %q: %d, want %d\n%s", step, user, next, alarm, status, want, answer)
		}
		if status < 300 {
			text, alarms[user], there = next, alarm, true
		}
		for who := range paths {
			if !there {
				break
			}
			got, tag := h.get(who, paths[who]+"one.ics")
			if got != object(text, alarms[who]) {
				t.Fatalf("%d: %s is shown\n%s", step, who, got)
			}
			if who == user && status < 300 && head.Get("ETag") != tag {
				t.Fatalf("%d: %s was told %q, has %q", step, who, head.Get("ETag"), tag)
			}
			if tags[who] == nil {
				tags[who] = map[string]string{}
			}
			if before := tags[who][got]; before != "" && before != tag {
				t.Fatalf("%d: %s has two tags of one text: %s and %s", step, who, before, tag)
			}
			for other, its := range tags[who] {
				if its == tag && other != got {
					t.Fatalf("%d: %s has one tag of two texts\n%s\n%s", step, who, got, other)
				}
			}
			tags[who][got], shown[who] = tag, tag
		}
	}
	if n := len(tags["ben"]); n < 6 || strings.Count(fmt.Sprint(tags), "VALARM") == 0 {
		t.Errorf("only %d texts", n)
	}
}
