package proof_test

import (
	"math"
	"math/rand/v2"
	"slices"

	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A world is everything that proofs are made of: few values each, so that equality and near misses are frequent.
type world struct {
	*rand.Rand
	contract *caiov1.Contract
	request  *caiov1.Request
}

func (w world) pick(of ...string) string { return of[w.IntN(len(of))] }
func (w world) often(p float64) bool     { return w.Float64() < p }

func (w world) some(of ...string) []string {
	return slices.DeleteFunc(slices.Clone(of), func(string) bool { return w.often(.5) })
}

// perhaps returns one of the numbers, or none.
func (w world) perhaps(of ...float64) *float64 {
	if i := w.IntN(len(of) + 1); i < len(of) {
		return &of[i]
	}
	return nil
}

func (w world) perhapsWhole() *int32 {
	if n := w.perhaps(0, 1, 100); n != nil {
		return proto.Int32(int32(*n))
	}
	return nil
}

func newWorld(r *rand.Rand) world {
	w := world{Rand: r}
	bound := func() *caiov1.Bound {
		switch n := w.perhaps(.5, .9, 1); w.IntN(6) {
		case 0:
			return &caiov1.Bound{Type: "min", Min: n}
		case 1:
			return &caiov1.Bound{Type: "max", Max: n}
		case 2:
			return &caiov1.Bound{Type: "equality", Deviation: n}
		case 3:
			return &caiov1.Bound{Type: "relative_max", Ratio: n}
		case 4:
			return &caiov1.Bound{Type: "min_multiple", Multiple: n}
		default:
			return &caiov1.Bound{Type: "boolean", Boolean: proto.Bool(w.often(.5))}
		}
	}
	w.contract = &caiov1.Contract{
		ServiceId: w.pick("a", "b-2", "long_name"), Guarantees: map[string]*caiov1.Guarantee{},
		Constraints: &caiov1.Constraints{RequiresGpu: w.often(.5), RequiresInternet: w.often(.5), MaxConcurrentRequests: w.perhapsWhole(),
			MaxTokensPerRequest: w.perhapsWhole(), ContextLength: w.perhapsWhole()},
		Privacy:             &caiov1.Privacy{DataLocality: w.pick("on_device", "local", "region", "cloud", ""), Encryption: w.often(.4)},
		RequiredPermissions: w.some("read", "write"), RequiredTrustLevel: w.Int32N(11), Metadata: &caiov1.Metadata{Tenant: w.pick("", "acme", "umbrella")},
	}
	for _, name := range w.some("chat", "code", "search") {
		w.contract.Capabilities = append(w.contract.Capabilities, &caiov1.Capability{Type: name})
	}
	if w.often(.5) {
		w.contract.Constraints.RateLimit = &caiov1.RateLimit{RequestsPerSecond: w.perhaps(.5, 1), RequestsPerMinute: w.perhaps(30, 60)}
	}
	for _, name := range w.some("accuracy", "latency", "determinism") {
		w.contract.Guarantees[name] = &caiov1.Guarantee{Property: w.pick("p", "q"), Bound: bound()}
	}
	w.request = &caiov1.Request{
		Capabilities: w.some("chat", "code"), Match: w.pick("all", "any"), Guarantees: map[string]*caiov1.Demand{},
		Constraints: &caiov1.Demands{},
		Principal: &caiov1.Principal{Subject: "u", Tenant: w.pick("", "acme", "umbrella"), Authenticated: w.often(.5),
			TrustLevel: w.Int32N(11), Permissions: w.some("read", "write", "admin")},
		Data: &caiov1.Data{ContainsPii: w.often(.3), ContainsPhi: w.often(.2), Classification: w.pick("", "public", "Restricted", "confidential")},
	}
	if d := w.request.Constraints; w.often(.3) {
		d.RequiresGpu, d.RequiresInternet, d.RequestsPerSecond = proto.Bool(w.often(.6)), proto.Bool(w.often(.6)), w.perhaps(.5, 1)
		d.MaxConcurrentRequests, d.MaxTokensPerRequest, d.ContextLength = w.perhapsWhole(), w.perhapsWhole(), w.perhapsWhole()
	}
	for name, g := range w.contract.Guarantees {
		// What is demanded is often what is promised, and now and then something else.
		d := &caiov1.Demand{Min: g.Bound.Min, Max: g.Bound.Max, Deviation: g.Bound.Deviation, Ratio: g.Bound.Ratio, Multiple: g.Bound.Multiple}
		if w.often(.3) {
			d.Property = g.Property
		}
		switch w.IntN(8) {
		case 0:
			d.Min = w.perhaps(.5, .9)
		case 1:
			d.Max = w.perhaps(.5, .9)
		case 2:
			d.Deviation, d.Ratio = w.perhaps(.5), w.perhaps(.9)
		case 3:
			d.Multiple, d.Property = w.perhaps(.9), w.pick("p", "q")
		case 4:
			d.Boolean = proto.Bool(w.often(.5))
		}
		w.request.Guarantees[name] = d
	}
	if w.often(.1) {
		w.request.Guarantees["throughput"] = &caiov1.Demand{Min: w.perhaps(.5)}
	}
	if w.often(.7) {
		w.request.Budget = &caiov1.Budget{MaxCost: *w.perhaps1(0, .5, 1), Currency: w.pick("USD", "USD", "EUR")}
	}
	w.request.MaxLatencyMs = w.perhaps(.5, .9, 1)
	return w
}

func (w world) perhaps1(of ...float64) *float64 { return &of[w.IntN(len(of))] }

// meets reads SPEC section 1, step 1, over messages.
func meets(c *caiov1.Contract, r *caiov1.Request) bool {
	offered := map[string]bool{}
	for _, capability := range c.Capabilities {
		offered[capability.Type] = true
	}
	has := 0
	for _, asked := range r.Capabilities {
		if offered[asked] {
			has++
		}
	}
	holds := has == len(r.Capabilities) || r.Match == "any" && has > 0
	least := func(promised, demanded *float64) {
		holds = holds && (demanded == nil || promised != nil && *promised >= *demanded)
	}
	most := func(promised, demanded *float64) {
		holds = holds && (demanded == nil || promised != nil && *promised <= *demanded)
	}
	for name, d := range r.Guarantees {
		g := c.Guarantees[name]
		if g == nil || d.Property != "" && d.Property != g.Property {
			return false
		}
		least(g.Bound.Min, d.Min)
		most(g.Bound.Max, d.Max)
		most(g.Bound.Deviation, d.Deviation)
		most(g.Bound.Ratio, d.Ratio)
		least(g.Bound.Multiple, d.Multiple)
		holds = holds && (!d.GetBoolean() || g.Bound.GetBoolean())
	}
	without := func(needed bool, there *bool) { holds = holds && (!needed || there == nil || *there) }
	without(c.Constraints.RequiresGpu, r.Constraints.RequiresGpu)
	without(c.Constraints.RequiresInternet, r.Constraints.RequiresInternet)
	whole := func(n *int32) *float64 {
		if n == nil {
			return nil
		}
		return proto.Float64(float64(*n))
	}
	least(whole(c.Constraints.MaxConcurrentRequests), whole(r.Constraints.MaxConcurrentRequests))
	least(whole(c.Constraints.MaxTokensPerRequest), whole(r.Constraints.MaxTokensPerRequest))
	least(whole(c.Constraints.ContextLength), whole(r.Constraints.ContextLength))
	if limit := c.Constraints.RateLimit; limit != nil && limit.RequestsPerSecond != nil && limit.RequestsPerMinute != nil {
		least(proto.Float64(math.Min(*limit.RequestsPerSecond, *limit.RequestsPerMinute/60)), r.Constraints.RequestsPerSecond)
	} else if limit != nil && limit.RequestsPerMinute != nil {
		least(proto.Float64(*limit.RequestsPerMinute/60), r.Constraints.RequestsPerSecond)
	} else {
		least(perSecond(limit), r.Constraints.RequestsPerSecond)
	}
	return holds
}

func perSecond(limit *caiov1.RateLimit) *float64 {
	if limit == nil {
		return nil
	}
	return limit.RequestsPerSecond
}
