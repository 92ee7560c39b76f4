package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/examples/requests"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A story is a request and what must become of it.
type story struct {
	name     string            // file in examples/requests, without its ending
	chosen   string            // service that answers; empty: nobody
	tried    []string          // services asked before it, in vain
	code     string            // of the error, where nobody answers
	fell     map[string]string // of the others, at which step each must have fallen
	rule     string            // that must stand in the reasons or violations
	language string            // that must be the answer
}

// told is the plan: examples/README.md says the same in words.
var told = []story{
	{name: "fast", chosen: "detect-fast", language: "deu",
		fell: map[string]string{"detect-accurate": "guarantee", "detect-second": "guarantee", "detect-cloud": "guarantee", "detect-clinical": "guarantee"}},
	{name: "accurate", chosen: "detect-accurate", language: "deu",
		fell: map[string]string{"detect-fast": "guarantee", "detect-second": "guarantee", "detect-cloud": "guarantee", "detect-clinical": "security"}},
	{name: "cheap", chosen: "detect-cloud", language: "deu",
		fell: map[string]string{"detect-fast": "budget", "detect-accurate": "budget", "detect-second": "budget"}},
	{name: "private", chosen: "detect-fast", language: "deu", rule: "SEC-0003",
		fell: map[string]string{"detect-cloud": "security", "detect-accurate": "budget", "detect-second": "budget"}},
	{name: "unauthorized", code: "SECURITY_VIOLATION", rule: "SEC-0002", fell: map[string]string{"detect-clinical": "security"}},
	{name: "untrusted", code: "SECURITY_VIOLATION", rule: "SEC-0004", fell: map[string]string{"detect-clinical": "security"}},
	{name: "clinical", chosen: "detect-clinical", language: "eng"},
	{name: "over-budget", code: "BUDGET_EXCEEDED", rule: "request.budget",
		fell: map[string]string{"detect-fast": "budget", "detect-accurate": "budget", "detect-second": "budget", "detect-cloud": "budget"}},
	{name: "too-late", code: "LATENCY_EXCEEDED", rule: "request.max_latency_ms",
		fell: map[string]string{"detect-fast": "latency", "detect-accurate": "latency", "detect-second": "latency", "detect-cloud": "latency"}},
	{name: "second-opinion", chosen: "detect-second", tried: []string{"detect-fast"}, language: "nld", rule: "ACCURACY-001"},
	{name: "misled", chosen: "detect-accurate", tried: []string{"detect-fast"}, language: "deu", rule: "ACCURACY-001",
		fell: map[string]string{"detect-second": "guarantee", "detect-cloud": "security"}},
	{name: "nobody", code: "NO_MATCHING_SERVICE"},
	{name: "summary", chosen: "summarize"},
	{name: "any", chosen: "summarize"},
	{name: "batch", code: "RULE_VIOLATION", rule: "BATCH-001", fell: map[string]string{"detect-accurate": "rule", "detect-clinical": "rule"}},
}

// A row is what became of one story.
type row struct {
	name, chosen, why, traceID string
	latencyMS                  float64
	wrong                      []string // how it differs from the plan
}

// A plan is the stories for the services that are registered.
type plan struct {
	services []string
	stories  []story
	requests map[string]*caiov1.Request
}

// register brings every contract into force and returns what can be told with them.
func register(ctx context.Context, operator *client, f *fleet, chat *chatServer) (*plan, error) {
	p := &plan{stories: told, requests: map[string]*caiov1.Request{}}
	for _, m := range f.members {
		if err := operator.put(ctx, m.File, m.At(m.url)); err != nil {
			return nil, err
		}
		p.services = append(p.services, m.ServiceID)
	}
	for _, s := range told {
		request, err := load(s.name)
		if err != nil {
			return nil, err
		}
		p.requests[s.name] = request
	}
	if chat != nil {
		if err := operator.put(ctx, chatService+".yaml", chat.contract()); err != nil {
			return nil, err
		}
		p.services = append(p.services, chatService)
		p.stories = append(slices.Clone(told), story{name: "chat", chosen: chatService})
		p.requests["chat"] = chat.request()
	}
	return p, nil
}

func load(name string) (*caiov1.Request, error) {
	raw, err := requests.FS.ReadFile(name + ".json")
	if err != nil {
		return nil, err
	}
	request := &caiov1.Request{}
	if err := schema.ParseJSON(raw, request); err != nil {
		return nil, fmt.Errorf("%s.json: %w", name, err)
	}
	return request, nil
}

