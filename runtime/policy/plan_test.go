package policy

import (
	"strings"
	"testing"
)

func TestPlanTellsWhichWayRulesGo(t *testing.T) {
	s := load(t, "routing/a.rego", `package caio.routing.a

deny contains "fast" if {
	input.request.data.contains_phi
	input.service.privacy.data_locality == "cloud"
	input.service.cost.per_request > input.request.budget.max_cost
}

deny contains "slow" if {
	input.request.data.contains_phi
	hidden with input.request as {}
}

hidden if input.service.privacy.encryption
`)
	plan := s.Plan()
	if len(plan) != 2 {
		t.Fatalf("%+v", plan)
	}
	fast, slow := plan[0], plan[1]
	if fast.Engine != Factored || fast.Why != "" || fast.Request < 1 || fast.Service < 1 || fast.Both != 1 || fast.OPA != 0 || !fast.Guarded {
		t.Errorf("%+v", fast)
	}
	if slow.Engine != OPA || !strings.Contains(slow.Why, "with") || slow.OPA != 1 || !slow.Guarded || slow.Cost <= fast.Cost {
		t.Errorf("%+v", slow)
	}
	for _, w := range defaults(t).Plan() {
		if w.Engine != Factored {
			t.Errorf("a default rule is left to OPA: %+v", w)
		}
	}
}
