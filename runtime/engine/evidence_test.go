package engine_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// checkEvidence holds what the proofs of a decision rest on against the very contract and request that it was made of: a
// proof may be true of itself and yet be about something else. chosen is nil if nobody was.
func checkEvidence(t *testing.T, d *caiov1.Decision, chosen, r plain) {
	t.Helper()
	want := map[string]plain{proof.Refusal: {"service_id": "", "unlisted": float64(d.Unlisted), "outcomes": plain{}}}
	for _, c := range d.Candidates {
		want[proof.Refusal]["outcomes"].(plain)[c.ServiceId] = c.Outcome
	}
	if chosen != nil {
		want = evidenceFor(chosen, r)
		want[proof.Rules] = plain{"service_id": d.ServiceId, "policies": d.Inputs.Policies, "request": d.Inputs.Request, "contract": digestOf(d, d.ServiceId),
			"refusals": []any{}, "rules": nil}
	}
	seen := map[string]bool{}
	for _, p := range d.Proofs {
		seen[p.Property] = true
		expected, known := want[p.Property]
		got := p.Evidence.AsMap()
		switch p.Property {
		case proof.Rules:
			got["rules"] = nil // how many there are is the policy set's to say
		case proof.Budget:
			read, _ := got["input_tokens"].(float64)
			written, _ := got["output_tokens"].(float64)
			delete(got, "input_tokens")
			delete(got, "output_tokens")
			sum := numberOr(0, chosen, "cost", "per_request") + float64(read*numberOr(0, chosen, "cost", "per_token", "in"))
			sum += float64(written * numberOr(0, chosen, "cost", "per_token", "out"))
			if cost, stated := got["cost"].(float64); stated && cost != sum {
				t.Errorf("a cost of %v for %v tokens read and %v written, want %v", cost, read, written, sum)
			}
		}
		if known && !reflect.DeepEqual(got, expected) {
			t.Errorf("%s rests on\n%v, want\n%v", p.Property, got, expected)
		}
		if p.Property == proof.Optimization {
			checkRanking(t, d, got)
		}
	}
	for property := range want {
		if !seen[property] {
			t.Errorf("nothing proves %s of %v", property, d)
		}
	}
}

// evidenceFor is what the proofs about c for r must rest on, by property.
func evidenceFor(c, r plain) map[string]plain {
	or := func(v, otherwise any) any {
		if v == nil {
			return otherwise
		}
		return v
	}
	id := dig(c, "service_id")
	price, known := priceOf(c, r)
	cost := any(nil)
	if known {
		cost = price
	}
	class, _ := dig(r, "data", "classification").(string)
	class = strings.ToLower(class)
	budget := dig(r, "budget")
	currency := ""
	if budget != nil {
		currency = or(dig(budget, "currency"), "USD").(string)
	}
	return map[string]plain{
		proof.Authentication: {"service_id": id, "subject": or(dig(r, "principal", "subject"), ""), "authenticated": isTrue(r, "principal", "authenticated")},
		proof.Authorization: {"service_id": id, "granted": or(dig(r, "principal", "permissions"), []any{}),
			"required": or(dig(c, "required_permissions"), []any{})},
		proof.Privacy: {"service_id": id, "locality": or(dig(c, "privacy", "data_locality"), ""), "encryption": isTrue(c, "privacy", "encryption"),
			"sensitive": isTrue(r, "data", "contains_pii") || isTrue(r, "data", "contains_phi") || class == "confidential" || class == "restricted"},
		proof.AccessControl: {"service_id": id, "trust_level": numberOr(0, r, "principal", "trust_level"),
			"required_trust_level": numberOr(0, c, "required_trust_level")},
		proof.AccessBoundary: {"service_id": id, "tenant": or(dig(r, "principal", "tenant"), ""), "service_tenant": or(dig(c, "metadata", "tenant"), "")},
		proof.Budget: {"service_id": id, "cost": cost, "currency": or(dig(c, "cost", "currency"), ""),
			"max_cost": dig(budget, "max_cost"), "budget_currency": currency},
		proof.Latency: {"service_id": id, "property": or(dig(c, "guarantees", "latency", "property"), ""),
			"promised_ms": dig(c, "guarantees", "latency", "bound", "max"), "max_latency_ms": dig(r, "max_latency_ms")},
	}
}

func digestOf(d *caiov1.Decision, service string) string {
	for _, c := range d.Candidates {
		if c.ServiceId == service {
			return c.ContractDigest
		}
	}
	return ""
}

// checkRanking holds the evidence of the optimum against what the candidates show.
func checkRanking(t *testing.T, d *caiov1.Decision, evidence plain) {
	t.Helper()
	for i, id := range d.Ranking {
		for _, c := range d.Candidates {
			if c.ServiceId != id {
				continue
			}
			if evidence["ranking"].([]any)[i] != id || evidence["scores"].([]any)[i] != c.GetScore() {
				t.Errorf("place %d is %v with %v, the candidate %s has %v", i, evidence["ranking"].([]any)[i], evidence["scores"].([]any)[i], id, c.GetScore())
			}
			for name, term := range c.Terms {
				if got := dig(evidence, "terms", name).([]any)[i]; got != term {
					t.Errorf("%s of %s is %v in the proof, %v in the candidate", name, id, got, term)
				}
			}
		}
	}
}
