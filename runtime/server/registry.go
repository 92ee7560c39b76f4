package server

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/identity"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// registry serves caio.v1.RegistryService. Services of another tenant are to a caller as if they were not there.
type registry struct {
	engine   *engine.Engine
	schema   *contract.Schema
	draining context.Context // the server's; ends when the shutdown begins
}

func (r *registry) Register(ctx context.Context, req *connect.Request[caiov1.RegisterRequest]) (*connect.Response[caiov1.RegisterResponse], error) {
	parsed, err := r.parse(req.Msg)
	if err != nil {
		return nil, invalidContract(err)
	}
	if err := mayKeep(ctx, parsed); err != nil {
		return nil, err
	}
	service, err := r.engine.Register(ctx, parsed)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&caiov1.RegisterResponse{Service: message(service)}), nil
}

func (r *registry) Update(ctx context.Context, req *connect.Request[caiov1.UpdateRequest]) (*connect.Response[caiov1.UpdateResponse], error) {
	parsed, err := r.parse(req.Msg)
	if err != nil {
		return nil, invalidContract(err)
	}
	if err := mayKeep(ctx, parsed); err != nil {
		return nil, err
	}
	service, err := r.engine.Update(ctx, parsed, mayChange(ctx))
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&caiov1.UpdateResponse{Service: message(service)}), nil
}

func (r *registry) Remove(ctx context.Context, req *connect.Request[caiov1.RemoveRequest]) (*connect.Response[caiov1.RemoveResponse], error) {
	revision, err := r.engine.Remove(ctx, req.Msg.GetServiceId(), mayChange(ctx))
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&caiov1.RemoveResponse{Revision: revision}), nil
}

func (r *registry) Get(ctx context.Context, req *connect.Request[caiov1.GetRequest]) (*connect.Response[caiov1.GetResponse], error) {
	service, ok := r.engine.Snapshot().Registry.Get(req.Msg.GetServiceId())
	if !ok || !visible(ctx, service) {
		return nil, serviceNotFound(req.Msg.GetServiceId())
	}
	m := message(service)
	m.History = r.engine.History(service.ID())
	return connect.NewResponse(&caiov1.GetResponse{Service: m}), nil
}

func (r *registry) List(ctx context.Context, req *connect.Request[caiov1.ListRequest]) (*connect.Response[caiov1.ListResponse], error) {
	size := int(req.Msg.GetPageSize())
	if size == 0 {
		size = 100
	}
	after, err := base64.RawURLEncoding.DecodeString(req.Msg.GetPageToken())
	if err != nil {
		return nil, foreignToken(stageRegistry)
	}
	snapshot := r.engine.Snapshot()
	response := &caiov1.ListResponse{Digest: snapshot.Registry.Digest()}
	for service := range snapshot.Registry.All() {
		if service.ID() <= string(after) || !visible(ctx, service) {
			continue
		}
		if len(response.Services) == size {
			last := response.Services[size-1].GetContract().GetServiceId()
			response.NextPageToken = base64.RawURLEncoding.EncodeToString([]byte(last))
			break
		}
		response.Services = append(response.Services, message(service))
	}
	return connect.NewResponse(response), nil
}

func (r *registry) Discover(ctx context.Context, req *connect.Request[caiov1.DiscoverRequest]) (*connect.Response[caiov1.DiscoverResponse], error) {
	m := req.Msg
	request := &caiov1.Request{Capabilities: m.GetCapabilities(), Match: m.GetMatch(), Guarantees: m.GetGuarantees(), Constraints: m.GetConstraints()}
	if request.Match == "" {
		request.Match = "all"
	}
	// One snapshot for both: a service that goes meanwhile must not be looked up in a registry without it.
	services := r.engine.Snapshot().Registry
	p := callerOf(ctx).principal
	match, err := services.Match(request, services.Visible(p.GetTenant(), identity.CanReadAllTraces(p)), true)
	if err != nil {
		return nil, newError(codeInvalidRequest, stageRegistry, "match contracts: "+err.Error(), hintSchema)
	}
	response := &caiov1.DiscoverResponse{}
	for slot := range services.ByID(match.Passed) {
		response.Services = append(response.Services, message(services.Service(slot)))
	}
	for slot := range services.ByID(match.Fallen) {
		fallen := services.Service(slot)
		outcome, reasons := match.Why(slot)
		response.Mismatches = append(response.Mismatches, &caiov1.Candidate{
			ServiceId: fallen.ID(), Outcome: outcome, Reasons: reasons, ContractDigest: fallen.Digest(),
		})
	}
	return connect.NewResponse(response), nil
}

