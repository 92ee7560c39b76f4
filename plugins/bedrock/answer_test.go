package bedrock_test

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/bedrock"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

const hello = `{"chat":{"messages":[{"role":"user","content":"Hi"}]}}`

func respond(state []byte, status int, kind, body string) adapter.Reply {
	headers := []adapter.Header{{Name: "X-Amzn-RequestId", Value: "r-1"}}
	if kind != "" {
		headers = append(headers, adapter.Header{Name: "x-amzn-ErrorType", Value: kind})
	}
	return adapter.Run(bedrock.Adapter{}, state, &adapter.Event{Kind: adapter.KindResponse, Status: status, Headers: headers, Body: []byte(body)})
}

// play runs a stream of frames, each an event's name and what it holds.
func play(t *testing.T, settings string, frames ...[2]string) (emitted string, end adapter.Action) {
	t.Helper()
	_, state := ask(settings, hello, true)
	state = respond(state, 200, "", "").State
	var events []adapter.Event
	for _, f := range frames {
		events = append(events, adapter.Event{Kind: adapter.KindFrame, Name: f[0], Data: []byte(f[1])})
	}
	for _, ev := range append(events, adapter.Event{Kind: adapter.KindEnd}) {
		reply := adapter.Run(bedrock.Adapter{}, state, &ev)
		state = reply.State
		for _, a := range reply.Actions {
			if a.Kind != adapter.ActionEmit {
				return emitted, a
			}
			emitted += string(a.Data)
		}
	}
	t.Fatal("the stream had no end")
	return "", end
}

