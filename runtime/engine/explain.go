package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// MaxExplained is how many services one call of Explain tells of.
const MaxExplained = 20

// A Question says of what Explain is to tell.
type Question struct {
	Request *caiov1.Request
	Service string // only this one; empty: every service that policies are asked about, sorted by id, MaxExplained at most
	Rule    string // only rules of this id or package; empty: all
}

// Explain tells how the policies of s judge services for q.Request: each rule's expressions, and at which it ended. A
// service that fell before policies were asked is told of only if it is named, and then without rules. The error's code
// is SERVICE_NOT_FOUND if the one that is named is not registered.
func Explain(ctx context.Context, s *Snapshot, q Question) (*caiov1.PolicyServiceExplainResponse, error) {
	x := &explainer{s, q, complete(recalled(q.Request), time.Time{}), func(*contract.Service) bool { return true }}
	return x.explain(ctx, everyService)
}

// Explain is the function Explain for a caller of the API: it tells of services that both the caller and the request's
// principal may know of. A request without a time is explained as of now.
func (e *Engine) Explain(ctx context.Context, caller *caiov1.Principal, q Question) (*caiov1.PolicyServiceExplainResponse, error) {
	x := &explainer{e.snapshot.Load(), q, complete(recalled(q.Request), e.opts.Now()), func(service *contract.Service) bool {
		return identity.CanSee(caller, service.Message().GetMetadata().GetTenant())
	}}
	return x.explain(ctx, onlyVisible)
}

// An explainer is one Question being answered.
type explainer struct {
	*Snapshot
	q       Question
	req     *caiov1.Request // complete
	mayTell func(*contract.Service) bool
}

func (x *explainer) explain(ctx context.Context, visible visibility) (*caiov1.PolicyServiceExplainResponse, error) {
	x.req = x.informed(x.req, visible)
	if err := finite(x.req); err != nil {
		return nil, fail("INVALID_REQUEST", "explain", "read the request", err)
	}
	match, err := x.Registry.Match(x.req, visible.of(x.Registry, x.req.Principal), true)
	if err != nil {
		return nil, fail("INVALID_REQUEST", "explain", "match contracts", err)
	}
	out := &caiov1.PolicyServiceExplainResponse{Digest: x.Policies.Digest()}
	left := 0
	for slot := range x.Registry.ByID(match.Passed) {
		service := x.Registry.Service(slot)
		switch {
		case x.q.Service != "" && service.ID() != x.q.Service || !x.mayTell(service):
		case len(out.Explanations) == MaxExplained:
			left++
		default:
			judged, err := x.judge(ctx, service)
			if err != nil {
				return nil, err
			}
			out.Explanations = append(out.Explanations, judged)
		}
	}
	if left > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d more are left out; name one to be told of it", left))
	}
	if x.q.Service != "" && len(out.Explanations) == 0 {
		fallen := x.fallen(match)
		if fallen == nil {
			return nil, notFound(x.q.Service)
		}
		out.Explanations = append(out.Explanations, fallen)
	}
	return out, nil
}

// judge tells how the policies judge one service.
func (x *explainer) judge(ctx context.Context, service *contract.Service) (*caiov1.Explanation, error) {
	facts, err := policy.NewFacts(service.JSON())
	if err != nil {
		return nil, fail("INTERNAL", "explain", "read the contract "+service.ID(), err)
	}
	var selected func(policy.Rule) bool
	if x.q.Rule != "" {
		selected = func(r policy.Rule) bool { return r.ID == x.q.Rule || r.Package == x.q.Rule }
	}
	judged, err := x.Policies.Explain(ctx, x.req, facts, selected)
	if err != nil {
		return nil, unable("explain", "evaluate rules over "+service.ID(), err)
	}
	judged.ServiceId, judged.ContractDigest = service.ID(), service.Digest()
	return judged, nil
}

// fallen tells at which step before the policies the service that is named fell; nil: there is none that may be told of.
func (x *explainer) fallen(match *contract.Match) *caiov1.Explanation {
	for slot := range match.Fallen.All() {
		if service := x.Registry.Service(slot); service.ID() == x.q.Service && x.mayTell(service) {
			outcome, reasons := match.Why(slot)
			return &caiov1.Explanation{ServiceId: service.ID(), Outcome: outcome, Reasons: reasons, ContractDigest: service.Digest()}
		}
	}
	return nil
}
