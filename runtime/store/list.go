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
			sought, err := l.take(f.Limit - len(found))
			if err != nil || len(sought) == 0 {
				return err
			}
			records, err := t.load(sought, &f)
			if err != nil {
				return err
			}
			for _, r := range records {
				if r != nil {
					found = append(found, r)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// An indexed is what an index names.
type indexed struct {
	d        *day
	sequence uint64
}

// loaders is how many records of a listing are read at once: they and their places lie anywhere, a disk serves many as fast
// as one, and more than these only wait for one another.
const loaders = 12

// load reads the records that are sought. One that was erased, or that f does not select by duration or cost, is nil.
func (t *traces) load(sought []indexed, f *trace.Filter) ([]*trace.Record, error) {
	records, errs := make([]*trace.Record, len(sought)), make([]error, len(sought))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(loaders, len(sought)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(sought); i = int(next.Add(1)) - 1 {
				records[i], errs[i] = t.loadOne(sought[i], f)
			}
		})
	}
	wg.Wait()
	return records, errors.Join(errs...)
}

func (t *traces) loadOne(sought indexed, f *trace.Filter) (r *trace.Record, err error) {
	if _, err := t.use(sought.d); errors.Is(err, errRetired) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer t.release(sought.d)
	err = sought.d.read(func(txn *badger.Txn) error {
		p, err := sought.d.place(txn, sought.sequence)
		if err != nil || !p.selects(f) {
			return err
		}
		body, err := t.journal.Read(p.Location)
		if errors.Is(err, trace.ErrErased) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("sequence %d: %w", sought.sequence, err)
		}
		if r, err = t.s.record(body, sought.sequence); err == nil && !f.Selects(r) {
			err = fmt.Errorf("sequence %d: %w: an index names it that should not", sought.sequence, trace.ErrDamaged)
		}
		return err
	})
	return r, err
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
	walks []descent
	at    [positionSize]byte
}

// take returns the next that the indexes select, at most n; fewer at the end.
func (l *listing) take(n int) (sought []indexed, err error) {
	for len(sought) < n {
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
			return sought, nil
		}
		sought = append(sought, indexed{best.d, sequence(best.at)})
		if next := best.at; !decrement(&next) || !best.seek(l, next) {
			l.leave(best)
		}
		if err := l.ctx.Err(); err != nil {
			return nil, err
		}
	}
	return sought, nil
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
	for _, w := range indexesFor(l.f) {
		c.walks = append(c.walks, descend(c.txn, w))
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
		w.close() // before the transaction ends, or Badger panics
	}
	c.txn.Discard()
	l.t.release(c.d)
}

func (l *listing) end() {
	for len(l.begun) > 0 {
		l.leave(l.begun[0])
	}
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
