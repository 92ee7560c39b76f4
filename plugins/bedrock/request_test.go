package bedrock_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/bedrock"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// ask starts an execution and returns its only action, and the state.
func ask(settings, intent string, stream bool) (adapter.Action, []byte) {
	contract := `{"service_id":"s","base_url":"https://bedrock-agent-runtime.eu-west-1.amazonaws.com/","endpoints":[],"settings":` + settings + `}`
	reply := adapter.Run(bedrock.Adapter{}, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(contract), Stream: stream})
	return reply.Actions[0], reply.State
}

func Example() {
	call, _ := ask(`{"model":"us.anthropic.claude-v1:0"}`, `{"chat":{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Bonjour"}],"temperature":0}}`, false)
	fmt.Println(call.Method, call.URL)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://bedrock-agent-runtime.eu-west-1.amazonaws.com/model/us.anthropic.claude-v1%3A0/converse
	// {"system":[{"text":"Be brief."}],"messages":[{"role":"user","content":[{"text":"Bonjour"}]}],"inferenceConfig":{"temperature":0}}
}

const (
	claude = "anthropic.claude-sonnet-4"
	novas  = "eu.amazon.nova-2-lite-v1:0"
	gpt    = "openai.gpt-oss-20b-1:0"
	llama  = "meta.llama4"
)

func TestEveryParameterIsSaid(t *testing.T) {
	tool := `{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}`
	for name, row := range map[string]struct{ model, settings, rest, want string }{
		"nothing":        {llama, ``, ``, `}`},
		"sampling":       {llama, ``, `,"temperature":1,"top_p":0.5,"stop":["a"],"max_tokens":7`, `,"inferenceConfig":{"maxTokens":7,"temperature":1,"topP":0.5,"stopSequences":["a"]}}`},
		"max_tokens":     {llama, `,"max_tokens":9`, ``, `,"inferenceConfig":{"maxTokens":9}}`},
		"tools":          {llama, ``, `,"tools":[{"name":"f","description":"d","parameters":{"properties":{}}}]`, `,"toolConfig":{"tools":[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}`},
		"auto":           {llama, ``, `,"tools":[{"name":"f"}],"tool_choice":"auto","parallel_tool_calls":true`, `,"toolConfig":{"tools":[` + tool + `],"toolChoice":{"auto":{}}}}`},
		"required":       {llama, ``, `,"tools":[{"name":"f"}],"tool_choice":"required"`, `,"toolConfig":{"tools":[` + tool + `],"toolChoice":{"any":{}}}}`},
		"named":          {llama, ``, `,"tools":[{"name":"f"}],"tool_choice":"f"`, `,"toolConfig":{"tools":[` + tool + `],"toolChoice":{"tool":{"name":"f"}}}}`},
		"none":           {llama, ``, `,"tools":[{"name":"f"}],"tool_choice":"none"`, `}`},
		"schema":         {llama, ``, `,"response_schema":{"type":"object"}`, `,"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"name":"response","schema":"{\"type\":\"object\"}"}}}}}`},
		"JSON":           {llama, ``, `,"json_object":true`, `,"toolConfig":{"tools":[{"toolSpec":{"name":"json_answer","description":"Gives the answer.","inputSchema":{"json":{"type":"object"}}}}],"toolChoice":{"tool":{"name":"json_answer"}}}}`},
		"schema by tool": {llama, `,"schema_as":"tool"`, `,"response_schema":{"type":"object","a":1}`, `,"toolConfig":{"tools":[{"toolSpec":{"name":"json_answer","description":"Gives the answer.","inputSchema":{"json":{"type":"object","a":1}}}}],"toolChoice":{"tool":{"name":"json_answer"}}}}`},
		"Claude thinks":  {claude, ``, `,"reasoning":{"effort":"low"},"top_k":5`, `,"outputConfig":{"effort":"low"},"additionalModelRequestFields":{"thinking":{"type":"adaptive"},"top_k":5}}`},
		"Claude counts":  {claude, `,"thinking":"budget"`, `,"reasoning":{"effort":"low"}`, `,"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2048}}}`},
		"Nova thinks":    {novas, ``, `,"reasoning":{"effort":"high"},"top_k":5`, `,"additionalModelRequestFields":{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"},"inferenceConfig":{"topK":5}}}`},
		"Nova does not":  {novas, ``, `,"reasoning":{"max_tokens":0}`, `,"additionalModelRequestFields":{"reasoningConfig":{"type":"disabled"}}}`},
		"GPT thinks":     {gpt, ``, `,"reasoning":{"effort":"medium"}`, `,"additionalModelRequestFields":{"reasoning_effort":"medium"}}`},
		"family":         {"arn:aws:bedrock:us-east-1:1:inference-profile/x", `,"family":"openai"`, `,"reasoning":{"effort":"low"}`, `,"additionalModelRequestFields":{"reasoning_effort":"low"}}`},
		"extra":          {claude, `,"extra_body":{"guardrailConfig":{"a":1}},"additional_fields":{"b":2}`, `,"top_k":5`, `,"additionalModelRequestFields":{"top_k":5,"b":2},"guardrailConfig":{"a":1}}`},
	} {
		call, _ := ask(`{"model":"`+row.model+`"`+row.settings+`}`, `{"chat":{"messages":[{"role":"user","content":"x"}]`+row.rest+`}}`, false)
		if got := strings.TrimPrefix(string(call.Body), `{"messages":[{"role":"user","content":[{"text":"x"}]}]`); got != row.want {
			t.Errorf("%s: %s\n%s\nwant\n%s", name, call.Message, got, row.want)
		}
	}
}