func TestAnswersThatAreErrors(t *testing.T) {
	_, state := ask(`{"model":"m"}`, hello, false)
	for name, row := range map[string]struct {
		status       int
		kind, body   string
		reason, code string
		retry        bool
		says         string
	}{
		"no model":     {400, "ValidationException:http://x", `{"message":"The provided model identifier is invalid."}`, adapter.ModelNotFound, "", true, "identifier is invalid"},
		"no access":    {403, "AccessDeniedException", `{"message":"You don't have access to the model with the specified model ID."}`, adapter.ModelNotFound, "", true, "have access"},
		"not found":    {404, "", `{"__type":"com.amazon#ResourceNotFoundException","message":"gone"}`, adapter.ModelNotFound, "", true, "gone"},
		"bad key":      {403, "UnrecognizedClientException:http://x", `{"message":"The security token AKIA included in the request is invalid."}`, adapter.BadKey, "", true, "credentials"},
		"too long":     {400, "ValidationException", `{"message":"The model returned the following errors: Input Tokens Exceeded: Number of input tokens exceeds maximum length."}`, adapter.ContextTooLong, "", true, "too long"},
		"too long too": {400, "ValidationException", `{"message":"Input is too long for requested model."}`, adapter.ContextTooLong, "", true, "too long"},
		"cannot":       {400, "ValidationException", `{"message":"This model doesn't support the video content block."}`, adapter.BadRequest, "", true, "video"},
		"malformed":    {400, "ValidationException", `{"message":"Malformed input request"}`, adapter.BadRequest, "", false, "Malformed"},
		"throttled":    {429, "ThrottlingException", `{"message":"Too many requests"}`, adapter.RateLimited, "", true, "Too many"},
		"quota":        {400, "ServiceQuotaExceededException", `{"message":"quota"}`, adapter.RateLimited, "", true, "quota"},
		"not ready":    {429, "ModelNotReadyException", `{"message":"warming up"}`, adapter.Overload, "", true, "warming up"},
		"slow":         {408, "ModelTimeoutException", `{"message":"slow"}`, "", adapter.Timeout, true, "slow"},
		"model failed": {424, "ModelErrorException", `{"message":"oops"}`, "", "", true, "oops"},
		"down":         {503, "ServiceUnavailableException", `{"message":"down"}`, adapter.Overload, adapter.Unavailable, true, "down"},
		"broken":       {500, "InternalServerException", `{"message":"bug"}`, "", "", true, "bug"},
		"no JSON":      {502, "", `<html>`, "", "", true, "status 502"},
		"in a 200":     {200, "", `{"message":"strange"}`, "", "", true, "strange"},
		"200, nothing": {200, "", `{}`, "", "", true, "no output.message"},
		"200, no JSON": {200, "", ``, "", "", true, "not JSON"},
	} {
		a := respond(state, row.status, row.kind, row.body).Actions[0]
		if row.code == "" {
			row.code = adapter.ExecutionFailed
		}
		if a.Kind != adapter.ActionFail || a.Reason != row.reason || a.Code != row.code || a.Retryable != row.retry || !strings.Contains(a.Message, row.says) || strings.Contains(a.Message, "AKIA") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAnswersAreReadWhole(t *testing.T) {
	tail := `"model":"m","id":"r-1"}`
	for name, row := range map[string]struct{ body, want string }{
		"nulls": {`{"output":{"message":{"content":[{"text":"a"},{"text":null}]}},"stopReason":null,"usage":null}`, `{"chat":{"message":{"role":"assistant","content":"a"},"finish_reason":""},` + tail},
		"everything": {`{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"reasoningContent":{"redactedContent":"eA=="}},{"text":"a"},
			{"citationsContent":{"content":[{"text":"b"}],"citations":[{"title":"t"}]}},{"toolUse":{"toolUseId":"x","name":"w","type":"server_tool_use","input":{}}},
			{"toolUse":{"toolUseId":"c","name":"f","type":"tool_use","input":{"x": 1}}},{"toolUse":{"toolUseId":"d","name":"g","input":{}}}]}},"stopReason":"tool_use",
			"usage":{"inputTokens":1,"cacheReadInputTokens":20,"cacheWriteInputTokens":300,"outputTokens":9,"totalTokens":330}}`,
			`{"chat":{"message":{"role":"assistant","content":"ab","tool_calls":[{"id":"c","name":"f","arguments":"{\"x\": 1}"},{"id":"d","name":"g","arguments":"{}"}],"thoughts":[{"text":"hm","signature":"s"},{"redacted":"eA=="}]},"finish_reason":"tool_calls"},` +
				`"metadata":{"citations":[{"title":"t"}]},"usage":{"input_tokens":321,"output_tokens":9,"cached_input_tokens":20,"cache_write_tokens":300},` + tail},
		"guardrail": {`{"output":{"message":{"content":[{"text":"no"}]}},"stopReason":"guardrail_intervened","trace":{"guardrail":{"actionReason":"x"}}}`,
			`{"chat":{"message":{"role":"assistant","content":"no"},"finish_reason":"content_filter"},"metadata":{"trace":{"guardrail":{"actionReason":"x"}}},` + tail},
		"its own word": {`{"output":{"message":{"content":[]}},"stopReason":"malformed_tool_use"}`, `{"chat":{"message":{"role":"assistant","content":""},"finish_reason":"malformed_tool_use"},` + tail},
		"router":       {`{"output":{"message":{"content":[]}},"stopReason":"end_turn","trace":{"promptRouter":{"invokedModelId":"arn:x"}}}`, `{"chat":{"message":{"role":"assistant","content":""},"finish_reason":"stop"},"metadata":{"trace":{"promptRouter":{"invokedModelId":"arn:x"}}},"model":"arn:x","id":"r-1"}`},
	} {
		_, state := ask(`{"model":"m"}`, hello, false)
		if a := respond(state, 200, "", row.body).Actions[0]; string(a.Data) != row.want {
			t.Errorf("%s: %s %s\nwant\n%s", name, a.Message, a.Data, row.want)
		}
	}
}

var (
	text  = [2]string{"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Hi"},"p":"abc"}`}
	done  = [2]string{"contentBlockStop", `{"contentBlockIndex":0}`}
	stop  = [2]string{"messageStop", `{"stopReason":"end_turn"}`}
	count = [2]string{"metadata", `{"usage":{"inputTokens":5,"outputTokens":7,"totalTokens":12},"metrics":{"latencyMs":1}}`}
	began = [2]string{"messageStart", `{"role":"assistant"}`}
)

const usage = `"usage":{"input_tokens":5,"output_tokens":7},"model":"m","id":"r-1"}`

func TestStreamsAreHandedOnPieceByPiece(t *testing.T) {
	piece := func(index int, delta string) [2]string {
		return [2]string{"contentBlockDelta", `{"contentBlockIndex":` + strconv.Itoa(index) + `,"delta":` + delta + `}`}
	}
	for name, row := range map[string]struct {
		frames        [][2]string
		emitted, want string
	}{
		"text": {[][2]string{began, text, done, stop, count}, `{"text":"Hi"}`, `{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"},` + usage},
		"thoughts": {[][2]string{began, piece(0, `{"reasoningContent":{"text":"h"}}`), piece(0, `{"reasoningContent":{"text":"m"}}`), piece(0, `{"reasoningContent":{"signature":"s"}}`), piece(1, `{"reasoningContent":{"redactedContent":"eA=="}}`), stop, count},
			`{"reasoning":"h"}{"reasoning":"m"}`, `{"chat":{"message":{"role":"assistant","content":"","thoughts":[{"text":"hm","signature":"s"},{"redacted":"eA=="}]},"finish_reason":"stop"},` + usage},
		"tools": {[][2]string{began, {"contentBlockStart", `{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"a","name":"f"}}}`}, piece(1, `{"toolUse":{"input":""}}`), piece(1, `{"toolUse":{"input":"{\"x\":"}}`), piece(1, `{"toolUse":{"input":"1}"}}`),
			{"contentBlockStart", `{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"b","name":"g"}}}`}, {"contentBlockStop", `{"contentBlockIndex":2}`}, {"messageStop", `{"stopReason":"tool_use"}`}, count},
			`{"tool_calls":[{"index":0,"id":"a","name":"f"}]}{"tool_calls":[{"index":0,"arguments":"{\"x\":"}]}{"tool_calls":[{"index":0,"arguments":"1}"}]}{"tool_calls":[{"index":1,"id":"b","name":"g"}]}{"tool_calls":[{"index":1,"arguments":"{}"}]}`,
			`{"chat":{"message":{"role":"assistant","content":"","tool_calls":[{"id":"a","name":"f","arguments":"{\"x\":1}"},{"id":"b","name":"g","arguments":"{}"}]},"finish_reason":"tool_calls"},` + usage},
		"later events": {[][2]string{began, {"somethingNew", `{"a":1}`}, text, stop, count}, `{"text":"Hi"}`, `{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"},` + usage},
	} {
		emitted, end := play(t, `{"model":"m"}`, row.frames...)
		if emitted != row.emitted || string(end.Data) != row.want {
			t.Errorf("%s: %s\n%s\n%s\nwant\n%s\n%s", name, end.Message, emitted, end.Data, row.emitted, row.want)
		}
	}
}

