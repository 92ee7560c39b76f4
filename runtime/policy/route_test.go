package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// route judges one contract.
func route(t testing.TB, s *Set, req *caiov1.Request, contract string) Verdict {
	t.Helper()
	verdicts, err := s.Route(t.Context(), req, []*Facts{facts(t, contract)})
	if err != nil {
		t.Fatal(err)
	}
	return verdicts[0]
}

func facts(t testing.TB, contract string) *Facts {
	t.Helper()
	f, err := NewFacts([]byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func jsonOf(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// example is the request file of the first issue, and a local service that it was written for.
const (
	exampleRequest = `{"capabilities": ["language_detection"], "match": "all",
		"guarantees": {"accuracy": {"min": 0.9}, "latency": {"property": "p95_latency_ms", "max": 50}},
		"constraints": {"requires_gpu": false}, "budget": {"max_cost": 0.01, "currency": "USD"}, "max_latency_ms": 100,
		"data": {"contains_pii": true, "contains_phi": false, "classification": "internal", "residency": "eu"},
		"intent": {"type": "language_detection", "payload": {"text": "a secret payload"}},
		"principal": {"subject": "u1", "tenant": "acme", "roles": ["user"], "permissions": ["read"], "trust_level": 5, "authenticated": true},
		"context": {"priority": "high", "time": "2026-11-22T12:00:00Z"}}`
	exampleService = `{"service_id": "local", "name": "Local", "version": "1.0.0", "description": "", "capabilities": [{"type": "language_detection", "parameters": {}}],
		"guarantees": {"accuracy": {"property": "classification_accuracy", "bound": {"type": "min", "min": 0.95, "unit": "", "formula": ""}, "invariant": "", "seed_required": false}},
		"constraints": {"requires_gpu": false, "requires_internet": false, "rate_limit": {}},
		"cost": {"per_request": 0, "per_token": {}, "currency": "USD"},
		"privacy": {"data_locality": "local", "encryption": false, "encryption_type": "", "retention": "", "region": "", "compliance": []},
		"alignment": {"safety_class": "", "content_filters": []}, "required_permissions": ["read"], "required_trust_level": 3,
		"api": {"protocol": "http", "base_url": "", "endpoints": [], "allowed_hosts": []},
		"adapter": {"plugin": "http", "digest": "", "settings": {}, "auth": {"scheme": "none", "secret": "", "header": ""}},
		"invariants": [], "metadata": {"tags": [], "category": "", "provider": "", "api_version": "", "tenant": ""}}`
)

func request(t testing.TB, text string) *caiov1.Request {
	t.Helper()
	req := &caiov1.Request{}
	if err := schema.ParseJSON([]byte(text), req); err != nil {
		t.Fatal(err)
	}
	return req
}

func defaults(t testing.TB) *Set {
	t.Helper()
	s, err := Load(policies.FS())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// change returns the service with one value replaced.
func change(t testing.TB, contract, path string, value any) string {
	t.Helper()
	root := jsonOf(t, contract).(map[string]any)
	at := root
	parts := strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		at = at[part].(map[string]any)
	}
	at[parts[len(parts)-1]] = value
	raw, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestDefaultsServeTheExampleAndRefuseItsNeighbours(t *testing.T) {
	s := defaults(t)
	if v := route(t, s, request(t, exampleRequest), exampleService); len(v.Rule)+len(v.Security) != 0 {
		t.Fatalf("refused: %v", v)
	}
	cases := []struct {
		path  string
		value any
		rules string // of Rule, then of Security
	}{
		{"privacy.data_locality", "cloud", "GDPR-001 SEC-0003"},
		{"required_permissions", []string{"admin"}, "SEC-0002"},
		{"required_trust_level", 6, "SEC-0004"},
		{"metadata.tenant", "umbrella", "SEC-0004"},
		{"guarantees.availability", map[string]any{"property": "availability", "bound": map[string]any{"type": "min", "min": 0.5}}, "SLA-001"},
	}
	for _, c := range cases {
		v := route(t, s, request(t, exampleRequest), change(t, exampleService, c.path, c.value))
		var rules []string
		for _, r := range append(v.Rule, v.Security...) {
			rules = append(rules, r.GetRule())
			if r.GetTitle() == "" || r.GetMessage() == "" || r.GetFile() == "" || r.GetLine() == 0 || len(r.GetFacts().GetFields()) == 0 {
				t.Errorf("%s: this reason does not say enough: %v", c.path, r)
			}
		}
		if got := strings.Join(rules, " "); got != c.rules {
			t.Errorf("%s = %v: refused by %q; want %q", c.path, c.value, got, c.rules)
		}
	}
}

func TestDefaultsAskNothingOfAContractThatSaysLittle(t *testing.T) {
	req := request(t, `{"data": {}, "constraints": {}, "context": {}, "principal": {"subject": "u", "authenticated": true}}`)
	contract := change(t, change(t, exampleService, "required_permissions", []string{}), "required_trust_level", 0)
	for _, where := range []string{"on_device", "local", "region", "cloud"} {
		contract := change(t, contract, "privacy.data_locality", where)
		if v := route(t, defaults(t), req, contract); len(v.Rule)+len(v.Security) != 0 {
			t.Errorf("%s: refused: %v", where, v)
		}
	}
}

func TestReasonsTakeTheAuthorsWordsOrTheFactsThatWereRead(t *testing.T) {
	s := load(t, "routing/a.rego", `package caio.routing.a

# METADATA
# title: By itself
deny contains "text" if {
	input.request.data.contains_phi
	input.service.privacy.data_locality == "cloud"
	not input.service.privacy.region
	trusted
	input.request.intent.payload.text
}

trusted if input.request.principal.trust_level > 3

deny contains {"rule": "A-1", "message": "object", "facts": {"set": {3, 1, 2}, "big": 1e400, "nested": {"a": [null, true]}}} if {
	input.request.data.contains_phi
}

deny contains {"message": "facts that are a list", "facts": [1, 2]} if input.request.data.contains_phi

deny contains {"message": 7} if input.request.data.contains_phi

deny contains {"rule": 7, "message": "a rule that is no name"} if input.request.data.contains_phi
`)
	req := request(t, `{"data": {"contains_phi": true}, "principal": {"trust_level": 5}, "intent": {"payload": {"text": "SECRET"}}}`)
	v := route(t, s, req, `{"privacy": {"data_locality": "cloud"}}`)
	want := []string{
		`{"facts":{"request.data.contains_phi":true,"request.principal.trust_level":5,"service.privacy.data_locality":"cloud","service.privacy.region":null},"file":"routing/a.rego","line":5,"message":"text","package":"caio.routing.a","rule":"caio.routing.a.deny","title":"By itself"}`,
		`{"facts":{"big":"1e400","nested":{"a":[null,true]},"set":[1,2,3]},"file":"routing/a.rego","line":15,"message":"object","package":"caio.routing.a","rule":"A-1","title":""}`,
		`{"facts":{"facts":[1,2]},"file":"routing/a.rego","line":19,"message":"facts that are a list","package":"caio.routing.a","rule":"caio.routing.a.deny","title":""}`,
		`{"facts":{"request.data.contains_phi":true},"file":"routing/a.rego","line":21,"message":"deny must give a string or {\"rule\", \"message\", \"facts\"} and gave a message that is a number; what is not understood refuses","package":"caio.routing.a","rule":"caio.routing.a.deny","title":""}`,
		`{"facts":{"request.data.contains_phi":true},"file":"routing/a.rego","line":23,"message":"a rule that is no name","package":"caio.routing.a","rule":"caio.routing.a.deny","title":""}`,
	}
	if len(v.Rule) != len(want) {
		t.Fatalf("%d reasons: %v", len(v.Rule), v.Rule)
	}
	for i, r := range v.Rule {
		raw, err := schema.JSON(r)
		if err != nil {
			t.Fatal(err)
		}
		if string(raw) != want[i] {
			t.Errorf("got  %s\nwant %s", raw, want[i])
		}
	}
}

func TestReasonsAreBoundedAndFitForTheWire(t *testing.T) {
	s := load(t, "routing/a.rego", `package caio.routing.a

deny contains {"rule": base64.decode("/w=="), "message": concat("", [base64.decode("/w=="), concat("", [x | some _ in numbers.range(1, 5000); x := "ä"])]), "facts": {"all": numbers.range(1, 100000)}} if {
	input.request.match == "any"
}

deny contains "wide" if input.service.adapter.settings.list
`)
	long := make([]string, 1000)
	for i := range long {
		long[i] = strings.Repeat("é", 300)
	}
	raw, err := json.Marshal(map[string]any{"adapter": map[string]any{"settings": map[string]any{"list": long}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range route(t, s, &caiov1.Request{Match: "any"}, string(raw)).Rule {
		wire, err := proto.Marshal(r)
		if err != nil {
			t.Errorf("does not fit: %v", err)
		}
		if len(wire) > 3*maxFactBytes+maxMessage {
			t.Errorf("%d bytes", len(wire))
		}
	}
}

func TestVerdictsAreAlignedAndSplitByKind(t *testing.T) {
	s := load(t,
		"a.rego", "package caio.routing.a\n\ndeny contains \"r\" if input.service.name == \"b\"\n",
		"b.rego", "package caio.security.b\n\ndeny contains \"s\" if input.service.name in {\"b\", \"c\"}\n",
		"c.rego", "package caio.guarantee.c\n\nviolation contains \"never before a service is chosen\" if input.service.name\n",
	)
	verdicts, err := s.Route(t.Context(), nil, []*Facts{facts(t, `{"name": "a"}`), facts(t, `{"name": "b"}`), facts(t, `{"name": "c"}`)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range verdicts {
		got = append(got, fmt.Sprintf("%d/%d", len(v.Rule), len(v.Security)))
	}
	if text := strings.Join(got, " "); text != "0/0 1/1 0/1" {
		t.Errorf("rules/security: %s", text)
	}
	if verdicts, err := s.Route(t.Context(), nil, nil); verdicts != nil || err != nil {
		t.Errorf("no services: %v, %v", verdicts, err)
	}
	if _, err := s.Route(t.Context(), nil, []*Facts{nil}); err == nil {
		t.Error("a service without facts was judged")
	}
}

func TestEveryPackageBelowCounts(t *testing.T) {
	s := load(t,
		"a.rego", "package caio.routing\n\ndeny contains \"top\" if input.request.match == \"any\"\n",
		"b.rego", "package caio.routing.a.b.c\n\ndeny contains \"deep\" if input.request.match == \"any\"\n",
		"c.rego", "package caio.security[\"odd name\"]\n\ndeny contains \"odd\" if input.request.match == \"any\"\n",
		"d.rego", "package caio.routing.a.b.c\n\ndeny contains \"another file\" if input.request.match == \"any\"\n",
	)
	v := route(t, s, &caiov1.Request{Match: "any"}, `{}`)
	if len(v.Rule) != 3 || len(v.Security) != 1 {
		t.Errorf("got %v", v)
	}
}

func TestSameInputsSameReasonsInTheSameOrder(t *testing.T) {
	var sources []string
	for i := range 12 {
		sources = append(sources, fmt.Sprintf("routing/%02d.rego", i), fmt.Sprintf(`package caio.routing.p%d

deny contains {"rule": sprintf("R-%%d", [n]), "message": "m", "facts": {"n": n}} if {
	some n in {3, 1, 2}
	input.request.match == "any"
}
`, i%5))
	}
	var first []byte
	for range 20 {
		var all []byte
		for _, r := range route(t, load(t, sources...), &caiov1.Request{Match: "any"}, `{}`).Rule {
			raw, err := schema.JSON(r)
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, raw...), '\n')
		}
		if first == nil {
			first = all
		}
		if string(all) != string(first) {
			t.Fatalf("got\n%s\nand before\n%s", all, first)
		}
	}
	if n := strings.Count(string(first), "\n"); n != 36 {
		t.Errorf("%d reasons; want 36", n)
	}
}

const runaway = `package caio.routing.a

deny contains "late" if {
	some a in numbers.range(1, 3000)
	some b in numbers.range(1, 3000)
	some c in numbers.range(1, 3000)
	a * b * c == -1
}
`

func TestRunawayPoliciesAreAnErrorAndNoVerdict(t *testing.T) {
	s := load(t, "a.rego", runaway)
	s.limit = 20 * time.Millisecond
	verdicts, err := s.Route(t.Context(), nil, []*Facts{facts(t, `{}`)})
	if !errors.Is(err, context.DeadlineExceeded) || verdicts != nil {
		t.Errorf("got %v, %v", verdicts, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if verdicts, err = s.Route(ctx, nil, []*Facts{facts(t, `{}`)}); !errors.Is(err, context.Canceled) || verdicts != nil {
		t.Errorf("got %v, %v", verdicts, err)
	}
}

func TestOneSetJudgesForManyAtOnce(t *testing.T) {
	s := defaults(t)
	shared := []*Facts{facts(t, exampleService), facts(t, change(t, exampleService, "privacy.data_locality", "cloud"))}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 25 {
				req := request(t, exampleRequest)
				req.Principal.TrustLevel = int32(i % 6)
				verdicts, err := s.Route(t.Context(), req, shared)
				if err != nil {
					t.Error(err)
					return
				}
				if wantTrust := req.Principal.TrustLevel < 3; (len(verdicts[0].Security) > 0) != wantTrust || len(verdicts[1].Rule) != 1 {
					t.Errorf("worker %d, trust %d: %v", worker, req.Principal.TrustLevel, verdicts)
				}
				if _, err := s.Check(t.Context(), req, shared[0], &caiov1.Result{}, &caiov1.Observed{LatencyMs: float64(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestCheckSaysWhatFollows(t *testing.T) {
	s := load(t, "guarantee/a.rego", `package caio.guarantee.a

violation contains "a string fails" if input.observed.calls == 1

violation contains {"rule": "G", "message": "object", "reaction": "accept"} if input.observed.calls == 2

violation contains {"message": "other spelling", "reaction": "fall_back"} if input.observed.calls == 3

violation contains {"message": "unknown", "reaction": "shrug"} if input.observed.calls == 4

violation contains {"reaction": "fallback"} if input.observed.calls == 5

violation contains {"message": "broken", "reaction": "accept"} if 1 / input.observed.http_status > 1

violation contains 9 if input.observed.calls == 7

violation contains "no result" if {
	input.observed.calls == 8
	not input.result
}
`)
	cases := []struct {
		calls, status      int32
		message, reactions string
	}{
		{0, 200, "", ""},
		{1, 200, "a string fails", "fail"},
		{2, 200, "object", "accept"},
		{3, 200, "other spelling", "fallback"},
		{4, 200, "none of fail, fallback, accept", "fail"},
		{5, 200, "no message", "fallback"},
		{6, 0, "divide by zero", "fail"},
		{7, 200, "gave a number (9)", "fail"},
		{8, 200, "no result", "fail"},
	}
	for _, c := range cases {
		violations, err := s.Check(t.Context(), nil, facts(t, `{}`), nil, &caiov1.Observed{Calls: c.calls, HttpStatus: c.status})
		if err != nil {
			t.Fatal(err)
		}
		var reactions []string
		for _, v := range violations {
			reactions = append(reactions, v.GetReaction())
			if !strings.Contains(v.GetReason().GetMessage(), c.message) || v.GetReason().GetFile() != "guarantee/a.rego" {
				t.Errorf("calls %d: %v", c.calls, v.GetReason())
			}
		}
		if got := strings.Join(reactions, " "); got != c.reactions {
			t.Errorf("calls %d: reactions %q; want %q", c.calls, got, c.reactions)
		}
	}
	if _, err := s.Check(t.Context(), nil, nil, nil, nil); err == nil {
		t.Error("no service was judged")
	}
}

func TestDefaultsCheckWhatCameBack(t *testing.T) {
	s := defaults(t)
	contract := change(t, exampleService, "guarantees.latency", map[string]any{"property": "max_latency_ms", "bound": map[string]any{"type": "max", "max": 50}})
	metadata, err := structpb.NewStruct(map[string]any{"confidence": 0.5})
	if err != nil {
		t.Fatal(err)
	}
	output, err := structpb.NewStruct(map[string]any{"language": "deu"})
	if err != nil {
		t.Fatal(err)
	}
	cost := 5.0
	violations, err := s.Check(t.Context(), request(t, exampleRequest), facts(t, contract),
		&caiov1.Result{Body: &caiov1.Result_Output{Output: output}, Metadata: metadata},
		&caiov1.Observed{LatencyMs: 70, Calls: 1, Cost: &cost, Currency: "USD"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range violations {
		got = append(got, v.GetReason().GetRule()+":"+v.GetReaction())
	}
	if text := strings.Join(got, " "); text != "ACCURACY-001:fallback COST-002:accept LATENCY-001:fallback" {
		t.Errorf("got %s", text)
	}
	violations, err = s.Check(t.Context(), request(t, exampleRequest), facts(t, contract),
		&caiov1.Result{Body: &caiov1.Result_Output{Output: output}}, &caiov1.Observed{LatencyMs: 7, Calls: 1})
	if err != nil || len(violations) != 0 {
		t.Errorf("a good answer: %v, %v", violations, err)
	}
}
