package ollama_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/ollama"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// begin starts an execution with settings.
func begin(settings, intent string, stream bool) adapter.Reply {
	contract := `{"service_id":"s","base_url":"http://127.0.0.1:11434/","settings":` + settings + `}`
	return adapter.Run(ollama.Adapter{}, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(contract), Stream: stream})
}

// answer continues it with a whole answer, and returns the last action.
func answer(intent string, status int, body string) adapter.Action {
	start := begin(`{"model":"m"}`, intent, false)
	reply := adapter.Run(ollama.Adapter{}, start.State, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: []byte(body)})
	return reply.Actions[len(reply.Actions)-1]
}

// play continues it with the lines of a stream; deltas are what was handed on before the last action.
func play(intent string, lines ...string) (deltas []string, last adapter.Action) {
	reply := begin(`{"model":"m"}`, intent, true)
	events := []*adapter.Event{{Kind: adapter.KindResponse, Status: 200}}
	for _, line := range lines {
		events = append(events, &adapter.Event{Kind: adapter.KindFrame, Data: []byte(line)})
	}
	for _, ev := range append(events, &adapter.Event{Kind: adapter.KindEnd}) {
		reply = adapter.Run(ollama.Adapter{}, reply.State, ev)
		for _, a := range reply.Actions {
			if a.Kind != adapter.ActionEmit {
				return deltas, a
			}
			deltas = append(deltas, string(a.Data))
		}
	}
	return deltas, last
}

const hello = `{"chat":{"messages":[{"role":"user","content":"Hi"}]}}`

func Example() {
	call := begin(`{"model":"llama3.2"}`, `{"chat":{"messages":[{"role":"user","content":"Hi"}],"temperature":0,"max_tokens":9}}`, false).Actions[0]
	fmt.Println(call.Method, call.URL, string(call.Body))
	// Output:
	// POST http://127.0.0.1:11434/api/chat {"model":"llama3.2","messages":[{"role":"user","content":"Hi"}],"options":{"temperature":0,"num_predict":9},"stream":false}
}

func TestWhatIsAsked(t *testing.T) {
	chat := func(rest string) string { return `{"chat":{"messages":[{"role":"user","content":"Hi"}]` + rest + `}}` }
	head := `{"model":"m","messages":[{"role":"user","content":"Hi"}]`
	tool := `"tools":[{"name":"f","description":"does","parameters":{"type":"object"}}]`
	asked := `"tools":[{"type":"function","function":{"name":"f","description":"does","parameters":{"type":"object"}}}]`
	for name, row := range map[string]struct{ settings, intent, body string }{
		"sampling":       {`{}`, chat(`,"top_k":3,"top_p":0.5,"seed":0,"stop":["x"],"frequency_penalty":0.1,"presence_penalty":-1`), head + `,"options":{"top_k":3,"top_p":0.5,"seed":0,"stop":["x"],"frequency_penalty":0.1,"presence_penalty":-1},"stream":false}`},
		"schema":         {`{}`, chat(`,"response_schema":{"type":"object"},"json_object":true`), head + `,"format":{"type":"object"},"stream":false}`},
		"some object":    {`{}`, chat(`,"json_object":true`), head + `,"format":"json","stream":false}`},
		"options":        {`{"options":{"num_ctx":8192},"keep_alive":"10m"}`, chat(`,"seed":1`), head + `,"options":{"seed":1,"num_ctx":8192},"keep_alive":"10m","stream":false}`},
		"tools":          {`{}`, chat(`,` + tool + `,"tool_choice":"auto","parallel_tool_calls":true`), head + `,` + asked + `,"stream":false}`},
		"no tool":        {`{}`, chat(`,` + tool + `,"tool_choice":"none"`), head + `,"stream":false}`},
		"tool of none":   {`{}`, chat(`,"tools":[{"name":"f"}]`), head + `,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"stream":false}`},
		"no thought":     {`{}`, chat(`,"reasoning":{"effort":"none"}`), head + `,"think":false,"stream":false}`},
		"thought of 0":   {`{}`, chat(`,"reasoning":{"max_tokens":0}`), head + `,"think":false,"stream":false}`},
		"deep thought":   {`{}`, chat(`,"reasoning":{"effort":"high"}`), head + `,"think":"high","stream":false}`},
		"image":          {`{}`, `{"chat":{"messages":[{"role":"user","content":"See","parts":[{"text":"this"},{"media_type":"image/png","data":"aGk="}]}]}}`, `{"model":"m","messages":[{"role":"user","content":"See\nthis","images":["aGk="]}],"stream":false}`},
		"code":           {`{}`, `{"code":{"prompt":"def f(","suffix":"return","max_tokens":7}}`, `{"model":"m","prompt":"def f(","suffix":"return","options":{"num_predict":7},"stream":false}`},
		"embedding":      {`{}`, `{"embedding":{"input":["a","b"],"dimensions":8}}`, `{"model":"m","input":["a","b"],"dimensions":8,"truncate":false}`},
		"left out":       {`{}`, `{"unsupported":"warn","chat":{"messages":[{"role":"user","content":"Hi","name":"Ann"}],"tool_choice":"required"}}`, head + `,"stream":false}`},
		"nulls are none": {`{}`, chat(`,"seed":null,"response_schema":null,"tools":null`), head + `,"stream":false}`},
	} {
		settings := strings.Replace(row.settings, `{`, `{"model":"m",`, 1)
		if row.settings == `{}` {
			settings = `{"models":["m","n"]}`
		}
		a := begin(settings, row.intent, false).Actions[0]
		if a.Kind != adapter.ActionHTTP || string(a.Body) != row.body {
			t.Errorf("%s: asked\n%s %s, want\n%s", name, a.Body, a.Message, row.body)
		}
	}
}

