package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A group is what one write takes.
const (
	maxGroup      = 256     // traces
	maxGroupBytes = 4 << 20 // bytes of Raw, unless a single trace has more
	defaultQueue  = 1024
)

// Options of a log. The zero value is good.
type Options struct {
	// Queue is how many traces may wait for the sequencer; Append blocks when it is full. 0: 1024.
	Queue int
	// Logger is told when the log stops. nil: nobody is.
	Logger *slog.Logger
}

// Log is the log of decisions. Make one with Open. All methods are safe for concurrent use.
type Log struct {
	storage Storage
	logger  *slog.Logger
	queue   chan entry
	done    chan struct{} // closed when the sequencer has ended

	mu     sync.RWMutex // held for reading while sending to queue
	closed bool         // guarded by mu; queue is closed when true
}

// entry is a record on its way, and where its fate is told. The channel holds one, so the sequencer never waits for a
// caller that went away.
type entry struct {
	record Record
	fate   chan error
}

// Open returns a log that goes on where storage ends. The storage stays the caller's: close it after the log. Errors:
// the storage's.
func Open(storage Storage, o Options) (*Log, error) {
	next, err := storage.Next(context.Background())
	if err != nil {
		return nil, fmt.Errorf("open trace log: %w", err)
	}
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{storage: storage, logger: o.Logger, queue: make(chan entry, o.Queue), done: make(chan struct{})}
	go l.sequence(next)
	return l, nil
}

// Append writes t to the log and returns once it is durable. t is read before Append returns and not kept.
//
// When ctx ends while the queue is full, nothing is written and the error is ctx's. When it ends later, the error is
// ErrUnwaited as well, and the trace is written all the same: a caller that must not lose a trace passes a context
// without cancellation. Other errors: ErrInvalid, ErrExists, ErrRefused (the storage takes nothing now; wrapped with
// why) and ErrClosed leave nothing written and the log usable; ErrStopped leaves open whether this trace was written
// if it was in the group that failed, and is returned for every trace after it.
func (l *Log) Append(ctx context.Context, t *caiov1.Trace) error {
	r, err := newRecord(t)
	if err != nil {
		return fmt.Errorf("append trace: %w", err)
	}
	e := entry{record: r, fate: make(chan error, 1)}
	if err := l.enqueue(ctx, e); err != nil {
		return fmt.Errorf("append trace %s: %w", r.TraceID, err)
	}
	select {
	case err = <-e.fate:
	case <-ctx.Done():
		err = fmt.Errorf("%w: %w", ErrUnwaited, context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("append trace %s: %w", r.TraceID, err)
	}
	return nil
}

func (l *Log) enqueue(ctx context.Context, e entry) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return ErrClosed
	}
	select {
	case l.queue <- e:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a place in the queue: %w", context.Cause(ctx))
	}
}

// Close takes no more traces, writes those that are queued, and waits until it is done. It may be called more than
// once, by anybody; every call waits. It returns nil.
func (l *Log) Close() error {
	l.mu.Lock() // waits for senders, which the sequencer is still serving
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	<-l.done
	return nil
}

// sequence is the sequencer: the only goroutine that numbers and writes. It ends when the queue is closed and empty.
func (l *Log) sequence(next uint64) {
	defer close(l.done)
	s := sequencer{storage: l.storage, next: next}
	group := make([]entry, 0, maxGroup)
	for e := range l.queue {
		group = l.gather(append(group[:0], e))
		s.write(group)
		if s.stopped != nil && !s.said {
			s.said = true
			l.logger.Error("trace log stopped: no request is traced until the store is opened again", "error", s.stopped)
		}
		clear(group) // the bodies are not held until the next full group
	}
}

// gather adds to group whatever is queued, up to a group's size.
func (l *Log) gather(group []entry) []entry {
	size := len(group[0].record.Raw)
	for len(group) < maxGroup && size < maxGroupBytes {
		select {
		case e, ok := <-l.queue:
			if !ok {
				return group
			}
			group = append(group, e)
			size += len(e.record.Raw)
		default:
			return group
		}
	}
	return group
}

// sequencer is the state of the sequencing goroutine.
type sequencer struct {
	storage Storage
	next    uint64 // sequence of the next record
	stopped error  // why nothing more is written
	said    bool   // stopped was logged
}

// write numbers the group, writes it, and tells everybody their fate. A group that is refused because of what is in it
// is tried again in halves, so that one bad trace fails alone.
func (s *sequencer) write(group []entry) {
	err := s.append(group)
	if len(group) > 1 && (errors.Is(err, ErrTooLarge) || errors.Is(err, ErrExists)) {
		s.write(group[:len(group)/2])
		s.write(group[len(group)/2:])
		return
	}
	for _, e := range group {
		e.fate <- err
	}
}

func (s *sequencer) append(group []entry) error {
	if s.stopped != nil {
		return s.stopped
	}
	records := make([]Record, len(group))
	for i := range group {
		records[i] = group[i].record
		records[i].Sequence = s.next + uint64(i)
	}
	// Background: once numbered a group is written whoever waits; Append's contexts only end the waiting.
	err := s.storage.Append(context.Background(), records)
	switch {
	case err == nil:
		s.next += uint64(len(group))
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrExists), errors.Is(err, ErrRefused):
	default:
		// The group may be on disk, partly or wholly. Giving its numbers again would put two traces in one place,
		// skipping them would leave a gap for ever; a failed fsync also says nothing about a later one.
		s.stopped = fmt.Errorf("%w: %w", ErrStopped, err)
		err = s.stopped
	}
	return err
}
