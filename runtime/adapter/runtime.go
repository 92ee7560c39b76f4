// Package adapter runs adapters: WebAssembly modules by strangers that turn a request into provider calls and answers into
// results. It is the only room with wazero, and it makes no network call: a guest is a pure step, event in, actions out,
// and whoever executes the actions stands above.
//
// It hides admission (package meter reads, bounds and rewrites each module before it is compiled), the compile cache, the
// pool of instances and the document format of the boundary (sdk/adapter/ABI.md; the golden documents there are read by
// the tests of both sides).
//
// It guarantees that a guest computes for no longer than its fuel lasts and in no more memory than its limit, sees no
// clock, file, argument or randomness but fixed ones, and that whatever it does ends one call with a *GuestError and
// nothing else: the instance is thrown away, other guests and other calls are not disturbed. Every call finds the guest's memory
// and globals as they were after its warm-up, whoever called before, and whatever was left there. A call runs on its caller's
// goroutine; the one of its own, which trims the pools, ends with Close.
//
//	r, err := adapter.Open(ctx, adapter.Options{CacheDir: dir})
//	m, err := r.Load(ctx, "shipped", wasm)
//	catalog, err := adapter.NewCatalog(m)
//	a, err := catalog.Find("openai", "")
//	reply, err := a.Step(ctx, nil, adapter.Event{Kind: adapter.KindStart, Intent: intent, Contract: contract})
package adapter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"time"
	"weak"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/meter"
)

// Options bound guests. The zero value works.
type Options struct {
	// CacheDir holds compiled modules, native code by wazero's version and the rewritten bytes, so that a start need not
	// compile. It is created with mode 0700 and refused if others may enter it: who writes there runs code here. Empty: no cache.
	CacheDir string
	// MemoryLimit is the most memory of one instance, in bytes, rounded down to 64 KiB. 0: 64 MiB.
	MemoryLimit uint32
	// Fuel is the number of instructions of one call, as package meter counts them. 0: 2e9, about a second of a hostile loop; a chat
	// of 2 KB takes about 7e5, an answer of 8 MB about 1e8.
	Fuel uint64
	// MaxInstances bounds the instances of one module, and so its concurrent calls; others wait. 0: twice the processors.
	MaxInstances int
	// IdleAfter is how long an instance may rest before its memory is given back. 0: a minute.
	IdleAfter time.Duration
	// Trial is the command line of a process that calls Try with these options, for LoadTried. Its environment is empty, its directory
	// is the root. Empty: there is none, and strangers' modules are not loaded.
	Trial []string
}

const (
	pageBytes     = 1 << 16
	defaultMemory = 64 << 20
	defaultFuel   = 2_000_000_000

	maxModuleBytes = 16 << 20
	maxCallBytes   = 32 << 20
	maxReplyBytes  = 16 << 20
)

// features are what package meter can read; SIMD and threads are not among them.
const features = api.CoreFeatureBulkMemoryOperations | api.CoreFeatureMultiValue | api.CoreFeatureMutableGlobal |
	api.CoreFeatureNonTrappingFloatToIntConversion | api.CoreFeatureReferenceTypes | api.CoreFeatureSignExtensionOps

// Runtime holds modules and runs them. Safe for concurrent use.
type Runtime struct {
	options Options
	limits  meter.Limits
	engine  wazero.Runtime
	cache   wazero.CompilationCache // nil: none
	pages   *pagemap                // nil: guests' memory is compared

	mu      sync.Mutex
	running int                               // calls and loads on their way; guarded by mu
	closing chan struct{}                     // not nil once Close was called, closed when running is 0; guarded by mu
	held    map[*holding]weak.Pointer[Module] // guarded by mu

	trial chan struct{} // holds one element while a module is tried

	stopping sync.Once
	stop     chan struct{} // ends keepPools
	keeper   sync.WaitGroup
}

// holding is what a module holds beyond Go's heap. The Runtime gives it back when nothing refers to the module any more, or when
// it is closed.
type holding struct {
	compiled wazero.CompiledModule
	image    *image
}

func (h *holding) free(ctx context.Context) error {
	h.image.close()
	return h.compiled.Close(ctx)
}

// ErrClosed is returned by calls of a Runtime that was closed.
var ErrClosed = errors.New("adapter runtime is closed")

// Open builds a Runtime. Options beyond what makes sense are errors, as is a cache directory that cannot be used.
func Open(ctx context.Context, options Options) (*Runtime, error) {
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	pages := options.MemoryLimit / pageBytes
	config := wazero.NewRuntimeConfigCompiler().WithCoreFeatures(features).WithMemoryLimitPages(pages)
	r := &Runtime{options: options, held: map[*holding]weak.Pointer[Module]{}, stop: make(chan struct{}), trial: make(chan struct{}, 1), limits: meter.Limits{
		ModuleBytes: maxModuleBytes, Functions: 100_000, Types: 10_000, Globals: 10_000, TableElements: 100_000,
		FunctionBytes: 1 << 20, Complexity: 500_000, TotalComplexity: 12_000_000, MemoryPages: uint64(pages),
	}}
	if options.CacheDir != "" {
		if r.cache, err = openCache(options.CacheDir); err != nil {
			return nil, err
		}
		config = config.WithCompilationCache(r.cache)
	}
	r.engine = wazero.NewRuntimeWithConfig(ctx, config)
	if pages, err := openPagemap(); err == nil { // where it is not to be had, comparing takes its place
		r.pages = pages
	}
	if err := instantiateWASI(ctx, r.engine); err != nil {
		return nil, errors.Join(err, r.release(ctx))
	}
	r.keeper.Go(func() { r.keepPools(r.stop) })
	return r, nil
}

