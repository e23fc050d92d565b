package files

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"essaim.coop/essaim/storage"
)

// Versions are kept of content that was replaced, but for an empty one, for the
// same bytes again, and for a state that its own author replaced while the
// last version is younger than coalesce: programs save often. They are thinned
// by age: within a day all stay, within a month one a day, within a year one a
// week, then one every month; never more than MaxVersions.
const (
	MaxVersions = 100

	coalesce = 5 * time.Minute
	day      = 24 * time.Hour
)

// A Version is what a file held before.
type Version struct {
	Seq      storage.ModSeq // its name among the file's versions
	Written  int64
	Replaced int64
	By       storage.AccountID
	Content
}

func (t *Tree) versionKey(file storage.ItemID, seq storage.ModSeq) []byte {
	return binary.BigEndian.AppendUint64(t.key('G', file), uint64(seq))
}

func (v *Version) marshal() []byte {
	b := []byte{1}
	for _, n := range []uint64{uint64(v.Written), uint64(v.Replaced), uint64(v.By)} {
		b = binary.AppendUvarint(b, n)
	}
	return v.Content.append(b)
}

func unmarshalVersion(seq storage.ModSeq, b []byte) (Version, error) {
	r := reader{b: slices.Clone(b)}
	layout := r.byte()
	v := Version{Seq: seq, Written: int64(r.uint()), Replaced: int64(r.uint()), By: storage.AccountID(r.uint())}
	r.content(&v.Content)
	if r.bad || layout != 1 {
		return v, fmt.Errorf("version %d: row of %d bytes: %w", seq, len(b), storage.ErrInvalid)
	}
	return v, nil
}

// Versions returns a file's, oldest first.
func Versions(tx *storage.Tx, t *Tree, file storage.ItemID) (out []Version, err error) {
	tx.ScanPrefix(t.key('G', file), func(rest, b []byte) bool {
		var v Version
		if v, err = unmarshalVersion(storage.ModSeq(binary.BigEndian.Uint64(rest)), b); err == nil {
			out = append(out, v)
		}
		return err == nil
	})
	return out, err
}

// GetVersion returns one.
func GetVersion(tx *storage.Tx, t *Tree, file storage.ItemID, seq storage.ModSeq) (Version, error) {
	b := tx.Get(t.versionKey(file, seq))
	if b == nil {
		return Version{}, fmt.Errorf("version %d: %w", seq, storage.ErrNotFound)
	}
	return unmarshalVersion(seq, b)
}

// RestoreVersion makes a version the file's content again; what the file holds
// becomes a version, and the one restored stays.
func RestoreVersion(tx *storage.Tx, t *Tree, file storage.ItemID, seq storage.ModSeq, at Attr) (Node, error) {
	v, err := GetVersion(tx, t, file, seq)
	if err != nil {
		return Node{}, err
	}
	n, err := Get(tx, t, file)
	if err != nil {
		return n, err
	}
	e := t.edit(tx, at.Now.UnixMilli())
	// A version that goes to make room must not take the bodies with it.
	for _, x := range v.Extents {
		tx.Retain(x.Blob)
	}
	n, err = e.replace(n, v.Content, at)
	v.release(tx)
	if err != nil {
		return n, err
	}
	return n, e.done()
}

// DeleteVersion removes one for good.
func DeleteVersion(tx *storage.Tx, t *Tree, file storage.ItemID, seq storage.ModSeq) error {
	v, err := GetVersion(tx, t, file, seq)
	if err != nil {
		return err
	}
	n, err := Get(tx, t, file)
	if err != nil {
		return err
	}
	if err := t.dropVersion(tx, &n, v); err != nil {
		return err
	}
	_, _, err = tx.PutItem(t.Collection, n.ID, n.marshal(), 0)
	return err
}

// dropVersion removes a version and what it is charged; the caller saves n.
func (t *Tree) dropVersion(tx *storage.Tx, n *Node, v Version) error {
	tx.Delete(t.versionKey(n.ID, v.Seq))
	v.release(tx)
	n.Versions--
	n.Kept -= v.Size
	t.Bytes -= v.Size
	return tx.Charge(t.Account, -v.Size)
}

// keeps decides whether what a file holds becomes a version.
func (e *edit) keeps(n Node, c Content, at Attr) bool {
	if n.Size == 0 || n.same(&c) || e.tx.Get(e.versionKey(n.ID, e.tx.Bump(e.Account))) != nil {
		return false
	}
	since := n.Written
	e.tx.Scan(e.key('G', n.ID), e.key('G', n.ID+1), true, func(_, b []byte) bool {
		if v, err := unmarshalVersion(0, b); err == nil {
			since = v.Replaced
		}
		return false
	})
	return n.By != at.By || at.Now.UnixMilli()-since >= coalesce.Milliseconds()
}

// keep makes what a file holds a version, replaced at m.
func (e *edit) keep(n *Node, m storage.ModSeq) {
	v := Version{Written: n.Written, Replaced: e.now, By: n.By, Content: n.Content}
	e.tx.Put(e.versionKey(n.ID, m), v.marshal())
	n.Versions++
	n.Kept += n.Size
}

// bucket is the span of time of which the newest version stays; one without
// length is no span.
func bucket(replaced, now int64) [2]int64 {
	age, gap := time.Duration(now-replaced)*time.Millisecond, time.Duration(0)
	switch {
	case age < day:
		return [2]int64{0, replaced}
	case age < 30*day:
		gap = day
	case age < 365*day:
		gap = 7 * day
	default:
		gap = 30 * day
	}
	return [2]int64{int64(gap), replaced / gap.Milliseconds()}
}

// thin drops the versions that age has made too many. The caller saves n.
func (e *edit) thin(n *Node, now int64) error {
	all, err := Versions(e.tx, e.Tree, n.ID)
	if err != nil {
		return err
	}
	var last [2]int64
	kept := 0
	for i := len(all) - 1; i >= 0; i-- {
		b := bucket(all[i].Replaced, now)
		if kept > 0 && b[0] > 0 && b == last || kept >= MaxVersions {
			if err := e.dropVersion(e.tx, n, all[i]); err != nil {
				return err
			}
			continue
		}
		last = b
		kept++
	}
	return nil
}

// adoptVersions gives a file those of another.
func (e *edit) adoptVersions(n *Node, from Node) error {
	all, err := Versions(e.tx, e.Tree, from.ID)
	for _, v := range all {
		e.tx.Delete(e.versionKey(from.ID, v.Seq))
		for e.tx.Get(e.versionKey(n.ID, v.Seq)) != nil {
			v.Seq++
		}
		e.tx.Put(e.versionKey(n.ID, v.Seq), v.marshal())
	}
	n.Versions += from.Versions
	n.Kept += from.Kept
	return err
}
