package engine_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/proof"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// What follows reads SPEC section 1, steps 1 to 5, a second time, over plain values and without anything that the
// engine uses, so that a mistake has to be made twice to pass. Of the default rules it knows those that the requests
// made here can trigger.

// A plain is a contract or a request as JSON has it: nil, bool, float64, string, []any, plain.
type plain = map[string]any

// dig returns what stands at path, nil if nothing does.
func dig(from any, path ...string) any {
	for _, name := range path {
		object, ok := from.(plain)
		if !ok {
			return nil
		}
		from = object[name]
	}
	return from
}

func number(from any, path ...string) (float64, bool) {
	n, ok := dig(from, path...).(float64)
	return n, ok
}

func numberOr(otherwise float64, from any, path ...string) float64 {
	if n, ok := number(from, path...); ok {
		return n
	}
	return otherwise
}

func isTrue(from any, path ...string) bool { return dig(from, path...) == true }

func texts(from any, path ...string) []string {
	var out []string
	list, _ := dig(from, path...).([]any)
	for _, v := range list {
		out = append(out, v.(string))
	}
	return out
}

// expected returns what must become of the contract c for the request r: "eligible" or the step at which it falls.
func expected(c, r plain) string {
	for _, step := range []struct {
		name  string
		holds func(c, r plain) bool
	}{
		{"capability", offers}, {"guarantee", promises}, {"constraint", fits}, {"rule", permitted}, {"security", secure},
		{"budget", affordable}, {"latency", quick},
	} {
		if !step.holds(c, r) {
			return step.name
		}
	}
	return "eligible"
}

func offers(c, r plain) bool {
	var offered []string
	for _, capability := range dig(c, "capabilities").([]any) {
		offered = append(offered, dig(capability, "type").(string))
	}
	asked, have := texts(r, "capabilities"), 0
	for _, name := range asked {
		if slices.Contains(offered, name) {
			have++
		}
	}
	return have == len(asked) || dig(r, "match") == "any" && have > 0
}

func promises(c, r plain) bool {
	all, _ := dig(r, "guarantees").(plain)
	for name, demand := range all {
		promise := dig(c, "guarantees", name)
		if promise == nil {
			return false
		}
		if property := dig(demand, "property"); property != nil && property != dig(promise, "property") {
			return false
		}
		for _, bound := range []struct {
			field, kind string
			sign        float64 // 1: more is better
		}{{"min", "min", 1}, {"max", "max", -1}, {"deviation", "equality", -1}, {"ratio", "relative_max", -1}, {"multiple", "min_multiple", 1}} {
			demanded, asked := number(demand, bound.field)
			promised, stated := number(promise, "bound", bound.field)
			if asked && (!stated || dig(promise, "bound", "type") != bound.kind || bound.sign*(promised-demanded) < 0) {
				return false
			}
		}
		if isTrue(demand, "boolean") && !isTrue(promise, "bound", "boolean") {
			return false
		}
	}
	return true
}

func fits(c, r plain) bool {
	for _, need := range []string{"requires_gpu", "requires_internet"} {
		if isTrue(c, "constraints", need) && dig(r, "constraints", need) == false {
			return false
		}
	}
	for _, limit := range []string{"max_concurrent_requests", "max_tokens_per_request", "context_length"} {
		if asked, ok := number(r, "constraints", limit); ok && numberOr(-1, c, "constraints", limit) < asked {
			return false
		}
	}
	if asked, ok := number(r, "constraints", "requests_per_second"); ok {
		second, perSecond := number(c, "constraints", "rate_limit", "requests_per_second")
		minute, perMinute := number(c, "constraints", "rate_limit", "requests_per_minute")
		if !perSecond && !perMinute || perSecond && second < asked || perMinute && minute/60 < asked {
			return false
		}
	}
	return true
}

func onPremises(c plain) bool {
	where := dig(c, "privacy", "data_locality")
	return where == "on_device" || where == "local"
}

// permitted is the default rules: HIPAA-001, PRIVACY-001, SLA-001, PERFORMANCE-001, COST-001.
func permitted(c, r plain) bool {
	if isTrue(r, "data", "contains_phi") && !onPremises(c) &&
		!(isTrue(c, "privacy", "encryption") && slices.Contains(texts(c, "privacy", "compliance"), "hipaa")) {
		return false
	}
	if dig(r, "data", "classification") == "restricted" && !onPremises(c) {
		return false
	}
	if dig(r, "context", "priority") == "high" && numberOr(1, c, "guarantees", "availability", "bound", "min") < .99 {
		return false
	}
	if wanted, ok := number(r, "intent", "chat", "max_tokens"); ok {
		if wanted > numberOr(wanted, c, "constraints", "max_tokens_per_request") || wanted > numberOr(wanted, c, "constraints", "context_length") {
			return false
		}
	}
	return dig(r, "budget") != nil || numberOr(0, c, "cost", "per_request") <= 10
}

