package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/proof"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// shop is an upstream with one service a path: it notes what it was asked, and answers {"output": {"text": PATH+text}}.
type shop struct {
	*httptest.Server
	mu     sync.Mutex
	asked  map[string][]string                             // by path: the texts, in order
	before func(path string, r *http.Request) (status int) // runs before an answer; nil: nothing does, 200
}

func newShop(t *testing.T) *shop {
	s := &shop{asked: map[string][]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var body struct{ Text string }
		_ = json.Unmarshal(raw, &body)
		path := strings.TrimPrefix(r.URL.Path, "/")
		s.mu.Lock()
		s.asked[path] = append(s.asked[path], body.Text)
		before := s.before
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if before != nil {
			if status := before(path, r); status != 200 {
				w.WriteHeader(status)
				_, _ = w.Write([]byte(`{}`))
				return
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"output": map[string]any{"text": path + "(" + body.Text + ")"}})
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) texts(path string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked[path])
}

// service is the contract of a service of the shop.
func (s *shop) service(id, capability, extra string) string {
	return fmt.Sprintf("service_id: %s\nname: %s\nversion: 1.0.0\ncapabilities: [%s]\nprivacy: {data_locality: local}\n"+
		"api: {protocol: http, base_url: %q}\n"+
		"adapter: {plugin: http, settings: {path: /%s, body: {text: \"{{/payload/text}}\"}, output: /output}}\n%s\n",
		id, id, capability, s.URL, id, extra)
}

func payload(text string) *caiov1.Intent {
	return &caiov1.Intent{Body: &caiov1.Intent_Payload{Payload: &structpb.Struct{Fields: map[string]*structpb.Value{
		"text": structpb.NewStringValue(text)}}}}
}

// asks is a step that asks for a capability and, for each id, takes in what that step answered.
func asks(id, capability string, from ...string) *caiov1.Step {
	s := &caiov1.Step{Id: id, Request: &caiov1.Request{Capabilities: []string{capability}, Intent: payload("secret " + id)}}
	for i, f := range from {
		to := "/payload/text"
		if i > 0 {
			to += fmt.Sprint(i)
		}
		s.Inputs = append(s.Inputs, &caiov1.StepInput{From: f, Path: "/output/text", To: to})
	}
	return s
}

func flow(steps ...*caiov1.Step) *caiov1.Workflow {
	return &caiov1.Workflow{Name: "pipeline", Steps: steps,
		Principal: &caiov1.Principal{Subject: "u1", Tenant: "acme", Roles: []string{"user"}, Authenticated: true}}
}

// inWorkflow returns the stored traces of a workflow's steps by step, and its own; it verifies every proof in them.
func (h *house) inWorkflow(t *testing.T, id string) (map[string]*caiov1.Trace, *caiov1.Trace) {
	t.Helper()
	own, err := h.traces.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	verifyAll(t, own.GetTrace().GetWorkflow().GetProofs())
	steps := map[string]*caiov1.Trace{}
	for _, s := range own.GetTrace().GetWorkflow().GetSteps() {
		stored, err := h.traces.Get(t.Context(), s.TraceId)
		if err != nil {
			t.Fatalf("step %s: %v", s.Id, err)
		}
		trace := stored.GetTrace()
		if trace.GetStep().GetWorkflowTraceId() != id || trace.GetStep().GetStep() != s.Id {
			t.Errorf("the trace of step %s is one of %v", s.Id, trace.GetStep())
		}
		verifyAll(t, trace.GetDecision().GetProofs())
		steps[s.Id] = trace
	}
	all, _, err := h.traces.List(t.Context(), trace.Query{})
	if err != nil || len(all) < len(steps)+1 {
		t.Errorf("%d traces, want at least %d: %v", len(all), len(steps)+1, err)
	}
	for _, stored := range all {
		if strings.Contains(string(stored.Raw), "secret") {
			t.Errorf("trace %s holds a payload", stored.GetTrace().GetTraceId())
		}
	}
	return steps, own.GetTrace()
}

