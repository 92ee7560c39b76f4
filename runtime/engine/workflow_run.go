package engine

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// RunWorkflow decides a workflow and runs it: each step as soon as what it needs is done, so that the latency promised
// along the longest path is the whole's. It answers once nothing runs any more and all traces are queued. Where a step
// fails, those that run are canceled and no other begins; cancelling ctx does the same. A workflow that may not run is an
// error; what became of one that ran is an answer, whatever it was.
//
// A step that takes inputs is decided anew with them, against the same snapshot. It, and a step that falls back, may only
// go to services with which the whole still keeps what is demanded of it. How long one step may take is bounded as for a
// single request.
func (e *Engine) RunWorkflow(ctx context.Context, in *caiov1.WorkflowServiceRunRequest) (*caiov1.WorkflowServiceRunResponse, error) {
	f, err := e.plan(ctx, in.GetWorkflow(), in.GetSeed())
	if err != nil {
		return nil, err
	}
	if f.refusal != nil {
		return nil, f.refuse(ctx)
	}
	r := &run{flow: f}
	status, why := r.run(ctx)
	if err := f.endUnbegun(ctx); err != nil {
		return nil, err
	}
	if err := f.end(ctx, status, why); err != nil {
		return nil, err
	}
	out := &caiov1.WorkflowServiceRunResponse{TraceId: f.own.trace.TraceId, Status: status, Steps: f.results,
		Composed: f.sum.message(), DurationMs: f.own.trace.DurationMs}
	if why != nil {
		out.Error = proto.CloneOf(why.Detail)
		out.Error.TraceId = out.TraceId
	}
	return out, nil
}

// refuse ends a workflow that may not run.
func (f *flow) refuse(ctx context.Context) error {
	if err := f.endUnbegun(ctx); err != nil {
		return err
	}
	if err := f.end(ctx, "refused", f.refusal); err != nil {
		return err
	}
	detail := proto.CloneOf(f.refusal.Detail)
	detail.TraceId = f.own.trace.TraceId
	return &Error{detail, f.refusal}
}

// A run is a workflow while its steps are executed, each in a goroutine of its own.
type run struct {
	*flow
	cancel context.CancelFunc

	failure  sync.Mutex
	failed   *Error // the first failure; guarded by failure
	status   string // "failed" or "refused", as failed is; guarded by failure
	panicked any    // what a step panicked with; guarded by failure
}

// run returns when no step runs any more: the workflow's status, and why it is not "ok".
func (r *run) run(ctx context.Context) (string, *Error) {
	steps, cancel := context.WithCancel(ctx)
	defer cancel()
	r.cancel = cancel
	done := make([]chan struct{}, len(r.nodes))
	for i := range done {
		done[i] = make(chan struct{})
		r.results[i].Status = "skipped" // until it begins
	}
	var all sync.WaitGroup
	for i, n := range r.nodes {
		all.Go(func() {
			defer close(done[i])
			defer r.caught()
			for _, need := range n.needs {
				<-done[need] // its owner always closes it
			}
			if steps.Err() == nil && r.ready(n) {
				r.step(steps, i)
			}
		})
	}
	all.Wait()
	if r.panicked != nil {
		panic(r.panicked) // here it meets whoever catches panics for our caller
	}
	undone := func(s *caiov1.StepResult) bool { return s.Status != "ok" }
	switch {
	case r.failed != nil:
		return r.status, r.failed
	case slices.ContainsFunc(r.results, undone):
		err := unable("workflow", "run the steps", ctx.Err())
		return failureStatus(ctx, err), err
	}
	return "ok", nil
}

// ready tells whether all that n needs brought a result.
func (r *run) ready(n *node) bool {
	return !slices.ContainsFunc(n.needs, func(need int) bool { return r.results[need].Status != "ok" })
}

// caught keeps a panic of a step for the goroutine that waits, and lets the others end.
func (r *run) caught() {
	p := recover()
	if p == nil {
		return
	}
	r.failure.Lock()
	r.panicked = p
	r.failure.Unlock()
	r.cancel()
}

// stop notes the first failure, and cancels what runs.
func (r *run) stop(status string, err *Error) {
	r.failure.Lock()
	defer r.failure.Unlock()
	if r.failed == nil {
		r.failed, r.status = err, status
	}
	r.cancel()
}

