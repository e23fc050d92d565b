package davtest

import (
	"strings"

	"essaim.coop/essaim/dav"
)

// Alias mounts the toy under another prefix as well, where what is in it knows
// that its canonical path is below the first.
func (t *Toy) Alias(prefix, canonical string) {
	t.House.Engine.Mount(prefix, &alias{t, strings.Split(strings.Trim(canonical, "/"), "/")})
}

type alias struct {
	toy       *Toy
	canonical []string
}

type (
	aliasFile struct {
		File
		path string
	}
	aliasFolder struct {
		Folder
		path string
	}
)

var _, _ dav.Canonical = aliasFile{}, aliasFolder{}

func (a aliasFile) CanonicalPath() string   { return a.path }
func (a aliasFolder) CanonicalPath() string { return a.path }

func (a *alias) Resolve(s *dav.Scope, path []string) (dav.Resource, error) {
	r, err := a.toy.Resolve(s, path)
	if err != nil {
		return nil, err
	}
	canonical := dav.Path(append(a.canonical[:len(a.canonical):len(a.canonical)], path...)...)
	if n := nodeOf(r); n.folder {
		return aliasFolder{Folder{n}, canonical}, nil
	}
	return aliasFile{r.(File), canonical}, nil
}