func TestAnswersOfToolsFindTheirCalls(t *testing.T) {
	calls := `{"role":"assistant","thoughts":[{"text":"two"}],"tool_calls":[{"id":"%[1]s","name":"f","arguments":"{\"x\":1}"},{"id":"%[2]s","name":"g"}]}`
	for name, row := range map[string]struct{ one, other, results, want string }{
		"by id":   {"a", "b", `{"role":"tool","tool_call_id":"b","content":"2"},{"role":"tool","tool_call_id":"a","content":"1"}`, `{"role":"tool","content":"2","tool_name":"g","tool_call_id":"b"},{"role":"tool","content":"1","tool_name":"f","tool_call_id":"a"}`},
		"by name": {"", "", `{"role":"tool","tool_call_id":"call_1","content":"2","name":"g"}`, `{"role":"tool","content":"2","tool_name":"g","tool_call_id":"call_1"}`},
	} {
		a := begin(`{"model":"m"}`, `{"chat":{"messages":[`+fmt.Sprintf(calls, row.one, row.other)+`,`+row.results+`]}}`, false).Actions[0]
		if !strings.Contains(string(a.Body), row.want) || !strings.Contains(string(a.Body), `"arguments":{"x":1}`) || !strings.Contains(string(a.Body), `"thinking":"two"`) {
			t.Errorf("%s: %s %s", name, a.Body, a.Message)
		}
	}
	a := begin(`{"model":"m"}`, `{"chat":{"messages":[{"role":"tool","tool_call_id":"z","content":"1"}]}}`, false).Actions[0]
	if a.Code != adapter.InvalidRequest || !strings.Contains(a.Message, `chat.messages[0].tool_call_id: no call before it is named "z"`) {
		t.Errorf("%+v", a)
	}
}

