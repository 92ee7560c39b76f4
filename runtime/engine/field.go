package engine

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/field"
	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A fieldState is what a request brings as fields, measured as far as it is the same for all candidates.
type fieldState struct {
	dimension int
	intent    *field.Direction // nil: no intent is given
	traits    *field.Direction // of the low frequencies; nil: no traits are given
	demands   []traitDemand    // sorted by name; empty: what is stated must not oppose
	matched   bool             // I is measured along each candidate's capability
	i, w      float64          // terms of the objective; i where not matched
	drive     proof.Drive      // where an intent is given
	reading   *caiov1.FieldReading
	held      [][]proof.Limit // by candidate: what its traits were held against; nil before that
}

// A traitDemand is the least correlation with what a service states of a trait.
type traitDemand struct {
	name  string
	least float64
}

// A serviceField is what a service is among fields.
type serviceField struct {
	capability, model *field.Direction // nil: not stated
	traits            []trait
}

type trait struct {
	name      string
	direction field.Direction
}

// newServiceField reads what a contract states; nil: nothing.
func newServiceField(f *caiov1.ServiceField) (*serviceField, error) {
	if f == nil {
		return nil, nil
	}
	out := &serviceField{}
	for _, v := range []struct {
		name string
		from *caiov1.Field
		to   **field.Direction
	}{{"field.capability", f.Capability, &out.capability}, {"field.model", f.Model, &out.model}} {
		if v.from == nil {
			continue
		}
		stated, err := field.New(v.name, v.from.Re, v.from.Im)
		if err != nil {
			return nil, err
		}
		*v.to = direction(stated)
	}
	for _, t := range f.Traits {
		stated, err := field.New("field.traits."+t.Name, t.Re, t.Im)
		if err != nil {
			return nil, err
		}
		out.traits = append(out.traits, trait{t.Name, stated.Direction()})
	}
	return out, nil
}

// comparable tells whether d is stated and of the fields' dimension.
func (s *fieldState) comparable(d *field.Direction) bool {
	return d != nil && d.Dimension() == s.dimension
}

// terms returns the terms of the objective by field, of which by contract cost, risk and latency are the same:
//
//	intent      I: the share of the intent's energy in its high frequencies, or along the service's capability
//	capability  A: correlation of the intent with the service's capability; 0 where that is not stated
//	model       RL: correlation of the intent with the service's model; 0 where that is not stated
//	memory      W: correlation of the intent with the memory, or the quality of its response in dB; 0 without a memory
func (s *fieldState) terms(f *serviceField, contract proof.Terms) proof.Terms {
	out := proof.Terms{s.i, 0, 0, s.w, contract[4], contract[5], contract[6]}
	if s.matched {
		out[0] = 0
	}
	if f == nil {
		return out
	}
	if s.comparable(f.capability) {
		out[1] = f.capability.Correlation(*s.intent)
		if s.matched {
			out[0] = f.capability.MatchedFilter(*s.intent)
		}
	}
	if s.comparable(f.model) {
		out[2] = f.model.Correlation(*s.intent)
	}
	return out
}

// traitLimits returns what f, which may be nil, is held against: the traits that are demanded or, where none is, those that
// it states, which must not oppose.
func (s *fieldState) traitLimits(f *serviceField) []proof.Limit {
	if s.traits == nil {
		return nil
	}
	var out []proof.Limit
	if len(s.demands) == 0 && f != nil {
		for i := range f.traits {
			if t := &f.traits[i]; s.comparable(&t.direction) {
				out = append(out, proof.Limit{Constraint: "traits", Part: t.name, Limit: t.direction.Correlation(*s.traits)})
			}
		}
	}
	for _, d := range s.demands {
		out = append(out, proof.Limit{Constraint: "traits", Part: d.name, Value: d.least, Limit: s.agreement(f, d.name)})
	}
	return out
}

// agreement returns the correlation of the caller's traits with what f states of one, -1 where it states nothing.
func (s *fieldState) agreement(f *serviceField, name string) float64 {
	if f == nil {
		return -1
	}
	i := slices.IndexFunc(f.traits, func(t trait) bool { return t.name == name })
	if i < 0 || !s.comparable(&f.traits[i].direction) {
		return -1
	}
	return f.traits[i].direction.Correlation(*s.traits)
}

