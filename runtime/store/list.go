package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// list walks the indexes that f names from its newest position to its oldest and loads what all of them hold.
func (s *Store) list(ctx context.Context, txn *badger.Txn, f *trace.Filter) ([]*trace.Record, error) {
	at, ok := newest(f)
	if !ok {
		return nil, nil
	}
	var oldest [positionSize]byte
	if !f.Since.IsZero() {
		binary.BigEndian.PutUint64(oldest[:], flip(f.Since))
	}
	walks := make([]*walk, 0, 2)
	defer func() {
		for _, w := range walks {
			w.it.Close() // before the transaction ends, or Badger panics
		}
	}()
	for _, prefix := range indexesFor(f) {
		walks = append(walks, newWalk(txn, prefix))
	}
	var found []*trace.Record
	for len(found) < f.Limit {
		at, ok = meet(ctx, walks, at)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !ok || bytes.Compare(at[:], oldest[:]) < 0 {
			break
		}
		r, err := s.load(txn, sequence(at))
		if err != nil {
			return nil, err
		}
		if !f.Selects(r) {
			return nil, fmt.Errorf("sequence %d: %w: an index names it that should not", r.Sequence, trace.ErrDamaged)
		}
		found = append(found, r)
		if !decrement(&at) {
			break
		}
	}
	return found, nil
}

// meet returns the newest position, not newer than at, that every walk holds. Each walk leaps to where the slowest
// stands, so two indexes cost about what the shorter one holds; it gives up when ctx ends.
func meet(ctx context.Context, walks []*walk, at [positionSize]byte) ([positionSize]byte, bool) {
	for agreed := 0; agreed < len(walks); {
		if agreed = 0; ctx.Err() != nil {
			return at, false
		}
		for _, w := range walks {
			p, ok := w.seek(at)
			if !ok {
				return at, false
			}
			if p == at {
				agreed++
			}
			at = p
		}
	}
	return at, true
}

// walk goes down one index, newest first.
type walk struct {
	it  *badger.Iterator
	key []byte // prefix, with room for a position
}

func newWalk(txn *badger.Txn, prefix []byte) *walk {
	return &walk{it: txn.NewIterator(badger.IteratorOptions{Reverse: true, Prefix: prefix}), key: prefix}
}

// seek returns the newest position that is not newer than at. It must not be called with a newer one than before.
func (w *walk) seek(at [positionSize]byte) (p [positionSize]byte, ok bool) {
	// The next row is where it is looked for most often, and a step costs less than a seek.
	if w.it.Valid() {
		if p, ok := w.here(); ok && bytes.Compare(p[:], at[:]) <= 0 {
			return p, true
		}
		w.it.Next()
		if p, ok := w.here(); ok && bytes.Compare(p[:], at[:]) <= 0 {
			return p, true
		}
	}
	w.it.Seek(append(w.key[:len(w.key):len(w.key)], at[:]...))
	return w.here()
}

func (w *walk) here() (p [positionSize]byte, ok bool) {
	if !w.it.Valid() {
		return p, false
	}
	key := w.it.Item().Key()
	if len(key) != len(w.key)+positionSize {
		return p, false
	}
	return position(key), true
}

// newest returns the newest position that f allows; false if it allows none.
func newest(f *trace.Filter) (p [positionSize]byte, ok bool) {
	for i := range p {
		p[i] = 0xff
	}
	lower := func(to trace.Position) bool { // p becomes at most what is just below to
		var b [positionSize]byte
		copy(b[:], appendPosition(nil, to))
		if !decrement(&b) {
			return false
		}
		if bytes.Compare(b[:], p[:]) < 0 {
			p = b
		}
		return true
	}
	if !f.Until.IsZero() && !lower(trace.Position{Time: f.Until}) {
		return p, false
	}
	if f.Before != nil && !lower(*f.Before) {
		return p, false
	}
	return p, true
}

// decrement takes one from a position; false if there is none below.
func decrement(p *[positionSize]byte) bool {
	for i := positionSize - 1; i >= 0; i-- {
		p[i]--
		if p[i] != 0xff {
			return true
		}
	}
	return false
}
