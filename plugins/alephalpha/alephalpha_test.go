package alephalpha_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/alephalpha"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// begin starts an execution with settings.
func begin(settings, intent string, stream bool) adapter.Reply {
	contract := `{"service_id":"s","base_url":"https://pharia.example.com/v1/","settings":` + settings + `}`
	return adapter.Run(alephalpha.Adapter{}, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(contract), Stream: stream})
}

// answer continues it with a whole answer, and returns the last action.
func answer(intent string, status int, body string) adapter.Action {
	start := begin(`{"model":"m","task_path":"/translate"}`, intent, false)
	reply := adapter.Run(alephalpha.Adapter{}, start.State, &adapter.Event{Kind: adapter.KindResponse, Status: status, Body: []byte(body)})
	return reply.Actions[len(reply.Actions)-1]
}

// play continues it with the frames of a stream; deltas are what was handed on before the last action.
func play(intent string, frames ...string) (deltas []string, last adapter.Action) {
	reply := begin(`{"model":"m"}`, intent, true)
	events := []*adapter.Event{{Kind: adapter.KindResponse, Status: 200}}
	for _, frame := range frames {
		events = append(events, &adapter.Event{Kind: adapter.KindFrame, Data: []byte(frame)})
	}
	for _, ev := range append(events, &adapter.Event{Kind: adapter.KindEnd}) {
		reply = adapter.Run(alephalpha.Adapter{}, reply.State, ev)
		for _, a := range reply.Actions {
			if a.Kind != adapter.ActionEmit {
				return deltas, a
			}
			deltas = append(deltas, string(a.Data))
		}
	}
	return deltas, last
}

const hello = `{"chat":{"messages":[{"role":"user","content":"Hi"}],"max_tokens":7}}`

func Example() {
	call := begin(`{"model":"llama-3.1-8b-instruct"}`, hello, false).Actions[0]
	fmt.Println(call.Method, call.URL, string(call.Body))
	// Output:
	// POST https://pharia.example.com/v1/chat/completions {"model":"llama-3.1-8b-instruct","messages":[{"role":"user","content":"Hi"}],"maximum_tokens":7}
}

func TestWhatIsAsked(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, path, body string }{
		"completion": {`{"model":"m"}`, `{"code":{"prompt":"p","max_tokens":3}}`, "/complete", `{"model":"m","prompt":[{"type":"text","data":"p"}],"maximum_tokens":3}`},
		"embedding":  {`{"model":"m","normalize":true}`, `{"embedding":{"input":["a","b"],"dimensions":128,"purpose":"query"}}`, "/batch_semantic_embed", `{"model":"m","prompts":[[{"type":"text","data":"a"}],[{"type":"text","data":"b"}]],"representation":"query","compress_to_size":128,"normalize":true}`},
		"clustering": {`{"models":["m","n"]}`, `{"embedding":{"input":["a"],"purpose":"clustering"}}`, "/batch_semantic_embed", `{"model":"m","prompts":[[{"type":"text","data":"a"}]],"representation":"symmetric"}`},
		"rerank":     {`{"model":"m"}`, `{"rerank":{"query":"q","documents":["a","b"],"top_n":1}}`, "/rerank", `{"model":"m","query":"q","documents":["a","b"],"top_n":1}`},
		"task":       {`{"model":"m","task_path":"/translate"}`, `{"payload":{"source":"s","target_language":"nl"}}`, "/translate", `{"model":"m","source":"s","target_language":"nl"}`},
		"own model":  {`{"model":"m","task_path":"/tokenize"}`, `{"payload":{"model":"x","prompt":"p"}}`, "/tokenize", `{"model":"x","prompt":"p"}`},
		"more":       {`{"model":"m","extra_body":{"steering_concepts":["_worldview"]}}`, hello, "/chat/completions", `{"model":"m","messages":[{"role":"user","content":"Hi"}],"maximum_tokens":7,"steering_concepts":["_worldview"]}`},
	} {
		a := begin(row.settings, row.intent, false).Actions[0]
		if a.Kind != adapter.ActionHTTP || a.URL != "https://pharia.example.com/v1"+row.path || string(a.Body) != row.body {
			t.Errorf("%s: %s %s %s", name, a.URL, a.Body, a.Message)
		}
	}
}

