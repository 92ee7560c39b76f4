package server

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// prover shows that traces are in the log. Implementation: [trace.Log].
type prover interface {
	// Prove returns what shows that the trace at index is in the log, and that the tree of earlier entries, 0: none, is
	// its beginning; trace.ErrNotFound where the log has fewer.
	Prove(ctx context.Context, index, earlier uint64) (*caiov1.LogProof, error)
	// Key returns the public key in signed-note's form.
	Key() string
}

// archive holds what decided. Implementation: [engine.Engine].
type archive interface {
	// Bundled returns what decided t: contracts, policies and, where asked for, the adapters that executed.
	Bundled(ctx context.Context, t *caiov1.Trace, adapters bool) (*caiov1.Snapshot, error)
}

func (t *traces) Bundle(ctx context.Context, req *connect.Request[caiov1.TraceServiceBundleRequest]) (*connect.Response[caiov1.TraceServiceBundleResponse], error) {
	if t.prover == nil || t.archive == nil {
		return t.UnimplementedTraceServiceHandler.Bundle(ctx, req)
	}
	stored, err := t.find(ctx, req.Msg.GetTraceId())
	if err != nil {
		return nil, err
	}
	b := &caiov1.Bundle{Version: 1, Trace: stored.GetRaw(), LogKey: t.prover.Key()}
	if req.Msg.GetSnapshot() || req.Msg.GetAdapters() {
		if !identity.CanReadAllTraces(callerOf(ctx).principal) {
			return nil, newError(codePermissionDenied, stageTrace,
				"what decided are the contracts and policies of every tenant, which only admins, operators and auditors of no tenant may read",
				"ask for the bundle without them; it shows all the same that the decision is in the log and that its proofs hold")
		}
		if b.Snapshot, err = t.archive.Bundled(ctx, stored.GetTrace(), req.Msg.GetAdapters()); err != nil {
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
	p, err := t.prover.Prove(ctx, index, earlier)
	if errors.Is(err, trace.ErrNotFound) && earlier > 0 {
		return t.prover.Prove(ctx, index, 0)
	}
	return p, err
}