func secure(c, r plain) bool {
	required := texts(c, "required_permissions")
	held := slices.ContainsFunc(texts(r, "principal", "permissions"), func(p string) bool { return slices.Contains(required, p) })
	class := dig(r, "data", "classification")
	sensitive := isTrue(r, "data", "contains_pii") || isTrue(r, "data", "contains_phi") || class == "confidential" || class == "restricted"
	tenant := dig(c, "metadata", "tenant")
	return isTrue(r, "principal", "authenticated") &&
		(len(required) == 0 || held) &&
		(!sensitive || onPremises(c) || isTrue(c, "privacy", "encryption")) &&
		numberOr(0, r, "principal", "trust_level") >= numberOr(0, c, "required_trust_level") &&
		(tenant == nil || tenant == "" || tenant == dig(r, "principal", "tenant"))
}

// priceOf estimates what c asks for r; false: it is not known. size is that of the intent in bytes.
func priceOf(c, r plain) (float64, bool) {
	once, stated := number(c, "cost", "per_request")
	in, inStated := number(c, "cost", "per_token", "in")
	out, outStated := number(c, "cost", "per_token", "out")
	if !stated && !inStated && !outStated {
		return 0, false
	}
	price := once
	if size, ok := number(r, "size"); ok && in > 0 {
		read := float64(int(size) / 4)
		if int(size)%4 > 0 {
			read++
		}
		price += read * in
	}
	if dig(r, "intent", "chat") != nil && out > 0 {
		written, bounded := number(r, "intent", "chat", "max_tokens")
		for _, limit := range []string{"max_tokens_per_request", "context_length"} {
			if !bounded {
				written, bounded = number(c, "constraints", limit)
			}
		}
		if !bounded {
			return 0, false
		}
		price += written * out
	}
	return price, true
}

func affordable(c, r plain) bool {
	if dig(r, "budget") == nil {
		return true
	}
	currency, _ := dig(r, "budget", "currency").(string)
	if currency == "" {
		currency = "USD"
	}
	price, known := priceOf(c, r)
	return known && dig(c, "cost", "currency") == currency && price <= numberOr(0, r, "budget", "max_cost")
}

func quick(c, r plain) bool {
	limit, limited := number(r, "max_latency_ms")
	promised, stated := number(c, "guarantees", "latency", "bound", "max")
	return !limited || stated && promised <= limit
}

// measured returns the latency by which a service with such a past is measured, and whether there is one: what it
// promises, or what ten results or more were slower than in one case of twenty.
func measured(c plain, past engine.Record) (float64, bool) {
	promised, stated := number(c, "guarantees", "latency", "bound", "max")
	if past.Requests-past.Failures+past.Violations >= 10 && past.P95 > promised {
		return past.P95, stated
	}
	return promised, stated
}

// best returns the id of the one whom the objective and the seed prefer among those that are left; "" if nobody is.
func best(left []plain, r plain, pasts map[string]engine.Record, seed uint64) string {
	var dearest, slowest float64
	past := func(c plain) engine.Record { return pasts[dig(c, "service_id").(string)] }
	for _, c := range left {
		price, _ := priceOf(c, r)
		dearest = max(dearest, price)
		if latency, stated := measured(c, past(c)); stated {
			slowest = max(slowest, latency)
		}
	}
	dearest = numberOr(dearest, r, "budget", "max_cost")
	if dig(r, "budget") != nil {
		dearest = numberOr(0, r, "budget", "max_cost")
	}
	slowest = numberOr(slowest, r, "max_latency_ms")
	winner, highest := "", 0.
	for _, c := range left {
		cost, latency, risk := 1., 1., 1.
		if price, known := priceOf(c, r); known && price < dearest {
			cost = price / dearest
		} else if known && price == 0 {
			cost = 0
		}
		if took, stated := measured(c, past(c)); stated && took < slowest {
			latency = took / slowest
		}
		switch dig(c, "privacy", "data_locality") {
		case "on_device":
			risk = 0
		case "local":
			risk = 1. / 4
		case "region":
			risk = 1. / 2
		}
		if isTrue(c, "privacy", "encryption") {
			risk /= 2
		}
		guarantee := (numberOr(0, c, "guarantees", "accuracy", "bound", "min") + numberOr(0, c, "guarantees", "availability", "bound", "min")) / 2
		reliability := (past(c).Requests - past(c).Failures + 1) / (past(c).Requests + 1)
		score := 0.
		for _, term := range []float64{.3 * guarantee, .2 * (1 - cost), .2 * (1 - latency), .1 * reliability, -.1 * cost, -.05 * risk, -.05 * latency} {
			score += term
		}
		id := dig(c, "service_id").(string)
		if winner == "" || score > highest || score == highest && drawn(seed, id) < drawn(seed, winner) {
			winner, highest = id, score
		}
	}
	return winner
}

