package policy

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// What lets a candidate through in OPA as it comes, and must refuse here. Each contract lacks what the rule reads.
var doubts = []struct {
	name, imports, body, contract string
	stockRefuses                  bool // OPA refuses too: here as a guard against refusing for the wrong reason
}{
	{name: "membership of a missing field", body: `deny contains "x" if not input.service.privacy.region in {"eu"}`, contract: `{"privacy": {}}`},
	{name: "membership under import rego.v1", imports: "import rego.v1", body: `deny contains "x" if not input.service.privacy.region in {"eu"}`, contract: `{"privacy": {}}`},
	{name: "membership under import rego.v2", imports: "import rego.v2", body: `deny contains "x" if not input.service.privacy.region in {"eu"}`, contract: `{"privacy": {}}`, stockRefuses: true},
	{name: "membership of a missing object", body: `deny contains "x" if not input.service.privacy.region in {"eu"}`, contract: `{}`},
	{name: "membership in a missing list", body: `deny contains "x" if not "hipaa" in input.service.privacy.compliance`, contract: `{}`},
	{name: "a builtin of a missing field", body: `deny contains "x" if not startswith(input.service.privacy.region, "eu")`, contract: `{}`},
	{name: "nested calls", body: `deny contains "x" if not lower(trim_space(input.service.privacy.region)) == "eu"`, contract: `{}`},
	{name: "a helper of a missing field", body: "deny contains \"x\" if not good(input.service.privacy.region)\n\ngood(r) if r == \"eu\"", contract: `{}`},
	{name: "a negation inside every", body: `deny contains "x" if { every r in ["a"] { not startswith(input.service.name, r) } }`, contract: `{}`},
	{name: "a negation inside a comprehension", body: `deny contains "x" if count([1 | not input.service.name in {"a"}]) > 0`, contract: `{}`},
	{name: "a negation inside a helper", body: "deny contains \"x\" if foreign\n\nforeign if not lower(input.service.privacy.region) in {\"eu\"}", contract: `{}`},
	{name: "a negation in a helper of another package", imports: "import data.caio.lib.place", body: `deny contains "x" if place.foreign`, contract: `{}`},
	{name: "arithmetic", body: `deny contains "x" if not input.service.cost.per_request * 2 < 5`, contract: `{"cost": {}}`},
	{name: "a reason over a missing field", body: `deny contains sprintf("costs %v", [input.service.cost.per_request]) if input.request.match == "any"`, contract: `{"cost": {}}`},
	{name: "a reason in a variable", body: "deny contains msg if {\n\tinput.request.match == \"any\"\n\tmsg := sprintf(\"costs %v\", [input.service.cost.per_request])\n}", contract: `{"cost": {}}`},
	{name: "a reason in several steps", body: "deny contains msg if {\n\tinput.request.match == \"any\"\n\tprice := sprintf(\"%v\", [input.service.cost.per_request])\n\tmsg := sprintf(\"costs %s\", [price])\n}", contract: `{"cost": {}}`},
	{name: "facts of a missing field", body: `deny contains {"message": "x", "facts": {"price": input.service.cost.per_request}} if input.request.match == "any"`, contract: `{"cost": {}}`},
	{name: "a reason over a field of an element", body: "deny contains msg if {\n\tsome g in input.service.guarantees\n\tg.property == \"x\"\n\tmsg := sprintf(\"%v\", [g.bound.max])\n}", contract: `{"guarantees": {"a": {"property": "x"}}}`},
	{name: "a reason after words of another package", imports: "import data.caio.lib.place", body: "deny contains msg if {\n\tinput.request.match == \"any\"\n\tmsg := sprintf(\"%s: %v\", [place.word, input.service.missing])\n}", contract: `{}`},
	{name: "division by zero", body: `deny contains "x" if 1 / input.service.required_trust_level > 5`, contract: `{"required_trust_level": 0}`},
	{name: "a number that is none", body: `deny contains "x" if to_number(input.service.version) > 5`, contract: `{"version": "1.2.3"}`},
	{name: "a pattern that is none", body: `deny contains "x" if regex.match(input.service.name, "a")`, contract: `{"name": "("}`},
	{name: "an operand of the wrong type", body: `deny contains "x" if startswith(input.service.adapter.settings.model, "gpt")`, contract: `{"adapter": {"settings": {"model": 4}}}`},
	{name: "an argument of the wrong type", body: "deny contains \"x\" if gpt(input.service.adapter.settings.model)\n\ngpt(m) if startswith(m, \"gpt\")", contract: `{"adapter": {"settings": {"model": 4}}}`},
	{name: "an error in a helper", body: "deny contains \"x\" if share > 5\n\nshare := 1 / input.service.required_trust_level", contract: `{"required_trust_level": 0}`},
	{name: "an error under a negation", body: `deny contains "x" if not 1 / input.service.required_trust_level < 5`, contract: `{"required_trust_level": 0}`},
	{name: "a missing reason of the wrong kind", body: `deny contains 5 if input.request.match == "any"`, contract: `{}`, stockRefuses: true},
	{name: "false as a reason", body: `deny contains false if input.request.match == "any"`, contract: `{}`, stockRefuses: true},
	{name: "no body", body: `deny contains "always"`, contract: `{}`, stockRefuses: true},
}

const place = `package caio.lib.place

import input.service as s

word := "here"

foreign if not lower(s.privacy.region) in {"eu"}
`

