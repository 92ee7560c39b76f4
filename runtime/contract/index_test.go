package contract

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// vocabulary is what drawn services and requests are made of: little of everything, so that they meet.
type vocabulary struct {
	*rand.Rand
	numbers []float64
}

func newVocabulary(seed uint64) vocabulary {
	return vocabulary{rand.New(rand.NewPCG(seed, seed)), []float64{
		-1, math.Copysign(0, -1), 0, math.SmallestNonzeroFloat64, 0.1, 0.1 + 0.2, 0.3, 0.5, math.Nextafter(0.5, 1), 1, 8, 60, 100, math.MaxFloat64,
	}}
}

func (v vocabulary) number() *float64 {
	if v.IntN(4) == 0 {
		return proto.Float64(v.Float64() * 100)
	}
	return proto.Float64(v.numbers[v.IntN(len(v.numbers))])
}

func (v vocabulary) maybe() *float64 {
	if v.IntN(4) > 0 {
		return nil
	}
	return v.number()
}

func (v vocabulary) whole() *int32 {
	if v.IntN(2) == 0 {
		return nil
	}
	return proto.Int32([]int32{-1, 0, 1, 8, 100, math.MaxInt32}[v.IntN(6)])
}

func (v vocabulary) word(words ...string) string { return words[v.IntN(len(words))] }

func (v vocabulary) guaranteeType() string { return v.word("accuracy", "latency", "own", "flag") }
func (v vocabulary) property() string      { return v.word("", "p95", "p99", "accuracy", "latency") }

func (v vocabulary) capabilities(most int) (types []string) {
	for _, at := range v.Perm(4)[:v.IntN(most+1)] {
		types = append(types, someCapabilities[at])
	}
	return types
}

// contract draws one, also of the kinds that no schema lets through: the index must not depend on that.
func (v vocabulary) contract(id string) *caiov1.Contract {
	c := &caiov1.Contract{ServiceId: id, Guarantees: map[string]*caiov1.Guarantee{}}
	for _, capability := range v.capabilities(3) {
		c.Capabilities = append(c.Capabilities, &caiov1.Capability{Type: capability})
	}
	for range v.IntN(4) {
		b := &caiov1.Bound{Type: v.word("min", "max", "equality", "relative_max", "min_multiple", "boolean", "", "other")}
		b.Min, b.Max, b.Deviation, b.Ratio, b.Multiple = v.maybe(), v.maybe(), v.maybe(), v.maybe(), v.maybe()
		if v.IntN(3) > 0 {
			b.Boolean = proto.Bool(v.IntN(2) == 0)
		}
		switch b.Type { // mostly as it should be
		case "min":
			b.Min = v.number()
		case "max":
			b.Max = v.number()
		}
		g := &caiov1.Guarantee{Property: v.property(), Bound: b}
		if v.IntN(20) == 0 {
			g.Bound = nil
		}
		c.Guarantees[v.guaranteeType()] = g
	}
	if v.IntN(5) > 0 {
		c.Constraints = &caiov1.Constraints{
			RequiresGpu: v.IntN(3) == 0, RequiresInternet: v.IntN(2) == 0, MaxConcurrentRequests: v.whole(),
			MaxTokensPerRequest: v.whole(), ContextLength: v.whole(),
		}
		if v.IntN(2) == 0 {
			c.Constraints.RateLimit = &caiov1.RateLimit{RequestsPerSecond: v.maybe(), RequestsPerMinute: v.maybe()}
		}
	}
	if v.IntN(4) > 0 {
		c.Metadata = &caiov1.Metadata{Tenant: v.word("", "a", "b")}
	}
	return c
}

func (v vocabulary) request() *caiov1.Request {
	q := &caiov1.Request{Capabilities: v.capabilities(2), Match: v.word("", "all", "any"), Guarantees: map[string]*caiov1.Demand{}}
	for range v.IntN(3) {
		d := &caiov1.Demand{Property: v.property()}
		switch v.IntN(8) {
		case 0:
			d.Min, d.Max, d.Deviation, d.Ratio, d.Multiple = v.maybe(), v.maybe(), v.maybe(), v.maybe(), v.maybe()
		case 1:
			d.Min = v.number()
		case 2:
			d.Max = v.number()
		case 3:
			d.Deviation = v.number()
		case 4:
			d.Ratio = v.number()
		case 5:
			d.Multiple = v.number()
		case 6:
			d.Boolean = proto.Bool(v.IntN(3) > 0)
		}
		if v.IntN(30) == 0 {
			d = nil
		}
		q.Guarantees[v.guaranteeType()] = d
	}
	if v.IntN(3) == 0 {
		q.Constraints = &caiov1.Demands{}
		if v.IntN(2) == 0 {
			q.Constraints.RequiresGpu = proto.Bool(v.IntN(2) == 0)
		}
		if v.IntN(2) == 0 {
			q.Constraints.RequiresInternet = proto.Bool(v.IntN(2) == 0)
		}
		switch v.IntN(5) {
		case 0:
			q.Constraints.MaxConcurrentRequests = v.whole()
		case 1:
			q.Constraints.MaxTokensPerRequest = v.whole()
		case 2:
			q.Constraints.ContextLength = v.whole()
		case 3:
			q.Constraints.RequestsPerSecond = v.number()
		}
	}
	return q
}

