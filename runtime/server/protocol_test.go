package server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// protocols are all ways to speak to the one port.
func protocols(h *house, token string) map[string]*api {
	return map[string]*api{
		"Connect, HTTP/1.1":       h.apiOver(h.http1, token),
		"Connect, h2c":            h.apiOver(h.http2, token),
		"Connect JSON, HTTP/1.1":  h.apiOver(h.http1, token, connect.WithProtoJSON()),
		"gRPC, h2c":               h.apiOver(h.http2, token, connect.WithGRPC()),
		"gRPC JSON, h2c":          h.apiOver(h.http2, token, connect.WithGRPC(), connect.WithProtoJSON()),
		"gRPC-Web, HTTP/1.1":      h.apiOver(h.http1, token, connect.WithGRPCWeb()),
		"gRPC-Web, h2c":           h.apiOver(h.http2, token, connect.WithGRPCWeb()),
		"Connect, gzip":           h.apiOver(h.http1, token, connect.WithSendGzip()),
		"Connect GET, HTTP/1.1":   h.apiOver(h.http1, token, connect.WithHTTPGet()),
		"gRPC, gzip, h2c":         h.apiOver(h.http2, token, connect.WithGRPC(), connect.WithSendGzip()),
		"Connect JSON, gzip, h2c": h.apiOver(h.http2, token, connect.WithProtoJSON(), connect.WithSendGzip()),
	}
}

func TestEveryProtocolOrchestratesAndReadsTheTrace(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{reachable("one", upstream(t, detected).URL, "")}})
	for name, api := range protocols(h, h.keys.token(t, "acme", "user")) {
		t.Run(name, func(t *testing.T) {
			answer, err := api.Orchestrate(t.Context(), connect.NewRequest(&caiov1.OrchestrateRequest{Request: detection()}))
			must(t, err)
			if got := answer.Msg.GetResult().GetOutput().GetFields()["language"].GetStringValue(); got != "eng" {
				t.Errorf("answer %v", answer.Msg)
			}
			stored, err := api.traces.Get(t.Context(), connect.NewRequest(&caiov1.TraceServiceGetRequest{TraceId: answer.Msg.GetTraceId()}))
			must(t, err)
			principal := stored.Msg.GetTrace().GetTrace().GetRequest().GetPrincipal()
			if principal.GetSubject() != "u1" || principal.GetTenant() != "acme" || !principal.GetAuthenticated() {
				t.Errorf("the trace names %v as caller", principal)
			}
			if stored.Msg.GetTrace().GetHash() != schema.Digest(stored.Msg.GetTrace().GetRaw()) {
				t.Error("the trace's bytes changed on the way")
			}
		})
	}
}

func TestEveryProtocolStreams(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hel\"}}]}\n\n"+
			"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	})
	h := newHouse(t, setup{contracts: []string{chatService("llm", up.URL)}})
	for name, api := range protocols(h, h.keys.token(t, "acme", "user")) {
		t.Run(name, func(t *testing.T) {
			text, response, err := receive(t, api, conversation())
			must(t, err)
			if text != "Hello" || response.GetResult().GetChat().GetMessage().GetContent() != "Hello" || response.GetTraceId() == "" {
				t.Errorf("pieces %q, at the end %v", text, response)
			}
		})
	}
}

// receive returns the pieces, put together, and what came at the end.
func receive(t *testing.T, api *api, request *caiov1.Request) (string, *caiov1.OrchestrateResponse, error) {
	t.Helper()
	stream, err := api.OrchestrateStream(t.Context(), connect.NewRequest(&caiov1.OrchestrateStreamRequest{Request: request}))
	must(t, err)
	defer stream.Close()
	var text string
	var response *caiov1.OrchestrateResponse
	for stream.Receive() {
		if response != nil {
			t.Error("something came after the response")
		}
		text += stream.Msg().GetDelta().GetText()
		response = stream.Msg().GetResponse()
	}
	return text, response, stream.Err()
}

func TestAStreamThatBreaksUpstreamEndsInAnErrorOverEveryProtocol(t *testing.T) {
	up := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hel\"}}]}\n\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // the connection is cut
	})
	h := newHouse(t, setup{})
	for name, api := range protocols(h, h.keys.token(t, "acme", "user")) {
		t.Run(name, func(t *testing.T) {
			// A service of its own for each: one that failed so often would be left alone.
			id := fmt.Sprintf("llm-%d", h.engine.Snapshot().Registry.Revision())
			h.register(t, chatService(id, up.URL))
			defer func() { _, err := h.engine.Remove(t.Context(), id, nil); must(t, err) }()
			text, response, err := receive(t, api, conversation())
			if err == nil || response != nil {
				t.Fatalf("a broken stream ended as if it were whole: %v", response)
			}
			e, _ := errorOf(t, err)
			if text != "Hel" || e.GetTraceId() == "" || e.GetStage() == "" {
				t.Errorf("pieces %q, then %v", text, e)
			}
		})
	}
}

