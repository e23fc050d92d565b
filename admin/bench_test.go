package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"essaim.coop/essaim/people"
	"essaim.coop/essaim/storage"
	"essaim.coop/essaim/storage/accounts"
)

// crowd makes more members, each with a household of its own.
func (o *testDesk) crowd(n int) {
	o.update(func(tx *storage.Tx) error {
		for i := range n {
			if _, err := people.Join(tx, accounts.NewAccount{Address: fmt.Sprintf("m%04d@coop.example", i), Name: fmt.Sprint("Member ", i), Subscriber: true, Quota: 1e9}, people.Actor{}, start); err != nil {
				return err
			}
		}
		return nil
	})
}

// A list longer than a page goes on behind a link.
func TestLongListsHaveMorePages(t *testing.T) {
	o := office(t)
	o.crowd(pageRows + 1)
	for _, list := range []string{"/admin/people", "/admin/households"} {
		first, second := o.get(list), o.get(list+"?from=100")
		if !strings.Contains(first, list+"?from=100") || strings.Contains(second, "?from=200") || strings.Count(second, "<tr>") != 4 {
			t.Errorf("%s: %d rows, then %d", list, strings.Count(first, "<tr>"), strings.Count(second, "<tr>"))
		}
		if body := o.get(list + "?from=9999"); strings.Count(body, "<tr>") != 1 {
			t.Errorf("%s beyond its end: %d rows", list, strings.Count(body, "<tr>"))
		}
	}
}

// So do the queue and the groups, on the page and in the API.
func TestTheQueueAndTheGroupsHaveMorePages(t *testing.T) {
	o := office(t)
	o.update(func(tx *storage.Tx) error {
		for i := range pageRows + 1 {
			n := accounts.NewAccount{Address: fmt.Sprintf("g%04d@coop.example", i), Group: true}
			if _, err := people.Join(tx, n, people.Actor{}, start); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range pageRows + 1 {
		o.enqueue(fmt.Sprintf("x%d@far.example", i), start.Add(-3*time.Hour))
	}
	for _, list := range []string{"/admin/queue", "/admin/groups"} {
		first, second := o.get(list), o.get(list+"?from=100")
		if !strings.Contains(first, list+"?from=100") || strings.Contains(second, "?from=200") || strings.Count(first, "<section") != pageRows || strings.Count(second, "<section") != 1 {
			t.Errorf("%s: %d, then %d", list, strings.Count(first, "<section"), strings.Count(second, "<section"))
		}
	}
	if body := o.get("/admin/queue"); strings.Count(body, "<dd>3 hours<br>") != pageRows {
		t.Error("the age is not told in words")
	}
	for _, list := range []string{"/api/queue", "/api/groups"} {
		var rows []map[string]any
		if err := json.Unmarshal([]byte(o.get(list+"?from=99&rows=1")), &rows); err != nil || len(rows) != 1 {
			t.Errorf("%s: %d rows, %v", list, len(rows), err)
		}
	}
	if body := o.get("/admin"); !strings.Contains(body, "101 messages") {
		t.Error("the overview counts a page only")
	}
}

// BenchmarkPage is a whole request in a cooperative of 500 members, without the
// network.
func BenchmarkPage(b *testing.B) {
	o := office(b)
	o.crowd(498)
	for _, path := range []string{"/admin", "/admin/people", "/admin/people/2", "/admin/households", "/admin/invitations", "/admin/groups", "/admin/shared", "/admin/queue", "/admin/log"} {
		b.Run(strings.ReplaceAll(path[1:], "/", "-"), func(b *testing.B) {
			b.ReportAllocs()
			var w *httptest.ResponseRecorder
			for b.Loop() {
				if w = o.ask("amy", "GET", path, "", nil); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
			b.ReportMetric(float64(w.Body.Len())/1000, "KB/page")
		})
	}
}
