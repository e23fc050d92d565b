package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"essaim.coop/essaim/storage/kv"
)

// A Tx is one transaction. What it changed is seen through it at once. It is
// not safe for concurrent use and not valid after its function returned.
type Tx struct {
	r kv.Reader
	w kv.Tx // nil in a View

	modseqs     map[AccountID]ModSeq
	collections map[CollectionID]*Collection
	logs        map[CollectionID]*logRow
	nudged      []AccountID // beside those with a ModSeq
	item        [9]byte     // the last item's key
	err         error
}

// Get, Put, Delete and Scan are for the rooms' own tables; see kv.Tx.
func (tx *Tx) Get(key []byte) []byte { return tx.r.Get(key) }

func (tx *Tx) Put(key, value []byte) {
	if tx.writable() {
		tx.w.Put(key, value)
	}
}

func (tx *Tx) Delete(key []byte) {
	if tx.writable() {
		tx.w.Delete(key)
	}
}

func (tx *Tx) Scan(from, to []byte, reverse bool, fn func(k, v []byte) bool) {
	tx.r.Scan(from, to, reverse, fn)
}

// ScanPrefix calls fn with what follows the prefix in each key.
func (tx *Tx) ScanPrefix(prefix []byte, fn func(rest, v []byte) bool) {
	tx.r.Scan(prefix, prefixEnd(prefix), false, func(k, v []byte) bool { return fn(k[len(prefix):], v) })
}

