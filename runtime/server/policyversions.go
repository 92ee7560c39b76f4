package server

import (
	"context"
	"errors"
	"strconv"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/engine"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func (p *policies) Activate(ctx context.Context, req *connect.Request[caiov1.PolicyServiceActivateRequest]) (*connect.Response[caiov1.PolicyServiceActivateResponse], error) {
	caller, err := mustBePlatform(ctx)
	if err != nil {
		return nil, err
	}
	files, err := engine.NewPolicyFiles(req.Msg.GetFiles())
	if err != nil {
		return nil, invalidPolicy(err)
	}
	done, err := p.compiling(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	version, set, err := p.engine.Activate(ctx, engine.Activation{
		Files: files, Author: req.Msg.GetAuthor(), By: caller.GetSubject(), Reason: req.Msg.GetReason(),
	})
	if err != nil {
		return nil, invalidPolicy(err)
	}
	p.logger.InfoContext(ctx, "policies activated", "version", version.Number, "digest", version.Digest, "by", version.ActivatedBy)
	return connect.NewResponse(&caiov1.PolicyServiceActivateResponse{
		Version: engine.VersionMessage(version, true), Warnings: set.Warnings(), Notes: p.pinned(),
	}), nil
}

func (p *policies) Rollback(ctx context.Context, req *connect.Request[caiov1.PolicyServiceRollbackRequest]) (*connect.Response[caiov1.PolicyServiceRollbackResponse], error) {
	caller, err := mustBePlatform(ctx)
	if err != nil {
		return nil, err
	}
	done, err := p.compiling(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	version, err := p.engine.Rollback(ctx, req.Msg.GetVersion(), caller.GetSubject(), req.Msg.GetReason())
	if err != nil {
		return nil, invalidPolicy(err)
	}
	p.logger.InfoContext(ctx, "policies rolled back", "version", version.Number, "restores", version.Restores, "digest", version.Digest, "by", version.ActivatedBy)
	return connect.NewResponse(&caiov1.PolicyServiceRollbackResponse{Version: engine.VersionMessage(version, true), Notes: p.pinned()}), nil
}

// pinned says that what was activated is not what the next start begins with.
func (p *policies) pinned() []string {
	if !p.engine.PolicyOrigin().Pinned {
		return nil
	}
	return []string{"the server was started with --policies or --policy-overlay: if it is started so again, the set named there is in force, not this version"}
}

func (p *policies) Versions(ctx context.Context, req *connect.Request[caiov1.PolicyServiceVersionsRequest]) (*connect.Response[caiov1.PolicyServiceVersionsResponse], error) {
	if _, err := mustBePlatform(ctx); err != nil {
		return nil, err
	}
	size := int(req.Msg.GetPageSize())
	if size == 0 {
		size = 100
	}
	var before uint64
	if token := req.Msg.GetPageToken(); token != "" {
		var err error
		if before, err = strconv.ParseUint(token, 10, 32); err != nil || before == 0 {
			return nil, foreignToken(stagePolicy)
		}
	}
	active, err := p.engine.PolicyVersion(ctx, 0)
	if err != nil {
		return nil, err
	}
	versions, err := p.engine.PolicyVersions(ctx, uint32(before), size)
	if err != nil {
		return nil, err
	}
	response := &caiov1.PolicyServiceVersionsResponse{Active: engine.VersionMessage(active.PolicyVersion, true)}
	for _, v := range versions {
		response.Versions = append(response.Versions, engine.VersionMessage(v, v.Number == active.Number))
	}
	if n := len(versions); n == size && versions[n-1].Number > 1 {
		response.NextPageToken = strconv.FormatUint(uint64(versions[n-1].Number), 10)
	}
	return connect.NewResponse(response), nil
}

func (p *policies) Get(ctx context.Context, req *connect.Request[caiov1.PolicyServiceGetRequest]) (*connect.Response[caiov1.PolicyServiceGetResponse], error) {
	if _, err := mustBePlatform(ctx); err != nil {
		return nil, err
	}
	record, err := p.engine.PolicyVersion(ctx, req.Msg.GetVersion())
	if err != nil {
		return nil, err
	}
	active := p.engine.PolicyOrigin().Version.Number == record.Number
	return connect.NewResponse(&caiov1.PolicyServiceGetResponse{
		Version: engine.VersionMessage(record.PolicyVersion, active), Files: engine.PolicyFiles(record.Files),
	}), nil
}

// mustBePlatform refuses callers that belong to a tenant: policies are in force for all of them.
func mustBePlatform(ctx context.Context) (*caiov1.Principal, error) {
	caller := callerOf(ctx).principal
	if platform(caller) {
		return caller, nil
	}
	return nil, newError(codePermissionDenied, stagePolicy,
		"the policies are in force for all tenants; the caller belongs to "+quote(caller.GetTenant()), "ask somebody of no tenant")
}

// invalidPolicy adds to an error about policies all of their faults, for programs.
func invalidPolicy(err error) error {
	var e *engine.Error
	if faults := engine.FaultsOf(err); errors.As(err, &e) && len(faults) > 0 {
		return encode(e.Detail, &caiov1.PolicyServiceCheckResponse{Faults: faults})
	}
	return err
}
