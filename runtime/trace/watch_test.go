package trace_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// appendMany appends n traces.
func appendMany(t *testing.T, l *trace.Log, n int) {
	t.Helper()
	for range n {
		if err := l.Append(t.Context(), newTrace(t, 1), trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
}

// pull returns what a watch yields next, one trace at a time.
func pull(t *testing.T, ctx context.Context, l *trace.Log, q trace.Query, from *uint64) func() (*caiov1.StoredTrace, error) {
	next, stop := iter.Pull2(l.Watch(ctx, q, from))
	t.Cleanup(stop)
	return func() (*caiov1.StoredTrace, error) {
		stored, err, _ := next()
		return stored, err
	}
}

// expectRange takes the sequences from first to before end off a watch.
func expectRange(t *testing.T, next func() (*caiov1.StoredTrace, error), first, end uint64) {
	t.Helper()
	for want := first; want < end; want++ {
		got, err := next()
		if err != nil || got.GetSequence() != want || got.GetTrace().GetTraceId() == "" {
			t.Fatalf("the watch gave %d, %v; want %d", got.GetSequence(), err, want)
		}
	}
}

func position(p uint64) *uint64 { return &p }

func TestAWatchBeginsNowOrAtAPosition(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	appendMany(t, l, 10)
	now := pull(t, t.Context(), l, trace.Query{}, nil) // "now" is when Watch is called, not when it is first read
	all := pull(t, t.Context(), l, trace.Query{}, position(0))
	later := pull(t, t.Context(), l, trace.Query{}, position(12))
	appendMany(t, l, 5)
	expectRange(t, now, 10, 15)
	expectRange(t, all, 0, 15)
	expectRange(t, later, 12, 15)
	appendMany(t, l, 3)
	expectRange(t, now, 15, 18)
	expectRange(t, all, 15, 18)
	expectRange(t, later, 15, 18)
}

func TestAWatchSelects(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	next := pull(t, t.Context(), l, trace.Query{Tenant: "globex", Rule: "SEC-1", Limit: 1, Token: "no matter"}, position(0))
	for i := range 8 {
		m := newTrace(t, int64(i))
		if i%2 == 1 {
			m.Request.Principal.Tenant = "globex"
		}
		if i > 3 {
			m.Decision = refusal([]string{"SEC-1"})
		}
		if err := l.Append(t.Context(), m, trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []uint64{5, 7} {
		if got, err := next(); err != nil || got.GetSequence() != want {
			t.Errorf("got %d, %v; want %d", got.GetSequence(), err, want)
		}
	}
}

func TestEveryWatcherSeesEachTraceOnceInOrder(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	const traces = 600
	var watching, writing sync.WaitGroup
	for range 4 {
		seen := l.Watch(t.Context(), trace.Query{}, nil)
		watching.Go(func() {
			want := uint64(0)
			for stored, err := range seen {
				if err != nil || stored.GetSequence() != want {
					t.Errorf("got %d, %v; want %d", stored.GetSequence(), err, want)
					return
				}
				if want++; want == traces {
					return
				}
			}
		})
	}
	for range 4 {
		writing.Go(func() { appendMany(t, l, traces/4) })
	}
	writing.Wait()
	watching.Wait()
}

// A watcher that stands still holds up nobody, costs bounded memory, and misses nothing.
func TestASlowWatcherCatchesUpFromTheStorage(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	next := pull(t, t.Context(), l, trace.Query{}, position(0))
	appendMany(t, l, 2)
	expectRange(t, next, 0, 1)
	appendMany(t, l, 1500)
	if records, _ := l.Held(); records != 1024 {
		t.Errorf("%d records are held, want 1024", records)
	}
	expectRange(t, next, 1, 1502)
	for range 20 {
		m := newTrace(t, 1)
		m.Error = &caiov1.Error{Message: strings.Repeat("x", 1<<20)}
		if err := l.Append(t.Context(), m, trace.Durable); err != nil {
			t.Fatal(err)
		}
	}
	if records, size := l.Held(); records != 15 || size > 16<<20 {
		t.Errorf("%d records of %d bytes are held", records, size)
	}
	l.Forget()
	if records, size := l.Held(); records != 0 || size != 0 {
		t.Errorf("%d records of %d bytes are held after all were forgotten", records, size)
	}
	expectRange(t, next, 1502, 1522)
	appendMany(t, l, 1)
	expectRange(t, next, 1522, 1523)
}

func TestNothingIsHeldForNobody(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	held := func(want int) {
		t.Helper()
		if records, _ := l.Held(); records != want {
			t.Errorf("%d records are held, want %d", records, want)
		}
	}
	appendMany(t, l, 3)
	held(0)
	for stored, err := range l.Watch(t.Context(), trace.Query{}, position(0)) {
		if err != nil {
			t.Fatal(err)
		}
		if stored.GetSequence() == 0 {
			appendMany(t, l, 3)
			held(3)
		}
		if stored.GetSequence() == 5 {
			break
		}
	}
	held(0)
}

func TestAWatchEnds(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	canceled := pull(t, ctx, l, trace.Query{}, nil)
	closed := pull(t, t.Context(), l, trace.Query{}, nil)
	appendMany(t, l, 2)
	expectRange(t, canceled, 0, 1)
	cancel(why)
	_, err := canceled()
	if err == nil {
		_, err = canceled() // one record was read already
	}
	if !errors.Is(err, why) {
		t.Errorf("after its context: %v", err)
	}
	waiting := make(chan error)
	go func() {
		for _, err := range l.Watch(t.Context(), trace.Query{}, nil) {
			waiting <- err
		}
		close(waiting)
	}()
	l.Close()
	if err := <-waiting; !errors.Is(err, trace.ErrClosed) {
		t.Errorf("a watch of a closed log: %v", err)
	}
	if _, more := <-waiting; more {
		t.Error("something followed an error")
	}
	expectRange(t, closed, 0, 2) // what was durable before is shown
	if _, err := closed(); !errors.Is(err, trace.ErrClosed) {
		t.Errorf("a watch of a closed log: %v", err)
	}
}

func TestAWatchOfADamagedTraceSaysSo(t *testing.T) {
	storage := trace.NewMemory()
	l := openLog(t, storage, trace.Options{})
	appendMany(t, l, 1)
	records, err := storage.List(t.Context(), trace.Filter{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	records[0].Raw[3] ^= 1
	if _, err := pull(t, t.Context(), l, trace.Query{}, position(0))(); !errors.Is(err, trace.ErrDamaged) {
		t.Errorf("%v, want ErrDamaged", err)
	}
}

// erased is a storage in which the body of the trace at one position was removed.
type erased struct {
	trace.Storage
	at uint64
}

func (e erased) At(ctx context.Context, sequence uint64) (*trace.Record, error) {
	if sequence == e.at {
		return nil, trace.ErrErased
	}
	return e.Storage.At(ctx, sequence)
}

func TestAWatchPassesOverErasedTraces(t *testing.T) {
	l := openLog(t, erased{trace.NewMemory(), 1}, trace.Options{})
	appendMany(t, l, 3)
	next := pull(t, t.Context(), l, trace.Query{}, position(0))
	expectRange(t, next, 0, 1)
	expectRange(t, next, 2, 3)
}

func BenchmarkAnnounce(b *testing.B) {
	for _, c := range []struct {
		name     string
		watching bool
	}{{"nobody watches", false}, {"one watches", true}} {
		b.Run(c.name, func(b *testing.B) {
			announce, join := trace.Announcer()
			if c.watching {
				join()
			}
			group := make([]trace.Record, 256)
			for i := range group {
				group[i].Raw = make([]byte, 4096)
			}
			b.ReportAllocs()
			for b.Loop() {
				announce(group)
			}
		})
	}
}
