package server

import (
	"context"
	"encoding/json"
	"net/http"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"google.golang.org/protobuf/proto"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// system serves caio.v1.SystemService, gRPC's health service and GET /health, all without a token.
type system struct{ server *Server }

func (s *system) Version(context.Context, *connect.Request[caiov1.VersionRequest]) (*connect.Response[caiov1.VersionResponse], error) {
	version := &caiov1.VersionResponse{}
	if s.server.opts.Version != nil {
		version = proto.CloneOf(s.server.opts.Version)
	}
	snapshot := s.server.opts.Engine.Snapshot()
	version.RegistryDigest = snapshot.Registry.Digest()
	version.PoliciesDigest = snapshot.Policies.Digest()
	if snapshot.Adapters != nil {
		version.Adapters = snapshot.Adapters.List()
	}
	return connect.NewResponse(version), nil
}

func (s *system) Health(context.Context, *connect.Request[caiov1.HealthRequest]) (*connect.Response[caiov1.HealthResponse], error) {
	return connect.NewResponse(s.health()), nil
}

func (s *system) health() *caiov1.HealthResponse {
	status := "serving"
	if s.server.isDraining() {
		status = "draining"
	}
	p := s.server.opts.Engine.PolicyHealth()
	return &caiov1.HealthResponse{
		PolicyEngine:  &caiov1.PolicyEngine{Engine: string(p.Engine), Checked: p.Checked, Skipped: p.Skipped, Differences: p.Differences},
		Status:        status,
		Services:      int32(s.server.opts.Engine.Snapshot().Registry.Len()),
		UptimeSeconds: s.server.opts.Now().Sub(s.server.start).Seconds(),
	}
}

// Check implements grpchealth.Checker. All services stand and fall together.
func (s *system) Check(_ context.Context, req *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	if req.Service != "" && !s.server.serves(req.Service) {
		return nil, connect.NewError(connect.CodeNotFound, errUnknownService)
	}
	if s.server.isDraining() {
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
}

// ServeHTTP answers GET /health for load balancers: 200 while serving, 503 while draining.
func (s *system) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	health := s.health()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if health.GetStatus() != "serving" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	// The caller may be gone; then nobody minds.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"status": health.GetStatus(), "services": health.GetServices(), "uptime_seconds": health.GetUptimeSeconds(),
	})
}
