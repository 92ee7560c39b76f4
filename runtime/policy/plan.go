package policy

import (
	"cmp"
	"slices"
	"time"
)

// A Way is how the factored engine evaluates one body of a deny rule.
type Way struct {
	Rule    Rule          `json:"rule"`
	Engine  Engine        `json:"engine"`        // OPA where OPA evaluates a part of it, Factored else
	Why     string        `json:"why,omitempty"` // why a part is left to OPA
	Request int           `json:"request"`       // conditions that are evaluated once a request
	Service int           `json:"service"`       // once a service, when it is registered
	Both    int           `json:"both"`          // for candidates, one by one or once for all that look alike
	OPA     int           `json:"opa"`           // by OPA, likewise
	Guarded bool          `json:"guarded"`       // a condition on the request alone spares it where that does not hold
	Cost    time.Duration `json:"cost_ns"`       // about what it takes of a request with 1,000 candidates for which its guard holds
}

// Estimates of what conditions take, measured on one core of 2024. They are for telling dear rules from cheap ones.
const (
	costRequest   = 200 * time.Nanosecond
	costService   = 100 * time.Nanosecond // of all candidates together
	costCompare   = 50 * time.Nanosecond
	costLook      = 1500 * time.Nanosecond
	costOPA       = 5 * time.Microsecond
	planned       = 1000                // candidates
	plannedLooks  = 100                 // that differ in what one condition reads
	costCandidate = 5 * time.Nanosecond // of looking up an answer
)

// DearPlan is what all rules of a set should not take together of a request with 1,000 candidates: beyond it, the promise
// of five milliseconds for such a decision does not hold for requests that pass many guards.
const DearPlan = 20 * time.Millisecond

// Plan tells for every body of a deny rule, those of tenants included, sorted by file and line, how the factored engine
// evaluates it and what that costs. Guarantee rules are evaluated by OPA, once for a result, and are not listed.
func (s *Set) Plan() []Way {
	plan := s.plan()
	for _, of := range s.tenants {
		plan = append(plan, slices.DeleteFunc(of.plan(), func(w Way) bool { return w.Rule.Tenant == "" })...)
	}
	slices.SortStableFunc(plan, func(a, b Way) int { return cmp.Or(cmp.Compare(a.Rule.File, b.Rule.File), a.Rule.Line-b.Rule.Line) })
	return plan
}

func (s *Set) plan() []Way {
	f := s.factored()
	var plan []Way
	for i, r := range f.rules {
		p := f.program.Parts(i)
		if n := len(plan); n > 0 && plan[n-1].Rule == r.from.rule {
			continue // the body that watches over the rule's reason
		}
		w := Way{Rule: r.from.rule, Engine: Factored, Why: p.Why, Request: p.Request, Service: p.Service, Both: p.Both + p.Looks,
			OPA: p.OPA, Guarded: p.Guarded}
		if p.Why != "" {
			w.Engine = OPA
		}
		w.Cost = time.Duration(p.Request)*costRequest + time.Duration(p.Service)*costService +
			time.Duration(p.Both)*planned*costCompare +
			time.Duration(p.Looks)*(plannedLooks*costLook+planned*costCandidate) +
			time.Duration(p.OPA-p.Blind)*(plannedLooks*costOPA+planned*costCandidate) + time.Duration(p.Blind)*planned*costOPA
		plan = append(plan, w)
	}
	return plan
}
