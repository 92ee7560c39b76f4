package adapter

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/meter"
)

// The WASI functions that languages link into every program, each doing as little as keeps the program alive. What a guest
// learns from them is the same in every call: it stays a pure function.

const wasiModule = "wasi_snapshot_preview1"

// Error numbers of WASI.
const (
	wasiOK       = 0
	wasiBadFile  = 8
	wasiFault    = 21
	wasiInvalid  = 28
	wasiNoSystem = 52
)

// hostCall is what each call of a stub is charged, in units of fuel: leaving the guest costs as much as some hundred
// instructions in it.
const hostCall = 300

// epoch is the only time there is: 2000-01-01T00:00:00Z, in nanoseconds.
const epoch = 946_684_800_000_000_000

type stub struct {
	params string // "i" for i32, "I" for i64
	run    func(in *instance, mem api.Memory, stack []uint64) uint32
}

// always answers with an error number.
func always(errno uint32) func(*instance, api.Memory, []uint64) uint32 {
	return func(*instance, api.Memory, []uint64) uint32 { return errno }
}

// stubs are the functions of WASI preview 1, without those that make or accept connections but for the ones Go links in.
var stubs = map[string]stub{
	"args_get":                {"ii", always(wasiOK)},
	"args_sizes_get":          {"ii", zeroSizes},
	"environ_get":             {"ii", always(wasiOK)},
	"environ_sizes_get":       {"ii", zeroSizes},
	"clock_res_get":           {"ii", func(_ *instance, mem api.Memory, s []uint64) uint32 { return put64(mem, uint32(s[1]), 1) }},
	"clock_time_get":          {"iIi", func(_ *instance, mem api.Memory, s []uint64) uint32 { return put64(mem, uint32(s[2]), epoch) }},
	"random_get":              {"ii", randomGet},
	"fd_write":                {"iiii", fdWrite},
	"poll_oneoff":             {"iiii", pollOneoff},
	"sched_yield":             {"", always(wasiOK)},
	"fd_advise":               {"iIIi", always(wasiBadFile)},
	"fd_allocate":             {"iII", always(wasiBadFile)},
	"fd_close":                {"i", always(wasiBadFile)},
	"fd_datasync":             {"i", always(wasiBadFile)},
	"fd_fdstat_get":           {"ii", always(wasiBadFile)},
	"fd_fdstat_set_flags":     {"ii", always(wasiBadFile)},
	"fd_fdstat_set_rights":    {"iII", always(wasiBadFile)},
	"fd_filestat_get":         {"ii", always(wasiBadFile)},
	"fd_filestat_set_size":    {"iI", always(wasiBadFile)},
	"fd_filestat_set_times":   {"iIIi", always(wasiBadFile)},
	"fd_pread":                {"iiiIi", always(wasiBadFile)},
	"fd_prestat_dir_name":     {"iii", always(wasiBadFile)},
	"fd_prestat_get":          {"ii", always(wasiBadFile)},
	"fd_pwrite":               {"iiiIi", always(wasiBadFile)},
	"fd_read":                 {"iiii", always(wasiBadFile)},
	"fd_readdir":              {"iiiIi", always(wasiBadFile)},
	"fd_renumber":             {"ii", always(wasiBadFile)},
	"fd_seek":                 {"iIii", always(wasiBadFile)},
	"fd_sync":                 {"i", always(wasiBadFile)},
	"fd_tell":                 {"ii", always(wasiBadFile)},
	"path_create_directory":   {"iii", always(wasiBadFile)},
	"path_filestat_get":       {"iiiii", always(wasiBadFile)},
	"path_filestat_set_times": {"iiiiIIi", always(wasiBadFile)},
	"path_link":               {"iiiiiii", always(wasiBadFile)},
	"path_open":               {"iiiiiIIii", always(wasiBadFile)},
	"path_readlink":           {"iiiiii", always(wasiBadFile)},
	"path_remove_directory":   {"iii", always(wasiBadFile)},
	"path_rename":             {"iiiiii", always(wasiBadFile)},
	"path_symlink":            {"iiiii", always(wasiBadFile)},
	"path_unlink_file":        {"iii", always(wasiBadFile)},
	"sock_accept":             {"iii", always(wasiNoSystem)},
	"sock_shutdown":           {"ii", always(wasiNoSystem)},
}

