package adapter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/asm"
)

// trialChild is the argument by which this test binary is the process of a trial.
const trialChild = "adapter-trial"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == trialChild {
		if err := Try(context.Background(), os.Stdin, os.Stdout, Options{CacheDir: os.Args[2]}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if dir, err := sharedCache(); err == nil {
			_ = os.RemoveAll(dir)
		}
		os.Exit(code)
	}))
}

// sharedCache is a compile cache for the tests that run the shipped adapters: compiling those takes a second, and ten under
// the race detector.
var sharedCache = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "adapter-cache") })

func cached(t testing.TB, options Options) Options {
	t.Helper()
	dir, err := sharedCache()
	if err != nil {
		t.Fatal(err)
	}
	options.CacheDir = dir
	return options
}

// open starts a runtime with little memory and fuel, so that hostile guests meet their bounds soon.
func open(t testing.TB, options Options) *Runtime {
	t.Helper()
	r, err := Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func find(t testing.TB, r *Runtime, wasm []byte, name string) *Adapter {
	t.Helper()
	m, err := r.Load(t.Context(), "test", wasm)
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCatalog(m)
	if err != nil {
		t.Fatal(err)
	}
	a, err := c.Find(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var small = Options{MemoryLimit: 4 << 20, Fuel: 30_000_000, MaxInstances: 2}

var started = Event{Kind: KindStart, Intent: []byte(`{}`), Contract: []byte(`{}`)}

// hostile guests, and how a call of each ends.
var hostile = map[string]struct {
	wasm []byte
	kind Kind
	says string
}{
	"infinite loop": {newGuest().build([]byte{asm.Loop, asm.Void}, asm.Op(asm.Br, 0), []byte{asm.End, asm.Unreachable}), KindFuel, "30000000 instructions"},
	"exponential calls": {func() []byte {
		g := newGuest()
		g.helper = func(m *asm.Module) {
			m.Func("(i32) -> ()", "",
				asm.Op(asm.LocalGet, 0), []byte{asm.If, asm.Void},
				asm.Op(asm.LocalGet, 0), asm.I32(1), []byte{asm.I32Sub}, asm.Op(asm.Call, 0),
				asm.Op(asm.LocalGet, 0), asm.I32(1), []byte{asm.I32Sub}, asm.Op(asm.Call, 0), []byte{asm.End})
		}
		return g.build(asm.I32(60), asm.Op(asm.Call, 0), asm.I64(0))
	}(), KindFuel, "used up"},
	"deep recursion": {func() []byte {
		g := newGuest()
		g.helper = func(m *asm.Module) { m.Func("() -> ()", "", asm.Op(asm.Call, 0)) }
		return g.build(asm.Op(asm.Call, 0), asm.I64(0))
	}(), KindTrap, "stack overflow"},
	"memory growth": {newGuest().build(
		[]byte{asm.Loop, asm.Void}, asm.I32(1), asm.Op(asm.MemoryGrow, 0), asm.I32(-1), []byte{0x47}, asm.Op(asm.BrIf, 0), []byte{asm.End, asm.Unreachable}),
		KindMemory, "4194304 of 4194304 bytes"},
	"no memory for the event": {func() []byte { g := newGuest(); g.alloc = asm.I32(0); return g.build() }(), KindMemory, "no memory for an event"},
	"trap":                    {newGuest().build([]byte{asm.Unreachable}), KindTrap, "unreachable"},
	"division by zero":        {newGuest().build(asm.I64(1), asm.I64(0), []byte{0x7f}), KindTrap, "divide by zero"},
	"read out of bounds":      {newGuest().build(asm.I32(-8), asm.Op(0x29, 3, 0)), KindTrap, "out of bounds memory access"},
	"exit": {func() []byte {
		g := newGuest()
		g.prepare = func(m *asm.Module) { m.Import(wasiModule, "proc_exit", "(i32) -> ()") }
		return g.build(asm.I32(3), asm.Op(asm.Call, 0), asm.I64(0))
	}(), KindTrap, "exit code 3"},
	"alloc out of bounds":         {func() []byte { g := newGuest(); g.alloc = asm.I32(-5); return g.build() }(), KindProtocol, "caio_alloc"},
	"alloc at the brink":          {func() []byte { g := newGuest(); g.alloc = asm.I32(2*pageBytes - 3); return g.build() }(), KindProtocol, "caio_alloc"},
	"bad pointer":                 {newGuest().build(packed(1<<30, 10)), KindProtocol, "in a memory of"},
	"bad length":                  {newGuest().build(packed(replyAt, 10<<20)), KindProtocol, "in a memory of"},
	"pointer and length overflow": {newGuest().build(asm.I64(-1)), KindProtocol, "at most"},
	"huge output":                 {newGuest().build(packed(0, 17<<20)), KindProtocol, "at most 16777216 are taken"},
	"garbage reply":               {newGuest().build(asm.I32(replyAt), asm.I64(0x5555555555555555), asm.Op(0x37, 3, 0), packed(replyAt, 8)), KindProtocol, "reply"},
	"no action":                   {newGuest().build(asm.I64(0)), KindProtocol, "how it goes on"},
	"endless host calls": {func() []byte {
		g := newGuest()
		g.prepare = func(m *asm.Module) { m.Import(wasiModule, "random_get", "(i32, i32) -> (i32)") }
		return g.build([]byte{asm.Loop, asm.Void}, asm.I32(0), asm.I32(1<<16), asm.Op(asm.Call, 0), []byte{asm.Drop}, asm.Op(asm.Br, 0), []byte{asm.End, asm.Unreachable})
	}(), KindFuel, "used up"},
	"host calls in a row": {func() []byte {
		// Not one loop: no check of the guest's own stands between the calls, and together they fill 80 GB.
		g := newGuest()
		g.pages = 64
		g.prepare = func(m *asm.Module) { m.Import(wasiModule, "random_get", "(i32, i32) -> (i32)") }
		call := asm.Join(asm.I32(0), asm.I32(4<<20), asm.Op(asm.Call, 0), []byte{asm.Drop})
		return g.build(bytes.Repeat(call, 20_000), asm.I64(0))
	}(), KindFuel, "used up"},
	"endless fill": {newGuest().build([]byte{asm.Loop, asm.Void}, asm.I32(0), asm.I32(7), asm.I32(1<<16), []byte{0xfc, 11, 0}, asm.Op(asm.Br, 0), []byte{asm.End, asm.Unreachable}), KindFuel, "used up"},
}

// TestHostileGuestsHarmNobodyElse runs every hostile guest again and again while a good one works beside them in the same
// runtime: each hostile call ends in its own error, each good call in its answer.
func TestHostileGuestsHarmNobodyElse(t *testing.T) {
	r := open(t, small)
	good := find(t, r, newGuest().build(), "hand")
	stop := make(chan struct{})
	var answered int
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			reply, err := good.Step(t.Context(), nil, started)
			if err != nil || string(reply.Actions[0].Data) != `{"output":{}}` {
				t.Errorf("the good guest: %+v, %v", reply, err)
			}
			answered++
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for name, row := range hostile {
		t.Run(name, func(t *testing.T) {
			bad := find(t, r, row.wasm, "hand")
			for range 5 { // more often than there are instances: a lost one would block
				_, err := bad.Step(t.Context(), nil, started)
				var fault *GuestError
				if !errors.As(err, &fault) || fault.Kind != row.kind || !strings.Contains(fault.Message, row.says) || fault.Adapter != "hand" {
					t.Fatalf("ended with %v", err)
				}
				if strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
					t.Fatalf("not short: %q", err)
				}
			}
		})
	}
	close(stop)
	wg.Wait()
	if answered == 0 {
		t.Error("the good guest was never asked")
	}
}

func TestAFaultyInstanceIsReplaced(t *testing.T) {
	// It crashes on documents of more than 200 bytes.
	crashing := newGuest().build(
		asm.Op(asm.LocalGet, 1), asm.I32(200), []byte{0x4b, asm.If, asm.Void, asm.Unreachable, asm.End},
		packed(replyAt, len(doneDoc)))
	a := find(t, open(t, Options{MaxInstances: 1}), crashing, "hand")
	for i := range 7 {
		bad := i%3 == 2
		var state []byte
		if bad {
			state = make([]byte, 300)
		}
		if _, err := a.Step(t.Context(), state, started); (err != nil) != bad {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func TestAnInstanceThatGrewIsReplaced(t *testing.T) {
	// It answers only while its memory is as large as at first, and grows it each time.
	growing := newGuest().build(
		asm.Op(0x3f, 0), asm.I32(2), []byte{0x47, asm.If, asm.Void, asm.Unreachable, asm.End},
		asm.I32(40), asm.Op(asm.MemoryGrow, 0), []byte{asm.Drop}, packed(replyAt, len(doneDoc)))
	a := find(t, open(t, small), growing, "hand")
	for range 4 {
		if _, err := a.Step(t.Context(), nil, started); err != nil {
			t.Fatal(err)
		}
	}
}

func TestModulesThatAreNotAdmitted(t *testing.T) {
	with := func(change func(*guest)) []byte { g := newGuest(); change(g); return g.build() }
	imports := func(module, name, typ string) []byte {
		return with(func(g *guest) { g.prepare = func(m *asm.Module) { m.Import(module, name, typ) } })
	}
	for name, row := range map[string]struct {
		wasm       []byte
		rule, says string
	}{
		"garbage":              {bytes.Repeat([]byte("garbage"), 100), "format", "no WebAssembly"},
		"nothing":              {nil, "format", "no WebAssembly"},
		"4 GB":                 {with(func(g *guest) { g.pages = 65536 }), "memory", "65536 pages"},
		"just too much memory": {with(func(g *guest) { g.pages = 65 }), "memory", "at most 64"},
		"network":              {imports("env", "http_fetch", "(i32) -> (i32)"), "import", `"env"."http_fetch"`},
		"sockets":              {imports(wasiModule, "sock_send", "(i32, i32, i32, i32, i32) -> (i32)"), "import", "sock_send"},
		"import of wrong type": {imports(wasiModule, "random_get", "(i64) -> (i32)"), "import", "(i32, i32) -> (i32)"},
		"no step":              {with(func(g *guest) { g.without = "caio_step" }), "export", "caio_step (i32, i32) -> (i64) is missing"},
		"no alloc":             {with(func(g *guest) { g.without = "caio_alloc" }), "export", "caio_alloc"},
		"step of wrong type":   {with(func(g *guest) { g.stepType = "(i64, i32) -> (i64)" }), "export", "caio_step is (i64, i32) -> (i64)"},
		"other ABI":            {with(func(g *guest) { g.version = 2 }), "abi", "version 2"},
		"no description":       {with(func(g *guest) { g.describe = asm.I64(0) }), "describe", "no adapter"},
		"bad description":      {with(func(g *guest) { g.describe = packed(describeAt, 5) }), "describe", "cut short"},
		"invalid code":         {newGuest().build([]byte{asm.Drop}, asm.I64(0)), "compile", ""},
	} {
		_, err := open(t, small).Load(t.Context(), "upload", row.wasm)
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Rule != row.rule || !strings.Contains(refused.Message, row.says) || refused.Module != "upload" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestModulesThatFailWhileTheyAreLoaded(t *testing.T) {
	for name, row := range map[string]struct {
		describe []byte
		kind     Kind
	}{
		"loop":        {asm.Join([]byte{asm.Loop, asm.Void}, asm.Op(asm.Br, 0), []byte{asm.End, asm.Unreachable}), KindFuel},
		"trap":        {[]byte{asm.Unreachable}, KindTrap},
		"bad pointer": {packed(1<<31-1, 100), KindProtocol},
	} {
		g := newGuest()
		g.describe = row.describe
		_, err := open(t, small).Load(t.Context(), "upload", g.build())
		var fault *GuestError
		if !errors.As(err, &fault) || fault.Kind != row.kind || fault.Adapter != "upload" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCompileBombsAreRefusedBeforeTheyAreCompiled: many locals alive across many branches are what compilers choke on.
func TestCompileBombsAreRefusedBeforeTheyAreCompiled(t *testing.T) {
	var code []byte
	for range 20_000 {
		code = append(code, asm.Join(asm.I32(1), []byte{asm.If, asm.Void, asm.End})...)
	}
	g := newGuest()
	g.locals = strings.Repeat("i64 ", 5000)
	_, err := open(t, small).Load(t.Context(), "bomb", g.build(code, asm.I64(0)))
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Rule != "complexity" || !strings.Contains(refused.Message, "function 3 has 5002 locals") {
		t.Errorf("%v", err)
	}
}