func (r *registry) Validate(ctx context.Context, req *connect.Request[caiov1.ValidateRequest]) (*connect.Response[caiov1.ValidateResponse], error) {
	parsed, err := r.parse(req.Msg)
	var faults contract.Faults
	switch {
	case errors.As(err, &faults):
		return connect.NewResponse(&caiov1.ValidateResponse{Faults: faults}), nil
	case err != nil:
		return nil, err
	}
	return connect.NewResponse(&caiov1.ValidateResponse{Valid: true, Contract: parsed.Message()}), nil
}

// form is a contract as Register, Update and Validate bring it.
type form interface {
	GetSource() *caiov1.Source
	GetContract() *caiov1.Contract
}

// parse validates what f brings. Its error is contract.Faults.
func (r *registry) parse(f form) (*contract.Contract, error) {
	if source := f.GetSource(); source != nil {
		filename := source.GetFilename()
		if filename == "" {
			filename = "contract.yaml"
		}
		return r.schema.Parse(filename, source.GetContent())
	}
	// What a message leaves unset is left to the schema's defaults, as it is in a file.
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(f.GetContract())
	if err != nil {
		return nil, contract.Faults{{Message: "the contract cannot be written as JSON: " + readable(err.Error())}}
	}
	parsed, err := r.schema.Parse("contract.json", raw)
	var faults contract.Faults
	if errors.As(err, &faults) {
		for _, fault := range faults {
			// Nobody wrote that file: its lines would only mislead.
			fault.File, fault.Line, fault.Column = "", 0, 0
		}
	}
	return parsed, err
}

// invalidContract is the answer to a contract with faults: every fault on a line of its own for people, and a
// ValidateResponse as second detail for programs.
func invalidContract(err error) error {
	var faults contract.Faults
	if !errors.As(err, &faults) {
		return err
	}
	lines := make([]string, 0, len(faults)+1)
	lines = append(lines, "the contract has "+count(len(faults), "fault"))
	for _, fault := range faults {
		lines = append(lines, contract.Line(fault))
	}
	return encode(&caiov1.Error{Code: codeInvalidContract, Stage: stageContract, Message: strings.Join(lines, "\n"),
		Hint: "'caio contract check FILE' shows the same before anything is sent"}, &caiov1.ValidateResponse{Faults: faults})
}

// visible tells whether the caller may know of service.
func visible(ctx context.Context, service *contract.Service) bool {
	return identity.CanSee(callerOf(ctx).principal, service.Message().GetMetadata().GetTenant())
}

// mayChange refuses changes to services that the caller does not own. One that it may not even see is not there.
func mayChange(ctx context.Context) engine.Guard {
	return func(service *contract.Service) error {
		if !visible(ctx, service) {
			return serviceNotFound(service.ID())
		}
		return mayKeep(ctx, service.Contract)
	}
}

// mayKeep refuses contracts of a tenant other than the caller's; one of no tenant belongs to the whole platform.
func mayKeep(ctx context.Context, c *contract.Contract) error {
	p, tenant := callerOf(ctx).principal, c.Message().GetMetadata().GetTenant()
	if owns(p, tenant) {
		return nil
	}
	what := "belongs to tenant " + quote(tenant)
	if tenant == "" {
		what = "is shared by all tenants"
	}
	return newError(codePermissionDenied, stageRegistry, "service "+quote(c.ID())+" "+what+"; the caller belongs to "+quote(p.GetTenant()),
		"set metadata.tenant to the caller's own, or ask an operator of no tenant")
}

func serviceNotFound(id string) error {
	return newError(codeServiceNotFound, stageRegistry, "there is no service "+quote(id), "'caio service list' shows those there are")
}

// message is service as it goes over the wire. The contract is shared and must not be changed.
func message(service *contract.Service) *caiov1.Service {
	return &caiov1.Service{Contract: service.Message(), Digest: service.Digest(), Revision: service.Revision, Time: timestamppb.New(service.Time)}
}

func quote(s string) string { return strconv.Quote(s) }

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
