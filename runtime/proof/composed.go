package proof

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Composed proves that the guarantees given for a service are those of its contract: with one part composition is the
// identity.
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

// Joined proves that whole is what parts promise together, for the workflow of that name. Its evidence:
//
//	parts     [{step, service_id, needs: [index], guarantees, price, privacy}], in the order in which Compose adds
//	composed  {guarantees, price, privacy}
//
// where guarantees is {type: {property, type, value, boolean, seed_required}}, price {cost, currency, input_tokens,
// output_tokens} with a cost of null where it is not known, privacy {locality, encryption}.
func Joined(workflow string, parts []Part, whole *Whole) *caiov1.Proof {
	values := make([]*structpb.Value, len(parts))
	for i, p := range parts {
		needs := make([]*structpb.Value, len(p.Needs))
		for j, need := range p.Needs {
			needs[j] = number(float64(need))
		}
		promised := promisesOf(p.Guarantees, p.Price, p.Privacy)
		promised["step"], promised["service_id"], promised["needs"] = text(p.Step), text(p.Service), list(needs)
		values[i] = object(promised)
	}
	return prove(Workflow, workflow, fields{
		"parts":    list(values),
		"composed": object(promisesOf(whole.Guarantees, whole.Price, whole.Privacy)),
	})
}

func promisesOf(g map[string]*caiov1.Guarantee, price Price, privacy *caiov1.Privacy) fields {
	given := guarantees(g)
	for name, v := range given.GetStructValue().GetFields() {
		v.GetStructValue().Fields["seed_required"] = boolean(g[name].GetSeedRequired())
	}
	cost := optionalNumber(nil)
	if price.Known {
		cost = number(price.Cost)
	}
	return fields{
		"guarantees": given,
		"price": object(fields{"cost": cost, "currency": text(price.Currency),
			"input_tokens": number(price.InputTokens), "output_tokens": number(price.OutputTokens)}),
		"privacy": object(fields{"locality": text(privacy.GetDataLocality()), "encryption": boolean(privacy.GetEncryption())}),
	}
}

// joined composes the parts of the evidence anew.
func joined(e evidence) (bool, error) {
	values, err := e.list("parts")
	if err != nil {
		return false, err
	}
	given, err := e.value("composed")
	if err != nil {
		return false, err
	}
	parts := make([]Part, len(values))
	for i, v := range values {
		if parts[i], err = readPart(v); err != nil {
			return false, fmt.Errorf("part %d: %w", i, err)
		}
	}
	whole, err := Compose(parts)
	if err != nil {
		return false, err
	}
	return proto.Equal(given, object(promisesOf(whole.Guarantees, whole.Price, whole.Privacy))), nil
}

func readPart(v *structpb.Value) (p Part, err error) {
	e, err := asObject("parts", v)
	if err != nil {
		return p, err
	}
	if p.Step, err = e.string("step"); err != nil {
		return p, err
	}
	if p.Service, err = e.string(subjectKey); err != nil {
		return p, err
	}
	if p.Needs, err = readNeeds(e); err != nil {
		return p, err
	}
	if p.Guarantees, err = readGuarantees(e); err != nil {
		return p, err
	}
	if p.Price, err = readPrice(e); err != nil {
		return p, err
	}
	p.Privacy, err = readPrivacy(e)
	return p, err
}

func readNeeds(e evidence) ([]int, error) {
	values, err := e.list("needs")
	if err != nil {
		return nil, err
	}
	needs := make([]int, len(values))
	for i, v := range values {
		n, ok := v.GetKind().(*structpb.Value_NumberValue)
		// Compose holds it against the parts there are; here it only has to be a number that an int can be.
		if !ok || !(n.NumberValue >= 0 && n.NumberValue < 1<<31) || n.NumberValue != float64(int(n.NumberValue)) {
			return nil, fmt.Errorf("evidence %q holds something that is not an index", "needs")
		}
		needs[i] = int(n.NumberValue)
	}
	return needs, nil
}

func readGuarantees(e evidence) (map[string]*caiov1.Guarantee, error) {
	given, err := e.object("guarantees")
	if err != nil {
		return nil, err
	}
	out := make(map[string]*caiov1.Guarantee, len(given))
	for name := range given {
		g, err := given.object(name)
		if err != nil {
			return nil, err
		}
		if out[name], err = readGuarantee(g); err != nil {
			return nil, fmt.Errorf("guarantee %q: %w", name, err)
		}
	}
	return out, nil
}

func readGuarantee(e evidence) (*caiov1.Guarantee, error) {
	property, err := e.string("property")
	if err != nil {
		return nil, err
	}
	seed, err := e.bool("seed_required")
	if err != nil {
		return nil, err
	}
	kind, err := e.string("type")
	if err != nil {
		return nil, err
	}
	truth, err := e.bool("boolean")
	if err != nil {
		return nil, err
	}
	n, stated, err := e.optional("value")
	if err != nil {
		return nil, err
	}
	b := &caiov1.Bound{Type: kind}
	if number := boundNumber(b); number == nil {
		b.Boolean = &truth
	} else if stated {
		*number = &n
	}
	return &caiov1.Guarantee{Property: property, Bound: b, SeedRequired: seed}, nil
}

// boundNumber returns the field that the number of b's type stands in; nil for a boolean and for a type there is not.
func boundNumber(b *caiov1.Bound) **float64 {
	switch b.Type {
	case "min":
		return &b.Min
	case "max":
		return &b.Max
	case "equality":
		return &b.Deviation
	case "relative_max":
		return &b.Ratio
	case "min_multiple":
		return &b.Multiple
	}
	return nil
}

func readPrice(e evidence) (p Price, err error) {
	given, err := e.object("price")
	if err != nil {
		return p, err
	}
	if p.Cost, p.Known, err = given.optional("cost"); err != nil {
		return p, err
	}
	if p.Currency, err = given.string("currency"); err != nil {
		return p, err
	}
	if p.InputTokens, err = given.number("input_tokens"); err != nil {
		return p, err
	}
	p.OutputTokens, err = given.number("output_tokens")
	return p, err
}

func readPrivacy(e evidence) (*caiov1.Privacy, error) {
	given, err := e.object("privacy")
	if err != nil {
		return nil, err
	}
	locality, err := given.string("locality")
	if err != nil {
		return nil, err
	}
	encryption, err := given.bool("encryption")
	return &caiov1.Privacy{DataLocality: locality, Encryption: encryption}, err
}
