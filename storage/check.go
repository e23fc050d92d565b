package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"essaim.coop/essaim/storage/blob"
	"essaim.coop/essaim/storage/kv"
)

// A Report is what a check found.
type Report struct {
	Households, Accounts, Collections, Items, Blobs, Orphans int64
	Bytes                                                    int64 // of bodies
	Problems                                                 []string

	refs map[blob.ID]uint32
}

const maxProblems = 1000

// Problem notes that an invariant does not hold.
func (r *Report) Problem(format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

// Refers notes a reference to a body that a room holds.
func (r *Report) Refers(id blob.ID) {
	if r.refs == nil {
		r.refs = map[blob.ID]uint32{}
	}
	r.refs[id]++
}

// Clean reports whether every invariant holds.
func (r *Report) Clean() bool { return len(r.Problems) == 0 }

// WriteTo prints the report for a person.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	n, err := fmt.Fprintf(w, "%d households, %d accounts, %d collections, %d items, %d bodies with %d bytes\n",
		r.Households, r.Accounts, r.Collections, r.Items, r.Blobs, r.Bytes)
	for _, p := range r.Problems {
		m, _ := fmt.Fprintln(w, "problem:", p)
		n += m
	}
	if r.Clean() {
		m, _ := fmt.Fprintln(w, "clean")
		n += m
	}
	return int64(n), err
}

// A CheckHook verifies a room's own tables and notes its references to bodies.
type CheckHook func(*Tx, *Report)

// CheckOptions say how thorough a check is.
type CheckOptions struct {
	Bodies bool // read and verify every body
	Recent int  // else the newest ones, as many as this
	Hooks  []CheckHook
}

// Check verifies the open store: the engine's files, every header against its
// items and its log, every quota against what it counts, every reference to a
// body. It reads one state; damage is a problem in the report, an error is
// something that kept it from looking.
func (db *DB) Check(ctx context.Context, opt CheckOptions) (*Report, error) {
	r := &Report{refs: map[blob.ID]uint32{}}
	err := db.kv.Verify(ctx, func(s string) { r.Problem("%s", s) })
	if errors.Is(err, kv.ErrCorrupt) {
		return r, nil // what stands on damaged pages would only repeat it
	}
	if err != nil {
		return r, err
	}
	err = db.View(func(tx *Tx) error {
		c := checker{Report: r, tx: tx, used: map[HouseholdID]int64{}, of: map[AccountID]HouseholdID{}}
		c.accounts()
		c.collections()
		c.strays()
		c.objects()
		for _, h := range opt.Hooks {
			h(tx, r)
		}
		c.quotas()
		return c.bodies(ctx)
	})
	if errors.Is(err, kv.ErrCorrupt) {
		r.Problem("%v", err)
		err = nil
	}
	if err == nil && (opt.Bodies || opt.Recent > 0) {
		err = db.checkBodies(ctx, r, opt)
	}
	return r, err
}

type checker struct {
	*Report
	tx   *Tx
	of   map[AccountID]HouseholdID
	used map[HouseholdID]int64
}

func (c *checker) accounts() {
	c.tx.ScanPrefix([]byte{3}, func(rest, v []byte) bool {
		c.Households++
		if len(v) != 16 {
			c.Problem("household %x: row of %d bytes", rest, len(v))
		}
		return true
	})
	c.tx.ScanPrefix([]byte{4}, func(rest, v []byte) bool {
		c.Accounts++
		if len(v) != 12 {
			c.Problem("account %x: row of %d bytes", rest, len(v))
			return true
		}
		h := HouseholdID(binary.BigEndian.Uint32(v))
		if c.tx.Get(householdKey(h)) == nil {
			c.Problem("account %x: household %d is missing", rest, h)
		}
		c.of[AccountID(binary.BigEndian.Uint32(rest))] = h
		return true
	})
}

func (c *checker) collections() {
	c.tx.ScanPrefix([]byte{5}, func(rest, v []byte) bool {
		c.Collections++
		id := CollectionID(binary.BigEndian.Uint32(rest))
		col, err := unmarshalCollection(id, v)
		if err != nil {
			c.Problem("%v", err)
			return true
		}
		c.collection(col)
		return true
	})
}

