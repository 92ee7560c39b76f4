package gateway

import "sync"

// A budget keeps retries a small share of a service's calls, so that a service that is down is not asked three times as
// often as one that is well. Each call earns a part of a retry, up to a reserve, with which a budget begins; each retry
// spends one. Safe for concurrent use.
type budget struct {
	mu     sync.Mutex
	share  float64 // of a retry that a call earns
	tokens float64
}

// reserve is how many retries may be saved up: a quiet service's first failures are retried as they always were.
const reserve = 10

func newBudget(share float64) *budget { return &budget{share: share, tokens: reserve} }

// earn counts a call's first try.
func (b *budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(reserve, b.tokens+b.share)
}

// spend takes a retry; false: there is none left.
func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
