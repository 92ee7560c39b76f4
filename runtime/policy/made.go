package policy

import (
	"sync"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// maxMade bounds how many reasons are remembered. What is refused again and again is refused for few.
const maxMade = 1 << 13

// made remembers reasons by all that they hang on. The zero value remembers nothing yet. Safe for concurrent use.
type made struct {
	mu  sync.RWMutex
	all map[string][]*caiov1.Reason
}

func (m *made) get(key []byte) []*caiov1.Reason {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.all[string(key)]
}

func (m *made) put(key []byte, reasons []*caiov1.Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil || len(m.all) >= maxMade {
		m.all = make(map[string][]*caiov1.Reason)
	}
	m.all[string(key)] = reasons
}
