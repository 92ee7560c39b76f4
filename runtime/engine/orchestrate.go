package engine

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/gateway"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Emit hands a piece of a streamed result to the caller. An error ends the execution.
type Emit func(*caiov1.Delta) error

// Decide decides, records the decision as a trace, as durably as is asked, and executes nothing. The answer carries the
// decision undecoded: it is sent as it is, and schema.Decoded reads it.
func (e *Engine) Decide(ctx context.Context, in *caiov1.DecideRequest) (*caiov1.DecideResponse, error) {
	w, err := e.begin(ctx, in.GetRequest(), in.GetDurability())
	if err != nil {
		return nil, err
	}
	decision, err := decide(ctx, w.snapshot, e.opts.History.At(w.start), w.asked, in.GetSeed(), in.GetListAll(), onlyVisible)
	if err != nil {
		return nil, w.end(ctx, failureStatus(ctx, err), err)
	}
	w.decided(decision)
	status := "decided"
	if decision.Error != nil {
		status = "refused"
	}
	if err := w.end(ctx, status, nil); err != nil {
		return nil, err
	}
	response := &caiov1.DecideResponse{TraceId: w.trace.TraceId}
	decision.enter(response)
	return response, nil
}

// Orchestrate decides, executes, checks the guarantees, and answers once the trace is as durable as is asked. emit receives
// a streamed result piece by piece; nil asks for no stream. A decision that was asked for is carried as Decide does. A
// candidate that fails, or breaks a guarantee whose reaction is fallback, makes way for the next, unless a piece was
// already handed out. Cancelling ctx stops the execution; the trace is written all the same.
func (e *Engine) Orchestrate(ctx context.Context, in *caiov1.OrchestrateRequest, emit Emit) (*caiov1.OrchestrateResponse, error) {
	w, err := e.begin(ctx, in.GetRequest(), in.GetDurability())
	if err != nil {
		return nil, err
	}
	decision, err := decide(ctx, w.snapshot, e.opts.History.At(w.start), w.asked, in.GetSeed(), false, onlyVisible)
	if err != nil {
		return nil, w.end(ctx, failureStatus(ctx, err), err)
	}
	w.decided(decision)
	if decision.Error != nil {
		return nil, w.end(ctx, "refused", decision.refusal())
	}
	result, err := w.execute(ctx, slices.Values(decision.Ranking), emit)
	if err != nil {
		return nil, w.end(ctx, failureStatus(ctx, err), err)
	}
	if err := w.end(ctx, "ok", nil); err != nil {
		return nil, err
	}
	response := &caiov1.OrchestrateResponse{
		TraceId: w.trace.TraceId, ServiceId: w.trace.ServiceId, Result: result, Why: w.why(),
		Attempts: w.trace.Attempts, DurationMs: w.trace.DurationMs,
	}
	if in.GetExplain() {
		decision.enter(response)
	}
	return response, nil
}

// failureStatus returns the status of a trace that ends in err.
func failureStatus(ctx context.Context, err error) string {
	if ctx.Err() == context.Canceled || asError(err).Detail.Code == gateway.CodeCanceled {
		return "canceled"
	}
	return "failed"
}

// A walk is one request on its way through the house, and the trace it will leave.
type walk struct {
	*Engine
	snapshot *Snapshot
	asked    *question
	start    time.Time
	trace    *caiov1.Trace
	salt     [16]byte         // the trace's
	until    trace.Durability // what its caller waits for; empty: no trace is kept
	keep     policy.Kept      // what the trace keeps of the payloads
	result   []byte           // serialized; nil: there is none, or it is not kept
	decision *Decision        // nil until there is one
}

// decided puts what was decided into the trace.
func (w *walk) decided(d *Decision) {
	w.decision = d
	w.referee.offer(w.snapshot, w.asked.Request)
	w.shadow.offer(w.snapshot, w.asked, d, w.trace.TraceId)
	d.record(w.trace)
}

// begin begins the walk of a request that came from outside.
func (e *Engine) begin(ctx context.Context, req *caiov1.Request, durability string) (*walk, error) {
	if err := unrecorded(req); err != nil {
		return nil, err
	}
	until, err := e.admit(ctx, durability)
	if err != nil {
		return nil, err
	}
	start := e.opts.Now()
	w, err := e.walkOf(e.snapshot.Load(), complete(req, start), start)
	if err != nil {
		return nil, err
	}
	if w.until = until; until == "" {
		w.trace.TraceId = ""
	}
	return w, nil
}

