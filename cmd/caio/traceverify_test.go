package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/audit"
	"github.com/smarthausgroup/caio/runtime/tree"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// running is a `caio serve --insecure-dev` in this process, and clients of it.
type running struct {
	url, data    string
	orchestrator caiov1connect.OrchestratorServiceClient
	registry     caiov1connect.RegistryServiceClient
	traces       caiov1connect.TraceServiceClient
	workflows    caiov1connect.WorkflowServiceClient
}

// serveHere runs a server until the test ends.
func serveHere(t *testing.T, flags ...string) *running {
	t.Helper()
	s := &running{data: t.TempDir()}
	ctx, stop := context.WithCancel(context.Background())
	logs, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		line := append([]string{"serve", "--insecure-dev", "--addr", "127.0.0.1:0", "--data", s.data}, flags...)
		code <- execute(ctx, line, strings.NewReader(""), io.Discard, writer)
		_ = writer.Close() // of a pipe in memory: never fails
	}()
	addr, rest := servingAddr(logs)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(rest, logs)
	}()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		got := <-code
		<-drained
		if got != exitOK {
			t.Errorf("server ended with exit code %d:\n%s", got, rest)
		}
	})
	if addr == "" {
		t.Fatalf("server did not start")
	}
	s.url = "http://" + addr
	client := &http.Client{Transport: transport}
	s.orchestrator = caiov1connect.NewOrchestratorServiceClient(client, s.url)
	s.registry = caiov1connect.NewRegistryServiceClient(client, s.url)
	s.traces = caiov1connect.NewTraceServiceClient(client, s.url)
	s.workflows = caiov1connect.NewWorkflowServiceClient(client, s.url)
	return s
}

// register brings the contracts of a directory into force.
func (s *running) register(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no contracts in %s: %v", dir, err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.registry.Register(t.Context(), connect.NewRequest(&caiov1.RegisterRequest{
			Form: &caiov1.RegisterRequest_Source{Source: &caiov1.Source{Filename: filepath.Base(path), Content: raw}},
		}))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

// decide decides a request and returns the trace's id, once the trace is in the tree that is shown.
func (s *running) decide(t *testing.T, r *caiov1.Request) string {
	t.Helper()
	answer, err := s.orchestrator.Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: r, Seed: 7, Durability: "durable"}))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Msg.GetTraceId()
}

func (s *running) bundle(t *testing.T, ask *caiov1.TraceServiceBundleRequest) *caiov1.Bundle {
	t.Helper()
	answer, err := s.traces.Bundle(t.Context(), connect.NewRequest(ask))
	if err != nil {
		t.Fatal(err)
	}
	return answer.Msg.GetBundle()
}

// sizeOf is how many entries the tree of a checkpoint has.
func sizeOf(t *testing.T, signed []byte) uint64 {
	t.Helper()
	c, err := tree.ParseCheckpoint(string(signed))
	if err != nil {
		t.Fatal(err)
	}
	return c.Size
}