// step does one step and leaves its trace. Its needs are done, and nobody else touches what is the node's.
func (r *run) step(ctx context.Context, i int) {
	w, out := r.steps[i], r.results[i]
	r.begun[i] = true
	w.start = w.opts.Now()
	w.trace.Time = timestamppb.New(w.start)
	result, status, err := r.execute(ctx, i)
	if end := w.end(ctx, status, err); end != nil {
		result = nil
		if err == nil {
			status, err = "failed", end // it was done, but nothing shows it
		} else {
			err = end
		}
	}
	out.Status, out.ServiceId, out.Result, out.DurationMs = status, w.trace.ServiceId, result, w.trace.DurationMs
	if err != nil {
		failure := asError(err)
		out.Error = failure.Detail
		if status != "canceled" {
			r.stop(status, inStep(r.nodes[i].Id, failure))
		}
	}
}

// execute does one step; the status is that of its trace.
func (r *run) execute(ctx context.Context, i int) (*caiov1.Result, string, error) {
	n, w := r.nodes[i], r.steps[i]
	d := r.decisions[i]
	if len(n.Inputs) > 0 {
		intent, err := fill(n.request.Intent, n.Inputs, r.resultOf)
		if err != nil {
			return nil, "failed", fail("TRANSFORMATION_FAILED", "inputs", "take the inputs", err).
				hint("correct path, to or max_bytes of the step's inputs")
		}
		req := proto.CloneOf(n.request)
		req.Intent = intent
		if err := w.ask(req); err != nil {
			return nil, "failed", err
		}
		if d, err = r.decide(ctx, w.asked); err != nil {
			return nil, failureStatus(ctx, err), err
		}
		w.decided(d)
		if d.Error != nil {
			return nil, "refused", d.refusal()
		}
	}
	offers, fault := r.offers(n, d, w.asked.effort, 0)
	if fault != nil {
		return nil, "refused", fault
	}
	offers = ordered(offers, r.chosen[i].part.Service)
	first := slices.IndexFunc(offers, func(o offer) bool { return r.admit(i, o) })
	if first < 0 {
		return nil, "refused", r.nobodyLeft(i, offers)
	}
	result, err := w.execute(ctx, r.candidates(i, offers[first:]), nil)
	if err != nil {
		return nil, failureStatus(ctx, err), err
	}
	return result, "ok", nil
}

func (r *run) resultOf(step string) *caiov1.Result {
	i := slices.IndexFunc(r.nodes, func(n *node) bool { return n.Id == step })
	return r.results[i].Result
}

// candidates hands out the first of offers, which is admitted, and then those with which the whole still holds.
func (r *run) candidates(i int, offers []offer) iter.Seq[string] {
	return func(yield func(string) bool) {
		for k, o := range offers {
			if (k == 0 || r.admit(i, o)) && !yield(o.part.Service) {
				return
			}
		}
	}
}

// admit makes o the one who does a node, if the whole then keeps what is demanded of it.
func (r *run) admit(i int, o offer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := slices.Clone(r.current)
	next[i] = o
	sum, err := r.compose(partsOf(next))
	if err != nil || !sum.holds {
		return false
	}
	r.current, r.sum = next, sum
	return true
}

// nobodyLeft says why none of offers may do a node.
func (r *run) nobodyLeft(i int, offers []offer) *Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var said []string
	var first lack
	for _, o := range offers[:min(most, len(offers))] {
		next := slices.Clone(r.current)
		next[i] = o
		sum, err := proof.Compose(partsOf(next))
		if err != nil {
			return fail("INTERNAL", "workflow", "compose the steps", err)
		}
		if lacks := r.lacks(sum); len(lacks) > 0 {
			if first.code == "" {
				first = lacks[0]
			}
			said = append(said, o.part.Service+": "+lackText(lacks))
		}
	}
	return fail(first.code, "workflow", fmt.Sprintf("with its inputs, no service of %d can do it such that the workflow keeps what is demanded of it: %s",
		len(offers), enumerateFirst(said, len(offers))), nil).hint(first.hint)
}
