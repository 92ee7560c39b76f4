package engine

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestARequestIsRecordedInTheBytesThatProtobufWrites(t *testing.T) {
	full := &caiov1.Request{}
	if err := schema.ParseJSON([]byte(`{
		"capabilities": ["b", "a"], "match": "any", "constraints": {"requires_gpu": false}, "budget": {"max_cost": 0},
		"guarantees": {"latency": {"max": 5, "property": "p95_latency_ms"}, "accuracy": {}, "": {"boolean": true}},
		"max_latency_ms": 0, "data": {"classification": "public"}, "intent": {"type": "chat", "domain": "M365"},
		"payload": {"digest": "abc", "size": 300, "body": "chat", "max_tokens": 0},
		"principal": {"roles": ["user"]}, "context": {"attributes": {"z": 1, "a": 2}, "time": "2026-11-25T00:00:00Z"},
		"registered": {"b": {"capabilities": ["x", "y"]}, "a": {}, "": {"capabilities": [""]}}, "field": {"cutoff": 0.1}}`), full); err != nil {
		t.Fatal(err)
	}
	many := proto.CloneOf(full)
	for i := range 40 {
		many.Guarantees[fmt.Sprint("g", i)] = &caiov1.Demand{Min: proto.Float64(float64(i))}
	}
	bare := &caiov1.Request{Intent: &caiov1.Intent{}, Payload: &caiov1.Payload{}}
	requests := []*caiov1.Request{full, many, {}, bare}
	fields := full.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if !full.ProtoReflect().Has(fields.Get(i)) {
			t.Fatalf("no value for the field %s", fields.Get(i).Name())
		}
		without := proto.CloneOf(full)
		without.ProtoReflect().Clear(fields.Get(i))
		requests = append(requests, without)
	}
	var w wire.Writer
	for _, r := range requests {
		w.Reset()
		want, err := deterministic.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeRequest(&w, r, r.Payload); err != nil || !bytes.Equal(w.Bytes(), want) {
			t.Errorf("%v is written as\n%x, want\n%x, %v", r, w.Bytes(), want, err)
		}
	}
	for _, broken := range []*caiov1.Request{
		{Match: "\xff"}, {Capabilities: []string{"\xff"}}, {Guarantees: map[string]*caiov1.Demand{"\xff": {}}},
		{Registered: map[string]*caiov1.Registered{"\xff": {}}}, {Registered: map[string]*caiov1.Registered{"a": {Capabilities: []string{"\xff"}}}},
		{Guarantees: map[string]*caiov1.Demand{"a": {Property: "\xff"}}}, {Data: &caiov1.Data{Residency: "\xff"}},
	} {
		if err := writeRequest(&w, broken, nil); err == nil {
			t.Errorf("%v: no error", broken)
		}
	}
}
