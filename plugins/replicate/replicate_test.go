package replicate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/plugins/replicate"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string) *play.Play {
	return play.Begin(replicate.Adapter{}, "https://api.replicate.com", settings, intent, false)
}

func Example() {
	p := begin(`{"model":"meta/meta-llama-3-70b-instruct"}`, `{"chat":{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],"max_tokens":9}}`)
	fmt.Println(p.Last().Method, p.Last().URL, string(p.Last().Body))
	a := p.Respond(201, "", `{"id":"p1","status":"starting","urls":{"get":"https://api.replicate.com/v1/predictions/p1"}}`)
	fmt.Println("wait", a.DelayMS, "ms")
	fmt.Println(p.Wake().URL)
	a = p.Respond(200, "", `{"id":"p1","model":"meta/meta-llama-3-70b-instruct","status":"succeeded","output":["Hel","lo"],"metrics":{"input_token_count":20,"output_token_count":2}}`)
	fmt.Println(string(a.Data))
	// Output:
	// POST https://api.replicate.com/v1/models/meta/meta-llama-3-70b-instruct/predictions {"input":{"prompt":"Hi","system_prompt":"Be brief.","max_tokens":9}}
	// wait 500 ms
	// https://api.replicate.com/v1/predictions/p1
	// {"chat":{"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"},"usage":{"input_tokens":20,"output_tokens":2},"model":"meta/meta-llama-3-70b-instruct","id":"p1"}
}

