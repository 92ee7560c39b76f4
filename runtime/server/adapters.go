package server

import (
	"context"
	"log/slog"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/engine"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// maxAdapterBytes bounds the body of a call that brings a module: 16 MiB of it, which JSON makes a third longer.
const maxAdapterBytes = 24 << 20

// adapters serves caio.v1.AdapterService.
type adapters struct {
	engine *engine.Engine
	logger *slog.Logger
}

func (a *adapters) Install(ctx context.Context, req *connect.Request[caiov1.AdapterServiceInstallRequest]) (*connect.Response[caiov1.AdapterServiceInstallResponse], error) {
	caller, err := mustBeOperator(ctx)
	if err != nil {
		return nil, err
	}
	module, err := a.engine.InstallAdapter(ctx, engine.Installation{
		Name: req.Msg.GetName(), Module: req.Msg.GetModule(), Signature: req.Msg.GetSignature(), Tenant: req.Msg.GetTenant(),
		By: caller.GetSubject(), Reason: req.Msg.GetReason(),
	})
	if err != nil {
		return nil, err
	}
	a.logger.InfoContext(ctx, "adapter installed", "adapter", module.GetName(), "digest", module.GetDigest(), "signed", module.GetSigned(), "by", module.GetInstalledBy())
	return connect.NewResponse(&caiov1.AdapterServiceInstallResponse{Module: module}), nil
}

func (a *adapters) List(ctx context.Context, _ *connect.Request[caiov1.AdapterServiceListRequest]) (*connect.Response[caiov1.AdapterServiceListResponse], error) {
	if _, err := mustBeOperator(ctx); err != nil {
		return nil, err
	}
	return connect.NewResponse(&caiov1.AdapterServiceListResponse{Modules: a.engine.AdapterModules()}), nil
}

func (a *adapters) Remove(ctx context.Context, req *connect.Request[caiov1.AdapterServiceRemoveRequest]) (*connect.Response[caiov1.AdapterServiceRemoveResponse], error) {
	caller, err := mustBeOperator(ctx)
	if err != nil {
		return nil, err
	}
	stranded, err := a.engine.RemoveAdapter(ctx, req.Msg.GetDigest())
	if err != nil {
		return nil, err
	}
	a.logger.InfoContext(ctx, "adapter removed", "digest", req.Msg.GetDigest(), "stranded", len(stranded), "by", caller.GetSubject())
	return connect.NewResponse(&caiov1.AdapterServiceRemoveResponse{Stranded: stranded}), nil
}

// mustBeOperator refuses callers that belong to a tenant: an adapter is in force for all of them.
func mustBeOperator(ctx context.Context) (*caiov1.Principal, error) {
	caller := callerOf(ctx).principal
	if platform(caller) {
		return caller, nil
	}
	return nil, newError(codePermissionDenied, stageAdapter,
		"adapters are in force for all tenants; the caller belongs to "+quote(caller.GetTenant()), "ask somebody of no tenant")
}