func TestAConversationIsHandedOn(t *testing.T) {
	intent := `{"chat":{"messages":[{"role":"system","content":"s","parts":[{"text":"t"}]},
		{"role":"user","content":"see","parts":[{"url":"data:image/png;base64,aGk="},{"media_type":"image/jpeg","url":"s3://bucket/a"},{"media_type":"application/pdf","data":"JVBERg==","name":"my  file_1.pdf"},
			{"media_type":"application/pdf","data":"JVBERg=="},{"text":"long","name":"d"},{"media_type":"video/mp4","data":"AA=="},{"media_type":"audio/wav","data":"AA=="},{"text":"and"}]},
		{"role":"assistant","content":"I look","thoughts":[{"text":"hm","signature":"sig"},{"redacted":"eHl6"}],"tool_calls":[{"id":"functions.f:0","name":"f","arguments":"{\"a\": 1}"},{"id":"c/2","name":"g","arguments":""}]},
		{"role":"tool","tool_call_id":"functions.f:0","content":"sun"},
		{"role":"tool","tool_call_id":"c/2","parts":[{"text":"pic"},{"media_type":"image/jpeg","data":"AA=="}]},
		{"role":"user","content":"so?"}]}}`
	call, _ := ask(`{"model":"`+claude+`"}`, intent, true)
	want := `{"system":[{"text":"s"},{"text":"t"}],"messages":[{"role":"user","content":[{"text":"see"},{"image":{"format":"png","source":{"bytes":"aGk="}}},` +
		`{"image":{"format":"jpeg","source":{"s3Location":{"uri":"s3://bucket/a"}}}},{"document":{"format":"pdf","name":"my file-1-pdf","source":{"bytes":"JVBERg=="}}},` +
		`{"document":{"format":"pdf","name":"document 1-3","source":{"bytes":"JVBERg=="}}},{"document":{"format":"txt","name":"d","source":{"bytes":"bG9uZw=="}}},` +
		`{"video":{"format":"mp4","source":{"bytes":"AA=="}}},{"audio":{"format":"wav","source":{"bytes":"AA=="}}},{"text":"and"}]},` +
		`{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"sig"}}},{"reasoningContent":{"redactedContent":"eHl6"}},{"text":"I look"},` +
		`{"toolUse":{"toolUseId":"functions.f:0","name":"f","input":{"a": 1}}},{"toolUse":{"toolUseId":"c_2","name":"g","input":{}}}]},` +
		`{"role":"user","content":[{"toolResult":{"toolUseId":"functions.f:0","content":[{"text":"sun"}]}},{"toolResult":{"toolUseId":"c_2","content":[{"text":"pic"},{"image":{"format":"jpeg","source":{"bytes":"AA=="}}}]}},{"text":"so?"}]}]}`
	if string(call.Body) != want || call.Framing != "eventstream" || !strings.HasSuffix(call.URL, "/model/anthropic.claude-sonnet-4/converse-stream") {
		t.Errorf("%+v\n%s\nwant\n%s", call, call.Body, want)
	}
}