func TestDoubtRefuses(t *testing.T) {
	for _, d := range doubts {
		t.Run(d.name, func(t *testing.T) {
			source := "package caio.routing.a\n\n" + d.imports + "\n\n" + d.body + "\n"
			s := load(t, "a.rego", source, "lib/place.rego", place)
			v := route(t, s, &caiov1.Request{Match: "any"}, d.contract)
			if len(v.Rule) == 0 {
				t.Fatal("let through")
			}
			for _, r := range v.Rule {
				if r.GetMessage() == "" || r.GetFile() == "" || r.GetLine() == 0 || r.GetPackage() == "" || r.GetRule() == "" {
					t.Errorf("this reason does not say enough: %v", r)
				}
			}
			if got := stock(t, source, d.contract) > 0; got != d.stockRefuses {
				t.Errorf("OPA as it comes refuses: %v; this case claims %v", got, d.stockRefuses)
			}
		})
	}
}

// stock counts the reasons that OPA gives without this package.
func stock(t *testing.T, source, contract string) int {
	t.Helper()
	r := rego.New(
		rego.Query("count(data.caio.routing.a.deny)"),
		rego.Module("a.rego", source), rego.Module("place.rego", place),
		rego.Input(map[string]any{"request": map[string]any{"match": "any"}, "service": jsonOf(t, contract)}),
	)
	results, err := r.Eval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 {
		return 0
	}
	n, err := results[0].Expressions[0].Value.(interface{ Int64() (int64, error) }).Int64()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// The other half: rules whose conditions do not hold must not refuse because of what they would say.
func TestCertaintyLetsThrough(t *testing.T) {
	for name, body := range map[string]string{
		"a condition that does not hold":     "deny contains msg if {\n\tinput.request.match == \"all\"\n\tmsg := sprintf(\"%v\", [input.service.missing])\n}",
		"a missing condition":                "deny contains msg if {\n\tinput.service.missing\n\tmsg := \"x\"\n}",
		"existence by assignment":            "deny contains msg if {\n\tx := input.service.missing\n\tmsg := sprintf(\"%v\", [x])\n}",
		"a helper that finds nothing":        "deny contains msg if msg := problem\n\nproblem := \"x\" if input.request.match == \"all\"",
		"a helper inside the reason":         "deny contains sprintf(\"%v\", [problem]) if input.request.match == \"any\"\n\nproblem := \"x\" if input.request.match == \"all\"",
		"a function that finds nothing":      "deny contains {\"message\": problem(input.service)} if input.request.match == \"any\"\n\nproblem(s) := \"x\" if s.name == \"bad\"",
		"a helper over a variable":           "deny contains msg if {\n\tinput.request.match == \"any\"\n\tname := upper(input.service.name)\n\tmsg := sprintf(\"%v %v\", [known[name], input.service.missing])\n}\n\nknown := {\"B\": 1}",
		"data that does not list it":         "deny contains sprintf(\"%v\", [data.banned[input.service.name]]) if input.request.match == \"any\"",
		"a request that demands nothing":     "deny contains \"x\" if input.request.guarantees.accuracy.min > 0.9",
		"no element":                         "deny contains msg if {\n\tsome g in input.service.guarantees\n\tmsg := sprintf(\"%v\", [g.missing])\n}",
		"a negation that does not hold":      "deny contains \"x\" if not input.service.name in {\"a\"}",
		"an alternative that is not reached": "deny contains \"x\" if {\n\tinput.request.match == \"all\"\n\t1 / 0 > 5\n}",
	} {
		t.Run(name, func(t *testing.T) {
			s := load(t, "a.rego", "package caio.routing.a\n\n"+body+"\n", "data.json", `{"banned": {"z": 1}}`)
			if v := route(t, s, &caiov1.Request{Match: "any"}, `{"name": "a", "guarantees": {}}`); len(v.Rule)+len(v.Security) > 0 {
				t.Errorf("refused: %v", v)
			}
		})
	}
}

func TestAPolicyThatCannotBeEvaluatedIsNamed(t *testing.T) {
	s := load(t,
		"routing/a.rego", `package caio.routing.a

import data.caio.lib.shares

# METADATA
# title: Shares
deny contains "x" if shares.of(input.service.required_trust_level) > 5

deny contains "another package's reasons are heard" if input.request.match == "any"
`,
		"security/b.rego", `package caio.security.b

# METADATA
# title: Conflict
deny contains "x" if level == 1

level := 1 if input.request.match == "any"

level := 2 if input.service.name == ""
`,
		"routing/c.rego", `package caio.routing.c

deny contains {"rule": "C", "message": "sound"} if input.request.match == "any"
`,
		"lib/shares.rego", `package caio.lib.shares

of(n) := 1 / n
`)
	v := route(t, s, &caiov1.Request{Match: "any"}, `{"required_trust_level": 0, "name": ""}`)
	var rules []string
	for _, r := range v.Rule {
		rules = append(rules, r.GetRule())
	}
	if got := strings.Join(rules, " "); got != "caio.lib.shares.of caio.routing.a.deny C" {
		t.Errorf("rules: %s", got)
	}
	if r := v.Rule[0]; r.GetFile() != "lib/shares.rego" || r.GetLine() != 3 || !strings.Contains(r.GetMessage(), "divide by zero") {
		t.Errorf("got %v", r)
	}
	if len(v.Security) != 1 {
		t.Fatalf("security: %v", v.Security)
	}
	if r := v.Security[0]; r.GetFile() != "security/b.rego" || r.GetPackage() != "caio.security.b" || !strings.Contains(r.GetMessage(), "conflict") {
		t.Errorf("got %v", r)
	}
	// Where nothing goes wrong, nothing is left of it.
	if v := route(t, s, &caiov1.Request{}, `{"required_trust_level": 1, "name": "x"}`); len(v.Rule)+len(v.Security) != 0 {
		t.Errorf("refused: %v", v)
	}
}
