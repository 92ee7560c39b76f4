//go:build clients

package main

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestClients routes a request and reads its trace with every client that people use: each speaks to the same running
// server, none has the proto files but gRPC-Web's.
func TestClients(t *testing.T) {
	upstream := instantUpstream(t)
	h := startHouse(t, t.TempDir())
	h.register(t, "echo-1", upstream.URL)
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	tool := func(t *testing.T, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = root
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
		}
		return string(out)
	}
	const body = `{"request": {"capabilities": ["echo"], "intent": {"type": "echo", "payload": {"text": "hello"}}}}`
	authorization := "Authorization: Bearer " + h.token

	t.Run("curl", func(t *testing.T) {
		post := func(method, body string) string {
			return command(t, "curl", "-sSf", h.url+"/caio.v1."+method, "-H", "Content-Type: application/json", "-H", authorization, "-d", body)
		}
		id := traceOf(t, post("OrchestratorService/Orchestrate", body))
		wantTrace(t, id, post("TraceService/Get", `{"trace_id": "`+id+`"}`))
	})
	t.Run("grpcurl", func(t *testing.T) {
		address := strings.TrimPrefix(h.url, "http://")
		call := func(method, body string) string {
			return tool(t, "tool", "-modfile="+filepath.Join("tools", "grpcurl.mod"), "grpcurl", "-plaintext", "-H", authorization,
				"-d", body, address, "caio.v1."+method)
		}
		id := traceOf(t, call("OrchestratorService/Orchestrate", body))
		wantTrace(t, id, call("TraceService/Get", `{"trace_id": "`+id+`"}`))
	})
	t.Run("buf curl", func(t *testing.T) {
		call := func(method, body string) string {
			return tool(t, "tool", "-modfile="+filepath.Join("tools", "buf.mod"), "buf", "curl", "--protocol", "grpc", "--http2-prior-knowledge",
				"-H", authorization, "-d", body, h.url+"/caio.v1."+method)
		}
		id := traceOf(t, call("OrchestratorService/Orchestrate", body))
		wantTrace(t, id, call("TraceService/Get", `{"trace_id": "`+id+`"}`))
	})
	t.Run("gRPC-Web", func(t *testing.T) {
		answer, err := h.orchestrator(connect.WithGRPCWeb()).Orchestrate(context.Background(), connect.NewRequest(echoRequest()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.traces(connect.WithGRPCWeb()).Get(context.Background(),
			connect.NewRequest(&caiov1.TraceServiceGetRequest{TraceId: answer.Msg.GetTraceId()}))
		if err != nil {
			t.Fatal(err)
		}
		if s := got.Msg.GetTrace().GetTrace().GetServiceId(); s != "echo-1" {
			t.Errorf("trace names service %q", s)
		}
	})
	t.Run("caio", func(t *testing.T) {
		list := command(t, binary(t), "trace", "list", "--server", h.url, "--token", h.token, "-o", "json")
		if n := strings.Count(list, `"echo-1"`); n < 4 {
			t.Errorf("the four traces are not listed: %s", list)
		}
	})
}

// traceOf returns the trace id of an answer in JSON, under either of its names.
func traceOf(t *testing.T, answer string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(answer), &fields); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	for _, name := range []string{"trace_id", "traceId"} {
		if id, ok := fields[name].(string); ok && id != "" {
			return id
		}
	}
	t.Fatalf("no trace id in %s", answer)
	return ""
}

func wantTrace(t *testing.T, id, answer string) {
	t.Helper()
	if !strings.Contains(answer, id) || !strings.Contains(answer, "echo-1") {
		t.Errorf("the trace %s is not in %s", id, answer)
	}
}
