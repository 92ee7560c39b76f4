package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// worn is a past in which every value occurs, present and absent.
func worn(id string) engine.Record {
	n := float64(id[len(id)-1] - '0')
	if n < 5 {
		return engine.Record{}
	}
	return engine.Record{Requests: n * 1.37, Failures: n / 3, Violations: n / 9, P50: n, P95: n * 2, P99: n * 3.3, MeanCost: n / 100, Currency: "USD"}
}

// The bytes of a decision are written by hand; they must be those of the message that they are.
func TestADecisionsBytesAreThoseThatProtobufWrites(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(21, 22))}
	checker, err := contract.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(defaults(nil))
	if err != nil {
		t.Fatal(err)
	}
	var services []*contract.Service
	for i := range 80 {
		c := d.contract()
		c["service_id"] = fmt.Sprintf("s%02d", i)
		source, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := checker.Parse("c.json", source)
		if err != nil {
			t.Fatal(err)
		}
		services = append(services, &contract.Service{Contract: parsed})
	}
	snapshot, err := engine.NewSnapshot(contract.NewRegistry(services...), set, policy.Factored, nil)
	if err != nil {
		t.Fatal(err)
	}
	chosen, refused := 0, 0
	for n := range 300 {
		raw, err := json.Marshal(d.request())
		if err != nil {
			t.Fatal(err)
		}
		r := &caiov1.Request{}
		if err := schema.ParseJSON(raw, r); err != nil {
			t.Fatal(err)
		}
		decided, err := snapshot.Decide(t.Context(), worn, r, d.Uint64(), n%2 == 0)
		if err != nil {
			t.Fatal(err)
		}
		m, err := decided.Message()
		if err != nil {
			t.Fatal(err)
		}
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(decided.Raw(), again) {
			t.Fatalf("%s\nis written as %x\nprotobuf writes %x", raw, decided.Raw(), again)
		}
		if m.ServiceId != decided.ServiceID || !proto.Equal(m.Error, decided.Error) || fmt.Sprint(m.Ranking) != fmt.Sprint(decided.Ranking) {
			t.Fatalf("%s\nsays %v, beside it stand %q, %v, %v", raw, m, decided.ServiceID, decided.Ranking, decided.Error)
		}
		if decided.Error == nil {
			chosen++
		} else {
			refused++
		}
	}
	if chosen < 30 || refused < 30 {
		t.Errorf("only %d chosen, %d refused", chosen, refused)
	}
}

// A request is completed without being copied; what its type gains must not be left behind.
func TestACompletedRequestKeepsEveryField(t *testing.T) {
	h := newHouse(t, defaults(nil), service("one", "privacy: {data_locality: local}"))
	full := &caiov1.Request{}
	fields := full.ProtoReflect().Descriptor().Fields()
	given := map[protoreflect.Name]string{
		"capabilities": `["detect"]`, "match": `"any"`, "guarantees": `{"accuracy": {}}`, "constraints": `{"requires_gpu": true}`,
		"budget": `{"max_cost": 1}`, "max_latency_ms": `5`, "data": `{"classification": "public"}`, "intent": `{"domain": "M365"}`,
		"principal": `{"subject": "u1", "authenticated": true}`, "context": `{"priority": "high", "request_id": "r1", "attributes": {"a": 1}}`,
		"field": `{"cutoff": 0.1}`,
	}
	for i := range fields.Len() {
		name := fields.Get(i).Name()
		if name == "payload" || name == "registered" { // set by the server, and refused of anybody else
			continue
		}
		value, ok := given[name]
		if !ok {
			t.Fatalf("no value for the field %s", name)
		}
		one := &caiov1.Request{}
		if err := schema.ParseJSON(fmt.Appendf(nil, `{%q: %s}`, name, value), one); err != nil {
			t.Fatal(err)
		}
		before := proto.CloneOf(one)
		if _, err := h.Engine.Decide(t.Context(), &caiov1.DecideRequest{Request: one}); err != nil {
			t.Fatal(err)
		}
		kept := h.lastTrace(t).GetRequest()
		if !proto.Equal(one, before) {
			t.Errorf("%s: the caller's request became %v", name, one)
		}
		if payload := kept.GetPayload(); (payload != nil) != (name == "intent") {
			t.Errorf("%s: the trace has the payload %v", name, payload)
		}
		merged := proto.CloneOf(kept)
		merged.Capabilities = nil // lists are appended
		proto.Merge(merged, before)
		if !proto.Equal(merged, kept) {
			t.Errorf("%s: the trace has %v", name, kept)
		}
	}
}
