package midjourney_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/plugins/midjourney"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string) *play.Play {
	return play.Begin(midjourney.Adapter{}, "http://127.0.0.1:8080", settings, intent, false)
}

func Example() {
	p := begin(`{"suffix":"--stylize 50"}`, `{"image":{"prompt":"a cat","negative_prompt":"dogs","seed":7,"model":"6.1"}}`)
	fmt.Println(p.Last().Method, p.Last().URL, string(p.Last().Body))
	a := p.Respond(200, "", `{"code":1,"description":"ok","result":"849"}`)
	fmt.Println("wait", a.DelayMS, "ms")
	fmt.Println(p.Wake().URL)
	a = p.Respond(200, "", `{"id":"849","status":"SUCCESS","imageUrl":"https://cdn/x.png","properties":{"finalPrompt":"a cat --v 6.1"}}`)
	fmt.Println(string(a.Data))
	// Output:
	// POST http://127.0.0.1:8080/mj/submit/imagine {"prompt":"a cat --no dogs --seed 7 --v 6.1 --stylize 50"}
	// wait 2000 ms
	// http://127.0.0.1:8080/mj/task/849/fetch
	// {"image":{"pictures":[{"url":"https://cdn/x.png","revised_prompt":"a cat --v 6.1"}]},"model":"6.1","id":"849"}
}

func TestPathsAreSettings(t *testing.T) {
	p := begin(`{"submit_path":"/fast/submit","task_path":"/fast/{id}","extra_body":{"botType":"NIJI"}}`, `{"image":{"prompt":"x","images":[{"media_type":"image/png","data":"AA=="},{"url":"https://x/y.png"}]}}`)
	if call := p.Last(); call.URL != "http://127.0.0.1:8080/fast/submit" || string(call.Body) != `{"prompt":"https://x/y.png x","base64Array":["data:image/png;base64,AA=="],"botType":"NIJI"}` {
		t.Errorf("%s %s", call.URL, call.Body)
	}
	p.Respond(200, "", `{"code":22,"result":"a/b"}`)
	if url := p.Wake().URL; url != "http://127.0.0.1:8080/fast/a%2Fb" {
		t.Error(url)
	}
}

func TestASizeIsARatio(t *testing.T) {
	const intent = `"image":{"prompt":"x","size":"1920x1080"}}`
	if a := begin(`{}`, `{`+intent).Last(); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, "image.size: ") {
		t.Errorf("%+v", a)
	}
	if a := begin(`{}`, `{"unsupported":"warn",`+intent).Last(); string(a.Body) != `{"prompt":"x --ar 16:9"}` {
		t.Errorf("%s", a.Body)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, says string }{
		"count":     {`{}`, `{"image":{"prompt":"x","count":2}}`, "image.count: "},
		"media":     {`{}`, `{"image":{"prompt":"x","media_type":"image/png"}}`, "image.media_type: "},
		"seed":      {`{}`, `{"image":{"prompt":"x","seed":-1}}`, "image.seed: "},
		"task path": {`{"task_path":"/task"}`, `{"image":{"prompt":"x"}}`, "task_path must hold {id}"},
		"picture":   {`{}`, `{"image":{"prompt":"x","images":[{"media_type":"image/png"}]}}`, "image.images[0]: "},
	} {
		if a := begin(row.settings, row.intent).Last(); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestWhatASubmissionAndATaskMaySay(t *testing.T) {
	for name, row := range map[string]struct{ submitted, task, reason, says string }{
		"full":         {`{"code":23,"description":"full"}`, "", adapter.Overload, "queue is full"},
		"banned":       {`{"code":24,"properties":{"bannedWord":"nude"}}`, "", adapter.ContentFiltered, "nude"},
		"other code":   {`{"code":4,"description":"no account"}`, "", "", "code 4: no account"},
		"no task":      {`{"code":1}`, "", "", "names no task"},
		"no code":      {`{}`, "", "", "no code"},
		"failure":      {`{"code":1,"result":"1"}`, `{"status":"FAILURE","failReason":"[Invalid parameter] Invalid value"}`, "", "Invalid parameter"},
		"moderation":   {`{"code":21,"result":"1"}`, `{"status":"FAILURE","failReason":"Banned prompt detected"}`, adapter.ContentFiltered, "Banned"},
		"no picture":   {`{"code":1,"result":"1"}`, `{"status":"SUCCESS","imageUrl":null}`, "", "without picture"},
		"other status": {`{"code":1,"result":"1"}`, `{"status":"DREAMING"}`, "", "DREAMING"},
	} {
		p := begin(`{}`, `{"image":{"prompt":"x"}}`)
		a := p.Respond(200, "", row.submitted)
		if row.task != "" {
			for _, status := range []string{"NOT_START", "IN_PROGRESS"} {
				p.Wake()
				if a = p.Respond(200, "", `{"status":"`+status+`","progress":"3%"}`); a.Kind != adapter.ActionWait {
					t.Fatalf("%s: %+v", name, a)
				}
			}
			p.Wake()
			a = p.Respond(200, "", row.task)
		}
		if a.Kind != adapter.ActionFail || a.Reason != row.reason || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
