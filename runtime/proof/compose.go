package proof

import (
	"errors"
	"fmt"
	"math"
	"slices"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A Part is one step of a workflow as composition sees it: what the service that is to do it promises.
type Part struct {
	Step       string // its id in the workflow
	Service    string
	Guarantees map[string]*caiov1.Guarantee // by type; only read
	Price      Price
	Privacy    *caiov1.Privacy // locality and encryption count; nil: cloud, not encrypted
	Needs      []int           // which parts must be done before it, by index, each less than its own
}

// A Whole is what parts promise together. Privacy is never nil and states locality and encryption alone.
type Whole struct {
	Guarantees map[string]*caiov1.Guarantee // by type; never nil
	Price      Price
	Privacy    *caiov1.Privacy
}

// Compose returns what parts promise together (SPEC section 1, step 7):
//
//	accuracy      the smallest
//	availability  the product: every part must answer
//	determinism   and; reproducible where one part is only that, seed_required where one part needs a seed
//	latency       the sum along the path through needs on which it is largest; for a chain, the sum of all
//	throughput    the smallest
//	cost          the sum: every part is paid
//	privacy       the farthest locality (on_device, local, region, cloud), encrypted where all parts are
//
// Latency goes along the longest path because parts that do not need one another run at the same time: the whole ends
// when its last part does, and a part begins when the last it needs has ended. A sum over all parts would refuse
// workflows that are fast enough. Percentiles are added like maxima, as the calculus has it. That is exact for
// max_latency_ms; for n parts on the path it keeps, of a percentile p, at least 1 - n(1 - p) in the worst case. Parts
// with different percentiles give the weakest of them, which the others imply.
//
// What one part does not promise, the whole does not promise. Nor does it where properties differ that have nothing in
// common, such as requests and tokens a second; an accuracy of several kinds has no property, so it satisfies only
// demands that name none. Types without a rule here are promised by a single part only. A sum that float64 cannot
// hold is not promised either.
//
// One part is the whole as it stands. The arithmetic goes through parts in their order, so the same parts give the
// same bits everywhere. It fails on no parts at all, and on a need that is not the index of a part before.
func Compose(parts []Part) (*Whole, error) {
	if len(parts) == 0 {
		return nil, errors.New("compose no parts")
	}
	for i, p := range parts {
		for _, need := range p.Needs {
			if need < 0 || need >= i {
				return nil, fmt.Errorf("compose: part %d needs part %d, which does not come before it", i, need)
			}
		}
	}
	whole := &Whole{Guarantees: map[string]*caiov1.Guarantee{}, Price: composePrice(parts), Privacy: composePrivacy(parts)}
	if len(parts) == 1 {
		for name, g := range parts[0].Guarantees {
			whole.Guarantees[name] = g
		}
		return whole, nil
	}
	for _, name := range []string{"accuracy", "availability", "determinism", "latency", "throughput"} {
		if g := composeGuarantee(name, parts); g != nil {
			whole.Guarantees[name] = g
		}
	}
	return whole, nil
}

// composeGuarantee returns what two or more parts promise together for the type name, nil if nothing.
func composeGuarantee(name string, parts []Part) *caiov1.Guarantee {
	promises := make([]*caiov1.Guarantee, len(parts))
	for i, p := range parts {
		if promises[i] = p.Guarantees[name]; promises[i].GetBound() == nil {
			return nil
		}
	}
	switch name {
	case "accuracy":
		return floor(promises, commonProperty(promises), math.Min)
	case "availability", "throughput":
		property := commonProperty(promises)
		if property == "" {
			return nil
		}
		if name == "throughput" {
			return floor(promises, property, math.Min)
		}
		return floor(promises, property, func(a, b float64) float64 { return a * b })
	case "determinism":
		return composeDeterminism(promises)
	default:
		return composeLatency(promises, parts)
	}
}

// floor folds the minima that are promised, in order, into one; nil where a promise is no minimum.
func floor(promises []*caiov1.Guarantee, property string, fold func(a, b float64) float64) *caiov1.Guarantee {
	var floor float64
	for i, g := range promises {
		switch {
		case g.Bound.Min == nil:
			return nil
		case i == 0:
			floor = *g.Bound.Min
		default:
			floor = fold(floor, *g.Bound.Min)
		}
	}
	if math.IsInf(floor, 0) || math.IsNaN(floor) {
		return nil
	}
	return &caiov1.Guarantee{Property: property, Bound: &caiov1.Bound{Type: "min", Min: &floor, Unit: promises[0].Bound.Unit}}
}

// commonProperty returns the property that all promises are about, "" if they differ.
func commonProperty(promises []*caiov1.Guarantee) string {
	property := promises[0].GetProperty()
	for _, g := range promises {
		if g.GetProperty() != property {
			return ""
		}
	}
	return property
}

// weakestProperty returns the first of order, weakest first, that a promise is about; "" where one is about another.
func weakestProperty(promises []*caiov1.Guarantee, order ...string) string {
	weakest := len(order)
	for _, g := range promises {
		i := slices.Index(order, g.GetProperty())
		if i < 0 {
			return ""
		}
		weakest = min(weakest, i)
	}
	return order[weakest]
}

func composeDeterminism(promises []*caiov1.Guarantee) *caiov1.Guarantee {
	all, seed := true, false
	for _, g := range promises {
		if g.Bound.Boolean == nil {
			return nil
		}
		all, seed = all && *g.Bound.Boolean, seed || g.SeedRequired
	}
	property := weakestProperty(promises, "reproducible_output", "deterministic_output")
	if property == "" {
		return nil
	}
	return &caiov1.Guarantee{Property: property, SeedRequired: seed, Bound: &caiov1.Bound{Type: "boolean", Boolean: &all}}
}

func composeLatency(promises []*caiov1.Guarantee, parts []Part) *caiov1.Guarantee {
	property := weakestProperty(promises, "p50_latency_ms", "p95_latency_ms", "p99_latency_ms", "max_latency_ms")
	if property == "" {
		return nil
	}
	ends := make([]float64, len(parts))
	var last float64
	for i, g := range promises {
		if g.Bound.Max == nil {
			return nil
		}
		var begin float64
		for _, need := range parts[i].Needs {
			begin = max(begin, ends[need])
		}
		ends[i] = begin + *g.Bound.Max
		last = max(last, ends[i])
	}
	if math.IsInf(last, 0) || math.IsNaN(last) {
		return nil
	}
	return &caiov1.Guarantee{Property: property, Bound: &caiov1.Bound{Type: "max", Max: &last, Unit: "ms"}}
}

// composePrice adds the prices. Prices in several currencies have no sum.
func composePrice(parts []Part) Price {
	sum := parts[0].Price
	for i, p := range parts {
		if !p.Price.Known {
			return Price{Unknown: fmt.Sprintf("step %s, %s: %s", p.Step, p.Service, p.Price.Unknown)}
		}
		if p.Price.Currency != sum.Currency {
			return Price{Unknown: fmt.Sprintf("step %s asks for %s, step %s for %s", parts[0].Step, sum.Currency, p.Step, p.Price.Currency)}
		}
		if i > 0 {
			sum.Cost += p.Price.Cost
			sum.InputTokens += p.Price.InputTokens
			sum.OutputTokens += p.Price.OutputTokens
		}
	}
	if math.IsInf(sum.Cost+sum.InputTokens+sum.OutputTokens, 0) {
		return Price{Unknown: "the price is beyond every number"}
	}
	return sum
}

// localities lists where data may be processed, from the caller outward.
var localities = [...]string{"on_device", "local", "region", "cloud"}

func composePrivacy(parts []Part) *caiov1.Privacy {
	farthest, encrypted := 0, true
	for _, p := range parts {
		i := slices.Index(localities[:], p.Privacy.GetDataLocality())
		if i < 0 {
			i = len(localities) - 1 // nothing is promised
		}
		farthest, encrypted = max(farthest, i), encrypted && p.Privacy.GetEncryption()
	}
	return &caiov1.Privacy{DataLocality: localities[farthest], Encryption: encrypted}
}
