package adapter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/meter"
)

// Module is a module that was admitted and compiled. It lives as long as its Runtime. Safe for concurrent use.
type Module struct {
	runtime    *Runtime
	name       string
	digest     string
	adapters   []Info
	compiled   wazero.CompiledModule
	initialize bool            // it exports _initialize
	data       []meter.Segment // until the image is taken: what lies in memory at first
	state      []string        // names of its mutable globals' exports
	image      *image          // what every call begins with
	practice   error           // a *GuestError: how a first step failed; nil: none did
	room       uint32          // where in the image a call of up to roomBytes may be written; 0: the guest is asked for each

	slots   chan struct{} // one token in it for each instance at work
	mu      sync.Mutex
	idle    []*instance // guarded by mu; the last used is taken first, its memory is warm
	retired bool        // guarded by mu; no instance is kept any more
}

// Info names an adapter of a module, as its author described it.
type Info struct {
	Name, Version, Description string
	Frames                     bool // it takes several frames in one event
}

// signatures are the functions that a module must export.
var signatures = map[string]string{
	"caio_abi_version": "() -> (i32)",
	"caio_alloc":       "(i32) -> (i32)",
	"caio_describe":    "() -> (i64)",
	"caio_step":        "(i32, i32) -> (i64)",
}

// abiVersion is the one that this package speaks.
const abiVersion = 1

// Load admits, rewrites and compiles a module and asks it what adapters it has. name is for messages. The error is a
// *RefusedError when the module is to blame, a *GuestError when it failed while it was asked. Loading does not stop when
// ctx ends: what it may cost is bounded before it begins.
func (r *Runtime) Load(ctx context.Context, name string, wasm []byte) (*Module, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer r.leave()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	read, err := meter.Read(wasm, r.limits)
	if err != nil {
		var refusal *meter.Refusal
		if errors.As(err, &refusal) {
			return nil, &RefusedError{name, refusal.Rule, refusal.Message}
		}
		return nil, fmt.Errorf("read adapter module %s: %w", name, err)
	}
	if err := admit(name, read); err != nil {
		return nil, err
	}
	compiled, err := r.compile(ctx, read.Metered())
	if err != nil {
		return nil, &RefusedError{name, "compile", firstLine(err)}
	}
	sum := sha256.Sum256(wasm)
	m := &Module{
		runtime: r, name: name, digest: hex.EncodeToString(sum[:]), compiled: compiled, state: read.State, data: read.Data,
		slots: make(chan struct{}, r.options.MaxInstances),
	}
	_, m.initialize = read.Exports["_initialize"]
	if err := m.introduce(); err != nil {
		return nil, errors.Join(err, compiled.Close(ctx))
	}
	return m, nil
}

// admit checks what a module asks for and offers.
func admit(name string, read *meter.Module) error {
	for _, imp := range read.Imports {
		if want, known := wasiSignature(imp); !known {
			return &RefusedError{name, "import", fmt.Sprintf("%q.%q: a guest may import the WASI functions of its language's start-up, nothing else", clip(imp.Module), clip(imp.Name))}
		} else if imp.Type != want {
			return &RefusedError{name, "import", fmt.Sprintf("%s is imported as %s, it is %s", imp.Name, imp.Type, want)}
		}
	}
	for _, export := range []string{"caio_abi_version", "caio_alloc", "caio_describe", "caio_step"} {
		if got, want := read.Exports[export], signatures[export]; got == "" {
			return &RefusedError{name, "export", fmt.Sprintf("function %s %s is missing; see sdk/adapter/ABI.md", export, want)}
		} else if got != want {
			return &RefusedError{name, "export", fmt.Sprintf("%s is %s, it must be %s", export, got, want)}
		}
	}
	if read.Exports["memory"] != "memory" {
		return &RefusedError{name, "export", `the memory must be exported as "memory"`}
	}
	initialize, reactor := read.Exports["_initialize"]
	if reactor && initialize != "() -> ()" {
		return &RefusedError{name, "export", "_initialize is " + initialize + ", it must be () -> ()"}
	}
	if settle, there := read.Exports["caio_settle"]; there && settle != "() -> ()" {
		return &RefusedError{name, "export", "caio_settle is " + settle + ", it must be () -> ()"}
	}
	if _, command := read.Exports["_start"]; command && !reactor {
		return &RefusedError{name, "export", "the module is a command (it has _start); build a reactor, in Go with -buildmode=c-shared"}
	}
	return nil
}

// introduce makes the first instance, asks it what the module is, takes the image from it, and keeps it for the first call.
func (m *Module) introduce() error {
	in, err := m.first()
	if err != nil {
		return err
	}
	doc, err := in.describe()
	if err != nil {
		in.close()
		return err
	}
	if m.adapters, err = decodeInfos(doc); err != nil {
		in.close()
		return &RefusedError{m.name, "describe", err.Error()}
	}
	if m.practice = in.practise(); m.practice != nil {
		in.close()
		m.room = 0
		if in, err = m.first(); err != nil {
			return err
		}
	}
	if m.image, err = in.picture(); err != nil {
		in.close()
		return err
	}
	if err := in.settle(m.image); err != nil {
		in.close()
		m.image.close()
		return err
	}
	m.data = nil
	in.rested = time.Now()
	m.idle = append(m.idle, in)
	m.runtime.hold(m)
	return nil
}

// first makes an instance that has started, as the image is taken from one.
func (m *Module) first() (*instance, error) {
	in, err := m.instantiate()
	if err != nil {
		return nil, err
	}
	memory := in.bytes()
	for _, segment := range m.data {
		copy(memory[segment.At:], segment.Bytes)
	}
	if err := in.start(); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

// another makes a further instance, from the image.
func (m *Module) another() (*instance, error) {
	in, err := m.instantiate()
	if err != nil {
		return nil, err
	}
	if err := in.settle(m.image); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

// Name returns the name given to Load.
func (m *Module) Name() string { return m.name }

// Digest returns the sha256 of the bytes given to Load, in hex.
func (m *Module) Digest() string { return m.digest }

// Adapters returns what the module offers, at least one, in its own order.
func (m *Module) Adapters() []Info { return append([]Info(nil), m.adapters...) }

// step runs one call document on an instance. Waiting for one ends with ctx; a call that runs ends by itself or with its fuel.
func (m *Module) step(ctx context.Context, adapter string, state []byte, ev *Event) (Reply, error) {
	if err := m.runtime.enter(); err != nil {
		return Reply{}, err
	}
	defer m.runtime.leave()
	in, err := m.acquire(ctx)
	if err != nil {
		return Reply{}, err
	}
	reply, clean, err := in.serve(adapter, state, ev)
	m.put(in, clean)
	return reply, err
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}

// firstLine drops the engine's stack traces from a message.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return clip(strings.TrimSuffix(line, " (recovered by wazero)"))
}
