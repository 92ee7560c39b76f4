package engine_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/proof"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func decision(t *testing.T, h *house, r *caiov1.Request, seed uint64) *caiov1.Decision {
	t.Helper()
	d, err := engine.Decide(t.Context(), h.Snapshot(), engine.NoPast, r, seed, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range d.GetProofs() {
		if err := proof.Verify(p); err != nil {
			t.Errorf("%v in %v", err, p)
		}
		if !p.GetValid() {
			t.Errorf("proof of %s does not hold: %v", p.GetProperty(), p)
		}
	}
	return d
}

func TestEachStepOfTheFunnelRefusesWithItsOwnOutcomeAndCode(t *testing.T) {
	const promises = "guarantees: {accuracy: 0.9, p95_latency_ms: 50}\ncost: {per_request: 0.01}\nprivacy: {data_locality: local}"
	for _, c := range []struct {
		name, contract   string
		request          func(*caiov1.Request)
		outcome, code    string
		reasonMustInform func(*caiov1.Reason) bool
	}{
		{"nothing speaks against it", promises, func(*caiov1.Request) {}, "selected", "", nil},
		{"another capability", promises, func(r *caiov1.Request) { r.Capabilities = []string{"translate"} }, "capability", "NO_MATCHING_SERVICE", nil},
		{"more accuracy", promises, func(r *caiov1.Request) {
			r.Guarantees = map[string]*caiov1.Demand{"accuracy": {Min: proto.Float64(.95)}}
		}, "guarantee", "NO_MATCHING_SERVICE", nil},
		{"no GPU here", promises + "\nconstraints: {requires_gpu: true}", func(r *caiov1.Request) {
			r.Constraints = &caiov1.Demands{RequiresGpu: proto.Bool(false)}
		}, "constraint", "NO_MATCHING_SERVICE", nil},
		{"a rule", promises, func(r *caiov1.Request) { r.Context = &caiov1.Context{Priority: "forbidden"} }, "rule", "RULE_VIOLATION",
			func(r *caiov1.Reason) bool {
				return r.File == "routing/test.rego" && r.Line > 0 && r.Package == "caio.routing.test"
			}},
		{"permission", promises + "\nrequired_permissions: [detect]", func(*caiov1.Request) {}, "security", "SECURITY_VIOLATION",
			func(r *caiov1.Reason) bool { return r.File != "" && r.Line > 0 && r.Title != "" }},
		{"trust", promises + "\nrequired_trust_level: 3", func(r *caiov1.Request) { r.Principal.TrustLevel = 2 }, "security", "SECURITY_VIOLATION", nil},
		{"not authenticated", promises, func(r *caiov1.Request) { r.Principal.Authenticated = false }, "security", "SECURITY_VIOLATION", nil},
		{"another tenant's", promises + "\nmetadata: {tenant: umbrella}", func(*caiov1.Request) {}, "security", "SECURITY_VIOLATION", nil},
		{"too dear", promises, func(r *caiov1.Request) { r.Budget = &caiov1.Budget{MaxCost: .009} }, "budget", "BUDGET_EXCEEDED", nil},
		{"another currency", promises, func(r *caiov1.Request) { r.Budget = &caiov1.Budget{MaxCost: 1, Currency: "EUR"} }, "budget", "BUDGET_EXCEEDED", nil},
		{"no price stated", "privacy: {data_locality: local}", func(r *caiov1.Request) { r.Budget = &caiov1.Budget{MaxCost: 1} }, "budget", "BUDGET_EXCEEDED", nil},
		{"too slow", promises, func(r *caiov1.Request) { r.MaxLatencyMs = proto.Float64(49) }, "latency", "LATENCY_EXCEEDED", nil},
		{"no latency promised", "privacy: {data_locality: local}", func(r *caiov1.Request) { r.MaxLatencyMs = proto.Float64(49) }, "latency", "LATENCY_EXCEEDED", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, defaults(map[string]string{"routing/test.rego": `package caio.routing.test

import rego.v1

# METADATA
# title: Forbidden priority
deny contains "the priority is forbidden" if input.request.context.priority == "forbidden"
`}), service("one", c.contract))
			d := decision(t, h, request(c.request), 0)
			if len(d.Candidates) != 1 || d.Candidates[0].Outcome != c.outcome {
				t.Fatalf("candidates %v, want outcome %s", d.Candidates, c.outcome)
			}
			if d.GetError().GetCode() != c.code {
				t.Errorf("error %v, want code %q", d.GetError(), c.code)
			}
			reasons := d.Candidates[0].Reasons
			if (c.code == "") != (len(reasons) == 0) || (c.code == "") != (d.ServiceId == "one") {
				t.Errorf("service %q, reasons %v", d.ServiceId, reasons)
			}
			for _, r := range reasons {
				if r.Message == "" || r.Rule == "" || len(r.GetFacts().GetFields()) == 0 {
					t.Errorf("reason says too little: %v", r)
				}
				if c.reasonMustInform != nil && !c.reasonMustInform(r) {
					t.Errorf("reason does not name its rule: %v", r)
				}
			}
			if e := d.Error; e != nil && (e.Message == "" || e.Hint == "" || e.Stage != c.outcome) {
				t.Errorf("error says too little: %v", e)
			}
		})
	}
}

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	h := newHouse(t, defaults(nil))
	for i := range 40 {
		extra := fmt.Sprintf("guarantees: {accuracy: 0.%d}\nprivacy: {data_locality: local}\nrequired_trust_level: %d", 90+i%3, i%7)
		if _, err := h.Register(t.Context(), h.parse(t, service(fmt.Sprintf("s%02d", i), extra))); err != nil {
			t.Fatal(err)
		}
	}
	r := request(func(r *caiov1.Request) { r.Principal.TrustLevel = 4 })
	var first []byte
	for range 100 {
		raw, err := schema.JSON(decision(t, h, r, 11))
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = raw
		}
		if !bytes.Equal(first, raw) {
			t.Fatalf("two decisions differ:\n%s\n%s", first, raw)
		}
	}
}

