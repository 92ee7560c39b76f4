package policy

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/policies"
)

// templates are rules as people write them: a condition on the request, a demand on the service.
var templates = []string{
	`deny contains {"rule": "P%[1]d", "message": "x", "facts": {"l": input.service.privacy.data_locality}} if {
	input.request.data.contains_phi
	not input.service.privacy.data_locality in {"on_device", "local"}
}`,
	`deny contains "x" if {
	input.request.data.residency == "r%[1]d"
	not input.service.privacy.region == "r%[1]d"
}`,
	`deny contains sprintf("costs %%v", [input.service.cost.per_request]) if {
	input.request.context.priority == "p%[1]d"
	input.service.cost.per_request > 0.%[1]d
}`,
	`deny contains "x" if {
	lower(input.request.data.classification) == "c%[1]d"
	not input.service.privacy.encryption
}`,
	`deny contains "x" if {
	"role%[1]d" in input.request.principal.roles
	input.service.required_trust_level > 5
}`,
	`deny contains "x" if {
	some c in input.request.capabilities
	startswith(c, "forbidden%[1]d_")
	input.service.metadata.tenant != ""
}`,
	`deny contains "x" if {
	input.request.principal.tenant == "t%[1]d"
	not input.service.metadata.tenant == input.request.principal.tenant
}`,
	`deny contains "x" if {
	input.request.intent.type == "i%[1]d"
	every f in ["hate", "violence"] { f in input.service.alignment.content_filters }
}`,
	`deny contains "x" if {
	input.request.principal.trust_level < %[1]d - 100
	not input.service.constraints.requires_gpu
}`,
	`deny contains "x" if {
	input.request.budget.max_cost < input.service.cost.per_request * %[1]d
	input.request.budget.currency == "c%[1]d"
}`,
}

// rulesOf returns n rules in packages of ten.
func rulesOf(n int) []string {
	var pairs []string
	for p := 0; p*10 < n; p++ {
		var b strings.Builder
		fmt.Fprintf(&b, "package caio.routing.p%d\n", p)
		for i := p * 10; i < min(n, p*10+10); i++ {
			fmt.Fprintf(&b, "\n"+templates[i%len(templates)]+"\n", i+1)
		}
		pairs = append(pairs, fmt.Sprintf("routing/p%d.rego", p), b.String())
	}
	return pairs
}

func BenchmarkRoute(b *testing.B) {
	for _, size := range []struct{ rules, candidates int }{{50, 20}, {200, 100}} {
		b.Run(fmt.Sprintf("%dx%d", size.rules, size.candidates), func(b *testing.B) {
			s := load(b, rulesOf(size.rules)...)
			benchmarkRoute(b, s, size.candidates)
		})
	}
	b.Run("defaultsx20", func(b *testing.B) { benchmarkRoute(b, defaults(b), 20) })
}

func benchmarkRoute(b *testing.B, s *Set, candidates int) {
	var services []*Facts
	for i := range candidates {
		services = append(services, facts(b, change(b, exampleService, "service_id", fmt.Sprintf("s%d", i))))
	}
	req := request(b, exampleRequest)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Route(b.Context(), req, services); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	s := defaults(b)
	service, req := facts(b, exampleService), request(b, exampleRequest)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Check(b.Context(), req, service, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{50, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tree := files(rulesOf(n)...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(tree); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewFacts(b *testing.B) {
	raw := []byte(exampleService)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewFacts(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTenants tells what tenants with a rule of their own cost at 10,000 services: to compile, to prepare, in memory,
// and when a service is registered.
func BenchmarkTenants(b *testing.B) {
	services := make([]*Facts, 10_000)
	for i := range services {
		services[i] = facts(b, fmt.Sprintf(`{"name": "s%d", "cost": {"per_request": %d}, "privacy": {"region": "eu"}}`, i, i))
	}
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	for _, n := range []int{0, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var pairs []string
			for i := range n {
				pairs = append(pairs, fmt.Sprintf("tenants/t%d/routing/x.rego", i),
					fmt.Sprintf("package caio.routing.x\n\ndeny contains \"x%d\" if input.service.name == \"x\"\n", i))
			}
			before, began := heap(), time.Now()
			set, err := Load(policies.Overlay(policies.FS(), files(pairs...)))
			if err != nil {
				b.Fatal(err)
			}
			load := time.Since(began)
			loaded, began := heap(), time.Now()
			x, err := NewIndex(set, Factored, services, nil)
			if err != nil {
				b.Fatal(err)
			}
			prepare, prepared := time.Since(began), heap()
			for b.Loop() {
				x.With(5, services[6])
			}
			b.ReportMetric(float64(load.Milliseconds()), "load-ms")
			b.ReportMetric(float64(prepare.Milliseconds()), "index-ms")
			b.ReportMetric(loaded-before, "set-MB")
			b.ReportMetric(prepared-loaded, "index-MB")
		})
	}
}
