package trace

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Key returns the log's public key as signed-note has it: name+hash+base64.
func (l *Log) Key() string { return l.signer.VerifierKey() }

// Head returns the tree that the newest durable checkpoint names.
func (l *Log) Head() tree.Head { return l.state.Load().head }

// Checkpoint returns the newest durable checkpoint, a signed note, with the cosignatures that were kept for it. Of a log
// that was never written one is made.
func (l *Log) Checkpoint() ([]byte, error) {
	s := l.state.Load()
	if c := l.cosigned.Load(); c != nil && c.head == s.head {
		return c.checkpoint, nil
	}
	if s.checkpoint == nil {
		return l.signer.Sign(s.head)
	}
	return s.checkpoint, nil
}

// Tile returns a tile of the tree, hashes of 32 bytes, or a bundle of entries: each its length in two bytes, big-endian, and
// its bytes. ErrNotFound: the tree has none of that width. What was returned once never changes.
func (l *Log) Tile(_ context.Context, p tree.TilePath) ([]byte, error) {
	if p.Width < 1 || p.Width > p.In(l.Head().Size) {
		return nil, fmt.Errorf("tile %s: %w: the tree has %d entries", p, ErrNotFound, l.Head().Size)
	}
	if p.Level >= 0 {
		return l.storage.ReadTile(p.Level, p.N, p.Width)
	}
	entries, err := l.storage.ReadEntries(p.N*tree.TileWidth, p.Width)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", p, err)
	}
	bundle := make([]byte, 0, p.Width*(2+tree.EntrySize))
	for ; len(entries) >= tree.EntrySize; entries = entries[tree.EntrySize:] {
		bundle = binary.BigEndian.AppendUint16(bundle, uint16(tree.EntrySize))
		bundle = append(bundle, entries[:tree.EntrySize]...)
	}
	return bundle, nil
}

// Prove returns what shows that the trace at index is in the log, and, if earlier is not 0, that the tree of that size is
// the beginning of today's. The checkpoint is the newest that a witness has signed, if it covers both, else the newest. It
// waits for what is queued. ErrNotFound: the log has no such trace, or never was of that size; ErrDamaged: its tree does
// not lead to its checkpoint.
func (l *Log) Prove(ctx context.Context, index, earlier uint64) (*caiov1.LogProof, error) {
	if index >= l.Head().Size || earlier > l.Head().Size {
		if err := l.settle(ctx); err != nil {
			return nil, err
		}
	}
	s := l.state.Load()
	if c := l.cosigned.Load(); c != nil && index < c.head.Size && earlier <= c.head.Size {
		s = c
	}
	if index >= s.head.Size || earlier > s.head.Size {
		return nil, fmt.Errorf("prove trace %d, and that %d came before: %w: the log has %d", index, earlier, ErrNotFound, s.head.Size)
	}
	p := &caiov1.LogProof{Checkpoint: s.checkpoint, Index: index, EarlierSize: earlier}
	hashes, err := tree.ProveInclusion(l.storage, s.head, index)
	if p.Inclusion = flat(hashes); err == nil && earlier > 0 {
		hashes, err = tree.ProveConsistency(l.storage, s.head, earlier)
		p.Consistency = flat(hashes)
	}
	if errors.Is(err, tree.ErrTiles) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func flat(hashes []tree.Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}