func prefixEnd(p []byte) []byte {
	end := slices.Clone(p)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// Writable returns ErrReadOnly in a View.
func (tx *Tx) Writable() error {
	if tx.w == nil {
		return ErrReadOnly
	}
	return nil
}

// writable notes a write in a View; the View then fails with ErrReadOnly.
func (tx *Tx) writable() bool {
	if tx.w == nil && tx.err == nil {
		tx.err = ErrReadOnly
	}
	return tx.w != nil
}

// NextID returns the next number of a sequence, from 1.
func (tx *Tx) NextID(name string) uint64 {
	key := append([]byte{2}, name...)
	n := uint64(1)
	if v := tx.Get(key); len(v) == 8 {
		n = binary.BigEndian.Uint64(v) + 1
	}
	tx.Put(key, binary.BigEndian.AppendUint64(nil, n))
	return n
}

func householdKey(h HouseholdID) []byte { return key32(3, uint32(h)) }
func accountKey(a AccountID) []byte     { return key32(4, uint32(a)) }

// CreateHousehold makes a household that may use quota bytes; 0 is no limit.
func (tx *Tx) CreateHousehold(quota int64) HouseholdID {
	h := HouseholdID(tx.NextID("household"))
	tx.putHousehold(h, 0, quota)
	return h
}

func (tx *Tx) putHousehold(h HouseholdID, used, limit int64) {
	b := binary.BigEndian.AppendUint64(nil, uint64(used))
	tx.Put(householdKey(h), binary.BigEndian.AppendUint64(b, uint64(limit)))
}

// Quota returns what a household uses and may use, in bytes; 0 is no limit.
func (tx *Tx) Quota(h HouseholdID) (used, limit int64) {
	v := tx.Get(householdKey(h))
	if len(v) != 16 {
		return 0, 0
	}
	return int64(binary.BigEndian.Uint64(v)), int64(binary.BigEndian.Uint64(v[8:]))
}

// SetQuota changes the limit. What is over it stays; nothing is added to it.
func (tx *Tx) SetQuota(h HouseholdID, limit int64) {
	used, _ := tx.Quota(h)
	tx.putHousehold(h, used, limit)
}

// CreateAccount makes an account of a household.
func (tx *Tx) CreateAccount(h HouseholdID) AccountID {
	a := AccountID(tx.NextID("account"))
	tx.putAccount(a, h, 1)
	return a
}

func (tx *Tx) putAccount(a AccountID, h HouseholdID, m ModSeq) {
	b := binary.BigEndian.AppendUint32(nil, uint32(h))
	tx.Put(accountKey(a), binary.BigEndian.AppendUint64(b, uint64(m)))
}

func (tx *Tx) account(a AccountID) (HouseholdID, ModSeq) {
	v := tx.Get(accountKey(a))
	if len(v) != 12 {
		return 0, 0
	}
	return HouseholdID(binary.BigEndian.Uint32(v)), ModSeq(binary.BigEndian.Uint64(v[4:]))
}

// DeleteAccount removes an account that has no collections, with its rights and
// properties on what others have.
func (tx *Tx) DeleteAccount(a AccountID) error {
	for _, k := range []Kind{KindMailbox, KindFolder, KindCalendar, KindAddressBook, KindInbox} {
		if len(tx.Collections(a, k)) > 0 {
			return fmt.Errorf("account %d has collections: %w", a, ErrConflict)
		}
	}
	for _, o := range tx.SharedWith(a) {
		tx.dropACE(o, a)
	}
	if err := errors.Join(tx.dropOwner(a), tx.DropProperties(AccountObject(a))); err != nil {
		return err
	}
	tx.Delete(accountKey(a))
	delete(tx.modseqs, a)
	return nil
}

// Household returns an account's household, 0 when there is no such account.
func (tx *Tx) Household(a AccountID) HouseholdID {
	h, _ := tx.account(a)
	return h
}

// Charge adds delta bytes to what the account's household uses; ErrQuota when
// that grows beyond its limit, and then nothing is charged.
func (tx *Tx) Charge(a AccountID, delta int64) error {
	h := tx.Household(a)
	if h == 0 {
		return fmt.Errorf("account %d: %w", a, ErrNotFound)
	}
	used, limit := tx.Quota(h)
	if delta > 0 && limit > 0 && used+delta > limit {
		return fmt.Errorf("%d of %d bytes used, %d more: %w", used, limit, delta, ErrQuota)
	}
	tx.putHousehold(h, used+delta, limit)
	return nil
}

// ModSeq returns the account's highest one.
func (tx *Tx) ModSeq(a AccountID) ModSeq {
	if m, ok := tx.modseqs[a]; ok {
		return m
	}
	_, m := tx.account(a)
	return m
}

// Bump returns the ModSeq of this transaction's changes to the account.
func (tx *Tx) Bump(a AccountID) ModSeq {
	if m, ok := tx.modseqs[a]; ok {
		return m
	}
	if tx.modseqs == nil {
		tx.modseqs = map[AccountID]ModSeq{}
	}
	h, m := tx.account(a)
	tx.modseqs[a] = m + 1
	tx.putAccount(a, h, m+1)
	return m + 1
}

func (tx *Tx) touched() []AccountID {
	return slices.AppendSeq(slices.Clone(tx.nudged), maps.Keys(tx.modseqs))
}

// flush writes the headers and log rows that the transaction gathered.
func (tx *Tx) flush() error {
	for _, id := range slices.Sorted(maps.Keys(tx.logs)) {
		if c := tx.collections[id]; c != nil {
			tx.writeLog(c, tx.logs[id])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(tx.collections)) {
		if c := tx.collections[id]; c.dirty {
			tx.Put(key32(5, uint32(id)), c.marshal())
		}
	}
	return tx.err
}

// Cursor returns the ModSeq up to which a named reader has seen an account.
func (tx *Tx) Cursor(name string, a AccountID) ModSeq {
	if v := tx.Get(cursorKey(name, a)); len(v) == 8 {
		return ModSeq(binary.BigEndian.Uint64(v))
	}
	return 0
}

// SetCursor moves it, in the transaction that does the reader's work.
func (tx *Tx) SetCursor(name string, a AccountID, m ModSeq) {
	tx.Put(cursorKey(name, a), binary.BigEndian.AppendUint64(nil, uint64(m)))
}

func cursorKey(name string, a AccountID) []byte {
	k := append(append([]byte{0x0c}, name...), 0)
	return binary.BigEndian.AppendUint32(k, uint32(a))
}