// chunk wraps an event as InvokeModel does.
func chunk(event string) [2]string {
	return [2]string{"chunk", `{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(event)) + `","p":"x"}`}
}

func TestChunksOfInvokeModelAreUnwrapped(t *testing.T) {
	_, end := play(t, `{"model":"amazon.nova","api":"invoke"}`, chunk(`{"messageStart":{"role":"assistant"}}`), chunk(`{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"Hi"}}}`), chunk(`{"messageStop":{"stopReason":"end_turn"}}`),
		chunk(`{"metadata":{"usage":{"inputTokens":5,"outputTokens":7,"cacheReadInputTokenCount":2}},"amazon-bedrock-invocationMetrics":{"a":1}}`))
	if want := `{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"},"usage":{"input_tokens":7,"output_tokens":7,"cached_input_tokens":2},"model":"amazon.nova","id":"r-1"}`; string(end.Data) != want {
		t.Errorf("Nova: %+v %s", end, end.Data)
	}
	emitted, end := play(t, `{"model":"anthropic.x","api":"invoke"}`, chunk(`{"type":"message_start","message":{"id":"i","model":"x","usage":{"input_tokens":5,"output_tokens":1}}}`),
		chunk(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`), chunk(`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}`), chunk(`{"type":"message_stop"}`))
	if want := `{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"},"usage":{"input_tokens":5,"output_tokens":7},"model":"x","id":"i"}`; string(end.Data) != want || emitted != `{"text":"Hi"}` {
		t.Errorf("Claude: %+v %s", end, end.Data)
	}
}

func TestStreamsThatBreakOffAreNoCleanEnd(t *testing.T) {
	whole := [][2]string{began, text, done, stop, count}
	for n := range whole {
		if _, end := play(t, `{"model":"m"}`, whole[:n]...); end.Kind != adapter.ActionFail || !strings.Contains(end.Message, "broke off") {
			t.Errorf("cut after %d frames: %+v", n, end)
		}
	}
	for name, row := range map[string]struct {
		settings string
		frame    [2]string
		reason   string
		retry    bool
		says     string
	}{
		"throttled":      {`{"model":"m"}`, [2]string{"exception/throttlingException", `{"message":"slow down"}`}, adapter.RateLimited, true, "slow down"},
		"invalid":        {`{"model":"m"}`, [2]string{"exception/validationException", `{"message":"bad"}`}, adapter.BadRequest, false, "bad"},
		"down":           {`{"model":"m"}`, [2]string{"exception/serviceUnavailableException", `{"message":"down"}`}, adapter.Overload, true, "down"},
		"model failed":   {`{"model":"m"}`, [2]string{"exception/modelStreamErrorException", `{"message":"oops","originalStatusCode":500}`}, "", true, "oops"},
		"by invoke":      {`{"model":"anthropic.x","api":"invoke"}`, [2]string{"exception/throttlingException", `{"message":"slow down"}`}, adapter.RateLimited, true, "slow down"},
		"error in chunk": {`{"model":"anthropic.x","api":"invoke"}`, chunk(`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`), adapter.Overload, true, "Overloaded"},
		"no base64":      {`{"model":"anthropic.x","api":"invoke"}`, [2]string{"chunk", `{"bytes":"%"}`}, "", true, "no base64"},
		"garbage":        {`{"model":"m"}`, [2]string{"contentBlockDelta", `{`}, "", true, "not JSON"},
		"far index":      {`{"model":"m"}`, [2]string{"contentBlockDelta", `{"contentBlockIndex":9999999}`}, "", true, "impossible number"},
	} {
		if _, end := play(t, row.settings, row.frame); end.Kind != adapter.ActionFail || end.Reason != row.reason || end.Retryable != row.retry || end.Status != 0 || !strings.Contains(end.Message, row.says) {
			t.Errorf("%s: %+v", name, end)
		}
	}
}

func TestTextsAreEmbeddedInAsManyCallsAsItTakes(t *testing.T) {
	call, state := ask(`{"model":"amazon.titan-embed-text-v2:0"}`, `{"embedding":{"input":["a","b"],"dimensions":2}}`, false)
	if want := `{"inputText":"a","dimensions":2}`; string(call.Body) != want || !strings.HasSuffix(call.URL, "/model/amazon.titan-embed-text-v2%3A0/invoke") {
		t.Errorf("%+v %s", call, call.Body)
	}
	reply := respond(state, 200, "", `{"embedding":[1,2],"inputTextTokenCount":3}`)
	if want := `{"inputText":"b","dimensions":2}`; string(reply.Actions[0].Body) != want {
		t.Errorf("%+v", reply)
	}
	end := respond(reply.State, 200, "", `{"embedding":[3,4.5],"inputTextTokenCount":4}`).Actions[0]
	if want := `{"embedding":{"vectors":[{"values":[1,2]},{"values":[3,4.5]}]},"usage":{"input_tokens":7,"output_tokens":0},"model":"amazon.titan-embed-text-v2:0"}`; string(end.Data) != want {
		t.Errorf("%s %s", end.Message, end.Data)
	}

	input, err := json.Marshal(make([]string, 97))
	if err != nil {
		t.Fatal(err)
	}
	call, state = ask(`{"model":"cohere.embed-v4:0"}`, `{"embedding":{"purpose":"query","dimensions":2,"input":`+string(input)+`}}`, false)
	if n := strings.Count(string(call.Body), `""`); n != 96 || !strings.HasSuffix(string(call.Body), `,"input_type":"search_query","output_dimension":2}`) {
		t.Errorf("%d texts: %s", n, call.Body)
	}
	reply = respond(state, 200, "", `{"embeddings":{"float":[[1]`+strings.Repeat(",[2]", 95)+`]}}`)
	if want := `{"texts":[""],"input_type":"search_query","output_dimension":2}`; string(reply.Actions[0].Body) != want {
		t.Errorf("%+v", reply)
	}
	if end := respond(reply.State, 200, "", `{"embeddings":[[3]]}`).Actions[0]; strings.Count(string(end.Data), "values") != 97 || !strings.Contains(string(end.Data), `{"values":[3]}]`) {
		t.Errorf("%s %s", end.Message, end.Data)
	}
	if end := respond(reply.State, 200, "", `{"embeddings":[[3],[4]]}`).Actions[0]; !strings.Contains(end.Message, "2 vectors for 1 texts") {
		t.Errorf("%+v", end)
	}
}

func TestTextsAreRanked(t *testing.T) {
	call, state := ask(`{"model":"cohere.rerank-v3-5:0"}`, `{"rerank":{"query":"q","documents":["a","b"],"top_n":1}}`, false)
	want := `{"queries":[{"type":"TEXT","textQuery":{"text":"q"}}],"sources":[{"type":"INLINE","inlineDocumentSource":{"type":"TEXT","textDocument":{"text":"a"}}},{"type":"INLINE","inlineDocumentSource":{"type":"TEXT","textDocument":{"text":"b"}}}],` +
		`"rerankingConfiguration":{"type":"BEDROCK_RERANKING_MODEL","bedrockRerankingConfiguration":{"numberOfResults":1,"modelConfiguration":{"modelArn":"arn:aws:bedrock:eu-west-1::foundation-model/cohere.rerank-v3-5:0"}}}}`
	if string(call.Body) != want || call.URL != "https://bedrock-agent-runtime.eu-west-1.amazonaws.com/rerank" {
		t.Errorf("%+v\n%s\nwant\n%s", call, call.Body, want)
	}
	end := respond(state, 200, "", `{"results":[{"index":1,"relevanceScore":0.5}]}`).Actions[0]
	if want := `{"rerank":{"ranked":[{"index":1,"score":0.5}]},"model":"cohere.rerank-v3-5:0"}`; string(end.Data) != want {
		t.Errorf("%s %s", end.Message, end.Data)
	}
	for _, body := range []string{`{}`, `{"results":[{"index":2,"relevanceScore":0.5}]}`, `{"results":[{"index":0}]}`} {
		if end := respond(state, 200, "", body).Actions[0]; end.Kind != adapter.ActionFail {
			t.Errorf("%s: %+v", body, end)
		}
	}
}

// Whatever a provider sends, an execution ends in an error or a result, and nothing of the adapter breaks.
func FuzzAnswers(f *testing.F) {
	f.Add("contentBlockStart", []byte(`{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"a","name":"f"}}}`), `{"chat":{"messages":[{"role":"user","content":"x"}]}}`)
	f.Add("contentBlockDelta", []byte(`{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{}"},"reasoningContent":{"signature":"s","redactedContent":"eA=="},"citation":{}}}`), hello)
	f.Add("chunk", []byte(`{"bytes":"e30="}`), hello)
	f.Add("exception/throttlingException", []byte(`{"message":"m"}`), hello)
	f.Add("", []byte(`{"output":{"message":{"content":[{"citationsContent":{"content":[{"text":"b"}]}}]}}}`), hello)
	f.Add("", []byte(`{"embedding":[1],"results":[{"index":0,"relevanceScore":1}]}`), `{"embedding":{"input":["a","b"]}}`)
	f.Fuzz(func(t *testing.T, name string, data []byte, intent string) {
		broken := func(a adapter.Action) bool {
			return a.Kind == adapter.ActionFail && strings.Contains(a.Message, "panicked")
		}
		for _, model := range []string{"anthropic.x", "amazon.titan-embed-text-v2:0"} {
			a, state := ask(`{"model":"`+model+`"}`, intent, false)
			if broken(a) {
				t.Fatalf("%s: %+v", intent, a)
			}
			if a.Kind == adapter.ActionHTTP {
				if a := respond(state, 200, "", string(data)).Actions[0]; broken(a) {
					t.Errorf("%s: %+v", data, a)
				}
			}
		}
		for _, settings := range []string{`{"model":"m"}`, `{"model":"anthropic.x","api":"invoke"}`, `{"model":"amazon.nova","api":"invoke"}`} {
			if _, a := play(t, settings, [2]string{name, string(data)}, text, stop, count); broken(a) {
				t.Errorf("%s, %s: %+v", name, data, a)
			}
		}
	})
}
