package engine_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/gateway"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// house is an engine with every real part below it: CUE, OPA, wazero, Badger in memory, HTTP on loopback.
type house struct {
	*engine.Engine
	schema *contract.Schema
	traces *trace.Log
	store  *store.Store
}

// shipped compiles the shipped adapters once for all tests; the process's end releases them.
var shipped = sync.OnceValues(func() (*adapter.Catalog, error) {
	wasm, err := os.ReadFile("../../cmd/caio/shipped/adapters.wasm")
	if err != nil {
		return nil, fmt.Errorf("%w: run 'make adapters' first", err)
	}
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "caio-engine-test-*")
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

func newHouse(t testing.TB, rego fs.FS, contracts ...string) *house {
	t.Helper()
	return newHouseWith(t, engine.NewHistory(slow), rego, contracts...)
}

// slow is a half-life of which no test, however slow its machine, sees a tick.
const slow = 1000 * time.Hour

// newHouseWith is a house that remembers history.
func newHouseWith(t testing.TB, history *engine.History, rego fs.FS, contracts ...string) *house {
	t.Helper()
	return newHouseFrom(t, engine.Options{History: history}, rego, contracts...)
}

// newHouseOf is a house whose policies come from origin.
func newHouseOf(t testing.TB, origin engine.PolicyOrigin, rego fs.FS, contracts ...string) *house {
	t.Helper()
	return newHouseFrom(t, engine.Options{Origin: origin}, rego, contracts...)
}

// newHouseFrom is a house built from opts, whose parts below the engine it makes; the log and the gateway only if opts has none.
func newHouseFrom(t testing.TB, opts engine.Options, rego fs.FS, contracts ...string) *house {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	h := &house{}
	var err error
	h.schema, err = contract.NewSchema()
	must(err)
	set, err := policy.Load(rego)
	must(err)
	h.store, err = store.Open("", store.Options{InMemory: true})
	must(err)
	t.Cleanup(func() { must(h.store.Close()) })
	if h.traces = opts.Traces; h.traces == nil {
		h.traces, err = trace.Open(h.store.Traces(), trace.Options{})
		must(err)
	}
	t.Cleanup(func() { must(h.traces.Close()) })
	gw := opts.Gateway
	if gw == nil {
		gw = gateway.New(gateway.Options{})
		t.Cleanup(func() { must(gw.Close()) })
	}
	catalog, err := shipped()
	must(err)
	opts.CheckShare = 1
	opts.Policies, opts.Adapters, opts.Gateway, opts.Traces, opts.Store, opts.Schema = set, catalog, gw, h.traces, h.store, h.schema
	h.Engine, err = engine.New(opts)
	must(err)
	t.Cleanup(func() {
		must(h.Close())
		if n := h.PolicyHealth().Differences; n > 0 {
			t.Errorf("OPA says something else of %d decisions", n)
		}
	})
	for _, source := range contracts {
		_, err := h.Register(t.Context(), h.parse(t, source))
		must(err)
	}
	return h
}

// Decide is the engine's, with the decision decoded.
func (h *house) Decide(ctx context.Context, in *caiov1.DecideRequest) (*caiov1.DecideResponse, error) {
	answer, err := h.Engine.Decide(ctx, in)
	if err != nil {
		return nil, err
	}
	return schema.Decoded(answer)
}

// Orchestrate is the engine's, with the decision decoded.
func (h *house) Orchestrate(ctx context.Context, in *caiov1.OrchestrateRequest, emit engine.Emit) (*caiov1.OrchestrateResponse, error) {
	answer, err := h.Engine.Orchestrate(ctx, in, emit)
	if err != nil {
		return nil, err
	}
	return schema.Decoded(answer)
}

func (h *house) parse(t testing.TB, source string) *contract.Contract {
	t.Helper()
	c, err := h.schema.Parse("test.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lastTrace returns the newest trace.
func (h *house) lastTrace(t testing.TB) *caiov1.Trace {
	t.Helper()
	list, _, err := h.traces.List(t.Context(), trace.Query{Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatalf("list traces: %v, %d of them", err, len(list))
	}
	return list[0].GetTrace()
}

// upstream answers each execution with the JSON that answer returns; status 0 makes it an event stream.
func upstream(t testing.TB, answer func(n int) (status int, body string)) *httptest.Server {
	var mu sync.Mutex
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		status, body := answer(n)
		mu.Unlock()
		if status == 0 { // an event stream
			status = http.StatusOK
			w.Header().Set("Content-Type", "text/event-stream")
		} else {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s
}

func logger(to io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }

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

// request asks for detection as an authenticated user.
func request(change ...func(*caiov1.Request)) *caiov1.Request {
	r := &caiov1.Request{
		Capabilities: []string{"detect"},
		Intent: &caiov1.Intent{Body: &caiov1.Intent_Payload{Payload: &structpb.Struct{Fields: map[string]*structpb.Value{
			"text": structpb.NewStringValue("secret words")}}}},
		Principal: &caiov1.Principal{Subject: "u1", Tenant: "acme", Roles: []string{"user"}, Authenticated: true},
	}
	for _, c := range change {
		c(r)
	}
	return r
}
