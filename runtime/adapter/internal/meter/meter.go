// Package meter reads a foreign WebAssembly module, refuses what the house will not run, and writes it anew with its time
// counted in fuel.
//
// A context check in the engine slows guests 5-10 times and does not stop an exponential tree of calls. Here the module
// counts itself: an i64 global, [FuelExport], is lowered at every function's entry, every turn of a loop and behind every
// block that is branched out of, by the number of instructions that follow; at entries and loops the guest traps once it is
// negative. Instructions of branches not taken may be charged, none runs without having been; so fuel bounds the
// instructions executed from above, whatever the guest does. Charging at entries and loops alone would be as safe, but
// charge Go guests, each of whose functions is one loop around all its code, a hundred times too much. memory.fill, copy and init
// are charged a unit for 8 bytes, memory.grow the same for what it adds.
//
// Guarantees: no input makes it panic or allocate more than a small multiple of its size; the rewritten module computes what
// the original computes, as long as the fuel lasts; the guest can neither read nor set its fuel, because an index beyond
// its own globals is refused here, before there is one. What this package accepts may still be invalid (types are not
// checked): the engine validates it afterwards. All instructions of WebAssembly 2.0 but SIMD and those that change tables
// or drop segments are known; any other is refused, since skipping what one cannot read is how code is hidden. Tables and
// segments stay as they were so that an instance's memory and globals are all of its state.
//
// Data segments are taken out, for the host to place them once (a Go guest has 25,000, which took 4 ms for each instance), and
// the guest's mutable globals are exported under names of the host's, [Module.State] lists them, so that the host can put them
// back. Those that hold references are refused: no compiler makes them, and a reference is no number to be kept.
//
// Functions are pure and safe for concurrent use; no goroutines.
package meter

import "fmt"

// Version names the rewriting. It changes whenever the same module would be rewritten to other bytes.
const Version = "3"

// FuelExport is the name under which the rewritten module exports its fuel, a mutable i64. It is 0 at first, so nothing
// runs before the host has set it; negative means that a trap was ours.
const FuelExport = "__caio_fuel"

// reserved begins names that a guest may not export.
const reserved = "__caio"

// Limits bound what is admitted. Each must be set.
type Limits struct {
	ModuleBytes     int    // the module
	Functions       int    // functions, imported and own
	Types           int    // function types
	Globals         int    // globals
	TableElements   uint64 // all tables' initial sizes
	FunctionBytes   int    // the body of one function
	Complexity      uint64 // of one function: branches x locals + (branches^2 + locals^2) / 32 + bytes / 4
	TotalComplexity uint64 // of all functions together
	MemoryPages     uint64 // the memory's initial size, 64 KiB each
}

// Refusal says why a module is not admitted.
type Refusal struct {
	Rule    string // "format", "size", "import", "export", "memory", "table", "global", "start", "instruction", "complexity", "index"
	Message string // for people; names the function, where it is about one
}

// Error returns rule and message.
func (r *Refusal) Error() string { return r.Rule + ": " + r.Message }

func refuse(rule, format string, args ...any) *Refusal {
	return &Refusal{Rule: rule, Message: fmt.Sprintf(format, args...)}
}

// Import is a function that a module asks for.
type Import struct{ Module, Name, Type string }

// Segment is a piece of a memory's first content. It lies within the memory's first size, and is shared with the bytes given to Read.
type Segment struct {
	At    uint32
	Bytes []byte
}

// Module is what Read found.
type Module struct {
	Imports         []Import          // in their order
	Exports         map[string]string // by name: "memory", "table", "global", or a function's type, such as "(i32, i32) -> (i64)"
	Data            []Segment         // what lies in the memory at first, in the order of writing; the rewritten module places nothing
	State           []string          // names under which the rewritten module exports the guest's mutable globals, in their order
	Complexity      uint64            // of one function: about its branches x (its locals + its branches / 32)
	TotalComplexity uint64
	metered         []byte
}

// Metered returns the rewritten module.
func (m *Module) Metered() []byte { return m.metered }

// Read admits a module and rewrites it. The error is a *Refusal.
func Read(wasm []byte, limits Limits) (*Module, error) {
	if len(wasm) > limits.ModuleBytes {
		return nil, refuse("size", "%d bytes, at most %d are allowed", len(wasm), limits.ModuleBytes)
	}
	p := &parser{limits: limits, exports: map[string]string{}}
	if err := p.module(wasm); err != nil {
		return nil, err
	}
	return &Module{
		Imports: p.imports, Exports: p.exports, Data: p.data, State: p.stateNames(), Complexity: p.complexity, TotalComplexity: p.totalComplexity,
		metered: p.assemble(),
	}, nil
}
