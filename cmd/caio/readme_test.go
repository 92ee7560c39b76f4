package main

import (
	"bytes"
	"context"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatTheREADMEShowsIsAccepted holds the examples of contract, policy and adapter in the README against the commands
// that they are written for.
func TestWhatTheREADMEShowsIsAccepted(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		_, rest, found := strings.Cut(string(raw), "```"+language+"\n")
		text, _, closed := strings.Cut(rest, "```")
		if !found || !closed {
			t.Fatalf("the README shows no %s", language)
		}
		return text
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(args ...string) string {
		var out bytes.Buffer
		if code := execute(context.Background(), args, strings.NewReader(""), &out, &out); code != exitOK {
			t.Errorf("caio %s: exit %d\n%s", strings.Join(args, " "), code, out.String())
		}
		return out.String()
	}
	run("contract", "check", write("contracts/a.yaml", block("yaml")))
	overlay := filepath.Dir(filepath.Dir(write("overlay/routing/working_hours.rego", block("rego"))))
	run("policy", "check", "--strict", "--policy-overlay", overlay)

	const batch = `{"capabilities": ["language_detection"], "principal": {"subject": "me", "authenticated": true},
		"context": {"priority": "low", "time": "2026-11-22T%s:30:00Z"}}`
	decide := func(hour string) int {
		var out bytes.Buffer
		request := write("request.json", strings.Replace(batch, "%s", hour, 1))
		return execute(context.Background(), []string{"decide", "--contracts", filepath.Join(dir, "contracts"),
			"--policy-overlay", overlay, "--request", request}, strings.NewReader(""), &out, &out)
	}
	if day, night := decide("12"), decide("22"); day != exitRefused || night != exitOK {
		t.Errorf("at noon exit %d, at night %d; the policy says otherwise", day, night)
	}

	source := []byte(block("go"))
	if formatted, err := format.Source(source); err != nil || !bytes.Equal(formatted, source) {
		t.Errorf("the adapter is not formatted Go: %v", err)
	}
}