func drawn(seed uint64, id string) string {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), id...))
	return string(sum[:])
}

func TestEveryDecisionIsWhatAPlainReadingOfTheSpecificationGives(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	checker, err := contract.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(defaults(nil))
	if err != nil {
		t.Fatal(err)
	}
	normal := map[string]plain{}
	register := func(c plain, id string) *contract.Service {
		c["service_id"] = id
		source, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := checker.Parse(id+".json", source)
		if err != nil {
			t.Fatal(err)
		}
		var read plain
		if err := json.Unmarshal(parsed.JSON(), &read); err != nil {
			t.Fatal(err)
		}
		normal[id] = read
		return &contract.Service{Contract: parsed}
	}
	var pool [][2]*contract.Service // twins, which tie
	for i := range 120 {
		c := d.contract()
		pool = append(pool, [2]*contract.Service{register(c, fmt.Sprintf("a%03d", i)), register(c, fmt.Sprintf("b%03d", i))})
	}
	outcomes, pairs := map[string]int{}, 0
	for round := range 1000 {
		d.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
		var services []*contract.Service
		for _, twins := range pool[:d.IntN(10)] {
			services = append(services, twins[:1+d.IntN(2)]...)
		}
		snapshot, err := engine.NewSnapshot(contract.NewRegistry(services...), set, policy.Factored, nil)
		if err != nil {
			t.Fatal(err)
		}
		asked, seed := d.request(), d.Uint64()
		raw, err := json.Marshal(asked)
		if err != nil {
			t.Fatal(err)
		}
		r := &caiov1.Request{}
		if err := schema.ParseJSON(raw, r); err != nil {
			t.Fatal(err)
		}
		if r.Intent != nil {
			complete := proto.CloneOf(r.Intent)
			complete.Type = map[bool]string{true: "chat", false: "payload"}[r.Intent.GetChat() != nil]
			asked["size"] = float64(proto.Size(complete))
		}
		pasts := map[string]engine.Record{}
		if round%2 == 1 {
			for _, service := range services {
				pasts[service.ID()] = d.past()
			}
		}
		decided, err := engine.Decide(t.Context(), snapshot, func(id string) engine.Record { return pasts[id] }, r, seed, true)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		want := map[string]string{}
		var left []plain
		for _, service := range services {
			pairs++
			c := normal[service.ID()]
			want[service.ID()] = expected(c, asked)
			if want[service.ID()] == "eligible" {
				left = append(left, c)
			}
		}
		winner := best(left, asked, pasts, seed)
		if winner != "" {
			want[winner] = "selected"
		}
		if decided.ServiceId != winner || (decided.Error == nil) != (winner != "") || len(decided.Candidates) != len(services) {
			t.Fatalf("%s\nchose %q of %d, error %v; want %q of %d", raw, decided.ServiceId, len(decided.Candidates), decided.Error, winner, len(services))
		}
		for _, candidate := range decided.Candidates {
			outcomes[candidate.Outcome]++
			if candidate.Outcome != want[candidate.ServiceId] {
				c, _ := json.Marshal(normal[candidate.ServiceId])
				t.Errorf("%s\n%s\nis %s, want %s: %v", raw, c, candidate.Outcome, want[candidate.ServiceId], candidate.Reasons)
			}
		}
		for _, p := range decided.Proofs {
			if err := proof.Verify(p); err != nil || !p.Valid {
				t.Errorf("%s\nproof %v: valid %v, %v", raw, p, p.Valid, err)
			}
		}
		checkEvidence(t, decided, normal[winner], asked)
		again, err := engine.Decide(t.Context(), snapshot, engine.RecordedPast(decided), r, seed, true)
		if err != nil || !proto.Equal(again, decided) {
			t.Errorf("%s\ndecided from what the decision recorded:\n%v, %v\nat first:\n%v", raw, again, err, decided)
		}
		if t.Failed() {
			return
		}
	}
	// What the requests never reach is not tested.
	t.Log(pairs, "pairs:", outcomes)
	for _, outcome := range []string{"selected", "eligible", "capability", "guarantee", "constraint", "rule", "security", "budget", "latency"} {
		if outcomes[outcome] < 50 {
			t.Errorf("only %d of %d pairs are %s", outcomes[outcome], pairs, outcome)
		}
	}
	if pairs < 2000 {
		t.Errorf("only %d pairs", pairs)
	}
}
