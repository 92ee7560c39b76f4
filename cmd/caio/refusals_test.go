package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/runtime/policy"
)

// TestWhoeverReadsARefusalKnowsWhatToChange runs every request of examples/refusals, holds what `caio decide` says of it
// against the text beside it, and then does what that text says: with nothing else changed, somebody serves.
// `go test ./cmd/caio -update` writes the texts.
func TestWhoeverReadsARefusalKnowsWhatToChange(t *testing.T) {
	remedies := map[string][2]string{
		"answer-too-long":   {`"max_tokens": 10000`, `"max_tokens": 8192`},
		"context-too-short": {`"context_length": 32768`, `"context_length": 8192`},
		"health-data":       {`"capabilities": ["translation"]`, `"capabilities": ["chat"]`}, // which is local
		"misspelt":          {`speech_to_txt`, `speech_to_text`},
		"misspelt-promise":  {`acuracy`, `accuracy`},
		"no-gpu":            {`"requires_gpu": false`, `"requires_gpu": true`},
		"nobody-offers-any": {`"ocr"`, `"chat"`},
		"other-currency":    {`"USD"`, `"EUR"`},
		"other-tenant":      {`"tenant": "grace"`, `"tenant": "mercy"`},
		"over-budget":       {`"max_cost": 0.001`, `"max_cost": 0.002`},
		"promise-not-given": {`"availability": {"min": 0.999}`, ``},
		"promise-too-weak":  {`"min": 0.99`, `"min": 0.97`},
		"property-for-type": {`"p95_latency_ms": {"max": 1000}`, `"latency": {"property": "p95_latency_ms", "max": 1000}`},
		"residency":         {`"min": 0.95`, `"min": 0.93`}, // lets in the service that is local
		"restricted":        {`"restricted"`, `"internal"`},
		"rule-that-fails":   {`"plenty"`, `"12"`},
		"stranger":          {`"tenant": "mercy"`, `"tenant": "mercy", "authenticated": true`},
		"too-slow":          {`"max_latency_ms": 300`, `"max_latency_ms": 400`},
		"unauthorized":      {`"ward:read"`, `"records:admin"`},
		"unbounded":         {`"chat": {`, `"chat": {"max_tokens": 2000, `},
		"unencrypted":       {`"contains_pii": true`, `"contains_pii": false`},
		"untrusted":         {`"trust_level": 3`, `"trust_level": 7`},
		"urgent":            {`"priority": "high"`, `"priority": "normal"`},
	}
	dir := filepath.Join("..", "..", "examples", "refusals")
	decide := func(engine policy.Engine, request string) (code int, said string) {
		var out bytes.Buffer
		code = execute(context.Background(), []string{"decide", "--contracts", filepath.Join(dir, "contracts"), "--policy-overlay",
			filepath.Join(dir, "policies"), "--engine", string(engine), "--request", "-"}, strings.NewReader(request), &out, &out)
		return code, out.String()
	}
	requests, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(requests) != len(remedies) {
		t.Errorf("%d requests and %d remedies: %v", len(requests), len(remedies), err)
	}
	steps, texts := map[string]bool{}, map[string]string{}
	for _, path := range requests {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			code, said := decide(policy.OPA, string(raw))
			if code != exitRefused {
				t.Fatalf("exit %d:\n%s", code, said)
			}
			if _, fast := decide(policy.Factored, string(raw)); fast != said {
				t.Errorf("the engines say it differently:\n%s\n%s", fast, said)
			}
			golden := strings.TrimSuffix(path, ".json") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(said), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || said != string(want) {
				t.Errorf("said:\n%s\nexpected (%v):\n%s", said, err, want)
			}
			texts[said] = name
			steps[stepOf(t, dir, said)] = true
			remedy := remedies[name]
			changed := strings.Replace(string(raw), remedy[0], remedy[1], 1)
			if code, said := decide(policy.Factored, changed); changed == string(raw) || code != exitOK {
				t.Errorf("with what the refusal asks for, exit %d:\n%s", code, said)
			}
		})
	}
	if len(texts) != len(requests) || len(steps) != 7 {
		t.Errorf("%d requests are refused in %d ways at the steps %v", len(requests), len(texts), steps)
	}
}

// stepOf returns the step at which the last candidates fell, and checks that the refusal has what every refusal must have:
// a code, what was found, what is next, and where a policy refuses, which rule does, in which file and line.
func stepOf(t *testing.T, dir, said string) string {
	t.Helper()
	lines := strings.SplitN(said, "\n", 5)
	if len(lines) < 5 || !regexp.MustCompile(`^nobody: [A-Z_]+$`).MatchString(lines[0]) || lines[3] != "" ||
		!regexp.MustCompile(`^next: .{20,}`).MatchString(lines[2]) {
		t.Fatalf("not the form of a refusal:\n%s", said)
	}
	fell := regexp.MustCompile(`fell at the step "([a-z]+)": `).FindStringSubmatch(lines[1])
	if fell == nil {
		return "capability" // nobody offers it
	}
	if fell[1] == "rule" || fell[1] == "security" {
		place := regexp.MustCompile(` \([A-Za-z0-9_.-]+, ([a-z_/]+\.rego):([0-9]+)\)$`).FindStringSubmatch(lines[1])
		if place == nil {
			t.Fatalf("names no rule: %s", lines[1])
		}
		rego, err := fs.ReadFile(policies.Overlay(policies.FS(), os.DirFS(filepath.Join(dir, "policies"))), place[1])
		line, _ := strconv.Atoi(place[2])
		if rows := strings.Split(string(rego), "\n"); err != nil || line > len(rows) || !regexp.MustCompile(`^deny |to_number`).MatchString(rows[line-1]) {
			t.Errorf("%s:%d is no rule: %v", place[1], line, err)
		}
	}
	return fell[1]
}