func verifyAll(t *testing.T, proofs []*caiov1.Proof) {
	t.Helper()
	for _, p := range proofs {
		if err := proof.Verify(p); err != nil {
			t.Errorf("%v", err)
		}
	}
}

func code(err error) string {
	if e, ok := err.(*engine.Error); ok {
		return e.Detail.Code
	}
	return fmt.Sprint(err)
}

func TestAChainHandsOnWhatItsStepsAnswer(t *testing.T) {
	s := newShop(t)
	h := newHouse(t, defaults(nil),
		s.service("det", "detect", "guarantees: {latency_ms: 100000, availability: 0.5}\ncost: {per_request: 0.25}"),
		s.service("sum", "summarize", "guarantees: {latency_ms: 300000, availability: 0.5}\ncost: {per_request: 0.5}"))
	w := flow(asks("second", "summarize", "first"), asks("first", "detect"))
	w.MaxLatencyMs, w.Budget = proto.Float64(400000), &caiov1.Budget{MaxCost: .75}
	w.Guarantees = map[string]*caiov1.Demand{"availability": {Min: proto.Float64(.25)}}
	out, err := h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: w})
	if err != nil {
		t.Fatal(err)
	}
	if out.Status != "ok" || out.Steps[0].Id != "first" || out.Steps[1].GetResult().GetOutput().GetFields()["text"].GetStringValue() != "sum(det(secret first))" {
		t.Fatalf("%v", out)
	}
	c := out.Composed
	if c.Guarantees["latency"].Bound.GetMax() != 400000 || c.Guarantees["availability"].Bound.GetMin() != .25 || c.GetCost() != .75 || c.Privacy.DataLocality != "local" {
		t.Errorf("composed: %v", c)
	}
	steps, own := h.inWorkflow(t, out.TraceId)
	if len(steps) != 2 || steps["second"].Status != "ok" || steps["second"].ServiceId != "sum" || own.Status != "ok" || own.GetRequest().GetPrincipal().GetTenant() != "acme" {
		t.Errorf("%v\n%v", steps, own)
	}
	for _, p := range own.Workflow.Proofs {
		if !p.Valid {
			t.Errorf("does not hold: %v", p)
		}
	}
}

func TestStepsThatDoNotNeedOneAnotherRunAtTheSameTime(t *testing.T) {
	s := newShop(t)
	const sides = 20
	// Nobody is answered before all are there; the last step comes alone.
	var there sync.WaitGroup
	there.Add(sides)
	s.before = func(path string, r *http.Request) int {
		if path == "side" {
			there.Done()
			there.Wait()
		}
		return 200
	}
	h := newHouse(t, defaults(nil), s.service("side", "work", "guarantees: {latency_ms: 100000}"), s.service("last", "join", "guarantees: {latency_ms: 100000}"))
	last := asks("last", "join")
	var steps []*caiov1.Step
	for i := range sides {
		id := fmt.Sprintf("side%d", i)
		steps = append(steps, asks(id, "work"))
		last.Needs = append(last.Needs, id)
	}
	w := flow(append([]*caiov1.Step{last}, steps...)...)
	w.MaxLatencyMs = proto.Float64(200000) // along the path, not the sum
	out, err := h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: w})
	if err != nil || out.Status != "ok" || len(s.texts("last")) != 1 || len(s.texts("side")) != sides {
		t.Errorf("%v, %v", out, err)
	}
}

