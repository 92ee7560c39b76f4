package server

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/identity"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func (p *policies) WhatIf(ctx context.Context, req *connect.Request[caiov1.PolicyServiceWhatIfRequest], stream *connect.ServerStream[caiov1.PolicyServiceWhatIfResponse]) error {
	tenant, ok := identity.TraceTenant(callerOf(ctx).principal, req.Msg.GetTenant())
	if !ok {
		// As with the traces themselves: what a caller may not see is not there.
		return stream.Send(&caiov1.PolicyServiceWhatIfResponse{Event: &caiov1.PolicyServiceWhatIfResponse_Summary{
			Summary: &caiov1.WhatIfSummary{Differences: &caiov1.Differences{}}}})
	}
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	release := context.AfterFunc(p.draining, func() { stop(errDraining) })
	defer release()
	err := p.engine.WhatIf(running, engine.WhatIf{
		Files: req.Msg.GetFiles(), Since: instant(req.Msg.GetSince()), Until: instant(req.Msg.GetUntil()), Tenant: tenant,
		Limit: int(req.Msg.GetLimit()),
	}, stream.Send)
	if err != nil && errors.Is(context.Cause(running), errDraining) {
		return newError(codeUnavailable, stagePolicy, "the server is shutting down", "start again once it is back")
	}
	if err != nil {
		return invalidPolicy(err)
	}
	return nil
}

func (p *policies) StartShadow(ctx context.Context, req *connect.Request[caiov1.PolicyServiceStartShadowRequest]) (*connect.Response[caiov1.PolicyServiceStartShadowResponse], error) {
	caller, err := mustBePlatform(ctx)
	if err != nil {
		return nil, err
	}
	done, err := p.compiling(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	shadow := engine.Shadow{Files: req.Msg.GetFiles(), Share: 1, By: caller.GetSubject()}
	if req.Msg.Share != nil {
		shadow.Share = req.Msg.GetShare()
	}
	report, err := p.engine.StartShadow(shadow)
	if err != nil {
		return nil, invalidPolicy(err)
	}
	p.logger.InfoContext(ctx, "shadow of the policies started", "digest", report.GetDigest(), "share", report.GetShare(), "by", report.GetStartedBy())
	return connect.NewResponse(&caiov1.PolicyServiceStartShadowResponse{Report: report}), nil
}

func (p *policies) StopShadow(ctx context.Context, _ *connect.Request[caiov1.PolicyServiceStopShadowRequest]) (*connect.Response[caiov1.PolicyServiceStopShadowResponse], error) {
	if _, err := mustBePlatform(ctx); err != nil {
		return nil, err
	}
	return connect.NewResponse(&caiov1.PolicyServiceStopShadowResponse{Report: p.engine.StopShadow()}), nil
}

func (p *policies) ShadowStatus(ctx context.Context, _ *connect.Request[caiov1.PolicyServiceShadowStatusRequest]) (*connect.Response[caiov1.PolicyServiceShadowStatusResponse], error) {
	if _, err := mustBePlatform(ctx); err != nil {
		return nil, err
	}
	return connect.NewResponse(&caiov1.PolicyServiceShadowStatusResponse{Report: p.engine.ShadowReport()}), nil
}
