package adapter

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	ctx     context.Context
	guest   api.Module
	memory  api.Memory
	linear  linear // memory, as that which can be put back
	fuel    api.MutableGlobal
	globals []api.MutableGlobal // the guest's, in the order of module.state
	alloc   api.Function
	run     api.Function
	stack   [2]uint64

	rested time.Time // since when it is in the pool
	thrift uint64    // what part of the fuel a call gets; 1: all
	random uint64    // state of the guest's randomness, the same for each call
}

type instanceKey struct{}

// instantiate makes an instance in which nothing has run yet.
func (m *Module) instantiate() (*instance, error) {
	in := &instance{module: m, name: m.name, linear: &compared{}, thrift: 1}
	in.ctx = context.WithValue(context.Background(), instanceKey{}, in)
	if m.runtime.pages != nil {
		var err error
		if in.linear, err = m.runtime.pages.reserve(int(m.runtime.options.MemoryLimit)); err != nil {
			return nil, err
		}
	}
	// No name, so that there may be many; no start functions: before the fuel is set, nothing may run.
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	guest, err := m.runtime.engine.InstantiateModule(in.linear.attach(in.ctx), m.compiled, config)
	if err != nil {
		in.linear.free()
		return nil, in.fault(err)
	}
	in.guest, in.memory = guest, guest.Memory()
	in.fuel, _ = guest.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
	for _, name := range m.state {
		global, ok := guest.ExportedGlobal(name).(api.MutableGlobal)
		if !ok {
			in.close()
			return nil, fmt.Errorf("adapter module %s: its global %s cannot be put back", m.name, name)
		}
		in.globals = append(in.globals, global)
	}
	in.alloc, in.run = guest.ExportedFunction("caio_alloc"), guest.ExportedFunction("caio_step")
	return in, nil
}

// start initializes the guest and checks that it speaks our language.
func (in *instance) start() error {
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

// settle makes a fresh instance what the image says, without running any of its code.
func (in *instance) settle(to *image) error {
	if grow := uint32(len(to.memory)) - in.memory.Size(); grow > 0 {
		if _, ok := in.memory.Grow(grow / pageBytes); !ok {
			return in.guestError(KindMemory, "it has %d bytes of memory, and no more to be as it was: %d", in.memory.Size(), len(to.memory))
		}
	}
	if err := in.linear.settle(in.bytes(), to); err != nil {
		return err
	}
	in.putGlobals(to)
	return nil
}

// restore undoes whatever the call wrote: what a guest keeps, the next caller, who may be another tenant, does not meet. An
// instance that grew cannot be restored: memory never shrinks, and its size alone tells something.
func (in *instance) restore() error {
	to := in.module.image
	if in.memory.Size() != uint32(len(to.memory)) {
		return errGrew
	}
	in.putGlobals(to)
	return in.linear.restore(in.bytes())
}

func (in *instance) putGlobals(to *image) {
	for i, global := range in.globals {
		global.Set(to.globals[i])
	}
}

// errGrew is why an instance is replaced that did nothing wrong.
var errGrew = errors.New("the instance's memory grew")

// bytes returns the guest's memory, shared.
func (in *instance) bytes() []byte {
	all, _ := in.memory.Read(0, in.memory.Size())
	return all
}

func (in *instance) close() {
	// Closing frees memory; there is nothing to be done about an error, and the engine knows none here.
	_ = in.guest.Close(in.ctx)
}

// serve runs one call. clean tells whether the instance is again what the image says; one that failed may be in any state, and
// is not tried to be.
func (in *instance) serve(adapter string, state []byte, ev *Event) (reply Reply, clean bool, err error) {
	in.linear.enter()
	defer in.linear.leave()
	if reply, err = in.step(adapter, state, ev); err != nil {
		return Reply{}, false, err
	}
	return reply, in.restore() == nil, nil
}

// refuel begins a call: fuel and randomness are those of every call.
func (in *instance) refuel() {
	in.fuel.Set(in.module.runtime.options.Fuel / in.thrift)
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
	ptr := in.module.room
	if ptr == 0 || size > roomBytes {
		in.stack[0] = uint64(size)
		if err := in.call(in.alloc); err != nil {
			return Reply{}, err
		}
		if ptr = uint32(in.stack[0]); ptr == 0 {
			return Reply{}, in.guestError(KindMemory, "it has no memory for an event of %d bytes", size)
		}
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
		return in.guestError(KindFuel, "it used up its %d instructions", in.module.runtime.options.Fuel/in.thrift)
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

// picture takes the image of the instance as it is now.
func (in *instance) picture() (*image, error) {
	globals := make([]uint64, len(in.globals))
	for i, global := range in.globals {
		globals[i] = global.Get()
	}
	return newImage(in.bytes(), globals, in.module.runtime.pages)
}