func (s *running) key(t *testing.T) tree.Verifier {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.data, "log.key"))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tree.NewSigner(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	key, err := signer.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func requestIn(t *testing.T, path string) *caiov1.Request {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &caiov1.Request{}
	if err := schema.ParseJSON(raw, r); err != nil {
		t.Fatal(err)
	}
	return r
}

func reportText(r *audit.Report) string {
	var b bytes.Buffer
	_ = showReport(&b, r) // of a buffer: never fails
	return b.String()
}

// TestEveryHonestDecisionIsFoundHonest decides every request and workflow of the examples with a real server, and checks
// each trace with what decided beside it: whatever the outcome, nothing is found wrong, and nothing was left unlooked at.
func TestEveryHonestDecisionIsFoundHonest(t *testing.T) {
	examples := filepath.Join("..", "..", "examples")
	s := serveHere(t, "--policy-overlay", filepath.Join(examples, "refusals", "policies"))
	s.register(t, filepath.Join(examples, "refusals", "contracts"))
	s.register(t, filepath.Join(examples, "fields", "contracts"))
	var ids []string
	for _, pattern := range []string{"refusals/*.json", "requests/*.json", "fields/*.json"} {
		paths, err := filepath.Glob(filepath.Join(examples, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no requests as %s: %v", pattern, err)
		}
		for _, path := range paths {
			ids = append(ids, s.decide(t, requestIn(t, path)))
		}
	}
	all, err := s.orchestrator.Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: conversation(), ListAll: true}))
	if err != nil {
		t.Fatal(err)
	}
	ids = append(ids, all.Msg.GetTraceId())
	ids = append(ids, s.workflow(t, nil)...)
	ids = append(ids, s.workflow(t, proto.Float64(1))...)

	earlier := s.bundle(t, &caiov1.TraceServiceBundleRequest{TraceId: ids[0]}).GetLog().GetCheckpoint()
	size := sizeOf(t, earlier)
	ids = append(ids, s.decide(t, &caiov1.Request{}))
	opts := audit.Options{Key: s.key(t), Earlier: [][]byte{earlier}}
	outcomes, workflows := map[string]bool{}, map[string]bool{}
	for _, id := range ids {
		b := s.bundle(t, &caiov1.TraceServiceBundleRequest{TraceId: id, EarlierSize: size, Snapshot: true, Adapters: true})
		r := (&verifyOptions{replay: true}).check(t.Context(), b, opts)
		if !r.OK() {
			t.Errorf("%s", reportText(r))
		}
		trace := &caiov1.Trace{}
		if err := proto.Unmarshal(b.GetTrace(), trace); err != nil {
			t.Fatal(err)
		}
		for _, c := range trace.GetDecision().GetCandidates() {
			outcomes[c.GetOutcome()] = true
		}
		if trace.GetWorkflow() != nil {
			workflows[trace.GetStatus()] = len(trace.GetWorkflow().GetProofs()) > 0
		}
		for _, c := range r.Checks {
			if trace.GetDecision() != nil && (c.Name == audit.Inputs || c.Name == audit.Proofs || c.Name == replayCheck) && c.Outcome != audit.OK {
				t.Errorf("%s is %s", c.Name, c.Outcome)
			}
		}
	}
	if !workflows["decided"] || !workflows["refused"] {
		t.Errorf("workflows with proofs, by status: %v", workflows)
	}
	for _, outcome := range append(steps(), "selected", "eligible") {
		if !outcomes[outcome] {
			t.Errorf("no candidate of the examples is %q, so nothing is known of it", outcome)
		}
	}
}

// conversation is a request that a service of the refused examples can serve.
func conversation() *caiov1.Request {
	return &caiov1.Request{
		Capabilities: []string{"chat"},
		Principal:    &caiov1.Principal{Subject: "u1", Tenant: "mercy", Roles: []string{"user"}, TrustLevel: 9, Authenticated: true, Permissions: []string{"ward:read"}},
		Intent:       &caiov1.Intent{Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{Messages: []*caiov1.ChatMessage{{Role: "user", Content: "hi"}}, MaxTokens: proto.Int32(9)}}},
	}
}

// workflow decides a chain of two steps within a latency, nil for any, and returns the ids of its traces and its own.
func (s *running) workflow(t *testing.T, latency *float64) []string {
	t.Helper()
	answer, err := s.workflows.Decide(t.Context(), connect.NewRequest(&caiov1.WorkflowServiceDecideRequest{Workflow: &caiov1.Workflow{
		Name: "chain", Principal: conversation().GetPrincipal(), MaxLatencyMs: latency, Budget: &caiov1.Budget{MaxCost: 1e6},
		Steps: []*caiov1.Step{
			{Id: "second", Request: &caiov1.Request{Capabilities: []string{"chat"}}, Needs: []string{"first"}},
			{Id: "first", Request: &caiov1.Request{Capabilities: []string{"chat"}}},
		},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{answer.Msg.GetTraceId()}
	for _, step := range answer.Msg.GetDecision().GetSteps() {
		ids = append(ids, step.GetTraceId())
	}
	return ids
}

// TestTheKeyOfALogIsAskedFor asks a server that shows its key, and one that does not.
func TestTheKeyOfALogIsAskedFor(t *testing.T) {
	skey, err := tree.NewKey(strings.NewReader(strings.Repeat("x", 64)), "log.example")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tree.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	shown := signer.VerifierKey()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/log/key" {
			_, _ = io.WriteString(w, shown+"\n")
		}
	}))
	defer s.Close()
	var out, complaint bytes.Buffer
	if code := execute(t.Context(), []string{"trace", "key", "--server", s.URL}, nil, &out, &complaint); code != exitOK || out.String() != shown+"\n" {
		t.Errorf("exit code %d, %s%s", code, &out, &complaint)
	}
	shown = "<html>"
	if code := execute(t.Context(), []string{"trace", "key", "--server", s.URL}, nil, &out, &complaint); code != exitFailed {
		t.Errorf("exit code %d, %s", code, &complaint)
	}
}