func TestWhatIsAsked(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, path, body string }{
		"version":       {`{"model":"5797a99edc939ea0"}`, `{"payload":{"prompt":"robots"}}`, "/predictions", `{"version":"5797a99edc939ea0","input":{"prompt":"robots"}}`},
		"model:version": {`{"model":"stability-ai/sdxl:39ed"}`, `{"payload":{}}`, "/predictions", `{"version":"stability-ai/sdxl:39ed","input":{}}`},
		"deployment":    {`{"deployment":"acme/image"}`, `{"payload":{"a":1}}`, "/deployments/acme/image/predictions", `{"input":{"a":1}}`},
		"image": {`{"input":{"go_fast":true}}`, `{"image":{"model":"a/b","prompt":"x","negative_prompt":"y","size":"64x32","count":2,"seed":0,"media_type":"image/jpeg","quality":"","images":[]}}`, "/models/a/b/predictions",
			`{"input":{"prompt":"x","negative_prompt":"y","width":64,"height":32,"num_outputs":2,"seed":0,"output_format":"jpg","go_fast":true}}`},
		"other names": {`{"model":"a/b","fields":{"size":"resolution","quality":"style"}}`, `{"image":{"prompt":"x","size":"64x32","quality":"hd"}}`, "/models/a/b/predictions",
			`{"input":{"prompt":"x","resolution":"64x32","style":"hd"}}`},
		"chat": {`{"model":"a/b","fields":{"max_tokens":"max_new_tokens"}}`, `{"chat":{"messages":[{"role":"user","content":"what?","parts":[{"media_type":"image/png","data":"AA=="}]}],"max_tokens":5,"temperature":0,"stop":["a","b"]}}`, "/models/a/b/predictions",
			`{"input":{"prompt":"what?","image":"data:image/png;base64,AA==","max_new_tokens":5,"temperature":0,"stop_sequences":"a,b"}}`},
		"conversation": {`{"model":"a/b","fields":{"messages":"messages"}}`, `{"chat":{"messages":[{"role":"user","content":"1"},{"role":"assistant","content":"2"},{"role":"user","content":"3"}]}}`, "/models/a/b/predictions",
			`{"input":{"messages":[{"role":"user","content":"1"},{"role":"assistant","content":"2"},{"role":"user","content":"3"}]}}`},
	} {
		call := begin(row.settings, row.intent).Last()
		if call.URL != "https://api.replicate.com/v1"+row.path || string(call.Body) != row.body {
			t.Errorf("%s: %s %s %s", name, call.URL, call.Body, call.Message)
		}
	}
	call := begin(`{"model":"a/b","wait":5}`, `{"payload":{}}`).Last()
	if got := fmt.Sprint(call.Headers); !strings.Contains(got, "{Prefer wait=5}") {
		t.Error(got)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, code, says string }{
		"no model":       {`{}`, `{"payload":{}}`, adapter.TransformationFailed, "payload.model: neither"},
		"no such model":  {`{"model":"a/b/c"}`, `{"payload":{}}`, adapter.InvalidRequest, "none of owner/name"},
		"deployment":     {`{"deployment":"a"}`, `{"payload":{}}`, adapter.TransformationFailed, "deployment must be owner/name"},
		"wait":           {`{"model":"a/b","wait":61}`, `{"payload":{}}`, adapter.TransformationFailed, "wait must be 0 to 60"},
		"no such input":  {`{"model":"a/b","fields":{"negative_prompt":""}}`, `{"image":{"prompt":"x","negative_prompt":"y"}}`, adapter.TransformationFailed, "image.negative_prompt: the model has no such input"},
		"quality":        {`{"model":"a/b"}`, `{"image":{"prompt":"x","quality":"hd"}}`, adapter.TransformationFailed, "image.quality: "},
		"pictures":       {`{"model":"a/b"}`, `{"image":{"prompt":"x","images":[{"url":"https://x"}]}}`, adapter.TransformationFailed, "image.images: "},
		"conversation":   {`{"model":"a/b"}`, `{"chat":{"messages":[{"role":"user","content":"1"},{"role":"assistant","content":"2"},{"role":"user","content":"3"}]}}`, adapter.TransformationFailed, "chat.messages[1]: the model takes one prompt"},
		"tools":          {`{"model":"a/b"}`, `{"chat":{"messages":[{"role":"user","content":"1"}],"tools":[{"name":"f"}]}}`, adapter.TransformationFailed, "chat.tools: "},
		"two pictures":   {`{"model":"a/b"}`, `{"chat":{"messages":[{"role":"user","parts":[{"url":"https://x/1"},{"url":"https://x/2"}]}]}}`, adapter.TransformationFailed, "chat.messages[0].parts[1]: the model takes one picture"},
		"comma":          {`{"model":"a/b"}`, `{"chat":{"messages":[{"role":"user","content":"1"}],"stop":["a,b"]}}`, adapter.TransformationFailed, "chat.stop: "},
		"nothing asked":  {`{"model":"a/b"}`, `{"chat":{"messages":[{"role":"system","content":"1"}]}}`, adapter.InvalidRequest, "none of a user"},
		"said otherwise": {`{"model":"a/b","input":{"prompt":"y"}}`, `{"image":{"prompt":"x"}}`, adapter.TransformationFailed, "input.prompt is what the request itself says"},
	} {
		if a := begin(row.settings, row.intent).Last(); a.Kind != adapter.ActionFail || a.Code != row.code || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestWhatBecomesOfAPrediction(t *testing.T) {
	const image, payload = `{"image":{"prompt":"x"}}`, `{"payload":{}}`
	for name, row := range map[string]struct {
		intent       string
		status       int
		body         string
		want, reason string
	}{
		"pictures":      {image, 201, `{"id":"p","status":"succeeded","output":["https://r/0.png","data:image/webp;base64,AAAA",{"url":"https://r/1"}],"metrics":{"predict_time":1.5,"image_count":3}}`, `{"image":{"pictures":[{"media_type":"image/png","url":"https://r/0.png"},{"media_type":"image/webp","data":"AAAA"},{"url":"https://r/1"}]},"metadata":{"predict_time_s":1.5},"usage":{"input_tokens":0,"output_tokens":0,"units":3},"model":"a/b","id":"p"}`, ""},
		"one picture":   {image, 200, `{"id":"p","status":"succeeded","output":"https://r/0.jpg"}`, `{"image":{"pictures":[{"media_type":"image/jpeg","url":"https://r/0.jpg"}]},"model":"a/b","id":"p"}`, ""},
		"object":        {payload, 200, `{"id":"p","status":"succeeded","output":{"a":1}}`, `{"output":{"a":1},"model":"a/b","id":"p"}`, ""},
		"number":        {payload, 200, `{"id":"p","status":"succeeded","output":0}`, `{"output":{"value":0},"model":"a/b","id":"p"}`, ""},
		"no output":     {payload, 200, `{"id":"p","status":"succeeded","output":null}`, "without output", ""},
		"no picture":    {image, 200, `{"id":"p","status":"succeeded","output":[]}`, "no picture", ""},
		"no id":         {image, 200, `{"status":"starting"}`, "no id", ""},
		"other status":  {image, 200, `{"id":"p","status":"dreaming"}`, `its status is "dreaming"`, ""},
		"failed":        {image, 200, `{"id":"p","status":"failed","error":"CUDA out of memory"}`, "the prediction failed: CUDA out of memory", ""},
		"failed mutely": {image, 200, `{"id":"p","status":"failed","error":null}`, "the prediction failed", ""},
		"canceled":      {image, 200, `{"id":"p","status":"canceled"}`, "the prediction canceled", ""},
		"filtered":      {image, 200, `{"id":"p","status":"failed","error":"NSFW content detected. Try running it again."}`, "NSFW", adapter.ContentFiltered},
		"refused":       {image, 422, `{"title":"Input validation failed","detail":"- input: prompt is required","status":422}`, "prompt is required", adapter.BadRequest},
		"credit":        {image, 402, `{"title":"Insufficient credit","detail":"You have insufficient credit"}`, "status 402", adapter.OutOfCredit},
		"gone":          {image, 404, `{"detail":"The requested resource could not be found."}`, "could not be found", ""},
	} {
		a := begin(`{"model":"a/b"}`, row.intent).Respond(row.status, "application/json", row.body)
		if failed := a.Kind == adapter.ActionFail; failed && !strings.Contains(a.Message, row.want) || !failed && string(a.Data) != row.want || a.Reason != row.reason {
			t.Errorf("%s: %+v %s", name, a, a.Data)
		}
	}
}

func TestAChatIsFollowedByItsStream(t *testing.T) {
	p := play.Begin(replicate.Adapter{}, "https://api.replicate.com", `{"model":"a/b","stream":true,"wait":9}`, `{"chat":{"messages":[{"role":"user","content":"Hi"}]}}`, true)
	if got := fmt.Sprint(p.Last().Headers); strings.Contains(got, "Prefer") {
		t.Errorf("it waits for what it could have at once: %s", got)
	}
	const created = `{"id":"p","status":"starting","urls":{"get":"https://api.replicate.com/v1/predictions/p","stream":"https://stream.replicate.com/v1/s"}}`
	if call := p.Respond(201, "", created); call.Method != "GET" || call.URL != "https://stream.replicate.com/v1/s" || call.Framing != "sse" {
		t.Fatalf("%+v", call)
	}
	p.Head(200, "text/event-stream")
	for _, piece := range []string{"Hel", "lo"} {
		p.Frame("output", piece)
	}
	p.Frame("done", "{}")
	if call := p.End(); call.URL != "https://api.replicate.com/v1/predictions/p" {
		t.Fatalf("%+v", call)
	}
	a := p.Respond(200, "", `{"id":"p","status":"succeeded","output":["Hel","lo"],"metrics":{"input_token_count":3,"output_token_count":2}}`)
	if want := `{"chat":{"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"},"usage":{"input_tokens":3,"output_tokens":2},"model":"a/b","id":"p"}`; string(a.Data) != want {
		t.Errorf("%s %s", a.Data, a.Message)
	}
	if len(p.Emitted) != 2 || string(p.Emitted[0].Data) != `{"text":"Hel"}` || string(p.Emitted[1].Data) != `{"text":"lo"}` {
		t.Errorf("%+v", p.Emitted)
	}
	for name, say := range map[string]func(p *play.Play) adapter.Action{
		"an error in it": func(p *play.Play) adapter.Action {
			p.Head(200, "text/event-stream")
			return p.Frame("error", `{"detail":"out of memory"}`)
		},
		"cut off": func(p *play.Play) adapter.Action { // and the prediction says why
			p.Head(200, "text/event-stream")
			p.Frame("output", "Hel")
			p.End()
			return p.Respond(200, "", `{"id":"p","status":"failed","error":"out of memory"}`)
		},
	} {
		p := play.Begin(replicate.Adapter{}, "https://api.replicate.com", `{"model":"a/b","stream":true}`, `{"chat":{"messages":[{"role":"user","content":"Hi"}]}}`, true)
		p.Respond(201, "", created)
		if a := say(p); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, "out of memory") {
			t.Errorf("%s: %+v", name, a)
		}
	}
	p = play.Begin(replicate.Adapter{}, "https://api.replicate.com", `{"model":"a/b","stream":true}`, `{"chat":{"messages":[{"role":"user","content":"Hi"}]}}`, true)
	p.Respond(201, "", created)
	if a := p.Respond(404, "", `{}`); a.Kind != adapter.ActionWait {
		t.Errorf("without stream: %+v", a)
	}
}

