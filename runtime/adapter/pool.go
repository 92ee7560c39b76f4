package adapter

import (
	"context"
	"fmt"
	"time"
)

// A module's pool has as many instances as its calls ever needed at once, up to Options.MaxInstances, and lets go of those that
// were not needed for Options.IdleAfter: an instance is made from the image in a fraction of a millisecond.

// acquire takes an instance out of the pool, or makes one. Waiting for a place ends with ctx.
func (m *Module) acquire(ctx context.Context) (*instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case m.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for an instance of adapter module %s: %w", m.name, ctx.Err())
	}
	m.mu.Lock()
	if n := len(m.idle); n > 0 {
		in := m.idle[n-1]
		m.idle[n-1] = nil
		m.idle = m.idle[:n-1]
		m.mu.Unlock()
		return in, nil
	}
	m.mu.Unlock()
	in, err := m.another()
	if err != nil {
		<-m.slots
		return nil, err
	}
	return in, nil
}

// put takes an instance back. One that is not as the image says is replaced at need.
func (m *Module) put(in *instance, clean bool) {
	in.rested = time.Now()
	m.mu.Lock()
	if keep := clean && !m.retired; keep {
		m.idle, in = append(m.idle, in), nil
	}
	m.mu.Unlock()
	if in != nil {
		in.close()
	}
	<-m.slots
}

// trim closes the instances that rest since before then.
func (m *Module) trim(then time.Time) {
	m.mu.Lock()
	n := 0 // the first ones rest longest
	for n < len(m.idle) && m.idle[n].rested.Before(then) {
		n++
	}
	rested := append([]*instance(nil), m.idle[:n]...)
	m.idle = append(m.idle[:0], m.idle[n:]...)
	clear(m.idle[len(m.idle):cap(m.idle)])
	m.mu.Unlock()
	for _, in := range rested {
		in.close()
	}
}

// Retire says that the module is in no catalog any more. Executions that began with it go on with it; what it takes is given back
// when the last of them is over and nothing refers to it.
func (m *Module) Retire() {
	m.mu.Lock()
	m.retired = true
	m.mu.Unlock()
	m.trim(time.Now().Add(time.Hour))
}

// keepPools trims all pools until stop is closed.
func (r *Runtime) keepPools(stop <-chan struct{}) {
	ticker := time.NewTicker(max(r.options.IdleAfter/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			for _, m := range r.loaded() {
				m.trim(now.Add(-r.options.IdleAfter))
			}
		case <-stop:
			return
		}
	}
}

// loaded returns the modules that something refers to.
func (r *Runtime) loaded() []*Module {
	r.mu.Lock()
	defer r.mu.Unlock()
	var modules []*Module
	for _, m := range r.held {
		if m := m.Value(); m != nil {
			modules = append(modules, m)
		}
	}
	return modules
}
