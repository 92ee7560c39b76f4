package policy

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestPoliciesDoNotSeeVectors(t *testing.T) {
	facts, err := NewFacts([]byte(`{"service_id":"a","field":{"capability":{"re":[1,2]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if seen := facts.service.String(); strings.Contains(seen, "capability") || !strings.Contains(seen, "service_id") {
		t.Errorf("policies see %s", seen)
	}
	if f := look(ast.MustParseRef("input.service.field.capability")); f.unknown != "field" {
		t.Errorf("a rule may read it: %+v", f)
	}
	request := &caiov1.Request{Field: &caiov1.FieldState{
		Intent: &caiov1.Field{Re: []float64{7}}, TraitDemands: map[string]float64{"calm": .5},
		Control: &caiov1.FieldControl{Modes: []*caiov1.Field{{Re: []float64{7}}}},
	}}
	v, err := valueOf(request, &paths{all: true})
	if err != nil {
		t.Fatal(err)
	}
	if seen := v.String(); strings.Contains(seen, "7") || !strings.Contains(seen, `"calm": 0.5`) {
		t.Errorf("policies see %s", seen)
	}
	if f := look(ast.MustParseRef("input.request.field.intent")); f.unknown != "intent" {
		t.Errorf("a rule may read it: %+v", f)
	}
	if f := look(ast.MustParseRef("input.request.field.cutoff")); f.unknown != "" {
		t.Errorf("a rule may not read it: %+v", f)
	}
}
