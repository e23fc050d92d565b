package main

import (
	"fmt"
	"path/filepath"

	"essaim.coop/essaim/storage"
)

type salvageCmd struct {
	Dir string `arg:"" help:"Data directory."`
	Out string `arg:"" help:"Directory to make, with room for all bodies."`
}

// Run writes out every message and file whose body can still be read. Exit
// status 1 says that some could not.
func (c *salvageCmd) Run(e *env) error {
	s, err := storage.Salvage(e.ctx, filepath.Join(c.Dir, "store"), c.Out)
	if err != nil {
		return err
	}
	for _, p := range s.Problems {
		fmt.Fprintln(e.out, "problem:", p)
	}
	fmt.Fprintf(e.out, "%d bodies with %d bytes, of which %d had been deleted, in %s\n", s.Bodies, s.Bytes, s.Deleted, c.Out)
	if len(s.Problems) > 0 {
		return errDamage
	}
	return nil
}
