package openai_test

import (
	"encoding/json"
	"testing"

	"github.com/smarthausgroup/caio/plugins/openai"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

const hello = `{"type":"chat","chat":{"messages":[{"role":"user","content":"Hi"}]}}`

func begin(t *testing.T, intent string, stream bool) adapter.Reply {
	t.Helper()
	reply := adapter.Run(openai.New(openai.OpenAI()), nil, &adapter.Event{Kind: adapter.KindStart, Stream: stream, Intent: []byte(intent),
		Contract: []byte(`{"service_id":"s","base_url":"https://api.example.com","endpoints":[],"settings":{"model":"m"}}`)})
	if len(reply.Actions) != 1 || reply.Actions[0].Kind != adapter.ActionHTTP {
		t.Fatalf("start: %+v", reply)
	}
	return reply
}

func respond(state []byte, status int, body []byte) adapter.Reply {
	return adapter.Run(openai.New(openai.OpenAI()), state, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: body})
}

// play runs a stream; the pieces of text that were emitted are put together.
func play(t *testing.T, settings string, list []string) (text string, last adapter.Reply) {
	t.Helper()
	reply := adapter.Run(openai.New(openai.OpenAI()), nil, &adapter.Event{Kind: adapter.KindStart, Stream: true, Intent: []byte(hello),
		Contract: []byte(`{"base_url":"https://x","settings":` + settings + `}`)})
	if reply.Actions[0].Framing != "sse" {
		t.Fatalf("start: %+v", reply)
	}
	reply = respond(reply.State, 200, nil)
	events := []adapter.Event{}
	for _, data := range list {
		events = append(events, adapter.Event{Kind: adapter.KindFrame, Data: []byte(data)})
	}
	for _, ev := range append(events, adapter.Event{Kind: adapter.KindEnd}) {
		reply = adapter.Run(openai.New(openai.OpenAI()), reply.State, &ev)
		for _, a := range reply.Actions {
			switch a.Kind {
			case adapter.ActionDone, adapter.ActionFail:
				return text, reply
			case adapter.ActionEmit:
				var delta struct{ Text string }
				if err := json.Unmarshal(a.Data, &delta); err != nil {
					t.Fatalf("%s: %v", a.Data, err)
				}
				text += delta.Text
			}
		}
	}
	t.Fatal("the stream had no end")
	return "", reply
}