func TestAWorkflowThatIsNotInOrderIsToldWhatIsAllowed(t *testing.T) {
	h := newHouse(t, defaults(nil))
	input := func(id string, in *caiov1.StepInput) *caiov1.Step {
		s := asks(id, "detect")
		s.Inputs = []*caiov1.StepInput{in}
		return s
	}
	need := func(id string, needs ...string) *caiov1.Step {
		s := asks(id, "detect")
		s.Needs = needs
		return s
	}
	sensitive := func(s *caiov1.Step, d *caiov1.Data) *caiov1.Step { s.Request.Data = d; return s }
	inputs := func(s *caiov1.Step, change func(*caiov1.StepInput)) *caiov1.Step {
		for _, in := range s.Inputs {
			change(in)
		}
		return s
	}
	named := asks("a", "detect")
	named.Request.Principal = &caiov1.Principal{Subject: "root"}
	for name, c := range map[string]struct {
		steps []*caiov1.Step
		want  string
	}{
		"none":         {nil, "there are no steps"},
		"twice":        {[]*caiov1.Step{asks("a", "detect"), asks("a", "detect")}, `step "a" is given twice`},
		"unknown":      {[]*caiov1.Step{need("a", "x"), need("b")}, `needs "x" is no step; there are a, b`},
		"unknown from": {[]*caiov1.Step{asks("a", "detect", "x")}, `inputs.from "x" is no step; there are a`},
		"itself":       {[]*caiov1.Step{need("a", "a")}, "needs names the step itself"},
		"circle":       {[]*caiov1.Step{need("z"), need("a", "c"), need("b", "a", "z"), need("c", "b"), need("d", "c")}, "a -> c -> b -> a"},
		"principal":    {[]*caiov1.Step{named}, `step "a" names a principal`},
		"no request":   {[]*caiov1.Step{{Id: "a"}}, `step "a" has no request`},
		"type":         {[]*caiov1.Step{asks("a", "detect"), input("b", &caiov1.StepInput{From: "a", Path: "/model", To: "/type"})}, "must lie in the intent's body, which is /payload"},
		"other body":   {[]*caiov1.Step{asks("a", "detect"), input("b", &caiov1.StepInput{From: "a", Path: "/model", To: "/chat/model"})}, "which is /payload"},
		"the body":     {[]*caiov1.Step{asks("a", "detect"), input("b", &caiov1.StepInput{From: "a", Path: "/model", To: "/payload"})}, "must name a place in the body"},
		"no pointer":   {[]*caiov1.Step{asks("a", "detect"), input("b", &caiov1.StepInput{From: "a", Path: "model", To: "/payload/x"})}, "a JSON pointer begins with /"},
		"nowhere":      {[]*caiov1.Step{asks("a", "detect"), input("b", &caiov1.StepInput{From: "a", Path: "/model", To: "/payload/text/x"})}, "neither an object nor a list"},
		"same place":   {[]*caiov1.Step{asks("a", "detect"), inputs(asks("b", "detect", "a", "a"), func(in *caiov1.StepInput) { in.To = "/payload/x" })}, "two inputs go to /payload/x"},
		"too much":     {[]*caiov1.Step{asks("a", "detect"), inputs(asks("b", "detect", "a", "a", "a", "a", "a"), func(in *caiov1.StepInput) { in.MaxBytes = 1 << 20 })}, "at most 4194304 are allowed"},
		"residency": {[]*caiov1.Step{sensitive(asks("a", "detect"), &caiov1.Data{Residency: "eu"}), sensitive(asks("b", "detect"), &caiov1.Data{Residency: "us"}),
			asks("c", "detect", "a", "b")}, "must stay in eu and in us"},
	} {
		_, err := h.DecideWorkflow(t.Context(), &caiov1.WorkflowServiceDecideRequest{Workflow: flow(c.steps...)})
		if code(err) != "INVALID_REQUEST" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestWhatBreaksTheWholesDemandsNeverRuns(t *testing.T) {
	s := newShop(t)
	h := newHouse(t, defaults(nil),
		s.service("one", "first", "guarantees: {latency_ms: 300, availability: 0.9}\ncost: {per_request: 2}"),
		s.service("two", "second", "guarantees: {latency_ms: 200, accuracy: 0.8, availability: 0.8}\ncost: {per_request: 3}"))
	for name, c := range map[string]struct {
		change     func(*caiov1.Workflow)
		code, want string
	}{
		"budget":       {func(w *caiov1.Workflow) { w.Budget = &caiov1.Budget{MaxCost: 4.5} }, "BUDGET_EXCEEDED", "at best it costs 5, 0.5 too much"},
		"currency":     {func(w *caiov1.Workflow) { w.Budget = &caiov1.Budget{MaxCost: 9, Currency: "EUR"} }, "BUDGET_EXCEEDED", "step a: no service can serve: of 2 in the registry the last one fell at the step \"budget\": one: priced in USD; budget.currency is EUR"},
		"latency":      {func(w *caiov1.Workflow) { w.MaxLatencyMs = proto.Float64(450) }, "LATENCY_EXCEEDED", "at best it promises 500 ms, 50 too much"},
		"availability": {func(w *caiov1.Workflow) { demand(w, "availability", &caiov1.Demand{Min: proto.Float64(.75)}) }, "NO_MATCHING_SERVICE", "availability >= 0.75: at best it promises 0.72"},
		"silent":       {func(w *caiov1.Workflow) { demand(w, "accuracy", &caiov1.Demand{Min: proto.Float64(.5)}) }, "NO_MATCHING_SERVICE", "of one service that can do step a none promises accuracy"},
		"no rule":      {func(w *caiov1.Workflow) { demand(w, "kappa", &caiov1.Demand{}) }, "NO_MATCHING_SERVICE", "demand it of the steps"},
		"kind": {func(w *caiov1.Workflow) {
			demand(w, "latency", &caiov1.Demand{Property: "p95_latency_ms", Max: proto.Float64(900)})
		}, "NO_MATCHING_SERVICE", "latency as p95_latency_ms: it is about max_latency_ms"},
		"nobody": {func(w *caiov1.Workflow) { w.Steps[1].Request.Capabilities = []string{"third"} }, "NO_MATCHING_SERVICE", "step b: no service"},
	} {
		w := flow(asks("a", "first"), asks("b", "second", "a"))
		c.change(w)
		_, err := h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: w})
		if code(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s %v, want %s %q", name, code(err), err, c.code, c.want)
			continue
		}
		steps, own := h.inWorkflow(t, err.(*engine.Error).Detail.TraceId)
		if own.Status != "refused" || own.Error.GetCode() != c.code || len(steps) != 2 {
			t.Errorf("%s: %v", name, own)
		}
		for _, s := range own.Workflow.Steps {
			if want := steps[s.Id].Status; s.Status != want || want != "decided" && want != "refused" {
				t.Errorf("%s: step %s is %s, its trace says %s", name, s.Id, s.Status, want)
			}
		}
		// The proofs of the whole say, too, that it does not hold.
		if name != "nobody" && name != "currency" && !slices.ContainsFunc(own.Workflow.Proofs, func(p *caiov1.Proof) bool { return !p.Valid }) {
			t.Errorf("%s: no proof says that a demand is not met", name)
		}
		decided, err := h.DecideWorkflow(t.Context(), &caiov1.WorkflowServiceDecideRequest{Workflow: w})
		if err != nil || decided.Decision.GetError().GetCode() != c.code {
			t.Errorf("%s: decided %v, %v", name, decided.GetDecision().GetError(), err)
		}
	}
	if n := len(s.asked); n != 0 {
		t.Errorf("%d services were called", n)
	}
}

