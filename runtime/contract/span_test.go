package contract

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestSpanIsASet holds spans that begin and end anywhere against plain sets, in all that is done with them.
func TestSpanIsASet(t *testing.T) {
	const slots = 5000
	random := rand.New(rand.NewPCG(4, 4))
	draw := func() bitset.Set {
		set := bitset.Of(slots)
		from := random.IntN(slots)
		for range []int{0, 1, 3, 400}[random.IntN(4)] {
			set.Add(from + random.IntN(slots-from))
		}
		return set
	}
	same := func(what string, got, want bitset.Set) {
		t.Helper()
		if !slices.Equal(slices.Collect(got.All()), slices.Collect(want.All())) {
			t.Fatalf("%s: got %v, want %v", what, slices.Collect(got.All()), slices.Collect(want.All()))
		}
	}
	whole := func(s span) bitset.Set {
		set := bitset.Of(slots)
		s.or(set)
		return set
	}
	for range 3000 {
		a, b := draw(), draw()
		s, slot := spanOf(b), random.IntN(slots)
		same("itself", whole(s), b)
		if s.empty() != b.Empty() || s.intersects(a) != b.Intersects(a) {
			t.Fatalf("empty %v, intersects %v", s.empty(), s.intersects(a))
		}
		same("with", whole(s.with(slot)), b.With(slot))
		if !b.Empty() {
			in := slices.Collect(b.All())
			gone := in[random.IntN(len(in))]
			left := s.without(gone)
			same("without", whole(left), b.Without(gone))
			if !left.empty() && (left.words[0] == 0 || last(left.words) == 0) {
				t.Fatal("zeros are kept at an end")
			}
		}
		reach := a[:random.IntN(len(a)+1)]
		n := narrow(bitset.Of(slots), reach, s)
		same("narrow", n.set, reach.Clone().And(b))
		if n.count() != n.set.Count() {
			t.Fatalf("%d are left, want %d", n.count(), n.set.Count())
		}
		for _, from := range []bitset.Set{a, bitset.Full(slots)} {
			kept, dropped := narrow(bitset.Of(slots), from, span{words: from}), narrow(bitset.Of(slots), from, span{words: from})
			kept.keep(s)
			dropped.drop(s)
			same("keep", kept.set, from.Clone().And(b))
			same("drop", dropped.set, from.Clone().AndNot(b))
			rest := from.Clone()
			kept.takeFrom(rest)
			same("take from", rest, from.Clone().AndNot(b))
		}
	}
}

// TestWhatOnlyLaterServicesSayIsFound: sets that do not begin with the first slot.
func TestWhatOnlyLaterServicesSayIsFound(t *testing.T) {
	var services []*Service
	for i := range 300 {
		c := &caiov1.Contract{ServiceId: fmt.Sprintf("s%03d", i), Metadata: &caiov1.Metadata{Tenant: fmt.Sprint("tenant-", i/100)}}
		c.Capabilities = []*caiov1.Capability{{Type: fmt.Sprint("capability-", i/100)}}
		if i/100 == 2 {
			c.Metadata = nil
		}
		services = append(services, testService(t, 1, c))
	}
	r := NewRegistry(services...)
	if got := r.Visible("", false); got.Count() != 100 || !got.Has(250) {
		t.Errorf("%d services of no tenant", got.Count())
	}
	if got := r.Visible("tenant-1", false); got.Count() != 200 || !got.Has(150) || !got.Has(250) {
		t.Errorf("%d services are a tenant's to see", got.Count())
	}
	m, err := r.Match(&caiov1.Request{Capabilities: []string{"capability-1", "capability-2"}, Match: "any"}, r.Visible("tenant-1", false), false)
	if err != nil || m.Passed.Count() != 200 || !m.Fallen.Empty() {
		t.Errorf("%d passed, %d fell, %v", m.Passed.Count(), m.Fallen.Count(), err)
	}
	if near := r.NearestCapability("capability-11", r.Visible("", false)); near != "capability-2" {
		t.Errorf("near is %q, want what those of no tenant offer", near)
	}
}
