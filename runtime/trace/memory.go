package trace

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Memory is a [Storage] that forgets everything when the process ends: for tests and trials. The zero value is empty
// and ready. Safe for concurrent use.
type Memory struct {
	mu     sync.RWMutex       // guards what is below
	byID   map[string]*Record // every record
	sorted []*Record          // every record, oldest position first
}

// NewMemory returns an empty storage.
func NewMemory() *Memory { return &Memory{} }

// Next returns how many records there are.
func (m *Memory) Next(context.Context) (uint64, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return uint64(len(m.sorted)), nil
}

// Append keeps the group.
func (m *Memory) Append(_ context.Context, group []Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make(map[string]bool, len(group))
	for i := range group {
		r := &group[i]
		if want := uint64(len(m.sorted) + i); r.Sequence != want {
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
	for _, r := range group {
		at, _ := slices.BinarySearchFunc(m.sorted, r.Position(), comparePosition)
		m.sorted = slices.Insert(m.sorted, at, &r)
		m.byID[r.TraceID] = &r
	}
	return nil
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
