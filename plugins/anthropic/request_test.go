package anthropic_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/anthropic"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// ask starts an execution and returns its only action, and the state.
func ask(settings, intent string, stream bool) (adapter.Action, []byte) {
	contract := `{"service_id":"s","base_url":"https://api.example.com","endpoints":[],"settings":` + settings + `}`
	reply := adapter.Run(anthropic.Adapter{}, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(contract), Stream: stream})
	return reply.Actions[0], reply.State
}

func Example() {
	call, _ := ask(`{"model":"claude"}`, `{"chat":{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Bonjour"}],"temperature":0}}`, false)
	fmt.Println(call.Method, call.URL)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://api.example.com/v1/messages
	// {"model":"claude","system":[{"type":"text","text":"Be brief."}],"messages":[{"role":"user","content":[{"type":"text","text":"Bonjour"}]}],"temperature":0,"max_tokens":4096}
}

// body asks and returns the body without its messages, model and, where it is the default, max_tokens.
func body(t *testing.T, settings, rest string) string {
	t.Helper()
	call, _ := ask(settings, `{"chat":{"model":"m","messages":[{"role":"user","content":"x"}]`+rest+`}}`, false)
	if call.Kind != adapter.ActionHTTP {
		t.Errorf("%s: %+v", rest, call)
		return ""
	}
	text := strings.TrimPrefix(string(call.Body), `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],`)
	return strings.TrimPrefix(strings.TrimPrefix(text, `"max_tokens":4096`), ",")
}

func TestEveryParameterIsSaid(t *testing.T) {
	for name, row := range map[string]struct{ settings, rest, want string }{
		"nothing":         {`{}`, ``, `}`},
		"sampling":        {`{}`, `,"temperature":1,"top_p":0.5,"top_k":3,"stop":["a"],"max_tokens":7`, `"temperature":1,"top_p":0.5,"top_k":3,"stop_sequences":["a"],"max_tokens":7}`},
		"says nothing":    {`{}`, `,"tools":[],"stop":[],"tool_choice":"","json_object":false`, `}`},
		"tools":           {`{}`, `,"tools":[{"name":"f","description":"d","parameters":{"type":"object","x":1}},{"name":"g"}]`, `"tools":[{"name":"f","description":"d","input_schema":{"type":"object","x":1}},{"name":"g","input_schema":{"type":"object"}}]}`},
		"schema untyped":  {`{}`, `,"tools":[{"name":"f","parameters":{"properties":{}}}]`, `"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}}]}`},
		"required":        {`{}`, `,"tools":[{"name":"f"}],"tool_choice":"required"`, `"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}}`},
		"named":           {`{}`, `,"tools":[{"name":"f"}],"tool_choice":"f","parallel_tool_calls":true`, `"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":false}}`},
		"none":            {`{}`, `,"tools":[{"name":"f"}],"tool_choice":"none","parallel_tool_calls":false`, `"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"none"}}`},
		"one at a time":   {`{}`, `,"tools":[{"name":"f"}],"parallel_tool_calls":false`, `"tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`},
		"no tools":        {`{}`, `,"tool_choice":"auto","parallel_tool_calls":false`, `}`},
		"schema":          {`{}`, `,"response_schema":{"type":"object"}`, `"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}`},
		"schema by tool":  {`{"schema_as":"tool"}`, `,"response_schema":{"type":"object","a":1}`, `"tools":[{"name":"json_answer","description":"Gives the answer.","input_schema":{"type":"object","a":1}}],"tool_choice":{"type":"tool","name":"json_answer","disable_parallel_tool_use":true}}`},
		"schema or tool":  {`{"schema_as":"tool"}`, `,"response_schema":{"type":"object"},"tools":[{"name":"f"}],"tool_choice":"auto"`, `"tools":[{"name":"f","input_schema":{"type":"object"}},{"name":"json_answer","description":"Gives the answer.","input_schema":{"type":"object"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true}}`},
		"JSON":            {`{}`, `,"json_object":true`, `"tools":[{"name":"json_answer","description":"Gives the answer.","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"json_answer","disable_parallel_tool_use":true}}`},
		"effort":          {`{}`, `,"reasoning":{"effort":"high"},"response_schema":{}`, `"thinking":{"type":"adaptive"},"output_config":{"effort":"high","format":{"type":"json_schema","schema":{}}}}`},
		"no thought":      {`{}`, `,"reasoning":{"effort":"none"}`, `"thinking":{"type":"disabled"}}`},
		"0 tokens":        {`{}`, `,"reasoning":{"max_tokens":0}`, `"thinking":{"type":"disabled"}}`},
		"tokens":          {`{}`, `,"reasoning":{"max_tokens":2000}`, `"max_tokens":6096,"thinking":{"type":"enabled","budget_tokens":2000}}`},
		"tokens of these": {`{}`, `,"reasoning":{"max_tokens":2000},"max_tokens":3000`, `"max_tokens":3000,"thinking":{"type":"enabled","budget_tokens":2000}}`},
		"budget":          {`{"thinking":"budget","max_tokens":100}`, `,"reasoning":{"effort":"medium"}`, `"max_tokens":8292,"thinking":{"type":"enabled","budget_tokens":8192}}`},
		"small budget":    {`{"thinking":"budget"}`, `,"reasoning":{"effort":"high"},"max_tokens":4000`, `"max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000}}`},
		"extra":           {`{"extra_body":{"service_tier":"auto"}}`, ``, `"service_tier":"auto"}`},
	} {
		if got := body(t, row.settings, row.rest); got != row.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, row.want)
		}
	}
}

