package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A whole is what chosen services promise together, and whether that is what the workflow demands.
type whole struct {
	*proof.Whole
	proofs []*caiov1.Proof // that it is what the parts promise, then each demand
	holds  bool            // every proof is valid
}

// compose joins parts, one for each node in their order, and holds them against the demands of the workflow. What decides
// are the proofs themselves, so nothing can run that they do not show.
func (g *graph) compose(parts []proof.Part) (*whole, error) {
	sum, err := proof.Compose(parts)
	if err != nil {
		return nil, fail("INTERNAL", "workflow", "compose the steps", err)
	}
	w := g.workflow
	promised := &caiov1.Contract{ServiceId: w.Name, Guarantees: sum.Guarantees}
	out := &whole{Whole: sum, proofs: []*caiov1.Proof{
		proof.Joined(w.Name, parts, sum),
		proof.Match(promised, &caiov1.Request{Guarantees: w.Guarantees, Constraints: &caiov1.Demands{}}),
		proof.Affordable(w.Name, sum.Price, w.Budget),
		proof.Fast(promised, w.MaxLatencyMs),
	}}
	out.holds = !slices.ContainsFunc(out.proofs, func(p *caiov1.Proof) bool { return !p.GetValid() })
	return out, nil
}

// message returns w for an answer or a trace.
func (w *whole) message() *caiov1.Composed {
	out := &caiov1.Composed{Guarantees: w.Guarantees, Privacy: w.Privacy}
	if w.Price.Known {
		out.Cost, out.Currency = proto.Float64(w.Price.Cost), w.Price.Currency
	}
	return out
}

// A lack is a demand on the whole that is not met.
type lack struct {
	aim    aim
	kind   bool   // what is promised is about another property; of its bounds nothing is said
	demand string // such as "availability >= 0.99"
	code   string
	hint   string
	gap    float64 // how far from it, as a share of what is demanded; 1 where nothing is promised
	said   string  // what is promised instead
}

// lacks returns the demands that sum does not meet: guarantees by name, budget, latency. It says how far away sum is,
// which proofs do not; that there is none is for the proofs to say.
func (g *graph) lacks(sum *proof.Whole) []lack {
	var out []lack
	for _, name := range slices.Sorted(maps.Keys(g.workflow.Guarantees)) {
		out = append(out, lacksOf(name, sum.Guarantees[name], g.workflow.Guarantees[name])...)
	}
	const budgetHint = "raise the workflow's budget.max_cost, or register cheaper services"
	if b := g.workflow.Budget; !sum.Price.WithinBudget(b) {
		l := lack{aim: aimBudget, demand: fmt.Sprintf("a cost of at most %s %s", decimal(b.MaxCost), b.Currency), code: "BUDGET_EXCEEDED", hint: budgetHint, gap: 1}
		switch {
		case !sum.Price.Known:
			l.said = "its price is not known: " + sum.Price.Unknown
		case sum.Price.Currency != b.Currency:
			l.said = "its price is in " + sum.Price.Currency
		default:
			l.gap = gap(sum.Price.Cost, b.MaxCost)
			l.said = fmt.Sprintf("it costs %s, %s too much", about(sum.Price.Cost), about(sum.Price.Cost-b.MaxCost))
		}
		out = append(out, l)
	}
	if limit := g.workflow.MaxLatencyMs; limit != nil {
		promised := sum.Guarantees["latency"].GetBound()
		l := lack{aim: aimLatency, demand: fmt.Sprintf("at most %s ms", decimal(*limit)), code: "LATENCY_EXCEEDED", gap: 1, said: "it promises no latency",
			hint: "raise the workflow's max_latency_ms, or register faster services"}
		switch {
		case promised == nil || promised.Max == nil:
			out = append(out, l)
		case *promised.Max > *limit:
			l.gap = gap(*promised.Max, *limit)
			l.said = fmt.Sprintf("it promises %s ms, %s too much", decimal(*promised.Max), about(*promised.Max-*limit))
			out = append(out, l)
		}
	}
	return out
}

// lacksOf holds one promise, which may be nil, against d as matching does.
func lacksOf(name string, g *caiov1.Guarantee, d *caiov1.Demand) (out []lack) {
	miss := func(relation string, share float64, said string) {
		out = append(out, lack{aim: aim(aimPrefix + name), demand: strings.TrimSpace(name + " " + relation), code: "NO_MATCHING_SERVICE",
			gap: share, said: said, hint: "demand less of the workflow, or register services that promise more"})
	}
	if g == nil {
		miss(demanded(d), 1, "it promises no "+name)
		return out
	}
	if d.GetProperty() != "" && d.GetProperty() != g.GetProperty() {
		said := "it is about " + g.GetProperty()
		if g.GetProperty() == "" {
			said = "its steps promise several kinds of it"
		}
		miss("as "+d.GetProperty(), 1, said)
		out[len(out)-1].kind = true
	}
	b := g.GetBound()
	if b == nil {
		b = &caiov1.Bound{}
	}
	for _, n := range []struct {
		what               string
		least              bool
		promised, demanded *float64
	}{
		{">= ", true, b.Min, d.Min}, {"<= ", false, b.Max, d.Max}, {"deviation <= ", false, b.Deviation, d.Deviation},
		{"ratio <= ", false, b.Ratio, d.Ratio}, {"multiple >= ", true, b.Multiple, d.Multiple},
	} {
		switch {
		case n.demanded == nil:
		case n.promised == nil:
			miss(n.what+decimal(*n.demanded), 1, "it promises no such bound")
		case n.least && *n.promised < *n.demanded:
			miss(n.what+decimal(*n.demanded), gap(*n.promised, *n.demanded),
				fmt.Sprintf("it promises %s, %s too little", decimal(*n.promised), about(*n.demanded-*n.promised)))
		case !n.least && *n.promised > *n.demanded:
			miss(n.what+decimal(*n.demanded), gap(*n.promised, *n.demanded),
				fmt.Sprintf("it promises %s, %s too much", decimal(*n.promised), about(*n.promised-*n.demanded)))
		}
	}
	if d.GetBoolean() && !b.GetBoolean() {
		miss("true", 1, "it does not promise it")
	}
	return out
}

// about is n for people, to six digits: sums and differences of decimals end in digits that mean nothing.
func about(n float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(n, 'g', 6, 64), 64)
	if err != nil {
		return decimal(n)
	}
	return decimal(rounded)
}

// demanded is d's bounds for people.
func demanded(d *caiov1.Demand) string {
	switch {
	case d.Min != nil:
		return ">= " + decimal(*d.Min)
	case d.Max != nil:
		return "<= " + decimal(*d.Max)
	}
	return ""
}

// gap returns how far promised is from demanded as a share of it, greater than 0, at most the largest finite number.
func gap(promised, demanded float64) float64 {
	share := math.Abs(promised-demanded) / max(math.Abs(demanded), math.SmallestNonzeroFloat64)
	return max(math.SmallestNonzeroFloat64, min(share, math.MaxFloat64))
}

// lackText names demands that are not met.
func lackText(lacks []lack) string {
	said := make([]string, len(lacks))
	for i, l := range lacks {
		said[i] = l.demand + ": " + l.said
	}
	return strings.Join(said, "; ")
}
