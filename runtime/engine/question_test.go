package engine_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// fieldOf returns the content of the only field of that number in raw.
func fieldOf(t *testing.T, raw []byte, number protowire.Number) (content []byte) {
	t.Helper()
	found := 0
	for len(raw) > 0 {
		field, kind, n := protowire.ConsumeTag(raw)
		size := protowire.ConsumeFieldValue(field, kind, raw[max(n, 0):])
		if n < 0 || size < 0 {
			t.Fatal("no message")
		}
		if field == number {
			content, _ = protowire.ConsumeBytes(raw[n:])
			found++
		}
		raw = raw[n+size:]
	}
	if found != 1 {
		t.Fatalf("field %d stands there %d times", number, found)
	}
	return content
}

func stored(t *testing.T, h *house) *caiov1.StoredTrace {
	t.Helper()
	list, _, err := h.traces.List(t.Context(), trace.Query{Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatalf("list traces: %v, %d of them", err, len(list))
	}
	return list[0]
}

func chat(limit *int32) *caiov1.Intent {
	return &caiov1.Intent{Type: "chat", Domain: "finance", Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{
		Messages: []*caiov1.ChatMessage{{Role: "user", Content: "secret words"}}, MaxTokens: limit}}}
}

// What is recorded of a request are the bytes that the decision names by their digest, and of its intent no word.
func TestTheRecordedRequestIsWhatTheDecisionNames(t *testing.T) {
	up := upstream(t, func(int) (int, string) { return 200, `{"output":{"language":"eng"},"metadata":{"confidence":0.99}}` })
	h := newHouse(t, defaults(nil), reachable("one", up.URL, "guarantees: {accuracy: 0.9}"))
	salts := map[string]bool{}
	for name, intent := range map[string]*caiov1.Intent{
		"none": nil, "empty": {}, "chat": chat(proto.Int32(70)), "unbounded": chat(nil), "payload": request().Intent,
	} {
		req := request(func(r *caiov1.Request) { r.Intent = proto.CloneOf(intent) })
		for _, orchestrated := range []bool{false, true} {
			var result *caiov1.Result
			if orchestrated {
				answer, err := h.Orchestrate(t.Context(), &caiov1.OrchestrateRequest{Request: req}, nil)
				if err != nil {
					continue // the adapter takes no such intent; a trace there is all the same
				}
				result = answer.Result
			} else if _, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: req, ListAll: true}); err != nil {
				t.Fatal(err)
			}
			last := stored(t, h)
			kept := last.Trace
			if got := schema.Digest(fieldOf(t, last.Raw, 5)); got != kept.GetDecision().GetInputs().GetRequest() {
				t.Errorf("%s: inputs.request is %s, that of what is recorded %s", name, kept.GetDecision().GetInputs().GetRequest(), got)
			}
			if kept.GetDecision().GetListAll() == orchestrated {
				t.Errorf("%s: list_all is %v", name, kept.GetDecision().GetListAll())
			}
			if bytes.Contains(last.Raw, []byte("secret words")) {
				t.Errorf("%s: the payload stands in the trace", name)
			}
			if salts[string(kept.Salt)] || len(kept.Salt) != 16 {
				t.Errorf("%s: salt %x", name, kept.Salt)
			}
			salts[string(kept.Salt)] = true
			if result != nil {
				raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(result)
				if err != nil || kept.ResultDigest != schema.Digest(slices.Concat(kept.Salt, raw)) {
					t.Errorf("%s: result_digest is not of salt and result, %v", name, err)
				}
			}
			if intent == nil {
				if kept.Request.Payload != nil || kept.Request.Intent != nil {
					t.Errorf("%s: recorded as %v", name, kept.Request)
				}
				continue
			}
			whole := proto.CloneOf(intent)
			if name == "payload" {
				whole.Type = "payload" // as it is completed
			}
			raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			want := &caiov1.Payload{Digest: schema.Digest(slices.Concat(kept.Salt, raw)), Size: int64(len(raw))}
			if whole.GetChat() != nil {
				want.Body, want.MaxTokens = "chat", whole.GetChat().MaxTokens
			} else if whole.GetPayload() != nil {
				want.Body = "payload"
			}
			if !proto.Equal(kept.Request.Payload, want) || kept.Request.Intent.Body != nil || kept.Request.Intent.Type != whole.Type {
				t.Errorf("%s: recorded as %v, want %v", name, kept.Request, want)
			}
		}
	}
}

func TestACallerDoesNotSayWhatIsRecordedOfItsRequest(t *testing.T) {
	h := newHouse(t, defaults(nil), service("one", "privacy: {data_locality: local}"))
	forged := request(func(r *caiov1.Request) { r.Payload = &caiov1.Payload{Size: 1} })
	step := &caiov1.Step{Id: "a", Request: &caiov1.Request{Capabilities: []string{"detect"}, Payload: &caiov1.Payload{}}}
	for name, ask := range map[string]func() error{
		"decide": func() error {
			_, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: forged})
			return err
		},
		"orchestrate": func() error {
			_, err := h.Orchestrate(t.Context(), &caiov1.OrchestrateRequest{Request: forged}, nil)
			return err
		},
		"workflow": func() error {
			_, err := h.DecideWorkflow(t.Context(), &caiov1.WorkflowServiceDecideRequest{Workflow: &caiov1.Workflow{Name: "w", Steps: []*caiov1.Step{step}}})
			return err
		},
		"offline": func() error {
			_, err := engine.Decide(t.Context(), h.Snapshot(), engine.NoPast, forged, 0, false)
			return err
		},
	} {
		var e *engine.Error
		if err := ask(); !errors.As(err, &e) || e.Detail.Code != "INVALID_REQUEST" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The request is carried into the trace undecoded; what traces are found by is read off it all the same.
func TestATraceIsFoundByWhatItsRequestSays(t *testing.T) {
	h := newHouse(t, defaults(nil), service("one", "privacy: {data_locality: local}"))
	for i := range 3 {
		req := request(func(r *caiov1.Request) {
			r.Context = &caiov1.Context{RequestId: []string{"", "r1", "r2"}[i]}
			r.Principal.Tenant = []string{"acme", "umbrella", ""}[i]
		})
		answer, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: req})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range []trace.Query{{Tenant: req.Principal.Tenant, Limit: 1}, {RequestID: req.Context.RequestId, Limit: 1}} {
			if q.Tenant == "" && q.RequestID == "" {
				continue
			}
			list, _, err := h.traces.List(t.Context(), q)
			if err != nil || len(list) != 1 || list[0].GetTrace().GetTraceId() != answer.TraceId {
				t.Errorf("%+v finds %v, %v", q, list, err)
			}
		}
	}
}
