package gemini_test

import (
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/gemini"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

const hello = `{"chat":{"messages":[{"role":"user","content":"x"}]}}`

func respond(state []byte, status int, body string) adapter.Action {
	return adapter.Run(gemini.Adapter{}, state, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: []byte(body)}).Actions[0]
}

func answer(intent string, status int, body string) adapter.Action {
	return respond(ask(gemini.Adapter{}, `{"model":"m"}`, intent, false).State, status, body)
}

func TestAnswersThatAreErrors(t *testing.T) {
	said := func(message, status, reason string) string {
		return `{"error":{"code":400,"message":"` + message + `","status":"` + status + `","details":[{"reason":"` + reason + `"}]}}`
	}
	for name, row := range map[string]struct {
		status int
		body   string
		reason string
		retry  bool
		says   string
	}{
		"bad key":        {400, said("API key expired.", "INVALID_ARGUMENT", "API_KEY_INVALID"), adapter.BadKey, true, "credentials"},
		"forbidden":      {403, said("key sk-1 may not", "PERMISSION_DENIED", ""), adapter.BadKey, true, "credentials"},
		"too long":       {400, said("The input token count (9) exceeds the maximum number of tokens allowed (8).", "INVALID_ARGUMENT", ""), adapter.ContextTooLong, true, "too long"},
		"no model":       {404, said("models/x is not found for API version v1beta", "NOT_FOUND", ""), adapter.ModelNotFound, true, "is not found"},
		"rate limit":     {429, said("You exceeded your current quota", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"), adapter.RateLimited, true, "quota"},
		"overloaded":     {503, said("The model is overloaded.", "UNAVAILABLE", ""), adapter.Overload, true, "503"},
		"bad request":    {400, said("bad role", "INVALID_ARGUMENT", ""), adapter.BadRequest, false, "bad role"},
		"in a list":      {400, `[` + said("listed", "INVALID_ARGUMENT", "") + `]`, adapter.BadRequest, false, "listed"},
		"no JSON":        {502, `<html>`, "", true, "status 502"},
		"inside a 200":   {200, said("boom", "INTERNAL", ""), "", true, "boom"},
		"inside a list":  {200, `[` + said("boom", "INTERNAL", "") + `]`, "", true, "boom"},
		"prompt blocked": {200, `{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT","blockReasonMessage":"no"},"usageMetadata":{"promptTokenCount":3}}`, adapter.ContentFiltered, false, "PROHIBITED_CONTENT: no"},
		"no candidates":  {200, `{"candidates":[]}`, "", true, "no candidates"},
		"not JSON":       {200, `oops`, "", true, "not JSON"},
	} {
		a := answer(hello, row.status, row.body)
		if a.Kind != adapter.ActionFail || a.Reason != row.reason || a.Retryable != row.retry || !strings.Contains(a.Message, row.says) || strings.Contains(a.Message, "sk-") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAnswersInTheNormalForm(t *testing.T) {
	parts := func(parts, finish, rest string) string {
		return `{"candidates":[{"content":{"parts":[` + parts + `],"role":"model"},"finishReason":` + finish + rest + `}],"responseId":"r"}`
	}
	chat := func(message, finish, rest string) string {
		return `{"chat":{"message":{"role":"assistant",` + message + `},"finish_reason":"` + finish + `"}` + rest + `,"id":"r"}`
	}
	for name, row := range map[string]struct{ body, want string }{
		"text":     {parts(`{"text":"a"},{"text":"b"}`, `"STOP"`, ``), chat(`"content":"ab"`, "stop", "")},
		"no parts": {`{"candidates":[{"content":{"role":"model"},"finishReason":2}],"responseId":"r","usageMetadata":{"promptTokenCount":5,"totalTokenCount":9,"thoughtsTokenCount":4}}`, chat(`"content":""`, "length", `,"usage":{"input_tokens":5,"output_tokens":4,"reasoning_tokens":4}`)},
		"filtered": {parts(`{"text":"a"}`, `"SAFETY"`, `,"finishMessage":"why"`), chat(`"content":"a"`, "content_filter", `,"metadata":{"finish_message":"why"}`)},
		"own word": {parts(``, `"MALFORMED_FUNCTION_CALL"`, ``), chat(`"content":""`, "MALFORMED_FUNCTION_CALL", "")},
		"calls": {parts(`{"functionCall":{"name":"f","args":{"a": 1}},"thoughtSignature":"s"},{"functionCall":{"name":"g","id":"own"}}`, `"STOP"`, ``),
			chat(`"content":"","tool_calls":[{"id":"gemini_r_0","name":"f","arguments":"{\"a\": 1}","signature":"s"},{"id":"own","name":"g","arguments":"{}"}]`, "tool_calls", "")},
		"thoughts": {parts(`{"text":"hm","thought":true},{"text":"4","thoughtSignature":"s"}`, `"STOP"`, ``), chat(`"content":"4","thoughts":[{"text":"hm"},{"signature":"s"}]`, "stop", "")},
		"pictures": {parts(`{"inlineData":{"mimeType":"image/png","data":"x-_A"},"thought":true},{"text":"see"},{"inlineData":{"mimeType":"image/png","data":"_-8="}}`, `"STOP"`, ``),
			chat(`"content":"see","parts":[{"media_type":"image/png","data":"/+8="}]`, "stop", "")},
		"code": {parts(`{"text":"I run:"},{"executableCode":{"language":"PYTHON","code":"print(1)\n"}},{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1\n"}}`, `"STOP"`, ``),
			chat(`"content":"I run:\n`+"```python\\nprint(1)\\n```\\n\\n```\\n1\\n```"+`\n"`, "stop", "")},
		"server's tools": {parts(`{"toolCall":{"toolType":"GOOGLE_SEARCH_WEB"},"thoughtSignature":"s"},{"toolResponse":{"id":"1"}},{"toolCall":{"toolType":"URL_CONTEXT"}},{"text":"a"}`, `"STOP"`, `,"groundingMetadata":{"webSearchQueries":["q"]}`),
			chat(`"content":"a"`, "stop", `,"metadata":{"tool_calls":[{"toolType":"GOOGLE_SEARCH_WEB"},{"toolType":"URL_CONTEXT"}],"grounding":{"webSearchQueries":["q"]}}`)},
		"usage": {`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"responseId":"r","modelVersion":"m-1","usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2,"thoughtsTokenCount":3,"cachedContentTokenCount":4,"toolUsePromptTokenCount":8}}`,
			`{"chat":{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"},"metadata":{"tool_use_tokens":8},"usage":{"input_tokens":9,"output_tokens":5,"cached_input_tokens":4,"reasoning_tokens":3},"model":"m-1","id":"r"}`},
		"nulls": {`{"error":null,"promptFeedback":null,"candidates":[{"content":{"parts":[{"text":"a","functionCall":null,"thoughtSignature":null}]},"finishReason":"STOP","groundingMetadata":null}],"usageMetadata":null,"responseId":"r"}`, chat(`"content":"a"`, "stop", "")},
	} {
		a := answer(hello, 200, row.body)
		if a.Kind != adapter.ActionDone || string(a.Data) != row.want {
			t.Errorf("%s: %s\n%s\nwant\n%s", name, a.Message, a.Data, row.want)
		}
	}
}

// play begins a stream, hands out the frames and ends it; it returns all deltas and the last action.
func play(frames ...string) (deltas string, last adapter.Action) {
	reply := ask(gemini.Adapter{}, `{"model":"m"}`, hello, true)
	step := func(ev *adapter.Event) bool {
		reply = adapter.Run(gemini.Adapter{}, reply.State, ev)
		for _, a := range reply.Actions {
			if a.Kind != adapter.ActionEmit {
				last = a
				return false
			}
			deltas += string(a.Data)
		}
		return true
	}
	if !step(&adapter.Event{Kind: adapter.KindResponse, Status: 200}) {
		return
	}
	for _, data := range frames {
		if !step(&adapter.Event{Kind: adapter.KindFrame, Data: []byte(data)}) {
			return
		}
	}
	step(&adapter.Event{Kind: adapter.KindEnd})
	return
}

func TestStreams(t *testing.T) {
	first := `{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true}]}}],"usageMetadata":{"trafficType":"ON_DEMAND"},"responseId":"r"}`
	call := `{"candidates":[{"content":{"parts":[{"text":"Hi"},{"functionCall":{"name":"f","args":{}}}]}}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2},"responseId":"r"}`
	final := `{"candidates":[{"content":{"parts":[{"text":"","thoughtSignature":"s"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":3}}`
	deltas, last := play("", first, call, final)
	want := `{"chat":{"message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"gemini_r_0","name":"f","arguments":"{}"}],"thoughts":[{"text":"Hm"},{"signature":"s"}]},"finish_reason":"tool_calls"},"usage":{"input_tokens":1,"output_tokens":3},"id":"r"}`
	if deltas != `{"reasoning":"Hm"}{"text":"Hi","tool_calls":[{"index":0,"id":"gemini_r_0","name":"f","arguments":"{}"}]}` || string(last.Data) != want {
		t.Errorf("%s\n%s\nwant\n%s%s", deltas, last.Data, want, last.Message)
	}
	together := adapter.Run(gemini.Vertex{}, ask(gemini.Vertex{}, `{"project":"p","model":"m"}`, hello, true).State, &adapter.Event{Kind: adapter.KindResponse, Status: 200})
	reply, err := gemini.Vertex{}.StepFrames(together.State, []adapter.Frame{{Data: []byte(first)}, {Data: []byte(call)}, {Data: []byte(final)}})
	end := adapter.Run(gemini.Vertex{}, reply.State, &adapter.Event{Kind: adapter.KindEnd})
	if err != nil || len(reply.Actions) != 1 || string(reply.Actions[0].Data) != `{"text":"Hi","reasoning":"Hm","tool_calls":[{"index":0,"id":"gemini_r_0","name":"f","arguments":"{}"}]}` || string(end.Actions[0].Data) != want {
		t.Errorf("together: %+v, %v\n%s", reply.Actions, err, end.Actions[0].Data)
	}
	for name, row := range map[string]struct {
		frames []string
		says   string
	}{
		"nothing":        {nil, "broke off"},
		"no finish":      {[]string{first, call}, "broke off"},
		"no real finish": {[]string{`{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"FINISH_REASON_UNSPECIFIED"}]}`}, "broke off"},
		"garbage":        {[]string{first, `{"candidates":[`}, "not JSON"},
		"error":          {[]string{first, `{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}`}, "overloaded"},
		"error at last":  {[]string{first, final, `[{"error":{"message":"late"}}]`}, "late"},
		"blocked":        {[]string{`{"promptFeedback":{"blockReason":"SAFETY"}}`}, "SAFETY"},
	} {
		if _, last := play(row.frames...); last.Kind != adapter.ActionFail || !strings.Contains(last.Message, row.says) {
			t.Errorf("%s: %+v", name, last)
		}
	}
}

func TestVectorsSpeechAndImagesAreRead(t *testing.T) {
	two := `{"embedding":{"input":["a","b"]}}`
	for name, row := range map[string]struct{ intent, body, want string }{
		"vectors":      {two, `{"embeddings":[{"values":[1,2]},{"values":[3,4.50]}],"usageMetadata":{"promptTokenCount":7}}`, `{"embedding":{"vectors":[{"values":[1,2]},{"values":[3,4.50]}]},"usage":{"input_tokens":7,"output_tokens":0}}`},
		"predictions":  {two, `{"predictions":[{"embeddings":{"values":[1],"statistics":{"token_count":2}}},{"embeddings":{"values":[2],"statistics":{"token_count":3}}}]}`, `{"embedding":{"vectors":[{"values":[1]},{"values":[2]}]},"usage":{"input_tokens":5,"output_tokens":0}}`},
		"too few":      {two, `{"embeddings":[{"values":[1,2]}]}`, "has 1 vectors for 2 texts"},
		"no numbers":   {two, `{"embeddings":[{"values":[1,2]},{"values":["x"]}]}`, "more than numbers"},
		"speech":       {`{"speech":{"text":"x"}}`, `{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"audio/L16;rate=24000","data":"AAA="}},{"inlineData":{"mimeType":"audio/L16;rate=24000","data":"AQE="}}]}}]}`, `{"speech":{"audio":"AAABAQ==","media_type":"audio/L16;rate=24000"}}`},
		"no speech":    {`{"speech":{"text":"x"}}`, `{"candidates":[{"content":{"parts":[{"text":"no"}]}}]}`, "has no audio; it says no"},
		"no sound":     {`{"speech":{"text":"x"}}`, `{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAA="}}]}}]}`, "no audio in base64"},
		"image":        {`{"image":{"prompt":"x"}}`, `{"candidates":[{"content":{"parts":[{"text":"Here."},{"inlineData":{"mimeType":"image/png","data":"aGk="}}]},"finishReason":"STOP"}]}`, `{"image":{"pictures":[{"media_type":"image/png","data":"aGk="}]},"metadata":{"text":"Here."}}`},
		"image denied": {`{"image":{"prompt":"x"}}`, `{"candidates":[{"content":{"parts":[]},"finishReason":"IMAGE_SAFETY"}]}`, "content filter refused"},
	} {
		a := answer(row.intent, 200, row.body)
		if got := string(a.Data) + a.Message; got != row.want && (a.Kind != adapter.ActionFail || !strings.Contains(got, row.want)) {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
}
