package audit

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A difference is a place at which the proofs say something else than the trace they stand in.
type difference struct {
	property string
	key      string // of the evidence; empty: the proof as a whole is missing or too much
	text     string
}

func (d difference) String() string { return d.text }

func missing(property string) difference {
	return difference{property, "", fmt.Sprintf("the proof of %s is missing, or out of its order", property)}
}

func surplus(property string) difference {
	return difference{property, "", fmt.Sprintf("there is a proof of %.40q too much, which a decision of this kind does not have", property)}
}

// compare holds the proofs that are there against those that should be, each property once and in this order. blind: those
// that should be were made without the contract.
func compare(there, should []*caiov1.Proof, blind bool) []difference {
	var out []difference
	at := 0 // of there; what lies before was looked at
	for _, s := range should {
		i := slices.IndexFunc(there[at:], func(p *caiov1.Proof) bool { return p.GetProperty() == s.GetProperty() })
		if i < 0 {
			out = append(out, missing(s.GetProperty()))
			continue
		}
		for _, p := range there[at : at+i] {
			out = append(out, surplus(p.GetProperty()))
		}
		p := there[at+i]
		at += i + 1
		adopt(s, p, blind)
		out = append(out, differing(p, s)...)
	}
	for _, p := range there[at:] {
		out = append(out, surplus(p.GetProperty()))
	}
	return out
}

// only lists by property the evidence that no other part of a bundle says without the policies' language or the engine's
// arithmetic; ofContract, that which the contract of the service says and nothing else does.
func only(property string) []string {
	switch property {
	case proof.Rules:
		return []string{"rules"}
	case proof.Budget:
		return []string{"cost", "currency", "input_tokens", "output_tokens"}
	case proof.TraitConstraints:
		return []string{"limits"}
	case proof.Stability:
		return []string{"gram"}
	}
	return nil
}

func ofContract(property string) []string {
	switch property {
	case proof.Authorization:
		return []string{"required"}
	case proof.Privacy:
		return []string{"locality", "encryption"}
	case proof.AccessControl:
		return []string{"required_trust_level"}
	case proof.AccessBoundary:
		return []string{"service_tenant"}
	}
	return nil
}

// adopt gives should what could not be known when it was made, from the evidence of p.
func adopt(should, p *caiov1.Proof, blind bool) {
	from, to := p.GetEvidence().GetFields(), should.GetEvidence().GetFields()
	take(from, to, only(should.GetProperty())...)
	if !blind {
		return
	}
	take(from, to, ofContract(should.GetProperty())...)
	switch should.GetProperty() {
	case proof.Matching:
		each(from["checks"], to["checks"], func(p, should fields) {
			subject := should["subject"].GetStringValue()
			if subject == "capabilities" || strings.HasPrefix(subject, "constraints.") {
				take(p, should, "promised")
			}
		})
	case proof.Workflow:
		each(from["parts"], to["parts"], func(p, should fields) { take(p, should, "guarantees", "price", "privacy") })
		take(within(from, "composed", "price"), within(to, "composed", "price"), "input_tokens", "output_tokens")
	}
}

type fields = map[string]*structpb.Value

func take(from, to fields, keys ...string) {
	for _, key := range keys {
		if to[key] != nil && from[key] != nil {
			to[key] = from[key]
		}
	}
}

// each calls do for the objects that stand at the same place of two lists.
func each(from, to *structpb.Value, do func(from, to fields)) {
	a, b := from.GetListValue().GetValues(), to.GetListValue().GetValues()
	for i := range min(len(a), len(b)) {
		if b[i].GetStructValue() != nil {
			do(a[i].GetStructValue().GetFields(), b[i].GetStructValue().GetFields())
		}
	}
}

func within(f fields, keys ...string) fields {
	for _, key := range keys {
		f = f[key].GetStructValue().GetFields()
	}
	return f
}

// differing returns the first difference in each entry of two proofs' evidence.
func differing(p, should *caiov1.Proof) []difference {
	var out []difference
	from, to := p.GetEvidence().GetFields(), should.GetEvidence().GetFields()
	for _, key := range keysOf(from, to) {
		if path, a, b := first(fmt.Sprintf("%.64q", key), from[key], to[key]); path != "" {
			out = append(out, difference{should.GetProperty(), key,
				fmt.Sprintf("the proof of %s says %s of %s, the trace %s", should.GetProperty(), said(a), path, said(b))})
		}
	}
	return out
}

// keysOf returns the keys of both, sorted.
func keysOf(a, b fields) []string {
	var keys []string
	for key := range a {
		keys = append(keys, key)
	}
	for key := range b {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// first returns the place of the first difference below path, and the values there; "": there is none.
func first(path string, a, b *structpb.Value) (string, *structpb.Value, *structpb.Value) {
	if proto.Equal(a, b) {
		return "", nil, nil
	}
	if as, bs := a.GetListValue().GetValues(), b.GetListValue().GetValues(); a.GetListValue() != nil && len(as) == len(bs) {
		for i := range as {
			if at, a, b := first(fmt.Sprintf("%s[%d]", path, i), as[i], bs[i]); at != "" {
				return at, a, b
			}
		}
	}
	if as, bs := a.GetStructValue().GetFields(), b.GetStructValue().GetFields(); a.GetStructValue() != nil && b.GetStructValue() != nil {
		for _, key := range keysOf(as, bs) {
			if at, a, b := first(fmt.Sprintf("%s.%.64q", path, key), as[key], bs[key]); at != "" {
				return at, a, b
			}
		}
	}
	return path, a, b
}

// said is a value for people.
func said(v *structpb.Value) string {
	switch k := v.GetKind().(type) {
	case nil:
		return "nothing"
	case *structpb.Value_StringValue:
		return fmt.Sprintf("%.80q", k.StringValue)
	case *structpb.Value_ListValue:
		return fmt.Sprintf("a list of %d", len(k.ListValue.GetValues()))
	case *structpb.Value_StructValue:
		return fmt.Sprintf("an object of %d", len(k.StructValue.GetFields()))
	case *structpb.Value_NumberValue:
		return fmt.Sprint(k.NumberValue)
	case *structpb.Value_BoolValue:
		return fmt.Sprint(k.BoolValue)
	}
	return "null"
}
