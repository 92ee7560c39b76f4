package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/gateway"
	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/server"
	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// house is a server on loopback with every real part below it: CUE, OPA, wazero, Badger in memory, HTTP.
type house struct {
	*server.Server
	engine *engine.Engine
	schema *contract.Schema
	url    string
	keys   *issuer
	logs   *lockedBuffer
	stop   context.CancelFunc // tells Serve to end
	served chan error         // what Serve returned
	http1  *http.Client
	http2  *http.Client
}

// setup is what a test wants otherwise than usual.
type setup struct {
	contracts []string
	rego      map[string]string
	rand      *engine.Options // its Rand, if any
	options   func(*server.Options)
}

// shipped compiles the shipped adapters once for all tests; the process's end releases them.
var shipped = sync.OnceValues(func() (*adapter.Catalog, error) {
	wasm, err := os.ReadFile("../../cmd/caio/shipped/adapters.wasm")
	if err != nil {
		return nil, fmt.Errorf("%w: run 'make adapters' first", err)
	}
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "caio-server-test-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	runtime, err := adapter.Open(ctx, adapter.Options{CacheDir: dir})
	if err != nil {
		return nil, err
	}
	module, err := runtime.Load(ctx, "shipped", wasm)
	if err != nil {
		return nil, err
	}
	return adapter.NewCatalog(module)
})

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newHouse(t testing.TB, with setup) *house {
	t.Helper()
	h := &house{keys: newIssuer(t), logs: &lockedBuffer{}, served: make(chan error, 1)}
	var err error
	h.schema, err = contract.NewSchema()
	must(t, err)
	set, err := policy.Load(defaults(with.rego))
	must(t, err)
	st, err := store.Open("", store.Options{InMemory: true})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	traces, err := trace.Open(st.Traces(), trace.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, traces.Close()) })
	gw := gateway.New(gateway.Options{})
	t.Cleanup(func() { must(t, gw.Close()) })
	catalog, err := shipped()
	must(t, err)
	opts := engine.Options{Policies: set, Adapters: catalog, Gateway: gw, Traces: traces, Store: st, Schema: h.schema}
	if with.rand != nil {
		opts.Rand = with.rand.Rand
	}
	h.engine, err = engine.New(opts)
	must(t, err)
	t.Cleanup(func() { must(t, h.engine.Close()) })
	for _, source := range with.contracts {
		h.register(t, source)
	}
	serverOpts := server.Options{
		Engine: h.engine, Traces: traces, Schema: h.schema, Verifier: h.keys.verifier,
		Logger: slog.New(slog.NewTextHandler(h.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if with.options != nil {
		with.options(&serverOpts)
	}
	h.Server, err = server.New(serverOpts)
	must(t, err)
	h.serve(t)
	return h
}

// serve runs the server until the test ends, or until the test calls h.stop and waits for h.served itself.
func (h *house) serve(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	h.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.served <- h.Serve(ctx, listener)
	}()
	h.http1, h.http2 = client((*http.Protocols).SetHTTP1), client((*http.Protocols).SetUnencryptedHTTP2)
	t.Cleanup(func() {
		h.http1.CloseIdleConnections()
		h.http2.CloseIdleConnections()
		stop()
		<-done
		select {
		case err := <-h.served:
			must(t, err)
		default: // the test has it
		}
	})
}

func client(set func(*http.Protocols, bool)) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	set(transport.Protocols, true)
	return &http.Client{Transport: transport}
}

func (h *house) register(t testing.TB, source string) *contract.Service {
	t.Helper()
	c, err := h.schema.Parse("test.yaml", []byte(source))
	must(t, err)
	service, err := h.engine.Register(t.Context(), c)
	must(t, err)
	return service
}

// api is every service over one protocol, with one caller's token.
type api struct {
	caiov1connect.OrchestratorServiceClient
	registry caiov1connect.RegistryServiceClient
	traces   caiov1connect.TraceServiceClient
	policies caiov1connect.PolicyServiceClient
	system   caiov1connect.SystemServiceClient
	admin    caiov1connect.AdminServiceClient
}

func (h *house) api(token string, options ...connect.ClientOption) *api {
	return h.apiOver(h.http1, token, options...)
}

func (h *house) apiOver(client *http.Client, token string, options ...connect.ClientOption) *api {
	if token != "" {
		options = append(options, connect.WithInterceptors(authorization(token)))
	}
	return &api{
		caiov1connect.NewOrchestratorServiceClient(client, h.url, options...),
		caiov1connect.NewRegistryServiceClient(client, h.url, options...),
		caiov1connect.NewTraceServiceClient(client, h.url, options...),
		caiov1connect.NewPolicyServiceClient(client, h.url, options...),
		caiov1connect.NewSystemServiceClient(client, h.url, options...),
		caiov1connect.NewAdminServiceClient(client, h.url, options...),
	}
}

