package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/contract"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestLive asks each provider that ships for one small chat, over the real server and the real network. It runs only with
// LIVE_TESTS_ENABLED=1, and of the providers only those whose secrets are in the environment as `caio serve` reads them: for a
// contract with auth.secret "anthropic" that is CAIO_SECRET_ANTHROPIC; CAIO_SECRET_ANTHROPIC_HOSTS is the host of its base_url
// unless it is set. A contract without a secret is asked where its base_url is on this machine and somebody listens there.
// Everything else is skipped and says why. It costs a few tokens a provider.
func TestLive(t *testing.T) {
	if os.Getenv("LIVE_TESTS_ENABLED") != "1" {
		t.Skip("real providers are asked only with LIVE_TESTS_ENABLED=1 and their keys in CAIO_SECRET_<NAME>")
	}
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "plugins", "contracts", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d contracts, %v", len(files), err)
	}
	schema, err := contract.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := schema.Parse(file, source)
			if err != nil {
				t.Fatal(err)
			}
			if why := unreachable(t, parsed.Message()); why != "" {
				t.Skip(why)
			}
			liveChat(t, file)
		})
	}
}

// unreachable tells why a contract cannot be asked; empty: it can. It sets the hosts of its secret.
func unreachable(t *testing.T, c *caiov1.Contract) string {
	chats := slices.ContainsFunc(c.GetCapabilities(), func(c *caiov1.Capability) bool { return c.GetType() == "chat" })
	base, err := url.Parse(c.GetApi().GetBaseUrl())
	switch {
	case err != nil:
		t.Fatal(err)
	case !chats:
		return "it does not chat"
	case strings.HasSuffix(base.Hostname(), "example.com"):
		return "its base_url is one that you have to fill in"
	}
	if secret := c.GetAdapter().GetAuth().GetSecret(); secret != "" {
		name := "CAIO_SECRET_" + strings.ToUpper(strings.ReplaceAll(secret, "-", "_"))
		if os.Getenv(name) == "" {
			return name + " is not set"
		}
		if os.Getenv(name+"_HOSTS") == "" {
			t.Setenv(name+"_HOSTS", base.Host)
		}
		return ""
	}
	if ip := net.ParseIP(base.Hostname()); !ip.IsLoopback() {
		return "its contract names no secret"
	}
	conn, err := net.DialTimeout("tcp", base.Host, time.Second)
	if err != nil {
		return "it needs no key, but nobody listens at " + base.Host
	}
	_ = conn.Close() // only whether it opens was asked
	return ""
}

// liveChat runs a server with that one contract, and asks it.
func liveChat(t *testing.T, file string) {
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	logs, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--data", t.TempDir(), "--insecure-dev"}, strings.NewReader(""), io.Discard, writer)
		_ = writer.Close() // of a pipe in memory: never fails
	}()
	addr, rest := servingAddr(logs)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(rest, logs)
	}()
	defer func() {
		stop()
		<-ended
		<-drained
	}()
	if addr == "" {
		t.Fatalf("server did not start:\n%s", rest)
	}
	server := "http://" + addr
	var out, errs bytes.Buffer
	if code := execute(ctx, []string{"service", "register", "--server", server, file}, strings.NewReader(""), &out, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	out.Reset()
	ask := `{"capabilities": ["chat"], "principal": {"subject": "live", "authenticated": true, "trust_level": 10, "permissions": ["internal"]},
		"intent": {"unsupported": "warn", "chat": {"max_tokens": 200, "messages": [{"role": "user", "content": "Answer with the one word: pong"}]}}}`
	if code := execute(ctx, []string{"orchestrate", "--server", server, "--request", "-", "-o", "json"}, strings.NewReader(ask), &out, &errs); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	var said struct {
		Result struct {
			Chat struct {
				Message struct{ Content string }
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &said); err != nil || !strings.Contains(strings.ToLower(said.Result.Chat.Message.Content), "pong") {
		t.Errorf("it answered %s, %v", out.String(), err)
	}
}
