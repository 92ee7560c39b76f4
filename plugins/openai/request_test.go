package openai_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/openai"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// ask starts an execution and returns its only action.
func ask(settings, intent string, stream bool) adapter.Action {
	contract := `{"service_id":"s","base_url":"https://api.example.com","endpoints":[],"settings":` + settings + `}`
	return adapter.Run(openai.New(openai.OpenAI()), nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(contract), Stream: stream}).Actions[0]
}

func Example() {
	call := ask(`{"models":["small","large"]}`, `{"type":"chat","chat":{"model":"","messages":[{"role":"user","content":"Bonjour"}],"temperature":0}}`, false)
	fmt.Println(call.Method, call.URL)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://api.example.com/v1/chat/completions
	// {"model":"small","messages":[{"role":"user","content":"Bonjour"}],"temperature":0}
}

func TestEveryParameterIsSaid(t *testing.T) {
	// In the host's canonical form: every scalar and list is there, even when empty.
	intent := `{"domain":"","type":"chat","chat":{"max_tokens":9,"messages":[
		{"content":"be brief","parts":[],"role":"system","tool_call_id":"","tool_calls":[]},
		{"content":"see","parts":[{"media_type":"image/png","data":"aGk="},{"media_type":"","url":"https://x/a.jpg"},{"media_type":"text/plain","text":"and"},{"media_type":"audio/wav","data":"AA=="},{"media_type":"application/pdf","data":"JVBERg=="}],"role":"user","tool_call_id":"","tool_calls":[]},
		{"content":"","parts":[],"role":"assistant","tool_call_id":"","tool_calls":[{"id":"c","name":"f","arguments":"{\"a\": 1}"}]},
		{"content":"","parts":[],"role":"tool","tool_call_id":"c","tool_calls":[]}],
		"model":"","response_schema":{"type":"object"},"seed":0,"stop":["a","b"],"temperature":0.25,"tools":[{"description":"","name":"f","parameters":{"type":"object"}},{"description":"d","name":"g"}],"top_p":1}}`
	call := ask(`{"model":"m","path_prefix":"api/v2/","extra_body":{"reasoning_effort":"low"}}`, intent, true)
	want := `{"model":"m","max_tokens":9,"messages":[{"role":"system","content":"be brief"},` +
		`{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}},{"type":"image_url","image_url":{"url":"https://x/a.jpg"}},` +
		`{"type":"text","text":"and"},{"type":"input_audio","input_audio":{"data":"AA==","format":"wav"}},{"type":"file","file":{"filename":"file.pdf","file_data":"data:application/pdf;base64,JVBERg=="}}]},` +
		`{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]},` +
		`{"role":"tool","content":"","tool_call_id":"c"}],` +
		`"response_format":{"type":"json_schema","json_schema":{"name":"response","schema":{"type":"object"},"strict":true}},"seed":0,"stop":["a","b"],"temperature":0.25,` +
		`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}},{"type":"function","function":{"name":"g","description":"d"}}],"top_p":1,` +
		`"stream":true,"stream_options":{"include_usage":true},"reasoning_effort":"low"}`
	if string(call.Body) != want || call.URL != "https://api.example.com/api/v2/chat/completions" || call.Framing != "sse" {
		t.Errorf("%s, framing %q\n%s\nwant\n%s", call.URL, call.Framing, call.Body, want)
	}
}

func TestWhereTheServerIs(t *testing.T) {
	for base, want := range map[string]string{
		"https://api.openai.com":                   "https://api.openai.com/v1",
		"https://api.openai.com/v1/":               "https://api.openai.com/v1",
		"https://api.groq.com/openai":              "https://api.groq.com/openai/v1",
		"https://g.example.com/v1beta/openai":      "https://g.example.com/v1beta/openai/v1",
		"https://g.example.com/api/paas/v4":        "https://g.example.com/api/paas/v4",
		"http://127.0.0.1:11434":                   "http://127.0.0.1:11434/v1",
		"https://v1.example.com":                   "https://v1.example.com/v1",
		"https://x.example.com/vector":             "https://x.example.com/vector/v1",
		"https://x.example.com/compatible-mode/v1": "https://x.example.com/compatible-mode/v1",
	} {
		reply := adapter.Run(openai.New(openai.OpenAI()), nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(hello),
			Contract: []byte(`{"base_url":"` + base + `","settings":{"model":"m"}}`)})
		if got := reply.Actions[0].URL; got != want+"/chat/completions" {
			t.Errorf("%s: %s", base, got)
		}
	}
}