// authorization sends a token with every call.
type authorization string

func (a authorization) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		req.Header().Set("Authorization", "Bearer "+string(a))
		return next(ctx, req)
	}
}

func (a authorization) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		conn.RequestHeader().Set("Authorization", "Bearer "+string(a))
		return conn
	}
}

func (a authorization) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// issuer mints the tokens that the house accepts.
type issuer struct {
	verifier *identity.Verifier
	key      *identity.PrivateKey
}

const tokenIssuer, tokenAudience = "https://issuer.test", "caio"

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	key, err := identity.GenerateKey()
	must(t, err)
	public, err := identity.PublicSet(key)
	must(t, err)
	keys, err := identity.LoadKeys(public)
	must(t, err)
	verifier, err := identity.New(identity.Options{Keys: keys, Issuer: tokenIssuer, Audience: tokenAudience})
	must(t, err)
	return &issuer{verifier, key}
}

// token is a token of u1, of this tenant, with these roles.
func (i *issuer) token(t testing.TB, tenant string, roles ...string) string {
	t.Helper()
	return i.mint(t, tenant, time.Now(), roles...)
}

func (i *issuer) mint(t testing.TB, tenant string, at time.Time, roles ...string) string {
	t.Helper()
	token, err := identity.Mint(i.key, identity.Claims{
		Issuer: tokenIssuer, Audience: tokenAudience, Subject: "u1", Tenant: tenant, Roles: roles, TrustLevel: 5,
		IssuedAt: at, TTL: time.Hour,
	})
	must(t, err)
	return token
}

// upstream is a service that answers each execution with what answer returns.
func upstream(t testing.TB, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s
}

// detected answers as a language detector does.
func detected(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"output":{"language":"eng"},"metadata":{"confidence":0.99}}`))
}

// defaults is the policy set that ships, with more beside it.
func defaults(more map[string]string) fs.FS {
	over := fstest.MapFS{}
	for path, rego := range more {
		over[path] = &fstest.MapFile{Data: []byte(rego)}
	}
	return policies.Overlay(policies.FS(), over)
}

// service is a contract whose lines beyond the least are extra.
func service(id, extra string) string {
	return fmt.Sprintf("service_id: %s\nname: %s\nversion: 1.0.0\ncapabilities: [detect]\n%s\n", id, id, extra)
}

// reachable makes a service executable at url.
func reachable(id, url, extra string) string {
	return service(id, fmt.Sprintf("privacy: {data_locality: local}\napi: {protocol: http, base_url: %q}\n"+
		"adapter: {plugin: http, settings: {path: /, output: /output, metadata: /metadata}}\n%s", url, extra))
}

// chatService speaks to an OpenAI-compatible server at url.
func chatService(id, url string) string {
	return fmt.Sprintf("service_id: %s\nname: %s\nversion: 1.0.0\ncapabilities: [chat]\nprivacy: {data_locality: local}\n"+
		"api: {protocol: http, base_url: %q}\nadapter: {plugin: openai, settings: {model: m}}\n", id, id, url)
}

func detection() *caiov1.Request { return &caiov1.Request{Capabilities: []string{"detect"}} }

func conversation() *caiov1.Request {
	chat := &caiov1.Chat{Messages: []*caiov1.ChatMessage{{Role: "user", Content: "hi"}}}
	return &caiov1.Request{Capabilities: []string{"chat"}, Intent: &caiov1.Intent{Body: &caiov1.Intent_Chat{Chat: chat}}}
}

// lockedBuffer takes log lines from all goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// errorOf is the caio.v1.Error in err, and its connect code.
func errorOf(t testing.TB, err error) (*caiov1.Error, connect.Code) {
	t.Helper()
	e, _ := detailsOf(err)
	if e == nil {
		t.Fatalf("error without detail: %v", err)
	}
	return e, connect.CodeOf(err)
}

// detailsOf are the two kinds of details the server sends.
func detailsOf(err error) (e *caiov1.Error, v *caiov1.ValidateResponse) {
	wire, ok := err.(*connect.Error)
	if !ok {
		return nil, nil
	}
	for _, d := range wire.Details() {
		m, err := d.Value()
		if err != nil {
			continue
		}
		switch m := m.(type) {
		case *caiov1.Error:
			e = m
		case *caiov1.ValidateResponse:
			v = m
		}
	}
	return e, v
}
