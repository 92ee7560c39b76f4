package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Snapshot is one state of everything that decides. It is immutable: a change makes a new one.
type Snapshot struct {
	Registry *contract.Registry
	Policies *policy.Set
	Adapters *adapter.Catalog // nil where nothing is executed

	index    *policy.Index // Policies prepared over Registry's slots
	profiles []*profile    // by slot of Registry; nil: free
	told     *told         // of this registry and these policies alone
	shared   *shared
}

// shared is what all snapshots of one house have in common.
type shared struct {
	objective     [2][]byte // by form: fields objective and coefficients of every Decision, serialized
	configuration [2]string // by form: digest of the objective
	memory        sync.Pool
}

// NewSnapshot prepares registry's contracts for policies, which engine evaluates. Adapters may be nil if nothing is to be
// executed.
func NewSnapshot(registry *contract.Registry, policies *policy.Set, engine policy.Engine, adapters *adapter.Catalog) (*Snapshot, error) {
	s := &Snapshot{
		Registry: registry, Policies: policies, Adapters: adapters, profiles: make([]*profile, registry.Slots()),
		told: &told{}, shared: &shared{},
	}
	for _, form := range []proof.Form{proof.ByContract, proof.ByField} {
		constant, err := deterministic.Marshal(&caiov1.Decision{Objective: form.String(), Coefficients: proof.Coefficients()})
		if err != nil {
			return nil, fmt.Errorf("write the objective: %w", err)
		}
		s.shared.objective[form], s.shared.configuration[form] = constant, form.Digest()
	}
	s.shared.memory.New = func() any { return &memory{} }
	facts := make([]*policy.Facts, registry.Slots())
	errs := make([]error, registry.Slots())
	inParallel(registry.Slots(), func(slot int) {
		service := registry.Service(slot)
		if service == nil {
			return
		}
		p, err := newProfile(service)
		if err != nil {
			errs[slot] = err
			return
		}
		s.profiles[slot], facts[slot] = p, p.facts
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var err error
	if s.index, err = policy.NewIndex(policies, engine, facts, nil); err != nil {
		return nil, err
	}
	return s, nil
}

// with returns the snapshot in which service is registered, in place of an older contract of the same id.
func (s *Snapshot) with(service *contract.Service) (*Snapshot, error) {
	p, err := newProfile(service)
	if err != nil {
		return nil, err
	}
	next := *s
	next.Registry = s.Registry.With(service)
	slot, _ := next.Registry.Slot(service.ID())
	next.profiles = make([]*profile, next.Registry.Slots())
	copy(next.profiles, s.profiles)
	next.profiles[slot] = p
	next.index, next.told = s.index.With(slot, p.facts), &told{}
	return &next, nil
}

// without returns the snapshot in which id is not registered.
func (s *Snapshot) without(id string) *Snapshot {
	slot, there := s.Registry.Slot(id)
	if !there {
		return s
	}
	next := *s
	next.Registry = s.Registry.Without(id)
	next.profiles = slices.Clone(s.profiles)
	next.profiles[slot] = nil
	next.index, next.told = s.index.With(slot, nil), &told{}
	return &next
}

// under returns the snapshot in which policies judge, evaluated by engine. It takes as long as it takes to prepare them over
// every service.
func (s *Snapshot) under(policies *policy.Set, engine policy.Engine) (*Snapshot, error) {
	facts := make([]*policy.Facts, len(s.profiles))
	for slot := range facts {
		facts[slot] = s.factsAt(slot)
	}
	index, err := policy.NewIndex(policies, engine, facts, s.index)
	if err != nil {
		return nil, err
	}
	next := *s
	next.Policies, next.index, next.told = policies, index, &told{}
	return &next, nil
}

// following returns now under the policies of s, which was made of another snapshot of the same house. It takes as long as
// it takes to prepare the services that differ.
func (s *Snapshot) following(now *Snapshot) *Snapshot {
	next := *now
	next.Policies, next.index, next.told = s.Policies, s.index, &told{}
	for slot := range max(len(s.profiles), len(now.profiles)) {
		if facts := now.factsAt(slot); facts != s.factsAt(slot) {
			next.index = next.index.With(slot, facts)
		}
	}
	return &next
}

// factsAt returns the facts of the service at slot, nil if it is free.
func (s *Snapshot) factsAt(slot int) *policy.Facts {
	if slot >= len(s.profiles) || s.profiles[slot] == nil {
		return nil
	}
	return s.profiles[slot].facts
}
