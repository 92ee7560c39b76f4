//go:build wasip1

package adapter

import (
	"runtime"
	"unsafe"
)

// The guest's side of the boundary. in and out live here because the host reads and writes them between calls; both keep
// their memory, up to a bound, so that a call allocates little.
var (
	in  []byte
	out Encoder
)

// keep bounds the buffers that are kept between calls.
const keep = 1 << 20

//go:wasmexport caio_abi_version
func abiVersion() int32 { return 1 }

//go:wasmexport caio_alloc
func alloc(size int32) unsafe.Pointer {
	if size < 0 {
		return nil
	}
	size = max(size, 1) // there is an address even for nothing
	if cap(in) < int(size) || cap(in) > keep {
		in = make([]byte, max(int(size), 4096))
	}
	in = in[:size]
	return unsafe.Pointer(unsafe.SliceData(in))
}

// spare is how many bytes of memory a call finds free: what it needs beyond them the host's memory grows by, and an instance
// that grew is not used again.
const spare = 2 << 20

// settle leaves behind what was set up, and what no call has to ask for again: free memory, an allocator that has something
// at hand for each size, a stack that is large enough. A collection takes the latter two away, and fetching them anew costs
// more than most steps.
//
//go:wasmexport caio_settle
func settle() {
	room := make([]byte, spare)
	runtime.KeepAlive(&room[0])
	room = nil
	runtime.GC()
	runtime.GC() // what the first one found is swept and free
	var bytes []byte
	var pointers []*byte
	for size := 8; size <= 16<<10; size += max(8, size/8) {
		bytes, pointers = make([]byte, size), make([]*byte, size/8)
		runtime.KeepAlive(&bytes[0])
		runtime.KeepAlive(&pointers[0])
	}
	deep()
}

// deep needs, and so leaves, a stack of 64 KB.
//
//go:noinline
func deep() {
	var frame [48 << 10]byte
	touch(&frame)
}

//go:noinline
func touch(frame *[48 << 10]byte) { frame[len(frame)-1] = 1 }

//go:wasmexport caio_describe
func exportDescribe() uint64 {
	describe(&out, served)
	return result()
}

//go:wasmexport caio_step
func exportStep(ptr unsafe.Pointer, size int32) uint64 {
	if cap(out.buf) > keep {
		out.buf = nil
	}
	step(&out, served, unsafe.Slice((*byte)(ptr), size))
	return result()
}

func result() uint64 {
	buf := out.Bytes()
	if len(buf) == 0 {
		return 0
	}
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(buf))))<<32 | uint64(len(buf))
}

func describe(out *Encoder, adapters []Adapter) {
	out.Reset()
	infos := make([]Info, len(adapters))
	for i, a := range adapters {
		infos[i] = a.Info()
	}
	encodeInfos(out, infos)
}
