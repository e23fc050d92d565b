package storage

import (
	"encoding/binary"

	"essaim.coop/essaim/storage/blob"
)

// blobOf reads a body's ID back from blobKey.
func blobOf(key []byte) blob.ID { return blob.ID(binary.BigEndian.Uint64(key[1:])) }
