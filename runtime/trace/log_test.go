package trace_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/trace/tracetest"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryIsAStorage(t *testing.T) {
	tracetest.Storage(t, func(*testing.T) trace.Storage { return trace.NewMemory() })
}

// newTrace returns a trace of the given second, with a new id.
func newTrace(t testing.TB, second int64) *caiov1.Trace {
	id, err := trace.NewID(time.Unix(second, 0), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &caiov1.Trace{
		TraceId: id, Time: timestamppb.New(time.Unix(second, 0)), Status: "ok", ServiceId: "fast",
		Request:  &caiov1.Request{Capabilities: []string{"chat"}, Principal: &caiov1.Principal{Subject: "u1", Tenant: "acme"}},
		Attempts: []*caiov1.Attempt{{ServiceId: "slow", Outcome: "failed"}, {ServiceId: "fast", Outcome: "ok"}},
	}
}

func openLog(t testing.TB, s trace.Storage, o trace.Options) *trace.Log {
	l, err := trace.Open(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestATraceComesBackWithTheBytesThatWereHashed(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	want := newTrace(t, 1)
	if err := l.Append(t.Context(), want, trace.Durable); err != nil {
		t.Fatal(err)
	}
	got, err := l.Get(t.Context(), want.TraceId)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(got.Raw)
	if got.Hash != hex.EncodeToString(sum[:]) || got.Sequence != 0 || !proto.Equal(got.Trace, want) {
		t.Errorf("got %v", got)
	}
	if _, err := l.Get(t.Context(), strings.Repeat("0", 32)); !errors.Is(err, trace.ErrNotFound) {
		t.Errorf("unknown id: %v", err)
	}
	if _, err := l.Get(t.Context(), "../../etc"); !errors.Is(err, trace.ErrNotFound) {
		t.Errorf("no id at all: %v", err)
	}
}

func TestConcurrentAppendsAreNumberedWithoutGaps(t *testing.T) {
	storage := trace.NewMemory()
	const writers, each = 16, 50
	for round := range 2 { // the second goes on where the first ended
		l := openLog(t, storage, trace.Options{Queue: 8})
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					if err := l.Append(t.Context(), newTrace(t, 1), trace.Durable); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		l.Close()
		next, err := storage.Head(t.Context())
		if want := uint64((round + 1) * writers * each); err != nil || next.Size != want {
			t.Fatalf("it holds %d (%v), want %d", next.Size, err, want)
		}
	}
	records, err := storage.List(t.Context(), trace.Filter{Limit: math.MaxInt32})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records { // same time everywhere, so the order is the sequence's
		if want := uint64(len(records) - 1 - i); r.Sequence != want {
			t.Fatalf("sequence %d where %d should be", r.Sequence, want)
		}
	}
}

func TestTracesThatCannotBeStoredAreRefused(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	many := make([]*caiov1.Attempt, trace.MaxServices+1)
	for i := range many {
		many[i] = &caiov1.Attempt{ServiceId: fmt.Sprint("s", i)}
	}
	for name, change := range map[string]func(*caiov1.Trace){
		"no id":             func(m *caiov1.Trace) { m.TraceId = "" },
		"upper-case id":     func(m *caiov1.Trace) { m.TraceId = strings.Repeat("A", 32) },
		"no time":           func(m *caiov1.Trace) { m.Time = nil },
		"impossible time":   func(m *caiov1.Trace) { m.Time = &timestamppb.Timestamp{Nanos: -1} },
		"distant time":      func(m *caiov1.Trace) { m.Time = timestamppb.New(time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)) },
		"no status":         func(m *caiov1.Trace) { m.Status = "" },
		"not UTF-8":         func(m *caiov1.Trace) { m.ResultDigest = "\xff" },
		"too many services": func(m *caiov1.Trace) { m.Attempts = many },
		"too large":         func(m *caiov1.Trace) { m.ResultDigest = strings.Repeat("x", trace.MaxRaw) },
		"long tenant":       func(m *caiov1.Trace) { m.Request.Principal.Tenant = strings.Repeat("x", 2000) },
	} {
		m := newTrace(t, 1)
		change(m)
		if err := l.Append(t.Context(), m, trace.Durable); !errors.Is(err, trace.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	if err := l.Append(t.Context(), nil, trace.Durable); !errors.Is(err, trace.ErrInvalid) {
		t.Errorf("nil: %v, want ErrInvalid", err)
	}
	if got, _, err := l.List(t.Context(), trace.Query{}); err != nil || len(got) != 0 {
		t.Errorf("something was stored: %v, %v", got, err)
	}
}

// gated is a storage whose writes wait for the test, and fail as it says.
type gated struct {
	trace.Storage
	entered chan int   // size of the group that wants to be written
	verdict chan error // nil: write it
}

func newGated() *gated {
	return &gated{trace.NewMemory(), make(chan int), make(chan error)}
}

func (g *gated) Append(ctx context.Context, group *trace.Group) error {
	g.entered <- len(group.Records)
	if err := <-g.verdict; err != nil {
		return err
	}
	return g.Storage.Append(ctx, group)
}

// hold appends one trace and returns when it is in the storage's hands, so that whatever follows is queued.
func hold(t *testing.T, l *trace.Log, g *gated) (fate chan error) {
	fate = make(chan error, 1)
	go func() { fate <- l.Append(context.Background(), newTrace(t, 1), trace.Durable) }()
	<-g.entered
	return fate
}

// queue appends m without waiting and tells whether it found a place in the queue.
func queue(t *testing.T, l *trace.Log, m *caiov1.Trace) bool {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	err := l.Append(gone, m, trace.Durable)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return errors.Is(err, trace.ErrUnwaited)
}

// answer lets every write pass from now on, until the log is closed.
func (g *gated) answer() {
	for range g.entered {
		g.verdict <- nil
	}
}

func TestWhatIsQueuedIsWrittenInOneGroup(t *testing.T) {
	g := newGated()
	l := openLog(t, g, trace.Options{})
	first := hold(t, l, g)
	queued := 0
	for range 600 {
		if queue(t, l, newTrace(t, 2)) {
			queued++
		}
	}
	g.verdict <- nil
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { l.Close(); close(closed) }()
	for left := queued; left > 0; {
		n := <-g.entered
		if want := min(left, 256); n != want {
			t.Fatalf("a group of %d, want %d", n, want)
		}
		left -= n
		g.verdict <- nil
	}
	<-closed
	if next, _ := g.Head(t.Context()); queued == 0 || next.Size != uint64(1+queued) {
		t.Errorf("%d traces after 1 and %d queued ones", next.Size, queued)
	}
}

func TestAFullQueueHoldsCallersBackAndTheirContextFreesThem(t *testing.T) {
	g := newGated()
	l := openLog(t, g, trace.Options{Queue: 1})
	first := hold(t, l, g)
	for !queue(t, l, newTrace(t, 1)) {
	}
	for range 50 {
		if queue(t, l, newTrace(t, 1)) {
			t.Fatal("a second trace found a place in a queue of one")
		}
	}
	g.verdict <- nil
	go g.answer()
	if err := <-first; err != nil {
		t.Error(err)
	}
	l.Close()
	close(g.entered)
	if next, _ := g.Head(t.Context()); next.Size != 2 {
		t.Errorf("%d traces are stored, want 2: those held back left nothing", next.Size)
	}
}

func TestAnUnwaitedTraceIsWrittenAllTheSame(t *testing.T) {
	g := newGated()
	l := openLog(t, g, trace.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	m := newTrace(t, 1)
	fate := make(chan error, 1)
	go func() { fate <- l.Append(ctx, m, trace.Durable) }()
	<-g.entered
	cancel()
	if err := <-fate; !errors.Is(err, trace.ErrUnwaited) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	g.verdict <- nil
	l.Close()
	if _, err := l.Get(t.Context(), m.TraceId); err != nil {
		t.Error(err)
	}
}

func TestAWriteOfUnknownOutcomeFailsEverybodyAndStopsTheLog(t *testing.T) {
	g := newGated()
	var said bytes.Buffer
	l := openLog(t, g, trace.Options{Logger: slog.New(slog.NewTextHandler(&said, nil))})
	first := hold(t, l, g)
	broken := errors.New("input/output error")
	g.verdict <- broken
	if err := <-first; !errors.Is(err, trace.ErrStopped) || !errors.Is(err, broken) {
		t.Errorf("who was in the group: %v", err)
	}
	if err := l.Append(t.Context(), newTrace(t, 1), trace.Durable); !errors.Is(err, trace.ErrStopped) || !errors.Is(err, broken) {
		t.Errorf("who came later: %v", err)
	}
	l.Close()
	if strings.Count(said.String(), "level=ERROR") != 1 {
		t.Errorf("it was logged: %s", said.String())
	}
	// The next one begins with what is really there.
	again := openLog(t, g.Storage, trace.Options{})
	if err := again.Append(t.Context(), newTrace(t, 1), trace.Durable); err != nil {
		t.Error(err)
	}
}

func TestARefusedWriteFailsItsGroupAndTheLogGoesOn(t *testing.T) {
	g := newGated()
	l := openLog(t, g, trace.Options{})
	first := hold(t, l, g)
	g.verdict <- fmt.Errorf("%w: disk nearly full", trace.ErrRefused)
	if err := <-first; !errors.Is(err, trace.ErrRefused) || errors.Is(err, trace.ErrStopped) {
		t.Errorf("got %v", err)
	}
	second := hold(t, l, g)
	g.verdict <- nil
	if err := <-second; err != nil {
		t.Error(err)
	}
	if next, _ := g.Head(t.Context()); next.Size != 1 {
		t.Errorf("next is %d: the refused one took a number", next.Size)
	}
}

// narrow is a storage that writes at most three records at once.
type narrow struct{ *trace.Memory }

func (n narrow) Append(ctx context.Context, group *trace.Group) error {
	if len(group.Records) > 3 {
		return trace.ErrTooLarge
	}
	return n.Memory.Append(ctx, group)
}

func TestAGroupThatIsTooLargeIsHalvedAndATwiceGivenIDFailsAlone(t *testing.T) {
	g := newGated()
	g.Storage = narrow{trace.NewMemory()}
	l := openLog(t, g, trace.Options{})
	first := hold(t, l, g)
	taken := newTrace(t, 1)
	kept := 1
	for range 60 {
		if queue(t, l, newTrace(t, 1)) {
			kept++
		}
	}
	for !queue(t, l, taken) {
	}
	for !queue(t, l, taken) {
	}
	for range 60 {
		if queue(t, l, newTrace(t, 1)) {
			kept++
		}
	}
	g.verdict <- nil
	go g.answer()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), taken, trace.Durable); !errors.Is(err, trace.ErrExists) {
		t.Errorf("a third time: %v, want ErrExists", err)
	}
	l.Close()
	close(g.entered)
	if next, _ := g.Head(t.Context()); next.Size != uint64(kept+1) {
		t.Errorf("%d traces are stored, want %d and the one that was given more than once", next.Size, kept)
	}
}

func TestClosingTwiceWaitsTwiceAndTakesNoMore(t *testing.T) {
	l := openLog(t, trace.NewMemory(), trace.Options{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := l.Append(t.Context(), newTrace(t, 1), trace.Durable); !errors.Is(err, trace.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// bent is a storage whose disk changed a byte.
type bent struct{ *trace.Memory }

func (b bent) Get(ctx context.Context, id string) (*trace.Record, error) {
	r, err := b.Memory.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	c := *r
	c.Raw = bytes.Clone(r.Raw)
	c.Raw[len(c.Raw)/2] ^= 1
	return &c, nil
}

func TestAChangedByteIsNoticedWhenTheTraceIsRead(t *testing.T) {
	l := openLog(t, bent{trace.NewMemory()}, trace.Options{})
	m := newTrace(t, 1)
	if err := l.Append(t.Context(), m, trace.Durable); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Get(t.Context(), m.TraceId); !errors.Is(err, trace.ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
}

func TestNewIDNeedsItsRandomness(t *testing.T) {
	if id, err := trace.NewID(time.Unix(1, 0), strings.NewReader("short")); err == nil {
		t.Errorf("made %q", id)
	}
	id, err := trace.NewID(time.Unix(1, 0), bytes.NewReader(make([]byte, 16)))
	if err != nil || id != "0000000003e8"+strings.Repeat("0", 20) || !trace.TimeOf(id).Equal(time.Unix(1, 0)) {
		t.Errorf("%q, %v", id, err)
	}
}

func TestAQueuedTraceThatCannotBeWrittenIsReplacedByOneThatSaysSo(t *testing.T) {
	var said bytes.Buffer
	l := openLog(t, trace.NewMemory(), trace.Options{Logger: slog.New(slog.NewTextHandler(&said, nil))})
	for name, harm := range map[string]func(*caiov1.Trace){
		"not UTF-8":       func(m *caiov1.Trace) { m.ResultDigest = "\xff" },
		"too large":       func(m *caiov1.Trace) { m.ResultDigest = strings.Repeat("x", trace.MaxRaw) },
		"a long tenant":   func(m *caiov1.Trace) { m.Request.Principal.Tenant = strings.Repeat("t", 5000) },
		"a broken tenant": func(m *caiov1.Trace) { m.Request.Principal.Tenant = "acme\xff" },
	} {
		m := newTrace(t, 5)
		harm(m)
		if err := l.Append(t.Context(), m, trace.Queued); err != nil {
			t.Fatal(name, err)
		}
		stored, err := l.Get(t.Context(), m.TraceId)
		if err != nil || stored.Trace.Error.GetCode() != "INTERNAL" || !stored.Trace.Time.AsTime().Equal(time.Unix(5, 0)) {
			t.Errorf("%s: %v, %v", name, stored, err)
		}
	}
	l.Close()
	if n := strings.Count(said.String(), "another takes its place"); n != 4 {
		t.Errorf("it was said %d times: %s", n, said.String())
	}
}
