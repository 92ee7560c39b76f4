package engine

import (
	"math"
	"sync/atomic"
	"testing"
)

func TestAHistoryThatIsFullForgetsHalfAndKeepsTheShare(t *testing.T) {
	var h history
	n := new(atomic.Uint64)
	n.Store(math.MaxUint32/4<<32 | math.MaxUint32)
	h.counts.Store("busy", n)
	for _, failed := range []bool{true, false} {
		h.record("busy", failed)
		past := h.of("busy")
		if share := past.Failures / past.Requests; past.Requests < math.MaxUint32/2 || math.Abs(share-.25) > 1e-6 {
			t.Errorf("%v failures of %v executions, want a quarter", past.Failures, past.Requests)
		}
	}
}