func demand(w *caiov1.Workflow, name string, d *caiov1.Demand) {
	w.Guarantees = map[string]*caiov1.Demand{name: d}
}

func TestTheWholesDemandsMoveTheChoiceDownTheRankings(t *testing.T) {
	// By themselves a1 and b1 are best: they promise more. Together they are too slow and too expensive.
	contracts := []string{
		service("a1", "guarantees: {accuracy: 0.99, latency_ms: 500, availability: 0.99}\ncost: {per_request: 5}"),
		service("a2", "guarantees: {accuracy: 0.5, latency_ms: 400, availability: 0.5}\ncost: {per_request: 4}"),
		strings.Replace(service("b1", "guarantees: {accuracy: 0.99, latency_ms: 500, availability: 0.99}\ncost: {per_request: 5}"), "detect", "other", 1),
		strings.Replace(service("b2", "guarantees: {accuracy: 0.5, latency_ms: 450, availability: 0.5}\ncost: {per_request: 3.5}"), "detect", "other", 1),
	}
	h := newHouse(t, defaults(nil), contracts...)
	for name, c := range map[string]struct {
		latency, cost float64
		a, b          string
	}{
		"all that is best": {1000, 10, "a1", "b1"}, "faster": {900, 10, "a2", "b1"}, "cheaper": {1000, 8.6, "a1", "b2"}, "both": {880, 8, "a2", "b2"},
	} {
		w := flow(asks("a", "detect"), asks("b", "other", "a"))
		w.MaxLatencyMs, w.Budget = &c.latency, &caiov1.Budget{MaxCost: c.cost}
		out, err := h.DecideWorkflow(t.Context(), &caiov1.WorkflowServiceDecideRequest{Workflow: w})
		if err != nil {
			t.Fatal(err)
		}
		d := out.Decision
		if d.Error != nil || d.Steps[0].ServiceId != c.a || d.Steps[1].ServiceId != c.b {
			t.Errorf("%s: %s and %s, want %s and %s: %v", name, d.Steps[0].ServiceId, d.Steps[1].ServiceId, c.a, c.b, d.Error)
		}
		if d.Composed.Guarantees["latency"].Bound.GetMax() > c.latency || d.Composed.GetCost() > c.cost {
			t.Errorf("%s: %v", name, d.Composed)
		}
	}
	// Each alone could be had, both together cannot.
	w := flow(asks("a", "detect"), asks("b", "other", "a"))
	w.MaxLatencyMs = proto.Float64(900)
	w.Guarantees = map[string]*caiov1.Demand{"availability": {Min: proto.Float64(.9)}}
	out, err := h.DecideWorkflow(t.Context(), &caiov1.WorkflowServiceDecideRequest{Workflow: w})
	if err != nil || !strings.Contains(out.Decision.GetError().GetMessage(), "no combination of the services") {
		t.Errorf("%v, %v", out.GetDecision().GetError(), err)
	}
}

