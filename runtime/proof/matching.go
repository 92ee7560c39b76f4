package proof

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Match proves that contract c meets what request r demands of it (SPEC section 1, step 1). Each demand becomes one
// check with both numbers; a demand about something the contract does not state becomes a check against null, which
// does not hold.
func Match(c *caiov1.Contract, r *caiov1.Request) *caiov1.Proof {
	var checks []*structpb.Value
	add := func(subject, relation string, promised, demanded *structpb.Value) {
		checks = append(checks, object(fields{
			"subject": text(subject), "relation": text(relation), "promised": promised, "demanded": demanded,
		}))
	}
	if len(r.GetCapabilities()) > 0 {
		offered := make([]string, 0, len(c.GetCapabilities()))
		for _, cap := range c.GetCapabilities() {
			offered = append(offered, cap.GetType())
		}
		relation := "contains_all"
		if r.GetMatch() == "any" {
			relation = "contains_any"
		}
		add("capabilities", relation, texts(offered), texts(r.GetCapabilities()))
	}
	for _, name := range sortedKeys(r.GetGuarantees()) {
		guaranteeChecks(name, c.GetGuarantees()[name], r.GetGuarantees()[name], add)
	}
	constraintChecks(c.GetConstraints(), r.GetConstraints(), add)
	return prove(Matching, c.GetServiceId(), fields{"checks": list(checks)})
}

type addCheck func(subject, relation string, promised, demanded *structpb.Value)

func guaranteeChecks(name string, g *caiov1.Guarantee, d *caiov1.Demand, add addCheck) {
	subject := "guarantees." + name
	add(subject, "stated", boolean(g != nil), boolean(true))
	if d.GetProperty() != "" {
		add(subject+".property", "=", text(g.GetProperty()), text(d.GetProperty()))
	}
	b := g.GetBound()
	bound := func(kind, relation string, promised, demanded *float64) {
		if demanded == nil {
			return
		}
		if b == nil {
			promised = nil
		}
		add(subject+"."+kind, relation, optionalNumber(promised), number(*demanded))
	}
	if b == nil {
		b = &caiov1.Bound{}
	}
	bound("min", ">=", b.Min, d.Min)
	bound("max", "<=", b.Max, d.Max)
	bound("deviation", "<=", b.Deviation, d.Deviation)
	bound("ratio", "<=", b.Ratio, d.Ratio)
	bound("multiple", ">=", b.Multiple, d.Multiple)
	if d.Boolean != nil {
		// What is promised implies what is demanded: a demand of false demands nothing.
		add(subject+".boolean", "demanded_implies_promised", boolean(b.GetBoolean()), boolean(d.GetBoolean()))
	}
}

func constraintChecks(c *caiov1.Constraints, d *caiov1.Demands, add addCheck) {
	needs := func(name string, required bool, provided *bool) {
		if provided != nil {
			add("constraints."+name, "promised_implies_demanded", boolean(required), boolean(*provided))
		}
	}
	needs("requires_gpu", c.GetRequiresGpu(), d.RequiresGpu)
	needs("requires_internet", c.GetRequiresInternet(), d.RequiresInternet)
	limit := func(name string, stated, needed *int32) {
		if needed != nil {
			add("constraints."+name, ">=", optionalNumber(widen(stated)), number(float64(*needed)))
		}
	}
	if c == nil {
		c = &caiov1.Constraints{}
	}
	limit("max_concurrent_requests", c.MaxConcurrentRequests, d.MaxConcurrentRequests)
	limit("max_tokens_per_request", c.MaxTokensPerRequest, d.MaxTokensPerRequest)
	limit("context_length", c.ContextLength, d.ContextLength)
	if d.RequestsPerSecond != nil {
		add("constraints.requests_per_second", ">=", optionalNumber(requestRate(c.GetRateLimit())), number(d.GetRequestsPerSecond()))
	}
}

// requestRate returns the stated limit in requests a second, nil if none is stated. Both stated: the tighter one.
func requestRate(r *caiov1.RateLimit) *float64 {
	var rate *float64
	if r != nil {
		rate = r.RequestsPerSecond
		if r.RequestsPerMinute != nil {
			perSecond := r.GetRequestsPerMinute() / 60
			if rate == nil || perSecond < *rate {
				rate = &perSecond
			}
		}
	}
	return rate
}

func widen(n *int32) *float64 {
	if n == nil {
		return nil
	}
	f := float64(*n)
	return &f
}

func checksHold(e evidence) (bool, error) {
	checks, err := e.list("checks")
	if err != nil {
		return false, err
	}
	all := true
	for i, v := range checks {
		check, err := asObject("checks", v)
		if err != nil {
			return false, err
		}
		ok, err := checkHolds(check)
		if err != nil {
			return false, fmt.Errorf("check %d: %w", i, err)
		}
		all = all && ok
	}
	return all, nil
}

func checkHolds(check evidence) (bool, error) {
	relation, err := check.string("relation")
	if err != nil {
		return false, err
	}
	switch relation {
	case ">=", "<=":
		promised, stated, err := check.optional("promised")
		if err != nil {
			return false, err
		}
		demanded, err := check.number("demanded")
		if err != nil || !stated {
			return false, err
		}
		if relation == ">=" {
			return promised >= demanded, nil
		}
		return promised <= demanded, nil
	case "=":
		promised, err := check.string("promised")
		if err != nil {
			return false, err
		}
		demanded, err := check.string("demanded")
		return promised == demanded, err
	case "contains_all", "contains_any":
		return containment(check, relation == "contains_all")
	case "stated", "demanded_implies_promised", "promised_implies_demanded":
		promised, err := check.bool("promised")
		if err != nil {
			return false, err
		}
		demanded, err := check.bool("demanded")
		if relation == "promised_implies_demanded" {
			return !promised || demanded, err
		}
		return promised || !demanded, err
	}
	return false, fmt.Errorf("unknown relation %q", relation)
}

func containment(check evidence, all bool) (bool, error) {
	promised, err := check.strings("promised")
	if err != nil {
		return false, err
	}
	demanded, err := check.strings("demanded")
	if err != nil {
		return false, err
	}
	missing := 0
	for _, d := range demanded {
		if !slices.Contains(promised, d) {
			missing++
		}
	}
	if all {
		return missing == 0, nil
	}
	return missing < len(demanded), nil
}
