package cohere_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/cohere"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

const hello = `{"chat":{"messages":[{"role":"user","content":"x"}]}}`

// ask starts an execution.
func ask(settings, intent string, stream bool) adapter.Reply {
	contract := `{"service_id":"s","base_url":"https://cohere.example.com/","endpoints":[],"settings":` + settings + `}`
	return adapter.Run(cohere.Adapter{}, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(contract), Stream: stream})
}

func answer(settings, intent string, status int, body string) adapter.Action {
	state := ask(settings, intent, false).State
	return adapter.Run(cohere.Adapter{}, state, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: []byte(body)}).Actions[0]
}

// play begins a stream, hands out the frames and ends it; it returns all deltas and the last action.
func play(settings string, frames ...string) (deltas string, last adapter.Action) {
	reply := ask(settings, hello, true)
	events := []*adapter.Event{{Kind: adapter.KindResponse, Status: 200}}
	for _, data := range frames {
		events = append(events, &adapter.Event{Kind: adapter.KindFrame, Data: []byte(data)})
	}
	for _, ev := range append(events, &adapter.Event{Kind: adapter.KindEnd}) {
		reply = adapter.Run(cohere.Adapter{}, reply.State, ev)
		for _, a := range reply.Actions {
			if a.Kind != adapter.ActionEmit {
				return deltas, a
			}
			deltas += string(a.Data)
		}
	}
	return deltas, adapter.Action{}
}

func Example() {
	call := ask(`{"models":["command-a-03-2025"]}`, `{"chat":{"messages":[{"role":"user","content":"Bonjour"}],"top_p":0.5}}`, true).Actions[0]
	fmt.Println(call.Method, call.URL, call.Framing)
	fmt.Println(string(call.Body))
	// Output:
	// POST https://cohere.example.com/v2/chat sse
	// {"model":"command-a-03-2025","messages":[{"role":"user","content":"Bonjour"}],"p":0.5,"stream":true}
}

func TestEveryParameterIsSaid(t *testing.T) {
	intent := `{"domain":"","type":"chat","unsupported":"","chat":{"model":"m","messages":[
		{"role":"system","content":"be brief"},
		{"role":"user","content":"see","parts":[{"media_type":"image/png","data":"aGk="},{"media_type":"","url":"https://x/a.jpg"},{"text":"and"}],"name":""},
		{"role":"assistant","content":"","thoughts":[{"text":"plan","signature":"other's"}],"tool_calls":[{"id":"1","name":"f","arguments":"","signature":"other's"}]},
		{"role":"tool","content":"4","tool_call_id":"1","name":"f"},
		{"role":"assistant","content":"four","thoughts":[{"text":"hm"}]},
		{"role":"user","content":"ok"}],
		"temperature":1,"top_p":0.9,"top_k":5,"max_tokens":9,"stop":["a"],"seed":0,"frequency_penalty":0.5,"presence_penalty":0,"response_schema":{"type":"object"},"json_object":true,
		"tools":[{"name":"f","description":""},{"name":"g","description":"d","parameters":{"type":"object"}}],"tool_choice":"required","parallel_tool_calls":true,"reasoning":{"max_tokens":100}}}`
	call := ask(`{"extra_body":{"safety_mode":"OFF"}}`, intent, false).Actions[0]
	want := `{"model":"m","messages":[{"role":"system","content":"be brief"},` +
		`{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}},{"type":"image_url","image_url":{"url":"https://x/a.jpg"}},{"type":"text","text":"and"}]},` +
		`{"role":"assistant","tool_plan":"plan","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},` +
		`{"role":"tool","tool_call_id":"1","content":"4"},` +
		`{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"four"}]},{"role":"user","content":"ok"}],` +
		`"temperature":1,"p":0.9,"k":5,"max_tokens":9,"stop_sequences":["a"],"seed":0,"frequency_penalty":0.5,"presence_penalty":0,` +
		`"response_format":{"type":"json_object","json_schema":{"type":"object"}},` +
		`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}},{"type":"function","function":{"name":"g","description":"d","parameters":{"type":"object"}}}],` +
		`"tool_choice":"REQUIRED","thinking":{"type":"enabled","token_budget":100},"safety_mode":"OFF"}`
	if string(call.Body) != want {
		t.Errorf("%s\n%s\nwant\n%s", call.Message, call.Body, want)
	}
}

