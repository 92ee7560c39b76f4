package engine

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// DecideWorkflow chooses the services that s, past and seed give to the steps of w, such that together they keep what
// the workflow demands, and proves it. It is a pure function like Decide: every step is decided against the same snapshot,
// and the same arguments give the same bytes. That the workflow may not run is a decision with an error in it; it fails
// itself, with INVALID_REQUEST, on a workflow that is not in order, and as Decide does.
func DecideWorkflow(ctx context.Context, s *Snapshot, past Past, w *caiov1.Workflow, seed uint64) (*caiov1.WorkflowDecision, error) {
	g, err := newGraph(w, time.Time{})
	if err != nil {
		return nil, err
	}
	asked := make([]*question, len(g.nodes))
	for i, n := range g.nodes {
		if asked[i], err = s.ask(n.request, nil, false, everyService); err != nil {
			return nil, inStep(n.Id, asError(err))
		}
	}
	p, err := newPlan(ctx, g, &judge{snapshot: s, past: past, seed: seed, visible: everyService}, asked)
	if err != nil {
		return nil, err
	}
	return p.message()
}

// DecideWorkflow decides the steps of a workflow, records each decision as a trace and one more of the whole, and executes
// nothing.
func (e *Engine) DecideWorkflow(ctx context.Context, in *caiov1.WorkflowServiceDecideRequest) (*caiov1.WorkflowServiceDecideResponse, error) {
	f, err := e.plan(ctx, in.GetWorkflow(), in.GetSeed())
	if err != nil {
		return nil, err
	}
	if err := f.endUnbegun(ctx); err != nil {
		return nil, err
	}
	status := "decided"
	decision, err := f.message()
	if err != nil {
		return nil, err
	}
	for i, s := range decision.Steps {
		s.TraceId = f.steps[i].trace.TraceId
	}
	if f.refusal != nil {
		status = "refused"
	}
	if err := f.end(ctx, status, f.refusal); err != nil {
		return nil, err
	}
	return &caiov1.WorkflowServiceDecideResponse{TraceId: f.own.trace.TraceId, Decision: decision}, nil
}

// A flow is one workflow on its way through the house, and the traces it will leave.
type flow struct {
	*plan
	own     *walk   // of the workflow itself
	steps   []*walk // by node
	results []*caiov1.StepResult
	begun   []bool // by node: its trace is written where it ends

	mu      sync.Mutex
	current []offer // who does each step, or did; guarded by mu
	sum     *whole  // what they promise together; guarded by mu
}

// plan begins a workflow: it is decided, and nothing of it runs yet. A workflow that could not be decided leaves its
// trace here.
func (e *Engine) plan(ctx context.Context, w *caiov1.Workflow, seed uint64) (*flow, error) {
	if _, err := e.admit(ctx, ""); err != nil {
		return nil, err
	}
	start := e.opts.Now()
	g, err := newGraph(w, start)
	if err != nil {
		return nil, err
	}
	j := &judge{snapshot: e.snapshot.Load(), past: e.opts.History.At(start), seed: seed, visible: onlyVisible}
	own, err := e.walkOf(j.snapshot, g.asRequest(start), start)
	if err != nil {
		return nil, err
	}
	own.trace.Workflow = &caiov1.WorkflowTrace{Name: g.workflow.Name, Seed: seed, WorkflowDigest: g.digest}
	f := &flow{own: own}
	var asked []*question
	for _, n := range g.nodes {
		w, err := e.walkOf(j.snapshot, n.request, start)
		if err != nil {
			return nil, inStep(n.Id, asError(err))
		}
		f.steps, asked = append(f.steps, w), append(asked, w.asked)
	}
	if f.plan, err = newPlan(ctx, g, j, asked); err != nil {
		return nil, own.end(ctx, failureStatus(ctx, err), err)
	}
	for i, n := range g.nodes {
		w := f.steps[i]
		w.trace.Step = &caiov1.StepOf{WorkflowTraceId: own.trace.TraceId, Workflow: g.workflow.Name, Step: n.Id, ServiceId: f.chosen[i].part.Service}
		w.decided(f.decisions[i])
		status := "decided"
		if f.decisions[i].Error != nil {
			status = "refused"
		}
		f.results = append(f.results, &caiov1.StepResult{Id: n.Id, Status: status, TraceId: w.trace.TraceId})
	}
	f.begun = make([]bool, len(f.steps))
	f.current, f.sum = f.chosen, f.whole
	return f, nil
}

// asRequest is what a workflow's own trace keeps as its request: who asks, and what is demanded of the whole.
func (g *graph) asRequest(now time.Time) *caiov1.Request {
	w := g.workflow
	return complete(&caiov1.Request{Guarantees: w.Guarantees, Budget: w.Budget, MaxLatencyMs: w.MaxLatencyMs, Data: w.Data,
		Principal: w.Principal, Context: w.Context}, now)
}

// endUnbegun writes the traces of all steps that did not begin: they were decided, and no more. The log writes what comes
// at the same time together.
func (f *flow) endUnbegun(ctx context.Context) error {
	faults := make([]error, len(f.steps))
	var all sync.WaitGroup
	for i, w := range f.steps {
		if f.begun[i] {
			continue
		}
		status := "decided"
		if f.decisions[i].Error != nil {
			status = "refused"
		}
		all.Go(func() { faults[i] = w.end(ctx, status, nil) })
	}
	all.Wait()
	for _, fault := range faults {
		if fault != nil {
			return fault
		}
	}
	return nil
}

// end writes the workflow's own trace, after those of its steps. why, which may be nil, says what kept it from being done.
func (f *flow) end(ctx context.Context, status string, why *Error) error {
	t := f.own.trace.Workflow
	for i, n := range f.nodes {
		s := &caiov1.StepTrace{Id: n.Id, TraceId: f.steps[i].trace.TraceId, Status: f.results[i].Status, Needs: f.needs(n),
			ServiceId: nonempty(f.results[i].ServiceId, f.current[i].part.Service)}
		t.Steps = append(t.Steps, s)
	}
	if f.sum != nil {
		t.Composed, t.Proofs = f.sum.message(), f.sum.proofs
	}
	if why != nil {
		f.own.trace.Error = proto.CloneOf(why.Detail)
		f.own.trace.Error.TraceId, f.own.trace.Error.Candidates = "", nil // they stand in the step's trace
	}
	return f.own.end(ctx, status, nil)
}
