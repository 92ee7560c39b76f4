package proof

import (
	"fmt"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// NoRefusal proves that none of the rules of the policy set named by digest refuses service. Whoever doubts it evaluates
// the set of that digest on the request and contract named by theirs.
func NoRefusal(service, digest, request, contract string, rules int) *caiov1.Proof {
	return prove(Rules, service, fields{
		"policies": text(digest), "request": text(request), "contract": text(contract),
		"rules": number(float64(rules)), "refusals": texts(nil),
	})
}

func refusalsEmpty(e evidence) (bool, error) {
	for _, digest := range []string{"policies", "request", "contract"} {
		if s, err := e.string(digest); err != nil || s == "" {
			return false, fmt.Errorf("evidence %q names no digest", digest)
		}
	}
	refusals, err := e.strings("refusals")
	return len(refusals) == 0, err
}

// NobodyLeft proves that no candidate may serve; outcomes is where each fell, by service. unlisted services offer
// nothing of what is asked.
func NobodyLeft(candidates []*caiov1.Candidate, unlisted int32) *caiov1.Proof {
	outcomes := make(fields, len(candidates))
	for _, c := range candidates {
		outcomes[c.GetServiceId()] = text(c.GetOutcome())
	}
	return prove(Refusal, "", fields{"outcomes": object(outcomes), "unlisted": number(float64(unlisted))})
}

func nobodyLeft(e evidence) (bool, error) {
	if _, err := e.number("unlisted"); err != nil {
		return false, err
	}
	outcomes, err := e.object("outcomes")
	if err != nil {
		return false, err
	}
	left := false
	for service := range outcomes {
		outcome, err := outcomes.string(service)
		if err != nil {
			return false, err
		}
		switch outcome {
		case "capability", "guarantee", "constraint", "rule", "security", "budget", "latency":
		case "selected", "eligible":
			left = true
		default:
			return false, fmt.Errorf("evidence %q: %q is no outcome", "outcomes", outcome)
		}
	}
	return !left, nil
}
