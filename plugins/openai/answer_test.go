package openai_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/openai"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func TestAnswersThatAreErrors(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
		code   string
		retry  bool
		says   string
	}{
		"bad key":            {401, `{"error":{"message":"Incorrect API key provided: sk-ab12","code":"invalid_api_key"}}`, adapter.ExecutionFailed, true, "refused the credentials, status 401"},
		"forbidden":          {403, `{"error":{"message":"key sk-ab12 may not"}}`, adapter.ExecutionFailed, true, "refused the credentials, status 403"},
		"rate limit":         {429, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`, adapter.ExecutionFailed, true, "slow down"},
		"out of credit":      {429, `{"error":{"message":"quota","code":"insufficient_quota"}}`, adapter.ExecutionFailed, true, "out of credit"},
		"too long":           {400, `{"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}}`, adapter.ExecutionFailed, true, "too long for the model, status 400"},
		"too long, no code":  {400, `{"object":"error","message":"maximum context length is 10"}`, adapter.ExecutionFailed, true, "too long"},
		"filtered":           {400, `{"error":{"message":"policy","code":"content_filter"}}`, adapter.ExecutionFailed, false, "content filter"},
		"bad request":        {400, `{"error":{"message":"bad stop","type":"invalid_request_error"}}`, adapter.ExecutionFailed, false, "bad stop"},
		"not for this model": {400, `{"error":{"message":"no max_tokens","code":"unsupported_parameter"}}`, adapter.ExecutionFailed, true, "no max_tokens"},
		"error is a text":    {500, `{"error":"boom"}`, adapter.ExecutionFailed, true, "boom"},
		"detail":             {422, `{"detail":"field required"}`, adapter.ExecutionFailed, false, "field required"},
		"in a list":          {400, `[{"error":{"message":"listed"}}]`, adapter.ExecutionFailed, false, "listed"},
		"no JSON":            {502, `<html>`, adapter.ExecutionFailed, true, "status 502"},
		"down":               {503, ``, adapter.Unavailable, true, "status 503"},
		"slow":               {504, ``, adapter.Timeout, true, "status 504"},
		"error in a 200":     {200, `{"error":{"message":"overloaded"}}`, adapter.ExecutionFailed, true, "overloaded"},
		"200 without JSON":   {200, `oops`, adapter.ExecutionFailed, true, "not JSON"},
		"200, no choices":    {200, `{"choices":[]}`, adapter.ExecutionFailed, true, "no choices"},
		"200, empty":         {200, ``, adapter.ExecutionFailed, true, "not JSON"},
	} {
		a := respond(begin(t, hello, false).State, row.status, []byte(row.body)).Actions[0]
		if a.Kind != adapter.ActionFail || a.Code != row.code || a.Retryable != row.retry || !strings.Contains(a.Message, row.says) || strings.Contains(a.Message, "sk-") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestOddButGoodAnswers(t *testing.T) {
	for name, row := range map[string]struct{ body, want string }{
		"refusal":        {`{"choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}]}`, `{"chat":{"message":{"role":"assistant","content":"No."},"finish_reason":"stop"},"metadata":{"refusal":true}}`},
		"reasoning":      {`{"choices":[{"message":{"content":"4","reasoning_content":"2+2"},"finish_reason":"stop"}]}`, `{"chat":{"message":{"role":"assistant","content":"4","thoughts":[{"text":"2+2"}]},"finish_reason":"stop"}}`},
		"parts":          {`{"choices":[{"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"so"}]},{"type":"text","text":"a"},{"type":"text","text":"b"}]},"finish_reason":null}]}`, `{"chat":{"message":{"role":"assistant","content":"ab","thoughts":[{"text":"so"}]},"finish_reason":""}}`},
		"object args":    {`{"choices":[{"message":{"tool_calls":[{"id":"c","function":{"name":"f","arguments":{"a":1}}}]},"finish_reason":"function_call"}]}`, `{"chat":{"message":{"role":"assistant","content":"","tool_calls":[{"id":"c","name":"f","arguments":"{\"a\":1}"}]},"finish_reason":"tool_calls"}}`},
		"usage of nulls": {`{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":null}}`, `{"chat":{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}}`},
		"error is null":  {`{"error":null,"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}`, `{"chat":{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}}`},
	} {
		a := respond(begin(t, hello, false).State, 200, []byte(row.body)).Actions[0]
		if a.Kind != adapter.ActionDone || string(a.Data) != row.want {
			t.Errorf("%s: %s %s", name, a.Data, a.Message)
		}
	}
}

const (
	first = `{"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}`
	final = `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	count = `{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}`
)

func TestStreamsThatBreakOffAreNoCleanEnd(t *testing.T) {
	for name, row := range map[string]struct {
		settings string
		frames   []string
		says     string
	}{
		"nothing":                {`{"model":"m"}`, nil, "without a single choice"},
		"done at once":           {`{"model":"m"}`, []string{"[DONE]"}, "without a single choice"},
		"no finish":              {`{"model":"m"}`, []string{first}, "finish_reason"},
		"done without finish":    {`{"model":"m"}`, []string{first, "[DONE]"}, "finish_reason"},
		"no done":                {`{"model":"m"}`, []string{first, final, count}, "[DONE]"},
		"lax, but no finish":     {`{"model":"m","stream_done":false}`, []string{first}, "finish_reason"},
		"error inside":           {`{"model":"m"}`, []string{first, `{"error":{"message":"upstream died"}}`}, "upstream died"},
		"garbage":                {`{"model":"m"}`, []string{first, `{"choices":[{`}, "not JSON"},
		"filter in the middle":   {`{"model":"m"}`, []string{first, `{"error":{"message":"filtered","code":"content_filter"}}`}, "filtered"},
		"error after the finish": {`{"model":"m"}`, []string{first, final, `{"error":"late"}`, "[DONE]"}, "late"},
	} {
		_, end := play(t, row.settings, row.frames)
		if a := end.Actions[0]; a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestStreamsThatEndWell(t *testing.T) {
	want := `{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"},"usage":{"input_tokens":1,"output_tokens":2},"model":"m-1"}`
	for name, row := range map[string]struct {
		settings string
		frames   []string
	}{
		"as specified":      {`{"model":"m"}`, []string{first, final, count, "[DONE]"}},
		"signs of life":     {`{"model":"m"}`, []string{"", first, " ", final, count, " [DONE] "}},
		"server sends none": {`{"model":"m","stream_done":false}`, []string{first, final, count}},
		"usage at once":     {`{"model":"m"}`, []string{first, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, "[DONE]"}},
		"other choices":     {`{"model":"m"}`, []string{first, `{"choices":[{"index":1,"delta":{"content":"no"}}]}`, final, count, "[DONE]"}},
	} {
		text, end := play(t, row.settings, row.frames)
		if a := end.Actions[0]; text != "Hi" || a.Kind != adapter.ActionDone || string(a.Data) != want {
			t.Errorf("%s: %q, %s %s", name, text, a.Data, a.Message)
		}
	}
}

func TestPiecesOfToolCallsFindTheirCalls(t *testing.T) {
	piece := func(call string) string { return `{"choices":[{"delta":{"tool_calls":[` + call + `]}}]}` }
	end := `{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}`
	want := `[{"id":"a","name":"f","arguments":"{\"x\":1}"},{"id":"b","name":"g","arguments":"{}"}]`
	for name, frames := range map[string][]string{
		"interleaved": {piece(`{"index":0,"id":"a","function":{"name":"f","arguments":""}}`), piece(`{"index":1,"id":"b","function":{"name":"g","arguments":"{"}}`),
			piece(`{"index":0,"function":{"arguments":"{\"x\""}}`), piece(`{"index":1,"function":{"arguments":"}"}}`), piece(`{"index":0,"function":{"arguments":":1}"}}`)},
		"out of order":   {piece(`{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}`), piece(`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`)},
		"all numbered 0": {piece(`{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`), piece(`{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}`)},
		"no index":       {piece(`{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}}`), piece(`{"id":"b","function":{"name":"g","arguments":"{"}}`), piece(`{"function":{"arguments":"}"}}`)},
	} {
		_, last := play(t, `{"model":"m"}`, append(frames, end, "[DONE]"))
		if a := last.Actions[0]; a.Kind != adapter.ActionDone || !strings.Contains(string(a.Data), want) {
			t.Errorf("%s: %s %s", name, a.Data, a.Message)
		}
	}
	reply := adapter.Run(openai.New(openai.OpenAI()), adapter.Run(openai.New(openai.OpenAI()), nil, &adapter.Event{Kind: adapter.KindStart, Stream: true, Intent: []byte(hello), Contract: []byte(`{"base_url":"https://x","settings":{"model":"m"}}`)}).State,
		&adapter.Event{Kind: adapter.KindFrame, Data: []byte(piece(`{"index":0,"id":"a","function":{"name":"f","arguments":""}}`))})
	if got := string(reply.Actions[0].Data); got != `{"tool_calls":[{"index":0,"id":"a","name":"f"}]}` {
		t.Error(got)
	}
}

func TestVectorsComeInTheOrderOfTheTexts(t *testing.T) {
	start := begin(t, `{"embedding":{"input":["a","b"],"dimensions":2}}`, false)
	if call := start.Actions[0]; string(call.Body) != `{"model":"m","input":["a","b"],"dimensions":2}` || call.URL != "https://api.example.com/v1/embeddings" {
		t.Errorf("%s %s", call.URL, call.Body)
	}
	for body, want := range map[string]string{
		`{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2e-1]}],"model":"e","usage":{"prompt_tokens":2}}`: `{"embedding":{"vectors":[{"values":[1,2e-1]},{"values":[3,4]}]},"usage":{"input_tokens":2,"output_tokens":0},"model":"e"}`,
		`{"data":[{"embedding":"AACAPwAAAEA="},{"embedding":"zczMPQ=="}]}`:                                                  `{"embedding":{"vectors":[{"values":[1,2]},{"values":[0.1]}]}}`,
	} {
		if a := respond(start.State, 200, []byte(body)).Actions[0]; string(a.Data) != want {
			t.Errorf("%s: %s %s", body, a.Data, a.Message)
		}
	}
	for body, says := range map[string]string{
		`{"data":[{"index":0,"embedding":[1]}]}`:                               "1 vectors for 2 texts",
		`{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`:   "two for one",
		`{"data":[{"index":0,"embedding":[1]},{"index":7,"embedding":[1]}]}`:   "not sent",
		`{"data":[{"index":0,"embedding":["1"]},{"index":1,"embedding":[1]}]}`: "more than numbers",
		`{"data":[{"index":0,"embedding":"AAA"},{"index":1,"embedding":[1]}]}`: "base64",
		`{"data":[{"embedding":"AADAfw=="},{"embedding":[1]}]}`:                "no number",
		`{"data":[{},{}]}`: "without a vector",
		`{}`:               "0 vectors",
	} {
		if a := respond(start.State, 200, []byte(body)).Actions[0]; a.Kind != adapter.ActionFail || !strings.Contains(a.Message, says) {
			t.Errorf("%s: %+v", body, a)
		}
	}
	if a := ask(`{"model":"m"}`, `{"embedding":{"input":[]}}`, false); a.Code != adapter.InvalidRequest {
		t.Errorf("%+v", a)
	}
}

// FuzzAnswer reads answers and frames that no provider should send, and intents that no host would: nothing panics, and what goes
// out is JSON, or a form.
func FuzzAnswer(f *testing.F) {
	adapters := []openai.Adapter{
		openai.New(openai.OpenAI()), openai.New(openai.AzureOpenAI()), openai.New(openai.Groq()), openai.New(openai.HuggingFace()), openai.New(openai.MetaLlama()),
		openai.New(openai.Mistral()), openai.New(openai.Perplexity()), openai.New(openai.Together()), openai.New(openai.XAI()),
	}
	f.Add(uint8(0), false, hello, 200, []byte(`{"choices":[{"message":{"content":"a","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}`), []byte(first))
	f.Add(uint8(0), false, `{"embedding":{"input":["a"]}}`, 200, []byte(`{"data":[{"index":0,"embedding":"AACAPw=="}]}`), []byte(`{"choices":[{"delta":{"tool_calls":[{"index":3,"id":"x","function":{"arguments":"{"}}]}}]}`))
	f.Add(uint8(3), false, `{"chat":{"messages":[{"role":"user","parts":[{"media_type":"image/png","data":"AA=="}]}],"tools":[{"name":"f"}],"stop":["x"]}}`, 400, []byte(`{"error":{"message":"x","code":"context_length_exceeded"}}`), []byte(`[DONE]`))
	f.Add(uint8(0), true, `{"chat":{"messages":[{"role":"assistant","content":"a","thoughts":[{"redacted":"E"}]}]}}`, 200, []byte(`{"status":"completed","output":[{"type":"reasoning","summary":[{"text":"a"}]},{"type":"function_call","arguments":{}}]}`), []byte(`{"type":"response.output_item.done","output_index":-1,"item":{"type":"function_call","name":"f"}}`))
	f.Add(uint8(7), false, `{"image":{"prompt":"a","size":"01x9","images":[{"url":"x"}]}}`, 200, []byte(`{"data":[{"b64_json":"A"}]}`), []byte(`{"type":"response.completed","response":{}}`))
	f.Add(uint8(6), false, `{"search":{"query":"q","exclude_domains":[1]}}`, 200, []byte(`{"results":[{}]}`), []byte(`{"event":{"delta":{"type":"tool_call"},"metrics":[{}]}}`))
	f.Add(uint8(5), false, `{"transcription":{"audio":"AA==","words":true}}`, 200, []byte(`{"text":"a","segments":[{"start":"x"}]}`), []byte(` `))
	f.Add(uint8(8), false, `{"speech":{"text":"a","media_type":"audio/wav"}}`, 200, []byte(`{"audio_data":"A"}`), []byte(`{"error":1}`))
	f.Add(uint8(7), false, `{"rerank":{"query":"q","documents":["a"]}}`, 200, []byte(`{"results":[{"index":0,"relevance_score":1}]}`), []byte(`{"choices":[{"text":"a","finish_reason":"error"}]}`))
	f.Fuzz(func(t *testing.T, which uint8, responses bool, intent string, status int, body, frame []byte) {
		a := adapters[int(which)%len(adapters)]
		check := func(reply adapter.Reply) adapter.Reply {
			for _, a := range reply.Actions {
				if strings.Contains(a.Message, "panicked") {
					t.Fatal(a.Message)
				}
				out := a.Kind == adapter.ActionHTTP && strings.HasPrefix(header(a, "Content-Type"), "application/json")
				if (a.Kind == adapter.ActionDone || a.Kind == adapter.ActionEmit) && !json.Valid(a.Data) || out && !json.Valid(a.Body) {
					t.Fatalf("%q %q", a.Data, a.Body)
				}
			}
			return reply
		}
		settings := `{"model":"m"}`
		if responses && which == 0 {
			settings = `{"model":"m","api":"responses"}`
		}
		for _, stream := range []bool{false, true} {
			start := check(adapter.Run(a, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Stream: stream,
				Contract: []byte(`{"base_url":"https://x","settings":` + settings + `}`)}))
			reply := check(adapter.Run(a, start.State, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: body}))
			for range 2 {
				reply = check(adapter.Run(a, reply.State, &adapter.Event{Kind: adapter.KindFrame, Data: frame}))
			}
			check(adapter.Run(a, reply.State, &adapter.Event{Kind: adapter.KindEnd}))
		}
	})
}
