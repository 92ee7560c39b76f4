//go:build clients

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/identity"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestClientsBadInputGetsItsErrorAndDisturbsNobody sends every kind of bad input at a running server while good requests
// go on: each gets its own clear error, and no good request fails.
func TestClientsBadInputGetsItsErrorAndDisturbsNobody(t *testing.T) {
	data := t.TempDir()
	plugins := filepath.Join(data, "plugins")
	buildGuest(t, plugins)
	h := startHouse(t, data, "--plugins", plugins)
	upstream := instantUpstream(t)
	away := httptest.NewServer(http.RedirectHandler(upstream.URL, http.StatusTemporaryRedirect))
	t.Cleanup(away.Close)
	h.register(t, "echo-1", upstream.URL)
	for _, s := range []struct{ id, plugin, url string }{
		{"third-party", "third-party", upstream.URL}, {"loop", "loop", upstream.URL}, {"thief", "thief", upstream.URL}, {"redirect", "http", away.URL},
	} {
		source := string(echoContract(s.id, "1.0.0", s.url))
		source = strings.Replace(source, "capabilities: [echo]", "capabilities: ["+s.id+"]", 1)
		source = strings.Replace(source, "plugin: http", "plugin: "+s.plugin, 1)
		if s.plugin != "http" {
			source = strings.Replace(source, "settings: {path: /v1/execute, output: /output, metadata: /metadata}", "settings: {}", 1)
		}
		if code, message := h.registerSource(source); code != "" {
			t.Fatalf("%s: %s %s", s.id, code, message)
		}
	}
	good := goodRequests(t, h)

	const contract = "service_id: bad\nname: Bad\nversion: 1.0.0\ncapabilities: [x]\n"
	for _, c := range []struct {
		name       string
		send       func() (code, message string)
		code, says string
	}{
		{"broken YAML", func() (string, string) { return h.registerSource("a: [1,\nb: 2") }, "INVALID_CONTRACT", "2:"},
		{"unknown field", func() (string, string) { return h.registerSource(contract + "garantees: {accuracy: 0.9}") }, "INVALID_CONTRACT", "guarantees"},
		{"wrong enum", func() (string, string) { return h.registerSource(contract + "privacy: {data_locality: moon}") }, "INVALID_CONTRACT", "on_device"},
		{"NaN in a contract", func() (string, string) { return h.registerSource(contract + "guarantees: {accuracy: .nan}") }, "INVALID_CONTRACT", "accuracy"},
		{"NaN in a request", func() (string, string) {
			return h.post(`{"request": {"capabilities": ["echo"], "max_latency_ms": "NaN"}}`, h.token)
		}, "INVALID_REQUEST", "max_latency_ms"},
		{"unknown field in a request", func() (string, string) { return h.post(`{"request": {"capability": ["echo"]}}`, h.token) }, "INVALID_REQUEST", "capability"},
		{"body of 10 MB", func() (string, string) {
			return h.post(`{"request": {"capabilities": ["`+strings.Repeat("x", 10<<20)+`"]}}`, h.token)
		}, "INVALID_REQUEST", "4"},
		{"adapter that never returns", func() (string, string) { return h.ask("loop") }, "TRANSFORMATION_FAILED", "fuel"},
		{"adapter that writes to its own host", func() (string, string) { return h.ask("thief") }, "EXECUTION_FAILED", "thief.example"},
		{"redirect off the list", func() (string, string) { return h.ask("redirect") }, "EXECUTION_FAILED", "list"},
		{"expired token", func() (string, string) { return h.post(`{"request": {}}`, expiredToken(t, data)) }, "UNAUTHENTICATED", "expired"},
		{"token of no algorithm", func() (string, string) { return h.post(`{"request": {}}`, unsignedToken()) }, "UNAUTHENTICATED", "alg"},
		{"no token", func() (string, string) { return h.post(`{"request": {}}`, "") }, "UNAUTHENTICATED", "token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, message := c.send()
			t.Logf("%s: %.300s", code, message)
			if code != c.code || !strings.Contains(message, c.says) {
				t.Errorf("want %s and a message with %q", c.code, c.says)
			}
			if strings.Contains(message, h.token) {
				t.Error("the token stands in the message")
			}
		})
	}
	if code, message := h.ask("third-party"); code != "" {
		t.Errorf("a well-behaved guest of the same module: %s %s", code, message)
	}
	if served := good(); served < 20 {
		t.Errorf("only %d good requests meanwhile", served)
	}
}

// buildGuest compiles testdata/guest into dir as a third party would.
func buildGuest(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildmode=c-shared", "-o", filepath.Join(dir, "guest.wasm"), ".")
	cmd.Dir = filepath.Join("testdata", "guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the guest: %v\n%s", err, out)
	}
}

// goodRequests sends good requests one after another until the function it returns is called, which tells how many were
// served. One that fails fails the test.
func goodRequests(t *testing.T, h *house) (end func() int64) {
	var served atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		client := h.orchestrator()
		for ctx.Err() == nil {
			if _, err := client.Orchestrate(context.WithoutCancel(ctx), connect.NewRequest(echoRequest())); err != nil {
				t.Errorf("a good request: %v", err)
			}
			served.Add(1)
		}
	})
	return func() int64 { stop(); running.Wait(); return served.Load() }
}

func (h *house) registerSource(source string) (code, message string) {
	_, err := h.registry().Register(context.Background(), connect.NewRequest(&caiov1.RegisterRequest{
		Form: &caiov1.RegisterRequest_Source{Source: &caiov1.Source{Content: []byte(source)}},
	}))
	return said(err)
}

// ask orchestrates a request for a capability.
func (h *house) ask(capability string) (code, message string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req := echoRequest()
	req.Request.Capabilities = []string{capability}
	_, err := h.orchestrator().Orchestrate(ctx, connect.NewRequest(req))
	return said(err)
}

// post sends body to Orchestrate as JSON, bytes as they are.
func (h *house) post(body, token string) (code, message string) {
	req, err := http.NewRequest(http.MethodPost, h.url+"/caio.v1.OrchestratorService/Orchestrate", strings.NewReader(body))
	if err != nil {
		return "", err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := h.httpClient.Do(req)
	if err != nil {
		return "no answer", err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	var answer bytes.Buffer
	_, _ = answer.ReadFrom(response.Body)
	for _, known := range []string{"INVALID_REQUEST", "UNAUTHENTICATED", "PERMISSION_DENIED", "INTERNAL"} {
		if strings.Contains(answer.String(), known) {
			return known, answer.String()
		}
	}
	return "none", answer.String()
}

func expiredToken(t *testing.T, data string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(data, "keys", "private.jwk"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.LoadPrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	token, err := identity.Mint(key, identity.Claims{Subject: "late", Roles: []string{"admin"}, Issuer: "caio", Audience: "caio",
		TTL: time.Minute, IssuedAt: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// unsignedToken claims to be an admin and is signed by nobody.
func unsignedToken() string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"none","typ":"JWT"}`) + "." + part(`{"sub":"x","iss":"caio","aud":"caio","exp":4102444800,"roles":["admin"]}`) + "."
}
