package server

import (
	"context"
	"crypto/rand"
	"errors"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Erase removes bodies of traces. A tenant's admin removes the tenant's own, an admin of no tenant anybody's.
func (t *traces) Erase(ctx context.Context, req *connect.Request[caiov1.TraceServiceEraseRequest]) (*connect.Response[caiov1.TraceServiceEraseResponse], error) {
	p, m := callerOf(ctx).principal, req.Msg
	tenant, ok := identity.ErasedTenant(p, m.GetTenant())
	if !ok {
		return nil, newError(codePermissionDenied, stageTrace, "only admins remove traces, and a tenant's admin only the tenant's own",
			"ask an admin; 'caio token mint --role admin' makes a token for development")
	}
	e := trace.Erasure{
		TraceID: m.GetTraceId(), Tenant: tenant, Subject: m.GetSubject(), Before: instant(m.GetBefore()),
		Reason: trace.ByRequest, Principal: p, Note: m.GetNote(),
	}
	// What was begun is finished, even if the caller leaves.
	count, id, err := t.log.Erase(context.WithoutCancel(ctx), t.now(), rand.Reader, e)
	switch {
	case errors.Is(err, trace.ErrNotFound):
		return nil, traceNotFound(m.GetTraceId())
	case errors.Is(err, trace.ErrErased):
		return connect.NewResponse(&caiov1.TraceServiceEraseResponse{}), nil
	case errors.Is(err, trace.ErrInvalid):
		return nil, newError(codeInvalidRequest, stageTrace, "everything would be removed", "name a trace_id, a tenant, a subject, or a time before which")
	case err != nil:
		return nil, err
	}
	return connect.NewResponse(&caiov1.TraceServiceEraseResponse{Count: int64(count), TraceId: id}), nil
}
