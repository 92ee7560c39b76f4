package openai_test

import (
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/openai"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func TestAConversationBecomesItems(t *testing.T) {
	intent := `{"chat":{"messages":[
		{"role":"system","content":"be brief"},
		{"role":"user","content":"see","parts":[{"media_type":"image/png","data":"AA=="},{"media_type":"application/pdf","url":"https://x/a.pdf"}]},
		{"role":"assistant","content":"hm","thoughts":[{"text":"a"},{"text":"b","signature":"rs_1","redacted":"E"},{"redacted":"F"}],"tool_calls":[{"id":"c","name":"f","arguments":"{}"}]},
		{"role":"tool","content":"4","tool_call_id":"c"}],
		"temperature":0,"max_tokens":9,"tools":[{"name":"f"}],"tool_choice":"f","response_schema":{},"reasoning":{"effort":"low"}}}`
	want := `{"model":"m","input":[{"type":"message","role":"system","content":"be brief"},` +
		`{"type":"message","role":"user","content":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"auto"},{"type":"input_file","file_url":"https://x/a.pdf"}]},` +
		`{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"E"},` +
		`{"type":"reasoning","id":"rs_2_2","summary":[],"encrypted_content":"F"},` +
		`{"type":"message","role":"assistant","content":"hm"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},` +
		`{"type":"function_call_output","call_id":"c","output":"4"}],` +
		`"temperature":0,"max_output_tokens":9,"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false}],` +
		`"tool_choice":{"type":"function","name":"f"},"text":{"format":{"type":"json_schema","name":"response","schema":{},"strict":true}},` +
		`"reasoning":{"effort":"low","summary":"auto"},"stream":true}`
	call := asked(openai.OpenAI(), "https://x", `{"model":"m","api":"responses","reasoning_summary":"auto"}`, intent, true)
	if string(call.Body) != want || call.URL != "https://x/v1/responses" || call.Framing != "sse" {
		t.Errorf("%s %s %s\nwant\n%s", call.URL, call.Body, call.Message, want)
	}
	for intent, says := range map[string]string{
		`{"chat":{"messages":[{"role":"user","content":"x"}],"stop":["a"]}}`:                              "chat.stop: ",
		`{"chat":{"messages":[{"role":"user","content":"x"}],"seed":0}}`:                                  "chat.seed: ",
		`{"chat":{"messages":[{"role":"assistant","content":"x","thoughts":[{"text":"t"}]}]}}`:            "chat.messages[0].thoughts: ",
		`{"chat":{"messages":[{"role":"user","parts":[{"media_type":"audio/wav","data":"AA=="}]}]}}`:      "chat.messages[0].parts[0].media_type: ",
		`{"chat":{"messages":[{"role":"assistant","parts":[{"media_type":"image/png","data":"AA=="}]}]}}`: "chat.messages[0].parts[0]: ",
		`{"chat":{"messages":[{"role":"user","content":"x"}],"reasoning":{"max_tokens":5}}}`:              "chat.reasoning.max_tokens: ",
	} {
		if a := asked(openai.OpenAI(), "https://x", `{"model":"m","api":"responses"}`, intent, false); a.Kind != adapter.ActionFail || !strings.HasPrefix(a.Message, says) {
			t.Errorf("%s: %+v", intent, a)
		}
	}
	if a := asked(openai.OpenAI(), "https://x", `{"model":"m","api":"chats"}`, hello, false); !strings.Contains(a.Message, `adapter.settings.api "chats" is not known; there are chat, responses`) {
		t.Errorf("%+v", a)
	}
}

func TestAResponseIsRead(t *testing.T) {
	for name, row := range map[string]struct{ body, want string }{
		"thoughts and text": {`{"id":"r","object":"response","status":"completed","model":"m-1","output":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"E"},{"type":"message","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":3,"input_tokens_details":{"cached_tokens":1},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":8}}`,
			`{"chat":{"message":{"role":"assistant","content":"Hi","thoughts":[{"text":"hm","signature":"rs_1","redacted":"E"}]},"finish_reason":"stop"},"usage":{"input_tokens":3,"output_tokens":5,"cached_input_tokens":1,"reasoning_tokens":4},"model":"m-1","id":"r"}`},
		"a call":           {`{"status":"completed","output":[{"type":"reasoning","id":"rs_1","summary":[]},{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":"{}"}]}`, `{"chat":{"message":{"role":"assistant","content":"","tool_calls":[{"id":"c","name":"f","arguments":"{}"}]},"finish_reason":"tool_calls"}}`},
		"cut by the limit": {`{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"message","content":[{"type":"output_text","text":"H"}]}]}`, `{"chat":{"message":{"role":"assistant","content":"H"},"finish_reason":"length"}}`},
		"refused":          {`{"status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"No."}]}]}`, `{"chat":{"message":{"role":"assistant","content":"No."},"finish_reason":"stop"},"metadata":{"refusal":true}}`},
		"a picture":        {`{"status":"completed","output":[{"type":"image_generation_call","result":"AA==","output_format":"png"}]}`, `{"chat":{"message":{"role":"assistant","content":"","parts":[{"media_type":"image/png","data":"AA=="}]},"finish_reason":"stop"}}`},
	} {
		if a := answered(t, openai.OpenAI(), `{"model":"m","api":"responses"}`, hello, row.body); string(a.Data) != row.want {
			t.Errorf("%s: %s %s", name, a.Data, a.Message)
		}
	}
	for body, says := range map[string]string{
		`{}`:                              "no output",
		`{"status":"queued","output":[]}`: "status queued",
		`{"status":"failed","output":[]}`: "error",
		`{"status":"incomplete","output":[],"incomplete_details":{}}`: "does not say why",
	} {
		if a := answered(t, openai.OpenAI(), `{"model":"m","api":"responses"}`, hello, body); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, says) {
			t.Errorf("%s: %+v", body, a)
		}
	}
}

