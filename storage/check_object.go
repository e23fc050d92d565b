package storage

import "encoding/binary"

// objects verifies rights, properties and vacated names: each is on something
// that is there, and the rows that lead back to them do.
func (c *checker) objects() {
	c.tx.ScanPrefix([]byte{0x0a}, func(rest, v []byte) bool {
		o, a := readObject(rest), AccountID(binary.BigEndian.Uint32(rest[8:]))
		if c.checkObject(o, "rights"); readRights(v) == 0 || c.tx.Get(sharedKey(a, o)) == nil {
			c.Problem("object %v: rights %x of account %d lack their way back", o, v, a)
		}
		if _, ok := c.of[a]; !ok {
			c.Problem("object %v: rights of account %d, which is missing", o, a)
		}
		return true
	})
	c.tx.ScanPrefix([]byte{0x0b}, func(rest, _ []byte) bool {
		if a, o := AccountID(binary.BigEndian.Uint32(rest)), readObject(rest[4:]); c.tx.RightsOf(o, a) == 0 {
			c.Problem("object %v: shared with account %d without rights", o, a)
		}
		return true
	})
	c.properties()
	c.tx.ScanPrefix([]byte{0x0f}, func(rest, _ []byte) bool {
		o, m := readObject(rest), ModSeq(binary.BigEndian.Uint64(rest[8:]))
		if col, err := c.tx.Collection(o.Collection); err == nil && (m <= col.Floor || m > col.Highest) {
			c.Problem("object %v: name vacated at %d, the log has (%d, %d]", o, m, col.Floor, col.Highest)
		}
		return true
	})
}

func (c *checker) properties() {
	c.tx.ScanPrefix([]byte{0x10}, func(rest, _ []byte) bool {
		o, owner := readObject(rest), AccountID(binary.BigEndian.Uint32(rest[8:]))
		if c.checkObject(o, "properties"); owner != 0 && c.tx.Get(personalKey(owner, o)) == nil {
			c.Problem("object %v: properties of account %d lack their way back", o, owner)
		}
		return true
	})
	c.tx.ScanPrefix([]byte{0x11}, func(rest, _ []byte) bool {
		owner, o, found := AccountID(binary.BigEndian.Uint32(rest)), readObject(rest[4:]), false
		c.tx.Properties(o, owner, func(string, []byte) bool { found = true; return false })
		if !found {
			c.Problem("object %v: account %d has no properties on it", o, owner)
		}
		return true
	})
}

func (c *checker) checkObject(o Object, what string) {
	if err := c.tx.hasObject(o); err != nil {
		c.Problem("object %v has %s: %v", o, what, err)
	}
}
