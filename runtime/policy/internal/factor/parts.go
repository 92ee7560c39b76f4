package factor

// Parts is what a rule was taken apart into.
type Parts struct {
	Request int // conditions on the request alone: once a request
	Service int // on the service alone: once a service, when it is registered
	Both    int // on both that compare values which are kept: for each candidate that is left
	Looks   int // on both that do more: for each look of a candidate
	OPA     int // left to OPA: for each look, or each candidate where that is not known
	Blind   int // of those in OPA, the ones whose look is not known
	Guarded bool
	Why     string // why a part, or what the rule says, is left to OPA; empty: none is
}

// Parts tells what rule i was taken apart into.
func (p *Program) Parts(i int) Parts {
	r := p.rules[i]
	out := Parts{}
	for j, a := range r.atoms {
		switch {
		case a.node == nil:
			out.OPA++
			if a.deps == onRequest|onService && a.look < 0 {
				out.Blind++
			}
		case a.deps == onRequest|onService && a.look < 0:
			out.Both++
		case a.deps == onRequest|onService:
			out.Looks++
		case a.deps == onService:
			out.Service++
		default:
			out.Request++
			out.Guarded = out.Guarded || j < r.free
		}
	}
	switch {
	case r.why != nil:
		out.Why = r.why.Error()
	case r.reason == nil:
		out.Why = "what it says can only be told by OPA"
	}
	return out
}
