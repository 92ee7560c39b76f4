package adapter

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/asm"
)

// trying is a runtime whose trials run in a process of this test binary.
func trying(t *testing.T, command ...string) (r *Runtime, cache string) {
	cache = filepath.Join(t.TempDir(), "cache")
	if command == nil {
		command = []string{os.Args[0], trialChild, cache}
	}
	return open(t, Options{CacheDir: cache, Trial: command}), cache
}

func TestATriedModuleIsCompiledInTheChildAndLoadedFromTheCache(t *testing.T) {
	r, cache := trying(t)
	wasm := newGuest().build()
	verdict, err := r.try(t.Context(), wasm)
	if err != nil || verdict != (Verdict{}) {
		t.Fatalf("%+v, %v", verdict, err)
	}
	files, _ := filepath.Glob(filepath.Join(cache, "wazero-*", "*"))
	if len(files) == 0 {
		t.Fatal("the child left nothing in the cache")
	}
	m, err := r.LoadTried(t.Context(), "upload", wasm)
	if err != nil || len(m.Adapters()) != 1 {
		t.Fatal(err)
	}
	if after, _ := filepath.Glob(filepath.Join(cache, "wazero-*", "*")); len(after) != len(files) {
		t.Errorf("%d files in the cache, the child left %d", len(after), len(files))
	}
}

func TestATrialRefusesWhatALoadWould(t *testing.T) {
	r, _ := trying(t)
	big := newGuest()
	big.pages = 65536
	for name, row := range map[string]struct {
		wasm       []byte
		rule, says string
	}{
		"garbage":         {[]byte("garbage"), "format", "no WebAssembly"},
		"4 GB":            {big.build(), "memory", "65536 pages"},
		"invalid code":    {newGuest().build([]byte{asm.Drop}, asm.I64(0)), "compile", ""},
		"first step":      {newGuest().build([]byte{asm.Unreachable}), "self-test", "adapter hand: trap:"},
		"first step loop": {newGuest().build([]byte{asm.Loop, asm.Void}, asm.Op(asm.Br, 0), []byte{asm.End, asm.Unreachable}), "self-test", "fuel"},
	} {
		_, err := r.LoadTried(t.Context(), "upload", row.wasm)
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Rule != row.rule || !strings.Contains(refused.Message, row.says) || refused.Module != "upload" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestATrialThatDiesIsARefusal: whatever a module did to the process that compiled it, the server goes on.
func TestATrialThatDiesIsARefusal(t *testing.T) {
	r, _ := trying(t, "/bin/sh", "-c", "ulimit -v 100000; kill -9 $$")
	_, err := r.LoadTried(t.Context(), "upload", newGuest().build())
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Rule != "trial" || !strings.Contains(refused.Message, "killed") {
		t.Errorf("%v", err)
	}
}

func TestATrialEndsWithItsCaller(t *testing.T) {
	r, _ := trying(t, "/bin/sh", "-c", "exec sleep 100")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := r.LoadTried(ctx, "upload", newGuest().build())
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestATrialKnowsNothingOfTheServersEnvironment(t *testing.T) {
	t.Setenv("CAIO_SECRET_KEY", "secret")
	r, _ := trying(t, "/bin/sh", "-c", `test -z "$CAIO_SECRET_KEY" && echo '{}'`)
	if _, err := r.LoadTried(t.Context(), "upload", newGuest().build()); err != nil {
		t.Error(err)
	}
}
