package adapter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/meter"
)

// An Inspection is what a module is, as far as it could be read.
type Inspection struct {
	Size   int    // bytes
	Digest string // sha256, in hex

	// What follows is known once the bytes could be read: all else is empty, where they are refused before.

	Imports []string          // "module.name (params) -> (results)", in their order
	Exports map[string]string // by name: "memory", "table", "global", or a function's type
	// Weight stands for what compiling costs: of the heaviest function, and of all; see ABI.md. MaxWeight and MaxTotal are the limits.
	Weight, MaxWeight, Total, MaxTotal uint64

	// Adapters and ABIVersion are known once it was admitted.
	Adapters   []Info
	ABIVersion int

	// Refusal says why it would not be loaded: a *RefusedError, or a *GuestError where it failed while it was asked what it
	// has. nil: it would be.
	Refusal error
}

// Inspect tells what a module is and what [Runtime.Load] says of it. name is for messages. The error is about this runtime, never
// about the module.
func (r *Runtime) Inspect(ctx context.Context, name string, wasm []byte) (*Inspection, error) {
	sum := sha256.Sum256(wasm)
	in := &Inspection{Size: len(wasm), Digest: hex.EncodeToString(sum[:]), MaxWeight: r.limits.Complexity, MaxTotal: r.limits.TotalComplexity}
	if read, err := meter.Read(wasm, r.limits); err == nil { // if not, Load says so
		for _, imp := range read.Imports {
			in.Imports = append(in.Imports, imp.Module+"."+imp.Name+" "+imp.Type)
		}
		in.Exports, in.Weight, in.Total = read.Exports, read.Complexity, read.TotalComplexity
	}
	module, err := r.Load(ctx, name, wasm)
	if err == nil {
		in.Adapters, in.ABIVersion = module.Adapters(), abiVersion
		return in, nil
	}
	if !blamed(err) {
		return nil, err
	}
	in.Refusal = err
	return in, nil
}
