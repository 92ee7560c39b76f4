package tree

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ProveInclusion returns the hashes that show that the tree which head names has its entry of that index, from 0.
// ErrTiles: the tiles do not lead to head.
func ProveInclusion(tiles Tiles, head Head, index uint64) ([]Hash, error) {
	if index >= head.Size {
		return nil, fmt.Errorf("%w: entry %d of a tree of %d", ErrProof, index, head.Size)
	}
	proof, err := tlog.ProveRecord(int64(head.Size), int64(index), hashReader(tiles, head))
	if err != nil {
		return nil, fmt.Errorf("%w: prove entry %d of %d: %w", ErrTiles, index, head.Size, err)
	}
	return proof, nil
}

// CheckInclusion returns nil if proof shows that entry is the one of that index in the tree which head names; else ErrProof.
func CheckInclusion(proof []Hash, head Head, index uint64, entry []byte) error {
	if index >= head.Size || head.Size > 1<<62 {
		return fmt.Errorf("%w: entry %d of a tree of %d", ErrProof, index, head.Size)
	}
	if err := tlog.CheckRecord(proof, int64(head.Size), head.Root, int64(index), RecordHash(entry)); err != nil {
		return fmt.Errorf("%w: entry %d is not in the tree of %d entries", ErrProof, index, head.Size)
	}
	return nil
}

// ProveConsistency returns the hashes that show that the tree of the first old entries, at least 1, is the beginning of
// the one that head names. ErrTiles: the tiles do not lead to head.
func ProveConsistency(tiles Tiles, head Head, old uint64) ([]Hash, error) {
	if old == 0 || old > head.Size {
		return nil, fmt.Errorf("%w: a tree of %d in one of %d", ErrProof, old, head.Size)
	}
	proof, err := tlog.ProveTree(int64(head.Size), int64(old), hashReader(tiles, head))
	if err != nil {
		return nil, fmt.Errorf("%w: prove %d in %d: %w", ErrTiles, old, head.Size, err)
	}
	return proof, nil
}

// CheckConsistency returns nil if proof shows that the tree which old names is the beginning of the one that head names;
// else ErrProof. A tree without entries is the beginning of each.
func CheckConsistency(proof []Hash, head, old Head) error {
	if old.Size > head.Size || head.Size > 1<<62 {
		return fmt.Errorf("%w: the tree has %d entries, the earlier one had %d already", ErrProof, head.Size, old.Size)
	}
	if old.Size == 0 {
		if old.Root != EmptyRoot() || len(proof) != 0 {
			return fmt.Errorf("%w: a tree of no entries has another root", ErrProof)
		}
		return nil
	}
	if err := tlog.CheckTree(proof, int64(head.Size), head.Root, int64(old.Size), old.Root); err != nil {
		return fmt.Errorf("%w: the tree of %d entries does not go on from the one of %d", ErrProof, head.Size, old.Size)
	}
	return nil
}
