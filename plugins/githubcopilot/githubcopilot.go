// Package githubcopilot is the adapter "github-copilot": seats, exclusions and usage reports of GitHub Copilot.
//
// GitHub offers no public interface to Copilot's completions, so none are offered here: a chat or code intent is refused. Any
// server that speaks OpenAI's API, GitHub's own models among them, is reached by the adapter "openai".
//
// # Payload
//
// A payload names an operation and what it is about; the answer is the output, as GitHub gives it, a list as {"value": [...]}.
//
//	{"operation": "billing", "org"}                       the plan and its seats in numbers
//	{"operation": "seats", "org", "page", "per_page"}     all seats
//	{"operation": "seat", "org", "username"}              one member's seat
//	{"operation": "content_exclusion", "org"}             what Copilot does not see
//	{"operation": "report", "org" or "enterprise", "report", "day"}   links to a report, such as "users-1-day" of the day
//	                                                      "2025-10-13", or the latest "users-28-day", which has no day
//	{"operation": "add_users", "org", "usernames"}        gives seats away; so do remove_users, and add_teams and remove_teams
//	                                                      with "teams"
//	{"operation": "set_content_exclusion", "org", "exclusions"}
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	org, enterprise  of a payload that names none
//	write            true: the operations that change something are allowed; default false, since a seat costs money
package githubcopilot

import (
	"errors"
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to GitHub; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "github-copilot", Version: "1.0.0", Description: "GitHub Copilot: seats and usage; its completions have no public API"}
}

// Step asks at the start, and reads the answer.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	switch ev.Kind {
	case adapter.KindStart:
		return start(ev)
	case adapter.KindResponse:
		return finish(state, ev)
	}
	return adapter.Reply{}, errors.New("an answer was expected, not frames or timers")
}

// An operation is one of GitHub's. Names in braces are fields of the payload; body is the field that becomes the one of the
// request, sent as its second name, or is the request if that is empty.
type operation struct {
	name, method, path string
	query              []string
	body, as           string
}

func operations() []operation {
	const org = "/orgs/{org}/copilot/"
	return []operation{
		{name: "billing", method: "GET", path: org + "billing"},
		{name: "seats", method: "GET", path: org + "billing/seats", query: []string{"page", "per_page"}},
		{name: "seat", method: "GET", path: "/orgs/{org}/members/{username}/copilot"},
		{name: "content_exclusion", method: "GET", path: org + "content_exclusion"},
		{name: "report", method: "GET", path: "{scope}/copilot/metrics/reports/{report}", query: []string{"day"}},
		{name: "add_users", method: "POST", path: org + "billing/selected_users", body: "usernames", as: "selected_usernames"},
		{name: "remove_users", method: "DELETE", path: org + "billing/selected_users", body: "usernames", as: "selected_usernames"},
		{name: "add_teams", method: "POST", path: org + "billing/selected_teams", body: "teams", as: "selected_teams"},
		{name: "remove_teams", method: "DELETE", path: org + "billing/selected_teams", body: "teams", as: "selected_teams"},
		{name: "set_content_exclusion", method: "PUT", path: org + "content_exclusion", body: "exclusions"},
	}
}

func start(ev *adapter.Event) (adapter.Reply, error) {
	c, err := normal.Start(ev, "payload")
	if err != nil {
		return adapter.Reply{}, err
	}
	org, enterprise, write := c.Settings.Text("org", ""), c.Settings.Text("enterprise", ""), c.Settings.Flag("write", false)
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	var op operation
	var names []string
	wanted := c.Body.Get("operation").Text()
	for _, o := range operations() {
		if names = append(names, o.name); o.name == wanted {
			op = o
		}
	}
	switch {
	case op.name == "":
		return adapter.Reply{}, normal.Invalid("payload.operation",
			"it must be one of "+strings.Join(names, ", ")+"; completions have no public interface")
	case op.method != "GET" && !write:
		return adapter.Reply{}, adapter.Unsupported("payload.operation",
			op.name+" changes something, which adapter.settings.write does not allow")
	}
	call, used, err := op.call(c, org, enterprise)
	if err != nil {
		return adapter.Reply{}, err
	}
	if err := c.Takes(used...); err != nil {
		return adapter.Reply{}, err
	}
	a := normal.Answer{Warnings: c.Warnings}
	var e adapter.Encoder
	a.Encode(&e)
	return adapter.Reply{State: e.Bytes(), Actions: []adapter.Action{call}}, nil
}

// call returns the call, and the payload's fields that it says.
func (op *operation) call(c *normal.Call, org, enterprise string) (call adapter.Action, used []string, err error) {
	used = []string{"operation"}
	text := func(name, otherwise string) string {
		used = append(used, name)
		if v := c.Body.Get(name).Text(); v != "" {
			return v
		}
		return otherwise
	}
	path := op.path
	put := func(name, otherwise string) {
		at := "{" + name + "}"
		if !strings.Contains(path, at) {
			return
		}
		value := text(name, otherwise)
		if value == "" && err == nil {
			err = normal.Invalid("payload."+name, "it is missing, and "+op.name+" needs it")
		}
		path = strings.ReplaceAll(path, at, normal.Escape(value))
	}
	if strings.Contains(path, "{scope}") {
		scope := "/orgs/{org}"
		if c.Body.Get("org").Text() == "" && (org == "" || c.Body.Get("enterprise").Text() != "") {
			scope = "/enterprises/{enterprise}"
		}
		path = strings.ReplaceAll(path, "{scope}", scope)
	}
	put("org", org)
	put("enterprise", enterprise)
	put("username", "")
	put("report", "")
	var q normal.Query
	for _, name := range op.query {
		used = append(used, name)
		v := c.Body.Get(name)
		if q.Add(name, v.Text()); v.Kind() == json.Number {
			q.Add(name, string(v))
		}
	}
	if op.name == "report" && c.Body.Get("day").Text() == "" {
		path += "/latest"
	}
	headers := []adapter.Header{{Name: "Accept", Value: "application/vnd.github+json"}}
	var body []byte
	if op.body != "" {
		used = append(used, op.body)
		if body = op.write(c.Body.Get(op.body)); body == nil && err == nil {
			err = normal.Invalid("payload."+op.body, "it is missing or has another form, and "+op.name+" needs it")
		}
		headers = append(headers, adapter.Header{Name: "Content-Type", Value: "application/json"})
	}
	return adapter.HTTP(op.method, c.Base+path+q.String(), body, headers...), used, err
}

// write returns the request's body, nil if there is none.
func (op *operation) write(v json.Value) []byte {
	if op.as == "" {
		if v.Kind() != json.Object {
			return nil
		}
		return v
	}
	if v.Kind() != json.Array || v.Empty() {
		return nil
	}
	var w json.Writer
	w.Begin('{')
	w.Key(op.as)
	w.Raw(v)
	w.End('}')
	return w.Bytes()
}

func finish(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	a, err := normal.DecodeAnswer(state)
	if err != nil {
		return adapter.Reply{}, errors.New("state: " + err.Error())
	}
	if ev.Status < 200 || ev.Status > 299 {
		return adapter.Reply{}, normal.Refusal(ev.Status, ev.Body)
	}
	body := json.Value("{}")
	if len(ev.Body) > 0 {
		if body, err = json.Parse(ev.Body); err != nil {
			return adapter.Reply{}, normal.Nonsense("is " + err.Error())
		}
	}
	return adapter.Do(adapter.Done(a.Output(body))), nil
}
