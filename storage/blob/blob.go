// Package blob holds bodies on their way into and out of the store.
//
// A Writer stages a body outside any transaction: in memory up to MaxSmall
// bytes, in a file of its own beyond. What it promises: a staged body never
// takes more than MaxSmall bytes of memory, its hash, if wanted, is that of the
// bytes written, and it costs nothing once discarded. Attaching it in a transaction
// is the engine's work (package kv), which gives it an ID.
//
// A Reader gives the bytes back exactly. Every read verifies a CRC-32C, so a
// damaged body is an error that wraps ErrCorrupt and never a garbled letter.
//
// Stored forms: a small body is kept as it is or, where that saves a fifth,
// compressed with zstd: in one frame, or, beyond twice HeadSize, in a frame of
// the first HeadSize bytes and one of the rest, so that the header of a message
// can be read without its attachments. A large body's file is the bytes in chunks of
// ChunkSize, then the CRC-32C of each chunk (4 bytes each, little-endian).
package blob

import (
	"errors"
	"hash/crc32"
)

// An ID names an attached body. IDs are given in order and start at 1.
type ID uint64

const (
	// MaxSmall is the largest body that is kept in the journal.
	MaxSmall = 1 << 20
	// HeadSize is how much of a compressed body can be read without the rest.
	HeadSize = 8 << 10
	// ChunkSize is how much of a large body one checksum covers.
	ChunkSize = 64 << 10
)

// ErrCorrupt says that stored bytes are not those that were written.
var ErrCorrupt = errors.New("blob: stored bytes are damaged")

// Castagnoli is the polynomial of every checksum in the store.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)
