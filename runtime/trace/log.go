package trace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A group is what one write takes.
const (
	maxGroup      = 256     // traces
	maxGroupBytes = 4 << 20 // bytes of Raw, unless a single trace has more
	defaultQueue  = 1024

	// linger is how long traces gather that nobody waits for. It is far below what a person notices, and at a few
	// thousand traces a second fills a group.
	linger = 20 * time.Millisecond
	// straggle is how long a group waits for the next record while the scribe makes them.
	straggle = 2 * time.Millisecond
	// patience is how long Admit waits for a place in a full queue.
	patience = time.Second
)

// Durability is what Append waits for.
type Durability string

// Queued: for a place in the queue. Durable: for the disk.
const (
	Queued  Durability = "queued"
	Durable Durability = "durable"
)

// Options of a log. The zero value is good for tests and trials.
type Options struct {
	// Signer signs checkpoints. nil: with a key that is made now and forgotten with the process; then the storage's
	// checkpoint is not held against a key.
	Signer *tree.Signer
	// Witnesses are those whose cosignatures are kept. nil: nobody's are.
	Witnesses []tree.Verifier
	// Queue is how many traces may wait to be serialized, and how many to be written; Append blocks when it is full.
	// 0: 1024.
	Queue int
	// Logger is told when the log stops, and when the storage refuses what is queued. nil: nobody is.
	Logger *slog.Logger
}

// Log is the log of decisions. Make one with Open. All methods are safe for concurrent use.
type Log struct {
	storage Storage
	signer  *tree.Signer
	logger  *slog.Logger
	hurry   chan struct{} // holds one: the scribe is to begin now
	given   chan entry    // traces that are to be serialized first, by the scribe
	queue   chan entry    // records, to the sequencer
	done    chan struct{} // closed when the sequencer has ended
	state   atomic.Pointer[state]
	stopped atomic.Pointer[error] // why nothing more is written; nil: it is

	witnesses []tree.Verifier
	cosigning sync.Mutex            // held while a cosignature is kept
	cosigned  atomic.Pointer[state] // the newest checkpoint that a witness signed; nil: none

	watchers watchers

	mu     sync.RWMutex // held for reading while sending to given or queue
	closed bool         // guarded by mu; given is closed when true
}

// state is how far the log is, durably.
type state struct {
	head       tree.Head
	checkpoint []byte // nil: the log is empty and was never signed
}

// entry is a trace or a record on its way, and where its fate is told. The channel holds one, so the sequencer never
// waits for a caller that went away. An entry with neither is a question: was all that was queued before it written?
type entry struct {
	trace  *caiov1.Trace // nil once it is a record
	record *Record
	fate   chan error // nil: nobody waits
}

// Open returns a log that goes on where storage ends. The storage stays the caller's: close it after the log. Errors:
// ErrKey if another key signed it, ErrDamaged if its tree is not the one that was signed, and the storage's.
func Open(storage Storage, o Options) (*Log, error) {
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{
		storage: storage, signer: o.Signer, witnesses: o.Witnesses, logger: o.Logger,
		given: make(chan entry, o.Queue), queue: make(chan entry, o.Queue), done: make(chan struct{}), hurry: make(chan struct{}, 1),
	}
	edge, err := l.begin()
	if err != nil {
		return nil, fmt.Errorf("open trace log: %w", err)
	}
	l.watchers.begin(edge.Size())
	go l.scribe()
	go l.sequence(edge)
	return l, nil
}

// begin reads where the log stands and returns the edge at which it goes on.
func (l *Log) begin() (tree.Edge, error) {
	forgotten := l.signer == nil
	if forgotten {
		skey, err := tree.NewKey(rand.Reader, "forgotten.invalid")
		if err == nil {
			l.signer, err = tree.NewSigner(skey)
		}
		if err != nil {
			return tree.Edge{}, err
		}
	}
	head, err := l.storage.Head(context.Background())
	if err != nil {
		return tree.Edge{}, err
	}
	s := state{head: tree.Head{Root: tree.EmptyRoot()}}
	if head.Checkpoint != nil || head.Size > 0 {
		if s.checkpoint = head.Checkpoint; !forgotten {
			s.head, err = l.signed(head.Checkpoint)
		} else {
			s.head, err = tree.ReadHead(head.Checkpoint)
		}
		if err != nil {
			return tree.Edge{}, err
		}
		if s.head.Size != head.Size {
			return tree.Edge{}, fmt.Errorf("%w: its newest checkpoint is of %d traces, it holds %d", ErrDamaged, s.head.Size, head.Size)
		}
	}
	edge, err := tree.ReadEdge(l.storage, s.head)
	if err != nil {
		return edge, fmt.Errorf("%w: %w; 'caio trace fsck' tells what is whole, a backup restores the rest", ErrDamaged, err)
	}
	l.state.Store(&s)
	return edge, l.restoreCosigned()
}