// wasiSignature returns the type of a function that a guest may import.
func wasiSignature(imp meter.Import) (string, bool) {
	if imp.Module != wasiModule {
		return "", false
	}
	if imp.Name == "proc_exit" {
		return "(i32) -> ()", true
	}
	s, known := stubs[imp.Name]
	if !known {
		return "", false
	}
	params := make([]string, len(s.params))
	for i, p := range s.params {
		if params[i] = "i32"; p == 'I' {
			params[i] = "i64"
		}
	}
	return "(" + strings.Join(params, ", ") + ") -> (i32)", true
}

func instantiateWASI(ctx context.Context, engine wazero.Runtime) error {
	builder := engine.NewHostModuleBuilder(wasiModule)
	for name, s := range stubs {
		params := make([]api.ValueType, len(s.params))
		for i, p := range s.params {
			if params[i] = api.ValueTypeI32; p == 'I' {
				params[i] = api.ValueTypeI64
			}
		}
		run := s.run
		builder.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, guest api.Module, stack []uint64) {
			in := ctx.Value(instanceKey{}).(*instance)
			in.charge(hostCall)
			stack[0] = uint64(run(in, guest.Memory(), stack))
		}), params, []api.ValueType{api.ValueTypeI32}).Export(name)
	}
	builder.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(func(_ context.Context, _ api.Module, stack []uint64) {
		panic(sys.NewExitError(uint32(stack[0]))) // how the engine is told; the call returns it as an error
	}), []api.ValueType{api.ValueTypeI32}, nil).Export("proc_exit")
	if _, err := builder.Instantiate(ctx); err != nil {
		return fmt.Errorf("build the guests' WASI: %w", err)
	}
	return nil
}

func put32(mem api.Memory, at, v uint32) uint32 {
	if !mem.WriteUint32Le(at, v) {
		return wasiFault
	}
	return wasiOK
}

func put64(mem api.Memory, at uint32, v uint64) uint32 {
	if !mem.WriteUint64Le(at, v) {
		return wasiFault
	}
	return wasiOK
}

// zeroSizes says: none, of no bytes.
func zeroSizes(_ *instance, mem api.Memory, stack []uint64) uint32 {
	return max(put32(mem, uint32(stack[0]), 0), put32(mem, uint32(stack[1]), 0))
}

// randomGet fills a buffer from a fixed sequence (splitmix64) that begins anew with each call.
func randomGet(in *instance, mem api.Memory, stack []uint64) uint32 {
	size := uint32(stack[1])
	in.charge(uint64(size))
	buf, ok := mem.Read(uint32(stack[0]), size)
	if !ok {
		return wasiFault
	}
	for len(buf) > 0 {
		in.random += 0x9e3779b97f4a7c15
		z := in.random
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], z^z>>31)
		buf = buf[copy(buf, word[:]):]
	}
	return wasiOK
}

// fdWrite throws away what a guest writes to its standard output and error, and says that all was written.
func fdWrite(in *instance, mem api.Memory, stack []uint64) uint32 {
	fd, vectors, count := uint32(stack[0]), uint32(stack[1]), uint32(stack[2])
	if fd != 1 && fd != 2 {
		return wasiBadFile
	}
	// The loop runs in the host, where no fuel is taken by itself.
	if count > 1024 {
		return wasiInvalid
	}
	in.charge(uint64(count))
	var written uint32
	for i := range count {
		size, ok := mem.ReadUint32Le(vectors + 8*i + 4)
		if !ok {
			return wasiFault
		}
		written += size
	}
	return put32(mem, uint32(stack[3]), written)
}

// pollOneoff says that everything waited for has happened: time does not pass here, so waiting for it would never end. A
// guest that insists runs out of fuel.
func pollOneoff(in *instance, mem api.Memory, stack []uint64) uint32 {
	const subscriptionBytes, eventBytes = 48, 32
	subscriptions, events, count := uint32(stack[0]), uint32(stack[1]), uint32(stack[2])
	if count == 0 || count > 1024 {
		return wasiInvalid
	}
	in.charge(10 * uint64(count))
	for i := range count {
		asked, ok := mem.Read(subscriptions+subscriptionBytes*i, subscriptionBytes)
		if !ok {
			return wasiFault
		}
		var event [eventBytes]byte
		copy(event[:8], asked[:8]) // the guest's own mark
		event[10] = asked[8]       // what kind of thing happened; no error
		if !mem.Write(events+eventBytes*i, event[:]) {
			return wasiFault
		}
	}
	return put32(mem, uint32(stack[3]), count)
}
