package cohere_test

import (
	"encoding/json"
	"testing"

	"github.com/smarthausgroup/caio/plugins/cohere"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// Whatever a provider answers, an execution ends in a failure or in what is JSON.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`{"id":"i","message":{"content":[{"type":"thinking","thinking":"a"},{"type":"text","text":1}],"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}],"citations":{"a":1}},"finish_reason":"TOOL_CALL","usage":{"tokens":{"input_tokens":1.5}}}`,
		`{"type":"tool-call-delta","index":-1,"delta":{"message":{"tool_calls":{"function":{"arguments":"x"}}}}}`, `{"type":"message-end","delta":{"finish_reason":1,"error":"x"}}`, `{"event":"x","data":{"type":"citation-start","delta":{"message":{"citations":[1]}}}}`,
		`data: {"event_type":"tool-calls-chunk","tool_call_delta":{"index":70000,"name":"f"}}`, `{"event_type":"stream-end","response":{"tool_calls":[1,{"parameters":[]}]}}`, `event: x`,
		`{"text":"a","tool_calls":{}}`, `{"embeddings":{"float":[[1]]}}`, `{"results":[{"index":0,"relevance_score":1}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, settings := range []string{`{"model":"m"}`, `{"model":"m","api":"v1"}`} {
			for _, intent := range []string{hello, `{"embedding":{"input":["x"]}}`, `{"rerank":{"query":"q","documents":["x"]}}`} {
				ends(t, adapter.Run(cohere.Adapter{}, ask(settings, intent, false).State, &adapter.Event{Kind: adapter.KindResponse, Status: 200, Body: body}))
			}
			reply := ask(settings, hello, true)
			for range 2 {
				if !over(reply) || reply.Actions[0].Kind == adapter.ActionHTTP {
					reply = adapter.Run(cohere.Adapter{}, reply.State, &adapter.Event{Kind: adapter.KindFrame, Data: body})
				}
			}
			if !over(reply) {
				reply = adapter.Run(cohere.Adapter{}, reply.State, &adapter.Event{Kind: adapter.KindEnd})
			}
			ends(t, reply)
		}
	})
}

func over(reply adapter.Reply) bool {
	n := len(reply.Actions)
	return n > 0 && reply.Actions[n-1].Kind != adapter.ActionEmit
}

func ends(t *testing.T, reply adapter.Reply) {
	t.Helper()
	if !over(reply) {
		t.Fatalf("it did not end: %+v", reply)
	}
	for _, a := range reply.Actions {
		if a.Kind != adapter.ActionFail && !json.Valid(a.Data) {
			t.Fatalf("no JSON: %q", a.Data)
		}
	}
}
