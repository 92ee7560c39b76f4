package policy

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// The default policies import rego.v2 and leave nothing in doubt, so OPA as it comes, over the whole request as JSON, must
// refuse for exactly the same reasons: nothing is lost by numbering rules, by preparing only what is read, or by the index.
func TestReasonsAreThoseOfOPAAsItComes(t *testing.T) {
	s := defaults(t)
	tree, err := readTree(policies.FS())
	if err != nil {
		t.Fatal(err)
	}
	options := []func(*rego.Rego){rego.Query(`[r | some kind in ["routing", "security"]; some name; r := data.caio[kind][name].deny[_]]`)}
	for _, f := range tree.modules {
		options = append(options, rego.Module(f.path, string(f.content)))
	}
	query, err := rego.New(options...).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	refusals := 0
	for range 500 {
		req, contract := randomRequest(random), randomContract(t, random)
		v := route(t, s, req, contract)
		var got []string
		for _, r := range slices.Concat(v.Rule, v.Security) {
			got = append(got, r.GetRule()+" "+r.GetMessage()+" "+factsText(r))
		}
		raw, err := schema.JSON(req)
		if err != nil {
			t.Fatal(err)
		}
		results, err := query.Eval(t.Context(), rego.EvalInput(map[string]any{"request": jsonOf(t, string(raw)), "service": jsonOf(t, contract)}))
		if err != nil || len(results) != 1 {
			t.Fatalf("%v, %v", results, err)
		}
		var want []string
		for _, r := range results[0].Expressions[0].Value.([]any) {
			reason := r.(map[string]any)
			facts, err := json.Marshal(reason["facts"])
			if err != nil {
				t.Fatal(err)
			}
			canonical, err := schema.Canonical(facts)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprint(reason["rule"], " ", reason["message"], " ", string(canonical)))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("request %s\ncontract %s\ngot\n%s\nwant\n%s", raw, contract, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		refusals += len(got)
	}
	if refusals < 500 {
		t.Errorf("only %d refusals: this compares little", refusals)
	}
}

func pick[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

func randomRequest(r *rand.Rand) *caiov1.Request {
	req := &caiov1.Request{
		Data: &caiov1.Data{
			ContainsPii: pick(r, true, false), ContainsPhi: pick(r, true, false),
			Classification: pick(r, "", "public", "Restricted", "confidential"), Residency: pick(r, "", "eu", "EU", "us", "ch"),
		},
		Principal: &caiov1.Principal{
			Authenticated: pick(r, true, true, false), Tenant: pick(r, "", "acme", "umbrella"), TrustLevel: r.Int32N(11),
			Permissions: pick(r, nil, []string{"read"}, []string{"read", "write"}),
		},
		Context: &caiov1.Context{Priority: pick(r, "", "high", "low")},
	}
	if r.IntN(2) == 0 {
		req.Budget = &caiov1.Budget{MaxCost: r.Float64()}
	}
	if r.IntN(3) == 0 {
		tokens := r.Int32N(10000)
		req.Intent = &caiov1.Intent{Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{MaxTokens: &tokens}}}
	}
	return req
}

func randomContract(t testing.TB, r *rand.Rand) string {
	set := func(c, path string, value any) string { return change(t, c, path, value) }
	c := set(exampleService, "privacy.data_locality", pick(r, "on_device", "local", "region", "cloud"))
	c = set(c, "privacy.encryption", pick(r, true, false))
	c = set(c, "privacy.region", pick(r, "", "eu-west-1", "de", "us", "ch-zurich"))
	c = set(c, "privacy.compliance", pick(r, []string{}, []string{"hipaa"}, []string{"GDPR", "hipaa"}))
	c = set(c, "required_permissions", pick(r, []string{}, []string{"write"}, []string{"admin", "read"}))
	c = set(c, "required_trust_level", r.IntN(11))
	c = set(c, "metadata.tenant", pick(r, "", "acme"))
	c = set(c, "cost.per_request", pick(r, 0.0, 9.99, 10.01, 1e6))
	if r.IntN(2) == 0 {
		c = set(c, "constraints.max_tokens_per_request", r.IntN(10000))
	}
	if r.IntN(2) == 0 {
		c = set(c, "guarantees.availability", map[string]any{"property": "availability", "bound": map[string]any{"type": "min", "min": pick(r, 0.5, 0.99, 0.999)}})
	}
	return c
}

// Whatever compiles as its author wrote it compiles when it was made traceable.
func FuzzWhatCompilesStillDoes(f *testing.F) {
	for _, d := range doubts {
		f.Add("package caio.routing.a\n\n" + d.imports + "\n\n" + d.body + "\n")
	}
	for _, pairs := range [][]string{rulesOf(20), {"", tested}, {"", runaway}} {
		for i := 1; i < len(pairs); i += 2 {
			f.Add(pairs[i])
		}
	}
	for _, body := range []string{
		"deny contains msg if {\n\tsome x, y in input.service.guarantees\n\ta := sprintf(\"%v\", [x])\n\tb := sprintf(\"%v\", [y.bound.max])\n\tmsg := {\"message\": concat(\" \", [a, b]), \"facts\": {\"f\": [z | some z in y]}}\n}",
		"deny contains {\"message\": $\"costs {input.service.cost.per_request}\"} if input.request.match == \"any\"",
		"deny contains f(msg) if {\n\tmsg := sprintf(\"%v\", [input.service.missing])\n}\n\nf(x) := x",
		"deny contains msg if {\n\tmsg := sprintf(\"%v\", [object.get(input.service, other, input.service.missing)])\n\tother := upper(input.service.name)\n}",
		"deny contains [input.service.a, input.service.b][i] if some i in [0, 1]",
		"deny contains rego.metadata.rule().title if input.service.missing",
		"deny contains input.service[input.request.match] if input.request.match",
		"deny contains msg if {\n\tevery g in input.service.guarantees { g.bound.max > 3 }\n\tmsg := sprintf(\"%v\", [{g.bound.max | some g in input.service.guarantees}])\n} {\n\tmsg := \"x\"\n}",
	} {
		f.Add("package caio.routing.a\n\n" + body + "\n")
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 4096 || strings.Count(source, "[") > 50 {
			return
		}
		m, err := parse("a.rego", []byte(source))
		if err != nil || len(shape(m)) > 0 {
			return
		}
		plain := newCompiler()
		plain.Compile(map[string]*ast.Module{"a.rego": m})
		if plain.Failed() || len(misplaced(plain)) > 0 {
			return
		}
		if _, err := Load(fstest.MapFS{"a.rego": &fstest.MapFile{Data: []byte(source)}}); err != nil {
			t.Fatalf("%s\n%v", source, err)
		}
	})
}