func TestAConversationIsHandedOn(t *testing.T) {
	intent := `{"chat":{"messages":[{"role":"system","content":"s","parts":[{"text":"t"}]},
		{"role":"user","content":"see","parts":[{"url":"data:image/png;base64,aGk="},{"media_type":"","url":"https://x/a"},{"media_type":"application/pdf","url":"https://x/b.pdf","name":"b"},
			{"media_type":"application/pdf","data":"JVBERg=="},{"media_type":"text/csv","data":"YSxi","name":"c.csv"},{"text":"long","name":"d.txt"},{"text":"and"}]},
		{"role":"assistant","content":"I look","thoughts":[{"text":"hm","signature":"sig"},{"redacted":"xyz"},{"signature":"bare"}],"tool_calls":[{"id":"functions.f:0","name":"f","arguments":"{\"a\": 1}"},{"id":"","name":"g","arguments":""}]},
		{"role":"tool","tool_call_id":"functions.f:0","content":"sun","name":"f"},
		{"role":"tool","tool_call_id":"g","content":"","parts":[{"text":"pic"},{"media_type":"image/jpeg","data":"AA=="}]},
		{"role":"user","content":"so?"}]}}`
	call, _ := ask(`{"model":"m","betas":["one","two"],"version":"v"}`, intent, true)
	want := `{"model":"m","system":[{"type":"text","text":"s"},{"type":"text","text":"t"}],"messages":[{"role":"user","content":[{"type":"text","text":"see"},` +
		`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}},{"type":"image","source":{"type":"url","url":"https://x/a"}},` +
		`{"type":"document","source":{"type":"url","url":"https://x/b.pdf"},"title":"b"},{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERg=="}},` +
		`{"type":"document","source":{"type":"text","media_type":"text/plain","data":"a,b"},"title":"c.csv"},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"long"},"title":"d.txt"},` +
		`{"type":"text","text":"and"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"xyz"},{"type":"thinking","thinking":"","signature":"bare"},` +
		`{"type":"text","text":"I look"},{"type":"tool_use","id":"functions_f_0","name":"f","input":{"a": 1}},{"type":"tool_use","id":"g","name":"g","input":{}}]},` +
		`{"role":"user","content":[{"type":"tool_result","tool_use_id":"functions_f_0","content":"sun"},{"type":"tool_result","tool_use_id":"g","content":[{"type":"text","text":"pic"},` +
		`{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AA=="}}]},{"type":"text","text":"so?"}]}],"max_tokens":4096,"stream":true}`
	if string(call.Body) != want || call.Framing != "sse" {
		t.Errorf("%+v\n%s\nwant\n%s", call, call.Body, want)
	}
	headers := map[string]string{}
	for _, h := range call.Headers {
		headers[h.Name] = h.Value
	}
	if headers["anthropic-version"] != "v" || headers["anthropic-beta"] != "one,two" {
		t.Errorf("headers %v", headers)
	}
}

