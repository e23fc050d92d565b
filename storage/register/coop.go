package register

import (
	"encoding/json"
	"fmt"

	"essaim.coop/essaim/storage"
)

// A Coop is what the cooperative says of itself.
type Coop struct {
	Name    string
	Domain  string // the first one, where new members get their address
	Where   string // where the machine stands, in words
	Contact string // address for help
	Quota   int64  // bytes, offered to a new household
	// Languages are what its members speak, the most usual first.
	Languages []string `json:",omitempty"`
}

var coopKey = []byte("Jcoop")

// TheCoop returns the cooperative's facts; before they are set, only a name.
func TheCoop(tx *storage.Tx) (c Coop, err error) {
	c.Name = "essaim"
	if v := tx.Get(coopKey); v != nil {
		err = json.Unmarshal(v, &c)
	}
	return c, err
}

// SetCoop writes them.
func SetCoop(tx *storage.Tx, c Coop) error {
	if c.Name == "" || len(c.Name) > 200 || len(c.Where) > 500 || len(c.Contact) > 320 || c.Quota < 0 || len(c.Languages) > 10 {
		return fmt.Errorf("the cooperative's facts: %w", storage.ErrInvalid)
	}
	b, err := json.Marshal(c)
	if err == nil {
		tx.Put(coopKey, b)
	}
	return err
}
