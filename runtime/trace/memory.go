package trace

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/smarthausgroup/caio/runtime/tree"
)

// Memory is a [Storage] that forgets everything when the process ends: for tests and trials. The zero value is empty
// and ready. Safe for concurrent use.
type Memory struct {
	mu         sync.RWMutex       // guards what is below
	byID       map[string]*Record // every record
	log        []*Record          // every record, by sequence
	sorted     []*Record          // every record, oldest position first
	hashes     [][]byte           // by level of tiles
	checkpoint []byte
	cosigned   []byte
}

// NewMemory returns an empty storage.
func NewMemory() *Memory { return &Memory{} }

// Head returns how far the log is.
func (m *Memory) Head(context.Context) (Head, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return Head{uint64(len(m.log)), m.checkpoint}, nil
}

// Ready returns nil.
func (m *Memory) Ready() error { return nil }

// Append keeps the group.
func (m *Memory) Append(_ context.Context, g *Group) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make(map[string]bool, len(g.Records))
	for i := range g.Records {
		r := &g.Records[i]
		if want := uint64(len(m.log) + i); r.Sequence != want {
			return fmt.Errorf("%w: sequence %d, expected %d", ErrRefused, r.Sequence, want)
		}
		if m.byID[r.TraceID] != nil || ids[r.TraceID] {
			return fmt.Errorf("trace %s: %w", r.TraceID, ErrExists)
		}
		ids[r.TraceID] = true
	}
	if m.byID == nil {
		m.byID = make(map[string]*Record)
	}
	for _, r := range g.Records {
		at, _ := slices.BinarySearchFunc(m.sorted, r.Position(), comparePosition)
		m.sorted = slices.Insert(m.sorted, at, &r)
		m.log = append(m.log, &r)
		m.byID[r.TraceID] = &r
	}
	for level, hashes := range g.Hashes {
		for level >= len(m.hashes) {
			m.hashes = append(m.hashes, nil)
		}
		m.hashes[level] = append(m.hashes[level], hashes...)
	}
	m.checkpoint = g.Checkpoint
	return nil
}

// ReadTile reads hashes of the tree.
func (m *Memory) ReadTile(level int, n uint64, width int) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	from, size := int(n)*tree.TileWidth*len(tree.Hash{}), width*len(tree.Hash{})
	if level >= len(m.hashes) || from+size > len(m.hashes[level]) {
		return nil, fmt.Errorf("tile %d/%d of width %d: %w", level, n, width, ErrNotFound)
	}
	return slices.Clone(m.hashes[level][from : from+size]), nil
}

// ReadEntries returns entries of the log.
func (m *Memory) ReadEntries(from uint64, count int) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if from+uint64(count) > uint64(len(m.log)) {
		return nil, fmt.Errorf("%d entries from %d on: %w", count, from, ErrNotFound)
	}
	var entries []byte
	for _, r := range m.log[from : from+uint64(count)] {
		entries = tree.AppendEntry(entries, r.Hash)
	}
	return entries, nil
}

// KeepCosigned keeps a cosigned checkpoint.
func (m *Memory) KeepCosigned(signed []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cosigned = signed
	return nil
}

// Cosigned returns what KeepCosigned kept last.
func (m *Memory) Cosigned() ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.cosigned, nil
}

// At returns the record at that position, or ErrNotFound.
func (m *Memory) At(_ context.Context, sequence uint64) (*Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if sequence < uint64(len(m.log)) {
		return m.log[sequence], nil
	}
	return nil, fmt.Errorf("trace %d: %w", sequence, ErrNotFound)
}

// Get returns the record with that trace id, or ErrNotFound.
func (m *Memory) Get(_ context.Context, traceID string) (*Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if r := m.byID[traceID]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("trace %.40q: %w", traceID, ErrNotFound)
}

// List returns the records that f selects, newest first. It looks at every record from the newest allowed one on.
func (m *Memory) List(ctx context.Context, f Filter) ([]*Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	end := len(m.sorted)
	if f.Before != nil {
		end, _ = slices.BinarySearchFunc(m.sorted, *f.Before, comparePosition)
	}
	var found []*Record
	for i := end - 1; i >= 0 && len(found) < f.Limit; i-- {
		r := m.sorted[i]
		if !f.Since.IsZero() && r.Time.Before(f.Since) {
			break
		}
		if f.Selects(r) {
			found = append(found, r)
		}
	}
	return found, ctx.Err()
}

func comparePosition(r *Record, p Position) int { return r.Position().Compare(p) }
