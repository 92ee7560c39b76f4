package server

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// traces serves caio.v1.TraceService.
type traces struct {
	log      *trace.Log
	engine   *engine.Engine
	draining context.Context // ends when the shutdown begins
	now      func() time.Time
}

func (t *traces) Get(ctx context.Context, req *connect.Request[caiov1.TraceServiceGetRequest]) (*connect.Response[caiov1.TraceServiceGetResponse], error) {
	stored, err := t.find(ctx, req.Msg.GetTraceId())
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&caiov1.TraceServiceGetResponse{Trace: stored}), nil
}

// find returns a trace that the caller may read.
func (t *traces) find(ctx context.Context, id string) (*caiov1.StoredTrace, error) {
	stored, err := t.log.Get(ctx, id)
	// A foreign trace is one that is not there: that it exists is the other tenant's matter.
	if errors.Is(err, trace.ErrNotFound) || err == nil && !mayRead(ctx, stored) {
		return nil, traceNotFound(id)
	}
	if errors.Is(err, trace.ErrErased) {
		return nil, newError(codeTraceNotFound, stageTrace, "the body of trace "+quote(id)+" was removed",
			"'caio trace list --status erasure' shows when, by whom and why; its entry is in the log for ever")
	}
	return stored, err
}

// mayRead tells whether the caller may read a trace.
func mayRead(ctx context.Context, stored *caiov1.StoredTrace) bool {
	return identity.CanReadTrace(callerOf(ctx).principal, stored.GetTrace().GetRequest().GetPrincipal().GetTenant())
}

func traceNotFound(id string) error {
	return newError(codeTraceNotFound, stageTrace, "there is no trace "+quote(id), "'caio trace list' shows the latest")
}

func (t *traces) List(ctx context.Context, req *connect.Request[caiov1.TraceServiceListRequest]) (*connect.Response[caiov1.TraceServiceListResponse], error) {
	query, ok := queryOf(ctx, req.Msg)
	if !ok {
		// As with Get: what a caller may not see is not there.
		return connect.NewResponse(&caiov1.TraceServiceListResponse{}), nil
	}
	list, next, err := t.log.List(ctx, query)
	if errors.Is(err, trace.ErrToken) {
		return nil, foreignToken(stageTrace)
	}
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&caiov1.TraceServiceListResponse{Traces: list, NextPageToken: next}), nil
}

// queryOf is what m asks for, as far as the caller may see it; false: nothing of it.
func queryOf(ctx context.Context, m *caiov1.TraceServiceListRequest) (trace.Query, bool) {
	tenant, ok := identity.TraceTenant(callerOf(ctx).principal, m.GetTenant())
	return trace.Query{
		Since: instant(m.GetSince()), Until: instant(m.GetUntil()),
		Tenant: tenant, Service: m.GetServiceId(), Status: m.GetStatus(),
		RequestID: m.GetRequestId(), Rule: m.GetRule(), Violations: m.GetViolations(),
		MinDurationMs: m.GetMinDurationMs(), MinCost: m.GetMinCost(),
		Limit: int(m.GetPageSize()), Token: m.GetPageToken(),
	}, ok
}

// foreignToken is the answer to a page token that this server did not give, or gave for another query.
func foreignToken(stage string) error {
	return newError(codeInvalidRequest, stage, "page_token does not belong to this query",
		"leave it empty, or send next_page_token of the page before as it came, with the same filter")
}

func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
