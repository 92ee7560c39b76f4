package conformance

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/smarthausgroup/caio/plugins/codex"
	"github.com/smarthausgroup/caio/plugins/cursor"
	"github.com/smarthausgroup/caio/plugins/githubcopilot"
	"github.com/smarthausgroup/caio/plugins/m365"
	"github.com/smarthausgroup/caio/plugins/midjourney"
)

// Codex is a bridge to a coding agent, which speaks a part of OpenAI's API.
func Codex() Provider {
	return Provider{
		Name: "codex", Adapter: codex.Adapter{}, Contract: "codex.yaml", Spec: "openai",
		Evidence: "OpenAI's official specification of /responses; nothing is recorded", Want: nothingRecorded,
	}
}

// Cursor is Cursor's Cloud Agents.
func Cursor() Provider {
	return Provider{
		Name: "cursor", Adapter: cursor.Adapter{}, Contract: "cursor.yaml",
		Evidence: "official specification, by way of a mirror; nothing is recorded", Want: nothingRecorded,
	}
}

// M365 is Microsoft Graph.
func M365() Provider {
	return Provider{
		Name: "m365", Adapter: m365.Adapter{}, Contract: "m365.yaml",
		Evidence: "the examples of Microsoft's reference; nothing is recorded", Want: nothingRecorded,
	}
}

// Midjourney has no official API; what is tried is a proxy's.
func Midjourney() Provider {
	return Provider{
		Name: "midjourney", Adapter: midjourney.Adapter{}, Contract: "midjourney.yaml",
		Evidence: "nothing: there is no official API, and only a proxy's notes", Want: nothingRecorded,
	}
}

func nothingRecorded(*Exchange) (*Want, string, error) { return nil, "it is not tried", nil }

// GitHubCopilot is what GitHub tells of Copilot: seats and reports. There is no public API of its completions.
func GitHubCopilot() Provider {
	return Provider{
		Name: "github-copilot", Adapter: githubcopilot.Adapter{}, Contract: "github-copilot.yaml",
		Evidence: "official specification of seats and reports; completions have no public API",
		Settings: func(*Exchange) map[string]any { return map[string]any{"org": "acme", "write": true} },
		Intent:   copilotIntent, Want: copilotWant,
		Hello: func(*Exchange) map[string]any {
			return map[string]any{"payload": map[string]any{"operation": "billing"}}
		},
	}
}

func copilotIntent(x *Exchange) (map[string]any, bool, string) {
	payload := map[string]any{}
	_, path, _ := strings.Cut(x.Request.URL, "https://api.github.com")
	if strings.HasPrefix(path, "/enterprises/") {
		payload["enterprise"] = "big"
	}
	var body map[string]any
	_ = json.Unmarshal(x.Request.Body, &body) // a GET has none
	last := path[strings.LastIndex(path, "/")+1:]
	verb := map[string]string{"POST": "add_", "DELETE": "remove_"}[x.Request.Method]
	switch {
	case strings.Contains(path, "/reports/"):
		report := strings.TrimSuffix(path[strings.Index(path, "/reports/")+len("/reports/"):], "/latest")
		payload["operation"], payload["report"] = "report", report
		if strings.HasSuffix(report, "1-day") {
			payload["day"] = "2025-07-01"
		}
	case last == "billing", last == "seats", last == "content_exclusion" && x.Request.Method == "GET":
		payload["operation"] = last
	case last == "selected_users":
		payload["operation"], payload["usernames"] = verb+"users", body["selected_usernames"]
	case last == "selected_teams":
		payload["operation"], payload["teams"] = verb+"teams", body["selected_teams"]
	case last == "content_exclusion":
		payload["operation"], payload["exclusions"] = "set_content_exclusion", body
	case last == "copilot":
		payload["operation"], payload["username"] = "seat", "octocat"
	default:
		return nil, false, "there is no such operation"
	}
	return map[string]any{"payload": payload}, false, ""
}

func copilotWant(x *Exchange) (*Want, string, error) {
	if x.Response.Status > 299 {
		return &Want{Fail: true}, "", nil
	}
	var body any
	if len(x.Response.Body) == 0 {
		body = map[string]any{}
	} else if err := json.Unmarshal(x.Response.Body, &body); err != nil {
		return nil, "", err
	}
	if _, ok := body.(map[string]any); !ok {
		body = map[string]any{"value": body}
	}
	return &Want{Other: func(result map[string]any) error {
		if !reflect.DeepEqual(result["output"], body) {
			return fmt.Errorf("the output is %v, want %v", result["output"], body)
		}
		return nil
	}}, "", nil
}
