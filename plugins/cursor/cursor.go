// Package cursor is the adapter "cursor": code written in a repository by Cursor's Cloud Agents.
//
// An agent is created with its first run, and the run is asked after until it ended. What comes of it lies in the repository, on
// a branch or as a pull request; the result's text is what the agent says of it in the end.
//
// # Settings
//
// A setting that is not listed is an error.
//
//	repository     URL of the repository; required unless pull_request is there
//	ref            branch, tag or commit to begin at; default: the repository's default branch
//	pull_request   URL of a pull request to go on with
//	branch         name of the branch that the agent makes
//	create_pull_request   true: a pull request is opened at the end; default false
//	model, models  the model; without one the provider takes the account's
//	poll_first_ms, poll_most_ms, poll_limit_s   how patiently it is asked: 5000, 30000, 3600
//
// The metadata hold agent (its page), branch and pull_request, as far as the provider tells of them: what the agent says in the
// end ("result") and what it pushed ("git") are in the provider's manual, but not in the specification that requests are held
// against. A programming language is told to the agent in words. The key is a user's name without password to HTTP's Basic
// authentication.
package cursor

import (
	"github.com/smarthausgroup/caio/plugins/internal/normal"
	"github.com/smarthausgroup/caio/plugins/internal/poll"
	"github.com/smarthausgroup/caio/sdk/adapter"
	"github.com/smarthausgroup/caio/sdk/adapter/json"
)

// Adapter speaks to Cursor; its zero value is ready.
type Adapter struct{}

// Info names the adapter.
func (Adapter) Info() adapter.Info {
	return adapter.Info{Name: "cursor", Version: "1.0.0", Description: "Cursor Cloud Agents: code in a repository"}
}

// Step creates an agent at the start, and then asks after its run.
func (Adapter) Step(state []byte, ev *adapter.Event) (adapter.Reply, error) {
	if ev.Kind != adapter.KindStart {
		return poll.Step(state, ev, read)
	}
	c, err := normal.Start(ev, "code")
	if err != nil {
		return adapter.Reply{}, err
	}
	s := settings{
		repository: c.Settings.Text("repository", ""), ref: c.Settings.Text("ref", ""), pullRequest: c.Settings.Text("pull_request", ""),
		branch: c.Settings.Text("branch", ""), open: c.Settings.Flag("create_pull_request", false), model: c.ModelOr(""),
	}
	pace, err := poll.New(&c.Settings, poll.Pace{First: 5000, Most: 30_000, Limit: 3600})
	if err != nil {
		return adapter.Reply{}, err
	}
	if err := c.Settings.Err(); err != nil {
		return adapter.Reply{}, err
	}
	if s.repository == "" && s.pullRequest == "" {
		return adapter.Reply{}, normal.BadSetting("repository", "is missing: an agent works in one, or on a pull_request")
	}
	if err := c.Takes("model", "prompt", "language"); err != nil {
		return adapter.Reply{}, err
	}
	work := poll.Work{Poll: pace, Kind: c.Kind, Answer: normal.Answer{Model: s.model, Warnings: c.Warnings}}
	work.Poll.URL = c.Base + "/v1/agents/"
	return work.Begin(normal.Post(c.Base+"/v1/agents", s.request(c)))
}

type settings struct {
	repository, ref, pullRequest, branch, model string
	open                                        bool
}

func (s *settings) request(c *normal.Call) []byte {
	text := c.Body.Get("prompt").Text()
	if language := c.Body.Get("language").Text(); language != "" {
		text += "\n\nThe programming language is " + language + "."
	}
	var w json.Writer
	field := func(name, value string) {
		if value != "" {
			w.Key(name)
			w.String(value)
		}
	}
	w.Begin('{')
	w.Key("prompt")
	w.Begin('{')
	field("text", text)
	w.End('}')
	if s.model != "" {
		w.Key("model")
		w.Begin('{')
		field("id", s.model)
		w.End('}')
	}
	w.Key("repos")
	w.Begin('[')
	w.Begin('{')
	field("url", s.repository)
	field("startingRef", s.ref)
	field("prUrl", s.pullRequest)
	w.End('}')
	w.End(']')
	field("branchName", s.branch)
	if s.open {
		w.Key("autoCreatePR")
		w.Bool(true)
	}
	w.End('}')
	return w.Bytes()
}

// read reads the answer that created the agent, and then its run.
func read(w *poll.Work, v json.Value) ([]byte, error) {
	run := v
	if !w.Created {
		run = v.Get("run")
		agent, id := v.Get("agent").Get("id").Text(), run.Get("id").Text()
		if agent == "" || id == "" {
			return nil, normal.Nonsense("names no agent and run")
		}
		w.Answer.ID = agent
		w.Poll.URL += normal.Escape(agent) + "/runs/" + normal.Escape(id)
		note(w, "agent", v.Get("agent").Get("url"))
		note(w, "branch", v.Get("agent").Get("branchName"))
	}
	switch status := run.Get("status").Text(); status {
	case "CREATING", "RUNNING":
		return nil, nil
	case "FINISHED":
	case "ERROR", "CANCELLED", "EXPIRED":
		said, _ := normal.Complaint(run)
		if result := run.Get("result").Text(); result != "" {
			said = result
		}
		return nil, &adapter.Failure{Code: adapter.ExecutionFailed, Retryable: true, Message: "the agent's run ended as " + status + ": " + normal.Clip(said)}
	default:
		return nil, normal.Nonsense("is no run: its status is " + normal.Clip(status))
	}
	for branch := range run.Get("git").Get("branches").Items() {
		note(w, "branch", branch.Get("branch"))
		note(w, "pull_request", branch.Get("prUrl"))
		break
	}
	w.Answer.Finish = "stop"
	return w.Answer.Code(run.Get("result").Text()), nil
}

func note(w *poll.Work, name string, v json.Value) {
	if v.Text() != "" {
		w.Answer.Note(name, v)
	}
}
