// Package server puts the house on the network: Connect, gRPC, gRPC-Web and plain JSON on one port, over HTTP/1.1 and
// unencrypted HTTP/2 (TLS, where wanted, ends before it).
//
// It hides how a call is read, limited, authenticated, validated and answered; the handlers behind that only translate
// between messages and the rooms below. It guarantees that
//
//   - nothing of a body is read before the caller is known and its role allows the call;
//   - a caller sees services and traces of its own tenant only, unless it looks after the whole platform;
//   - every error carries a caio.v1.Error as its first detail, with one of the codes listed there, and neither a secret
//     nor a payload; INVALID_CONTRACT carries all faults as a caio.v1.ValidateResponse, too;
//   - JSON is read strictly (an unknown field is INVALID_REQUEST) and written in the house's canonical form;
//   - a panic is one INTERNAL error and one log entry;
//   - when Serve is told to end, running requests finish, streams without an end of their own end cleanly, and no
//     goroutine is left.
//
// Requests run in goroutines of net/http; Serve waits for all of them. The package starts no other that outlives a call.
//
//	s, err := server.New(server.Options{Engine: e, Traces: log, Schema: schema, Verifier: verifier})
//	listener, err := net.Listen("tcp", "127.0.0.1:7400")
//	err = s.Serve(ctx, listener) // until ctx ends
//
// Beside the services of caio.v1 it serves gRPC's reflection (v1, v1alpha) and health, GET /health, and the log as
// strangers may read it under /log/ (log.go). These, SystemService included, need no token: they tell the public schema,
// the version, whether the server serves, and commitments to traces. GET /audit/traces and /audit/violations, the same
// below /api/v1, are TraceService.List for whoever has only a browser or curl: parameters are the request's fields by
// their names, the answer is its JSON, an error is a caio.v1.Error.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	connectcors "connectrpc.com/cors"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"connectrpc.com/validate"
	"github.com/rs/cors"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// Options is what a Server is built from. Engine, Traces and Schema are required, and Verifier unless InsecureDev.
type Options struct {
	Engine *engine.Engine
	Traces *trace.Log
	Schema *contract.Schema

	// Verifier checks bearer tokens. nil: there are none, which only InsecureDev allows.
	Verifier *identity.Verifier
	// InsecureDev lets callers without a token in, as an anonymous admin or as the principal that the request itself
	// names. For development on one's own machine.
	InsecureDev bool

	// AllowedOrigins are the web origins, such as "https://app.example.com", whose pages may call. Empty: none. "*"
	// (all) needs InsecureDev.
	AllowedOrigins []string
	// MaxBodyBytes bounds a request's body, before and after decompression. 0: 4 MiB.
	MaxBodyBytes int
	// Grace is how long running requests may take once Serve is told to end. 0: 30 s.
	Grace time.Duration

	// Backup writes a backup of everything that is kept, as store.Store has it. nil: nothing is kept.
	Backup func(context.Context, io.Writer) error

	// Version is what System.Version answers; digests and adapters are filled in. nil: empty.
	Version *caiov1.VersionResponse
	// Logger takes a record of each call at debug, of each internal error at error. nil: none.
	Logger *slog.Logger
	// Now is the clock of the uptime. nil: time.Now.
	Now func() time.Time
}

// defaultMaxBodyBytes holds a long conversation or a short recording; contracts are at most 1 MiB.
const defaultMaxBodyBytes = 4 << 20

// compressMinBytes: below it an answer goes out as it is. A decision among some dozen services has about 16 KB; packing
// and unpacking it takes more time than deciding, and as long as a link of 100 Mbit/s takes for what it saves.
const compressMinBytes = 32 << 10

var (
	errDraining       = errors.New("the server is shutting down")
	errUnknownService = errors.New("no such service here")
)

// Server is the API as an http.Handler, and the loop that serves it. Create it with New. Safe for concurrent use.
type Server struct {
	opts    Options
	start   time.Time
	handler http.Handler

	// draining ends when the shutdown begins: not a request's context but the server's own, so that streams can hang
	// on to it with context.AfterFunc.
	draining context.Context
	drain    context.CancelFunc
}