// walkOf begins the walk of a request that is complete, at a snapshot that was taken before.
func (e *Engine) walkOf(s *Snapshot, req *caiov1.Request, start time.Time) (*walk, error) {
	id, err := trace.NewID(start, e.opts.Rand)
	w := &walk{Engine: e, snapshot: s, start: start, until: trace.Queued}
	if err == nil {
		_, err = io.ReadFull(e.opts.Rand, w.salt[:])
	}
	if err != nil {
		return nil, fail("INTERNAL", "request", "name the trace", err)
	}
	w.trace = &caiov1.Trace{TraceId: id, Time: timestamppb.New(start), Salt: w.salt[:]}
	w.keep = e.kept(s, req.GetPrincipal().GetTenant())
	return w, w.ask(req)
}

// ask makes req, which is complete, what w is about.
func (w *walk) ask(req *caiov1.Request) (err error) {
	if w.asked, err = w.snapshot.ask(req, w.salt[:], w.keep.Intent, onlyVisible); err != nil {
		return err
	}
	w.trace.ProtoReflect().SetUnknown(w.asked.framed)
	return nil
}

// end writes the trace, and returns cause with the trace's id in it. A trace that cannot be written is an error of its
// own: an answer without a trace is none.
func (w *walk) end(ctx context.Context, status string, cause error) error {
	t := w.trace
	t.Status = status
	t.DurationMs = w.since(w.start)
	var failure *Error
	if cause != nil {
		failure = asError(cause)
		candidates := failure.Detail.Candidates // they stand in the decision
		failure.Detail.Candidates = nil
		t.Error = proto.CloneOf(failure.Detail)
		failure.Detail.Candidates, failure.Detail.TraceId = candidates, t.TraceId
	}
	if w.until != "" {
		w.keepPayloads()
		// The caller may have left; what happened is recorded nevertheless.
		if err := w.opts.Traces.Append(context.WithoutCancel(ctx), t, w.until); err != nil {
			return unrecordable(err)
		}
	}
	if failure != nil {
		return failure
	}
	return nil
}

// asError makes every error one of this door.
func asError(err error) *Error {
	if e, ok := err.(*Error); ok {
		return e
	}
	return unable("decide", "serve the request", err)
}

// since returns the time since start in milliseconds, to the microsecond.
func (w *walk) since(start time.Time) float64 {
	return float64(w.opts.Now().Sub(start).Microseconds()) / 1000
}

// execute tries candidates, at least one, in their order until one brings a result that is kept.
func (w *walk) execute(ctx context.Context, candidates iter.Seq[string], emit Emit) (*caiov1.Result, error) {
	ctx, cancel := w.withDeadline(ctx)
	defer cancel()
	var last *Error
	for id := range candidates {
		past := w.opts.History.find(id) // now: what is removed while it runs takes its past with it
		result, next, err := w.attempt(ctx, id, emit)
		w.opts.History.remember(past, w.opts.Now(), w.trace.Attempts[len(w.trace.Attempts)-1], err)
		if err == nil {
			w.trace.ServiceId = id
			return result, nil
		}
		last = err
		if !next || ctx.Err() != nil {
			return nil, last
		}
	}
	if tried := len(w.trace.Attempts); tried > 1 {
		last.Detail.Message = fmt.Sprintf("all %d candidates were tried in vain, the last: %s", tried, last.Detail.Message)
	}
	return nil, last
}

