package tree

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// An Edge is the right edge of a tree: all that is needed to add to it. The zero value is that of an empty tree. It is
// for one goroutine.
type Edge struct {
	size  uint64
	peaks []Hash // roots of the perfect subtrees that make up the tree, the largest first: one for each bit of size
}

// Size returns how many entries there are.
func (e *Edge) Size() uint64 { return e.size }

// Clone returns a copy that grows on its own.
func (e *Edge) Clone() Edge { return Edge{e.size, append(make([]Hash, 0, len(e.peaks)+1), e.peaks...)} }

// Append adds an entry by its hash. keep is called for each hash that tiles hold and that is complete now, with the level
// of its tiles: always for leaf at level 0, for every 256th at level 1 as well, and so on.
func (e *Edge) Append(leaf Hash, keep func(level int, h Hash)) {
	keep(0, leaf)
	h := leaf
	for level := range bits.TrailingZeros64(e.size + 1) {
		last := len(e.peaks) - 1
		h = tlog.NodeHash(e.peaks[last], h)
		e.peaks = e.peaks[:last]
		if above := level + 1; above%tileHeight == 0 {
			keep(above/tileHeight, h)
		}
	}
	e.peaks = append(e.peaks, h)
	e.size++
}

// Root returns the hash of the whole tree.
func (e *Edge) Root() Hash {
	if e.size == 0 {
		return EmptyRoot()
	}
	last := len(e.peaks) - 1
	h := e.peaks[last]
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(e.peaks[i], h)
	}
	return h
}

// EmptyRoot returns the root of a tree without entries, the sha256 of nothing.
func EmptyRoot() Hash {
	h, _ := tlog.TreeHash(0, nil) // reads nothing, so it cannot fail
	return h
}

// ReadEdge returns the edge of the tree that head names, from its tiles. ErrTiles: they do not lead to head.
func ReadEdge(tiles Tiles, head Head) (Edge, error) {
	e := Edge{size: head.Size}
	if head.Size == 0 {
		if head.Root != EmptyRoot() {
			return e, fmt.Errorf("%w: a tree of no entries has another root", ErrTiles)
		}
		return e, nil
	}
	var indexes []int64
	from := uint64(0)
	for rest := head.Size; rest > 0; {
		level := bits.Len64(rest) - 1
		indexes = append(indexes, tlog.StoredHashIndex(level, int64(from>>level)))
		from, rest = from+1<<level, rest-1<<level
	}
	peaks, err := hashReader(tiles, head).ReadHashes(indexes)
	if err != nil {
		return e, fmt.Errorf("%w: tree of %d entries: %w", ErrTiles, head.Size, err)
	}
	e.peaks = peaks
	if e.Root() != head.Root {
		return e, fmt.Errorf("%w: tree of %d entries has root %v and should have %v", ErrTiles, head.Size, e.Root(), head.Root)
	}
	return e, nil
}

// EdgeOf returns the edge of the tree of size entries, from hash, which returns hash n of that level of tiles. Nothing
// holds it against a root. Up to 128 hashes of each level are read.
func EdgeOf(size uint64, hash func(level int, n uint64) (Hash, error)) (Edge, error) {
	e := Edge{size: size}
	from := uint64(0)
	for rest := size; rest > 0; {
		level := bits.Len64(rest) - 1
		peak, err := subtree(level, from>>level, hash)
		if err != nil {
			return e, err
		}
		e.peaks = append(e.peaks, peak)
		from, rest = from+1<<level, rest-1<<level
	}
	return e, nil
}

// subtree returns the root of the n-th perfect subtree of 2^level entries.
func subtree(level int, n uint64, hash func(int, uint64) (Hash, error)) (Hash, error) {
	if level%tileHeight == 0 {
		return hash(level/tileHeight, n)
	}
	left, err := subtree(level-1, 2*n, hash)
	if err != nil {
		return left, err
	}
	right, err := subtree(level-1, 2*n+1, hash)
	return tlog.NodeHash(left, right), err
}
