package storage

import "essaim.coop/essaim/storage/kv"

// SchemaVersion is the layout that this program writes.
const SchemaVersion = 1

// steps lead to SchemaVersion from the oldest layout that this program still
// opens, each to the next. Until a version is released there is no older one.
var steps []step

// A step makes the rows of one layout those of the next.
type step struct {
	from, to []byte // it is given the rows with keys in [from, to), in order
	// row changes what belongs to one row. It is called once for each in what
	// becomes durable, whatever crashes come between, with many rows in one
	// transaction. It writes no key of its range but the one it was given.
	row func(t kv.Tx, key, value []byte) error
}

// layouts are those a program knows.
type layouts struct {
	newest uint32
	steps  []step // the last leads to newest
}

// oldest is the oldest layout from which there is a way.
func (l layouts) oldest() uint32 { return l.newest - uint32(len(l.steps)) }

// to is the step that leads to a layout.
func (l layouts) to(layout uint32) step { return l.steps[layout-l.oldest()-1] }
