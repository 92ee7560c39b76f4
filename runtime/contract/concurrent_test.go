package contract

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestMatchingWhileContractsChange parses and swaps snapshots as the engine does, while others match. Every snapshot
// holds a pair of services, first and second, always of the same version: a reader that saw one without the other, or
// two versions, saw half a change.
func TestMatchingWhileContractsChange(t *testing.T) {
	const changes, readers = 60, 3
	s := testSchema(t)
	pair := func(version int) (services [2]*Service, err error) {
		for i, id := range []string{"first", "second"} {
			source := fmt.Sprintf("service_id: %s\nname: N\nversion: 1.0.%d\ncapabilities: [chat, v%d]\nguarantees: {accuracy: 0.9}\n", id, version, version)
			c, err := s.Parse(id+".yaml", []byte(source))
			if err != nil {
				return services, err
			}
			services[i] = &Service{Contract: c, Revision: uint64(version)}
		}
		return services, nil
	}
	var current atomic.Pointer[Registry]
	first, err := pair(0)
	if err != nil {
		t.Fatal(err)
	}
	current.Store(NewRegistry(first[:]...))
	var done atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		defer done.Store(true)
		for version := 1; version <= changes; version++ {
			services, err := pair(version)
			if err != nil {
				t.Error(err)
				return
			}
			current.Store(current.Load().Without("second").With(services[0]).With(services[1]))
			if _, err := s.Parse("bad.yaml", []byte("service_id: first\nnme: x\n")); err == nil {
				t.Error("a bad contract was accepted")
			}
		}
	})
	request := &caiov1.Request{Capabilities: []string{"chat"}, Guarantees: map[string]*caiov1.Demand{"accuracy": {}}}
	for range readers {
		group.Go(func() {
			for !done.Load() {
				r := current.Load()
				m, err := r.Match(request, nil, false)
				if err != nil {
					t.Error(err)
					return
				}
				var services []*Service
				for slot := range r.ByID(m.Passed) {
					services = append(services, r.Service(slot))
				}
				if len(services) != 2 || services[0].Message().Version != services[1].Message().Version {
					t.Errorf("half a change: %v", services)
					return
				}
				digest := r.Digest()
				if digest != NewRegistry(services...).Digest() {
					t.Error("the snapshot's digest is not that of its services")
					return
				}
			}
		})
	}
	group.Wait()
	if r := current.Load(); r.Len() != 2 || r.Revision() < changes {
		t.Errorf("%d services at revision %d", r.Len(), r.Revision())
	}
}
