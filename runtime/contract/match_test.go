package contract

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestPromiseMeetsDemand goes through every kind of bound at its edge.
func TestPromiseMeetsDemand(t *testing.T) {
	promise := func(property string, b *caiov1.Bound) *caiov1.Guarantee {
		return &caiov1.Guarantee{Property: property, Bound: b}
	}
	number, below, above := proto.Float64(0.5), proto.Float64(math.Nextafter(0.5, 0)), proto.Float64(math.Nextafter(0.5, 1))
	rows := []struct {
		name    string
		promise *caiov1.Guarantee
		demand  *caiov1.Demand
		met     bool
	}{
		{"min, exactly", promise("p", minBound(0.5)), &caiov1.Demand{Min: number}, true},
		{"min, a little more is demanded", promise("p", minBound(0.5)), &caiov1.Demand{Min: above}, false},
		{"min, less is demanded", promise("p", minBound(0.5)), &caiov1.Demand{Min: below}, true},
		{"max, exactly", promise("p", maxBound(0.5)), &caiov1.Demand{Max: number}, true},
		{"max, a little less is demanded", promise("p", maxBound(0.5)), &caiov1.Demand{Max: below}, false},
		{"max, more is allowed", promise("p", maxBound(0.5)), &caiov1.Demand{Max: above}, true},
		{"deviation, exactly", promise("p", &caiov1.Bound{Type: "equality", Deviation: number}), &caiov1.Demand{Deviation: number}, true},
		{"deviation, less is allowed", promise("p", &caiov1.Bound{Type: "equality", Deviation: number}), &caiov1.Demand{Deviation: below}, false},
		{"ratio, exactly", promise("p", &caiov1.Bound{Type: "relative_max", Ratio: number}), &caiov1.Demand{Ratio: number}, true},
		{"ratio, less is allowed", promise("p", &caiov1.Bound{Type: "relative_max", Ratio: number}), &caiov1.Demand{Ratio: below}, false},
		{"multiple, exactly", promise("p", &caiov1.Bound{Type: "min_multiple", Multiple: number}), &caiov1.Demand{Multiple: number}, true},
		{"multiple, more is demanded", promise("p", &caiov1.Bound{Type: "min_multiple", Multiple: number}), &caiov1.Demand{Multiple: above}, false},
		{"true promised and demanded", promise("p", &caiov1.Bound{Type: "boolean", Boolean: proto.Bool(true)}), &caiov1.Demand{Boolean: proto.Bool(true)}, true},
		{"false promised, true demanded", promise("p", &caiov1.Bound{Type: "boolean", Boolean: proto.Bool(false)}), &caiov1.Demand{Boolean: proto.Bool(true)}, false},
		{"false demanded: nothing", promise("p", &caiov1.Bound{Type: "boolean", Boolean: proto.Bool(false)}), &caiov1.Demand{Boolean: proto.Bool(false)}, true},
		{"false demanded, promised by a number", promise("p", minBound(1)), &caiov1.Demand{Boolean: proto.Bool(false)}, true},
		{"not mentioned", nil, &caiov1.Demand{Min: number}, false},
		{"not mentioned, and only that is demanded", nil, &caiov1.Demand{}, false},
		{"mentioned, and only that is demanded", promise("p", minBound(0)), &caiov1.Demand{}, true},
		{"of another kind", promise("p", maxBound(0.5)), &caiov1.Demand{Min: number}, false},
		{"true demanded of a number", promise("p", minBound(1)), &caiov1.Demand{Boolean: proto.Bool(true)}, false},
		{"of the property", promise("p", minBound(0.5)), &caiov1.Demand{Property: "p", Min: number}, true},
		{"of another property", promise("p95_latency_ms", maxBound(5)), &caiov1.Demand{Property: "p99_latency_ms", Max: proto.Float64(9)}, false},
		{"of a property whose name begins the same", promise("p_one", minBound(0.5)), &caiov1.Demand{Property: "p", Min: number}, false},
		{"two bounds, one broken", promise("p", minBound(0.5)), &caiov1.Demand{Min: number, Max: number}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := &caiov1.Contract{ServiceId: "s", Guarantees: map[string]*caiov1.Guarantee{}}
			if row.promise != nil {
				c.Guarantees["g"] = row.promise
			}
			r := NewRegistry(testService(t, 1, c))
			m, err := r.Match(&caiov1.Request{Guarantees: map[string]*caiov1.Demand{"g": row.demand}}, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			outcome, reasons := m.Why(0)
			if got := m.Passed.Has(0); got != row.met || m.Fallen.Has(0) == row.met {
				t.Errorf("met %v, want %v: %v", got, row.met, reasons)
			}
			if !row.met && (outcome != "guarantee" || reasons[0].Rule != "contract.guarantee") {
				t.Errorf("outcome %s by %s", outcome, reasons[0].Rule)
			}
		})
	}
}

