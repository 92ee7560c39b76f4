package gemini_test

import (
	"encoding/json"
	"testing"

	"github.com/smarthausgroup/caio/plugins/gemini"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// Whatever a provider answers, an execution ends in a failure or in what is JSON.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`{"candidates":[{"content":{"parts":[{"text":"a","thought":true,"thoughtSignature":"s"},{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}}`,
		`{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"audio/wav","data":"AAA="}},{"toolCall":{}},{"executableCode":{"code":1}}]},"finishReason":99,"finishMessage":{}}]}`,
		`{"promptFeedback":{"blockReason":1}}`, `[{"error":1}]`, `{"embeddings":[{"values":[1]}],"predictions":[{}]}`, `{"candidates":{"0":1}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, intent := range []string{hello, `{"embedding":{"input":["x"]}}`, `{"speech":{"text":"x"}}`, `{"image":{"prompt":"x"}}`} {
			ends(t, adapter.Run(gemini.Adapter{}, ask(gemini.Adapter{}, `{"model":"m"}`, intent, false).State, &adapter.Event{Kind: adapter.KindResponse, Status: 200, Body: body}))
		}
		reply := ask(gemini.Adapter{}, `{"model":"m"}`, hello, true)
		for range 2 {
			if reply = adapter.Run(gemini.Adapter{}, reply.State, &adapter.Event{Kind: adapter.KindFrame, Data: body}); over(reply) {
				ends(t, reply)
				return
			}
		}
		ends(t, adapter.Run(gemini.Adapter{}, reply.State, &adapter.Event{Kind: adapter.KindEnd}))
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
