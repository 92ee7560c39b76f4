package engine_test

import (
	"crypto/ed25519"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/store"
)

// changing is a house that has no adapters but those installed; the trial of each, which the adapters' room tests, says says.
func changing(t *testing.T, keys engine.AdapterKeys, says string, contracts ...string) (h *house, runtime *adapter.Runtime) {
	t.Helper()
	runtime, err := adapter.Open(t.Context(), adapter.Options{
		CacheDir: filepath.Join(t.TempDir(), "cache"), Trial: []string{"/bin/sh", "-c", "cat > /dev/null; echo '" + says + "'"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = runtime.Close(t.Context()) })
	none, err := store.Open("", store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = none.Close() })
	installed, err := engine.LoadAdapters(t.Context(), runtime, none, nil, keys, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return newHouseFrom(t, engine.Options{Installed: installed}, policies.FS(), contracts...), runtime
}

func shippedModule(t *testing.T) []byte {
	t.Helper()
	wasm, err := os.ReadFile("../../cmd/caio/shipped/adapters.wasm")
	if err != nil {
		t.Fatalf("%v: run 'make adapters' first", err)
	}
	return wasm
}

const needsHTTP = `{service_id: needs-http, name: N, version: 1.0.0, capabilities: [x], api: {base_url: "http://127.0.0.1:9"}, adapter: {plugin: http}}`

func TestAdaptersChangeWhileTheHouseRunsAndSurviveARestart(t *testing.T) {
	h, runtime := changing(t, nil, "{}", needsHTTP)
	began := h.Snapshot()
	wasm := shippedModule(t)
	module, err := h.InstallAdapter(t.Context(), engine.Installation{Name: "acme.wasm", Module: wasm, By: "ada", Reason: "to try"})
	if err != nil {
		t.Fatal(err)
	}
	now := h.Snapshot()
	if now == began || now.Adapters.Digest() == began.Adapters.Digest() && len(began.Adapters.List()) == 0 {
		t.Error("the next decision does not see it")
	}
	if a, err := now.Adapters.Find("http", ""); err != nil || a.Digest() != module.GetDigest() || module.GetInstalledBy() != "ada" || module.GetSigned() {
		t.Errorf("%v, %v", module, err)
	}
	if again, err := h.InstallAdapter(t.Context(), engine.Installation{Module: wasm}); err != nil || len(h.AdapterModules()) != 1 || again.GetName() != "adapter.wasm" {
		t.Errorf("installed twice: %v, %v", h.AdapterModules(), err)
	}
	restarted, err := engine.LoadAdapters(t.Context(), runtime, h.store, nil, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	after := newHouseFrom(t, engine.Options{Installed: restarted}, policies.FS())
	if list := after.AdapterModules(); len(list) != 1 || list[0].GetDigest() != module.GetDigest() {
		t.Errorf("after a restart: %v", list)
	}
	stranded, err := h.RemoveAdapter(t.Context(), module.GetDigest())
	if err != nil || !slices.Equal(stranded, []string{"needs-http"}) || len(h.AdapterModules()) != 0 {
		t.Errorf("%v, %v", stranded, err)
	}
	if _, err := now.Adapters.Find("http", ""); err != nil {
		t.Errorf("what ran before lost its adapter: %v", err)
	}
	if _, err := h.RemoveAdapter(t.Context(), module.GetDigest()); codeOf(err) != "ADAPTER_NOT_FOUND" {
		t.Errorf("removed twice: %v", err)
	}
	if kept, err := h.store.Content(t.Context(), module.GetDigest()); err != nil || len(kept) != len(wasm) {
		t.Errorf("its bytes are gone: %v", err)
	}
}

func TestAModuleThatItsTrialRefusesIsNotInstalled(t *testing.T) {
	h, _ := changing(t, nil, `{"rule":"complexity","message":"function 3 weighs too much"}`)
	_, err := h.InstallAdapter(t.Context(), engine.Installation{Module: shippedModule(t)})
	if codeOf(err) != "INVALID_ADAPTER" || !strings.Contains(err.Error(), "complexity: function 3 weighs too much") || len(h.AdapterModules()) != 0 {
		t.Errorf("%v", err)
	}
}

func TestOnlyWhatATrustedKeySignedIsInstalledWhereKeysAreTrusted(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := changing(t, engine.AdapterKeys{"acme": {public}}, "{}")
	wasm := shippedModule(t)
	good := ed25519.Sign(private, wasm)
	for name, i := range map[string]engine.Installation{
		"unsigned":       {Tenant: "acme"},
		"a stranger's":   {Tenant: "acme", Signature: ed25519.Sign(stranger, wasm)},
		"other bytes":    {Tenant: "acme", Signature: ed25519.Sign(private, wasm[1:])},
		"other tenant's": {Tenant: "other", Signature: good},
		"the operator's": {Signature: good},
		"short":          {Tenant: "acme", Signature: good[:63]},
	} {
		i.Module = wasm
		if _, err := h.InstallAdapter(t.Context(), i); codeOf(err) != "INVALID_ADAPTER" {
			t.Errorf("%s: %v", name, err)
		}
	}
	module, err := h.InstallAdapter(t.Context(), engine.Installation{Module: wasm, Tenant: "acme", Signature: good})
	if err != nil || !module.GetSigned() || module.GetTenant() != "acme" {
		t.Errorf("%v, %v", module, err)
	}
}
