package anthropic_test

import (
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/anthropic"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

const hello = `{"chat":{"messages":[{"role":"user","content":"Hi"}]}}`

// respond answers the call of an execution.
func respond(intent string, status int, body string) adapter.Action {
	_, state := ask(`{"model":"m"}`, intent, false)
	return adapter.Run(anthropic.Adapter{}, state, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: []byte(body)}).Actions[0]
}

// play runs a stream and returns what was emitted, and how it ended.
func play(t *testing.T, intent string, frames ...string) (emitted string, end adapter.Action) {
	t.Helper()
	_, state := ask(`{"model":"m"}`, intent, true)
	events := []adapter.Event{{Kind: adapter.KindResponse, Status: 200}}
	for _, data := range frames {
		events = append(events, adapter.Event{Kind: adapter.KindFrame, Data: []byte(data)})
	}
	for _, ev := range append(events, adapter.Event{Kind: adapter.KindEnd}) {
		reply := adapter.Run(anthropic.Adapter{}, state, &ev)
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
	failed := func(kind, message string) string {
		return `{"type":"error","error":{"type":"` + kind + `","message":"` + message + `"},"request_id":"r"}`
	}
	for name, row := range map[string]struct {
		status int
		body   string
		reason string
		retry  bool
		says   string
	}{
		"bad request":    {400, failed("invalid_request_error", "max_tokens: required"), adapter.BadRequest, false, "max_tokens: required"},
		"too long":       {400, failed("invalid_request_error", "prompt is too long: 2 tokens > 1 maximum"), adapter.ContextTooLong, true, "too long for the model"},
		"credit":         {400, failed("invalid_request_error", "Your credit balance is too low to access the API"), adapter.OutOfCredit, true, "out of credit"},
		"filtered":       {400, failed("invalid_request_error", "Output blocked by content filtering policy"), adapter.ContentFiltered, false, "filter"},
		"bad key":        {401, failed("authentication_error", "invalid x-api-key sk-ant"), adapter.BadKey, true, "credentials"},
		"billing":        {402, failed("billing_error", "pay"), adapter.OutOfCredit, true, "status 402"},
		"forbidden":      {403, failed("permission_error", "sk-ant may not"), adapter.BadKey, true, "credentials"},
		"no model":       {404, failed("not_found_error", "model: claude-x"), adapter.ModelNotFound, true, "model: claude-x"},
		"no path":        {404, failed("not_found_error", "Not Found"), "", true, "Not Found"},
		"too large":      {413, failed("request_too_large", "Request exceeds the maximum size"), adapter.BadRequest, true, "maximum size"},
		"rate limit":     {429, failed("rate_limit_error", "slow down"), adapter.RateLimited, true, "slow down"},
		"broken":         {500, failed("api_error", "Internal server error"), "", true, "Internal server error"},
		"slow":           {504, failed("timeout_error", "Request timed out"), "", true, "too long"},
		"overloaded":     {529, failed("overloaded_error", "Overloaded"), adapter.Overload, true, "Overloaded"},
		"no JSON":        {502, "<html>", "", true, "status 502"},
		"inside a 200":   {200, failed("overloaded_error", "Overloaded"), adapter.Overload, true, "Overloaded"},
		"200, no JSON":   {200, "oops", "", true, "not JSON"},
		"200, no answer": {200, `{"type":"message"}`, "", true, "no content"},
	} {
		a := respond(hello, row.status, row.body)
		if a.Kind != adapter.ActionFail || a.Reason != row.reason || a.Retryable != row.retry || !strings.Contains(a.Message, row.says) || strings.Contains(a.Message, "sk-") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestAnswersAreReadWhole(t *testing.T) {
	schema := `{"chat":{"messages":[{"role":"user","content":"Hi"}],"json_object":true}}`
	for name, row := range map[string]struct{ intent, body, want string }{
		"nulls": {hello, `{"content":[{"type":"text","text":"a","citations":null}],"stop_reason":null,"usage":null}`,
			`{"chat":{"message":{"role":"assistant","content":"a"},"finish_reason":""}}`},
		"everything": {hello, `{"id":"i","model":"m-1","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"thinking","thinking":"","signature":"t"},
			{"type":"text","text":"a","citations":[{"cited_text":"c"}]},{"type":"server_tool_use","id":"x","name":"web_search","input":{"q":1}},{"type":"text","text":"b"},{"type":"tool_use","id":"c","name":"f","input":{"x": 1}},{"type":"tool_use","id":"d","name":"g","input":{}}],
			"stop_reason":"tool_use","usage":{"input_tokens":1,"cache_read_input_tokens":20,"cache_creation_input_tokens":300,"output_tokens":9,"output_tokens_details":{"thinking_tokens":4},"server_tool_use":{"web_search_requests":2}}}`,
			`{"chat":{"message":{"role":"assistant","content":"ab","tool_calls":[{"id":"c","name":"f","arguments":"{\"x\": 1}"},{"id":"d","name":"g","arguments":"{}"}],"thoughts":[{"text":"hm","signature":"s"},{"redacted":"d"},{"signature":"t"}]},"finish_reason":"tool_calls"},` +
				`"metadata":{"citations":[{"cited_text":"c"}]},"usage":{"input_tokens":321,"output_tokens":9,"cached_input_tokens":20,"cache_write_tokens":300,"reasoning_tokens":4,"units":2},"model":"m-1","id":"i"}`},
		"refused": {hello, `{"content":[],"stop_reason":"refusal","stop_details":{"category":"cyber"}}`,
			`{"chat":{"message":{"role":"assistant","content":""},"finish_reason":"content_filter"},"metadata":{"stop_details":{"category":"cyber"}}}`},
		"cut":           {hello, `{"content":[{"type":"text","text":"a"}],"stop_reason":"max_tokens"}`, `{"chat":{"message":{"role":"assistant","content":"a"},"finish_reason":"length"}}`},
		"stop sequence": {hello, `{"content":[{"type":"text","text":"a"}],"stop_reason":"stop_sequence","stop_sequence":"."}`, `{"chat":{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}}`},
		"its own word":  {hello, `{"content":[],"stop_reason":"pause_turn"}`, `{"chat":{"message":{"role":"assistant","content":""},"finish_reason":"pause_turn"}}`},
		"answer by tool": {schema, `{"content":[{"type":"tool_use","id":"c","name":"json_answer","input":{"x": 1}}],"stop_reason":"tool_use"}`,
			`{"chat":{"message":{"role":"assistant","content":"{\"x\": 1}"},"finish_reason":"stop"}}`},
		"a tool of that name": {hello, `{"content":[{"type":"tool_use","id":"c","name":"json_answer","input":{"x": 1}}],"stop_reason":"tool_use"}`,
			`{"chat":{"message":{"role":"assistant","content":"","tool_calls":[{"id":"c","name":"json_answer","arguments":"{\"x\": 1}"}]},"finish_reason":"tool_calls"}}`},
	} {
		if a := respond(row.intent, 200, row.body); string(a.Data) != row.want {
			t.Errorf("%s: %s %s\nwant\n%s", name, a.Message, a.Data, row.want)
		}
	}
}

const (
	start = `{"type":"message_start","message":{"id":"i","model":"m-1","content":[],"stop_reason":null,"usage":{"input_tokens":5,"cache_read_input_tokens":2,"output_tokens":1}}}`
	text  = `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`
	hi    = `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}`
	done  = `{"type":"content_block_stop","index":0}`
	final = `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}`
	stop  = `{"type":"message_stop"}`
)

func TestStreamsAreHandedOnPieceByPiece(t *testing.T) {
	block := func(index, block string) string {
		return `{"type":"content_block_start","index":` + index + `,"content_block":` + block + `}`
	}
	piece := func(index, delta string) string {
		return `{"type":"content_block_delta","index":` + index + `,"delta":` + delta + `}`
	}
	usage := `"usage":{"input_tokens":7,"output_tokens":7,"cached_input_tokens":2},"model":"m-1","id":"i"}`
	for name, row := range map[string]struct {
		intent        string
		frames        []string
		emitted, want string
	}{
		"text": {hello, []string{start, text, `{"type":"ping"}`, hi, done, final, stop}, `{"text":"Hi"}`,
			`{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"},` + usage},
		"thoughts": {hello, []string{start, block("0", `{"type":"thinking","thinking":"","signature":""}`), piece("0", `{"type":"thinking_delta","thinking":"h"}`), piece("0", `{"type":"thinking_delta","thinking":"m"}`),
			piece("0", `{"type":"signature_delta","signature":"s"}`), done, block("1", `{"type":"redacted_thinking","data":"d"}`), block("2", `{"type":"thinking","thinking":""}`), piece("2", `{"type":"signature_delta","signature":"t"}`), final, stop},
			`{"reasoning":"h"}{"reasoning":"m"}`,
			`{"chat":{"message":{"role":"assistant","content":"","thoughts":[{"text":"hm","signature":"s"},{"redacted":"d"},{"signature":"t"}]},"finish_reason":"stop"},` + usage},
		"tools": {hello, []string{start, block("0", `{"type":"server_tool_use","id":"x","name":"s","input":{}}`), piece("0", `{"type":"input_json_delta","partial_json":"{}"}`), done,
			block("1", `{"type":"tool_use","id":"a","name":"f","input":{}}`), piece("1", `{"type":"input_json_delta","partial_json":""}`), piece("1", `{"type":"input_json_delta","partial_json":"{\"x\""}`), piece("1", `{"type":"input_json_delta","partial_json":":1}"}`), `{"type":"content_block_stop","index":1}`,
			block("2", `{"type":"tool_use","id":"b","name":"g","input":{}}`), `{"type":"content_block_stop","index":2}`, `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}`, stop},
			`{"tool_calls":[{"index":0,"id":"a","name":"f"}]}{"tool_calls":[{"index":0,"arguments":"{\"x\""}]}{"tool_calls":[{"index":0,"arguments":":1}"}]}{"tool_calls":[{"index":1,"id":"b","name":"g"}]}{"tool_calls":[{"index":1,"arguments":"{}"}]}`,
			`{"chat":{"message":{"role":"assistant","content":"","tool_calls":[{"id":"a","name":"f","arguments":"{\"x\":1}"},{"id":"b","name":"g","arguments":"{}"}]},"finish_reason":"tool_calls"},` + usage},
		"answer by tool": {`{"chat":{"messages":[{"role":"user","content":"Hi"}],"json_object":true}}`, []string{start, block("0", `{"type":"tool_use","id":"a","name":"json_answer","input":{}}`), piece("0", `{"type":"input_json_delta","partial_json":"{\"x\""}`),
			piece("0", `{"type":"input_json_delta","partial_json":":1}"}`), done, `{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}`, stop},
			`{"text":"{\"x\""}{"text":":1}"}`, `{"chat":{"message":{"role":"assistant","content":"{\"x\":1}"},"finish_reason":"stop"},` + usage},
		"begun twice, nothing said": {hello, []string{start, start, text, hi, final, stop}, `{"text":"Hi"}`, `{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"},` + usage},
		"cumulative usage": {hello, []string{start, text, hi, `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":50,"cache_creation_input_tokens":100,"output_tokens":8}}`, stop}, `{"text":"Hi"}`,
			`{"chat":{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"},"usage":{"input_tokens":152,"output_tokens":8,"cached_input_tokens":2,"cache_write_tokens":100},"model":"m-1","id":"i"}`},
	} {
		emitted, end := play(t, row.intent, row.frames...)
		if emitted != row.emitted || string(end.Data) != row.want {
			t.Errorf("%s: %s\n%s\n%s\nwant\n%s\n%s", name, end.Message, emitted, end.Data, row.emitted, row.want)
		}
	}
}

func TestStreamsThatBreakOffAreNoCleanEnd(t *testing.T) {
	whole := []string{start, text, hi, done, final, stop}
	for n := range whole {
		if _, end := play(t, hello, whole[:n]...); end.Kind != adapter.ActionFail || !strings.Contains(end.Message, "broke off") {
			t.Errorf("cut after %d frames: %+v", n, end)
		}
	}
	for name, row := range map[string]struct {
		frames []string
		reason string
		says   string
	}{
		"error frame":     {[]string{start, text, hi, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`}, adapter.Overload, "Overloaded"},
		"no stop_reason":  {[]string{start, text, hi, done, stop}, "", "broke off"},
		"second message":  {[]string{start, text, hi, start, text, hi, final, stop}, "", "second message"},
		"garbage":         {[]string{start, `{"type":`}, "", "not JSON"},
		"negative index":  {[]string{start, `{"type":"content_block_start","index":-1,"content_block":{"type":"tool_use"}}`}, "", "impossible number"},
		"stop at the top": {[]string{stop}, "", "broke off"},
	} {
		if _, end := play(t, hello, row.frames...); end.Kind != adapter.ActionFail || end.Reason != row.reason || !end.Retryable || !strings.Contains(end.Message, row.says) {
			t.Errorf("%s: %+v", name, end)
		}
	}
}

// Whatever a provider sends, an execution ends in an error or a result, and nothing of the adapter breaks.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(start), []byte(text))
	f.Add([]byte(`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","name":"json_answer","input":{"a":1}}}`),
		[]byte(`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}`))
	f.Add([]byte(`{"content":[{"type":"thinking","thinking":"a","signature":"b"}],"usage":{"input_tokens":-1}}`), []byte(final))
	f.Add([]byte(`{"type":"content_block_delta","delta":{"type":"citations_delta","citation":{}}}`), []byte(stop))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		broken := func(a adapter.Action) bool {
			return a.Kind == adapter.ActionFail && strings.Contains(a.Message, "panicked")
		}
		if a := respond(hello, 200, string(first)); broken(a) {
			t.Errorf("%s: %+v", first, a)
		}
		if _, a := play(t, `{"chat":{"messages":[{"role":"user","content":"Hi"}],"json_object":true}}`, string(first), string(second), final, stop); broken(a) {
			t.Errorf("%s, %s: %+v", first, second, a)
		}
	})
}
