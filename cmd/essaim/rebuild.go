package main

import (
	"fmt"
	"path/filepath"

	"essaim.coop/essaim/storage"
)

type rebuildCmd struct {
	Dir string `arg:"" optional:"" help:"Data directory, if not the one of the configuration."`
}

// Run makes the index of a store anew whose tree.db is lost or damaged. The
// server must not run.
func (c *rebuildCmd) Run(e *env) error {
	dir, err := e.dataDir(c.Dir)
	if err != nil {
		return err
	}
	r, err := storage.Rebuild(e.ctx, filepath.Join(dir, "store"))
	if err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	from := "the journal alone"
	if r.From != "" {
		from = r.From + " and the journal"
	}
	fmt.Fprintf(e.out, "the index was made from %s, which added %d groups of changes\n", from, r.Groups)
	for _, n := range r.Notes {
		fmt.Fprintln(e.out, "note:", n)
	}
	if r.Aside != "" {
		fmt.Fprintln(e.out, "the old one is kept as", r.Aside)
	}
	e.data = dir
	return (&checkCmd{}).Run(e)
}

// dataDir is the directory that a command names, or the configuration's.
func (e *env) dataDir(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	cfg, err := e.loadConfig()
	return cfg.Data, err
}
