package server

import (
	"context"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/engine"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// workflows serves caio.v1.WorkflowService.
type workflows struct{ engine *engine.Engine }

func (w *workflows) Decide(ctx context.Context, req *connect.Request[caiov1.WorkflowServiceDecideRequest]) (*connect.Response[caiov1.WorkflowServiceDecideResponse], error) {
	if err := claimWorkflow(ctx, req.Msg.GetWorkflow()); err != nil {
		return nil, err
	}
	response, err := w.engine.DecideWorkflow(ctx, req.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(response), nil
}

func (w *workflows) Run(ctx context.Context, req *connect.Request[caiov1.WorkflowServiceRunRequest]) (*connect.Response[caiov1.WorkflowServiceRunResponse], error) {
	if err := claimWorkflow(ctx, req.Msg.GetWorkflow()); err != nil {
		return nil, err
	}
	response, err := w.engine.RunWorkflow(ctx, req.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(response), nil
}
