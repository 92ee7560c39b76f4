package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// proofs recomputes every proof from its evidence, and looks whether they are those of this decision.
func (c *inquiry) proofs() verdict {
	d, w := c.trace.GetDecision(), c.trace.GetWorkflow()
	proofs := d.GetProofs()
	if d == nil {
		proofs = w.GetProofs()
	}
	if d == nil && len(proofs) == 0 && w.GetComposed() == nil {
		return skipped("nothing was decided, so nothing is proven")
	}
	var f faults
	var not []string
	for _, p := range proofs {
		switch err := proof.Verify(p); {
		case err != nil:
			f.add("%v", err)
		case !p.GetValid() && c.must(p.GetProperty()):
			f.add("the proof of %s shows that it does not hold, and nothing may be chosen then", p.GetProperty())
		case !p.GetValid():
			not = append(not, p.GetProperty())
		}
	}
	for _, m := range c.differ {
		if m.property != proof.Rules && !m.personal() || m.key == "" {
			f.add("%s", m)
		}
	}
	if d != nil {
		agree(d, &f)
		c.fell(d, &f)
	}
	said := fmt.Sprintf("%d proofs follow from their evidence, are about this decision, and none is missing", len(proofs))
	if len(not) > 0 {
		said += "; those of " + strings.Join(not, ", ") + " show that the statement does not hold, which the policies let pass"
		if d == nil {
			said = strings.TrimSuffix(said, ", which the policies let pass") + ", so the workflow was refused"
		}
	}
	return f.verdict(said)
}

// must tells whether what a proof is about is the engine's own to hold, whatever the policies say: nothing could be chosen
// without it. A workflow that is refused shows what it lacks.
func (c *inquiry) must(property string) bool {
	switch property {
	case proof.Authentication, proof.Authorization, proof.Privacy, proof.AccessControl, proof.AccessBoundary:
		return false
	}
	return c.trace.GetDecision() != nil || c.trace.GetError() == nil || property == proof.Workflow
}

// agree looks whether d says one thing everywhere: who is chosen, who else could have served, and that the others fell.
func agree(d *caiov1.Decision, f *faults) {
	ranking := d.GetRanking()
	switch {
	case d.GetServiceId() == "" && d.GetError() == nil:
		f.add("the decision names neither a service nor an error")
	case d.GetServiceId() == "" && len(ranking) > 0:
		f.add("the decision chooses nobody, and its ranking begins with %.64q", ranking[0])
	case d.GetServiceId() != "" && d.GetError() != nil:
		f.add("the decision chooses %.64q and says that nobody can serve", d.GetServiceId())
	case d.GetServiceId() != "" && (len(ranking) == 0 || ranking[0] != d.GetServiceId()):
		f.add("the decision chooses %.64q, which is not the first of its ranking", d.GetServiceId())
	}
	if !slices.IsSortedFunc(d.GetCandidates(), func(a, b *caiov1.Candidate) int {
		return strings.Compare(a.GetServiceId(), b.GetServiceId())
	}) {
		f.add("the candidates are not sorted by their service")
	}
	ranked := make(map[string]bool, len(ranking))
	for _, id := range ranking {
		ranked[id] = true
	}
	left := 0
	for i, c := range d.GetCandidates() {
		if i > 0 && d.GetCandidates()[i-1].GetServiceId() == c.GetServiceId() {
			f.add("%.64q is a candidate twice", c.GetServiceId())
		}
		switch c.GetOutcome() {
		case "selected", "eligible":
			left++
			if chosen := c.GetServiceId() == d.GetServiceId(); chosen != (c.GetOutcome() == "selected") {
				f.add("the candidate %.64q is %s, and the decision chooses %.64q", c.GetServiceId(), c.GetOutcome(), d.GetServiceId())
			}
			if !ranked[c.GetServiceId()] {
				f.add("the candidate %.64q could serve and is not in the ranking", c.GetServiceId())
			}
		default:
			if c.Score != nil || len(c.GetTerms()) > 0 {
				f.add("the candidate %.64q fell at %.40q and has a score", c.GetServiceId(), c.GetOutcome())
			}
			if len(c.GetReasons()) == 0 {
				f.add("the candidate %.64q fell at %.40q without a reason", c.GetServiceId(), c.GetOutcome())
			}
		}
	}
	if left != len(ranking) {
		f.add("%d candidates could serve, and the ranking names %d", left, len(ranking))
	}
}

// fell holds where candidates fell against their contracts, where the bundle has them: who does not offer, promise or
// provide what is asked falls there, and nobody else; who promises too late a latency cannot be chosen.
func (c *inquiry) fell(d *caiov1.Decision, f *faults) {
	r := c.trace.GetRequest()
	if c.registry == nil || r == nil {
		return
	}
	for _, candidate := range d.GetCandidates() {
		contract := c.registry[candidate.GetServiceId()]
		if contract == nil {
			continue // inputs tells
		}
		meets, fast := proof.Match(contract, r).GetValid(), proof.Fast(contract, r.MaxLatencyMs).GetValid()
		switch candidate.GetOutcome() {
		case "capability", "guarantee", "constraint":
			if meets {
				f.add("the candidate %.64q fell at %q, and its contract has all that is asked", candidate.GetServiceId(), candidate.GetOutcome())
			}
			continue
		case "latency":
			if fast {
				f.add("the candidate %.64q fell at %q, and its contract promises what is asked", candidate.GetServiceId(), "latency")
			}
		case "selected", "eligible":
			if !fast {
				f.add("the candidate %.64q could serve, and its contract promises no such latency", candidate.GetServiceId())
			}
		}
		if !meets {
			f.add("the candidate %.64q came as far as %.40q, and its contract does not have all that is asked", candidate.GetServiceId(), candidate.GetOutcome())
		}
	}
}

// personal tells whether a difference is about who asks.
func (d difference) personal() bool {
	switch d.property {
	case proof.Authentication:
		return d.key == "subject" || d.key == "authenticated"
	case proof.Authorization:
		return d.key == "granted"
	case proof.AccessControl:
		return d.key == "trust_level"
	case proof.AccessBoundary:
		return d.key == "tenant"
	}
	return false
}
