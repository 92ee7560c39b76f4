package meter_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/asm"
	"github.com/smarthausgroup/caio/runtime/adapter/internal/meter"
)

var limits = meter.Limits{
	ModuleBytes: 1 << 20, Functions: 1000, Types: 100, Globals: 100, TableElements: 1000, FunctionBytes: 1 << 16,
	Complexity: 100_000, TotalComplexity: 1_000_000, MemoryPages: 16,
}

const features = api.CoreFeatureBulkMemoryOperations | api.CoreFeatureMultiValue | api.CoreFeatureMutableGlobal |
	api.CoreFeatureNonTrappingFloatToIntConversion | api.CoreFeatureReferenceTypes | api.CoreFeatureSignExtensionOps

// start instantiates a module; the interpreter validates as the compiler does and starts faster.
func start(t testing.TB, wasm []byte) (api.Module, error) {
	engine := wazero.NewRuntimeWithConfig(t.Context(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features).WithMemoryLimitPages(16))
	t.Cleanup(func() { engine.Close(context.Background()) })
	return engine.InstantiateWithConfig(t.Context(), wasm, wazero.NewModuleConfig().WithStartFunctions())
}

// run calls f(arg) of a metered module with fuel, and returns the result and the fuel that was used.
func run(t *testing.T, m *asm.Module, fuel int64, args ...uint64) (result uint64, used int64, err error) {
	t.Helper()
	read, refusal := meter.Read(m.Bytes(), limits)
	if refusal != nil {
		t.Fatal(refusal)
	}
	guest, err := start(t, read.Metered())
	if err != nil {
		t.Fatal(err)
	}
	left := guest.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
	left.Set(uint64(fuel))
	results, err := guest.ExportedFunction("f").Call(t.Context(), args...)
	if len(results) > 0 {
		result = results[0]
	}
	return result, fuel - int64(left.Get()), err
}

// factorial multiplies in a loop, sum counts down by calling itself.
func factorial() *asm.Module {
	m := &asm.Module{}
	m.Export("f", m.Func("(i32) -> (i32)", "i32",
		asm.I32(1), asm.Op(asm.LocalSet, 1),
		[]byte{asm.Block, asm.Void, asm.Loop, asm.Void},
		asm.Op(asm.LocalGet, 0), []byte{asm.I32Eqz}, asm.Op(asm.BrIf, 1),
		asm.Op(asm.LocalGet, 1), asm.Op(asm.LocalGet, 0), []byte{asm.I32Mul}, asm.Op(asm.LocalSet, 1),
		asm.Op(asm.LocalGet, 0), asm.I32(1), []byte{asm.I32Sub}, asm.Op(asm.LocalSet, 0),
		asm.Op(asm.Br, 0), []byte{asm.End, asm.End},
		asm.Op(asm.LocalGet, 1),
	))
	return m
}

func TestMeteredCodeComputesTheSame(t *testing.T) {
	for arg, want := range map[uint64]uint64{0: 1, 1: 1, 5: 120, 10: 3628800} {
		got, used, err := run(t, factorial(), 1_000_000, arg)
		if err != nil || got != want {
			t.Errorf("%d! = %d, %v", arg, got, err)
		}
		// At the call: 1, and the 3 instructions outside the loop; at each turn: 1, and the 12 in it, run or not.
		if wantUsed := int64(4 + 13*(arg+1)); used != wantUsed {
			t.Errorf("%d! used %d fuel, want %d", arg, used, wantUsed)
		}
	}
}

func TestFuelEndsLoopsAndCallTrees(t *testing.T) {
	loop := &asm.Module{}
	loop.Export("f", loop.Func("() -> ()", "", []byte{asm.Loop, asm.Void}, asm.Op(asm.Br, 0), []byte{asm.End}))

	tree := &asm.Module{} // f(n) calls f(n-1) twice: 2^n calls
	self := tree.Func("(i32) -> ()", "",
		asm.Op(asm.LocalGet, 0), []byte{asm.If, asm.Void},
		asm.Op(asm.LocalGet, 0), asm.I32(1), []byte{asm.I32Sub}, asm.Op(asm.Call, 0),
		asm.Op(asm.LocalGet, 0), asm.I32(1), []byte{asm.I32Sub}, asm.Op(asm.Call, 0),
		[]byte{asm.End})
	tree.Export("f", self)

	for name, row := range map[string]struct {
		m    *asm.Module
		args []uint64
	}{"loop": {loop, nil}, "tree": {tree, []uint64{60}}} {
		_, used, err := run(t, row.m, 100_000, row.args...)
		if err == nil || !strings.Contains(err.Error(), "unreachable") || used <= 100_000 || used > 100_100 {
			t.Errorf("%s: used %d, %v", name, used, err)
		}
	}
	if _, used, err := run(t, tree, 100_000, 3); err != nil || used != 15*11 {
		t.Errorf("a small tree: used %d, %v", used, err)
	}
}

