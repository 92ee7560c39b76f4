package contract

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func BenchmarkRegistryWith(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		services := randomServices(b, n)
		r := NewRegistry(services...)
		b.Run(fmt.Sprintf("replace/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.With(services[i%n])
			}
		})
		b.Run(fmt.Sprintf("add/%d", n), func(b *testing.B) {
			random := rand.New(rand.NewPCG(9, 9))
			more := make([]*Service, 100)
			for i := range more {
				more[i] = randomService(b, random, fmt.Sprintf("more-%d", i), 1)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.With(more[i%len(more)])
			}
		})
		b.Run(fmt.Sprintf("remove/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.Without(services[i%n].ID())
			}
		})
	}
	// The worst case for the index: every service says things of its own.
	services := make([]*Service, 10_000)
	for i := range services {
		m := &caiov1.Contract{ServiceId: fmt.Sprintf("service-%05d", i), Guarantees: map[string]*caiov1.Guarantee{}}
		m.Capabilities = []*caiov1.Capability{{Type: m.ServiceId}}
		for j := range 5 {
			m.Guarantees[fmt.Sprint("own-", i, "-", j)] = &caiov1.Guarantee{Property: "p", Bound: minBound(float64(j))}
		}
		services[i] = &Service{Contract: &Contract{message: m}}
	}
	r := NewRegistry(services[1:]...)
	b.Run("own/10000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.With(services[0])
		}
	})
	b.Run("build/10000", func(b *testing.B) {
		services := randomServices(b, 10_000)
		b.ReportAllocs()
		for b.Loop() {
			NewRegistry(services...)
		}
	})
}

// BenchmarkMatch finds the same number of candidates in registries of different size: the rest must cost next to nothing.
func BenchmarkMatch(b *testing.B) {
	request := &caiov1.Request{
		Capabilities: []string{"rare"},
		Guarantees:   map[string]*caiov1.Demand{"accuracy": {Min: proto.Float64(0.2)}, "latency": {Max: proto.Float64(900)}},
		Constraints:  &caiov1.Demands{RequiresGpu: proto.Bool(false)},
	}
	for _, candidates := range []int{20, 1000} {
		for _, n := range []int{100, 1000, 10_000} {
			if n < candidates {
				continue
			}
			services := randomServices(b, n)
			for i := range candidates {
				at := i * n / candidates
				m := proto.CloneOf(services[at].Message())
				m.Capabilities = append(m.Capabilities, &caiov1.Capability{Type: "rare"})
				services[at] = testService(b, 1, m)
			}
			r := NewRegistry(services...)
			b.Run(fmt.Sprintf("%d of %d", candidates, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := r.Match(request, nil, false); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkMatchDemands makes a hundred demands, each of which nearly everybody meets, so that none ends the search.
func BenchmarkMatchDemands(b *testing.B) {
	const demands = 100
	request := &caiov1.Request{Guarantees: map[string]*caiov1.Demand{}}
	for i := range demands {
		request.Guarantees[fmt.Sprint("g", i)] = &caiov1.Demand{Min: proto.Float64(0.001)}
	}
	for _, n := range []int{100, 1000, 10_000} {
		services := make([]*Service, n)
		for i := range services {
			m := &caiov1.Contract{ServiceId: fmt.Sprintf("service-%05d", i), Guarantees: map[string]*caiov1.Guarantee{}}
			for j := range demands {
				m.Guarantees[fmt.Sprint("g", j)] = &caiov1.Guarantee{Property: "p", Bound: minBound(float64(i*(j+7)%9973) / 9973)}
			}
			services[i] = &Service{Contract: &Contract{message: m}}
		}
		r := NewRegistry(services...)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, err := r.Match(request, nil, false)
				if err != nil || m.Passed.Empty() || m.Fallen.Empty() {
					b.Fatal(m, err)
				}
			}
		})
	}
}

func BenchmarkRegistryByID(b *testing.B) {
	r := NewRegistry(randomServices(b, 10_000)...)
	for _, n := range []int{20, 1000} {
		set := bitset.Of(r.Slots())
		for i := range n {
			set.Add(i * 10_000 / n)
		}
		b.Run(fmt.Sprintf("%d of 10000", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for range r.ByID(set) {
				}
			}
		})
	}
}

// BenchmarkMatchWhy makes the reasons of everybody who falls.
func BenchmarkMatchWhy(b *testing.B) {
	r := NewRegistry(randomServices(b, 10_000)...)
	request := &caiov1.Request{
		Capabilities: []string{"chat"}, Constraints: &caiov1.Demands{RequiresGpu: proto.Bool(false)},
		Guarantees: map[string]*caiov1.Demand{"accuracy": {Min: proto.Float64(0.5)}, "latency": {Max: proto.Float64(500)}},
	}
	b.ReportAllocs()
	for b.Loop() {
		m, err := r.Match(request, nil, false)
		if err != nil {
			b.Fatal(err)
		}
		for slot := range r.ByID(m.Fallen) {
			if outcome, _ := m.Why(slot); outcome == "" {
				b.Fatal("fell without a reason")
			}
		}
	}
}