// New builds the API. It fails on options that do not go together and on rules in the schema that do not compile.
func New(opts Options) (*Server, error) {
	if opts.Verifier == nil && !opts.InsecureDev {
		return nil, errors.New("build server: without keys to verify tokens nobody could call; only InsecureDev may do without")
	}
	if slices.Contains(opts.AllowedOrigins, "*") && !opts.InsecureDev {
		return nil, errors.New(`build server: allowed origin "*" lets every web page call with its visitor's token; list the origins`)
	}
	if opts.MaxBodyBytes == 0 {
		opts.MaxBodyBytes = defaultMaxBodyBytes
	}
	if opts.Grace == 0 {
		opts.Grace = 30 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Server{opts: opts, start: opts.Now()}
	s.draining, s.drain = context.WithCancel(context.Background())
	handler, err := s.build()
	if err != nil {
		return nil, fmt.Errorf("build server: %w", err)
	}
	s.handler = handler
	if opts.InsecureDev {
		opts.Logger.Warn("INSECURE: callers need no token and are admins; never expose this port")
	}
	return s, nil
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Drain makes the server say that it is about to end: health is "draining" and watches end cleanly, while requests are
// still served. Serve does it by itself; it is for callers who serve the handler otherwise. Further calls do nothing.
func (s *Server) Drain() { s.drain() }

func (s *Server) isDraining() bool { return s.draining.Err() != nil }

// serves tells whether this is the full name of a service served here.
func (s *Server) serves(service string) bool { return slices.Contains(serviceNames(), service) }

func serviceNames() []string {
	return []string{
		caiov1connect.OrchestratorServiceName, caiov1connect.RegistryServiceName,
		caiov1connect.TraceServiceName, caiov1connect.PolicyServiceName, caiov1connect.WorkflowServiceName,
		caiov1connect.SystemServiceName, caiov1connect.AdminServiceName, caiov1connect.AdapterServiceName,
	}
}

// build mounts all services, outermost first: origins, then the body's form and limit, then what each service asks for.
func (s *Server) build() (http.Handler, error) {
	validator, err := newValidator()
	if err != nil {
		return nil, err
	}
	open := []connect.HandlerOption{
		connect.WithHandlerOptions(codecs()...),
		zipped(int64(s.opts.MaxBodyBytes)),
		connect.WithCompressMinBytes(compressMinBytes),
		connect.WithInterceptors(&edge{logger: s.opts.Logger}),
		connect.WithRecover(recovered(s.opts.Logger)),
		connect.WithInterceptors(reader{}, validate.NewInterceptor(validate.WithValidator(validator))),
	}
	guard := &gate{verifier: s.opts.Verifier, insecure: s.opts.InsecureDev, logger: s.opts.Logger}
	gated := append(slices.Clone(open), connect.WithRequestGate(guard.admit))

	sys := &system{server: s}
	mux := http.NewServeMux()
	limit := int64(s.opts.MaxBodyBytes)
	writer := connect.NewErrorWriter(open...)
	mount := func(path string, h http.Handler) { mux.Handle(path, understood(limited(h, limit, writer), writer)) }
	mount(caiov1connect.NewOrchestratorServiceHandler(&orchestrator{s.opts.Engine}, gated...))
	mount(caiov1connect.NewRegistryServiceHandler(&registry{s.opts.Engine, s.opts.Schema, s.draining}, gated...))
	log := &traces{log: s.opts.Traces, engine: s.opts.Engine, draining: s.draining, now: s.opts.Now}
	mount(caiov1connect.NewTraceServiceHandler(log, gated...))
	mount(caiov1connect.NewPolicyServiceHandler(newPolicies(s), gated...))
	mount(caiov1connect.NewWorkflowServiceHandler(&workflows{s.opts.Engine}, gated...))
	mount(caiov1connect.NewSystemServiceHandler(sys, open...))
	path, modules := caiov1connect.NewAdapterServiceHandler(&adapters{s.opts.Engine, s.opts.Logger}, append(slices.Clone(gated), zipped(maxAdapterBytes))...)
	mux.Handle(path, understood(limited(modules, max(limit, maxAdapterBytes), writer), writer))
	// A backup goes to a file, and compressing it would take a processor from those who are served.
	mount(caiov1connect.NewAdminServiceHandler(newAdmin(s), append(slices.Clone(gated), connect.WithCompressMinBytes(math.MaxInt))...))
	// Strangers may call it, and gzip as connect brings it has no limit on what comes out.
	mount(grpchealth.NewHandler(sys, connect.WithReadMaxBytes(s.opts.MaxBodyBytes)))
	mux.Handle("GET /health", sys)
	published, err := newPublication(s.opts.Traces, s.opts.Logger)
	if err != nil {
		return nil, err
	}
	published.mount(mux)
	views := &audit{traces: log, guard: guard, validator: validator, logger: s.opts.Logger}
	for _, root := range []string{"/audit", "/api/v1/audit"} {
		mux.Handle("GET "+root+"/traces", views.all())
		mux.Handle("GET "+root+"/violations", views.violations())
	}

	// A reflection stream stays open as long as its client likes: the limit is on each of its messages, not on all.
	reflector := grpcreflect.NewStaticReflector(append(serviceNames(), grpchealth.HealthV1ServiceName)...)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, connect.WithReadMaxBytes(s.opts.MaxBodyBytes)))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, connect.WithReadMaxBytes(s.opts.MaxBodyBytes)))
	return withOrigins(mux, s.opts.AllowedOrigins), nil
}

// withOrigins lets pages of these origins call h. Without origins nothing is added: rs/cors takes an empty list for all.
func withOrigins(h http.Handler, origins []string) http.Handler {
	if len(origins) == 0 {
		return h
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: append(connectcors.AllowedMethods(), http.MethodHead),
		AllowedHeaders: append(connectcors.AllowedHeaders(), "Authorization"),
		ExposedHeaders: append(connectcors.ExposedHeaders(), "Retry-After", "WWW-Authenticate"),
		MaxAge:         int((2 * time.Hour).Seconds()),
	}).Handler(h)
}

// newValidator compiles the rules of every request there is, once: the first caller does not pay for it, and a rule
// that does not compile stops the server from starting instead of failing a call.
func newValidator() (protovalidate.Validator, error) {
	return protovalidate.New(protovalidate.WithDisableLazy(), protovalidate.WithMessageDescriptors(requests()...))
}

// requests are the messages that callers send, to any method of any service.
func requests() []protoreflect.MessageDescriptor {
	var out []protoreflect.MessageDescriptor
	for _, file := range []protoreflect.FileDescriptor{
		caiov1.File_caio_v1_orchestrator_proto, caiov1.File_caio_v1_registry_proto,
		caiov1.File_caio_v1_trace_proto, caiov1.File_caio_v1_policy_proto, caiov1.File_caio_v1_workflow_proto,
		caiov1.File_caio_v1_system_proto, caiov1.File_caio_v1_admin_proto, caiov1.File_caio_v1_adapter_proto,
	} {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				out = append(out, methods.Get(j).Input())
			}
		}
	}
	return out
}
