package policy

import (
	"testing"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// What the engines once differed over, as small as it could be made. Found by FuzzEnginesAgree unless it says otherwise.
var differences = []struct{ name, policy, data, contract, request string }{
	{
		name: "a builtin fails over what a contract has text for and this one has not",
		policy: `deny contains msg if {
	startswith(input.request.data.missing, "latency")
	msg := sprintf("%v", [input.request.principal.roles])
}

deny contains "x" if {
	startswith(input.service.name, "all")
	x := input.request.context.attributes.list
	x != 1
}`,
		contract: `{"name": []}`, request: `{}`,
	},
	{
		name: "rules agree on a number that they write differently",
		policy: `deny contains {"message": "x", "facts": {one: "all"}} if input.service.name

one := 1.0

one := input.service.cost.per_request

deny contains {"message": "y", "facts": {two: "all"}} if input.service.name

two := n if some n in [1.0, input.service.cost.per_request]`,
		contract: `{"name": "a", "cost": {"per_request": 1}}`, request: `{}`,
	},
	{
		name: "a variable is the key of a collection and its element",
		policy: `deny contains "x" if {
	some x
	input.request.constraints[x] == x
}

deny contains "y" if {
	some x
	x = input.service.metadata.tags[x]
}`,
		contract: `{"metadata": {"tags": ["a", "b", 3]}}`, request: `{"constraints": {"max_tokens_per_request": 3}}`,
	},
	{
		name: "a builtin fails between the expressions of a part that is left to OPA",
		policy: `deny contains "x" if {
	[x, [y]] := [{"a"}, [""]]
	units.parse("ü") > 0
	some c in input.service.capabilities
	c != x
	y != "b"
}`,
		contract: `{"capabilities": []}`, request: `{}`,
	},
	{
		name: "a negated loop stands behind a loop, beside a part that is left to OPA",
		policy: `deny contains "x" if {
	some a in input.request.capabilities
	a == "a"
	not { some b in input.service.metadata.tags; b == "b" }
	[_, c] = split(input.request.match, "-")
	c == "z"
}`,
		contract: `{"metadata": {"tags": ["b"]}}`, request: `{"capabilities": ["a"], "match": "y-z"}`,
	},
	{
		name: "arrays of the data files have elements by text, and objects by number",
		policy: `deny contains "x" if data.rows[input.service.name]

deny contains "y" if data.prices[input.service.required_trust_level] == 3

deny contains "z" if data.rows["0"]`,
		data:     `{"rows": ["a", "b"], "prices": {"1": 3}}`,
		contract: `{"name": "1", "required_trust_level": 1}`, request: `{}`,
	},
	{
		name: "a document contradicts itself by its loop before a condition that does not hold",
		policy: `deny contains "x" if {
	v == "a"
	lower(input.request.match) == "all"
}

v := tag if some tag in input.service.metadata.tags`,
		contract: `{"metadata": {"tags": ["a", "b"]}}`, request: `{"match": "any"}`,
	},
	{
		name:     "two keys of an object are one number, written differently",
		policy:   `deny contains sprintf("%v", [{input.request.budget.max_cost: 1, input.service.required_trust_level: 1}])`,
		contract: `{"required_trust_level": 1.0}`, request: `{"budget": {"max_cost": 1}}`,
	},
	{
		name: "what is left to OPA reads the service in the else branch of a helper of a helper",
		policy: `deny contains "x" if some a in outer

outer := ["a"] if {
	input.request.match == "any"
} else := ["b"] if {
	some key
	input.request.guarantees[key]
	v := inner
	v != "c"
}

inner := "d" if {
	input.service.metadata.tenant != input.request.principal.subject
} else := "e" if {
	[x, [y]] := [input.request.match, [input.request.intent]]
	x != y
}`,
		contract: `{"metadata": {"tenant": "t"}}`, request: `{"guarantees": {"accuracy": {}}, "match": "all", "principal": {"subject": "u"}}`,
	},
	{
		name: "OPA goes over a set that is written out as it is written: in that order, and twice over elements that turn out to be equal",
		policy: `deny contains sprintf("%v", [[v | some v in {input.service.name, "A"}]])

deny contains sprintf("%v", [[v | some v in {input.service.name, "Z"}]])

deny contains sprintf("%v", [[v | some v in {input.service.name: 1, "Z": 2}]])

deny contains sprintf("%v", [listed({input.service.name, "Z"})])

listed(names) := [v | some v in names]

deny contains sprintf("%v", [[v | some v in [{input.service.name, "Z"}][0]]])

deny contains sprintf("%v", [[v | some v in {"x": {input.service.name, "Z"}}.x]])

deny contains sprintf("%v", [[v | some v in z]]) if z := {input.service.name, "Z"}

deny contains sprintf("%v", [[v | some v in both]])

both := {input.service.name, "Z"}

deny contains sprintf("%v %v", [count(names), count([v | some v in names])]) if names := {input.service.name, input.service.description}

deny contains "two" if sum([n | some n in {1.0, input.service.required_trust_level}]) == 2`,
		contract: `{"name": "A", "description": "A", "required_trust_level": 1}`, request: `{}`,
	},
}

func TestEnginesDifferNoMore(t *testing.T) {
	for _, d := range differences {
		t.Run(d.name, func(t *testing.T) {
			v := &invention{
				modules:  []*invented{{path: "routing/a.rego", pkg: "caio.routing.a", clauses: []*clause{{head: d.policy}}}},
				services: []string{d.contract},
				data:     d.data,
				requests: []*caiov1.Request{request(t, d.request)},
			}
			count := tally{}
			if text := v.differ(t.Context(), &count, nil); text != "" || count.pairs != 1 {
				t.Errorf("%d pairs: %s", count.pairs, text)
			}
		})
	}
}