func (c *checker) collection(col *Collection) {
	h, ok := c.of[col.Account]
	if !ok {
		c.Problem("collection %d: account %d is missing", col.ID, col.Account)
	}
	c.used[h] += col.Bytes
	if got := c.tx.Get(nameKey(col.Account, col.Kind, col.Name)); len(got) != 4 || CollectionID(binary.BigEndian.Uint32(got)) != col.ID {
		c.Problem("collection %d: name %q leads elsewhere", col.ID, col.Name)
	}
	if col.Highest > c.tx.ModSeq(col.Account) {
		c.Problem("collection %d: ModSeq %d is beyond its account's", col.ID, col.Highest)
	}
	count := uint32(0)
	c.tx.Items(col.ID, 0, ^ItemID(0), func(id ItemID, _ []byte) bool {
		count++
		if id >= col.NextItem {
			c.Problem("collection %d: item %d is not below the next, %d", col.ID, id, col.NextItem)
		}
		return true
	})
	c.Items += int64(count)
	if count != col.Count {
		c.Problem("collection %d: %d items, header says %d", col.ID, count, col.Count)
	}
	c.log(col)
}

func (c *checker) log(col *Collection) {
	rows := uint32(0)
	c.tx.ScanPrefix(key32(8, uint32(col.ID)), func(rest, v []byte) bool {
		rows++
		m := ModSeq(binary.BigEndian.Uint64(rest))
		if m <= col.Floor || m > col.Highest {
			c.Problem("collection %d: log row %d is outside (%d, %d]", col.ID, m, col.Floor, col.Highest)
		}
		_, v, err := readRanges(v)
		if err == nil {
			_, _, err = readRanges(v)
		}
		if err != nil {
			c.Problem("collection %d at %d: %v", col.ID, m, err)
		}
		return true
	})
	if rows != col.LogRows {
		c.Problem("collection %d: %d log rows, header says %d", col.ID, rows, col.LogRows)
	}
}

// strays finds rows of collections that do not exist.
func (c *checker) strays() {
	for prefix, what := range map[byte]string{7: "items", 8: "log rows", 0x0a: "rights", 0x0f: "vacated names"} {
		last := CollectionID(0)
		c.tx.ScanPrefix([]byte{prefix}, func(rest, _ []byte) bool {
			if id := CollectionID(binary.BigEndian.Uint32(rest)); id != last {
				if last = id; c.tx.Get(key32(5, uint32(id))) == nil {
					c.Problem("collection %d does not exist and has %s", id, what)
				}
			}
			return true
		})
	}
}

func (c *checker) quotas() {
	for h := range c.used {
		if used, _ := c.tx.Quota(h); used != c.used[h] {
			c.Problem("household %d: %d bytes used, its collections have %d", h, used, c.used[h])
		}
	}
}

// bodies holds the references that the rooms noted against what is there.
func (c *checker) bodies(ctx context.Context) error {
	c.tx.r.Blobs(func(id blob.ID, size int64) bool {
		c.Blobs++
		c.Bytes += size
		switch n := c.refs[id]; {
		case n == 0:
			c.Orphans++
			c.Problem("body %d of %d bytes has no reference", id, size)
		case n != c.tx.References(id):
			c.Problem("body %d: %d references, counted %d", id, n, c.tx.References(id))
		}
		delete(c.refs, id)
		return ctx.Err() == nil
	})
	for _, id := range slices.Sorted(maps.Keys(c.refs)) {
		c.Problem("body %d is missing, %d references", id, c.refs[id])
	}
	return ctx.Err()
}

// checkBodies reads bodies outside of any transaction.
func (db *DB) checkBodies(ctx context.Context, r *Report, opt CheckOptions) error {
	var ids []blob.ID
	if err := db.kv.Blobs(func(id blob.ID, _ int64) bool { ids = append(ids, id); return true }); err != nil {
		return err
	}
	if !opt.Bodies {
		ids = ids[max(0, len(ids)-opt.Recent):]
	}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := db.kv.VerifyBody(id); err != nil && !errors.Is(err, kv.ErrNoBlob) { // deleted meanwhile
			r.Problem("%v", err)
		}
	}
	return nil
}
