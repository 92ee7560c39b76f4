package palm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/plugins/palm"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string) *play.Play {
	return play.Begin(palm.Adapter{}, "https://api.example.com", settings, intent, true)
}

func Example() {
	call := begin(`{"models":["chat-bison-001"]}`, `{"chat":{"messages":[{"role":"user","content":"Bonjour"}],"temperature":0}}`).Last()
	fmt.Println(call.Method, call.URL)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://api.example.com/v1beta2/models/chat-bison-001:generateMessage
	// {"prompt":{"messages":[{"author":"0","content":"Bonjour"}]},"temperature":0}
}

func TestWhatIsAsked(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, url, body string }{
		"conversation": {`{"extra_body":{"candidateCount":1}}`, `{"chat":{"model":"models/m","messages":[{"role":"system","content":"be brief"},{"role":"system","parts":[{"text":"and kind"}]},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}],"top_p":0.5,"top_k":3,"stop":[],"tools":[]}}`,
			"m:generateMessage", `{"prompt":{"context":"be brief\nand kind","messages":[{"author":"0","content":"a"},{"author":"1","content":"b"},{"author":"0","content":"c"}]},"topP":0.5,"topK":3,"candidateCount":1}`},
		"text by name":    {`{"model":"text-bison-001"}`, `{"chat":{"messages":[{"role":"user","content":"a"}],"max_tokens":5,"stop":["x"],"temperature":1}}`, "text-bison-001:generateText", `{"prompt":{"text":"a"},"maxOutputTokens":5,"stopSequences":["x"],"temperature":1}`},
		"text by setting": {`{"model":"m","method":"text"}`, `{"chat":{"messages":[{"role":"user","content":"a"}]}}`, "m:generateText", `{"prompt":{"text":"a"}}`},
		"vector":          {`{"model":"m"}`, `{"embedding":{"input":["a"]}}`, "m:embedText", `{"text":"a"}`},
	} {
		a := begin(row.settings, row.intent).Last()
		if a.URL != "https://api.example.com/v1beta2/models/"+row.url || string(a.Body) != row.body || a.Framing != "" {
			t.Errorf("%s: %s %s %s", name, a.URL, a.Body, a.Message)
		}
	}
}

func TestWhatIsRefusedIsNamed(t *testing.T) {
	with := func(rest string) string {
		return `{"chat":{"messages":[{"role":"user","content":"x"}],` + rest + `}}`
	}
	then := func(rest string) string {
		return `{"chat":{"messages":[{"role":"user","content":"x"},` + rest + `]}}`
	}
	for name, row := range map[string]struct{ settings, intent, says string }{
		"no model":        {`{}`, with(`"top_k":1`), "chat.model: neither"},
		"unknown setting": {`{"modell":"m"}`, with(`"top_k":1`), "adapter.settings.modell is not known"},
		"method":          {`{"method":"m"}`, with(`"top_k":1`), "adapter.settings.method is neither"},
		"clash":           {`{"model":"m","extra_body":{"prompt":{}}}`, with(`"top_k":1`), "adapter.settings.extra_body.prompt is what"},
		"hot":             {`{"model":"m"}`, with(`"temperature":1.5`), "chat.temperature: it is 1.5"},
		"length":          {`{"model":"m"}`, with(`"max_tokens":1`), "chat.max_tokens: "},
		"stop":            {`{"model":"m"}`, with(`"stop":["x"]`), "chat.stop: "},
		"tools":           {`{"model":"m"}`, with(`"tools":[{"name":"f"}]`), "chat.tools: "},
		"seed":            {`{"model":"m"}`, with(`"seed":1`), "chat.seed: "},
		"schema":          {`{"model":"m"}`, with(`"response_schema":{"type":"object"}`), "chat.response_schema: "},
		"image":           {`{"model":"m"}`, then(`{"role":"user","parts":[{"media_type":"image/png","data":"AA=="}]}`), "chat.messages[1].parts[0]: "},
		"name":            {`{"model":"m"}`, then(`{"role":"user","content":"x","name":"n"}`), "chat.messages[1].name: "},
		"thoughts":        {`{"model":"m"}`, then(`{"role":"assistant","content":"x","thoughts":[{"text":"y"}]}`), "chat.messages[1].thoughts: "},
		"tool's answer":   {`{"model":"m"}`, then(`{"role":"tool","content":"x","tool_call_id":"1"}`), "chat.messages[1]: "},
		"late system":     {`{"model":"m"}`, then(`{"role":"system","content":"x"}`), "chat.messages[1]: "},
		"text of two":     {`{"model":"text-m"}`, then(`{"role":"assistant","content":"x"}`), "chat.messages: "},
		"two texts":       {`{"model":"m"}`, `{"embedding":{"input":["x","y"]}}`, "embedding.input: "},
		"no text":         {`{"model":"m"}`, `{"embedding":{"input":[]}}`, "embedding.input: "},
		"dimensions":      {`{"model":"m"}`, `{"embedding":{"input":["x"],"dimensions":3}}`, "embedding.dimensions: "},
	} {
		if a := begin(row.settings, row.intent).Last(); a.Kind != adapter.ActionFail || !strings.HasPrefix(a.Message, row.says) {
			t.Errorf("%s: %+v %s", name, a, a.Body)
		}
	}
}

func TestAnswers(t *testing.T) {
	hello := `{"unsupported":"warn","chat":{"messages":[{"role":"user","content":"x"}],"seed":1}}`
	warned := `,"warnings":[{"parameter":"chat.seed","message":"the API has no such parameter"}]}`
	for name, row := range map[string]struct {
		status             int
		body, want, reason string
	}{
		"message":      {200, `{"candidates":[{"author":"1","content":"Hi","citationMetadata":{"citationSources":[]}}]}`, `{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"},"metadata":{"citations":{"citationSources":[]}}` + warned, ""},
		"text":         {200, `{"candidates":[{"output":"Hi"}]}`, `{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}` + warned, ""},
		"vector":       {200, `{"embedding":{"value":[1,2.50]}}`, `{"embedding":{"vectors":[{"values":[1,2.50]}]}` + warned, ""},
		"no numbers":   {200, `{"embedding":{"value":["x"]}}`, "more than numbers", ""},
		"filtered":     {200, `{"filters":[{"reason":"SAFETY","message":"no"}]}`, `content filter refused: "SAFETY" no`, adapter.ContentFiltered},
		"nothing":      {200, `{}`, "no candidates", ""},
		"inside a 200": {200, `{"error":{"message":"boom"}}`, "boom", ""},
		"not JSON":     {200, `oops`, "not JSON", ""},
		"shut down":    {404, `{"error":{"message":"models/x is not found"}}`, "is not found", adapter.ModelNotFound},
	} {
		a := begin(`{"model":"m"}`, hello).Respond(row.status, "application/json", row.body)
		if got := string(a.Data) + a.Message; got != row.want && (a.Kind != adapter.ActionFail || !strings.Contains(got, row.want)) || a.Reason != row.reason {
			t.Errorf("%s: %s (%s), want %s", name, got, a.Reason, row.want)
		}
	}
}
