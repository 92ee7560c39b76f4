// Package tree is the Merkle tree over the traces: what its entries are, how it grows, how a checkpoint of it is signed
// and read, and what proves that an entry is in it or that one tree is the beginning of another. It knows neither traces
// nor files; whoever verifies needs nothing of the house but this.
//
// The tree is that of RFC 6962, in the public forms of C2SP: tlog-tiles (tiles of 256 hashes, bundles of 256 entries),
// tlog-checkpoint, signed-note and tlog-cosignature. Existing tools read and check it unchanged.
//
//	edge := tree.Edge{}                           // of an empty tree
//	edge.Append(tree.RecordHash(entry), keep)     // keep is given each hash that a tile holds
//	note, err := signer.Sign(tree.Checkpoint{Origin: signer.Name(), Size: edge.Size(), Root: edge.Root()})
//	proof, err := tree.ProveInclusion(tiles, head, 17)
//	err = tree.CheckInclusion(proof, head, 17, entry)
//
// All functions are pure; whatever is not said to be otherwise is safe for concurrent use.
package tree

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// A Hash is the SHA-256 of an entry or of two hashes, as in RFC 6962.
type Hash = tlog.Hash

// RecordHash returns the hash of an entry, a leaf of the tree.
func RecordHash(entry []byte) Hash { return tlog.RecordHash(entry) }

// TileWidth is how many hashes a full tile has, and how many entries a full bundle.
const TileWidth = 1 << tileHeight

const tileHeight = 8

// An entry of the log is a commitment to the bytes of one trace: version 1 (one byte) and their sha256. The bytes hold
// 16 random ones, so an entry tells nothing of them once they are gone.
const (
	EntrySize    = 1 + len(Hash{})
	entryVersion = 1
)

// Errors. Test with errors.Is.
var (
	// ErrEntry: bytes are no entry of this log.
	ErrEntry = errors.New("no entry of a log of traces")
	// ErrCheckpoint: bytes are no checkpoint, or one that is not signed by the key that is asked for.
	ErrCheckpoint = errors.New("no valid checkpoint")
	// ErrProof: a proof does not show what it should.
	ErrProof = errors.New("proof does not hold")
	// ErrTiles: hashes that were stored do not lead to the root that they should.
	ErrTiles = errors.New("stored hashes are damaged")
)

// AppendEntry appends the entry that commits to bytes whose sha256 is sum.
func AppendEntry(b []byte, sum [32]byte) []byte { return append(append(b, entryVersion), sum[:]...) }

// ParseEntry returns the sha256 that entry commits to.
func ParseEntry(entry []byte) (sum [32]byte, err error) {
	if len(entry) != EntrySize || entry[0] != entryVersion {
		return sum, fmt.Errorf("%w: %d bytes", ErrEntry, len(entry))
	}
	copy(sum[:], entry[1:])
	return sum, nil
}

// A Head is a tree as its root names it.
type Head struct {
	Size uint64 // entries
	Root Hash   // of no entries: the sha256 of nothing
}

func (h Head) tlog() tlog.Tree { return tlog.Tree{N: int64(h.Size), Hash: h.Root} }
