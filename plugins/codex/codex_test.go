package codex_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/codex"
	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string) *play.Play {
	return play.Begin(codex.Adapter{}, "http://127.0.0.1:7420", settings, intent, false)
}

const task = `{"code":{"prompt":"Fix the build."}}`

func Example() {
	p := begin(`{"repository":"https://git.example.com/a/b"}`, `{"code":{"prompt":"Fix the build.","language":"go","suffix":""}}`)
	fmt.Println(p.Last().Method, p.Last().URL)
	fmt.Println(string(p.Last().Body))
	p.Respond(200, "", `{"id":"r1","status":"queued"}`)
	fmt.Println(p.Wake().URL)
	p.Respond(200, "", `{"id":"r1","status":"in_progress"}`)
	p.Wake()
	a := p.Respond(200, "", `{"id":"r1","status":"completed","model":"gpt-5-codex","output":[{"type":"reasoning"},{"type":"message","content":[{"type":"output_text","text":"Done."}]}],
		"usage":{"input_tokens":9,"output_tokens":2,"output_tokens_details":{"reasoning_tokens":1}},"metadata":{"pull_request":"https://git.example.com/a/b/1"}}`)
	fmt.Println(string(a.Data))
	// Output:
	// POST http://127.0.0.1:7420/v1/responses
	// {"input":"Fix the build.","instructions":"The programming language is go.","metadata":{"repository":"https://git.example.com/a/b"},"background":true,"store":true}
	// http://127.0.0.1:7420/v1/responses/r1
	// {"code":{"text":"Done.","finish_reason":"stop"},"metadata":{"pull_request":"https://git.example.com/a/b/1"},"usage":{"input_tokens":9,"output_tokens":2,"reasoning_tokens":1},"model":"gpt-5-codex","id":"r1"}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, says string }{
		"suffix":     {`{}`, `{"code":{"prompt":"x","suffix":"y"}}`, "code.suffix: "},
		"other work": {`{}`, `{"chat":{}}`, "this adapter does code"},
		"clash":      {`{"extra_body":{"background":false}}`, task, "extra_body.background"},
		"setting":    {`{"repo":"x"}`, task, "adapter.settings.repo is not known"},
	} {
		if a := begin(row.settings, row.intent).Last(); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestHowATaskMayEnd(t *testing.T) {
	const said = `"output":[{"type":"message","content":[{"type":"output_text","text":"Half"}]}]`
	for name, row := range map[string]struct{ body, want, reason string }{
		"cut":         {`{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},` + said + `}`, `{"code":{"text":"Half","finish_reason":"length"},"id":"r"}`, ""},
		"filtered":    {`{"id":"r","status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]}`, `{"code":{"text":"","finish_reason":"content_filter"},"id":"r"}`, ""},
		"failed":      {`{"id":"r","status":"failed","error":{"code":"rate_limit_exceeded","message":"Too fast"}}`, "Too fast", adapter.RateLimited},
		"cancelled":   {`{"id":"r","status":"cancelled"}`, "cancelled", ""},
		"mute":        {`{"id":"r","status":"completed","output":[]}`, "without text", ""},
		"other":       {`{"id":"r","status":"dreaming"}`, "dreaming", ""},
		"no id":       {`{"status":"queued"}`, "no id", ""},
		"error alone": {`{"error":{"message":"no agent"}}`, "no agent", ""},
	} {
		a := begin(`{}`, task).Respond(200, "application/json", row.body)
		if failed := a.Kind == adapter.ActionFail; failed && !strings.Contains(a.Message, row.want) || !failed && string(a.Data) != row.want || a.Reason != row.reason {
			t.Errorf("%s: %+v %s", name, a, a.Data)
		}
	}
}