func TestAFailedStepStopsWhatRunsAndWhatNeedsIt(t *testing.T) {
	s := newShop(t)
	slow := make(chan struct{})
	s.before = func(path string, r *http.Request) int {
		switch path {
		case "slow":
			close(slow)
			<-r.Context().Done() // until the house hangs up
		case "bad":
			<-slow
			return 400
		}
		return 200
	}
	h := newHouse(t, defaults(nil), s.service("good", "good", ""), s.service("slow", "slow", ""), s.service("bad", "bad", ""))
	after := asks("after", "good", "bad")
	next := asks("next", "good")
	next.Needs = []string{"slow"}
	bad := asks("bad", "bad")
	bad.Needs = []string{"done"}
	out, err := h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: flow(asks("done", "good"), asks("slow", "slow"), bad, after, next)})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range out.Steps {
		got[r.Id] = r.Status
	}
	want := map[string]string{"done": "ok", "slow": "canceled", "bad": "failed", "after": "skipped", "next": "skipped"}
	if fmt.Sprint(got) != fmt.Sprint(want) || out.Status != "failed" || out.Error.GetCode() != "EXECUTION_FAILED" || !strings.Contains(out.Error.Message, "step bad: ") {
		t.Errorf("%v, %s, %v", got, out.Status, out.Error)
	}
	steps, own := h.inWorkflow(t, out.TraceId)
	if own.Status != "failed" || len(steps) != 5 || steps["after"].Status != "decided" || steps["slow"].Status != "canceled" || steps["slow"].Attempts[0].Outcome != "canceled" {
		t.Errorf("%v", steps)
	}
	for _, w := range own.Workflow.Steps {
		if w.Status != want[w.Id] {
			t.Errorf("the trace says of %s %s, want %s", w.Id, w.Status, want[w.Id])
		}
	}
}

