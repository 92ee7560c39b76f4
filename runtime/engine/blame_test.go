package engine_test

import (
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestARequestThatMakesNoSenseIsNoFaultOfTheService: else any caller could spoil a service's record, and with it what
// is decided for all others.
func TestARequestThatMakesNoSenseIsNoFaultOfTheService(t *testing.T) {
	for _, row := range []struct {
		name     string
		status   int
		text     string // in the payload; empty: none
		failures float64
	}{
		{"the adapter finds nothing to send", 200, "", 0},
		{"the service refuses this request", 400, "words", 0},
		{"the service refuses this request's words", 422, "words", 0},
		{"the service is out of order", 500, "words", 1},
		{"the service has another contract than we think", 404, "words", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			status := row.status
			up := upstream(t, func(int) (int, string) { return status, `{"output":{}}` })
			h := newHouse(t, defaults(nil), service("one", "privacy: {data_locality: local}\napi: {protocol: http, base_url: \""+up.URL+"\"}\n"+
				`adapter: {plugin: http, settings: {path: /, output: /output, body: {text: "{{/payload/text}}"}}}`))
			asked := request(func(r *caiov1.Request) {
				payload := &structpb.Struct{Fields: map[string]*structpb.Value{}}
				if row.text != "" {
					payload.Fields["text"] = structpb.NewStringValue(row.text)
				}
				r.Intent = &caiov1.Intent{Body: &caiov1.Intent_Payload{Payload: payload}}
			})
			if _, err := orchestrate(h, t.Context(), asked); err == nil {
				t.Fatal("answered")
			}
			if trace := h.lastTrace(t); trace.Status != "failed" || len(trace.Attempts) != 1 || trace.Attempts[0].Outcome != "failed" {
				t.Errorf("the failure is not in the trace: %v", trace)
			}
			answer, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: request()})
			if err != nil {
				t.Fatal(err)
			}
			if got := answer.GetDecision().GetCandidates()[0].GetHistory().GetFailures(); got != row.failures {
				t.Errorf("%v failures in the history, want %v", got, row.failures)
			}
		})
	}
}
