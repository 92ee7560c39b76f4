//go:build bench || clients || soak

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

var binaryPath = flag.String("caio", "", "the program under test (default: bin/caio of the repository)")

// binary is what `make build` built; these tests are about the program that people run.
func binary(t testing.TB) string {
	t.Helper()
	if *binaryPath != "" {
		return *binaryPath
	}
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "bin", "caio")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run 'make build' first", err)
	}
	return path
}

// instantUpstream answers every request at once with a small JSON document.
func instantUpstream(t testing.TB) *httptest.Server {
	answer := []byte(`{"output":{"language":"eng","text":"` + strings.Repeat("x", 500) + `"},"metadata":{"confidence":0.99}}`)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(s.Close)
	return s
}

// echoContract is the contract of one more service at upstream.
func echoContract(id, version, upstream string) []byte {
	return fmt.Appendf(nil, `
service_id: %s
name: Echo %s
version: %s
capabilities: [echo]
guarantees: {accuracy: 0.9, p95_latency_ms: 500}
cost: {per_request: 0.001}
privacy: {data_locality: local}
api: {protocol: http, base_url: %q}
adapter: {plugin: http, settings: {path: /v1/execute, output: /output, metadata: /metadata}}
`, id, id, version, upstream)
}

// house is a running `caio serve` and what is needed to call it.
type house struct {
	url, data, token string
	cmd              *exec.Cmd
	log              *bytes.Buffer
	httpClient       *http.Client
}

// startHouse runs serve on a free port over data, with keys made by the real commands, and waits until it serves.
func startHouse(t testing.TB, data string, args ...string) *house {
	t.Helper()
	caio := binary(t)
	keys := filepath.Join(data, "keys")
	if _, err := os.Stat(keys); err != nil {
		command(t, caio, "token", "keygen", "--dir", keys)
	}
	h := &house{data: data, log: &bytes.Buffer{}}
	h.token = strings.TrimSpace(command(t, caio, "token", "mint", "--key", filepath.Join(keys, "private.jwk"), "--subject", "test",
		"--role", "admin", "--role", "user", "--permission", "read", "--trust", "5", "--ttl", "1h"))
	addr := freeAddr(t)
	h.url = "http://" + addr
	h.cmd = exec.Command(caio, append([]string{"serve", "--addr", addr, "--data", filepath.Join(data, "house"),
		"--jwks", filepath.Join(keys, "jwks.json")}, args...)...)
	h.cmd.Stderr = h.log
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.stop(t) })
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	h.httpClient = &http.Client{Transport: transport}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		response, err := h.httpClient.Get(h.url + "/health")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return h
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server did not come up: %v\n%s", err, h.log)
		}
	}
}

// stop ends the server as an operator would. Further calls do nothing.
func (h *house) stop(t testing.TB) {
	if h.cmd.ProcessState != nil {
		return
	}
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	if err := h.cmd.Wait(); err != nil {
		t.Errorf("server ended with %v\n%s", err, h.log)
	}
}

// kill ends it as a power cut would.
func (h *house) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

func (h *house) options() []connect.ClientOption {
	return []connect.ClientOption{connect.WithInterceptors(withToken(h.token))}
}

func (h *house) orchestrator(extra ...connect.ClientOption) caiov1connect.OrchestratorServiceClient {
	return caiov1connect.NewOrchestratorServiceClient(h.httpClient, h.url, append(h.options(), extra...)...)
}

func (h *house) registry() caiov1connect.RegistryServiceClient {
	return caiov1connect.NewRegistryServiceClient(h.httpClient, h.url, h.options()...)
}

func (h *house) traces(extra ...connect.ClientOption) caiov1connect.TraceServiceClient {
	return caiov1connect.NewTraceServiceClient(h.httpClient, h.url, append(h.options(), extra...)...)
}

// register brings an echo service into force.
func (h *house) register(t testing.TB, id, upstream string) {
	t.Helper()
	h.inForce(t, echoContract(id, "1.0.0", upstream))
}

// inForce brings a contract into force.
func (h *house) inForce(t testing.TB, source []byte) {
	t.Helper()
	_, err := h.registry().Register(context.Background(), connect.NewRequest(&caiov1.RegisterRequest{
		Form: &caiov1.RegisterRequest_Source{Source: &caiov1.Source{Content: source}},
	}))
	if err != nil {
		t.Fatal(err)
	}
}

func withToken(token string) connect.Interceptor {
	return connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			req.Header().Set("Authorization", "Bearer "+token)
			return next(ctx, req)
		}
	})
}

func echoRequest() *caiov1.OrchestrateRequest {
	return &caiov1.OrchestrateRequest{Request: &caiov1.Request{
		Capabilities: []string{"echo"},
		Intent:       &caiov1.Intent{Type: "echo", Body: &caiov1.Intent_Payload{Payload: object("text", "hello")}},
	}}
}

func command(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// object returns {key: value}.
func object(key, value string) *structpb.Struct {
	return &structpb.Struct{Fields: map[string]*structpb.Value{key: structpb.NewStringValue(value)}}
}

// said returns the code and the message of err; empty for none.
func said(err error) (code, message string) {
	var ce *connect.Error
	if !errors.As(err, &ce) {
		if err != nil {
			return "no connect error", err.Error()
		}
		return "", ""
	}
	for _, d := range ce.Details() {
		if v, err := d.Value(); err == nil {
			if e, ok := v.(*caiov1.Error); ok {
				code = e.GetCode()
			}
		}
	}
	return code, ce.Message()
}

// residentMB returns pid's resident memory.
func residentMB(t *testing.T, pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb / 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
