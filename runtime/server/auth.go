package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/identity"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// allowed is which roles may call a procedure; nil: everybody who is authenticated.
func allowed(procedure string) []string {
	switch procedure {
	case caiov1connect.RegistryServiceRegisterProcedure,
		caiov1connect.RegistryServiceUpdateProcedure,
		caiov1connect.RegistryServiceRemoveProcedure,
		caiov1connect.AdapterServiceInstallProcedure,
		caiov1connect.AdapterServiceRemoveProcedure,
		caiov1connect.AdapterServiceListProcedure:
		return []string{identity.RoleAdmin, identity.RoleOperator}
	case caiov1connect.OrchestratorServiceOrchestrateProcedure,
		caiov1connect.OrchestratorServiceOrchestrateStreamProcedure,
		caiov1connect.OrchestratorServiceDecideProcedure,
		caiov1connect.WorkflowServiceDecideProcedure,
		caiov1connect.WorkflowServiceRunProcedure:
		return []string{identity.RoleAdmin, identity.RoleOperator, identity.RoleUser}
	case caiov1connect.PolicyServiceActivateProcedure,
		caiov1connect.PolicyServiceRollbackProcedure,
		caiov1connect.PolicyServiceStartShadowProcedure,
		caiov1connect.PolicyServiceStopShadowProcedure,
		caiov1connect.AdminServiceBackupProcedure:
		return []string{identity.RoleAdmin}
	case caiov1connect.PolicyServiceCheckProcedure,
		caiov1connect.PolicyServiceTestProcedure,
		caiov1connect.PolicyServiceListProcedure,
		caiov1connect.PolicyServiceExplainProcedure,
		caiov1connect.PolicyServiceWhatIfProcedure,
		caiov1connect.PolicyServiceVersionsProcedure,
		caiov1connect.PolicyServiceGetProcedure,
		caiov1connect.PolicyServiceShadowStatusProcedure:
		return []string{identity.RoleAdmin, identity.RoleOperator, identity.RoleAuditor}
	default:
		return nil
	}
}

// caller is who calls, as the gate found out.
type caller struct {
	principal *caiov1.Principal // never nil, never changed
	verified  bool              // by a token; false only with InsecureDev
}

type callerKey struct{}

// callerOf returns who calls. Every handler behind the gate has one.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// gate authenticates and checks roles before anything of the body is read.
type gate struct {
	verifier *identity.Verifier // nil only when insecure
	insecure bool
	logger   *slog.Logger
}

func (g *gate) admit(ctx context.Context, spec connect.Spec, peer connect.Peer, header http.Header) (context.Context, error) {
	c, err := g.authenticate(ctx, header)
	if err == nil {
		err = authorize(spec.Procedure, c.principal)
	}
	if err != nil {
		wire := toConnect(err)
		g.logger.DebugContext(ctx, "refused", "procedure", spec.Procedure, "peer", peer.Addr, "code", detail(wire).GetCode())
		return nil, wire
	}
	return context.WithValue(ctx, callerKey{}, c), nil
}

// authenticate returns the principal of the bearer token. Without a token it is the anonymous developer, where
// InsecureDev allows that.
func (g *gate) authenticate(ctx context.Context, header http.Header) (caller, error) {
	lines := header.Values("Authorization")
	if g.insecure && (len(lines) == 0 || g.verifier == nil) {
		return caller{principal: anonymous()}, nil
	}
	if len(lines) == 0 {
		return caller{}, unauthenticated("", "a bearer token is required")
	}
	if len(lines) > 1 {
		return caller{}, unauthenticated("invalid_request", "there is more than one Authorization header")
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return caller{}, unauthenticated("invalid_request", "the Authorization header does not hold a bearer token")
	}
	principal, err := g.verifier.Verify(ctx, token)
	if err != nil {
		var refused *identity.Error
		if errors.As(err, &refused) {
			return caller{}, unauthenticated("invalid_token", "the token was refused: "+string(refused.Reason))
		}
		return caller{}, err
	}
	return caller{principal: principal, verified: true}, nil
}

// anonymous is who calls a server without authentication: it may do everything, so that policies are what decides.
func anonymous() *caiov1.Principal {
	return &caiov1.Principal{Subject: "anonymous", Roles: []string{identity.RoleAdmin}, TrustLevel: 10, Authenticated: true}
}

// unauthenticated is the answer to a caller nobody vouches for, with the challenge of RFC 6750, section 3. reason is
// its error code, empty when there was no token at all.
func unauthenticated(reason, message string) error {
	err := newError(codeUnauthenticated, stageAuthenticate, message,
		"send 'Authorization: Bearer TOKEN'; 'caio token' mints one for development")
	challenge := `Bearer realm="caio"`
	if reason != "" {
		challenge += `, error="` + reason + `", error_description="` + message + `"`
	}
	err.Meta().Set("WWW-Authenticate", challenge)
	return err
}

// authorize refuses principals without a role that the procedure asks for.
func authorize(procedure string, p *caiov1.Principal) error {
	roles := allowed(procedure)
	if roles == nil || identity.HasRole(p, roles...) {
		return nil
	}
	return newError(codePermissionDenied, stageAuthenticate,
		"this needs one of the roles "+strings.Join(roles, ", ")+"; the token has "+orNone(p.GetRoles()),
		"ask for a token whose claim `roles` holds one of them")
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// claim completes request.principal with who calls.
func claim(ctx context.Context, request *caiov1.Request) (err error) {
	request.Principal, err = claimed(ctx, request.GetPrincipal(), "request.principal")
	return err
}

// claimWorkflow does the same for a workflow, whose principal is that of every step; the engine refuses steps that name
// one of their own.
func claimWorkflow(ctx context.Context, workflow *caiov1.Workflow) (err error) {
	workflow.Principal, err = claimed(ctx, workflow.GetPrincipal(), "workflow.principal")
	return err
}

// claimed returns who calls. A caller does not name itself in field, unless the server runs insecurely and no token says
// who it is.
func claimed(ctx context.Context, named *caiov1.Principal, field string) (*caiov1.Principal, error) {
	c := callerOf(ctx)
	switch {
	case named == nil:
		return c.principal, nil
	case !c.verified:
		return named, nil
	}
	return named, newError(codeInvalidRequest, stageAuthenticate, field+" is set by the server from the token",
		"leave it out; only a server started with --insecure-dev takes it from the request")
}

// platform tells whether p looks after all tenants: an admin, operator or auditor who belongs to none.
func platform(p *caiov1.Principal) bool { return identity.CanReadAllTraces(p) }

// owns tells whether a principal whose role lets it change services may change one of this tenant. Services of no
// tenant serve all, so they are for the platform to change.
func owns(p *caiov1.Principal, tenant string) bool {
	return tenant != "" && tenant == p.GetTenant() || platform(p)
}
