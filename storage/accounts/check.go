package accounts

import (
	"encoding/binary"
	"encoding/json"

	"essaim.coop/essaim/storage"
)

// Check is the room's storage.CheckHook: every address leads to an account and
// back, every account is one of the floor's.
func Check(tx *storage.Tx, r *storage.Report) {
	tx.ScanPrefix([]byte{'a'}, func(rest, v []byte) bool {
		id := storage.AccountID(binary.BigEndian.Uint32(rest))
		var a Account
		if err := json.Unmarshal(v, &a); err != nil {
			r.Problem("account %d: %v", id, err)
			return true
		}
		if tx.Household(id) != a.Household {
			r.Problem("account %d: household %d, the floor says %d", id, a.Household, tx.Household(id))
		}
		if tx.Get(key('c', id, a.Address)) == nil {
			r.Problem("account %d: primary address %s is not among its addresses", id, a.Address)
		}
		return true
	})
	checkGroups(tx, r)
	tx.ScanPrefix([]byte{'b'}, func(addr, v []byte) bool {
		if len(v) != 4 || tx.Get(key('c', storage.AccountID(binary.BigEndian.Uint32(v)), string(addr))) == nil {
			r.Problem("address %s leads to no account that has it", addr)
		}
		return true
	})
	tx.ScanPrefix([]byte{'c'}, func(rest, _ []byte) bool {
		if tx.Get(append([]byte{'b'}, rest[4:]...)) == nil {
			r.Problem("address %s of account %x leads nowhere", rest[4:], rest[:4])
		}
		return true
	})
}

// checkGroups: every membership is of an account in a group, and told by both
// rows.
func checkGroups(tx *storage.Tx, r *storage.Report) {
	for prefix, back := range map[byte]func(x, y storage.AccountID) []byte{'A': rev(groupsKey), 'B': rev(memberKey)} {
		tx.ScanPrefix([]byte{prefix}, func(rest, _ []byte) bool {
			x, y := storage.AccountID(binary.BigEndian.Uint32(rest)), storage.AccountID(binary.BigEndian.Uint32(rest[4:]))
			if tx.Get(back(x, y)) == nil || tx.Household(x) == 0 || tx.Household(y) == 0 {
				r.Problem("membership %c of accounts %d and %d is half there", prefix, x, y)
			}
			return true
		})
	}
}

// rev exchanges the arguments of a key.
func rev(f func(x, y storage.AccountID) []byte) func(x, y storage.AccountID) []byte {
	return func(x, y storage.AccountID) []byte { return f(y, x) }
}