func TestInvokeModelTakesTheMakersForm(t *testing.T) {
	for name, row := range map[string]struct{ model, rest, want string }{
		"Claude": {claude, ``, `{"anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"max_tokens":4096}`},
		"Nova":   {novas, `,"max_tokens":3`, `{"schemaVersion":"messages-v1","messages":[{"role":"user","content":[{"text":"x"}]}],"inferenceConfig":{"maxTokens":3}}`},
	} {
		call, _ := ask(`{"model":"`+row.model+`","api":"invoke"}`, `{"chat":{"messages":[{"role":"user","content":"x"}]`+row.rest+`}}`, true)
		if string(call.Body) != row.want || !strings.HasSuffix(call.URL, "/invoke-with-response-stream") || call.Framing != "eventstream" {
			t.Errorf("%s: %+v\n%s\nwant\n%s", name, call, call.Body, row.want)
		}
	}
}

// refusals are requests that Bedrock has no way to say, with what is named.
var refusals = map[string]struct{ model, chat, names string }{
	"seed":             {claude, `"seed":0`, "chat.seed: "},
	"hot":              {claude, `"temperature":1.5`, "chat.temperature: the API takes 0 to 1"},
	"top_k":            {llama, `"top_k":5`, "chat.top_k: "},
	"thoughts":         {llama, `"reasoning":{"effort":"low"}`, "chat.reasoning.effort: "},
	"counted thoughts": {novas, `"reasoning":{"max_tokens":5}`, "chat.reasoning.max_tokens: "},
	"minimal":          {gpt, `"reasoning":{"effort":"minimal"}`, "chat.reasoning.effort: "},
	"none":             {gpt, `"reasoning":{"effort":"none"}`, "chat.reasoning.effort: "},
	"one at a time":    {claude, `"tools":[{"name":"f"}],"parallel_tool_calls":false`, "chat.parallel_tool_calls: "},
	"no more calls": {claude, `"tools":[{"name":"f"}],"tool_choice":"none","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","name":"f","arguments":"{}"}]},
		{"role":"tool","tool_call_id":"c","content":"y"}]`, "chat.tool_choice: "},
	"late system":     {claude, `"messages":[{"role":"user","content":"x"},{"role":"system","content":"y"}]`, "chat.messages[1].role: "},
	"unsigned":        {claude, `"messages":[{"role":"assistant","content":"x","thoughts":[{"text":"t"}]}]`, "chat.messages[0].thoughts[0]: "},
	"web":             {claude, `"messages":[{"role":"user","content":"x","parts":[{"media_type":"image/png","url":"https://x"}]}]`, "chat.messages[0].parts[0].url: "},
	"odd type":        {claude, `"messages":[{"role":"user","content":"x","parts":[{"media_type":"image/tiff","data":"AA=="}]}]`, "chat.messages[0].parts[0].media_type: "},
	"a tool's audio":  {claude, `"messages":[{"role":"tool","tool_call_id":"c","content":"x","parts":[{"media_type":"audio/wav","data":"AA=="}]}]`, "chat.messages[0].parts[0].media_type: "},
	"named picture":   {claude, `"messages":[{"role":"user","content":"x","parts":[{"media_type":"image/png","data":"AA==","name":"n"}]}]`, "chat.messages[0].parts[0].name: "},
	"drawn":           {claude, `"messages":[{"role":"assistant","content":"x","parts":[{"media_type":"image/png","data":"AA=="}]}]`, "chat.messages[0].parts[0]: "},
	"later parameter": {claude, `"verbosity":"low"`, "chat.verbosity: "},
}

