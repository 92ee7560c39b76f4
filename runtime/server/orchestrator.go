package server

import (
	"context"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/engine"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// orchestrator serves caio.v1.OrchestratorService.
type orchestrator struct{ engine *engine.Engine }

func (o *orchestrator) Orchestrate(ctx context.Context, req *connect.Request[caiov1.OrchestrateRequest]) (*connect.Response[caiov1.OrchestrateResponse], error) {
	if err := claim(ctx, req.Msg.GetRequest()); err != nil {
		return nil, err
	}
	response, err := o.engine.Orchestrate(ctx, req.Msg, nil)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(response), nil
}

func (o *orchestrator) OrchestrateStream(ctx context.Context, req *connect.Request[caiov1.OrchestrateStreamRequest], stream *connect.ServerStream[caiov1.OrchestrateStreamResponse]) error {
	if err := claim(ctx, req.Msg.GetRequest()); err != nil {
		return err
	}
	emit := func(delta *caiov1.Delta) error {
		return stream.Send(&caiov1.OrchestrateStreamResponse{Event: &caiov1.OrchestrateStreamResponse_Delta{Delta: delta}})
	}
	whole := &caiov1.OrchestrateRequest{Request: req.Msg.GetRequest(), Seed: req.Msg.GetSeed(), Explain: req.Msg.GetExplain(),
		Durability: req.Msg.GetDurability()}
	response, err := o.engine.Orchestrate(ctx, whole, emit)
	if err != nil {
		return err
	}
	return stream.Send(&caiov1.OrchestrateStreamResponse{Event: &caiov1.OrchestrateStreamResponse_Response{Response: response}})
}

func (o *orchestrator) Decide(ctx context.Context, req *connect.Request[caiov1.DecideRequest]) (*connect.Response[caiov1.DecideResponse], error) {
	if err := claim(ctx, req.Msg.GetRequest()); err != nil {
		return nil, err
	}
	response, err := o.engine.Decide(ctx, req.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(response), nil
}