func TestAWorkflowIsCanceledWithItsCaller(t *testing.T) {
	s := newShop(t)
	ctx, leave := context.WithCancel(t.Context())
	s.before = func(path string, r *http.Request) int {
		leave()
		<-r.Context().Done()
		return 200
	}
	h := newHouse(t, defaults(nil), s.service("slow", "slow", ""))
	out, err := h.RunWorkflow(ctx, &caiov1.WorkflowServiceRunRequest{Workflow: flow(asks("a", "slow"), asks("b", "slow", "a"))})
	if err != nil || out.Status != "canceled" || out.Steps[0].Status != "canceled" || out.Steps[1].Status != "skipped" || out.Error.GetCode() != "CANCELED" {
		t.Errorf("%v, %v", out, err)
	}
	h.inWorkflow(t, out.GetTraceId())
}

func TestAFallbackKeepsTheDemandsOfTheWhole(t *testing.T) {
	s := newShop(t)
	s.before = func(path string, r *http.Request) int {
		if path == "a1" {
			return 503
		}
		return 200
	}
	// a2 is second best by itself, but with b the whole would cost too much; a3 is third.
	h := newHouse(t, defaults(nil),
		s.service("a1", "first", "guarantees: {accuracy: 0.9}\ncost: {per_request: 1}"),
		s.service("a2", "first", "guarantees: {accuracy: 0.9, availability: 0.99}\ncost: {per_request: 2.5}"),
		s.service("a3", "first", "guarantees: {accuracy: 0.1}\ncost: {per_request: 2}"),
		s.service("b", "second", "cost: {per_request: 1}"))
	w := flow(asks("a", "first"), asks("b", "second", "a"))
	alone, err := h.DecideWorkflow(t.Context(), &caiov1.WorkflowServiceDecideRequest{Workflow: w})
	if err != nil || fmt.Sprint(alone.Decision.Steps[0].Decision.Ranking) == "[a1 a3 a2]" {
		t.Fatalf("%v, %v", alone, err)
	}
	w.Budget = &caiov1.Budget{MaxCost: 3}
	out, err := h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: w})
	if err != nil || out.Status != "ok" || out.Steps[0].ServiceId != "a3" || out.Composed.GetCost() != 3 || len(s.texts("a2")) != 0 {
		t.Fatalf("%v, %v", out, err)
	}
	_, own := h.inWorkflow(t, out.TraceId)
	if own.Workflow.Composed.GetCost() != 3 || own.Workflow.Steps[0].ServiceId != "a3" {
		t.Errorf("the trace does not say who served: %v", own.Workflow)
	}
	// Without a way to keep the budget the step fails, though a2 would have served.
	w.Budget = &caiov1.Budget{MaxCost: 2}
	out, err = h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: w})
	if err != nil || out.Status != "failed" || len(s.texts("a2")) != 0 || len(s.texts("a3")) != 1 {
		t.Errorf("%v, %v", out, err)
	}
}

func TestPoliciesJudgeAStepWithItsInputs(t *testing.T) {
	s := newShop(t)
	rule := map[string]string{"routing/words.rego": `package caio.routing.words

# METADATA
# title: forbidden words go nowhere
# custom: {kind: safety}
deny contains "forbidden word" if contains(input.request.intent.payload.text, "det(")
`}
	h := newHouse(t, defaults(rule), s.service("det", "detect", ""), s.service("sum", "summarize", ""))
	out, err := h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: flow(asks("a", "detect"), asks("b", "summarize", "a"))})
	if err != nil || out.Status != "refused" || out.Steps[1].Status != "refused" || out.Error.GetCode() != "RULE_VIOLATION" || len(s.texts("sum")) != 0 {
		t.Fatalf("%v, %v", out, err)
	}
	steps, _ := h.inWorkflow(t, out.TraceId)
	if steps["b"].Status != "refused" || steps["b"].Decision.GetError().GetCode() != "RULE_VIOLATION" {
		t.Errorf("%v", steps["b"])
	}
}