func (o Options) complete() (Options, error) {
	if o.MemoryLimit == 0 {
		o.MemoryLimit = defaultMemory
	}
	if o.MemoryLimit < pageBytes {
		return o, fmt.Errorf("memory limit of %d bytes: at least 65536 are needed", o.MemoryLimit)
	}
	if o.Fuel == 0 {
		o.Fuel = defaultFuel
	}
	if o.Fuel > 1<<62 {
		return o, fmt.Errorf("fuel of %d: at most 2^62 can be counted", o.Fuel)
	}
	if o.MaxInstances == 0 {
		o.MaxInstances = 2 * goruntime.GOMAXPROCS(0)
	}
	if o.MaxInstances < 0 {
		return o, fmt.Errorf("%d instances: at least 1 is needed", o.MaxInstances)
	}
	if o.IdleAfter == 0 {
		o.IdleAfter = time.Minute
	}
	if o.IdleAfter < 0 {
		return o, fmt.Errorf("instances that rest for %v: it must be a time", o.IdleAfter)
	}
	return o, nil
}

func openCache(dir string) (wazero.CompilationCache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the compile cache: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("open the compile cache: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("compile cache %s: mode %04o lets others in, who could place native code there; chmod 700 it", dir, mode)
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open the compile cache: %w", err)
	}
	return cache, nil
}

// compile compiles a rewritten module. A damaged cache is emptied and done without: it holds nothing that cannot be made anew.
func (r *Runtime) compile(ctx context.Context, wasm []byte) (wazero.CompiledModule, error) {
	compiled, err := r.compileOnce(ctx, wasm)
	// The engine has no type for this error. Taken for a fault of the module, it would lock a good module out until someone
	// deletes the file by hand.
	if err != nil && r.cache != nil && strings.Contains(err.Error(), "compilationcache:") {
		files, _ := filepath.Glob(filepath.Join(r.options.CacheDir, "wazero-*", "*"))
		for _, file := range files {
			if err := os.Remove(file); err != nil {
				return nil, fmt.Errorf("empty the damaged compile cache: %w", err)
			}
		}
		compiled, err = r.compileOnce(ctx, wasm)
	}
	return compiled, err
}

// compileOnce turns a panic of the compiler into an error. That works because it compiles on this goroutine: with several
// workers compiling could be canceled, but a panic in one would end the process.
func (r *Runtime) compileOnce(ctx context.Context, wasm []byte) (compiled wazero.CompiledModule, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			compiled, err = nil, fmt.Errorf("the compiler gave up: %v", cause)
		}
	}()
	return r.engine.CompileModule(ctx, wasm)
}

// enter counts a call in, unless the Runtime is closing; leave counts it out.
func (r *Runtime) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing != nil {
		return ErrClosed
	}
	r.running++
	return nil
}

func (r *Runtime) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	if r.closing != nil && r.running == 0 {
		close(r.closing)
	}
}

// Close refuses new calls, waits for those on their way, and frees everything. When ctx ends first, nothing is freed, its error is
// returned, and Close may be called again.
func (r *Runtime) Close(ctx context.Context) error {
	r.mu.Lock()
	if r.closing == nil {
		r.closing = make(chan struct{})
		if r.running == 0 {
			close(r.closing)
		}
	}
	drained := r.closing
	r.mu.Unlock()
	select {
	case <-drained:
		return r.release(ctx)
	case <-ctx.Done():
		return fmt.Errorf("wait for running adapters: %w", ctx.Err())
	}
}

// hold makes the Runtime give back what m holds in time: when a module was removed, and the last execution that began with it
// is over, nothing refers to it, and nobody else could tell.
func (r *Runtime) hold(m *Module) {
	h := &holding{m.compiled, m.image}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[h] = weak.Make(m)
	goruntime.AddCleanup(m, r.letGo, h)
}

func (r *Runtime) letGo(h *holding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, held := r.held[h]; held {
		delete(r.held, h)
		_ = h.free(context.Background()) // unmapping what was mapped; there is nobody to tell
	}
}

func (r *Runtime) release(ctx context.Context) error {
	r.stopping.Do(func() { close(r.stop) }) // Close may come again
	r.keeper.Wait()
	err := r.engine.Close(ctx) // the instances, then what they stand on
	r.mu.Lock()
	for h := range r.held {
		err = errors.Join(err, h.free(ctx))
	}
	clear(r.held)
	r.mu.Unlock()
	if r.cache != nil {
		err = errors.Join(err, r.cache.Close(ctx))
	}
	if r.pages != nil {
		err = errors.Join(err, r.pages.close())
	}
	return err
}