func TestWhatTheAPICannotSayIsRefusedByNameOrWarnedOf(t *testing.T) {
	for name, row := range refusals {
		if !strings.Contains(row.chat, `"messages"`) {
			row.chat += `,"messages":[{"role":"user","content":"x"}]`
		}
		a, _ := ask(`{"model":"`+row.model+`"}`, `{"chat":{`+row.chat+`}}`, false)
		if a.Kind != adapter.ActionFail || a.Code != adapter.TransformationFailed || !a.Retryable || !strings.HasPrefix(a.Message, row.names) {
			t.Errorf("%s: %+v", name, a)
		}
		call, state := ask(`{"model":"`+row.model+`"}`, `{"unsupported":"warn","chat":{`+row.chat+`}}`, false)
		end := adapter.Run(bedrock.Adapter{}, state, &adapter.Event{Kind: adapter.KindResponse, Status: 200,
			Body: []byte(`{"output":{"message":{"content":[]}},"stopReason":"end_turn"}`)}).Actions[0]
		parameter, _, _ := strings.Cut(row.names, ":")
		if call.Kind != adapter.ActionHTTP || !strings.Contains(string(end.Data), `"warnings":[{"parameter":"`+parameter+`","message":"`) {
			t.Errorf("%s: %+v %s", name, call, end.Data)
		}
	}
}

func TestWhatMakesNoSense(t *testing.T) {
	hello := `{"chat":{"messages":[{"role":"user","content":"x"}]}}`
	for name, row := range map[string]struct{ settings, intent, says string }{
		"no model":         {`{}`, hello, "chat.model: neither"},
		"unknown setting":  {`{"model":"m","region":"x"}`, hello, "adapter.settings.region is not known"},
		"api":              {`{"model":"m","api":"x"}`, hello, "adapter.settings.api must be converse or invoke"},
		"family":           {`{"model":"m","family":"x"}`, hello, "adapter.settings.family must be"},
		"invoke":           {`{"model":"m","api":"invoke"}`, hello, "adapter.settings.api is invoke"},
		"fields":           {`{"model":"anthropic.x","api":"invoke","additional_fields":{}}`, hello, "adapter.settings.additional_fields is for converse"},
		"clash":            {`{"model":"m","extra_body":{"messages":1}}`, hello, "extra_body.messages is what the request itself says"},
		"clash of fields":  {`{"model":"anthropic.x","additional_fields":{"top_k":1}}`, `{"chat":{"top_k":2,"messages":[{"role":"user","content":"x"}]}}`, "additional_fields.top_k is what"},
		"other intent":     {`{"model":"m"}`, `{"search":{"query":"q"}}`, "intent.search: this adapter does chat, embedding, rerank"},
		"no embedding":     {`{"model":"m"}`, `{"embedding":{"input":["a"]}}`, "embedding.model: "},
		"nothing to embed": {`{"model":"amazon.titan-embed-text-v2:0"}`, `{"embedding":{"input":[]}}`, "embedding.input: there is no text"},
		"much to embed":    {`{"model":"amazon.titan-embed-text-v2:0","max_calls":1}`, `{"embedding":{"input":["a","b"]}}`, "embedding.input: the model takes 1 a call"},
		"nothing to rank":  {`{"model":"m"}`, `{"rerank":{"query":"q","documents":[]}}`, "rerank.documents: there is none"},
	} {
		if a, _ := ask(row.settings, row.intent, false); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
