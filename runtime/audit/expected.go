package audit

import (
	prove "github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// differences holds a trace's proofs against the rest of it, and against the contract of the service that was chosen where
// registry has it. A trace of neither a decision nor a workflow has none.
func differences(t *caiov1.Trace, registry contracts) []difference {
	r := t.GetRequest()
	if r == nil {
		r = &caiov1.Request{}
	}
	if d := t.GetDecision(); d != nil {
		c := registry[d.GetServiceId()]
		return compare(d.GetProofs(), expected(r, d, c), c == nil)
	}
	if w := t.GetWorkflow(); w.GetComposed() != nil || len(w.GetProofs()) > 0 {
		return compare(w.GetProofs(), expectedOfWhole(r, w), true)
	}
	return nil
}

// expected makes the proofs that d, a decision about r, neither nil, must have, in their order. c is the contract of the
// service that was chosen; nil: it is not known, and what only the contract says is left as one without it would have it,
// for adopt to fill in.
func expected(r *caiov1.Request, d *caiov1.Decision, c *caiov1.Contract) []*caiov1.Proof {
	if d.GetServiceId() == "" {
		return []*caiov1.Proof{prove.NobodyLeft(d.GetCandidates(), d.GetUnlisted())}
	}
	id, in := d.GetServiceId(), d.GetInputs()
	if c == nil {
		c = &caiov1.Contract{ServiceId: id, Guarantees: d.GetGuarantees()}
	}
	out := []*caiov1.Proof{
		prove.Match(c, r),
		prove.NoRefusal(id, in.GetPolicies(), in.GetRequest(), candidateOf(d, id).GetContractDigest(), 0),
	}
	out = append(out, prove.Security(c, r.GetPrincipal(), r.GetData())...)
	if r.GetField() != nil || d.GetField() != nil {
		out = append(out, prove.Constrained(id, nil))
	}
	out = append(out, prove.Affordable(id, prove.Price{}, r.GetBudget()), prove.Fast(c, r.MaxLatencyMs))
	if ranked := rankedOf(d); len(ranked) > 0 {
		out = append(out, prove.Optimum(ranked, d.GetSeed()))
	}
	if d.GetObjective() == prove.ByField.String() {
		out = append(out, prove.Stable(id, drive(r, d)))
	}
	return append(out, prove.Composed(c, d.GetGuarantees()))
}

// candidateOf returns the candidate of that id, nil if there is none.
func candidateOf(d *caiov1.Decision, id string) *caiov1.Candidate {
	for _, c := range d.GetCandidates() {
		if c.GetServiceId() == id {
			return c
		}
	}
	return nil
}

// rankedOf returns the candidates in the order of d's ranking, with the scores and terms that they show. What is no
// candidate, and terms that are not those of the objective, are left at zero.
func rankedOf(d *caiov1.Decision) []prove.Scored {
	form, _ := prove.FormOf(d.GetObjective())
	candidates := make(map[string]*caiov1.Candidate, len(d.GetCandidates()))
	for _, c := range d.GetCandidates() {
		candidates[c.GetServiceId()] = c
	}
	out := make([]prove.Scored, len(d.GetRanking()))
	for i, id := range d.GetRanking() {
		terms, _ := form.Terms(candidates[id].GetTerms())
		out[i] = prove.Scored{Service: id, Score: candidates[id].GetScore(), Terms: &terms, Form: form}
	}
	if len(out) > 0 && out[0].Service != d.GetServiceId() {
		// The proof must be about the service that is chosen; that it should be the first, agreement tells.
		out = append([]prove.Scored{{Service: d.GetServiceId(), Terms: &prove.Terms{}, Form: form}}, out...)
	}
	return out
}

// drive is the control signal that the decision shows, within the energy that the request allows.
func drive(r *caiov1.Request, d *caiov1.Decision) *prove.Drive {
	read := d.GetField()
	limit := read.GetIntentEnergy()
	if control := r.GetField().GetControl(); control != nil && control.MaxEnergy != nil {
		limit = control.GetMaxEnergy()
	}
	return &prove.Drive{Signal: read.GetControl().GetSignal(), IntentEnergy: read.GetIntentEnergy(), MaxEnergy: limit}
}

// expectedOfWhole makes the proofs that the trace of a workflow must have, whose demands r has.
func expectedOfWhole(r *caiov1.Request, w *caiov1.WorkflowTrace) []*caiov1.Proof {
	sum := w.GetComposed()
	whole := &prove.Whole{Guarantees: sum.GetGuarantees(), Privacy: sum.GetPrivacy()}
	if sum != nil && sum.Cost != nil {
		whole.Price = prove.Price{Known: true, Cost: sum.GetCost(), Currency: sum.GetCurrency()}
	}
	at := make(map[string]int, len(w.GetSteps()))
	parts := make([]prove.Part, len(w.GetSteps()))
	for i, s := range w.GetSteps() {
		at[s.GetId()] = i
		parts[i] = prove.Part{Step: s.GetId(), Service: s.GetServiceId()}
		for _, need := range s.GetNeeds() {
			parts[i].Needs = append(parts[i].Needs, at[need])
		}
	}
	promised := &caiov1.Contract{ServiceId: w.GetName(), Guarantees: sum.GetGuarantees()}
	demands := &caiov1.Request{Guarantees: r.GetGuarantees(), Constraints: &caiov1.Demands{}}
	return []*caiov1.Proof{
		prove.Joined(w.GetName(), parts, whole),
		prove.Match(promised, demands),
		prove.Affordable(w.GetName(), whole.Price, r.GetBudget()),
		prove.Fast(promised, r.MaxLatencyMs),
	}
}
