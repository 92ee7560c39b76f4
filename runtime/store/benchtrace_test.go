//go:build bench

package store_test

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/runtime/tree"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

var (
	benchDir    = flag.String("dir", "", "directory to write in; empty: a temporary one")
	benchTraces = flag.Int("traces", 1_000_000, "traces in the store that is read from")
)

// TestBenchTrace prints what durable traces cost: 4 KB each, found by all their indexes, in the signed tree, on disk. The
// figures are of the machine it runs on, which nothing else should keep busy.
func TestBenchTrace(t *testing.T) {
	dir := *benchDir
	if dir == "" {
		dir = t.TempDir()
	}
	b := &traceBench{t: t, dir: dir}
	b.open()
	b.openLoop(5000, 15*time.Second)
	b.closedLoop(512, 20*time.Second)
	b.closedLoop(64, 10*time.Second)
	b.openLoop(5000, 15*time.Second) // again, with what the others left to compact
	b.fill(*benchTraces)
	b.reopen()
	b.read()
}

type traceBench struct {
	t      *testing.T
	dir    string
	signer *tree.Signer
	store  *store.Store
	log    *trace.Log
	next   atomic.Int64
	ids    []string
}

func (b *traceBench) open() {
	if b.signer == nil {
		skey, err := tree.NewKey(rand.Reader, "bench.invalid")
		if err == nil {
			b.signer, err = tree.NewSigner(skey)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	var err error
	if b.store, err = store.Open(b.dir, store.Options{}); err == nil {
		b.log, err = trace.Open(b.store.Traces(), trace.Options{Signer: b.signer})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *traceBench) close() {
	b.log.Close()
	if err := b.store.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *traceBench) print(what string, value float64, unit string) {
	fmt.Printf("%-52s %12.2f %s\n", what, value, unit)
}

func (b *traceBench) times(what string, times []time.Duration) {
	slices.Sort(times)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.print(what+"_p50", ms(times[len(times)/2]), "ms")
	b.print(what+"_p99", ms(times[len(times)*99/100]), "ms")
}

func (b *traceBench) trace() *caiov1.Trace { return benchTrace(b.t, b.next.Add(1)) }

// renew makes m, which the log has read, the next trace: what is measured is the log, and not how traces are made.
func (b *traceBench) renew(m *caiov1.Trace) {
	i := b.next.Add(1)
	at := time.Unix(1_800_000_000+i/1000, i%1000*1e6)
	var err error
	if m.TraceId, err = trace.NewID(at, rand.Reader); err != nil {
		b.t.Error(err)
	}
	m.Time = timestamppb.New(at)
}

// closedLoop appends from so many callers, each of which waits until its trace is on disk.
func (b *traceBench) closedLoop(callers int, d time.Duration) {
	var wg sync.WaitGroup
	all := make([][]time.Duration, callers)
	start := time.Now()
	for c := range callers {
		wg.Go(func() {
			m := b.trace()
			for time.Since(start) < d {
				b.renew(m)
				begin := time.Now()
				if err := b.log.Append(context.Background(), m, trace.Durable); err != nil {
					b.t.Error(err)
					return
				}
				all[c] = append(all[c], time.Since(begin))
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	times := slices.Concat(all...)
	what := fmt.Sprintf("durable_traces_%d_callers", callers)
	b.print(what+"_rate", float64(len(times))/took.Seconds(), "per_s")
	b.times(what, times)
}

// openLoop appends at a rate, whether those before are on disk or not; a trace's time is from when it was due.
func (b *traceBench) openLoop(rate int, d time.Duration) {
	n := rate * int(d/time.Second)
	times := make([]time.Duration, n)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range times {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		wg.Go(func() {
			if err := b.log.Append(context.Background(), b.trace(), trace.Durable); err != nil {
				b.t.Error(err)
			}
			times[i] = time.Since(due)
		})
	}
	wg.Wait()
	b.times(fmt.Sprintf("durable_traces_open_loop_%d_per_s", rate), times)
}

func (b *traceBench) fill(n int) {
	start, first := time.Now(), b.next.Load()
	for int(b.log.Head().Size) < n {
		m := b.trace()
		if b.next.Load()%500 == 0 {
			b.ids = append(b.ids, m.TraceId) // not all: a million live strings would be the collector's work, not the store's
		}
		if err := b.log.Append(context.Background(), m, trace.Queued); err != nil {
			b.t.Fatal(err)
		}
	}
	b.print("queued_traces_1_caller_rate", float64(b.next.Load()-first)/time.Since(start).Seconds(), "per_s")
}

func (b *traceBench) reopen() {
	b.close()
	start := time.Now()
	b.open()
	b.print(fmt.Sprintf("open_%d_traces", b.log.Head().Size), float64(time.Since(start).Microseconds())/1000, "ms")
}

func (b *traceBench) read() {
	size := b.log.Head().Size
	measure := func(what string, n int, f func(i int) error) {
		times := make([]time.Duration, n)
		for i := range times {
			begin := time.Now()
			if err := f(i); err != nil {
				b.t.Fatal(err)
			}
			times[i] = time.Since(begin)
		}
		b.times(fmt.Sprintf("%s_of_%d", what, size), times)
	}
	page := func(int) error {
		until := time.Unix(1_800_000_000+mrand.Int64N(int64(size)/1000)+1, 0)
		page, _, err := b.log.List(context.Background(), trace.Query{Tenant: fmt.Sprint("tenant-", mrand.IntN(20)), Until: until, Limit: 50})
		if err == nil && len(page) == 0 {
			err = fmt.Errorf("nothing before %v", until)
		}
		return err
	}
	measure("page_of_50_while_the_index_is_compacted", 1000, page)
	b.rest()
	measure("page_of_50_by_tenant_and_time", 1000, page)
	measure("inclusion_proof", 2000, func(int) error {
		_, err := b.log.Prove(context.Background(), mrand.Uint64N(size), 0)
		return err
	})
	if len(b.ids) > 0 {
		measure("get", 2000, func(int) error {
			_, err := b.log.Get(context.Background(), b.ids[mrand.IntN(len(b.ids))])
			return err
		})
	}
	b.close()
}

// rest waits until what a load leaves to be done is done: a second in which the process hardly computes.
func (b *traceBench) rest() {
	for range 60 {
		before := processorTime(b.t)
		time.Sleep(time.Second)
		if processorTime(b.t)-before < 50*time.Millisecond {
			return
		}
	}
	b.t.Error("the store does not come to rest")
}

func processorTime(t *testing.T) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
