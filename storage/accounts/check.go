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