func TestTheFirstVersionHasAHistory(t *testing.T) {
	intent := `{"chat":{"model":"m","messages":[
		{"role":"system","content":"be brief"},{"role":"user","content":"a","parts":[{"text":"b"}]},
		{"role":"assistant","thoughts":[{"text":"plan"}],"tool_calls":[{"id":"1","name":"f","arguments":"{\"x\":1}"},{"id":"2","name":"g","arguments":"{}"}]},
		{"role":"tool","content":"{\"y\":2}","tool_call_id":"1"},{"role":"tool","content":"no","tool_call_id":"2","name":"g"}%s],
		"tools":[{"name":"f","description":"d","parameters":{"type":"object","required":["x"],"additionalProperties":false,"properties":{"x":{"type":"integer","description":"an x"},"l":{"type":"array"}}}}],"response_schema":{"type":"object"}}}`
	history := `{"role":"SYSTEM","message":"be brief"},{"role":"USER","message":"ab"},{"role":"CHATBOT","message":"plan","tool_calls":[{"name":"f","parameters":{"x":1}},{"name":"g","parameters":{}}]}`
	results := `"tool_results":[{"call":{"name":"f","parameters":{"x":1}},"outputs":[{"y":2}]},{"call":{"name":"g","parameters":{}},"outputs":[{"output":"no"}]}]`
	tail := `,"tools":[{"name":"f","description":"d","parameter_definitions":{"x":{"type":"int","description":"an x","required":true},"l":{"type":"list"}}}],"response_format":{"type":"json_object","schema":{"type":"object"}}}`
	for rest, want := range map[string]string{
		``: `{"model":"m","message":"",` + results + `,"chat_history":[` + history + `]` + tail,
		`,{"role":"assistant","content":"so"},{"role":"user","content":"c"}`: `{"model":"m","message":"c","chat_history":[` + history + `,{"role":"TOOL",` + results + `},{"role":"CHATBOT","message":"so"}]` + tail,
	} {
		call := ask(`{"api":"v1"}`, fmt.Sprintf(intent, rest), false).Actions[0]
		if string(call.Body) != want || call.URL != "https://cohere.example.com/v1/chat" {
			t.Errorf("%s %s\n%s\nwant\n%s", call.Message, call.URL, call.Body, want)
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
	tool := func(schema string) string { return with(`"tools":[{"name":"f","parameters":` + schema + `}]`) }
	for name, row := range map[string]struct{ settings, intent, says string }{
		"no model":          {`{}`, hello, "chat.model: neither"},
		"unknown setting":   {`{"modell":"m"}`, hello, "adapter.settings.modell is not known"},
		"api":               {`{"model":"m","api":"v3"}`, hello, "adapter.settings.api is neither"},
		"clash":             {`{"model":"m","extra_body":{"model":"n"}}`, hello, "adapter.settings.extra_body.model is what"},
		"other intent":      {`{"model":"m"}`, `{"search":{"query":"q"}}`, "intent.search: this adapter does chat, embedding, rerank, transcription"},
		"later parameter":   {`{"model":"m"}`, with(`"mood":1`), "chat.mood: "},
		"hot":               {`{"model":"m"}`, with(`"temperature":1.5`), "chat.temperature: it is 1.5, the API takes 0 to 1"},
		"whole nucleus":     {`{"model":"m"}`, with(`"top_p":1`), "chat.top_p: it is 1, the API takes 0.01 to 0.99"},
		"liking":            {`{"model":"m"}`, with(`"presence_penalty":-1`), "chat.presence_penalty: "},
		"many":              {`{"model":"m"}`, with(`"top_k":501`), "chat.top_k: "},
		"one tool":          {`{"model":"m"}`, with(`"tool_choice":"f"`), "chat.tool_choice: "},
		"one at a time":     {`{"model":"m"}`, with(`"parallel_tool_calls":false`), "chat.parallel_tool_calls: "},
		"effort":            {`{"model":"m"}`, with(`"reasoning":{"effort":"low"}`), "chat.reasoning.effort: "},
		"effort and budget": {`{"model":"m"}`, with(`"reasoning":{"effort":"low","max_tokens":1}`), "chat.reasoning: "},
		"audio":             {`{"model":"m"}`, then(`{"role":"user","parts":[{"media_type":"audio/wav","data":"AA=="}]}`), "chat.messages[1].parts[0]: "},
		"nameless data":     {`{"model":"m"}`, then(`{"role":"user","parts":[{"data":"AA=="}]}`), "chat.messages[1].parts[0]: "},
		"a model's image":   {`{"model":"m"}`, then(`{"role":"assistant","parts":[{"media_type":"image/png","data":"AA=="}]}`), "chat.messages[1].parts[0]: "},
		"file's name":       {`{"model":"m"}`, then(`{"role":"user","parts":[{"media_type":"image/png","data":"AA==","name":"n"}]}`), "chat.messages[1].parts[0].name: "},
		"name":              {`{"model":"m"}`, then(`{"role":"user","content":"x","name":"n"}`), "chat.messages[1].name: "},
		"hidden thought":    {`{"model":"m"}`, then(`{"role":"assistant","thoughts":[{"redacted":"x"}]}`), "chat.messages[1].thoughts[0].redacted: "},
		"v1: image":         {`{"model":"m","api":"v1"}`, then(`{"role":"user","parts":[{"media_type":"image/png","data":"AA=="}]}`), "chat.messages[1].parts[0]: "},
		"v1: thinking":      {`{"model":"m","api":"v1"}`, with(`"reasoning":{"effort":"high"}`), "chat.reasoning: "},
		"v1: tool choice":   {`{"model":"m","api":"v1"}`, with(`"tool_choice":"none"`), "chat.tool_choice: "},
		"v1: nobody's call": {`{"model":"m","api":"v1"}`, then(`{"role":"tool","content":"x","tool_call_id":"1"}`), "chat.messages[1].tool_call_id: "},
		"v1: who goes on":   {`{"model":"m","api":"v1"}`, then(`{"role":"assistant","content":"x"}`), "chat.messages[1].role: "},
		"v1: keyword":       {`{"model":"m","api":"v1"}`, tool(`{"type":"object","properties":{"a":{"type":"string","enum":["b"]}}}`), "chat.tools[0].parameters.properties.a.enum: "},
		"v1: no type":       {`{"model":"m","api":"v1"}`, tool(`{"type":"object","properties":{"a":{"$ref":"#"}}}`), "chat.tools[0].parameters.properties.a.type: "},
		"v1: open object":   {`{"model":"m","api":"v1"}`, tool(`{"type":"object","additionalProperties":{"type":"string"}}`), "chat.tools[0].parameters.additionalProperties: "},
		"v1: dimensions":    {`{"model":"m","api":"v1"}`, `{"embedding":{"input":["x"],"dimensions":4}}`, "embedding.dimensions: "},
		"similarity":        {`{"model":"m"}`, `{"embedding":{"input":["x"],"purpose":"similarity"}}`, "embedding.purpose: "},
		"no text":           {`{"model":"m"}`, `{"embedding":{"input":[]}}`, "embedding.input: "},
		"no documents":      {`{"model":"m"}`, `{"rerank":{"query":"x","documents":[]}}`, "rerank.documents: "},
		"later rerank":      {`{"model":"m"}`, `{"rerank":{"query":"x","documents":["y"],"mood":1}}`, "rerank.mood: "},
	} {
		a := ask(row.settings, row.intent, false).Actions[0]
		if a.Kind != adapter.ActionFail || !strings.HasPrefix(a.Message, row.says) {
			t.Errorf("%s: %+v %s", name, a, a.Body)
		}
	}
}

func TestWhatIsLeftOutIsWarnedOf(t *testing.T) {
	intent := `{"unsupported":"warn","chat":{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":2,"tool_choice":"f","reasoning":{"effort":"low"}}}`
	call := ask(`{}`, intent, false).Actions[0]
	if want := `{"model":"m","messages":[{"role":"user","content":"x"}],"thinking":{"type":"enabled"}}`; string(call.Body) != want {
		t.Errorf("%s %s", call.Body, call.Message)
	}
	end := answer(`{}`, intent, 200, `{"message":{"content":[{"type":"text","text":"y"}]},"finish_reason":"COMPLETE"}`)
	for _, parameter := range []string{"chat.temperature", "chat.tool_choice", "chat.reasoning.effort"} {
		if !strings.Contains(string(end.Data), `{"parameter":"`+parameter+`"`) {
			t.Errorf("no warning of %s in %s", parameter, end.Data)
		}
	}
}

func TestVectorsAndOrders(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, url, body string }{
		"vectors":    {`{}`, `{"embedding":{"model":"m","input":["a","b"],"dimensions":256,"purpose":"query"}}`, "/v2/embed", `{"model":"m","texts":["a","b"],"output_dimension":256,"input_type":"search_query","embedding_types":["float"]}`},
		"no purpose": {`{"input_type":"clustering","api":"v1"}`, `{"embedding":{"model":"m","input":["a"],"purpose":""}}`, "/v1/embed", `{"model":"m","texts":["a"],"input_type":"clustering","embedding_types":["float"]}`},
		"rerank":     {`{}`, `{"rerank":{"model":"m","query":"q","documents":["a","b"],"top_n":1}}`, "/v2/rerank", `{"model":"m","query":"q","documents":["a","b"],"top_n":1}`},
		"all":        {`{"api":"v1"}`, `{"rerank":{"model":"m","query":"q","documents":["a"],"top_n":null}}`, "/v1/rerank", `{"model":"m","query":"q","documents":["a"]}`},
	} {
		a := ask(row.settings, row.intent, true).Actions[0]
		if a.URL != "https://cohere.example.com"+row.url || string(a.Body) != row.body || a.Framing != "" {
			t.Errorf("%s: %s %s %s", name, a.URL, a.Body, a.Message)
		}
	}
	two, order := `{"embedding":{"model":"m","input":["a","b"]}}`, `{"rerank":{"model":"m","query":"q","documents":["a","b"]}}`
	for name, row := range map[string]struct{ intent, body, want string }{
		"by type":       {two, `{"id":"i","embeddings":{"float":[[1],[2]]},"meta":{"billed_units":{"input_tokens":3}}}`, `{"embedding":{"vectors":[{"values":[1]},{"values":[2]}]},"metadata":{"billed_units":{"input_tokens":3}},"usage":{"input_tokens":3,"output_tokens":0},"id":"i"}`},
		"plain":         {two, `{"embeddings":[[1],[2]]}`, `{"embedding":{"vectors":[{"values":[1]},{"values":[2]}]}}`},
		"base64":        {two, `{"embeddings":{"base64":["AACAPw==","AAAAQA=="]}}`, `{"embedding":{"vectors":[{"values":[1]},{"values":[2]}]}}`},
		"too few":       {two, `{"embeddings":[[1]]}`, "has 1 vectors for 2 texts"},
		"order":         {order, `{"results":[{"index":1,"relevance_score":0.50},{"index":0,"relevance_score":0}],"meta":{"billed_units":{"search_units":1}}}`, `{"rerank":{"ranked":[{"index":1,"score":0.50},{"index":0,"score":0}]},"metadata":{"billed_units":{"search_units":1}},"usage":{"input_tokens":0,"output_tokens":0,"units":1}}`},
		"what document": {order, `{"results":[{"index":2,"relevance_score":1}]}`, "not sent"},
		"no score":      {order, `{"results":[{"index":1}]}`, "without a score"},
		"no results":    {order, `{}`, "no results"},
	} {
		a := answer(`{}`, row.intent, 200, row.body)
		if got := string(a.Data) + a.Message; got != row.want && (a.Kind != adapter.ActionFail || !strings.Contains(got, row.want)) {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	for name, row := range map[string]struct {
		status             int
		body, reason, says string
	}{
		"bad key":     {401, `{"message":"Incorrect API key provided: sk-1"}`, adapter.BadKey, "credentials"},
		"too long":    {400, `{"error_type":"TOO_MANY_TOKENS","message":"too many tokens: size limit exceeded"}`, adapter.ContextTooLong, "too long"},
		"no model":    {404, `{"message":"model 'x' was removed"}`, adapter.ModelNotFound, "was removed"},
		"rate limit":  {429, `{"message":"You are past the per minute request limit"}`, adapter.RateLimited, "limit"},
		"bad request": {400, `{"message":"invalid role"}`, adapter.BadRequest, "invalid role"},
		"no JSON":     {502, `<html>`, "", "502"},
		"ended badly": {200, `{"message":{"content":[{"type":"text","text":"a"}]},"finish_reason":"ERROR"}`, "", "ERROR"},
		"took long":   {200, `{"message":{"content":[{"type":"text","text":"a"}]},"finish_reason":"TIMEOUT"}`, "", "TIMEOUT"},
		"inside":      {200, `{"error":"boom"}`, "", "boom"},
		"no message":  {200, `{}`, "", "no message"},
		"not JSON":    {200, `oops`, "", "not JSON"},
	} {
		a := answer(`{"model":"m"}`, hello, row.status, row.body)
		if a.Kind != adapter.ActionFail || a.Reason != row.reason || !strings.Contains(a.Message, row.says) || strings.Contains(a.Message, "sk-") {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if a := answer(`{"model":"m","api":"v1"}`, hello, 200, `{"message":{}}`); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, "has no text") {
		t.Errorf("v1: %+v", a)
	}
}

func TestAnswersInTheNormalForm(t *testing.T) {
	for name, row := range map[string]struct{ settings, body, want string }{
		"thoughts": {`{"model":"m"}`, `{"id":"i","message":{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"4"}],"citations":[{"start":0}]},"finish_reason":"MAX_TOKENS","usage":{"billed_units":{"input_tokens":1},"tokens":{"input_tokens":9,"output_tokens":5,"reasoning_tokens":3},"cached_tokens":2}}`,
			`{"chat":{"message":{"role":"assistant","content":"4","thoughts":[{"text":"hm"}]},"finish_reason":"length"},"metadata":{"citations":[{"start":0}],"billed_units":{"input_tokens":1}},"usage":{"input_tokens":9,"output_tokens":5,"cached_input_tokens":2,"reasoning_tokens":3},"id":"i"}`},
		"nulls": {`{"model":"m"}`, `{"error":null,"id":null,"message":{"content":null,"tool_plan":null,"tool_calls":null,"citations":null},"finish_reason":"STOP_SEQUENCE","usage":null}`,
			`{"chat":{"message":{"role":"assistant","content":""},"finish_reason":"stop"}}`},
		"v1": {`{"model":"m","api":"v1"}`, `{"generation_id":"g","text":"plan","tool_calls":[{"name":"f","parameters":{"a": 1}},{"name":"g"}],"finish_reason":"COMPLETE","citations":[{"start":1}],"meta":{"billed_units":{"input_tokens":3,"output_tokens":4}}}`,
			`{"chat":{"message":{"role":"assistant","content":"plan","tool_calls":[{"id":"cohere_g_0","name":"f","arguments":"{\"a\": 1}"},{"id":"cohere_g_1","name":"g","arguments":"{}"}]},"finish_reason":"tool_calls"},"metadata":{"citations":[{"start":1}],"billed_units":{"input_tokens":3,"output_tokens":4}},"usage":{"input_tokens":3,"output_tokens":4},"id":"g"}`},
		"v1, toxic": {`{"model":"m","api":"v1"}`, `{"text":"","finish_reason":"ERROR_TOXIC"}`, `{"chat":{"message":{"role":"assistant","content":""},"finish_reason":"content_filter"}}`},
	} {
		a := answer(row.settings, hello, 200, row.body)
		if string(a.Data) != row.want {
			t.Errorf("%s: %s\n%s\nwant\n%s", name, a.Message, a.Data, row.want)
		}
	}
}

func TestStreams(t *testing.T) {
	v2 := []string{
		`{"type":"message-start","id":"i","delta":{"message":{"role":"assistant","content":[]}}}`, `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"pl"}}}`, `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"an"}}}`,
		`{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}}}`, `{"type":"content-end","index":0}`,
		`{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"1","type":"function","function":{"name":"f","arguments":""}}}}}`, `{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}}`,
		`{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0}}}}`, `{"type":"citation-start","index":1,"delta":{"message":{"citations":{"start":5}}}}`, `{"type":"debug"}`,
		`{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"tokens":{"input_tokens":1,"output_tokens":2}}}}`,
	}
	deltas, last := play(`{"model":"m"}`, v2...)
	want := `{"chat":{"message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"1","name":"f","arguments":"{}"}],"thoughts":[{"text":"plan"}]},"finish_reason":"tool_calls"},"metadata":{"citations":[{"start":0},{"start":5}]},"usage":{"input_tokens":1,"output_tokens":2},"id":"i"}`
	if string(last.Data) != want || deltas != `{"reasoning":"pl"}{"reasoning":"an"}{"text":"Hi"}{"tool_calls":[{"index":0,"id":"1","name":"f"}]}{"tool_calls":[{"index":0,"arguments":"{}"}]}` {
		t.Errorf("%s\n%s\nwant\n%s%s", deltas, last.Data, want, last.Message)
	}
	var together []adapter.Frame
	for _, data := range append(v2, "[DONE]") {
		together = append(together, adapter.Frame{Data: []byte(data)})
	}
	reply, err := cohere.Adapter{}.StepFrames(ask(`{"model":"m"}`, hello, true).State, together)
	if err != nil || len(reply.Actions) != 2 || string(reply.Actions[1].Data) != want || string(reply.Actions[0].Data) != `{"text":"Hi","reasoning":"plan","tool_calls":[{"index":0,"id":"1","name":"f"},{"index":0,"arguments":"{}"}]}` {
		t.Errorf("together: %+v, %v", reply.Actions, err)
	}
	reply, err = cohere.Adapter{}.StepFrames(ask(`{"model":"m"}`, hello, true).State, append(together[:5:5], adapter.Frame{Data: []byte("{")}))
	if err == nil || len(reply.Actions) != 1 || string(reply.Actions[0].Data) != `{"text":"Hi","reasoning":"plan"}` {
		t.Errorf("together, broken: %+v, %v", reply.Actions, err)
	}
	v1 := []string{
		`{"event_type":"stream-start","generation_id":"g"}`, `event: text-generation`, `data: {"event_type":"text-generation","text":"Hi"}`,
		`{"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"name":"f"}}`, `{"event_type":"tool-calls-chunk","tool_call_delta":{"index":0,"parameters":"{}"}}`,
		`{"event_type":"tool-calls-generation","text":"Hi","tool_calls":[{"name":"f","parameters":{}},{"name":"g","parameters":{"a":1}}]}`, `{"event_type":"citation-generation","citations":[{"start":0}]}`,
		`{"event_type":"stream-end","finish_reason":"COMPLETE","response":{"response_id":"r","text":"Hi","tool_calls":[{"name":"f","parameters":{}},{"name":"g","parameters":{"a":1}}],"meta":{"tokens":{"input_tokens":1,"output_tokens":2}}}}`,
	}
	deltas, last = play(`{"model":"m","api":"v1"}`, v1...)
	want = `{"chat":{"message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"cohere_g_0","name":"f","arguments":"{}"},{"id":"cohere_g_1","name":"g","arguments":"{\"a\":1}"}]},"finish_reason":"tool_calls"},"metadata":{"citations":[{"start":0}]},"usage":{"input_tokens":1,"output_tokens":2},"id":"g"}`
	if string(last.Data) != want || deltas != `{"text":"Hi"}{"tool_calls":[{"index":0,"id":"cohere_g_0","name":"f"}]}{"tool_calls":[{"index":0,"arguments":"{}"}]}{"tool_calls":[{"index":1,"id":"cohere_g_1","name":"g","arguments":"{\"a\":1}"}]}` {
		t.Errorf("%s\n%s\nwant\n%s%s", deltas, last.Data, want, last.Message)
	}
	for name, row := range map[string]struct {
		settings, says string
		frames         []string
	}{
		"nothing":       {`{"model":"m"}`, "broke off", nil},
		"no end":        {`{"model":"m"}`, "broke off", v2[:11]},
		"done, no end":  {`{"model":"m"}`, "broke off", append(v2[:5:5], "[DONE]")},
		"v1, no end":    {`{"model":"m","api":"v1"}`, "broke off", v1[:7]},
		"garbage":       {`{"model":"m"}`, "not JSON", append(v2[:5:5], `{"type":`)},
		"an error":      {`{"model":"m"}`, "went down", append(v2[:5:5], `{"id":"i","message":"the server went down"}`)},
		"ended badly":   {`{"model":"m"}`, "ERROR out of memory", append(v2[:5:5], `{"type":"message-end","delta":{"error":"out of memory"}}`)},
		"v1, badly":     {`{"model":"m","api":"v1"}`, "ERROR", append(v1[:3:3], `{"event_type":"stream-end","finish_reason":"ERROR","response":{}}`)},
		"v1, took long": {`{"model":"m","api":"v1"}`, "TIMEOUT", append(v1[:3:3], `{"event_type":"stream-end","response":{"finish_reason":"TIMEOUT"}}`)},
	} {
		if _, last := play(row.settings, row.frames...); last.Kind != adapter.ActionFail || !strings.Contains(last.Message, row.says) {
			t.Errorf("%s: %+v", name, last)
		}
	}
}

func TestAudioIsWrittenDown(t *testing.T) {
	intent := `{"transcription":{"model":"m","audio":"UklGRg==","media_type":"audio/mpeg","language":"de-AT"}}`
	call := ask(`{"extra_body":{"temperature":0.2}}`, intent, false).Actions[0]
	for _, part := range []string{"name=\"model\"\r\n\r\nm\r\n", "name=\"language\"\r\n\r\nde\r\n", "name=\"temperature\"\r\n\r\n0.2\r\n", "filename=\"audio.mp3\"", "\r\n\r\nRIFF\r\n"} {
		if !strings.Contains(string(call.Body), part) {
			t.Errorf("the form has no %q: %q %s", part, call.Body, call.Message)
		}
	}
	if call.URL != "https://cohere.example.com/v2/audio/transcriptions" {
		t.Error(call.URL)
	}
	if end := answer(`{}`, intent, 200, `{"text":"Servus"}`); string(end.Data) != `{"transcription":{"text":"Servus"}}` {
		t.Errorf("%s %s", end.Data, end.Message)
	}
	if end := answer(`{}`, intent, 200, `{}`); end.Kind != adapter.ActionFail {
		t.Errorf("no text: %+v", end)
	}
	for says, row := range map[string][2]string{
		"transcription.language: ":                {`{"model":"m"}`, `{"transcription":{"audio":"UklGRg=="}}`},
		"transcription.url: ":                     {`{"model":"m"}`, `{"transcription":{"url":"https://x","language":"de"}}`},
		"transcription.words: ":                   {`{"model":"m"}`, `{"transcription":{"audio":"UklGRg==","language":"de","words":true}}`},
		"transcription.audio: ":                   {`{"model":"m"}`, `{"transcription":{"language":"de"}}`},
		"intent.transcription: ":                  {`{"model":"m","api":"v1"}`, `{"transcription":{"audio":"UklGRg==","language":"de"}}`},
		"adapter.settings.extra_body.language is": {`{"model":"m","extra_body":{"language":"en"}}`, `{"transcription":{"audio":"UklGRg==","language":"de"}}`},
	} {
		if a := ask(row[0], row[1], false).Actions[0]; a.Kind != adapter.ActionFail || !strings.HasPrefix(a.Message, says) {
			t.Errorf("%s %+v", says, a)
		}
	}
}
