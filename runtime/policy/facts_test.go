package policy

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
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
}
