package server

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func (t *traces) Bundle(ctx context.Context, req *connect.Request[caiov1.TraceServiceBundleRequest]) (*connect.Response[caiov1.TraceServiceBundleResponse], error) {
	stored, err := t.find(ctx, req.Msg.GetTraceId())
	if err != nil {
		return nil, err
	}
	b := &caiov1.Bundle{Version: 1, Trace: stored.GetRaw(), LogKey: t.log.Key()}
	if req.Msg.GetSnapshot() || req.Msg.GetAdapters() {
		if !identity.CanReadAllTraces(callerOf(ctx).principal) {
			return nil, newError(codePermissionDenied, stageTrace,
				"what decided are the contracts and policies of every tenant, which only admins, operators and auditors of no tenant may read",
				"ask for the bundle without them; it shows all the same that the decision is in the log and that its proofs hold")
		}
		if b.Snapshot, err = t.engine.Bundled(ctx, stored.GetTrace(), req.Msg.GetAdapters()); err != nil {
			return nil, err
		}
	}
	if b.Log, err = t.prove(ctx, stored.GetSequence(), req.Msg.GetEarlierSize()); err != nil {
		return nil, err
	}
	return connect.NewResponse(&caiov1.TraceServiceBundleResponse{Bundle: b}), nil
}

// prove shows that a trace is in the log, and what came before it. A log that is smaller than its caller knew it, is shown
// as it is: that is what the caller's check is for, and our error would be no proof of anything.
func (t *traces) prove(ctx context.Context, index, earlier uint64) (*caiov1.LogProof, error) {
	p, err := t.log.Prove(ctx, index, earlier)
	if errors.Is(err, trace.ErrNotFound) && earlier > 0 {
		return t.log.Prove(ctx, index, 0)
	}
	return p, err
}
