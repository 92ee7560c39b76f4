package adapter

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/meter"
)

// instance is one instance of a module, used by one call at a time.
type instance struct {
	module *Module
	name   string // of the adapter at work, for messages

	// ctx carries the instance to the WASI stubs. It is no caller's: the engine does not look at contexts, by choice.
	ctx    context.Context
	guest  api.Module
	memory api.Memory
	fuel   api.MutableGlobal
	alloc  api.Function
	run    api.Function
	stack  [2]uint64

	random uint64 // state of the guest's randomness, the same for each call
}

type instanceKey struct{}

func (m *Module) instantiate() (*instance, error) {
	in := &instance{module: m, name: m.name}
	in.ctx = context.WithValue(context.Background(), instanceKey{}, in)
	// No name, so that there may be many; no start functions: before the fuel is set, nothing may run.
	guest, err := m.runtime.engine.InstantiateModule(in.ctx, m.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, in.fault(err)
	}
	in.guest, in.memory = guest, guest.Memory()
	in.fuel, _ = guest.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
	in.alloc, in.run = guest.ExportedFunction("caio_alloc"), guest.ExportedFunction("caio_step")
	if err := in.warmUp(); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

// warmUp initializes the guest and checks that it speaks our language.
func (in *instance) warmUp() error {
	in.refuel()
	if in.module.initialize {
		if err := in.call(in.guest.ExportedFunction("_initialize")); err != nil {
			return err
		}
	}
	if err := in.call(in.guest.ExportedFunction("caio_abi_version")); err != nil {
		return err
	}
	if version := uint32(in.stack[0]); version != abiVersion {
		return &RefusedError{in.module.name, "abi", fmt.Sprintf("it speaks ABI version %d, this host %d", version, abiVersion)}
	}
	return nil
}

func (in *instance) close() {
	// Closing frees memory; there is nothing to be done about an error, and the engine knows none here.
	_ = in.guest.Close(in.ctx)
}

// refuel begins a call: fuel and randomness are those of every call.
func (in *instance) refuel() {
	in.fuel.Set(in.module.runtime.options.Fuel)
	in.random = 0
}

// charge takes fuel for what a stub does in the guest's name, before it is done, and ends the call when none is left. It
// does not wait for the guest's next check: a function of a megabyte makes a hundred thousand calls before it comes to one.
func (in *instance) charge(units uint64) {
	left := int64(in.fuel.Get() - units)
	in.fuel.Set(uint64(left))
	if left < 0 {
		panic(errSpent) // how the engine is told; fault looks at the fuel
	}
}

// errSpent ends a call whose fuel was used up by a stub.
var errSpent = errors.New("the fuel is used up")

// call calls an export; arguments and results lie in in.stack.
func (in *instance) call(export api.Function) error {
	if err := export.CallWithStack(in.ctx, in.stack[:]); err != nil {
		return in.fault(err)
	}
	return nil
}

// describe returns the module's description, as it stands in the guest's memory until the next call.
func (in *instance) describe() ([]byte, error) {
	in.refuel()
	if err := in.call(in.guest.ExportedFunction("caio_describe")); err != nil {
		return nil, err
	}
	return in.result()
}

// step hands a call document to the guest and reads its reply.
func (in *instance) step(adapter string, state []byte, ev *Event) (Reply, error) {
	in.name = adapter
	size := sizeCall(adapter, state, ev)
	if size > maxCallBytes {
		return Reply{}, fmt.Errorf("adapter %s: event and state have %d bytes, at most %d are handed over", adapter, size, maxCallBytes)
	}
	in.refuel()
	in.stack[0] = uint64(size)
	if err := in.call(in.alloc); err != nil {
		return Reply{}, err
	}
	ptr := uint32(in.stack[0])
	if ptr == 0 {
		return Reply{}, in.guestError(KindMemory, "it has no memory for an event of %d bytes", size)
	}
	room, ok := in.memory.Read(ptr, uint32(size))
	if !ok {
		return Reply{}, in.guestError(KindProtocol, "caio_alloc(%d) returned %d, in a memory of %d bytes", size, ptr, in.memory.Size())
	}
	// The document is written straight into the guest's memory, which nobody else touches now.
	appendCall(room[:0:size], adapter, state, ev)
	in.stack[0], in.stack[1] = uint64(ptr), uint64(size)
	if err := in.call(in.run); err != nil {
		return Reply{}, err
	}
	doc, err := in.result()
	if err != nil {
		return Reply{}, err
	}
	// The guest's memory changes with the next call: what is kept must be copied.
	reply, err := decodeReply(append([]byte(nil), doc...))
	if err == nil {
		err = checkReply(&reply, ev)
	}
	if err != nil {
		return Reply{}, in.guestError(KindProtocol, "%v", err)
	}
	return reply, nil
}

// result returns the document that the guest's i64 points to.
func (in *instance) result() ([]byte, error) {
	ptr, size := uint32(in.stack[0]>>32), uint32(in.stack[0])
	if size == 0 {
		return nil, nil
	}
	if size > maxReplyBytes {
		return nil, in.guestError(KindProtocol, "it answers with %d bytes, at most %d are taken", size, maxReplyBytes)
	}
	doc, ok := in.memory.Read(ptr, size)
	if !ok {
		return nil, in.guestError(KindProtocol, "it answers with %d bytes at %d, in a memory of %d bytes", size, ptr, in.memory.Size())
	}
	return doc, nil
}

// fault classifies an error of the engine.
func (in *instance) fault(err error) error {
	limit := in.module.runtime.options.MemoryLimit
	var exit *sys.ExitError
	switch {
	case in.fuel != nil && int64(in.fuel.Get()) < 0:
		return in.guestError(KindFuel, "it used up its %d instructions", in.module.runtime.options.Fuel)
	case in.memory != nil && in.memory.Size() > limit-limit/8:
		// What asks for memory in vain crashes in its own language's way; that it had grown to the limit, or within a step of
		// it (Go's heap grows by 4 MiB), tells more than "unreachable".
		return in.guestError(KindMemory, "it crashed with %d of %d bytes of memory in use", in.memory.Size(), limit)
	case errors.As(err, &exit):
		return in.guestError(KindTrap, "it left with exit code %d", exit.ExitCode())
	}
	return in.guestError(KindTrap, "%s", firstLine(err))
}

func (in *instance) guestError(kind Kind, format string, args ...any) *GuestError {
	return &GuestError{Adapter: in.name, Kind: kind, Message: fmt.Sprintf(format, args...)}
}