// TestAPredictionSurvivesARestart goes on from the state alone, at each step.
func TestAPredictionSurvivesARestart(t *testing.T) {
	p := begin(`{"model":"a/b","poll_first_ms":10}`, `{"unsupported":"warn","image":{"prompt":"x","quality":"hd"}}`)
	for _, status := range []string{"starting", "processing", "processing"} {
		if a := p.Respond(200, "", `{"id":"p","status":"`+status+`","output":null,"error":null}`); a.Kind != adapter.ActionWait {
			t.Fatalf("%+v", a)
		}
		p = &play.Play{Adapter: replicate.Adapter{}, Reply: adapter.Reply{State: p.Reply.State}}
		if a := p.Wake(); a.Method != "GET" || a.URL != "https://api.replicate.com/v1/predictions/p" {
			t.Fatalf("%+v", a)
		}
		p = &play.Play{Adapter: replicate.Adapter{}, Reply: adapter.Reply{State: p.Reply.State}}
	}
	a := p.Respond(200, "", `{"id":"p","status":"succeeded","output":["https://r/0"]}`)
	if want := `{"image":{"pictures":[{"url":"https://r/0"}]},"model":"a/b","id":"p","warnings":[{"parameter":"image.quality","message":"the model has no such input, says adapter.settings.fields"}]}`; string(a.Data) != want {
		t.Errorf("%s %s", a.Data, a.Message)
	}
}