func TestAResponseComesInEvents(t *testing.T) {
	frames := []string{
		`{"type":"response.created","response":{"status":"in_progress","error":null}}`,
		`{"type":"response.reasoning_summary_text.delta","delta":"h"}`, `{"type":"response.reasoning_summary_text.delta","delta":"m"}`,
		`{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}]}}`,
		`{"type":"response.content_part.added"}`, `{"type":"response.output_text.delta","delta":"H"}`, `{"type":"response.output_text.done","text":"Hi"}`,
		`{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","call_id":"c","name":"f","arguments":""}}`,
		`{"type":"response.function_call_arguments.delta","output_index":2,"delta":"{"}`, `{"type":"response.function_call_arguments.delta","output_index":2,"delta":"}"}`,
		`{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}`,
		`{"type":"response.completed","response":{"status":"completed","model":"m-1","usage":{"input_tokens":1,"output_tokens":2}}}`,
	}
	want := `{"chat":{"message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"c","name":"f","arguments":"{}"}],"thoughts":[{"text":"hm","signature":"rs_1"}]},"finish_reason":"tool_calls"},"usage":{"input_tokens":1,"output_tokens":2},"model":"m-1"}`
	text, end := play(t, `{"model":"m","api":"responses"}`, frames)
	if a := end.Actions[len(end.Actions)-1]; text != "Hi" || string(a.Data) != want {
		t.Errorf("%q, %s %s", text, a.Data, a.Message)
	}
	for n := range frames {
		if _, end := play(t, `{"model":"m","api":"responses"}`, frames[:n]); end.Actions[len(end.Actions)-1].Kind != adapter.ActionFail {
			t.Errorf("cut after %d it ended with %+v", n, end)
		}
	}
	for name, frame := range map[string]string{
		"failed": `{"type":"response.failed","response":{"error":{"code":"server_error","message":"it broke"}}}`,
		"error":  `{"type":"error","code":"server_error","message":"it broke"}`,
	} {
		if _, end := play(t, `{"model":"m","api":"responses"}`, append(frames[:3:3], frame)); !strings.Contains(end.Actions[0].Message, "it broke") {
			t.Errorf("%s: %+v", name, end)
		}
	}
}

func TestMetasStreamIsRead(t *testing.T) {
	a := openai.New(openai.MetaLlama())
	reply := adapter.Run(a, nil, &adapter.Event{Kind: adapter.KindStart, Stream: true, Intent: []byte(hello), Contract: []byte(`{"base_url":"https://x","settings":{"model":"m"}}`)})
	for _, frame := range []string{
		`{"id":"i","event":{"event_type":"start","delta":{"type":"text","text":"H"}}}`, `{"id":"i","event":{"event_type":"progress","delta":{"type":"text","text":"i"}}}`,
		`{"event":{"event_type":"progress","delta":{"type":"tool_call","id":"c","function":{"name":"f","arguments":"{"}}}}`,
		`{"event":{"event_type":"progress","delta":{"type":"tool_call","function":{"arguments":"}"}}}}`,
		`{"event":{"event_type":"complete","delta":{"type":"text","text":""},"stop_reason":"tool_calls"}}`,
		`{"event":{"event_type":"metrics","delta":{"type":"text","text":""},"metrics":[{"metric":"num_prompt_tokens","value":3},{"metric":"num_completion_tokens","value":1}]}}`,
	} {
		reply = adapter.Run(a, reply.State, &adapter.Event{Kind: adapter.KindFrame, Data: []byte(frame)})
	}
	end := adapter.Run(a, reply.State, &adapter.Event{Kind: adapter.KindEnd}).Actions[0]
	want := `{"chat":{"message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"c","name":"f","arguments":"{}"}]},"finish_reason":"tool_calls"},"usage":{"input_tokens":3,"output_tokens":1},"id":"i"}`
	if string(end.Data) != want {
		t.Errorf("%s %s", end.Data, end.Message)
	}
}
