package engine_test

import (
	"fmt"
	"testing"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/engine/enginetest"
	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// sized returns the snapshot of a population.
func sized(t testing.TB, size enginetest.Size, on policy.Engine) *engine.Snapshot {
	t.Helper()
	checker, err := contract.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	registry, err := size.Registry(checker)
	if err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(size.Policies())
	if err != nil {
		t.Fatal(err)
	}
	if set.Len() != size.Rules {
		t.Fatalf("%d rules, want %d", set.Len(), size.Rules)
	}
	snapshot, err := engine.NewSnapshot(registry, set, on, nil)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

// BenchmarkDecide is the decision itself, with all proofs, as bytes.
func BenchmarkDecide(b *testing.B) {
	for name, size := range map[string]enginetest.Size{"small": enginetest.Small(), "large": enginetest.Large()} {
		b.Run(name, func(b *testing.B) {
			snapshot, request := sized(b, size, policy.Factored), size.Request()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := snapshot.Decide(b.Context(), engine.NoPast, request, 0, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTracedDecide is a decision with its trace, in memory.
func BenchmarkTracedDecide(b *testing.B) {
	size := enginetest.Small()
	h := newHouse(b, size.Policies())
	registry, err := size.Registry(h.schema)
	if err != nil {
		b.Fatal(err)
	}
	for s := range registry.All() {
		if _, err := h.Register(b.Context(), s.Contract); err != nil {
			b.Fatal(err)
		}
	}
	in := &caiov1.DecideRequest{Request: size.Request()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Engine.Decide(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOrchestrate is the whole walk but the server: decision, adapter, an instant upstream, guarantees, trace.
func BenchmarkOrchestrate(b *testing.B) {
	up := upstream(b, func(int) (int, string) { return 200, `{"output":{"language":"eng"},"metadata":{"confidence":0.99}}` })
	var contracts []string
	for i := range 3 {
		contracts = append(contracts, reachable(fmt.Sprint("s", i), up.URL, "guarantees: {accuracy: 0.9, p95_latency_ms: 50}"))
	}
	h := newHouse(b, defaults(nil), contracts...)
	in := &caiov1.OrchestrateRequest{Request: request()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Engine.Orchestrate(b.Context(), in, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func TestThePopulationIsWhatItSaysAndTheBenchmarkDecides(t *testing.T) {
	size := enginetest.Small()
	d, err := engine.Decide(t.Context(), sized(t, size, policy.Factored), engine.NoPast, size.Request(), 0, false)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]int{}
	for _, c := range d.Candidates {
		outcomes[c.Outcome]++
	}
	if fmt.Sprint(outcomes) != "map[budget:1 eligible:16 rule:1 security:1 selected:1]" || d.Unlisted != 80 {
		t.Errorf("%v, %d unlisted", outcomes, d.Unlisted)
	}
}