func TestWhatIsRefusedIsNamed(t *testing.T) {
	user := func(part string) string {
		return `{"chat":{"messages":[{"role":"user","content":"x"},{"role":"user","parts":[` + part + `]}]}}`
	}
	for name, row := range map[string]struct{ settings, intent, says string }{
		"no model":          {`{}`, hello, "chat.model: neither"},
		"unknown setting":   {`{"modell":"m"}`, hello, "adapter.settings.modell is not known"},
		"setting's type":    {`{"model":3}`, hello, "adapter.settings.model has the wrong type"},
		"clash":             {`{"model":"m","extra_body":{"model":"n"}}`, hello, "extra_body.model is what the request itself says"},
		"other intent":      {`{"model":"m"}`, `{"type":"search","search":{"query":"q"}}`, "intent.search: this adapter does chat, embedding, code, speech"},
		"no intent":         {`{"model":"m"}`, `{"type":"chat"}`, "intent: it has no body"},
		"later parameter":   {`{"model":"m"}`, `{"chat":{"messages":[{"role":"user","content":"x"}],"top_k":5}}`, "chat.top_k: "},
		"later field":       {`{"model":"m"}`, `{"chat":{"messages":[{"role":"user","content":"x","mood":"n"}]}}`, "chat.messages[0].mood: "},
		"later tool field":  {`{"model":"m"}`, `{"chat":{"messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","strict":true}]}}`, "chat.tools[0].strict: "},
		"video":             {`{"model":"m"}`, user(`{"media_type":"video/mp4","data":"AA=="}`), "chat.messages[1].parts[0].media_type: "},
		"audio by URL":      {`{"model":"m"}`, user(`{"media_type":"audio/wav","url":"https://x"}`), "chat.messages[1].parts[0].url: "},
		"empty part":        {`{"model":"m"}`, user(`{"media_type":"image/png"}`), "!chat.messages[1].parts[0]: "},
		"assistant's image": {`{"model":"m"}`, `{"chat":{"messages":[{"role":"assistant","parts":[{"media_type":"image/png","data":"AA=="}]}]}}`, "chat.messages[0].parts[0]: only a user's"},
		"tool without call": {`{"model":"m"}`, `{"chat":{"messages":[{"role":"tool","content":"x"}]}}`, "!chat.messages[0].tool_call_id: "},
		"user with call":    {`{"model":"m"}`, `{"chat":{"messages":[{"role":"user","content":"x","tool_call_id":"c"}]}}`, "!chat.messages[0].tool_call_id: "},
		"user calls":        {`{"model":"m"}`, `{"chat":{"messages":[{"role":"user","content":"x","tool_calls":[{"id":"c","name":"f","arguments":"{}"}]}]}}`, "!chat.messages[0].tool_calls: "},
		"embedding":         {`{"model":"m"}`, `{"embedding":{"input":["x"],"task":"query"}}`, "embedding.task: "},
	} {
		a, code := ask(row.settings, row.intent, false), adapter.TransformationFailed
		says, senseless := strings.CutPrefix(row.says, "!")
		if senseless { // whoever is asked
			code = adapter.InvalidRequest
		}
		if a.Kind != adapter.ActionFail || a.Code != code || !strings.Contains(a.Message, says) || a.Retryable == senseless {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestSettingsForServersThatDiffer(t *testing.T) {
	intent := `{"chat":{"messages":[{"role":"user","content":"x"}],"max_tokens":3,"response_schema":{}}}`
	call := ask(`{"model":"m","max_tokens_field":"max_completion_tokens","strict_schema":false,"stream_usage":false,"path_prefix":""}`, intent, true)
	want := `{"model":"m","messages":[{"role":"user","content":"x"}],"max_completion_tokens":3,"response_format":{"type":"json_schema","json_schema":{"name":"response","schema":{},"strict":false}},"stream":true}`
	if string(call.Body) != want || call.URL != "https://api.example.com/chat/completions" {
		t.Errorf("%s %s", call.URL, call.Body)
	}
}