// signed returns what a checkpoint by the log's own key names.
func (l *Log) signed(checkpoint []byte) (tree.Head, error) {
	verifier, err := l.signer.Verifier()
	if err != nil {
		return tree.Head{}, err
	}
	c, _, err := tree.Open(checkpoint, verifier)
	if err != nil {
		return c.Head, fmt.Errorf("%w: its newest checkpoint is not signed by %s: %w; start with the key that it was begun with", ErrKey, l.Key(), err)
	}
	return c.Head, nil
}

// Append writes t to the log, and returns once that is as far as d says. Of Durable t is read before Append returns and
// not kept; of Queued t is the log's from then on and must not be changed any more: it is serialized later, so that
// nobody waits for that.
//
// When ctx ends while the queue is full, nothing is written and the error is ctx's. When it ends later, the error is
// ErrUnwaited as well, and the trace is written all the same: a caller that must not lose a trace passes a context
// without cancellation. Other errors: ErrInvalid, ErrExists, ErrRefused (the storage takes nothing now; wrapped with
// why) and ErrClosed leave nothing written and the log usable; ErrStopped leaves open whether this trace was written
// if it was in the group that failed, and is returned for every trace after it. Of a queued trace only what is known
// before it is queued is an error; of what becomes of it later the logger is told. One that turns out not to be
// serializable is replaced by one that says so.
func (l *Log) Append(ctx context.Context, t *caiov1.Trace, d Durability) error {
	if err := check(t); err != nil {
		return fmt.Errorf("append trace: %w", err)
	}
	if why := l.stopped.Load(); why != nil {
		return fmt.Errorf("append trace %s: %w", t.TraceId, *why)
	}
	if d == Queued {
		if err := l.enqueue(ctx, l.given, entry{trace: t}); err != nil {
			return fmt.Errorf("append trace %s: %w", t.TraceId, err)
		}
		if len(l.given) >= min(maxGroup, cap(l.given)/2) {
			l.hasten()
		}
		return nil
	}
	r, err := newRecord(t)
	if err != nil {
		return fmt.Errorf("append trace: %w", err)
	}
	e := entry{record: &r, fate: make(chan error, 1)}
	if err = l.enqueue(ctx, l.queue, e); err == nil {
		err = e.wait(ctx)
	}
	if err != nil {
		return fmt.Errorf("append trace %s: %w", r.TraceID, err)
	}
	return nil
}

// wait returns e's fate.
func (e entry) wait(ctx context.Context) error {
	select {
	case err := <-e.fate:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnwaited, context.Cause(ctx))
	}
}

func (l *Log) enqueue(ctx context.Context, to chan entry, e entry) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return ErrClosed
	}
	select {
	case to <- e:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a place in the queue: %w", context.Cause(ctx))
	}
}

// settle returns once everything that was queued before is written or has failed.
func (l *Log) settle(ctx context.Context) error {
	e := entry{fate: make(chan error, 1)}
	if err := l.enqueue(ctx, l.given, e); err != nil {
		if errors.Is(err, ErrClosed) {
			<-l.done // Close writes what is queued
			return nil
		}
		return err
	}
	l.hasten()
	return e.wait(ctx)
}

// Admit returns nil if a request may begin whose trace is to be appended, and else why not: ErrStopped, ErrRefused with
// the storage's reason, ErrClosed, or ErrFull after a second in which the queue had no place. It reserves nothing.
func (l *Log) Admit(ctx context.Context) error {
	l.mu.RLock()
	closed := l.closed
	l.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	if why := l.stopped.Load(); why != nil {
		return *why
	}
	if err := l.storage.Ready(); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if !l.full() {
		return nil
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(patience / 200)
	defer again.Stop()
	for l.full() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-deadline.C:
			return fmt.Errorf("%w: %d traces wait for the disk", ErrFull, len(l.given)+len(l.queue))
		}
	}
	return nil
}

func (l *Log) full() bool { return len(l.queue) == cap(l.queue) || len(l.given) == cap(l.given) }

// Close takes no more traces, writes those that are queued, and waits until it is done. It may be called more than
// once, by anybody; every call waits. It returns nil: of
// queued traces that could not be written the logger is told.
func (l *Log) Close() error {
	l.mu.Lock() // waits for senders, which the sequencer is still serving
	if !l.closed {
		l.closed = true
		close(l.given)
		l.hasten()
	}
	l.mu.Unlock()
	<-l.done
	return nil
}