// service puts a contract as it stands into a service, NaN and all: what no schema lets through has no normal form.
func (v vocabulary) service(id string) *Service {
	c := v.contract(id)
	if v.IntN(10) == 0 {
		for _, g := range c.Guarantees {
			if g.Bound != nil {
				g.Bound.Min, g.Bound.Max = proto.Float64(math.NaN()), proto.Float64(math.Inf(1))
			}
		}
	}
	return &Service{Contract: &Contract{message: c, digest: id, offered: textList(nil)}}
}

// TestFallsByTheIndexIfAndOnlyIfThereIsAReason holds every match, through many changes of a registry of hundreds of
// services, against judging every service one by one.
func TestFallsByTheIndexIfAndOnlyIfThereIsAReason(t *testing.T) {
	v := newVocabulary(11)
	var services []*Service
	for i := range 900 {
		services = append(services, v.service(fmt.Sprint("s", i)))
	}
	r := NewRegistry(services...)
	var past []*Registry
	passed, fallen := 0, 0
	check := func(r *Registry) {
		p, f := checkMatch(t, v, r)
		passed, fallen = passed+p, fallen+f
	}
	for step := range 1500 {
		// First nearly all go and come again, then about half stay.
		switch id := fmt.Sprint("s", v.IntN(1200)); {
		case step < 400 || v.IntN(2) == 0:
			r = r.Without(id)
		default:
			r = r.With(v.service(id))
		}
		check(r)
		if step%100 == 0 {
			past = append(past, r)
		}
	}
	for _, r := range past {
		for range 20 {
			check(r)
		}
		fresh := NewRegistry(services[:0]...)
		for s := range r.All() {
			fresh = fresh.With(s)
		}
		sets, columns := held(r.index.sets), held(r.index.columns)
		if held(fresh.index.sets) != sets || held(fresh.index.columns) != columns {
			t.Errorf("%d sets, %d columns; of the same services put in anew %d and %d", sets, columns,
				held(fresh.index.sets), held(fresh.index.columns))
		}
	}
	if passed < 50_000 || fallen < 50_000 {
		t.Errorf("%d passed, %d fell: too few to show anything", passed, fallen)
	}
}

// held counts what is in a table.
func held[K comparable, V any](t table[K, V]) (n int) {
	for range t.all() {
		n++
	}
	return n
}

// TestWhatIsNotANumberMeetsNoDemand: no schema lets it through, but were there many, they would sort before all numbers.
func TestWhatIsNotANumberMeetsNoDemand(t *testing.T) {
	r := NewRegistry()
	for i := range 3 * chunkSize {
		c := &caiov1.Contract{
			ServiceId: fmt.Sprint("s", i), Guarantees: map[string]*caiov1.Guarantee{"latency": {Bound: maxBound(math.NaN())}},
			Constraints: &caiov1.Constraints{RateLimit: &caiov1.RateLimit{RequestsPerSecond: proto.Float64(math.NaN())}},
		}
		if i == 0 {
			c.Guarantees["latency"].Bound.Max = proto.Float64(7)
		}
		r = r.With(&Service{Contract: &Contract{message: c}})
	}
	m, err := r.Match(&caiov1.Request{Guarantees: map[string]*caiov1.Demand{"latency": {Max: proto.Float64(8)}}}, nil, false)
	if err != nil || m.Passed.Count() != 1 || !m.Passed.Has(0) {
		t.Errorf("%d passed, %v; want the first alone", m.Passed.Count(), err)
	}
	m, err = r.Match(&caiov1.Request{Constraints: &caiov1.Demands{RequestsPerSecond: proto.Float64(-1)}}, nil, false)
	if err != nil || !m.Passed.Empty() {
		t.Errorf("%d passed, %v; want none", m.Passed.Count(), err)
	}
}

func checkMatch(t *testing.T, v vocabulary, r *Registry) (passed, fallen int) {
	t.Helper()
	request, listAll := v.request(), v.IntN(2) == 0
	visible := []bitset.Set{nil, r.Visible("", true), r.Visible("a", false), r.Visible("", false), r.Visible("nobody", false)}[v.IntN(5)]
	m, err := r.Match(request, visible, listAll)
	if err != nil {
		t.Fatal(err)
	}
	judge, unlisted := newDemands(request), 0
	for slot := range r.Slots() {
		seen := r.Service(slot) != nil && (visible == nil || visible.Has(slot))
		outcome := ""
		if seen {
			c := r.Service(slot).Contract
			if outcome, _ = judge.judge(c); outcome == "capability" && !listAll && len(judge.missing(c)) == len(request.Capabilities) {
				unlisted++
				seen = false
			}
		}
		if m.Passed.Has(slot) != (seen && outcome == "") || m.Fallen.Has(slot) != (seen && outcome != "") {
			t.Fatalf("slot %d: passed %v, fallen %v; considered %v, outcome %q\nrequest %v\nservice %v", slot, m.Passed.Has(slot), m.Fallen.Has(slot),
				seen, outcome, request, r.Service(slot))
		}
	}
	if m.Unlisted != unlisted {
		t.Fatalf("%d unlisted, want %d", m.Unlisted, unlisted)
	}
	return m.Passed.Count(), m.Fallen.Count()
}
