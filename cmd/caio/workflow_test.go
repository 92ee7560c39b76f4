package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheExamplesWorkflowsMayRun decides them by the examples' contracts, and again with a hair less latency than they
// need, which they say they have none to spare of.
func TestTheExamplesWorkflowsMayRun(t *testing.T) {
	for file, tighter := range map[string][2]string{
		"gist.yaml":     {"max_latency_ms: 150", "max_latency_ms: 149"},
		"opinions.yaml": {"max_latency_ms: 250", "max_latency_ms: 249"},
	} {
		raw, err := readFileOrStdin(nil, filepath.Join("..", "..", "examples", "workflows", file))
		if err != nil {
			t.Fatal(err)
		}
		decide := func(workflow string) (int, string) {
			var out bytes.Buffer
			code := execute(context.Background(), []string{"workflow", "decide", "--file", "-", "--contracts", "../../examples/contracts",
				"--policy-overlay", "../../examples/policies"}, strings.NewReader(workflow), &out, &out)
			return code, out.String()
		}
		if code, out := decide(string(raw)); code != exitOK {
			t.Errorf("%s: exit %d\n%s", file, code, out)
		}
		code, out := decide(strings.Replace(string(raw), tighter[0], tighter[1], 1))
		if code != exitRefused || !strings.Contains(out, "LATENCY_EXCEEDED") || !strings.Contains(out, "1 too much") {
			t.Errorf("%s with %s: exit %d\n%s", file, tighter[1], code, out)
		}
	}
}
