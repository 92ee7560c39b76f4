package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"

	"github.com/smarthausgroup/caio/policies"
)

// decideExample runs `caio decide -o json` over examples/ as a fresh start of the program would, and returns its output.
func decideExample(t *testing.T, contracts, request string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := execute(context.Background(), []string{"decide", "--contracts", contracts, "--request", request, "--seed", "7", "-o", "json"},
		strings.NewReader(""), &stdout, &stderr)
	if code != exitOK && code != exitRefused {
		t.Fatalf("%s: exit %d: %s", request, code, stderr.String())
	}
	return stdout.String()
}

// TestDecisionsOverExamplesAreTheSameBytesAThousandTimes loads everything anew a few times, for what is decided may not
// depend on how it was loaded, and repeats each decision over one state a thousand times.
func TestDecisionsOverExamplesAreTheSameBytesAThousandTimes(t *testing.T) {
	contracts := filepath.Join("..", "..", "examples", "contracts")
	requests, err := filepath.Glob(filepath.Join("..", "..", "examples", "requests", "*.json"))
	if err != nil || len(requests) < 8 {
		t.Fatalf("%d requests: %v", len(requests), err)
	}
	registry, err := readContracts(contracts)
	if err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(policies.FS())
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := engine.NewSnapshot(registry, set, policy.Factored, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range requests {
		first := decideExample(t, contracts, path)
		if i == 0 {
			for range 5 {
				if again := decideExample(t, contracts, path); again != first {
					t.Fatalf("%s: another start decides otherwise:\n%s\n%s", path, first, again)
				}
			}
		}
		req, err := readRequest(nil, path)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 1000/len(requests) + 1 {
			decision, err := engine.Decide(t.Context(), snapshot, engine.NoPast, req, 7, true)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := decisionJSON(&out, decision); err != nil {
				t.Fatal(err)
			}
			if out.String() != first {
				t.Fatalf("%s: repetition %d differs:\n%s\n%s", path, n, first, out.String())
			}
		}
	}
}
