package store

import (
	"bytes"
	"context"

	"github.com/dgraph-io/badger/v4"
)

// meet returns the newest position, not newer than at, that every walk holds. Each walk leaps to where the slowest
// stands, so two indexes cost about what the shorter one holds; it gives up when ctx ends.
func meet(ctx context.Context, walks []descent, at [positionSize]byte) ([positionSize]byte, bool) {
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

// A descent goes down an index, newest first.
type descent interface {
	// seek returns the newest position that is not newer than at. It must not be called with a newer one than before.
	seek(at [positionSize]byte) (p [positionSize]byte, ok bool)
	close()
}

// descend begins to go down what is wanted.
func descend(txn *badger.Txn, w wanted) descent {
	if w.everyTenant == 0 {
		return newWalk(txn, w.prefix)
	}
	u := &union{walks: []*walk{newWalk(txn, w.prefix)}}
	for _, tenant := range tenants(txn) {
		u.walks = append(u.walks, newWalk(txn, w.of(tenant)))
	}
	u.at, u.over = make([][positionSize]byte, len(u.walks)), make([]bool, len(u.walks))
	return u
}

// tenants returns the tenants that have traces, from the first row that each has.
func tenants(txn *badger.Txn) (names []string) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{kindTenant}})
	defer it.Close()
	for it.Rewind(); it.Valid(); {
		key := it.Item().Key()
		if len(key) < 3+positionSize {
			return names
		}
		name := string(key[3 : len(key)-positionSize])
		names = append(names, name)
		behind := indexPrefix(kindTenant, name)
		for range positionSize + 1 {
			behind = append(behind, 0xff)
		}
		it.Seek(behind)
	}
	return names
}

// A union goes down several indexes at once. What all tenants have of a service or with a status is looked for by those
// who look over all of them, seldom; rows of its own for that would cost every trace.
type union struct {
	walks []*walk
	at    [][positionSize]byte // where each stands
	over  []bool               // that have nothing more
	begun bool
}

func (u *union) seek(at [positionSize]byte) (p [positionSize]byte, ok bool) {
	for i, w := range u.walks {
		if !u.over[i] && (!u.begun || bytes.Compare(u.at[i][:], at[:]) > 0) {
			var more bool
			u.at[i], more = w.seek(at)
			u.over[i] = !more
		}
		if !u.over[i] && (!ok || bytes.Compare(u.at[i][:], p[:]) > 0) {
			p, ok = u.at[i], true
		}
	}
	u.begun = true
	return p, ok
}

func (u *union) close() {
	for _, w := range u.walks {
		w.close()
	}
}

// walk goes down one index.
type walk struct {
	it  *badger.Iterator
	key []byte // prefix, with room for a position
}

func newWalk(txn *badger.Txn, prefix []byte) *walk {
	return &walk{it: txn.NewIterator(badger.IteratorOptions{Reverse: true, Prefix: prefix}), key: prefix}
}

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

func (w *walk) close() { w.it.Close() }
