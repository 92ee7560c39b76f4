package main

import (
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/smarthausgroup/caio"

// floors says what each room may import of the house, and why. A package that is not listed may not exist; an import
// that is not listed fails the test.
var floors = []struct{ room, may, reason string }{
	{"schema", "", "the vocabulary stands on nothing"},
	{"schema/gen/caio/v1", "", "generated from the proto files"},
	{"schema/gen/caio/v1/caiov1connect", "schema/gen/caio/v1", "generated from the proto files"},
	{"policies", "", "authored files, embedded; no code but the overlay"},
	{"sdk/service", "", "service authors must not drag the house in"},
	{"runtime/internal/bitset", "", "sets of slots: what the rooms hand one another when they speak of many services"},
	{"runtime/tree", "", "whoever verifies the log needs nothing else; knows neither traces nor files"},
	{"runtime/internal/wire", "", "writes protobuf; knows none of the messages"},
	{"runtime/contract", "runtime/internal/bitset schema schema/gen/caio/v1", "a column: CUE and the registry, no other room"},
	{"runtime/policy/internal/factor", "runtime/internal/bitset", "takes rules apart; knows terms, not messages"},
	{"runtime/policy", "runtime/internal/bitset runtime/policy/internal/factor schema schema/gen/caio/v1", "a column: OPA, no other room"},
	{"runtime/adapter", "runtime/adapter/internal/meter schema schema/gen/caio/v1", "a column: wazero, no other room"},
	{"runtime/adapter/internal/meter", "", "rewrites modules; knows nothing of who runs them"},
	{"runtime/adapter/internal/asm", "", "assembles guests for tests"},
	{"runtime/proof", "runtime/internal/wire schema schema/gen/caio/v1", "a column: whoever verifies a proof needs nothing else"},
	{"runtime/audit", "runtime/proof runtime/tree schema schema/gen/caio/v1", "whoever checks a decision needs proofs and the tree, and neither what decides nor what stores"},
	{"runtime/trace", "runtime/tree schema schema/gen/caio/v1", "a column: the log knows its storage as an interface"},
	{"runtime/trace/tracetest", "runtime/trace runtime/tree schema/gen/caio/v1", "conformance test of a trace storage"},
	{"runtime/identity", "schema schema/gen/caio/v1", "a column: who is calling"},
	{"runtime/field", "", "a column: the mathematics of fields, numbers in and numbers out"},
	{"runtime/gateway", "runtime/adapter schema schema/gen/caio/v1", "executes what adapters ask for"},
	{"runtime/store/internal/journal", "runtime/trace runtime/tree", "the files of the log; no Badger"},
	{"runtime/store", "runtime/store/internal/journal runtime/trace runtime/tree schema schema/gen/caio/v1", "stores what the columns define; its check and a restored log are held against checkpoints"},
	{"runtime/engine", "runtime/adapter runtime/contract runtime/field runtime/gateway runtime/identity runtime/internal/bitset runtime/internal/wire runtime/policy runtime/proof runtime/store runtime/trace schema schema/gen/caio/v1",
		"the straight line through all rooms below"},
	{"runtime/engine/enginetest", "policies runtime/contract schema schema/gen/caio/v1", "what benchmarks decide among"},
	{"runtime/server", "runtime/contract runtime/engine runtime/identity runtime/trace runtime/tree schema schema/gen/caio/v1 schema/gen/caio/v1/caiov1connect",
		"translates the API to the engine, and shows the log to strangers"},
	{"cmd/caio", "policies runtime/adapter runtime/audit runtime/contract runtime/engine runtime/gateway runtime/identity runtime/policy runtime/proof runtime/server runtime/store runtime/trace runtime/tree schema schema/gen/caio/v1 schema/gen/caio/v1/caiov1connect",
		"wires the house top to bottom"},
	{"examples/...", "sdk/service schema schema/gen/caio/v1 schema/gen/caio/v1/caiov1connect examples/...", "stands outside the house, as its users do"},
}

// engines says which room alone may import a library, so that it can be replaced there.
var engines = []struct{ library, room string }{
	{"cuelang.org/go/", "runtime/contract"},
	{"go.yaml.in/yaml/", "runtime/contract examples/contracts cmd/caio"},
	{"github.com/open-policy-agent/opa/", "runtime/policy runtime/policy/internal/factor"},
	{"github.com/tetratelabs/wazero", "runtime/adapter"},
	{"github.com/dgraph-io/badger/", "runtime/store"},
	{"github.com/go-jose/", "runtime/identity"},
	{"gonum.org/", "runtime/field"},
	{"golang.org/x/mod/", "runtime/tree"},
	{"github.com/failsafe-go/", "runtime/gateway"},
	{"github.com/parquet-go/", "cmd/caio"},
}

func TestFloorsHold(t *testing.T) {
	for _, p := range list(t, "../..", "./...") {
		room := strings.TrimPrefix(p.path, module+"/")
		allowed, known := floor(room)
		if !known {
			t.Errorf("package %s stands on no floor: add it to the table, with a reason", room)
			continue
		}
		for _, imported := range p.imports {
			if inner, ok := strings.CutPrefix(imported, module+"/"); ok && !permits(allowed, inner) {
				t.Errorf("%s imports %s, which its floor does not permit", room, inner)
			}
			for _, e := range engines {
				if strings.HasPrefix(imported+"/", e.library) && !permits(e.room, room) {
					t.Errorf("%s imports %s, which belongs to %s alone", room, imported, e.room)
				}
			}
		}
	}
}

func TestGuestsStandOnTheirSDKAlone(t *testing.T) {
	for dir, may := range map[string]string{
		"../../sdk/adapter":     module + "/sdk/adapter",
		"../../sdk/adaptertest": module + "/sdk/adaptertest " + module + "/sdk/adapter",
		"../../plugins":         module + "/plugins " + module + "/sdk/adapter",
	} {
		for _, p := range list(t, dir, "./...") {
			for _, imported := range p.imports {
				first, _, _ := strings.Cut(imported, "/")
				own := false
				for _, m := range strings.Fields(may) {
					own = own || imported == m || strings.HasPrefix(imported, m+"/")
				}
				if strings.Contains(first, ".") && !own {
					t.Errorf("%s imports %s: guests use the standard library and sdk/adapter only", p.path, imported)
				}
			}
		}
	}
}

func floor(room string) (string, bool) {
	for _, f := range floors {
		if matches(f.room, room) {
			return f.may, true
		}
	}
	return "", false
}

func permits(may, imported string) bool {
	for _, m := range strings.Fields(may) {
		if matches(m, imported) {
			return true
		}
	}
	return false
}

func matches(pattern, room string) bool {
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return room == tree || strings.HasPrefix(room, tree+"/")
	}
	return room == pattern
}

type listed struct {
	path    string
	imports []string
}

func list(t *testing.T, dir, pattern string) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, pattern)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v\n%s", dir, err, stderr.String())
	}
	var packages []listed
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		packages = append(packages, listed{words[0], words[1:]})
	}
	if len(packages) == 0 {
		t.Fatalf("no packages in %s", dir)
	}
	return packages
}
