package engine

import (
	"sync"
	"sync/atomic"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
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
	n := uint64(1)
	if failed {
		n |= 1 << 32
	}
	v.(*atomic.Uint64).Add(n)
}

// of returns what is known of service; zero for one that was never executed.
func (h *history) of(service string) *caiov1.History {
	v, ok := h.counts.Load(service)
	if !ok {
		return &caiov1.History{}
	}
	n := v.(*atomic.Uint64).Load()
	return &caiov1.History{Requests: float64(n & 0xffffffff), Failures: float64(n >> 32)}
}