func TestNothingRunsBeforeTheFuelIsSet(t *testing.T) {
	if _, _, err := run(t, factorial(), 0, 1); err == nil {
		t.Error("it ran without fuel")
	}
}

func TestBulkInstructionsAreChargedByLength(t *testing.T) {
	fill := &asm.Module{}
	fill.Export("f", fill.Func("(i32) -> ()", "", asm.I32(0), asm.I32(7), asm.Op(asm.LocalGet, 0), []byte{0xfc, 11, 0}))
	cpy := &asm.Module{}
	cpy.Export("f", cpy.Func("(i32) -> ()", "", asm.I32(0), asm.I32(7), asm.Op(asm.LocalGet, 0), []byte{0xfc, 10, 0, 0}))
	for name, m := range map[string]*asm.Module{"fill": fill, "copy": cpy} {
		if _, used, err := run(t, m, 10_000, 8000); err != nil || used != 1005 {
			t.Errorf("%s: used %d, %v", name, used, err)
		}
		if _, _, err := run(t, m, 900, 8000); err == nil {
			t.Errorf("%s: ran with too little fuel", name)
		}
		// A length that is out of bounds is charged first, as an unsigned number.
		if _, used, err := run(t, m, 10_000, 0xffffffff); err == nil || used < 1<<28 {
			t.Errorf("%s: used %d, %v", name, used, err)
		}
	}
	grow := &asm.Module{}
	grow.Export("f", grow.Func("(i32) -> (i32)", "", asm.Op(asm.LocalGet, 0), asm.Op(asm.MemoryGrow, 0)))
	if got, used, err := run(t, grow, 1_000_000, 2); err != nil || got != 1 || used != 2<<13+3 {
		t.Errorf("grow: got %d, used %d, %v", got, used, err)
	}
	if got, _, err := run(t, grow, 1_000_000, 16); err != nil || int32(got) != -1 {
		t.Errorf("grow beyond the limit: got %d, %v", int32(got), err)
	}
}

