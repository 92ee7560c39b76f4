package huggingface_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/huggingface"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

// begin starts an execution with settings.
func begin(settings, intent string, stream bool) adapter.Reply {
	contract := `{"service_id":"s","base_url":"https://hf.example.com/","settings":` + settings + `}`
	return adapter.Run(huggingface.Adapter{}, nil, &adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent), Contract: []byte(contract), Stream: stream})
}

// answer continues it with a whole answer, and returns the last action.
func answer(settings, intent string, status int, kind, body string) adapter.Action {
	start := begin(settings, intent, false)
	headers := []adapter.Header{{Name: "content-type", Value: kind}}
	reply := adapter.Run(huggingface.Adapter{}, start.State, &adapter.Event{Kind: adapter.KindResponse, Status: status, Headers: headers, Body: []byte(body)})
	return reply.Actions[len(reply.Actions)-1]
}

func Example() {
	call := begin(`{"model":"facebook/bart-large-cnn"}`, `{"type":"summarization","payload":{"inputs":"A long story."}}`, false).Actions[0]
	fmt.Println(call.Method, call.URL, string(call.Body))
	done := answer(`{"model":"facebook/bart-large-cnn"}`, `{"payload":{"inputs":"A long story."}}`, 200, "application/json", `[{"summary_text":"Short."}]`)
	fmt.Println(string(done.Data))
	// Output:
	// POST https://hf.example.com/models/facebook/bart-large-cnn {"inputs":"A long story."}
	// {"output":{"value":[{"summary_text":"Short."}]},"model":"facebook/bart-large-cnn"}
}

func TestWhatIsAsked(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, url, headers, body string }{
		"code":       {`{}`, `{"code":{"prompt":"def f","max_tokens":9}}`, "/generate", "application/json application/json", `{"inputs":"def f","parameters":{"max_new_tokens":9,"details":true,"return_full_text":false}}`},
		"parameters": {`{"path":"","parameters":{"top_k":3}}`, `{"code":{"prompt":"p"}}`, "", "application/json application/json", `{"inputs":"p","parameters":{"details":true,"return_full_text":false,"top_k":3}}`},
		"embedding":  {`{"model":"o/m"}`, `{"embedding":{"input":["a","b"]}}`, "/models/o/m/pipeline/feature-extraction", "application/json application/json", `{"inputs":["a","b"],"truncate":false}`},
		"purpose":    {`{"path":"/embed","prompts":{"query":"q"},"parameters":{"truncate":true}}`, `{"embedding":{"input":["a"],"purpose":"query"}}`, "/embed", "application/json application/json", `{"inputs":["a"],"prompt_name":"q","truncate":true}`},
		"rerank":     {`{}`, `{"rerank":{"query":"q","documents":["a"],"top_n":1}}`, "/rerank", "application/json application/json", `{"query":"q","texts":["a"]}`},
		"image":      {`{"model":"m"}`, `{"image":{"model":"o/other one","prompt":"cat","size":"64x32","seed":0,"count":1,"negative_prompt":"dog"}}`, "/models/o/other%20one", "application/json image/*", `{"inputs":"cat","parameters":{"width":64,"height":32,"negative_prompt":"dog","seed":0}}`},
		"speech":     {`{"model":"m"}`, `{"speech":{"text":"hi","media_type":"audio/flac"}}`, "/models/m", "application/json audio/flac", `{"inputs":"hi"}`},
		"audio":      {`{"model":"m"}`, `{"transcription":{"audio":"aGk=","media_type":"audio/wav"}}`, "/models/m", "audio/wav application/json", `hi`},
		"audio with": {`{"model":"m","parameters":{"return_timestamps":true}}`, `{"transcription":{"audio":"aGk="}}`, "/models/m", "application/json application/json", `{"inputs":"aGk=","parameters":{"return_timestamps":true}}`},
	} {
		a := begin(row.settings, row.intent, false).Actions[0]
		if a.Kind != adapter.ActionHTTP || a.URL != "https://hf.example.com"+row.url || string(a.Body) != row.body || a.Headers[0].Value+" "+a.Headers[1].Value != row.headers {
			t.Errorf("%s: %s %v %s %s", name, a.URL, a.Headers, a.Body, a.Message)
		}
	}
}