// refusals are requests that Anthropic's API has no way to say, with what is named.
var refusals = map[string]struct{ chat, names string }{
	"seed":            {`"seed":0`, "chat.seed: "},
	"penalty":         {`"frequency_penalty":0.5`, "chat.frequency_penalty: "},
	"hot":             {`"temperature":1.5`, "chat.temperature: the API takes 0 to 1"},
	"few thoughts":    {`"reasoning":{"max_tokens":100}`, "chat.reasoning.max_tokens: "},
	"too much":        {`"reasoning":{"max_tokens":5000},"max_tokens":5000`, "chat.reasoning.max_tokens: "},
	"minimal":         {`"reasoning":{"effort":"minimal"}`, "chat.reasoning.effort: "},
	"later parameter": {`"verbosity":"low"`, "chat.verbosity: "},
	"later tool":      {`"tools":[{"name":"f","strict":true}]`, "chat.tools[0].strict: "},
	"late system":     {`"messages":[{"role":"user","content":"x"},{"role":"system","content":"y"}]`, "chat.messages[1].role: "},
	"nothing said":    {`"messages":[{"role":"user","content":"x"},{"role":"assistant","content":""}]`, "chat.messages[1].content: "},
	"speaker":         {`"messages":[{"role":"user","content":"x","name":"n"}]`, "chat.messages[0].name: "},
	"unsigned":        {`"messages":[{"role":"assistant","content":"x","thoughts":[{"text":"t"}]}]`, "chat.messages[0].thoughts[0]: "},
	"signed call":     {`"messages":[{"role":"assistant","content":"x","tool_calls":[{"id":"c","name":"f","arguments":"{}","signature":"s"}]}]`, "chat.messages[0].tool_calls[0].signature: "},
	"audio":           {`"messages":[{"role":"user","content":"x","parts":[{"media_type":"audio/wav","data":"AA=="}]}]`, "chat.messages[0].parts[0].media_type: "},
	"web page":        {`"messages":[{"role":"user","content":"x","parts":[{"media_type":"text/html","url":"https://x"}]}]`, "chat.messages[0].parts[0].url: "},
	"named picture":   {`"messages":[{"role":"user","content":"x","parts":[{"media_type":"image/png","data":"AA==","name":"n"}]}]`, "chat.messages[0].parts[0].name: "},
	"drawn":           {`"messages":[{"role":"assistant","content":"x","parts":[{"media_type":"image/png","data":"AA=="}]}]`, "chat.messages[0].parts[0]: "},
	"system's image":  {`"messages":[{"role":"system","parts":[{"media_type":"image/png","data":"AA=="}]},{"role":"user","content":"x"}]`, "chat.messages[0].parts[0]: "},
}

func TestWhatTheAPICannotSayIsRefusedByName(t *testing.T) {
	for name, row := range refusals {
		a, _ := ask(`{"model":"m"}`, intentOf(row.chat, "refuse"), false)
		if a.Kind != adapter.ActionFail || a.Code != adapter.TransformationFailed || !a.Retryable || !strings.HasPrefix(a.Message, row.names) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func intentOf(chat, unsupported string) string {
	if !strings.Contains(chat, `"messages"`) {
		chat += `,"messages":[{"role":"user","content":"x"}]`
	}
	return `{"unsupported":"` + unsupported + `","chat":{` + chat + `}}`
}

func TestWhatIsLeftOutIsWarnedOf(t *testing.T) {
	for name, row := range refusals {
		call, state := ask(`{"model":"m"}`, intentOf(row.chat, "warn"), false)
		if call.Kind != adapter.ActionHTTP {
			t.Errorf("%s: %+v", name, call)
			continue
		}
		end := adapter.Run(anthropic.Adapter{}, state, &adapter.Event{Kind: adapter.KindResponse, Status: 200,
			Body: []byte(`{"content":[],"stop_reason":"end_turn"}`)}).Actions[0]
		parameter, _, _ := strings.Cut(row.names, ":")
		if !strings.Contains(string(end.Data), `"warnings":[{"parameter":"`+parameter+`","message":"`) {
			t.Errorf("%s: %s", name, end.Data)
		}
	}
}

func TestWhatMakesNoSense(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, says string }{
		"no model":        {`{}`, `{"chat":{"messages":[{"role":"user","content":"x"}]}}`, "chat.model: neither"},
		"unknown setting": {`{"modell":"m"}`, `{"chat":{"model":"m","messages":[{"role":"user","content":"x"}]}}`, "adapter.settings.modell is not known"},
		"thinking":        {`{"thinking":"hard"}`, `{"chat":{"model":"m","messages":[]}}`, "adapter.settings.thinking must be effort or budget"},
		"schema_as":       {`{"schema_as":"x"}`, `{"chat":{"model":"m","messages":[]}}`, "adapter.settings.schema_as must be"},
		"max_tokens":      {`{"max_tokens":0}`, `{"chat":{"model":"m","messages":[]}}`, "adapter.settings.max_tokens must be"},
		"clash":           {`{"extra_body":{"max_tokens":1}}`, `{"chat":{"model":"m","messages":[{"role":"user","content":"x"}]}}`, "extra_body.max_tokens is what the request itself says"},
		"other intent":    {`{}`, `{"search":{"query":"q"}}`, "intent.search: this adapter does chat"},
		"only a system":   {`{}`, `{"chat":{"model":"m","messages":[{"role":"system","content":"x"}]}}`, "chat.messages: nobody but the system"},
		"no tools":        {`{}`, `{"chat":{"model":"m","tool_choice":"required","messages":[{"role":"user","content":"x"}]}}`, "chat.tool_choice: there are no tools"},
		"arguments":       {`{}`, `{"chat":{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","name":"f","arguments":"[1]"}]}]}}`, "chat.messages[0].tool_calls[0].arguments: "},
	} {
		if a, _ := ask(row.settings, row.intent, false); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
