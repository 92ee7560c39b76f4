package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

var _ gateway.Stepper = (*adapter.Adapter)(nil)

// shipped compiles the module of the shipped adapters, as `make adapters` does, and loads it.
func shipped(t *testing.T) *adapter.Catalog {
	t.Helper()
	out := filepath.Join(t.TempDir(), "adapters.wasm")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	build.Dir = filepath.Join("..", "..", "plugins")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the shipped adapters: %v\n%s", err, said)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	r, err := adapter.Open(t.Context(), adapter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	m, err := r.Load(t.Context(), "shipped", raw)
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := adapter.NewCatalog(m)
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

// The adapters as they are shipped, in their sandbox, against servers on loopback.
func TestShippedAdapters(t *testing.T) {
	catalog := shipped(t)
	t.Run("openai", func(t *testing.T) { testOpenAI(t, find(t, catalog, "openai")) })
	t.Run("http", func(t *testing.T) { testHTTP(t, find(t, catalog, "http")) })
}

func find(t *testing.T, c *adapter.Catalog, name string) *adapter.Adapter {
	t.Helper()
	a, err := c.Find(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testOpenAI(t *testing.T, a *adapter.Adapter) {
	const usage = `"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}`
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer "+sesame || !strings.Contains(string(sent), `"say hello"`) {
			t.Errorf("%s %v %s", r.URL, r.Header, sent)
		}
		switch {
		case strings.Contains(string(sent), `"unknown"`):
			w.WriteHeader(404)
			io.WriteString(w, `{"error":{"message":"no model unknown","type":"invalid_request_error"}}`)
		case strings.Contains(string(sent), `"stream":true`):
			w.Header().Set("Content-Type", "text/event-stream")
			for _, piece := range []string{"hel", "lo"} {
				fmt.Fprintf(w, "data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", piece)
				w.(http.Flusher).Flush()
			}
			if strings.Contains(string(sent), `"cut"`) {
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, "data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n")
			io.WriteString(w, "data: {\"model\":\"m-1\",\"choices\":[],"+usage+"}\n\ndata: [DONE]\n\n")
		default:
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],`+usage+`}`)
		}
	})
	in, out := 0.5, 2.0
	contract := contractAt(server.URL)
	contract.Adapter.Settings = settings(t, map[string]any{"timeout_ms": 20000})
	contract.Adapter.Auth = &caiov1.Auth{Scheme: "bearer", Secret: "k"}
	contract.Cost = &caiov1.Cost{PerToken: &caiov1.TokenCost{In: &in, Out: &out}, Currency: "USD"}
	g := open(t, gateway.Options{Secrets: gateway.SecretSet{"K": {Value: sesame, Hosts: []string{host(server.URL)}}}})
	chat := func(model string, stream bool, into *strings.Builder) (*gateway.Outcome, *gateway.Error) {
		return execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: a, Stream: stream, Emit: collect(into),
			Intent: &caiov1.Intent{Type: "chat", Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{Model: model, Messages: []*caiov1.ChatMessage{{Role: "user", Content: "say hello"}}}}}})
	}
	for _, stream := range []bool{false, true} {
		var said strings.Builder
		got, e := chat("m", stream, &said)
		if e != nil {
			t.Fatal(e)
		}
		if got.Result.GetChat().GetMessage().GetContent() != "hello" || got.Result.GetChat().GetFinishReason() != "stop" || got.Result.GetModel() != "m-1" || stream != (said.String() == "hello") {
			t.Errorf("stream %v: %v, %q", stream, got.Result, said.String())
		}
		if got.Observed.GetCost() != 7.5 || got.Observed.GetHttpStatus() != 200 || got.Observed.GetCalls() != 1 {
			t.Errorf("observed %v", got.Observed)
		}
	}
	var said strings.Builder
	_, e := chat("cut", true, &said)
	wantCode(t, e, gateway.CodeExecution)
	if said.String() != "hello" || !e.Sent {
		t.Errorf("%q, %+v", said.String(), e)
	}
	_, e = chat("unknown", false, &said)
	wantCode(t, e, gateway.CodeExecution, "404", "no model unknown")

	var all sync.WaitGroup
	for range 8 { // more than there are instances
		all.Go(func() {
			var said strings.Builder
			if _, e := chat("m", true, &said); e != nil || said.String() != "hello" {
				t.Errorf("%q, %v", said.String(), e)
			}
		})
	}
	all.Wait()
}

func testHTTP(t *testing.T, a *adapter.Adapter) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, io.MultiReader(strings.NewReader(`{"data":{"sent":`), r.Body, strings.NewReader(`}}`)))
	})
	contract := contractAt(server.URL)
	contract.Adapter.Settings = settings(t, map[string]any{"path": "/detect", "body": map[string]any{"q": "{{/payload/text}}"}, "output": "/data/sent"})
	out, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contract, Adapter: a,
		Intent: &caiov1.Intent{Type: "detect", Body: &caiov1.Intent_Payload{Payload: &structpb.Struct{Fields: map[string]*structpb.Value{"text": structpb.NewStringValue("Grüße")}}}}})
	if e != nil || out.Result.GetOutput().GetFields()["q"].GetStringValue() != "Grüße" {
		t.Errorf("%v, %v", out, e)
	}
}
