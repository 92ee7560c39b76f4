package engine

import (
	"fmt"
	"maps"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/policy"
)

// Snapshot is one state of everything that decides. It is immutable: a change makes a new one.
type Snapshot struct {
	Registry *contract.Registry
	Policies *policy.Set
	Adapters *adapter.Catalog // nil where nothing is executed

	facts map[*contract.Contract]*policy.Facts // of every contract in Registry
}

// NewSnapshot prepares registry's contracts for policies. Adapters may be nil if nothing is to be executed.
func NewSnapshot(registry *contract.Registry, policies *policy.Set, adapters *adapter.Catalog) (*Snapshot, error) {
	s := &Snapshot{registry, policies, adapters, make(map[*contract.Contract]*policy.Facts, registry.Len())}
	for service := range registry.All() {
		facts, err := policy.NewFacts(service.JSON())
		if err != nil {
			return nil, fmt.Errorf("prepare contract %s: %w", service.ID(), err)
		}
		s.facts[service.Contract] = facts
	}
	return s, nil
}

// with returns the snapshot in which service is registered, in place of an older contract of the same id.
func (s *Snapshot) with(service *contract.Service) (*Snapshot, error) {
	facts, err := policy.NewFacts(service.JSON())
	if err != nil {
		return nil, fmt.Errorf("prepare contract %s: %w", service.ID(), err)
	}
	next := s.without(service.ID())
	next.Registry = s.Registry.With(service)
	next.facts[service.Contract] = facts
	return next, nil
}

// without returns the snapshot in which id is not registered.
func (s *Snapshot) without(id string) *Snapshot {
	next := &Snapshot{s.Registry, s.Policies, s.Adapters, maps.Clone(s.facts)}
	if old, ok := s.Registry.Get(id); ok {
		next.Registry = s.Registry.Without(id)
		delete(next.facts, old.Contract)
	}
	return next
}