func TestWhatIsRefusedBeforeAsking(t *testing.T) {
	message := func(m string) string { return `{"chat":{"messages":[` + m + `]}}` }
	chat := func(rest string) string { return `{"chat":{"messages":[{"role":"user","content":"Hi"}],` + rest + `}}` }
	for name, row := range map[string]struct{ settings, intent, says string }{
		"no model":         {`{}`, hello, "chat.model: neither"},
		"unknown setting":  {`{"model":"m","modell":"x"}`, hello, "adapter.settings.modell is not known"},
		"option twice":     {`{"model":"m","options":{"seed":1}}`, chat(`"seed":2`), "adapter.settings.options.seed is what the request itself says"},
		"other work":       {`{"model":"m"}`, `{"search":{"query":"q"}}`, "intent.search: this adapter does chat, embedding, code"},
		"forced tool":      {`{"model":"m"}`, chat(`"tool_choice":"required"`), "chat.tool_choice: "},
		"one tool at once": {`{"model":"m"}`, chat(`"parallel_tool_calls":false`), "chat.parallel_tool_calls: "},
		"minimal thought":  {`{"model":"m"}`, chat(`"reasoning":{"effort":"minimal"}`), `chat.reasoning.effort: Ollama knows none, low, medium and high, not "minimal"`},
		"counted thought":  {`{"model":"m"}`, chat(`"reasoning":{"max_tokens":5}`), "chat.reasoning.max_tokens: "},
		"what comes later": {`{"model":"m"}`, chat(`"voice":"x"`), "chat.voice: "},
		"image by URL":     {`{"model":"m"}`, message(`{"role":"user","parts":[{"media_type":"image/png","url":"http://x/a.png"}]}`), "chat.messages[0].parts[0].url: "},
		"audio":            {`{"model":"m"}`, message(`{"role":"user","parts":[{"media_type":"audio/wav","data":"aGk="}]}`), "chat.messages[0].parts[0].media_type: "},
		"odd arguments":    {`{"model":"m"}`, message(`{"role":"assistant","tool_calls":[{"name":"f","arguments":"[1]"}]}`), "chat.messages[0].tool_calls[0].arguments: "},
		"signed thought":   {`{"model":"m"}`, message(`{"role":"assistant","content":"x","thoughts":[{"text":"t","signature":"s"}]}`), "chat.messages[0].thoughts: "},
		"purpose":          {`{"model":"m"}`, `{"embedding":{"input":["a"],"purpose":"query"}}`, "embedding.purpose: "},
		"nothing to embed": {`{"model":"m"}`, `{"embedding":{"input":[]}}`, "embedding.input: there is no text"},
		"language":         {`{"model":"m"}`, `{"code":{"prompt":"p","language":"go"}}`, "code.language: "},
	} {
		if a := begin(row.settings, row.intent, false).Actions[0]; a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestWhatIsMadeOfAnAnswer(t *testing.T) {
	for name, row := range map[string]struct{ intent, body, want string }{
		"chat":     {hello, `{"model":"m-1","message":{"role":"assistant","content":"Ho"},"done":true,"done_reason":"length","prompt_eval_count":3,"eval_count":4}`, `{"chat":{"message":{"role":"assistant","content":"Ho"},"finish_reason":"length"},"usage":{"input_tokens":3,"output_tokens":4},"model":"m-1"}`},
		"thought":  {hello, `{"message":{"content":"Ho","thinking":"hm"},"done":true}`, `{"chat":{"message":{"role":"assistant","content":"Ho","thoughts":[{"text":"hm"}]},"finish_reason":""}}`},
		"calls":    {hello, `{"message":{"content":"","tool_calls":[{"function":{"name":"f","index":0,"arguments":{"a":1}}},{"id":"c","function":{"name":"g","index":0}}]},"done":true,"done_reason":"stop"}`, `{"chat":{"message":{"role":"assistant","content":"","tool_calls":[{"id":"call_0","name":"f","arguments":"{\"a\":1}"},{"id":"c","name":"g","arguments":"{}"}]},"finish_reason":"tool_calls"}}`},
		"code":     {`{"code":{"prompt":"p"}}`, `{"response":"x = 1","done":true,"done_reason":"stop","eval_count":2}`, `{"code":{"text":"x = 1","finish_reason":"stop"},"usage":{"input_tokens":0,"output_tokens":2}}`},
		"vectors":  {`{"embedding":{"input":["a","b"]}}`, `{"model":"e","embeddings":[[0.10,2],[3,-4e-2]],"prompt_eval_count":5}`, `{"embedding":{"vectors":[{"values":[0.10,2]},{"values":[3,-4e-2]}]},"usage":{"input_tokens":5,"output_tokens":0},"model":"e"}`},
		"old path": {`{"embedding":{"input":["a"]}}`, `{"embedding":[1]}`, `{"embedding":{"vectors":[{"values":[1]}]}}`},
	} {
		if a := answer(row.intent, 200, row.body); a.Kind != adapter.ActionDone || string(a.Data) != row.want {
			t.Errorf("%s: %s %s, want %s", name, a.Data, a.Message, row.want)
		}
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	for name, row := range map[string]struct {
		intent       string
		status       int
		body         string
		reason, says string
	}{
		"no model":       {hello, 404, `{"error":"model 'x' not found"}`, adapter.ModelNotFound, "model 'x' not found"},
		"bad request":    {hello, 400, `{"error":"invalid format"}`, adapter.BadRequest, "invalid format"},
		"too long":       {`{"embedding":{"input":["a"]}}`, 400, `{"error":"the input length exceeds the context length"}`, adapter.ContextTooLong, "too long"},
		"busy":           {hello, 503, `{"error":"server busy, please try again. maximum pending requests exceeded"}`, adapter.Overload, "server busy"},
		"error in a 200": {hello, 200, `{"error":"llama runner process has terminated"}`, "", "llama runner"},
		"not JSON":       {hello, 200, `<html>`, "", "not JSON"},
		"no message":     {hello, 200, `{"done":true}`, "", "neither message nor response"},
		"lost vector":    {`{"embedding":{"input":["a","b"]}}`, 200, `{"embeddings":[[1]]}`, "", "1 vectors for 2 texts"},
		"no numbers":     {`{"embedding":{"input":["a"]}}`, 200, `{"embeddings":[["x"]]}`, "", "more than numbers"},
	} {
		if a := answer(row.intent, row.status, row.body); a.Kind != adapter.ActionFail || a.Reason != row.reason || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestStreams(t *testing.T) {
	thought := `{"model":"m-1","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}`
	piece := `{"model":"m-1","message":{"role":"assistant","content":"H"},"done":false}`
	call := `{"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":false}`
	last := `{"model":"m-1","message":{"role":"assistant","content":"o"},"done":true,"done_reason":"stop","prompt_eval_count":1,"eval_count":2}`
	deltas, end := play(hello, thought, piece, call, call, last)
	want := `{"chat":{"message":{"role":"assistant","content":"Ho","tool_calls":[{"id":"call_0","name":"f","arguments":"{\"a\":1}"},{"id":"call_1","name":"f","arguments":"{\"a\":1}"}],"thoughts":[{"text":"hm"}]},"finish_reason":"tool_calls"},"usage":{"input_tokens":1,"output_tokens":2},"model":"m-1"}`
	if end.Kind != adapter.ActionDone || string(end.Data) != want || len(deltas) != 5 || deltas[0] != `{"reasoning":"hm"}` || deltas[4] != `{"text":"o"}` {
		t.Errorf("%q, %s %s", deltas, end.Data, end.Message)
	}
	for name, row := range map[string]struct {
		lines []string
		says  string
	}{
		"nothing":      {nil, "broke off"},
		"cut":          {[]string{piece, piece}, `broke off: no line said "done": true`},
		"error inside": {[]string{piece, `{"error":"an error was encountered while running the model"}`}, "while running the model"},
		"half a line":  {[]string{piece, `{"message":{"con`}, "not JSON"},
	} {
		if _, a := play(hello, row.lines...); a.Kind != adapter.ActionFail || !a.Retryable || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
	if deltas, end = play(`{"code":{"prompt":"p"}}`, `{"response":"x","done":false}`, `{"response":"","done":true,"done_reason":"stop"}`); len(deltas) != 1 || string(end.Data) != `{"code":{"text":"x","finish_reason":"stop"}}` {
		t.Errorf("%q, %s %s", deltas, end.Data, end.Message)
	}
}

func TestWhatWasLeftOutIsSaid(t *testing.T) {
	start := begin(`{"model":"m"}`, `{"unsupported":"warn","chat":{"messages":[{"role":"user","content":"Hi"}],"tool_choice":"f"}}`, false)
	reply := adapter.Run(ollama.Adapter{}, start.State, &adapter.Event{Kind: adapter.KindResponse, Status: 200, Body: []byte(`{"message":{"content":"x"},"done":true}`)})
	done := reply.Actions[len(reply.Actions)-1]
	if !strings.Contains(string(done.Data), `"warnings":[{"parameter":"chat.tool_choice"`) {
		t.Errorf("%s %s", done.Data, done.Message)
	}
}
