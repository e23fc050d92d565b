package dav

import (
	"slices"

	"essaim.coop/essaim/storage"
)

// above is a collection over the trees: /dav/, or / itself, where clients look
// for the user's principal and walk down from.
type above struct {
	engine *Engine
	path   []string
}

var aboveKind = &Kind{Name: "above", Collection: true, Privileges: PrivRead | PrivReadOwn}

var _ Collection = (*above)(nil)

// above returns the collection over the trees at a path, or nil.
func (e *Engine) above(path []string) Resource {
	for _, m := range e.mounts {
		if len(path) < len(m.prefix) && slices.Equal(path, m.prefix[:len(path)]) {
			return &above{e, path}
		}
	}
	return nil
}

func (a *above) Kind() *Kind               { return aboveKind }
func (a *above) Stat() Stat                { return Stat{Size: -1} }
func (a *above) Owner() storage.AccountID  { return 0 }
func (a *above) Allowed(*Scope) Privileges { return aboveKind.Privileges }

// Members are the next segments of the mounts' prefixes.
func (a *above) Members(s *Scope, after string, fn func(string, Resource) bool) error {
	var names []string
	for _, m := range a.engine.mounts {
		if n := len(a.path); len(m.prefix) > n && slices.Equal(a.path, m.prefix[:n]) && m.prefix[n] > after && s.x.sees(m) {
			names = append(names, m.prefix[n])
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		r, err := s.resolve(append(slices.Clip(a.path), name))
		if err != nil {
			return err
		}
		if !fn(name, r) {
			return nil
		}
	}
	return nil
}