func TestWhatIsRefusedBeforeAsking(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, says string }{
		"chat":             {`{"model":"m"}`, `{"chat":{"messages":[]}}`, "intent.chat: this adapter does code,"},
		"no model":         {`{}`, `{"embedding":{"input":["a"]}}`, "embedding.model: neither"},
		"model of one":     {`{"path":""}`, `{"code":{"prompt":"p","model":"x"}}`, "code.model: "},
		"unknown setting":  {`{"pfad":""}`, `{"code":{"prompt":"p"}}`, "adapter.settings.pfad is not known"},
		"parameter twice":  {`{"parameters":{"max_new_tokens":1}}`, `{"code":{"prompt":"p","max_tokens":2}}`, "adapter.settings.parameters.max_new_tokens is what the request itself says"},
		"payload's own":    {`{"model":"m","parameters":{"a":1}}`, `{"payload":{}}`, "adapter.settings.parameters is not added"},
		"suffix":           {`{}`, `{"code":{"prompt":"p","suffix":"s"}}`, "code.suffix: "},
		"dimensions":       {`{"model":"m"}`, `{"embedding":{"input":["a"],"dimensions":3}}`, "embedding.dimensions: "},
		"purpose":          {`{"model":"m"}`, `{"embedding":{"input":["a"],"purpose":"query"}}`, `embedding.purpose: adapter.settings.prompts has no name for "query"`},
		"nothing to embed": {`{"model":"m"}`, `{"embedding":{"input":[]}}`, "embedding.input: there is no text"},
		"two pictures":     {`{"model":"m"}`, `{"image":{"prompt":"p","count":2}}`, "image.count: "},
		"voice":            {`{"model":"m"}`, `{"speech":{"text":"t","voice":"v"}}`, "speech.voice: "},
		"words":            {`{"model":"m"}`, `{"transcription":{"audio":"aGk=","words":true}}`, "transcription.words: "},
		"audio by URL":     {`{"model":"m"}`, `{"transcription":{"url":"http://x/a.wav"}}`, "transcription.url: "},
	} {
		if a := begin(row.settings, row.intent, false).Actions[0]; a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestWhatIsMadeOfAnAnswer(t *testing.T) {
	two := `{"embedding":{"input":["a","b"]}}`
	for name, row := range map[string]struct{ intent, kind, body, want string }{
		"code":          {`{"code":{"prompt":"p"}}`, "application/json", `{"generated_text":"x","details":{"finish_reason":"eos_token","generated_tokens":3,"prefill":[{"id":1},{"id":2}],"tokens":[]}}`, `{"code":{"text":"x","finish_reason":"stop"},"usage":{"input_tokens":2,"output_tokens":3}}`},
		"code, listed":  {`{"code":{"prompt":"p"}}`, "application/json", `[{"generated_text":"x","details":null}]`, `{"code":{"text":"x"}}`},
		"code, cut":     {`{"code":{"prompt":"p"}}`, "application/json", `{"generated_text":"x","details":{"finish_reason":"length","generated_tokens":3}}`, `{"code":{"text":"x","finish_reason":"length"},"usage":{"input_tokens":0,"output_tokens":3}}`},
		"vectors":       {two, "application/json", `[[1.50,2],[3,4]]`, `{"embedding":{"vectors":[{"values":[1.50,2]},{"values":[3,4]}]},"model":"m"}`},
		"vector":        {`{"embedding":{"input":["a"]}}`, "application/json", `[1,2]`, `{"embedding":{"vectors":[{"values":[1,2]}]},"model":"m"}`},
		"rerank":        {`{"rerank":{"query":"q","documents":["a","b"],"top_n":1}}`, "application/json", `[{"index":1,"score":0.9},{"index":0,"score":0.1}]`, `{"rerank":{"ranked":[{"index":1,"score":0.9}]}}`},
		"image":         {`{"image":{"prompt":"p"}}`, "image/jpeg", "\xff\xd8", `{"image":{"pictures":[{"media_type":"image/jpeg","data":"/9g="}]},"model":"m"}`},
		"speech":        {`{"speech":{"text":"t"}}`, "audio/flac", "\xff\xd8", `{"speech":{"audio":"/9g=","media_type":"audio/flac"},"model":"m"}`},
		"transcription": {`{"transcription":{"audio":"aGk="}}`, "application/json", `{"text":"hello","chunks":[{"text":"hello","timestamp":[0,1]}]}`, `{"transcription":{"text":"hello"},"model":"m"}`},
		"any object":    {`{"payload":{"inputs":{"question":"q","context":"c"}}}`, "application/json", `{"answer":"a","score":0.5}`, `{"output":{"answer":"a","score":0.5},"model":"m"}`},
	} {
		if a := answer(`{"model":"m"}`, row.intent, 200, row.kind, row.body); a.Kind != adapter.ActionDone || string(a.Data) != row.want {
			t.Errorf("%s: %s %s", name, a.Data, a.Message)
		}
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	code, two := `{"code":{"prompt":"p"}}`, `{"embedding":{"input":["a","b"]}}`
	for name, row := range map[string]struct {
		intent       string
		status       int
		body         string
		reason, says string
	}{
		"overloaded":        {code, 429, `{"error":"Model is overloaded","error_type":"overloaded"}`, adapter.Overload, "Model is overloaded"},
		"rate limit":        {code, 429, `{"error":"Rate limit reached"}`, adapter.RateLimited, "Rate limit reached"},
		"validation":        {code, 422, `{"error":"Input validation error","error_type":"validation"}`, adapter.BadRequest, "Input validation error"},
		"too long":          {code, 422, "{\"error\":\"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096\",\"error_type\":\"validation\"}", adapter.ContextTooLong, "must be <= 4096"},
		"generation":        {code, 424, `{"error":"Request failed during generation","error_type":"generation"}`, "", "failed during generation"},
		"loading":           {code, 503, `{"error":"Model o/m is currently loading","estimated_time":20.0}`, adapter.Overload, "currently loading"},
		"unknown model":     {code, 404, `{"error":"Model o/m does not exist"}`, adapter.ModelNotFound, "does not exist"},
		"not served":        {code, 400, `{"error":"Model not supported by provider hf-inference"}`, adapter.ModelNotFound, "not supported"},
		"no credit":         {code, 402, `{"error":"You have exceeded your monthly included credits"}`, adapter.OutOfCredit, "status 402"},
		"error in a 200":    {code, 200, `{"error":"CUDA out of memory"}`, "", "CUDA out of memory"},
		"no text":           {code, 200, `{}`, "", "has no generated_text"},
		"not JSON":          {code, 200, `<html>`, "", "not JSON"},
		"a vector a token":  {two, 200, `[[[1],[2]],[[3]]]`, "", "a vector for each token"},
		"lost vector":       {two, 200, `[[1]]`, "", "1 vectors for 2 texts"},
		"picture in JSON":   {`{"image":{"prompt":"p"}}`, 200, `{"image":"x"}`, "", "was to come as bytes"},
		"no transcript":     {`{"transcription":{"audio":"aGk="}}`, 200, `{}`, "", "has no text"},
		"ranks the unknown": {`{"rerank":{"query":"q","documents":["a"]}}`, 200, `[{"index":3,"score":1}]`, "", "not sent"},
	} {
		if a := answer(`{"model":"m"}`, row.intent, row.status, "application/json", row.body); a.Kind != adapter.ActionFail || a.Reason != row.reason || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestStreams(t *testing.T) {
	piece := `{"index":1,"token":{"id":1,"text":"a","logprob":-1,"special":false},"generated_text":null,"details":null}`
	last := `{"index":2,"token":{"id":2,"text":"</s>","special":true},"generated_text":"a","details":{"finish_reason":"stop_sequence","generated_tokens":2,"input_length":5}}`
	for name, row := range map[string]struct {
		frames []string
		want   string // the result, or a part of the failure's message
	}{
		"whole":        {[]string{piece, last}, `{"code":{"text":"a","finish_reason":"stop"},"usage":{"input_tokens":5,"output_tokens":2}}`},
		"cut":          {[]string{piece}, "broke off: it gave no generated_text"},
		"error inside": {[]string{piece, `{"error":"Incomplete generation","error_type":"incomplete_generation"}`}, "Incomplete generation"},
		"half a frame": {[]string{piece, `{"index":`}, "not JSON"},
	} {
		reply := begin(`{}`, `{"code":{"prompt":"p"}}`, true)
		if a := reply.Actions[0]; a.URL != "https://hf.example.com/generate_stream" || a.Framing != "sse" {
			t.Fatalf("%+v", a)
		}
		events := []*adapter.Event{{Kind: adapter.KindResponse, Status: 200}}
		for _, frame := range row.frames {
			events = append(events, &adapter.Event{Kind: adapter.KindFrame, Data: []byte(frame)})
		}
		var last adapter.Action
		for _, ev := range append(events, &adapter.Event{Kind: adapter.KindEnd}) {
			if reply = adapter.Run(huggingface.Adapter{}, reply.State, ev); len(reply.Actions) > 0 {
				if last = reply.Actions[len(reply.Actions)-1]; last.Kind != adapter.ActionEmit {
					break
				}
			}
		}
		if last.Kind == adapter.ActionDone && string(last.Data) != row.want || last.Kind == adapter.ActionFail && !strings.Contains(last.Message, row.want) || last.Kind == adapter.ActionEmit {
			t.Errorf("%s: %s %s", name, last.Data, last.Message)
		}
	}
}
