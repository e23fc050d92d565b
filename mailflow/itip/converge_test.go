package itip

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// partstat is an attendee's PARTSTAT in an object.
func partstat(text, who string) string {
	for l := range strings.SplitSeq(text, "\r\n") {
		if strings.HasPrefix(l, "ATTENDEE") && strings.HasSuffix(l, "mailto:"+who+"@coop.example") {
			if m := regexp.MustCompile(`PARTSTAT=([A-Z-]+)`).FindStringSubmatch(l); m != nil {
				return m[1]
			}
		}
	}
	return "NEEDS-ACTION"
}

// Everybody changes the same event at the same time, as programs do: with what they
// have read, and again when that has changed. In the end all know the same.
func TestConverge(t *testing.T) {
	h := newHouse(t)
	h.service.Now = nil
	h.put(201, "anna", home("anna")+"m.ics", event("m", times1+byAnna+andBen+"|"+andCleo))
	ctx, stop := context.WithCancel(t.Context())
	var service, people sync.WaitGroup
	service.Go(func() {
		if err := h.service.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	edit := func(user, name string, change func(string) string) {
		for range 12 {
			for range 1000 {
				status, text, head := h.do(user, "GET", home(user)+name, "")
				if status != 200 {
					t.Errorf("GET: %d", status)
					return
				}
				status, answer, _ := h.do(user, "PUT", home(user)+name, change(strings.ReplaceAll(text, "\r\n ", "")), "If-Match", head.Get("ETag"))
				if status == 204 {
					break
				}
				if status != 412 && status != 503 {
					t.Errorf("PUT by %s: %d %s", user, status, answer)
					return
				}
			}
		}
	}
	for _, user := range []string{"ben", "cleo"} {
		people.Go(func() {
			edit(user, copyOf("m"), func(text string) string {
				stat := []string{"ACCEPTED", "DECLINED", "TENTATIVE"}[rand.IntN(3)]
				return regexp.MustCompile(`ATTENDEE[^\r]*:mailto:`+user+`@`).ReplaceAllString(text, "ATTENDEE;PARTSTAT="+stat+":mailto:"+user+"@")
			})
		})
	}
	people.Go(func() {
		edit("anna", "m.ics", func(text string) string {
			switch rand.IntN(6) {
			case 0: // her program does not know what the others say
				return regexp.MustCompile(`(ATTENDEE[^\r]*PARTSTAT=)[A-Z-]+`).ReplaceAllString(text, "${1}TENTATIVE")
			case 1: // to another day
				return regexp.MustCompile(`(DTSTART|DTEND):202703..`).ReplaceAllString(text, fmt.Sprintf("$1:202703%02d", 1+rand.IntN(28)))
			}
			return regexp.MustCompile(`SUMMARY:[^\r]*`).ReplaceAllString(text, "SUMMARY:"+string(rune('A'+rand.IntN(26)))+string(rune('A'+rand.IntN(26))))
		})
	})
	people.Wait()
	stop()
	service.Wait()
	h.pass()
	anna, ben, cleo := h.read("anna", "m.ics"), h.read("ben", copyOf("m")), h.read("cleo", copyOf("m"))
	for _, who := range []string{"ben", "cleo"} {
		own := map[string]string{"ben": ben, "cleo": cleo}[who]
		if want := partstat(own, who); partstat(anna, who) != want || partstat(ben, who) != want || partstat(cleo, who) != want {
			t.Errorf("%s says %s; the others know %s %s %s\n%s\n%s\n%s", who, want, partstat(anna, who), partstat(ben, who), partstat(cleo, who), anna, ben, cleo)
		}
	}
	for _, what := range []string{"SUMMARY", "DTSTART", "DTEND"} {
		line := regexp.MustCompile("\n" + what + `:[^\r]*`)
		if s := line.FindString(anna); line.FindString(ben) != s || line.FindString(cleo) != s {
			t.Errorf("%s, %s, %s", s, line.FindString(ben), line.FindString(cleo))
		}
	}
}
