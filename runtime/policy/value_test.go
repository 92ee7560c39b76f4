package policy

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

var everything = &paths{all: true}

// viaJSON is the slow way to the same value: the canonical JSON form, read again.
func viaJSON(t testing.TB, m proto.Message) ast.Value {
	t.Helper()
	raw, err := schema.JSON(m)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	value, err := ast.InterfaceToValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestValuesAreTheCanonicalJSON(t *testing.T) {
	free, err := structpb.NewStruct(map[string]any{"a": []any{1, "x", nil, true, map[string]any{"b": 0.1}}, "": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	number := 0.25
	whole := int32(7)
	truth := false
	for name, m := range map[string]proto.Message{
		"nothing": &caiov1.Request{},
		"example": request(t, exampleRequest),
		"request": &caiov1.Request{
			Guarantees:  map[string]*caiov1.Demand{"größe": {Min: &number, Boolean: &truth}, "": {}},
			Constraints: &caiov1.Demands{MaxTokensPerRequest: &whole},
			Context:     &caiov1.Context{Time: &timestamppb.Timestamp{Seconds: 1763812800, Nanos: 120000000}, Attributes: free},
			Intent:      &caiov1.Intent{Body: &caiov1.Intent_Transcription{Transcription: &caiov1.Transcription{Source: &caiov1.Transcription_Audio{Audio: []byte{0, 255, 1}}}}},
		},
		"payload":  &caiov1.Request{Intent: &caiov1.Intent{Body: &caiov1.Intent_Payload{Payload: free}}},
		"result":   &caiov1.Result{Body: &caiov1.Result_Embedding{Embedding: &caiov1.EmbeddingResult{Vectors: []*caiov1.Vector{{Values: []float32{0.1, -3, 1e-20, 1e20}}, {}}}}, Metadata: free},
		"observed": &caiov1.Observed{LatencyMs: 1e300, Cost: &number},
		"contract": &caiov1.Contract{Capabilities: []*caiov1.Capability{{Type: "x", Parameters: free}}, Invariants: []*caiov1.Invariant{{Threshold: structpb.NewNumberValue(6)}}},
	} {
		got, err := valueOf(m, everything)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := viaJSON(t, m); got.Compare(want) != 0 {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got, want)
		}
	}
}

func TestTimesAreRFC3339(t *testing.T) {
	for seconds, want := range map[int64]string{0: "1970-01-01T00:00:00Z", 1763812800: "2025-11-22T12:00:00Z"} {
		v, err := valueOf(&caiov1.Context{Time: &timestamppb.Timestamp{Seconds: seconds}}, everything)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.(ast.Object).Get(ast.StringTerm("time")); got == nil || got.Value.Compare(ast.String(want)) != 0 {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

func TestWhatCannotBeComparedIsAnError(t *testing.T) {
	deep := structpb.NewBoolValue(true)
	for range maxDepth + 1 {
		deep = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{deep}})
	}
	for name, req := range map[string]*caiov1.Request{
		"NaN":          {MaxLatencyMs: proto.Float64(math.NaN())},
		"infinity":     {Budget: &caiov1.Budget{MaxCost: math.Inf(1)}},
		"free NaN":     {Context: &caiov1.Context{Attributes: &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewNumberValue(math.NaN())}}}},
		"bad text":     {Match: "\xff"},
		"bad key":      {Guarantees: map[string]*caiov1.Demand{"\xff": {}}},
		"bad free key": {Context: &caiov1.Context{Attributes: &structpb.Struct{Fields: map[string]*structpb.Value{"\xff": nil}}}},
		"time":         {Context: &caiov1.Context{Time: &timestamppb.Timestamp{Seconds: math.MaxInt64}}},
		"depth":        {Context: &caiov1.Context{Attributes: &structpb.Struct{Fields: map[string]*structpb.Value{"a": deep}}}},
	} {
		if v, err := valueOf(req, everything); err == nil {
			t.Errorf("%s became %v", name, v)
		}
	}
}

func TestOnlyWhatPoliciesReadIsPrepared(t *testing.T) {
	req := request(t, exampleRequest)
	s := load(t, "a.rego", `package caio.routing.a

import input.request as req

deny contains "x" if {
	input.request.intent.type == "chat"
	some d in input.request.guarantees
	d.min > 3
	p := req.principal
	p.trust_level < 0
}
`)
	v, err := valueOf(req, s.read.under("request"))
	if err != nil {
		t.Fatal(err)
	}
	text := v.String()
	for _, there := range []string{`"type": "language_detection"`, `"min": 0.9`, `"trust_level": 5`} {
		if !strings.Contains(text, there) {
			t.Errorf("%s is missing: %s", there, text)
		}
	}
	for _, away := range []string{"secret payload", "residency", "priority"} {
		if strings.Contains(text, away) {
			t.Errorf("%s is there: %s", away, text)
		}
	}
	whole := load(t, "a.rego", "package caio.routing.a\n\ndeny contains \"x\" if contains(json.marshal(input.request), \"secret\")\n")
	if v := route(t, whole, req, `{}`); len(v.Rule) != 1 {
		t.Error("a rule that reads the whole request does not see the payload")
	}
	anything := load(t, "a.rego", "package caio.routing.a\n\ndeny contains \"x\" if { some name; contains(json.marshal(input[name]), \"secret\") }\n")
	if v := route(t, anything, req, `{}`); len(v.Rule) != 1 {
		t.Error("a rule that reads by a variable does not see the payload")
	}
}

func TestFactsMustBeOneObject(t *testing.T) {
	for _, text := range []string{"", "null", "[]", `"x"`, "{} {}", `{"a": }`, "{\"a\": \"\xff\"}", `{"a": 1`} {
		if _, err := NewFacts([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	f := facts(t, `{"n": 12345678901234567890.123456789, "big": 1e999}`)
	if got := f.service.Value.String(); !strings.Contains(got, "12345678901234567890.123456789") || !strings.Contains(got, "1e999") {
		t.Errorf("digits were lost: %s", got)
	}
}

// Whatever JSON a request is, policies see exactly its canonical form.
func FuzzValuesAreTheCanonicalJSON(f *testing.F) {
	f.Add([]byte(exampleRequest))
	f.Add([]byte(`{"intent": {"chat": {"messages": [{"role": "user", "content": "hi", "parts": [{"data": "AAE="}]}], "temperature": 0.1, "response_schema": {"a": [1e3, -0]}}}}`))
	f.Add([]byte(`{"guarantees": {"": {"min": -0.0}, "ü": {"max": 1e-320}}, "context": {"time": "0001-01-01T00:00:00Z", "attributes": {"a": {"b": [[[]]]}}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		req := &caiov1.Request{}
		if schema.ParseJSON(raw, req) != nil {
			return
		}
		want, err := schema.JSON(req)
		got, valueErr := valueOf(req, everything)
		if (err != nil) != (valueErr != nil) && !strings.Contains(valueErr.Error(), "nested") {
			t.Fatalf("JSON: %v; value: %v", err, valueErr)
		}
		if err == nil && valueErr == nil && got.Compare(viaJSON(t, req)) != 0 {
			t.Fatalf("got  %v\nwant %s", got, want)
		}
	})
}

func FuzzFactsNeverPanic(f *testing.F) {
	f.Add([]byte(exampleService))
	f.Add([]byte(`{"a": 1e999999999, "a": 2}`))
	s := defaults(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		facts, err := NewFacts(raw)
		if err != nil {
			return
		}
		verdicts, err := s.Route(t.Context(), request(t, exampleRequest), []*Facts{facts})
		if err != nil || len(verdicts) != 1 {
			t.Fatalf("%v, %v", verdicts, err)
		}
		for _, r := range append(verdicts[0].Rule, verdicts[0].Security...) {
			if _, err := proto.Marshal(r); err != nil {
				t.Fatal(err)
			}
		}
	})
}
