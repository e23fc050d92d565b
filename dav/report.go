package dav

import (
	"cmp"
	"net/http"

	"essaim.coop/essaim/dav/davxml"
)

// report answers REPORT (RFC 3253 §3.6) by the name of its body's root.
func report(x *Exchange) error {
	body, err := x.body()
	if err != nil {
		return err
	}
	if body == nil {
		return Status(http.StatusBadRequest)
	}
	if body.Name == syncReport.Name {
		return syncCollection(x, body) // which looks for itself, once: it is what clients ask all day
	}
	var run func(*Exchange, *davxml.Element) error
	err = x.View(func(s *Scope) error {
		r, err := x.Target(s)
		if err != nil {
			return err
		}
		for _, rep := range reportsOf(r) {
			if rep.Name == body.Name {
				run = rep.Run
				return s.require(r, x.at.raw, cmp.Or(rep.Needs, PrivRead))
			}
		}
		return Forbidden(davxml.DAV("supported-report"))
	})
	if err != nil {
		return err
	}
	return run(x, body)
}

// reportsOf returns what can be asked of a resource: the reports of its kind,
// and the engine's where it answers them.
func reportsOf(r Resource) []*Report {
	out := r.Kind().reports[:len(r.Kind().reports):len(r.Kind().reports)]
	if y, ok := r.(Syncer); ok && y.SyncCollection() != 0 {
		out = append(out, syncReport)
	}
	if r.Kind().Collection {
		out = append(out, principalReports...)
	}
	return append(out, expandReport)
}

func getSupportedReports(_ *Scope, r Resource, w *davxml.Writer) error {
	for _, rep := range reportsOf(r) {
		w.Raw("<D:supported-report><D:report>")
		w.Empty(rep.Name)
		w.Raw("</D:report></D:supported-report>")
	}
	return nil
}
