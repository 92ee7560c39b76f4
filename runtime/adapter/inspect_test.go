package adapter

import (
	"errors"
	"strings"
	"testing"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/asm"
)

func TestInspectionTellsWhatAModuleIs(t *testing.T) {
	r := open(t, Options{})
	in, err := r.Inspect(t.Context(), "hand", echoGuest())
	if err != nil || in.Refusal != nil {
		t.Fatalf("%v, %+v", err, in)
	}
	if in.Size != len(echoGuest()) || len(in.Digest) != 64 || in.ABIVersion != 1 || len(in.Adapters) != 1 || in.Adapters[0].Name != "hand" ||
		in.Exports["caio_step"] != "(i32, i32) -> (i64)" || in.Weight == 0 || in.Weight > in.Total || in.Total > in.MaxTotal {
		t.Errorf("%+v", in)
	}
}

func TestInspectionTellsWhyAModuleIsRefused(t *testing.T) {
	r := open(t, Options{})
	wrong := newGuest()
	wrong.version = 2
	begging := newGuest()
	begging.prepare = func(m *asm.Module) { m.Import("env", "open_socket", "() -> (i32)") }
	for rule, wasm := range map[string][]byte{"format": []byte("no module"), "abi": wrong.build(), "import": begging.build()} {
		in, err := r.Inspect(t.Context(), "hand", wasm)
		var refused *RefusedError
		if err != nil || !errors.As(in.Refusal, &refused) || refused.Rule != rule || len(in.Adapters) != 0 {
			t.Errorf("%s: %v, %+v", rule, err, in)
		}
		if rule == "import" && (len(in.Imports) != 1 || !strings.HasPrefix(in.Imports[0], "env.open_socket ")) {
			t.Errorf("imports: %v", in.Imports)
		}
	}
}