// TestDemandNamedByPropertySaysTheType: contracts may be written by property, demands may not; "promises no
// p95_latency_ms" would be untrue of a contract that says p95_latency_ms.
func TestDemandNamedByPropertySaysTheType(t *testing.T) {
	c := &caiov1.Contract{ServiceId: "s", Guarantees: map[string]*caiov1.Guarantee{
		"latency": {Property: "p95_latency_ms", Bound: maxBound(40)},
	}}
	for _, row := range []struct{ demanded, want string }{
		{"p95_latency_ms", `promises p95_latency_ms as a property of latency, which is to be demanded by its type: {"latency": {"property": "p95_latency_ms", ...}}; p95_latency_ms <= 50 is demanded`},
		{"p99_latency_ms", "promises no p99_latency_ms; p99_latency_ms <= 50 is demanded"},
	} {
		m, err := NewRegistry(testService(t, 1, c)).Match(&caiov1.Request{
			Guarantees: map[string]*caiov1.Demand{row.demanded: {Max: proto.Float64(50)}},
		}, nil, false)
		if err != nil || !m.Fallen.Has(0) {
			t.Fatal(m, err)
		}
		_, reasons := m.Why(0)
		if got := reasons[0].Message; got != row.want {
			t.Errorf("demand of %s:\n got %s\nwant %s", row.demanded, got, row.want)
		}
	}
}

func TestConstraintsExclude(t *testing.T) {
	stated := &caiov1.Constraints{
		RequiresGpu: true, RequiresInternet: true, MaxConcurrentRequests: proto.Int32(8), MaxTokensPerRequest: proto.Int32(100), ContextLength: proto.Int32(1000),
		RateLimit: &caiov1.RateLimit{RequestsPerMinute: proto.Float64(120)},
	}
	both := &caiov1.Constraints{RateLimit: &caiov1.RateLimit{RequestsPerSecond: proto.Float64(5), RequestsPerMinute: proto.Float64(60)}}
	rows := []struct {
		name   string
		has    *caiov1.Constraints
		demand *caiov1.Demands
		met    bool
	}{
		{"nothing demanded", stated, nil, true},
		{"a GPU there is", stated, &caiov1.Demands{RequiresGpu: proto.Bool(true)}, true},
		{"no GPU", stated, &caiov1.Demands{RequiresGpu: proto.Bool(false)}, false},
		{"no internet", stated, &caiov1.Demands{RequiresInternet: proto.Bool(false)}, false},
		{"no GPU, none needed", both, &caiov1.Demands{RequiresGpu: proto.Bool(false)}, true},
		{"as many as it takes", stated, &caiov1.Demands{MaxConcurrentRequests: proto.Int32(8)}, true},
		{"one more than it takes", stated, &caiov1.Demands{MaxConcurrentRequests: proto.Int32(9)}, false},
		{"too many tokens", stated, &caiov1.Demands{MaxTokensPerRequest: proto.Int32(101)}, false},
		{"too much context", stated, &caiov1.Demands{ContextLength: proto.Int32(1001)}, false},
		{"no limit stated", both, &caiov1.Demands{ContextLength: proto.Int32(1)}, false},
		{"nothing, where no limit is stated", both, &caiov1.Demands{ContextLength: proto.Int32(0)}, false},
		{"nothing, where nothing is taken", &caiov1.Constraints{ContextLength: proto.Int32(0)}, &caiov1.Demands{ContextLength: proto.Int32(0)}, true},
		{"rate a minute", stated, &caiov1.Demands{RequestsPerSecond: proto.Float64(2)}, true},
		{"rate a minute exceeded", stated, &caiov1.Demands{RequestsPerSecond: proto.Float64(2.1)}, false},
		{"both rates: the lower holds", both, &caiov1.Demands{RequestsPerSecond: proto.Float64(2)}, false},
		{"no constraints at all", nil, &caiov1.Demands{RequestsPerSecond: proto.Float64(2)}, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := NewRegistry(testService(t, 1, &caiov1.Contract{ServiceId: "s", Constraints: row.has}))
			m, err := r.Match(&caiov1.Request{Constraints: row.demand}, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Passed.Has(0); got != row.met || m.Fallen.Has(0) == row.met {
				_, reasons := m.Why(0)
				t.Errorf("met %v, want %v: %v", got, row.met, reasons)
			}
		})
	}
}