// TestTheGuestCannotReachWhatTheMeterAdds is the attack on the counting itself: after rewriting, the next global is the fuel
// and the next locals are the meter's.
func TestTheGuestCannotReachWhatTheMeterAdds(t *testing.T) {
	set := &asm.Module{}
	set.Global(1)
	set.Export("f", set.Func("() -> ()", "", asm.I64(1<<40), asm.Op(asm.GlobalSet, 1)))
	get := &asm.Module{}
	get.Export("f", get.Func("() -> (i64)", "", asm.Op(asm.GlobalGet, 0)))
	local := &asm.Module{}
	local.Export("f", local.Func("(i32) -> (i64)", "i32", asm.Op(asm.LocalGet, 2)))
	export := &asm.Module{}
	export.Export("__caio_fuel", export.Func("() -> ()", ""))
	for name, m := range map[string]*asm.Module{"set fuel": set, "get fuel": get, "local": local, "export": export} {
		if _, err := meter.Read(m.Bytes(), limits); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRefusalsNameTheRule(t *testing.T) {
	code := func(typ, locals string, parts ...[]byte) []byte {
		m := &asm.Module{}
		m.Export("f", m.Func(typ, locals, parts...))
		return m.Bytes()
	}
	memory := func(pages uint32) []byte { m := &asm.Module{MemoryMin: pages}; return m.Bytes() }
	table := &asm.Module{}
	table.Table(1 << 31)
	started := &asm.Module{}
	started.Start = 1 + started.Func("() -> ()", "")
	valid := factorial().Bytes()
	for name, row := range map[string]struct {
		wasm       []byte
		rule, says string
	}{
		"empty":     {nil, "format", "no WebAssembly"},
		"text":      {[]byte("(module)"), "format", "no WebAssembly"},
		"cut":       {valid[:len(valid)-3], "format", "longer than the module"},
		"too large": {make([]byte, 2<<20), "size", "2097152 bytes"},
		"4 GB":      {memory(65536), "memory", "65536 pages"},
		"no memory": {(&asm.Module{NoMemory: true}).Bytes(), "memory", "none"},
		"table":     {table.Bytes(), "table", "1000"},
		"start":     {started.Bytes(), "start", "_initialize"},
		"SIMD":      {code("() -> ()", "", []byte{0xfd, 12}, make([]byte, 16)), "instruction", "SIMD"},
		"threads":   {code("() -> ()", "", []byte{0xfe, 3, 0}), "instruction", "function 0 uses 0xfe"},
		"tail call": {code("() -> ()", "", asm.Op(0x12, 0)), "instruction", "tail call"},
		"exception": {code("() -> ()", "", asm.Op(0x08, 0)), "instruction", "exception"},
		"unknown":   {code("() -> ()", "", []byte{0xff}), "instruction", "not known"},
		"table.set": {code("() -> ()", "", asm.Op(0x26, 0)), "instruction", "table"},
		"data.drop": {code("() -> ()", "", []byte{0xfc, 9, 0}), "instruction", "drops a segment"},
		"complex":   {code("() -> ()", strings.Repeat("i64 ", 400), []byte(strings.Repeat("\x02\x40\x0b", 400))), "complexity", "function 0"},
		"two ends":  {code("() -> ()", "", []byte{asm.End}), "format", "1 bytes follow"},
		"no end":    {code("() -> ()", "", []byte{asm.Block, asm.Void}), "format", "cannot be read"},
	} {
		_, err := meter.Read(row.wasm, limits)
		var refusal *meter.Refusal
		if !errors.As(err, &refusal) || refusal.Rule != row.rule || !strings.Contains(refusal.Message, row.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAbsurdCountsAreRefusedWithoutAllocating(t *testing.T) {
	// A section of each kind that promises four billion entries.
	for id := byte(1); id <= 12; id++ {
		wasm := []byte("\x00asm\x01\x00\x00\x00")
		wasm = append(wasm, id, 5, 0xff, 0xff, 0xff, 0xff, 0x0f)
		allocated := testing.AllocsPerRun(1, func() {
			if _, err := meter.Read(wasm, limits); err == nil {
				t.Errorf("section %d: accepted", id)
			}
		})
		if allocated > 100 {
			t.Errorf("section %d: %v allocations", id, allocated)
		}
	}
}

func TestImportsAndExportsAreListedWithTheirTypes(t *testing.T) {
	m := &asm.Module{}
	m.Import("env", "log", "(i32, i64) -> ()")
	m.Export("f", m.Func("(f32, f64) -> (i32, i32)", "", []byte{asm.Unreachable}))
	read, err := meter.Read(m.Bytes(), limits)
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Imports) != 1 || read.Imports[0] != (meter.Import{Module: "env", Name: "log", Type: "(i32, i64) -> ()"}) {
		t.Errorf("imports %+v", read.Imports)
	}
	if read.Exports["f"] != "(f32, f64) -> (i32, i32)" || read.Exports["memory"] != "memory" || len(read.Exports) != 2 {
		t.Errorf("exports %+v", read.Exports)
	}
}

// FuzzRewrite feeds modules that a compiler never wrote. What is accepted either is invalid, and the engine says so, or
// runs; and what the engine takes before the rewriting it also takes after.
func FuzzRewrite(f *testing.F) {
	f.Add(factorial().Bytes())
	bulk := &asm.Module{}
	bulk.Global(3)
	bulk.Table(4)
	bulk.Data(8, []byte("hello"))
	bulk.Import("wasi_snapshot_preview1", "sched_yield", "() -> (i32)")
	bulk.Export("f", bulk.Func("(i32) -> (i32)", "i64 f32",
		asm.I32(0), asm.I32(7), asm.I32(9), []byte{0xfc, 11, 0}, asm.I32(0), asm.I32(7), asm.I32(9), []byte{0xfc, 10, 0, 0},
		asm.Op(asm.LocalGet, 0), asm.Op(asm.MemoryGrow, 0), []byte{asm.Drop, asm.Loop, 0x7f}, asm.Op(asm.GlobalGet, 0), []byte{asm.End},
		[]byte{asm.Block, asm.Void}, asm.I32(1), asm.Op(asm.BrTable, 1, 0, 0), []byte{asm.End},
		asm.Op(asm.LocalGet, 0), []byte{asm.If, 0x7f}, asm.I32(1), []byte{asm.Else}, asm.I32(2), []byte{asm.End, asm.I32Add}))
	f.Add(bulk.Bytes())
	f.Add((&asm.Module{NoMemory: true}).Bytes())
	f.Fuzz(func(t *testing.T, wasm []byte) {
		read, err := meter.Read(wasm, limits)
		if err != nil {
			var refusal *meter.Refusal
			if !errors.As(err, &refusal) || refusal.Rule == "" || refusal.Message == "" {
				t.Fatalf("refused with %#v", err)
			}
			return
		}
		if len(read.Metered()) > 16*len(wasm)+128 {
			t.Fatalf("%d bytes became %d", len(wasm), len(read.Metered()))
		}
		ctx := context.Background()
		engine := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(features))
		defer engine.Close(ctx)
		_, before := engine.CompileModule(ctx, wasm)
		_, after := engine.CompileModule(ctx, read.Metered())
		if before == nil && after != nil {
			t.Fatalf("the engine took the module, and refuses it rewritten: %v", after)
		}
	})
}
