package engine

import (
	"math"
	"sync"
	"sync/atomic"
)

// history counts what became of executions, by service, since the start.
type history struct {
	// string -> *atomic.Uint64: executions in the low half, failures in the high one, so that one load reads both
	// as they stood together.
	counts sync.Map
}

// record counts one execution. Failed: it brought no result, or one that broke a guarantee.
func (h *history) record(service string, failed bool) {
	v, ok := h.counts.Load(service)
	if !ok {
		v, _ = h.counts.LoadOrStore(service, new(atomic.Uint64))
	}
	n := v.(*atomic.Uint64)
	for old := n.Load(); !n.CompareAndSwap(old, counted(old, failed)); old = n.Load() {
	}
}

// counted returns n and one execution more. Once the low half is full, what came before counts half: a carry would
// turn four billion executions into one failure of none, and no decision could score the service again.
func counted(n uint64, failed bool) uint64 {
	if uint32(n) == math.MaxUint32 {
		n = n>>33<<32 | uint64(uint32(n)>>1)
	}
	if failed {
		n += 1 << 32
	}
	return n + 1
}

// of returns what is known of service; zero for one that was never executed.
func (h *history) of(service string) Record {
	v, ok := h.counts.Load(service)
	if !ok {
		return Record{}
	}
	n := v.(*atomic.Uint64).Load()
	return Record{Requests: float64(n & 0xffffffff), Failures: float64(n >> 32)}
}
