package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// policies serves caio.v1.PolicyService.
type policies struct {
	engine   *engine.Engine
	traces   *trace.Log
	logger   *slog.Logger
	draining context.Context // the server's; ends when the shutdown begins
	turn     chan struct{}   // holds one element while policies that came from outside are compiled
}

func newPolicies(s *Server) *policies {
	return &policies{engine: s.opts.Engine, traces: s.opts.Traces, logger: s.opts.Logger, draining: s.draining, turn: make(chan struct{}, 1)}
}

// compiling waits until no other policies are compiled: whatever size they have, they take one processor at most from
// the requests. done is called at the end.
func (p *policies) compiling(ctx context.Context) (done func(), err error) {
	select {
	case p.turn <- struct{}{}:
		return func() { <-p.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *policies) Check(ctx context.Context, req *connect.Request[caiov1.PolicyServiceCheckRequest]) (*connect.Response[caiov1.PolicyServiceCheckResponse], error) {
	done, err := p.compiling(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	response, err := engine.CheckPolicies(req.Msg.GetFiles())
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(response), nil
}

func (p *policies) Test(ctx context.Context, req *connect.Request[caiov1.PolicyServiceTestRequest]) (*connect.Response[caiov1.PolicyServiceTestResponse], error) {
	done, err := p.compiling(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	response, err := engine.TestPolicies(ctx, req.Msg.GetFiles(), req.Msg.GetRun(), req.Msg.GetCoverage())
	if err != nil {
		return nil, invalidPolicy(err)
	}
	return connect.NewResponse(response), nil
}

func (p *policies) List(ctx context.Context, _ *connect.Request[caiov1.PolicyServiceListRequest]) (*connect.Response[caiov1.PolicyServiceListResponse], error) {
	set, caller := p.engine.Snapshot().Policies, callerOf(ctx).principal
	response := &caiov1.PolicyServiceListResponse{Digest: set.Digest()}
	for _, r := range set.Rules() {
		if r.Tenant == "" || r.Tenant == caller.GetTenant() || platform(caller) {
			response.Rules = append(response.Rules, r.Message())
		}
	}
	return connect.NewResponse(response), nil
}

func (p *policies) Explain(ctx context.Context, req *connect.Request[caiov1.PolicyServiceExplainRequest]) (*connect.Response[caiov1.PolicyServiceExplainResponse], error) {
	caller := callerOf(ctx).principal
	question := engine.Question{Request: req.Msg.GetRequest(), Service: req.Msg.GetServiceId(), Rule: req.Msg.GetRule()}
	var past *caiov1.Trace
	if id := req.Msg.GetTraceId(); id != "" {
		stored, err := p.traces.Get(ctx, id)
		if errors.Is(err, trace.ErrNotFound) || err == nil && !mayRead(ctx, stored) {
			return nil, traceNotFound(id)
		}
		if err != nil {
			return nil, err
		}
		past = stored.GetTrace()
		if w := past.GetWorkflow(); w != nil {
			return nil, ofSteps(w)
		}
		question.Request = past.GetRequest()
		if intent := past.GetKept().GetIntent(); intent != nil {
			question.Request.Intent = intent
		}
	} else if question.Request.GetPayload() != nil {
		return nil, newError(codeInvalidRequest, stageRequest, "request.payload is set by the server, in what it records",
			"leave it out; what is to be done stands in request.intent")
	} else if len(question.Request.GetRegistered()) > 0 {
		return nil, newError(codeInvalidRequest, stageRequest, "request.registered is set by the server, which knows what is registered", "leave it out")
	} else if question.Request.GetPrincipal() == nil {
		question.Request.Principal = caller
	} else if tenant := question.Request.GetPrincipal().GetTenant(); tenant != "" && !owns(caller, tenant) {
		// A tenant may have rules of its own, and they are nobody else's to read.
		return nil, newError(codePermissionDenied, stagePolicy,
			"the request's principal belongs to "+quote(tenant)+"; the caller belongs to "+orNobody(caller.GetTenant()),
			"leave the principal's tenant out, or name your own")
	}
	response, err := p.engine.Explain(ctx, caller, question)
	if err != nil {
		return nil, err
	}
	if past != nil {
		response.Notes = append(since(past, response), response.Notes...)
	}
	return connect.NewResponse(response), nil
}

// orNobody names the tenant that a caller belongs to.
func orNobody(tenant string) string {
	if tenant == "" {
		return "no tenant"
	}
	return quote(tenant)
}

// ofSteps says that the trace of a workflow has no decision of its own, and where its steps' are.
func ofSteps(w *caiov1.WorkflowTrace) error {
	steps := make([]string, len(w.GetSteps()))
	for i, s := range w.GetSteps() {
		steps[i] = s.GetId() + " " + s.GetTraceId()
	}
	return newError(codeInvalidRequest, stageRequest, "this is the trace of a workflow; each of its steps was decided by itself: "+
		strings.Join(steps, ", "), "name the trace of a step")
}

// since says what of a trace's decision is no longer as it was, so that its replay need not come to the same.
func since(past *caiov1.Trace, now *caiov1.PolicyServiceExplainResponse) (notes []string) {
	if past.GetDecision() == nil {
		notes = append(notes, "the trace's request was never decided")
	} else if then := past.GetDecision().GetInputs().GetPolicies(); then != now.GetDigest() {
		notes = append(notes, fmt.Sprintf("the policies have changed since: the set was %.12s, it is %.12s", then, now.GetDigest()))
	}
	then := make(map[string]*caiov1.Candidate)
	for _, c := range past.GetDecision().GetCandidates() {
		then[c.GetServiceId()] = c
	}
	blind := make(map[string]bool)
	for _, e := range now.GetExplanations() {
		was := then[e.GetServiceId()]
		switch {
		case past.GetDecision() == nil:
		case was == nil:
			notes = append(notes, fmt.Sprintf("service %s was no candidate then", quote(e.GetServiceId())))
		case was.GetContractDigest() != e.GetContractDigest():
			notes = append(notes, fmt.Sprintf("the contract of %s has changed since: it was %.12s, it is %.12s",
				quote(e.GetServiceId()), was.GetContractDigest(), e.GetContractDigest()))
		}
		for _, story := range e.GetRules() {
			if story.GetReadsIntent() {
				blind[fmt.Sprintf("%s:%d", story.GetRule().GetFile(), story.GetRule().GetLine())] = true
			}
		}
	}
	if len(blind) > 0 && past.GetRequest().GetIntent() != nil && past.GetKept().GetIntent() == nil {
		notes = append(notes, count(len(blind), "rule")+" cannot be replayed: they read the intent's body, which this trace does not keep, "+
			"and are told of as if there were none")
	}
	return notes
}