func TestWhatIsRefusedBeforeAsking(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, says string }{
		"no model":         {`{}`, hello, "chat.model: neither"},
		"unknown setting":  {`{"model":"m","pfad":""}`, hello, "adapter.settings.pfad is not known"},
		"seed":             {`{"model":"m"}`, `{"chat":{"messages":[{"role":"user","content":"Hi"}],"seed":0}}`, "chat.seed: "},
		"suffix":           {`{"model":"m"}`, `{"code":{"prompt":"p","suffix":"s"}}`, "code.suffix: "},
		"dimensions":       {`{"model":"m"}`, `{"embedding":{"input":["a"],"dimensions":64}}`, "embedding.dimensions: "},
		"nothing to embed": {`{"model":"m"}`, `{"embedding":{"input":[]}}`, "embedding.input: there is no text"},
		"too many":         {`{"model":"m"}`, `{"embedding":{"input":["` + strings.Repeat(`a","`, 100) + `a"]}}`, "takes 100 texts at most, these are 101"},
		"no task":          {`{"model":"m"}`, `{"payload":{}}`, "intent.payload: adapter.settings names no task_path"},
		"odd task":         {`{"model":"m","task_path":"translate"}`, `{"payload":{}}`, "adapter.settings.task_path must begin"},
	} {
		if a := begin(row.settings, row.intent, false).Actions[0]; a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestWhatIsMadeOfAnAnswer(t *testing.T) {
	for name, row := range map[string]struct{ intent, body, want string }{
		"chat":       {hello, `{"id":"1","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Ho"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, `{"chat":{"message":{"role":"assistant","content":"Ho"},"finish_reason":"stop"},"usage":{"input_tokens":1,"output_tokens":2},"model":"m-1","id":"1"}`},
		"completion": {`{"code":{"prompt":"p"}}`, `{"completions":[{"index":0,"completion":"x","finish_reason":"maximum_tokens"}],"model_version":"2022-04","num_tokens_prompt_total":4,"num_tokens_generated":7}`, `{"code":{"text":"x","finish_reason":"length"},"metadata":{"model_version":"2022-04"},"usage":{"input_tokens":4,"output_tokens":7}}`},
		"ended":      {`{"code":{"prompt":"p"}}`, `{"completions":[{"completion":"","finish_reason":"stop_sequence_reached"}]}`, `{"code":{"text":"","finish_reason":"stop"}}`},
		"vectors":    {`{"embedding":{"input":["a","b"]}}`, `{"embeddings":[[1.50],[2]],"num_tokens_prompt_total":3}`, `{"embedding":{"vectors":[{"values":[1.50]},{"values":[2]}]},"usage":{"input_tokens":3,"output_tokens":0}}`},
		"rerank":     {`{"rerank":{"query":"q","documents":["a","b"]}}`, `{"results":[{"index":1,"relevance_score":0.9}],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":57}}`, `{"rerank":{"ranked":[{"index":1,"score":0.9}]},"usage":{"input_tokens":57,"output_tokens":0}}`},
		"task":       {`{"payload":{"source":"s"}}`, `{"translation":"t","score":0.7}`, `{"output":{"translation":"t","score":0.7}}`},
	} {
		if a := answer(row.intent, 200, row.body); a.Kind != adapter.ActionDone || string(a.Data) != row.want {
			t.Errorf("%s: %s %s", name, a.Data, a.Message)
		}
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	for name, row := range map[string]struct {
		intent string
		status int
		body   string
		retry  bool
		says   string
	}{
		"cannot chat":     {hello, 400, `{"error":"Sadly the model you chose does not provide that capability","code":"MISSING_CAPABILITY"}`, true, "Sadly"},
		"bad request":     {hello, 400, `{"error":"Invalid temperature","code":"INVALID"}`, false, "Invalid temperature"},
		"bad key":         {hello, 401, `{"error":"token abc is not valid"}`, true, "refused the credentials"},
		"error in a 200":  {`{"code":{"prompt":"p"}}`, 200, `{"error":"queue is full","code":"QUEUE_FULL"}`, true, "queue is full"},
		"no completions":  {`{"code":{"prompt":"p"}}`, 200, `{"completions":[]}`, true, "has no completions"},
		"lost vector":     {`{"embedding":{"input":["a","b"]}}`, 200, `{"embedding":[1]}`, true, "1 vectors for 2 texts"},
		"not JSON":        {`{"rerank":{"query":"q","documents":["a"]}}`, 200, `<html>`, true, "not JSON"},
		"no results":      {`{"rerank":{"query":"q","documents":["a"]}}`, 200, `{}`, true, "has no results"},
		"no such text":    {`{"rerank":{"query":"q","documents":["a"]}}`, 200, `{"results":[{"index":1,"relevance_score":1}]}`, true, "not sent"},
		"chat of nothing": {hello, 200, `{"choices":[]}`, true, "no choices"},
	} {
		if a := answer(row.intent, row.status, row.body); a.Kind != adapter.ActionFail || a.Retryable != row.retry || !strings.Contains(a.Message, row.says) || strings.Contains(a.Message, "abc") {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestStreams(t *testing.T) {
	code := `{"code":{"prompt":"p"}}`
	piece, summary, last := `{"type":"stream_chunk","index":0,"completion":"x"}`, `{"type":"stream_summary","model_version":"2022-04","finish_reason":"end_of_text"}`, `{"type":"completion_summary","num_tokens_prompt_total":1,"num_tokens_generated":7}`
	for name, row := range map[string]struct {
		intent string
		frames []string
		want   string // the result, or a part of the failure's message
	}{
		"whole":        {code, []string{piece, piece, summary, last}, `{"code":{"text":"xx","finish_reason":"stop"},"metadata":{"model_version":"2022-04"},"usage":{"input_tokens":1,"output_tokens":7}}`},
		"cut":          {code, []string{piece}, "broke off: it gave no completion_summary"},
		"cut late":     {code, []string{piece, summary}, "broke off: it gave no completion_summary"},
		"no summary":   {code, []string{piece, last}, "broke off: it gave no stream_summary"},
		"error inside": {code, []string{piece, `{"error":"worker died"}`}, "worker died"},
		"half a frame": {code, []string{piece, `{"type"`}, "not JSON"},
		"chat":         {hello, []string{`{"choices":[{"index":0,"delta":{"content":"Ho"},"finish_reason":null}],"usage":null}`, `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`, `[DONE]`}, `{"chat":{"message":{"role":"assistant","content":"Ho"},"finish_reason":"stop"}}`},
		"chat cut":     {hello, []string{`{"choices":[{"index":0,"delta":{"content":"Ho"},"finish_reason":null}]}`}, "broke off"},
	} {
		_, a := play(row.intent, row.frames...)
		if a.Kind == adapter.ActionDone && string(a.Data) != row.want || a.Kind == adapter.ActionFail && !strings.Contains(a.Message, row.want) || a.Kind == 0 {
			t.Errorf("%s: %s %s", name, a.Data, a.Message)
		}
	}
}