// holdTraits takes out those whose traits are not the caller's.
func (c *choice) holdTraits() {
	s := c.fields
	s.held = make([][]proof.Limit, len(c.entries))
	for i := range c.entries {
		e := &c.entries[i]
		if e.outcome != eligible {
			continue
		}
		s.held[i] = s.traitLimits(e.fields)
		var reasons []*caiov1.Reason
		for j := range s.held[i] {
			if l := &s.held[i][j]; !(l.G() <= 0) {
				reasons = append(reasons, opposed(l, e.fields))
			}
		}
		if len(reasons) > 0 {
			e.fall("traits", reasons...)
		}
	}
}

// opposed says that a service does not agree with the caller in one trait.
func opposed(l *proof.Limit, f *serviceField) *caiov1.Reason {
	message := fmt.Sprintf("trait %s agrees with the caller's by %.3g, %.3g is demanded", l.Part, l.Limit, l.Value)
	if f == nil || !slices.ContainsFunc(f.traits, func(t trait) bool { return t.name == l.Part }) {
		message = fmt.Sprintf("the contract states no trait %s", l.Part)
	}
	return &caiov1.Reason{Rule: "request.field.traits", Message: message, Facts: &structpb.Struct{Fields: map[string]*structpb.Value{
		"trait": structpb.NewStringValue(l.Part), "agreement": structpb.NewNumberValue(l.Limit), "demanded": structpb.NewNumberValue(l.Value),
	}}}
}

// limits returns what the i-th candidate was held against after the rules: its traits, the budget and the latency cap,
// and that no rule refuses it.
func (c *choice) limits(i int) []proof.Limit {
	e := &c.entries[i]
	out := append([]proof.Limit{{Constraint: "safety"}, {Constraint: "policy"}}, c.fields.held[i]...)
	if e.outcome == "traits" {
		return out
	}
	if b := c.req.Budget; b != nil && e.price.Known && e.price.Currency == b.Currency {
		out = append(out, proof.Limit{Constraint: "budget", Value: e.price.Cost, Limit: b.MaxCost})
	}
	if limit := c.req.MaxLatencyMs; limit != nil && e.promises() {
		out = append(out, proof.Limit{Constraint: "latency", Value: e.promised, Limit: *limit})
	}
	return out
}

// constraints returns the G-values of the i-th candidate, sorted by name; nil for those that offer, promise or provide too
// little to be held against any.
func (c *choice) constraints(i int) []field.Constraint {
	e := &c.entries[i]
	switch e.outcome {
	case "capability", "guarantee", "constraint":
		return nil
	case "rule", "security":
		var safety, policy float64
		for _, r := range e.reasons {
			if strings.HasSuffix(r.Package, ".safety") {
				safety++
			} else {
				policy++
			}
		}
		return []field.Constraint{field.Policy(policy), field.Safety(safety)}
	}
	var out []field.Constraint
	var gaps []float64
	limits := c.limits(i)
	for j := range limits {
		switch l := &limits[j]; l.Constraint {
		case "budget":
			out = append(out, field.Budget(l.Value, l.Limit))
		case "latency":
			out = append(out, field.Latency(l.Value, l.Limit))
		case "traits":
			gaps = append(gaps, field.Gap(l.Value, l.Limit))
		}
	}
	out = append(out, field.Policy(), field.Safety())
	if c.fields.traits != nil {
		out = append(out, field.Traits(gaps...))
	}
	return out
}

// writeConstraints writes the G-values of the i-th candidate, field field_constraints.
func (c *choice) writeConstraints(i int) {
	values := c.constraints(i)
	for j := len(values) - 1; j >= 0; j-- {
		mark := c.Len()
		c.PresentDouble(2, values[j].Value)
		c.PresentString(1, values[j].Name)
		c.Message(8, mark)
	}
}

// writeReading writes what was read off the fields, field field.
func (c *choice) writeReading() error {
	raw, err := deterministic.Marshal(c.fields.reading)
	if err != nil {
		return fail("INTERNAL", "decide", "say what was read off the fields", err)
	}
	mark := c.Len()
	c.Raw(raw)
	c.Message(12, mark)
	return nil
}
