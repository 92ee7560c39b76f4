package proof

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

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

// Composed proves that the guarantees given for a service are those of its contract. With one part composition is the
// identity; a chain of services composes by SPEC section 1, step 7.
func Composed(c *caiov1.Contract, given map[string]*caiov1.Guarantee) *caiov1.Proof {
	return prove(Composition, c.GetServiceId(), fields{
		"parts":    list([]*structpb.Value{guarantees(c.GetGuarantees())}),
		"composed": guarantees(given),
	})
}

func guarantees(in map[string]*caiov1.Guarantee) *structpb.Value {
	out := make(fields, len(in))
	for name, g := range in {
		b := g.GetBound()
		if b == nil {
			b = &caiov1.Bound{}
		}
		out[name] = object(fields{
			"property": text(g.GetProperty()), "type": text(b.GetType()), "value": optionalNumber(boundValue(b)),
			"boolean": boolean(b.GetBoolean()),
		})
	}
	return object(out)
}

// boundValue returns the number that b's type is about, nil for a boolean.
func boundValue(b *caiov1.Bound) *float64 {
	for _, n := range []*float64{b.Min, b.Max, b.Deviation, b.Ratio, b.Multiple} {
		if n != nil {
			return n
		}
	}
	return nil
}

func composed(e evidence) (bool, error) {
	parts, err := e.list("parts")
	if err != nil {
		return false, err
	}
	if len(parts) != 1 {
		return false, fmt.Errorf("evidence has %d parts, want 1", len(parts))
	}
	part, err := asObject("parts", parts[0])
	if err != nil {
		return false, err
	}
	whole, err := e.object("composed")
	if err != nil {
		return false, err
	}
	if len(part) != len(whole) {
		return false, nil
	}
	for name := range part {
		if whole[name] == nil || !proto.Equal(part[name], whole[name]) {
			return false, nil
		}
	}
	return true, nil
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
