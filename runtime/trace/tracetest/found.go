package tracetest

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/trace"
)

// longest returns an id of MaxFound bytes that ends in last.
func longest(last string) string { return strings.Repeat("r", trace.MaxFound-len(last)) + last }

// find gives r what it is found by beside service, status, tenant and time.
func find(r *trace.Record, rng *rand.Rand) {
	r.RequestID = []string{"", "order 1", "order 2", "order 2\x00", "ör"}[rng.IntN(5)]
	for _, rule := range []string{"SEC-0001", "SEC-00010", "caio.routing.x.deny", longest(""), longest("s"), "request.budget"} {
		if rng.IntN(3) == 0 {
			r.Rules = append(r.Rules, rule)
		}
	}
	slices.Sort(r.Rules)
	r.Violation = rng.IntN(4) == 0
	r.DurationMs = float64(rng.IntN(1000)) / 8
	r.Cost = []float64{0, 0.001, 0.1, 1e-300, 12345.678}[rng.IntN(5)]
}

func foundBy(t *testing.T, s trace.Storage) {
	all := Records(0, 60)
	many := &all[7]
	many.Rules = nil
	for i := range trace.MaxRules {
		many.Rules = append(many.Rules, string(rune(0x4e00+i))+longest("")[3:])
	}
	appendAll(t, s, all[:30], all[30:])
	listed, err := s.List(t.Context(), trace.Filter{Limit: 100})
	if err != nil || len(listed) != len(all) {
		t.Fatalf("List: %d records, %v", len(listed), err)
	}
	for _, r := range listed {
		equalFound(t, r, &all[r.Sequence])
		got, err := s.Get(t.Context(), r.TraceID)
		if err != nil {
			t.Fatal(err)
		}
		equalFound(t, got, &all[r.Sequence])
	}
	f := trace.Filter{Rule: many.Rules[trace.MaxRules-1], Limit: 10}
	same(t, s, f, selected(all, f))
}

func filters(t *testing.T, s trace.Storage) {
	all := Records(0, 300)
	appendAll(t, s, all[:100], all[100:])
	position := all[200].Position()
	set := []func(*trace.Filter){
		func(f *trace.Filter) { f.RequestID = "order 2" },
		func(f *trace.Filter) { f.Rule = "SEC-0001" },
		func(f *trace.Filter) { f.Violations = true },
		func(f *trace.Filter) { f.MinDurationMs = 60.125 },
		func(f *trace.Filter) { f.MinCost = 0.1 },
		func(f *trace.Filter) { f.Tenant = "acme" },
		func(f *trace.Filter) { f.Service = "beta" },
		func(f *trace.Filter) { f.Status = "refused" },
		func(f *trace.Filter) { f.Since, f.Until = all[40].Time, all[250].Time },
		func(f *trace.Filter) { f.Before = &position },
	}
	for chosen := range 1 << len(set) {
		if n := bits.OnesCount(uint(chosen)); n > 3 && n < len(set) {
			continue // what goes together in threes goes together
		}
		f := trace.Filter{Limit: 1000}
		for i, apply := range set {
			if chosen&(1<<i) != 0 {
				apply(&f)
			}
		}
		same(t, s, f, selected(all, f))
		if f.Limit = 2; chosen%7 == 0 {
			same(t, s, f, selected(all, f))
		}
	}
	for _, f := range []trace.Filter{
		{Rule: "SEC-00010"}, {Rule: longest("")}, {Rule: longest("s")}, {Rule: "SEC"}, {Rule: "nothing"},
		{RequestID: "order"}, {RequestID: "order 2\x00"}, {RequestID: "ör"}, {RequestID: "nothing"},
		{MinDurationMs: 1e9}, {MinCost: 1e-300}, {MinCost: 12345.678}, {MinCost: 12345.6780001},
	} {
		f.Limit = 1000
		same(t, s, f, selected(all, f))
	}
}

func equalFound(t *testing.T, got, want *trace.Record) {
	t.Helper()
	equal(t, got, want)
	if got.RequestID != want.RequestID || !slices.Equal(got.Rules, want.Rules) || got.Violation != want.Violation ||
		got.DurationMs != want.DurationMs || got.Cost != want.Cost {
		t.Fatalf("record %d comes back as\n%+v, want\n%+v", want.Sequence, head(got), head(want))
	}
}
