package adapter

import (
	"errors"
	"flag"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var tries = flag.Int("tries", 100, "how often each hostile guest is called; make hostile: 10000")

// TestHostileGuestsLeaveNothingBehind calls each hostile guest many times beside a good one. What is held: errors are right, and
// the process does not grow. What is printed: how long the good guest's calls take alone, and beside each.
func TestHostileGuestsLeaveNothingBehind(t *testing.T) {
	little := small
	little.Fuel = 1_000_000 // a guest that loops does not loop for long, so that there can be many tries
	r := open(t, little)
	good := find(t, r, newGuest().build(), "hand")
	t.Logf("%-28s %s", "alone", beside(t, good, func() { time.Sleep(50 * time.Millisecond) }))
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		row := hostile[name]
		bad := find(t, r, row.wasm, "hand")
		call := func() {
			var fault *GuestError
			if _, err := bad.Step(t.Context(), nil, started); !errors.As(err, &fault) || fault.Kind != row.kind && fault.Kind != KindFuel { // so little fuel may end first
				t.Fatalf("%s: ended with %v", name, err)
			}
		}
		for range max(1, *tries/10) { // what is set up once is no growth
			call()
		}
		before := resident(t)
		delays := beside(t, good, func() {
			for range *tries {
				call()
			}
		})
		after := resident(t)
		t.Logf("%-28s %s, %d tries, memory %+.1f MB", name, delays, *tries, float64(after-before)/(1<<20))
		// Less than 2 KB a try for 10,000; the slack is the allocator's and the race detector's.
		if after-before > 24<<20 {
			t.Errorf("%s: the process grew from %d to %d bytes", name, before, after)
		}
		bad.module.Retire()
	}
}

// beside calls good again and again while do runs, and tells how long its calls took.
func beside(t *testing.T, good *Adapter, do func()) string {
	stop := make(chan struct{})
	times := make([]time.Duration, 0, 1<<16)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
			}
			begin := time.Now()
			if _, err := good.Step(t.Context(), nil, started); err != nil {
				t.Error(err)
			}
			if len(times) < cap(times) {
				times = append(times, time.Since(begin))
			}
		}
	})
	do()
	close(stop)
	running.Wait()
	if len(times) == 0 {
		return "no call beside"
	}
	slices.Sort(times)
	round := func(d time.Duration) string { return d.Round(time.Microsecond / 10).String() }
	return "p50 " + round(times[len(times)/2]) + ", p99 " + round(times[len(times)*99/100]) + ", max " + round(times[len(times)-1])
}

// resident returns the bytes that the process has in memory beyond garbage; 0 where the system does not tell.
func resident(t *testing.T) int64 {
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