// tell sends every request, each as its own principal, one after another.
func (p *plan) tell(ctx context.Context, h *house, transport http.RoundTripper) ([]row, error) {
	var rows []row
	for _, s := range p.stories {
		request := p.requests[s.name]
		token, err := h.token(ctx, request.GetPrincipal())
		if err != nil {
			return nil, err
		}
		request.Principal = nil // the server takes it from the token, and refuses callers who name themselves
		r, err := s.tell(ctx, newClient(h.url, token, transport), request)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (s story) tell(ctx context.Context, c *client, request *caiov1.Request) (row, error) {
	response, err := c.orchestrator.Orchestrate(ctx, connect.NewRequest(&caiov1.OrchestrateRequest{Request: request, Explain: true}))
	if err == nil {
		return s.answered(response.Msg), nil
	}
	refusal := detail(err)
	if refusal == nil {
		return row{}, err // not a word of the server's: nobody answered
	}
	return s.refused(refusal), nil
}

func (s story) answered(response *caiov1.OrchestrateResponse) row {
	r := row{name: s.name, chosen: response.GetServiceId(), why: response.GetWhy(), traceID: response.GetTraceId(), latencyMS: response.GetDurationMs()}
	r.expect("service", r.chosen, s.chosen)
	var tried []string
	rules := rulesOf(response.GetDecision().GetCandidates())
	for _, a := range response.GetAttempts() {
		if a.GetServiceId() != response.GetServiceId() {
			tried = append(tried, a.GetServiceId())
			r.why = "after " + a.GetServiceId() + ": " + a.GetError().GetMessage()
		}
		for _, v := range a.GetViolations() {
			rules = append(rules, v.GetReason().GetRule())
			if v.GetReaction() != "accept" {
				r.why = "after " + a.GetServiceId() + ": " + v.GetReason().GetMessage()
			}
		}
	}
	r.expect("services tried before", fmt.Sprint(tried), fmt.Sprint(s.tried))
	output := response.GetResult().GetOutput().GetFields()
	if s.language != "" {
		r.expect("language", output["language"].GetStringValue(), s.language)
	}
	s.compare(&r, response.GetDecision().GetCandidates(), rules)
	return r
}

func (s story) refused(e *caiov1.Error) row {
	r := row{name: s.name, chosen: "-", why: e.GetCode() + ": " + reasonOf(e), traceID: e.GetTraceId()}
	r.expect("service", "", s.chosen)
	r.expect("code", e.GetCode(), s.code)
	s.compare(&r, e.GetCandidates(), rulesOf(e.GetCandidates()))
	return r
}

// compare holds candidates and rules against the plan.
func (s story) compare(r *row, candidates []*caiov1.Candidate, rules []string) {
	for _, c := range candidates {
		if want, ok := s.fell[c.GetServiceId()]; ok {
			r.expect("outcome of "+c.GetServiceId(), c.GetOutcome(), want)
		}
	}
	for id := range s.fell {
		if !slices.ContainsFunc(candidates, func(c *caiov1.Candidate) bool { return c.GetServiceId() == id }) {
			r.wrong = append(r.wrong, id+" was not considered")
		}
	}
	if s.rule != "" && !slices.Contains(rules, s.rule) {
		r.wrong = append(r.wrong, fmt.Sprintf("no reason names %s, only %v", s.rule, rules))
	}
	if r.traceID == "" {
		r.wrong = append(r.wrong, "it left no trace")
	}
}

func (r *row) expect(what, got, want string) {
	if got != want {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %q, want %q", what, got, want))
	}
}

func rulesOf(candidates []*caiov1.Candidate) []string {
	var rules []string
	for _, c := range candidates {
		for _, reason := range c.GetReasons() {
			rules = append(rules, reason.GetRule())
		}
	}
	return rules
}

// reasonOf returns what the last candidates fell over, by one of them: the error's whole message, too long for a row,
// names them all.
func reasonOf(e *caiov1.Error) string {
	var fell []string
	for _, c := range e.GetCandidates() {
		if c.GetOutcome() == e.GetStage() && len(c.GetReasons()) > 0 {
			fell = append(fell, c.GetReasons()[0].GetMessage())
		}
	}
	switch len(fell) {
	case 0:
		return e.GetMessage()
	case 1:
		return fell[0]
	}
	return fmt.Sprintf("%s (and %d more)", fell[0], len(fell)-1)
}
