package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// List joins the listings of the days. Days overlap, since a request may take longer than the rest of its day; a day is
// opened only when the listing has come to where it may hold something.
func (t *traces) List(ctx context.Context, f trace.Filter) (found []*trace.Record, err error) {
	leave, err := t.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	from, ok := newest(&f)
	if !ok {
		return nil, nil
	}
	l := listing{t: t, ctx: ctx, f: &f, from: from, later: t.byNewest()}
	if !f.Since.IsZero() {
		binary.BigEndian.PutUint64(l.oldest[:], flip(f.Since))
	}
	err = guard(func() error {
		defer l.end()
		for len(found) < f.Limit {
			places, err := l.take(f.Limit - len(found))
			if err != nil || len(places) == 0 {
				return err
			}
			records, err := t.load(places)
			if err != nil {
				return err
			}
			for i, r := range records {
				if r == nil {
					continue // erased
				}
				if !f.Selects(r) {
					return fmt.Errorf("sequence %d: %w: an index names it that should not", places[i].sequence, trace.ErrDamaged)
				}
				found = append(found, r)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// A foundAt is where a record lies that was found.
type foundAt struct {
	place
	sequence uint64
}

// loaders is how many records of a listing are read at once: they lie anywhere, and a disk serves many as fast as one.
const loaders = 16

// load reads the records at places. One that was erased is nil.
func (t *traces) load(places []foundAt) ([]*trace.Record, error) {
	records, errs := make([]*trace.Record, len(places)), make([]error, len(places))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(loaders, len(places)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(places); i = int(next.Add(1)) - 1 {
				errs[i] = guard(func() error {
					body, err := t.journal.Read(places[i].Location)
					if errors.Is(err, trace.ErrErased) {
						return nil
					}
					if err != nil {
						return fmt.Errorf("sequence %d: %w", places[i].sequence, err)
					}
					records[i], err = t.s.record(body, places[i].sequence)
					return err
				})
			}
		})
	}
	wg.Wait()
	return records, errors.Join(errs...)
}

// byNewest returns the days, the one with the newest request first. Those of which that is not known come first.
func (t *traces) byNewest() []*day {
	t.mu.Lock()
	days := slices.Clone(t.days)
	t.mu.Unlock()
	slices.Reverse(days)
	slices.SortStableFunc(days, func(a, b *day) int { return b.upTo().Compare(a.upTo()) })
	return days
}

// upTo returns when the newest request of d arrived, at the latest.
func (d *day) upTo() time.Time {
	if _, newest, known := d.bounds(); known {
		return newest
	}
	return time.Unix(0, math.MaxInt64)
}

// A listing goes over the days, newest position first.
type listing struct {
	t            *traces
	ctx          context.Context
	f            *trace.Filter
	from, oldest [positionSize]byte
	later        []*day // not begun yet, in the order of byNewest
	begun        []*cursor
}

// A cursor stands at the newest position of one day that was not taken yet.
type cursor struct {
	d     *day
	txn   *badger.Txn
	walks []*walk
	at    [positionSize]byte
}

// take returns where the next records lie that the indexes and their places select, at most n; fewer at the end.
func (l *listing) take(n int) (places []foundAt, err error) {
	for len(places) < n {
		var best *cursor
		for _, c := range l.begun {
			if best == nil || bytes.Compare(c.at[:], best.at[:]) > 0 {
				best = c
			}
		}
		if len(l.later) > 0 && (best == nil || l.mayPrecede(l.later[0], best)) {
			d := l.later[0]
			l.later = l.later[1:]
			if err := l.begin(d); err != nil {
				return nil, err
			}
			continue
		}
		if best == nil {
			return places, nil
		}
		at := foundAt{sequence: sequence(best.at)}
		if at.place, err = best.d.place(best.txn, at.sequence); err != nil {
			return nil, err
		}
		if at.selects(l.f) {
			places = append(places, at)
		}
		if next := best.at; !decrement(&next) || !best.seek(l, next) {
			l.leave(best)
		}
		if err := l.ctx.Err(); err != nil {
			return nil, err
		}
	}
	return places, nil
}

// mayPrecede tells whether d may hold something newer than where c stands.
func (l *listing) mayPrecede(d *day, c *cursor) bool {
	return flip(d.upTo()) >= binary.BigEndian.Uint64(c.at[:8])
}

// begin begins with d, unless it holds nothing of what is sought.
func (l *listing) begin(d *day) error {
	if oldest, newest, known := d.bounds(); known {
		if flip(newest) < binary.BigEndian.Uint64(l.oldest[:8]) || flip(oldest) > binary.BigEndian.Uint64(l.from[:8]) {
			return nil
		}
	}
	if _, err := l.t.use(d); errors.Is(err, errRetired) {
		return nil
	} else if err != nil {
		return err
	}
	c := &cursor{d: d, txn: d.db.NewTransaction(false)}
	for _, prefix := range indexesFor(l.f) {
		c.walks = append(c.walks, newWalk(c.txn, prefix))
	}
	l.begun = append(l.begun, c)
	if !c.seek(l, l.from) {
		l.leave(c)
	}
	return l.ctx.Err()
}

// seek moves c to the newest position that is not newer than at; false if there is none within what is sought.
func (c *cursor) seek(l *listing, at [positionSize]byte) (ok bool) {
	c.at, ok = meet(l.ctx, c.walks, at)
	return ok && bytes.Compare(c.at[:], l.oldest[:]) >= 0
}

// leave ends with c.
func (l *listing) leave(c *cursor) {
	l.begun = slices.DeleteFunc(l.begun, func(o *cursor) bool { return o == c })
	for _, w := range c.walks {
		w.it.Close() // before the transaction ends, or Badger panics
	}
	c.txn.Discard()
	l.t.release(c.d)
}

func (l *listing) end() {
	for len(l.begun) > 0 {
		l.leave(l.begun[0])
	}
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
