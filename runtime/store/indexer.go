package store

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// An indexer puts groups that are in the journal into the index of their day, one after the other, while the next is
// written: whoever waits for a trace waits for the disk, and not for what it will be found by. Readers wait until the
// index has what the journal had when they came.
type indexer struct {
	t    *traces
	done chan struct{} // closed when its goroutine has ended

	mu      sync.Mutex
	moved   sync.Cond       // that anything below has changed; its lock is mu
	queue   []indexing      // oldest first
	pending map[string]bool // trace ids that are queued, or being put in
	indexed uint64          // one more than the last sequence that is in an index
	closed  bool            // nothing more is queued
	failed  error           // why nothing more comes into an index until the store is opened again
}

// An indexing is a group on its way; its day is in use. The records are without their bytes, which no index needs.
type indexing struct {
	day     *day
	records []trace.Record
	at      []journal.Location
}

// maxIndexing is how many traces may wait for the index, a few hundred bytes each; then the log does. While Badger compacts
// it may take nothing for a tenth of a second.
const maxIndexing = 16 << 10

// startIndexer starts the indexer of a log whose index has everything up to size.
func startIndexer(t *traces, size uint64) *indexer {
	x := &indexer{t: t, done: make(chan struct{}), pending: map[string]bool{}, indexed: size}
	x.moved.L = &x.mu
	go x.run()
	return x
}

// close ends the indexer when everything that was queued is in the index.
func (x *indexer) close() {
	x.mu.Lock()
	x.closed = true
	x.moved.Broadcast()
	x.mu.Unlock()
	<-x.done
}

func (x *indexer) run() {
	defer close(x.done)
	for {
		g, ok := x.next()
		if !ok {
			return
		}
		err := x.failure()
		if err == nil {
			err = g.day.add(g.records, g.at)
		}
		x.t.release(g.day)
		x.mu.Lock()
		if err != nil && x.failed == nil {
			x.failed = x.t.s.fail(fmt.Errorf("index of day %s: %w", g.day.Name, err))
		}
		for i := range g.records {
			delete(x.pending, g.records[i].TraceID)
		}
		x.indexed = g.records[len(g.records)-1].Sequence + 1
		x.moved.Broadcast()
		x.mu.Unlock()
	}
}

// next returns the oldest group that is queued; false once there will be none.
func (x *indexer) next() (g indexing, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) == 0 {
		if x.closed {
			return g, false
		}
		x.moved.Wait()
	}
	g, x.queue[0] = x.queue[0], indexing{}
	x.queue = x.queue[1:]
	return g, true
}

func (x *indexer) failure() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.failed
}

// put queues a group that is in the journal. It waits while too many are queued.
func (x *indexer) put(d *day, records []trace.Record, at []journal.Location) {
	records = slices.Clone(records)
	for i := range records {
		records[i].Raw = nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.pending) >= maxIndexing {
		x.moved.Wait()
	}
	for i := range records {
		x.pending[records[i].TraceID] = true
	}
	x.queue = append(x.queue, indexing{d, records, at})
	x.moved.Broadcast()
}

// holds tells whether a trace of that id is queued.
func (x *indexer) holds(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.pending[id]
}

// wait returns once everything that the journal has now is in an index, or cannot come into one.
func (x *indexer) wait(ctx context.Context) error {
	size := x.t.journal.Size()
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.indexed < size && x.failed == nil {
		x.moved.Wait() // a group takes milliseconds, so ctx is looked at afterwards
	}
	if x.failed != nil {
		return x.failed
	}
	return context.Cause(ctx)
}
