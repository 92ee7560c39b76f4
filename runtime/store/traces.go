package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smarthausgroup/caio/runtime/store/internal/journal"
	"github.com/smarthausgroup/caio/runtime/trace"
)

// Traces returns the store's log of decisions, to be handed to trace.Open. It lives as long as the store.
func (s *Store) Traces() trace.Storage {
	if s.traces == nil {
		return s.memory
	}
	return s.traces
}

// traces implements trace.Storage: the journal holds what must not be lost, and the index of each day is made from it.
type traces struct {
	s       *Store
	journal *journal.Journal
	logger  *slog.Logger
	begun   time.Time     // when it was opened
	room    atomic.Int64  // until when after that the disk is taken to have room
	today   func() string // the day of an append; a test makes days pass

	indexer *indexer // nil until all that was there when it was opened is indexed

	eraser turn // held while bodies are removed, and while they are copied

	mu   sync.Mutex // guards what is below
	days []*day     // oldest first
	uses uint64     // counts up with each use of a day
}

// openTraces opens the log below dir. It brings the index of the last day to where the journal is.
func openTraces(s *Store, fresh bool) (*traces, error) {
	j, err := journal.Open(s.dir, fresh, s.logger)
	if err != nil {
		return nil, err
	}
	t := &traces{s: s, begun: time.Now(), journal: j, logger: s.logger, eraser: newTurn()}
	t.today = func() string { return journal.DayOf(time.Now()) }
	for _, d := range j.Days() {
		t.days = append(t.days, newDay(t, d))
	}
	if n := len(t.days); n > 0 {
		last, err := t.use(t.days[n-1])
		if err != nil {
			return nil, errors.Join(err, t.close())
		}
		t.release(last)
	}
	t.indexer = startIndexer(t, j.Size())
	if err := t.resume(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *traces) close() error {
	if t.indexer != nil {
		t.indexer.close()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, d := range t.days {
		errs = append(errs, d.close())
	}
	return errors.Join(append(errs, t.journal.Close())...)
}

func (t *traces) Head(context.Context) (trace.Head, error) { return t.journal.Head(), nil }

// Ready looks at the disk a hundred times a second at most: every request asks.
func (t *traces) Ready() error {
	if err := t.s.writable(); err != nil {
		return err
	}
	now := time.Since(t.begun)
	if now < time.Duration(t.room.Load()) {
		return nil
	}
	if err := t.s.enoughSpace(t.s.minFree); err != nil {
		return err
	}
	t.room.Store(int64(now + 10*time.Millisecond))
	return nil
}

// Append writes into the journal, which makes it durable; the index of the day follows.
func (t *traces) Append(_ context.Context, g *trace.Group) error {
	if len(g.Records) == 0 {
		return nil
	}
	if err := t.append(g); err != nil {
		return fmt.Errorf("append %d traces from sequence %d: %w", len(g.Records), g.Records[0].Sequence, err)
	}
	return nil
}

func (t *traces) append(g *trace.Group) (err error) {
	leave, err := t.s.enter()
	if err != nil {
		return fmt.Errorf("%w: %w", trace.ErrRefused, err)
	}
	defer leave()
	// What was queued has the room that Ready leaves.
	if err := errors.Join(t.s.writable(), t.s.enoughSpace(t.s.minFree/2)); err != nil {
		return fmt.Errorf("%w: %w", trace.ErrRefused, err)
	}
	first := g.Records[0].Sequence
	if err := t.acceptable(g, first); err != nil {
		return fmt.Errorf("%w: %w", trace.ErrRefused, err)
	}
	d, err := t.forAppend(first)
	if err != nil {
		return fmt.Errorf("%w: %w", trace.ErrRefused, err)
	}
	handed := false
	defer func() {
		if !handed {
			t.release(d)
		}
	}()
	if err := d.unknown(g.Records); err != nil {
		return err
	}
	batch := &journal.Batch{First: first, Hashes: g.Hashes, Checkpoint: g.Checkpoint, Sums: make([][32]byte, len(g.Records))}
	for i := range g.Records {
		batch.Sums[i] = g.Records[i].Hash
	}
	batch.Encode = func(b []byte, i int) []byte {
		return t.s.seal(b, func(b []byte) []byte { return appendRecord(b, &g.Records[i]) })
	}
	at, err := t.journal.Append(d.Name, batch)
	if err != nil {
		if !errors.Is(err, trace.ErrRefused) {
			t.s.fail(err)
		}
		return err
	}
	// From here on the group is there whatever happens: an index that lacks it gets it when the store is opened again.
	handed = true
	t.indexer.put(d, g.Records, at)
	return nil
}

func (t *traces) acceptable(g *trace.Group, first uint64) error {
	for i := range g.Records {
		r := &g.Records[i]
		if want := t.journal.Size() + uint64(i); r.Sequence != want {
			return fmt.Errorf("sequence %d where %d should be", r.Sequence, want)
		}
		if len(r.Raw) > t.s.maxValue {
			return fmt.Errorf("%w: %d bytes, at most %d can be stored", trace.ErrTooLarge, len(r.Raw), t.s.maxValue)
		}
	}
	return nil
}

// forAppend returns the day to which a group that begins at first is appended now, in use.
func (t *traces) forAppend(first uint64) (*day, error) {
	name := t.today()
	t.mu.Lock()
	var last *day
	if n := len(t.days); n > 0 {
		last = t.days[n-1]
	}
	t.mu.Unlock()
	if last != nil && name <= last.Name {
		return t.use(last)
	}
	if last != nil {
		if err := t.indexer.wait(context.Background()); err != nil {
			return nil, err
		}
		last.sealed(first)
	}
	d := newDay(t, journal.Day{Name: name, Dir: t.s.dayDir(name), First: first, Next: first})
	t.mu.Lock()
	t.days = append(t.days, d)
	t.mu.Unlock()
	return t.use(d)
}

// reading begins a call that looks into indexes, as Store.enter does, once they have all that the journal has now.
func (t *traces) reading(ctx context.Context) (leave func(), err error) {
	if leave, err = t.s.enter(); err != nil {
		return nil, err
	}
	if err := t.indexer.wait(ctx); err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func (t *traces) ReadTile(level int, n uint64, width int) ([]byte, error) {
	leave, err := t.s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return t.journal.ReadTile(level, n, width)
}

func (t *traces) ReadEntries(from uint64, count int) ([]byte, error) {
	leave, err := t.s.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return t.journal.ReadEntries(from, count)
}

func (t *traces) KeepCosigned(signed []byte) error {
	leave, err := t.s.enter()
	if err != nil {
		return err
	}
	defer leave()
	return t.journal.KeepCosigned(signed)
}

func (t *traces) Cosigned() ([]byte, error) { return t.journal.Cosigned() }

func (t *traces) Get(ctx context.Context, traceID string) (*trace.Record, error) {
	leave, err := t.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	for _, d := range t.mayHold(traceID) {
		r, err := t.get(d, traceID)
		if errors.Is(err, trace.ErrNotFound) || errors.Is(err, errRetired) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("trace %.40q: %w", traceID, err)
		}
		return r, nil
	}
	return nil, fmt.Errorf("trace %.40q: %w", traceID, trace.ErrNotFound)
}

// mayHold returns the days that may hold the trace of that id, newest first: those in which requests arrived at the time
// that it names, and those of which that is not known yet.
func (t *traces) mayHold(traceID string) []*day {
	t.mu.Lock()
	days := slices.Clone(t.days)
	t.mu.Unlock()
	slices.Reverse(days)
	at := trace.TimeOf(traceID)
	return slices.DeleteFunc(days, func(d *day) bool {
		oldest, newest, known := d.bounds()
		return known && (at.After(newest) || at.Add(trace.MaxLag).Before(oldest))
	})
}

func (t *traces) get(d *day, traceID string) (*trace.Record, error) {
	if _, err := t.use(d); err != nil {
		return nil, err
	}
	defer t.release(d)
	seq, err := d.sequenceOf(traceID)
	if err != nil {
		return nil, err
	}
	r, err := d.load(seq)
	if err == nil && r.TraceID != traceID {
		err = fmt.Errorf("%w: another trace, %s, lies in its place", trace.ErrDamaged, r.TraceID)
	}
	return r, err
}

func (t *traces) At(ctx context.Context, sequence uint64) (*trace.Record, error) {
	leave, err := t.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if sequence >= t.journal.Size() {
		return nil, fmt.Errorf("trace %d: %w", sequence, trace.ErrNotFound)
	}
	d, _ := t.dayAt(sequence)
	if d == nil {
		return nil, fmt.Errorf("trace %d: %w: its day was dropped", sequence, trace.ErrErased)
	}
	if _, err := t.use(d); err != nil {
		return nil, err
	}
	defer t.release(d)
	r, err := d.load(sequence)
	if err != nil {
		return nil, fmt.Errorf("trace %d: %w", sequence, err)
	}
	return r, nil
}
