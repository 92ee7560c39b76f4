// Package codex is the adapter "codex": a bridge to a coding agent, such as Codex, that works somewhere of its own.
//
// A bridge is a service, usually beside CAIO, that takes a task, lets an agent work on it, and tells of it when asked. What is
// spoken with it is a part of OpenAI's Responses API in background mode, so OpenAI's own models of that name can be asked
// without any bridge, and a bridge need not invent a form.
//
// # Protocol
//
//	POST {base}/v1/responses
//	     {"model", "input", "instructions", "max_output_tokens", "metadata": {"repository", "branch", ...},
//	      "background": true, "store": true}
//	     model, instructions, max_output_tokens and metadata are left out where there is nothing to say
//	GET  {base}/v1/responses/{id}
//
// Both answer, with a 2xx, the task as it stands:
//
//	{"id", "status", "model", "output": [...], "error": {"code", "message"}, "incomplete_details": {"reason"},
//	 "usage": {"input_tokens", "output_tokens",
//	           "input_tokens_details": {"cached_tokens"}, "output_tokens_details": {"reasoning_tokens"}},
//	 "metadata": {...}}
//
// status is queued or in_progress while it is under way, then completed, incomplete, failed or cancelled. Of output the items
// {"type": "message", "content": [{"type": "output_text", "text"}]} together are the code. metadata may come back with more than
// was sent, such as {"pull_request": "https://..."}; it becomes the result's metadata. Errors have OpenAI's form,
// {"error": {"message", "code"}}. A bridge must keep a task until it was asked after once it ended.
//
// # Settings
//
// All are optional; a setting that is not listed is an error.
//
//	model, models  the model; without one the bridge takes its own
//	instructions   what the agent is told before the task
//	repository, branch   where it works; they are the metadata's
//	extra_body     fields that are added to the request, such as {"reasoning": {"effort": "high"}}
//	poll_first_ms, poll_most_ms, poll_limit_s   how patiently it is asked: 1000, 15000, 3600
package codex

import (
	"strings"

	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/plugins/internal/poll"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to a bridge; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "codex", Version: "1.0.0", Description: "A coding agent behind a bridge that speaks OpenAI's Responses"}
}

// Step hands the task over at the start, and then asks after it.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind != adapter.KindStart {
		return poll.Step(state, ev, read)
	}
	c, err := normal.Start(ev, "code")
	if err != nil {
		return adapter.Reply{}, err
	}
	s := settings{
		model: c.ModelOr(""), instructions: c.Settings.Text("instructions", ""),
		repository: c.Settings.Text("repository", ""), branch: c.Settings.Text("branch", ""),
	}
	extra := c.Settings.Object("extra_body")
	pace, err := poll.New(&c.Settings, poll.Pace{First: 1000, Most: 15_000, Limit: 3600})
	if err != nil {
		return adapter.Reply{}, err
	}
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if err := c.Takes("model", "prompt", "language", "max_tokens"); err != nil {
		return adapter.Reply{}, err
	}
	body, err := normal.Extend(s.request(c), "extra_body", extra)
	if err != nil {
		return adapter.Reply{}, err
	}
	url := c.Base
	if !strings.HasSuffix(url, "/v1") {
		url += "/v1"
	}
	work := poll.Work{Poll: pace, Kind: c.Kind, Answer: normal.Answer{Model: s.model, Warnings: c.Warnings}}
	work.Poll.URL = url + "/responses/" // the id is added when it is known
	return work.Begin(normal.Post(url+"/responses", body))
}

type settings struct{ model, instructions, repository, branch string }

func (s *settings) request(c *normal.Call) []byte {
	instructions := s.instructions
	if language := c.Body.Get("language").Text(); language != "" {
		instructions = strings.TrimSpace(instructions + "\nThe programming language is " + language + ".")
	}
	var w json.Writer
	field := func(name, value string) {
		if value != "" {
			w.Key(name)
			w.String(value)
		}
	}
	w.Begin('{')
	field("model", s.model)
	field("input", c.Body.Get("prompt").Text())
	field("instructions", instructions)
	if n := c.Body.Get("max_tokens"); n.Kind() == json.Number {
		w.Key("max_output_tokens")
		w.Raw(n)
	}
	if s.repository != "" || s.branch != "" {
		w.Key("metadata")
		w.Begin('{')
		field("repository", s.repository)
		field("branch", s.branch)
		w.End('}')
	}
	w.Key("background")
	w.Bool(true)
	w.Key("store")
	w.Bool(true)
	w.End('}')
	return w.Bytes()
}

// read reads a task as it stands.
func read(w *poll.Work, v json.Value) ([]byte, error) {
	a := &w.Answer
	if !w.Created {
		if a.ID = v.Get("id").Text(); a.ID == "" {
			if v.Get("error").Exists() {
				return nil, normal.ErrorInside(v)
			}
			return nil, normal.Nonsense("is no task: it has no id")
		}
		w.Poll.URL += normal.Escape(a.ID)
	}
	if model := v.Get("model").Text(); model != "" {
		a.Model = model
	}
	if done, err := ended(a, v); !done {
		return nil, err
	}
	count(a, v.Get("usage"))
	for name, field := range v.Get("metadata").Fields() {
		a.Note(name, field)
	}
	text := outputText(v.Get("output"))
	if text == "" && a.Finish == "stop" {
		return nil, normal.Nonsense("is a task that was completed without text")
	}
	return a.Code(text), nil
}

// ended reads the status of a task: whether it is done, and how, or what went wrong.
func ended(a *normal.Answer, v json.Value) (bool, error) {
	switch status := v.Get("status").Text(); status {
	case "queued", "in_progress":
		return false, nil
	case "completed":
		a.Finish = "stop"
	case "incomplete":
		switch reason := v.Get("incomplete_details").Get("reason").Text(); reason {
		case "max_output_tokens":
			a.Finish = "length"
		case "":
			a.Finish = "incomplete"
		default:
			a.Finish = reason // such as content_filter
		}
	case "failed":
		return false, normal.ErrorInside(v)
	case "cancelled":
		return false, &adapter.Failure{Code: adapter.ExecutionFailed, Message: "the task was cancelled", Retryable: true}
	default:
		return false, normal.Nonsense("is no task: its status is " + normal.Clip(status))
	}
	return true, nil
}

func outputText(output json.Value) string {
	var text strings.Builder
	for item := range output.Items() {
		if item.Get("type").Text() != "message" {
			continue
		}
		for part := range item.Get("content").Items() {
			text.WriteString(part.Get("text").Text())
		}
	}
	return text.String()
}

func count(a *normal.Answer, usage json.Value) {
	in, hasIn := usage.Get("input_tokens").Int()
	out, hasOut := usage.Get("output_tokens").Int()
	if !hasIn && !hasOut {
		return
	}
	a.Usage = normal.Usage{Known: true, In: in, Out: out}
	a.Usage.Cached, _ = usage.Get("input_tokens_details").Get("cached_tokens").Int()
	a.Usage.Reasoning, _ = usage.Get("output_tokens_details").Get("reasoning_tokens").Int()
}