func TestTiesAreBrokenBySeedAndFairly(t *testing.T) {
	var contracts []string
	for i := range 4 {
		contracts = append(contracts, service(fmt.Sprint("s", i), "privacy: {data_locality: local}"))
	}
	h := newHouse(t, defaults(nil), contracts...)
	won := map[string]int{}
	for seed := range uint64(400) {
		d := decision(t, h, request(), seed)
		if again := decision(t, h, request(), seed); again.ServiceId != d.ServiceId {
			t.Fatal("the same seed chose twice differently")
		}
		won[d.ServiceId]++
	}
	for id, n := range won {
		if n < 60 || n > 140 {
			t.Errorf("%s won %d of 400 ties among 4", id, n)
		}
	}
	if len(won) != 4 {
		t.Errorf("only %d of 4 ever won", len(won))
	}
}

func TestWhatIsNotFiniteIsAnErrorAndNoDecision(t *testing.T) {
	// No rule reads the request's limits: nothing but the engine itself can refuse them.
	few := fstest.MapFS{"routing/none.rego": {Data: []byte("package caio.routing.none\n\ndeny contains \"no\" if input.service.name == \"nobody\"\n")}}
	h := newHouse(t, few, service("one", "guarantees: {accuracy: 0.9, latency_ms: 10}\ncost: {per_request: 1}"))
	for name, change := range map[string]func(*caiov1.Request, float64){
		"a demand": func(r *caiov1.Request, n float64) {
			r.Guarantees = map[string]*caiov1.Demand{"accuracy": {Min: &n}}
		},
		"a constraint": func(r *caiov1.Request, n float64) { r.Constraints = &caiov1.Demands{RequestsPerSecond: &n} },
		"the budget":   func(r *caiov1.Request, n float64) { r.Budget = &caiov1.Budget{MaxCost: n} },
		"the cap":      func(r *caiov1.Request, n float64) { r.MaxLatencyMs = &n },
	} {
		for _, n := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			r := request(func(r *caiov1.Request) { change(r, n) })
			if d, err := engine.Decide(t.Context(), h.Snapshot(), engine.NoPast, r, 0, true); err == nil {
				t.Errorf("%s of %v: decided %q, %v", name, n, d.ServiceId, d.Error)
			}
		}
	}
}

func TestAPriceBeyondEveryNumberIsNotKnownAndSpoilsNoDecision(t *testing.T) {
	h := newHouse(t, defaults(nil), service("absurd", "privacy: {data_locality: local}\ncost: {per_token: {out: 1.0e+308}}"),
		service("one", "privacy: {data_locality: local}\ncost: {per_request: 0.01}"))
	for _, budget := range []*caiov1.Budget{nil, {MaxCost: 1}} {
		d := decision(t, h, request(func(r *caiov1.Request) {
			r.Budget = budget
			chat := &caiov1.Chat{Messages: []*caiov1.ChatMessage{{Role: "user", Content: "hello"}}, MaxTokens: proto.Int32(500)}
			r.Intent = &caiov1.Intent{Body: &caiov1.Intent_Chat{Chat: chat}}
		}), 0)
		if d.ServiceId != "one" {
			t.Errorf("chose %q, %v", d.ServiceId, d.Error)
		}
		if _, err := schema.JSON(d); err != nil {
			t.Error(err)
		}
	}
}

func TestABudgetNeedsABoundOnWhatIsWritten(t *testing.T) {
	h := newHouse(t, defaults(nil), service("llm", "privacy: {data_locality: local}\ncost: {per_token: {in: 0.000001, out: 0.00001}}"))
	chat := &caiov1.Chat{Messages: []*caiov1.ChatMessage{{Role: "user", Content: "hello"}}}
	r := request(func(r *caiov1.Request) {
		r.Budget = &caiov1.Budget{MaxCost: .01}
		r.Intent = &caiov1.Intent{Body: &caiov1.Intent_Chat{Chat: chat}}
	})
	if d := decision(t, h, r, 0); d.GetError().GetCode() != "BUDGET_EXCEEDED" {
		t.Errorf("an answer of unbounded length passed: %v", d)
	}
	chat.MaxTokens = proto.Int32(500)
	if d := decision(t, h, r, 0); d.ServiceId != "llm" {
		t.Errorf("500 tokens at 0.00001 are within 0.01: %v", d.GetError())
	}
	chat.MaxTokens = proto.Int32(5000)
	if d := decision(t, h, r, 0); d.GetError().GetCode() != "BUDGET_EXCEEDED" {
		t.Errorf("5000 tokens at 0.00001 are over 0.01")
	}
}
