package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// Erase implements trace.Storage. Rows of the index go first: while a body is there, it is known which they are.
func (t *traces) Erase(ctx context.Context, e trace.Erasing) error {
	p := journal.Pending{TraceID: e.TraceID}
	for _, seq := range e.Sequences {
		if n := len(p.Ranges); n > 0 && p.Ranges[n-1][1]+1 == seq {
			p.Ranges[n-1][1] = seq
		} else {
			p.Ranges = append(p.Ranges, [2]uint64{seq, seq})
		}
	}
	return t.erasing(ctx, p, e.Record)
}

// Days implements trace.Storage.
func (t *traces) Days(context.Context) (days []trace.StoredDay, err error) {
	leave, err := t.s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	t.mu.Lock()
	all := append([]*day(nil), t.days...)
	t.mu.Unlock()
	for _, d := range all[:max(0, len(all)-1)] {
		if _, _, known := d.bounds(); !known {
			if _, err := t.use(d); err != nil { // to learn them
				return nil, err
			}
			t.release(d)
		}
		_, newest, _ := d.bounds()
		days = append(days, trace.StoredDay{Name: d.Name, First: d.First, Next: d.end(), Newest: newest})
	}
	return days, nil
}

// Drop implements trace.Storage.
func (t *traces) Drop(ctx context.Context, day string, e trace.Erasing) error {
	return t.erasing(ctx, journal.Pending{TraceID: e.TraceID, Day: day}, e.Record)
}

// erasing does what p says. It waits for a backup that is under way, as long as ctx lets it; what is begun is finished.
func (t *traces) erasing(ctx context.Context, p journal.Pending, record func() error) error {
	if err := t.eraser.lock(ctx); err != nil {
		return err
	}
	defer t.eraser.unlock()
	leave, err := t.s.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := t.journal.Begin(p); err != nil {
		return err
	}
	if err := record(); err != nil {
		if errors.Is(err, trace.ErrStopped) {
			return err // it may be there: the next start looks
		}
		return errors.Join(err, t.journal.End())
	}
	err = t.indexer.wait(context.WithoutCancel(ctx))
	if err == nil {
		err = t.finish(p)
	}
	if err != nil {
		return fmt.Errorf("%w; it is finished when the store is opened again", err)
	}
	return nil
}

// resume finishes or drops the erasure that a crash interrupted: it is to be done if the trace that records it was written.
func (t *traces) resume() error {
	p, err := t.journal.Pending()
	if err != nil || p == nil {
		return err
	}
	for _, d := range t.mayHold(p.TraceID) {
		_, err := t.get(d, p.TraceID)
		if errors.Is(err, trace.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		t.logger.Info("an erasure that was interrupted is finished", "recorded_in", p.TraceID)
		return t.finish(*p)
	}
	t.logger.Info("an erasure that was interrupted before it was recorded is dropped; nothing was removed")
	return t.journal.End()
}

// finish removes what p says, and notes that it is done.
func (t *traces) finish(p journal.Pending) error {
	if p.Day != "" {
		if err := t.dropDay(p.Day); err != nil {
			return err
		}
	}
	for _, r := range p.Ranges {
		for seq := r[0]; seq <= r[1]; {
			next, err := t.eraseFrom(seq, r[1])
			if err != nil {
				return err
			}
			seq = next
		}
	}
	return t.journal.End()
}

func (t *traces) dropDay(name string) error {
	t.mu.Lock()
	for i, d := range t.days {
		if d.Name == name {
			t.days = append(t.days[:i:i], t.days[i+1:]...)
			t.mu.Unlock()
			// Who uses it still reads to its end; what it reads of bodies is that they were erased.
			d.retire()
			return t.journal.Drop(name, time.Now())
		}
	}
	t.mu.Unlock()
	return nil
}

// eraseBatch is how many bodies are removed between two syncs.
const eraseBatch = 256

// eraseFrom removes the bodies from one position up to another, at most a batch of one day, and returns where to go on.
func (t *traces) eraseFrom(seq, last uint64) (next uint64, err error) {
	d, until := t.dayAt(seq)
	if d == nil {
		return until, nil // dropped
	}
	if _, err := t.use(d); err != nil {
		return 0, err
	}
	defer t.release(d)
	end := min(last+1, d.end(), seq+eraseBatch)
	var at []journal.Location
	txn := d.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	for ; seq < end; seq++ {
		p, err := d.place(txn, seq)
		if err != nil {
			return 0, err
		}
		r, err := d.load(seq)
		if errors.Is(err, trace.ErrErased) {
			continue
		}
		if err != nil {
			return 0, err
		}
		at = append(at, p.Location)
		_, err = eachIndexKey(nil, r, func(key []byte) error {
			err := txn.Delete(key)
			if errors.Is(err, badger.ErrTxnTooBig) {
				if err = txn.Commit(); err == nil {
					txn = d.db.NewTransaction(true)
					err = txn.Delete(key)
				}
			}
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	if err := guard(txn.Commit); err != nil {
		return 0, err
	}
	return end, t.journal.Erase(at)
}

// dayAt returns the day that holds a position; nil, and the first position after it that is not gone, if it was dropped.
func (t *traces) dayAt(seq uint64) (d *day, until uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	until = t.journal.Size()
	for i := len(t.days) - 1; i >= 0; i-- {
		if d := t.days[i]; d.holds(seq) {
			return d, 0
		} else if d.First > seq {
			until = d.First
		}
	}
	return nil, max(until, seq+1)
}
