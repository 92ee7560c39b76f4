package githubcopilot_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/plugins/githubcopilot"
	"github.com/smarthausgroup/caio/plugins/internal/play"
	"github.com/smarthausgroup/caio/sdk/adapter"
)

func begin(settings, payload string) *play.Play {
	return play.Begin(githubcopilot.Adapter{}, "https://api.github.com", settings, `{"payload":`+payload+`}`, false)
}

func Example() {
	p := begin(`{"org":"acme"}`, `{"operation":"billing"}`)
	fmt.Println(p.Last().Method, p.Last().URL)
	fmt.Println(string(p.Respond(200, "", `{"plan_type":"business"}`).Data))
	// Output:
	// GET https://api.github.com/orgs/acme/copilot/billing
	// {"output":{"plan_type":"business"}}
}

func TestWhatIsAsked(t *testing.T) {
	for payload, want := range map[string]string{
		`{"operation":"seats","org":"a/b","page":2,"per_page":100}`:                        "GET /orgs/a%2Fb/copilot/billing/seats?page=2&per_page=100 ",
		`{"operation":"seat","username":"octocat"}`:                                        "GET /orgs/acme/members/octocat/copilot ",
		`{"operation":"report","report":"users-1-day","day":"2025-10-13"}`:                 "GET /orgs/acme/copilot/metrics/reports/users-1-day?day=2025-10-13 ",
		`{"operation":"report","report":"enterprise-28-day","enterprise":"big"}`:           "GET /enterprises/big/copilot/metrics/reports/enterprise-28-day/latest ",
		`{"operation":"add_users","usernames":["octocat"]}`:                                `POST /orgs/acme/copilot/billing/selected_users {"selected_usernames":["octocat"]}`,
		`{"operation":"remove_teams","teams":["t"]}`:                                       `DELETE /orgs/acme/copilot/billing/selected_teams {"selected_teams":["t"]}`,
		`{"operation":"set_content_exclusion","exclusions":{"octo-repo":["/secrets.md"]}}`: `PUT /orgs/acme/copilot/content_exclusion {"octo-repo":["/secrets.md"]}`,
	} {
		call := begin(`{"org":"acme","write":true}`, payload).Last()
		if got := call.Method + " " + strings.TrimPrefix(call.URL, "https://api.github.com") + " " + string(call.Body); got != want {
			t.Errorf("%s: %s %s", payload, got, call.Message)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ settings, payload, code, says string }{
		"no operation": {`{"org":"acme"}`, `{}`, adapter.InvalidRequest, "completions have no public interface"},
		"no org":       {`{}`, `{"operation":"billing"}`, adapter.InvalidRequest, "payload.org: it is missing"},
		"no user":      {`{"org":"acme"}`, `{"operation":"seat"}`, adapter.InvalidRequest, "payload.username: "},
		"no users":     {`{"org":"acme","write":true}`, `{"operation":"add_users","usernames":[]}`, adapter.InvalidRequest, "payload.usernames: "},
		"writing":      {`{"org":"acme"}`, `{"operation":"add_users","usernames":["a"]}`, adapter.TransformationFailed, "adapter.settings.write"},
		"other field":  {`{"org":"acme"}`, `{"operation":"billing","day":"2025-10-13"}`, adapter.TransformationFailed, "payload.day: "},
	} {
		if a := begin(row.settings, row.payload).Last(); a.Kind != adapter.ActionFail || a.Code != row.code || !strings.Contains(a.Message, row.says) {
			t.Errorf("%s: %+v", name, a)
		}
	}
	chat := play.Begin(githubcopilot.Adapter{}, "https://api.github.com", `{}`, `{"chat":{"messages":[]}}`, false).Last()
	if chat.Kind != adapter.ActionFail || !strings.Contains(chat.Message, "this adapter does payload") {
		t.Errorf("a chat: %+v", chat)
	}
}

func TestAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		status             int
		body, want, reason string
	}{
		"list":      {200, `[{"a":1}]`, `{"output":{"value":[{"a":1}]}}`, ""},
		"nothing":   {204, ``, `{"output":{}}`, ""},
		"forbidden": {403, `{"message":"Resource not accessible by integration"}`, "credentials", adapter.BadKey},
		"not found": {404, `{"message":"Not Found","status":"404"}`, "Not Found", ""},
		"invalid":   {422, `{"message":"Copilot Business is not enabled"}`, "not enabled", adapter.BadRequest},
		"nonsense":  {200, `<`, "JSON", ""},
	} {
		a := begin(`{"org":"acme"}`, `{"operation":"billing"}`).Respond(row.status, "", row.body)
		if failed := a.Kind == adapter.ActionFail; failed && !strings.Contains(a.Message, row.want) || !failed && string(a.Data) != row.want || a.Reason != row.reason {
			t.Errorf("%s: %+v %s", name, a, a.Data)
		}
	}
}
