//go:build differential

package policy

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// TestDifferential compares the engines over a million pairs, two policies at a time, and tells how far it is.
// CAIO_SEED begins at another seed than 1,000,000.
func TestDifferential(t *testing.T) {
	const wanted = 1_000_000
	seed := uint64(1_000_000)
	if text := os.Getenv("CAIO_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatalf("CAIO_SEED: %v", err)
		}
	}
	var mu sync.Mutex // guards seed, total and told
	var total tally
	began, told := time.Now(), time.Now()
	next := func(done tally) (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		total.add(done)
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			fmt.Printf("%s: seed %d, %s\n", time.Since(began).Round(time.Second), seed, total)
		}
		seed++
		return seed - 1, total.pairs < wanted && !t.Failed()
	}
	t.Run("workers", func(t *testing.T) {
		for i := range 2 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for at, more := next(tally{}); more; {
					var count tally
					agreeOn(t, at, &count)
					at, more = next(count)
				}
			})
		}
	})
	fmt.Printf("%s: %s\n", time.Since(began).Round(time.Second), total)
	if total.pairs < wanted && !t.Failed() {
		t.Errorf("only %d pairs", total.pairs)
	}
}

func (t *tally) add(o tally) {
	t.policies, t.thrown = t.policies+o.policies, t.thrown+o.thrown
	t.rules, t.apart, t.opaques = t.rules+o.rules, t.apart+o.apart, t.opaques+o.opaques
	t.pairs, t.refused, t.reasons = t.pairs+o.pairs, t.refused+o.refused, t.reasons+o.reasons
	t.doubts, t.endedBoth = t.doubts+o.doubts, t.endedBoth+o.endedBoth
}