// post sends JSON as any program would, and returns the answer.
func post(t *testing.T, h *house, path, token, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+path, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return do(t, h, r)
}

func do(t *testing.T, h *house, r *http.Request) (*http.Response, string) {
	t.Helper()
	response, err := h.http1.Do(r)
	must(t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	must(t, err)
	return response, string(raw)
}

func TestJSONIsWrittenInTheCanonicalForm(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	response, body := post(t, h, caiov1connect.OrchestratorServiceDecideProcedure, h.keys.token(t, "acme", "user"), `{"request":{"capabilities":["detect"]}}`)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", response.Status, body)
	}
	canonical, err := schema.Canonical([]byte(body))
	must(t, err)
	if string(canonical) != body || !strings.Contains(body, `"service_id":"one"`) {
		t.Errorf("not canonical, or not under the proto's names: %s", body)
	}
}

func TestReadsCanBeGets(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	q := url.Values{"encoding": {"json"}, "message": {`{"service_id":"one"}`}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+caiov1connect.RegistryServiceGetProcedure+"?"+q.Encode(), nil)
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+h.keys.token(t, "acme", "user"))
	if response, body := do(t, h, r); response.StatusCode != http.StatusOK || !strings.Contains(body, `"service_id":"one"`) {
		t.Errorf("%s: %s", response.Status, body)
	}
}

func TestReflectionTellsTheSchemaWithoutAToken(t *testing.T) {
	h := newHouse(t, setup{})
	client := grpcreflect.NewClient(h.http2, h.url, connect.WithGRPC())
	stream := client.NewStream(t.Context())
	defer func() { _, err := stream.Close(); must(t, err) }()
	names, err := stream.ListServices()
	must(t, err)
	for _, want := range []protoreflect.FullName{"caio.v1.OrchestratorService", "caio.v1.RegistryService", "caio.v1.TraceService", "caio.v1.PolicyService", "caio.v1.SystemService", "grpc.health.v1.Health"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not listed in %v", want, names)
		}
	}
	files, err := stream.FileContainingSymbol("caio.v1.OrchestratorService")
	must(t, err)
	if len(files) == 0 || files[0].GetName() != "caio/v1/orchestrator.proto" {
		t.Errorf("got %d files", len(files))
	}
}

func TestWhatNeedsNoTokenNeedsNone(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	api := h.api("")
	version, err := api.system.Version(t.Context(), connect.NewRequest(&caiov1.VersionRequest{}))
	must(t, err)
	if snapshot := h.engine.Snapshot(); version.Msg.GetRegistryDigest() != snapshot.Registry.Digest() ||
		version.Msg.GetPoliciesDigest() != snapshot.Policies.Digest() || len(version.Msg.GetAdapters()) == 0 {
		t.Errorf("version %v", version.Msg)
	}
	health, err := api.system.Health(t.Context(), connect.NewRequest(&caiov1.HealthRequest{}))
	must(t, err)
	if health.Msg.GetStatus() != "serving" || health.Msg.GetServices() != 1 {
		t.Errorf("health %v", health.Msg)
	}
	for _, name := range []string{"", "caio.v1.TraceService"} {
		if response, body := post(t, h, "/grpc.health.v1.Health/Check", "", `{"service":"`+name+`"}`); !strings.Contains(body, `"SERVING_STATUS_SERVING"`) {
			t.Errorf("gRPC health of %q: %s %s", name, response.Status, body)
		}
	}
	if response, body := post(t, h, "/grpc.health.v1.Health/Check", "", `{"service":"nobody"}`); response.StatusCode != http.StatusNotFound {
		t.Errorf("gRPC health of a stranger: %s %s", response.Status, body)
	}
}

func TestHealthTellsLoadBalancersWhenToLookElsewhere(t *testing.T) {
	h := newHouse(t, setup{})
	for _, want := range []struct {
		status int
		body   string
		grpc   string
	}{{200, `"status":"serving"`, `"SERVING_STATUS_SERVING"`}, {503, `"status":"draining"`, `"SERVING_STATUS_NOT_SERVING"`}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/health", nil)
		must(t, err)
		if response, body := do(t, h, r); response.StatusCode != want.status || !strings.Contains(body, want.body) {
			t.Errorf("%s: %s, want %d %s", response.Status, body, want.status, want.body)
		}
		if _, body := post(t, h, "/grpc.health.v1.Health/Check", "", `{}`); !strings.Contains(body, want.grpc) {
			t.Errorf("gRPC health %s, want %s", body, want.grpc)
		}
		h.Drain()
	}
}
