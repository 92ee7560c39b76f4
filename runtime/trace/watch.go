package trace

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Watch returns the traces that q selects, each once and in the order of the log, as they become durable: from position
// *from on, or, if from is nil, from what is written after this call. The times, the limit and the token of q have no part
// in it; traces whose bodies were removed are passed over.
//
// It goes on until ctx ends, whose cause is then the error that comes last, the log is closed and all was shown
// (ErrClosed), or a trace cannot be read (ErrDamaged). After an error nothing follows. A position that the log has not
// reached is waited for.
//
// It starts no goroutine: traces are read while the caller ranges. The log waits for no watcher. One that keeps up is
// served from memory, one that does not reads what it missed from the storage. Safe for concurrent use; what is returned
// is for one goroutine at a time, and begins at the same position each time it is ranged over.
func (l *Log) Watch(ctx context.Context, q Query, from *uint64) iter.Seq2[*caiov1.StoredTrace, error] {
	f := q.selection()
	f.Since, f.Until = time.Time{}, time.Time{}
	begin := l.watchers.end()
	if from != nil {
		begin = *from
	}
	return func(yield func(*caiov1.StoredTrace, error) bool) {
		l.watchers.join()
		defer l.watchers.leave()
		for r, err := range l.follow(ctx, begin) {
			if err == nil && !f.Selects(r) {
				continue
			}
			var stored *caiov1.StoredTrace
			if err == nil {
				stored, err = r.stored()
			}
			if err != nil {
				yield(nil, fmt.Errorf("watch traces: %w", err))
				return
			}
			if !yield(stored, nil) {
				return
			}
		}
	}
}

// follow returns every record from position at on, until an error, which is the last.
func (l *Log) follow(ctx context.Context, at uint64) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for {
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			records, place := l.watchers.from(at)
			switch {
			case place.behind:
				r, err := l.storage.At(ctx, at)
				if at++; errors.Is(err, ErrErased) {
					continue
				}
				if !yield(r, err) || err != nil {
					return
				}
			case place.closed:
				yield(nil, ErrClosed)
				return
			case place.news != nil:
				select {
				case <-place.news:
				case <-ctx.Done():
				}
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
			at += uint64(len(records))
		}
	}
}

// What of the newest traces is held in memory while somebody watches, and how many of them a watcher takes at once.
const (
	ringTraces = 1024
	ringBytes  = 16 << 20 // of Raw, unless a single trace has more
	ringBatch  = 64
)

// watchers are all who watch a log, and the newest records for them. The zero value is that of an empty log.
type watchers struct {
	mu       sync.Mutex // guards what is below; never held while anything is waited for, as the sequencer needs it
	next     uint64     // every record before it is durable
	first    uint64     // the ring holds the records from first to next-1
	ring     []*Record  // the record of sequence s at s%ringTraces; nil: nobody watches
	size     int        // bytes of Raw in the ring
	watching int
	news     chan struct{} // closed when there is news; nil: nobody waits for any
	closed   bool
}

// announce tells of a group that is durable now. The sequencer calls it after each, in their order, and waits for nobody
// here. The records' bytes are kept for a while; the group is not.
func (w *watchers) announce(group []Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range group {
		if w.ring == nil {
			break
		}
		r := group[i] // not the slice's own: one record would hold them all
		if w.next-w.first == ringTraces {
			w.drop()
		}
		w.ring[w.next%ringTraces] = &r
		w.next++
		for w.size += len(r.Raw); w.size > ringBytes && w.next-w.first > 1; {
			w.drop()
		}
	}
	if w.ring == nil {
		w.next += uint64(len(group))
		w.first = w.next
	}
	w.tell()
}

// drop lets go of the oldest record of the ring.
func (w *watchers) drop() {
	r := &w.ring[w.first%ringTraces]
	w.size -= len((*r).Raw)
	*r = nil
	w.first++
}

// forget lets go of all records: after bodies were removed, so that a watcher who is late is not shown them.
func (w *watchers) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.first < w.next {
		w.drop()
	}
}

// begin says that the log stands at next. It is called once, before anything else.
func (w *watchers) begin(next uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first, w.next = next, next
}

// close says that nothing is announced any more.
func (w *watchers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.tell()
}

func (w *watchers) tell() {
	if w.news != nil {
		close(w.news)
		w.news = nil
	}
}

func (w *watchers) join() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watching++; w.watching == 1 {
		w.ring = make([]*Record, ringTraces)
	}
}

func (w *watchers) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watching--; w.watching == 0 {
		w.ring, w.size, w.first = nil, 0, w.next
	}
}

// end returns the position after everything that is durable.
func (w *watchers) end() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// A place is where a watcher stands that gets no records.
type place struct {
	behind bool          // the ring begins later
	closed bool          // nothing comes any more
	news   chan struct{} // closed when there may be records
}

// from returns records from position at on, at most ringBatch, or why there are none.
func (w *watchers) from(at uint64) ([]*Record, place) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case at < w.first:
		return nil, place{behind: true}
	case at < w.next:
		records := make([]*Record, 0, ringBatch)
		for end := min(w.next, at+ringBatch); at < end; at++ {
			records = append(records, w.ring[at%ringTraces])
		}
		return records, place{}
	case w.closed:
		return nil, place{closed: true}
	}
	if w.news == nil {
		w.news = make(chan struct{})
	}
	return nil, place{news: w.news}
}