func TestInputsAreBoundedAndPricedBeforeTheyAreThere(t *testing.T) {
	s := newShop(t)
	h := newHouse(t, defaults(nil), s.service("det", "detect", "cost: {per_request: 0}"), s.service("sum", "summarize", "cost: {per_token: {in: 1, out: 0}}"))
	w := flow(asks("a", "detect"), asks("b", "summarize", "a"))
	w.Budget = &caiov1.Budget{MaxCost: 2000}
	decide := func() *caiov1.WorkflowDecision {
		out, err := h.DecideWorkflow(t.Context(), &caiov1.WorkflowServiceDecideRequest{Workflow: w})
		if err != nil {
			t.Fatal(err)
		}
		return out.Decision
	}
	if d := decide(); d.GetError().GetCode() != "BUDGET_EXCEEDED" {
		t.Errorf("64 KiB of input cost no more than 2000: %v", d.GetError())
	}
	w.Steps[1].Inputs[0].MaxBytes = 4000
	if d := decide(); d.Error != nil || d.Composed.GetCost() < 1000 {
		t.Errorf("%v, costs %v", d.Error, d.Composed.GetCost())
	}
	out, err := h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: w})
	if err != nil || out.Status != "ok" || out.Composed.GetCost() > 100 {
		t.Errorf("%v, %v", out, err) // what was really sent is small
	}
	w.Steps[1].Inputs[0].MaxBytes = 3
	out, err = h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: w})
	if err != nil || out.Status != "failed" || !strings.Contains(out.Error.GetMessage(), "max_bytes allows 3") {
		t.Errorf("%v, %v", out, err)
	}
	w.Budget = nil
	w.Steps[1].Inputs[0] = &caiov1.StepInput{From: "a", Path: "/output/nothing", To: "/payload/text"}
	out, err = h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: w})
	if err != nil || out.Status != "failed" || !strings.Contains(out.Error.GetMessage(), "nothing at /output/nothing") {
		t.Errorf("%v, %v", out, err)
	}
}

func TestWhatComesFromSensitiveStepsIsSensitive(t *testing.T) {
	cloud := func(id, capability string) string {
		return fmt.Sprintf("service_id: %s\nname: x\nversion: 1.0.0\ncapabilities: [%s]\nprivacy: {data_locality: cloud}", id, capability)
	}
	h := newHouse(t, defaults(nil), service("local", "privacy: {data_locality: local}"), cloud("far", "summarize"))
	w := flow(asks("a", "detect"), asks("b", "summarize", "a"))
	w.Steps[0].Request.Data = &caiov1.Data{ContainsPii: true}
	decide := func() *caiov1.Error {
		out, err := h.DecideWorkflow(t.Context(), &caiov1.WorkflowServiceDecideRequest{Workflow: w})
		if err != nil {
			t.Fatal(err)
		}
		return out.Decision.Error
	}
	if err := decide(); err == nil {
		t.Error("what was made of personal data goes to a cloud without encryption")
	}
	w.Steps[1].Request.Data = &caiov1.Data{} // a has made it anonymous
	if err := decide(); err != nil {
		t.Errorf("%v", err)
	}
	w.Steps[0].Request.Data, w.Steps[1].Request.Data = nil, nil
	w.Data = &caiov1.Data{ContainsPhi: true}
	if err := decide(); err == nil {
		t.Error("the workflow's own word on its data does not count")
	}
}

func TestAWorkflowIsDecidedAlikeEveryTime(t *testing.T) {
	var contracts []string
	for i := range 6 {
		contracts = append(contracts, service(fmt.Sprintf("s%d", i), fmt.Sprintf("guarantees: {latency_ms: %d}\ncost: {per_request: %d}", 100+i*50, 10-i)))
	}
	h := newHouse(t, defaults(nil), contracts...)
	w := flow(asks("a", "detect"), asks("b", "detect", "a"), asks("c", "detect", "a"))
	w.MaxLatencyMs, w.Budget = proto.Float64(450), &caiov1.Budget{MaxCost: 25}
	var first []byte
	for range 20 {
		d, err := engine.DecideWorkflow(t.Context(), h.Snapshot(), engine.NoPast, w, 7)
		if err != nil || d.Error != nil {
			t.Fatal(err, d.GetError())
		}
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = raw
		}
		if string(raw) != string(first) {
			t.Fatal("other bytes")
		}
	}
}
