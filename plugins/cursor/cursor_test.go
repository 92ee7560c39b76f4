package cursor_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/cursor"
	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, intent string) *play.Play {
	return play.Begin(cursor.Adapter{}, "https://api.cursor.com", settings, intent, false)
}

const (
	repository = `{"repository":"https://github.com/o/r","create_pull_request":true}`
	task       = `{"code":{"prompt":"Add a README"}}`
	created    = `{"agent":{"id":"bc-1","url":"https://cursor.com/agents?id=bc-1","branchName":"cursor/readme"},"run":{"id":"run-1","agentId":"bc-1","status":"CREATING"}}`
)

func Example() {
	p := begin(repository, task)
	fmt.Println(p.Last().Method, p.Last().URL, string(p.Last().Body))
	p.Respond(201, "", created)
	fmt.Println(p.Wake().URL)
	p.Respond(200, "", `{"id":"run-1","status":"RUNNING"}`)
	p.Wake()
	a := p.Respond(200, "", `{"id":"run-1","status":"FINISHED","result":"Added README.md.","git":{"branches":[{"branch":"cursor/readme","prUrl":"https://github.com/o/r/pull/1"}]}}`)
	fmt.Println(string(a.Data))
	// Output:
	// POST https://api.cursor.com/v1/agents {"prompt":{"text":"Add a README"},"repos":[{"url":"https://github.com/o/r"}],"autoCreatePR":true}
	// https://api.cursor.com/v1/agents/bc-1/runs/run-1
	// {"code":{"text":"Added README.md.","finish_reason":"stop"},"metadata":{"agent":"https://cursor.com/agents?id=bc-1","branch":"cursor/readme","pull_request":"https://github.com/o/r/pull/1"},"id":"bc-1"}
}

func TestEverySettingIsSaid(t *testing.T) {
	call := begin(`{"repository":"https://github.com/o/r","ref":"main","pull_request":"https://github.com/o/r/pull/9","branch":"b","model":"composer-2"}`,
		`{"code":{"prompt":"x","language":"go","suffix":"","max_tokens":null}}`).Last()
	want := `{"prompt":{"text":"x\n\nThe programming language is go."},"model":{"id":"composer-2"},"repos":[{"url":"https://github.com/o/r","startingRef":"main","prUrl":"https://github.com/o/r/pull/9"}],"branchName":"b"}`
	if string(call.Body) != want {
		t.Errorf("%s %s", call.Body, call.Message)
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ settings, intent, says string }{
		"nowhere": {`{}`, task, "adapter.settings.repository is missing"},
		"suffix":  {repository, `{"code":{"prompt":"x","suffix":"y"}}`, "code.suffix: "},
		"tokens":  {repository, `{"code":{"prompt":"x","max_tokens":5}}`, "code.max_tokens: "},
	} {
		if a := begin(row.settings, row.intent).Last(); a.Kind != adapter.ActionFail || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestHowARunMayEnd(t *testing.T) {
	for name, row := range map[string]struct {
		status             int
		body, says, reason string
	}{
		"error":     {200, `{"status":"ERROR"}`, "ended as ERROR", ""},
		"cancelled": {200, `{"status":"CANCELLED","result":"Half done."}`, "CANCELLED: Half done.", ""},
		"expired":   {200, `{"status":"EXPIRED"}`, "EXPIRED", ""},
		"other":     {200, `{"status":"DREAMING"}`, "DREAMING", ""},
		"gone":      {404, `{"error":{"code":"run_not_found","message":"No such run"}}`, "No such run", ""},
	} {
		p := begin(repository, task)
		p.Respond(201, "", created)
		p.Wake()
		if a := p.Respond(row.status, "", row.body); a.Kind != adapter.ActionFail || a.Reason != row.reason || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
	for status, row := range map[int][3]string{
		400: {`{"error":{"code":"validation_error","message":"repos is required"}}`, "repos is required", adapter.BadRequest},
		401: {`{"error":{"code":"api_key_not_found","message":"crsr_1"}}`, "credentials", adapter.BadKey},
		429: {`{"error":{"code":"rate_limit_exceeded","message":"slow down"}}`, "slow down", adapter.RateLimited},
		200: {`{"agent":{}}`, "no agent and run", ""},
	} {
		if a := begin(repository, task).Respond(status, "", row[0]); a.Kind != adapter.ActionFail || a.Reason != row[2] || !strings.Contains(a.Message, row[1]) {
			t.Errorf("%d: %+v", status, a)
		}
	}
}