// TestReasonsTellEverythingOfTheFirstFailedStep spells out what a caller reads.
func TestReasonsTellEverythingOfTheFirstFailedStep(t *testing.T) {
	s := testSchema(t)
	parse := func(source string) *Service {
		t.Helper()
		c, err := s.Parse("s.yaml", []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		return &Service{Contract: c}
	}
	r := NewRegistry(
		parse("{service_id: a-fits, name: A, version: 1.0.0, capabilities: [chat, code], guarantees: {accuracy: 0.9, p95_latency_ms: 50, determinism: true}, constraints: {context_length: 100}}"),
		parse("{service_id: b-weak, name: B, version: 1.0.0, capabilities: [chat, code], guarantees: {accuracy: 0.8, max_latency_ms: 40, determinism: false}, constraints: {requires_gpu: true}}"),
		parse("{service_id: c-silent, name: C, version: 1.0.0, capabilities: [chat, code]}"),
		parse("{service_id: d-needs, name: D, version: 1.0.0, capabilities: [chat, code], guarantees: {accuracy: 1, p95_latency_ms: 1, determinism: true}, constraints: {requires_gpu: true, context_length: 50}}"),
		parse("{service_id: e-half, name: E, version: 1.0.0, capabilities: [chat]}"),
		parse("{service_id: f-other, name: F, version: 1.0.0, capabilities: [search]}"),
	)
	request := &caiov1.Request{}
	if err := schema.ParseJSON([]byte(`{"capabilities": ["chat", "code"],
		"guarantees": {"accuracy": {"min": 0.9}, "latency": {"property": "p95_latency_ms", "max": 50}, "determinism": {"boolean": true}},
		"constraints": {"requires_gpu": false, "context_length": 60}}`), request); err != nil {
		t.Fatal(err)
	}
	m, err := r.Match(request, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for slot := range r.ByID(m.Passed) {
		got.WriteString(r.Service(slot).ID() + " matches\n")
	}
	for slot := range r.ByID(m.Fallen) {
		outcome, reasons := m.Why(slot)
		got.WriteString(r.Service(slot).ID() + " " + outcome + "\n")
		for _, reason := range reasons {
			facts, err := schema.JSON(reason.Facts)
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString("  " + reason.Rule + ": " + reason.Message + " " + string(facts) + "\n")
		}
	}
	const want = `a-fits matches
b-weak guarantee
  contract.guarantee: promises accuracy >= 0.8; accuracy >= 0.9 is demanded {"bound":"min","demanded":0.9,"guarantee":"accuracy","promised":0.8,"promised_bound":"min","promised_property":"accuracy"}
  contract.guarantee: promises no deterministic_output; determinism is demanded {"bound":"boolean","demanded":true,"guarantee":"determinism","promised":false,"promised_bound":"boolean","promised_property":"deterministic_output"}
  contract.guarantee: promises max_latency_ms <= 40; p95_latency_ms <= 50 is demanded {"bound":"max","demanded":50,"guarantee":"latency","promised":40,"promised_bound":"max","promised_property":"max_latency_ms","property":"p95_latency_ms"}
c-silent guarantee
  contract.guarantee: promises no accuracy; accuracy >= 0.9 is demanded {"bound":"min","demanded":0.9,"guarantee":"accuracy"}
  contract.guarantee: promises no determinism; determinism is demanded {"bound":"boolean","demanded":true,"guarantee":"determinism"}
  contract.guarantee: promises no latency; p95_latency_ms <= 50 is demanded {"bound":"max","demanded":50,"guarantee":"latency","property":"p95_latency_ms"}
d-needs constraint
  contract.constraint: requires a GPU; the request has none (requires_gpu is false) {"constraint":"requires_gpu","demanded":false,"promised":true}
  contract.constraint: takes at most 50 tokens of context; 60 tokens of context are demanded {"constraint":"context_length","demanded":60,"promised":50}
e-half capability
  contract.capability: offers chat; all of chat, code is demanded {"demanded":["chat","code"],"missing":["code"],"offered":["chat"]}
f-other capability
  contract.capability: offers search; all of chat, code is demanded {"demanded":["chat","code"],"missing":["chat","code"],"offered":["search"]}
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
	m, err = r.Match(request, nil, false)
	if err != nil || m.Unlisted != 1 || m.Fallen.Count() != 4 {
		t.Errorf("unlisted %d, fallen %d, %v; want 1 and 4: only f-other offers nothing of what is asked", m.Unlisted, m.Fallen.Count(), err)
	}
}

func TestNumbersThatAreNotFiniteAreErrors(t *testing.T) {
	r := NewRegistry(testService(t, 1, &caiov1.Contract{ServiceId: "s"}))
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for want, q := range map[string]*caiov1.Request{
			"guarantees.accuracy.min":         {Guarantees: map[string]*caiov1.Demand{"accuracy": {Min: &bad}}},
			"constraints.requests_per_second": {Constraints: &caiov1.Demands{RequestsPerSecond: &bad}},
		} {
			if _, err := r.Match(q, nil, false); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v: error %v, want one about %s", bad, err, want)
			}
		}
	}
}

func TestNearestNames(t *testing.T) {
	allowed := []string{"service_id", "latency", "data_locality", "p95_latency_ms", "p99_latency_ms", "chat"}
	for name, want := range map[string]string{
		"latencyy": "latency", "Latency": "latency", "latncy": "latency", "p95_latency": "p95_latency_ms", "id": "service_id",
		"locality": "data_locality", "cat": "chat", "banana": "", "": "", "ms": "", "data_localty": "data_locality",
	} {
		if got := Nearest(name, allowed); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
	r := NewRegistry(testService(t, 1, &caiov1.Contract{
		ServiceId: "s", Capabilities: []*caiov1.Capability{{Type: "language_detection"}},
		Guarantees: map[string]*caiov1.Guarantee{"latency": {Property: "p95_latency_ms", Bound: maxBound(1)}},
	}))
	for _, visible := range []bitset.Set{r.Live(), {}} {
		for want, got := range map[string]string{
			"language_detection": r.NearestCapability("language_detecton", visible),
			"latency":            r.NearestGuarantee("latncy", visible),
			"p95_latency_ms":     r.NearestProperty("latency", "p95_latncy_ms", visible),
			"":                   r.NearestProperty("accuracy", "p95_latncy_ms", visible) + r.NearestGuarantee("language_detection", visible),
		} {
			if visible.Empty() {
				want = ""
			}
			if got != want {
				t.Errorf("nearest %q, want %q", got, want)
			}
		}
	}
}