// attempt executes one candidate. next tells whether another may be tried after an error.
func (w *walk) attempt(ctx context.Context, id string, emit Emit) (result *caiov1.Result, next bool, err *Error) {
	start := w.opts.Now()
	a := &caiov1.Attempt{ServiceId: id, Time: timestamppb.New(start), Outcome: "ok"}
	w.trace.Attempts = append(w.trace.Attempts, a)
	service, _ := w.snapshot.Registry.Get(id)
	m := service.Message()
	if m.GetApi().GetProtocol() == "" && m.GetApi().GetBaseUrl() == "" || m.GetAdapter().GetPlugin() == "" {
		return nil, true, failed(a, fail("ADAPTER_NOT_FOUND", "execute", "service "+id+" names no api and adapter", nil).
			hint("add api.base_url and adapter.plugin to its contract"))
	}
	adapter, findErr := w.snapshot.Adapters.Find(m.GetAdapter().GetPlugin(), m.GetAdapter().GetDigest())
	if findErr != nil {
		return nil, true, failed(a, fail("ADAPTER_NOT_FOUND", "execute", "service "+id, findErr))
	}
	a.AdapterDigest = adapter.Digest()
	sent := false // the gateway emits from this goroutine
	call := gateway.Call{Contract: m, Adapter: adapter, Intent: w.asked.Intent, Stream: emit != nil}
	if emit != nil {
		call.Emit = func(d *caiov1.Delta) error { sent = true; return emit(d) }
	}
	outcome, execErr := w.opts.Gateway.Execute(ctx, call)
	if outcome != nil {
		a.Observed = outcome.Observed
	}
	if execErr != nil {
		ge, _ := execErr.(*gateway.Error)
		if ctx.Err() == context.Canceled || ge != nil && ge.Code == gateway.CodeCanceled {
			return nil, false, canceled(a, fromGateway(execErr))
		}
		return nil, ge != nil && ge.Retryable && !ge.Sent, failed(a, fromGateway(execErr))
	}
	return w.check(ctx, a, outcome, sent)
}

// canceled notes an execution that its caller left or stopped reading: no doing of the service's, whose history stays
// clean.
func canceled(a *caiov1.Attempt, err *Error) *Error {
	a.Outcome = "canceled"
	return err
}

// failed notes an execution that brought nothing.
func failed(a *caiov1.Attempt, err *Error) *Error {
	a.Outcome = "failed"
	a.Error = proto.CloneOf(err.Detail)
	return err
}

// check holds what came back against the guarantees. A violation always counts against the service; whether the result
// is kept is the policy's to say.
func (w *walk) check(ctx context.Context, a *caiov1.Attempt, outcome *gateway.Outcome, sent bool) (*caiov1.Result, bool, *Error) {
	slot, _ := w.snapshot.Registry.Slot(a.ServiceId)
	violations, err := w.snapshot.Policies.Check(ctx, w.asked.Request, w.snapshot.profiles[slot].facts, outcome.Result, outcome.Observed)
	if err != nil && ctx.Err() == context.Canceled {
		return nil, false, canceled(a, unable("guarantee", "evaluate guarantees", err))
	}
	if err != nil {
		return nil, false, failed(a, unable("guarantee", "evaluate guarantees", err))
	}
	a.Violations = violations
	reaction, broken := "accept", []*caiov1.Reason(nil)
	for _, v := range violations {
		if v.Reaction != "accept" {
			broken = append(broken, v.Reason)
			if reaction != "fail" {
				reaction = v.Reaction
			}
		}
	}
	if reaction == "accept" {
		salted, err := deterministic.MarshalAppend(slices.Clone(w.salt[:]), outcome.Result)
		if err != nil {
			return nil, false, failed(a, fail("TRANSFORMATION_FAILED", "execute", "write the result", err))
		}
		w.trace.ResultDigest = schema.Digest(salted)
		if w.keep.Result {
			w.result = salted[len(w.salt):]
		}
		return outcome.Result, false, nil
	}
	a.Outcome = "violation"
	failure := fail("GUARANTEE_VIOLATION", "guarantee", a.ServiceId+" broke what it guarantees: "+messages(broken), nil).
		hint("'caio trace get' shows the attempts; a rule under caio.guarantee decides the reaction")
	a.Error = proto.CloneOf(failure.Detail)
	// What a caller has already seen of a stream cannot be taken back.
	return nil, reaction == "fallback" && !sent, failure
}

// why says in one sentence why the service that answered did.
func (w *walk) why() string {
	attempts := w.trace.Attempts
	if len(attempts) == 1 {
		return w.decision.why()
	}
	var fell []string
	for _, a := range attempts[:len(attempts)-1] {
		fell = append(fell, a.ServiceId+": "+a.Error.GetMessage())
	}
	return "fell back: " + strings.Join(fell, " | ")
}
