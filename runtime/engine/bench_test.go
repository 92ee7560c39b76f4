package engine_test

import (
	"fmt"
	"testing"

	"github.com/smarthausgroup/caio/runtime/engine"
)

// BenchmarkDecide is the pure decision among three services by the default policies.
func BenchmarkDecide(b *testing.B) {
	h := newHouse(b, defaults(nil), threeOf("http://127.0.0.1:1")...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := engine.Decide(b.Context(), h.Snapshot(), engine.NoPast, request(), 0, false); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOrchestrate is the whole walk but the server: decision, adapter, an instant upstream, guarantees, trace.
func BenchmarkOrchestrate(b *testing.B) {
	up := upstream(b, func(int) (int, string) { return 200, `{"output":{"language":"eng"},"metadata":{"confidence":0.99}}` })
	h := newHouse(b, defaults(nil), threeOf(up.URL)...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := orchestrate(h, b.Context(), request()); err != nil {
			b.Fatal(err)
		}
	}
}

func threeOf(url string) []string {
	var contracts []string
	for i := range 3 {
		contracts = append(contracts, reachable(fmt.Sprint("s", i), url, "guarantees: {accuracy: 0.9, p95_latency_ms: 50}"))
	}
	return contracts
}
