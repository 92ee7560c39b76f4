package adapter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"unsafe"

	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// On Linux an image is a file in memory, and an instance's memory a private mapping of it: what no guest writes is there once for
// all instances, and the kernel gives an instance its own copy of a page when it first writes it.
//
// /proc/self/pagemap tells which pages are an instance's own. Reading it takes 30 us for a Go guest, so it is read only when
// there may be new ones: a page becomes the instance's own by a fault of the thread that writes it, and the kernel counts the
// faults of each thread. While the count stands still, the pages known from before are all there are, and copying 60 of them
// back takes 5 us. Rejected: dropping the pages after each call (MADV_DONTNEED), for then each faults anew in the next, 370 us
// in all; comparing all pages, 150 us; userfaultfd, which containers forbid; marking pages in the guest's code, which every
// store would pay for.

// mostOwn is how many pages of its own an instance keeps from call to call. Beyond that all are dropped: a call that wrote much is
// rare, and its memory is better given back.
const mostOwn = 512

// pagemap is the kernel's list of this process's pages, 8 bytes each.
type pagemap struct{ file *os.File }

const (
	pageThere   = 1<<63 | 1<<62 // in memory or swapped out
	pageOfAFile = 1 << 61       // and nobody's own
)

// openPagemap tries whether the kernel tells what mapped needs to know, which some containers and sandboxes do not let it.
func openPagemap() (*pagemap, error) {
	if os.Getpagesize() != osPage {
		return nil, fmt.Errorf("pages of %d bytes", os.Getpagesize())
	}
	file, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil, err
	}
	p := &pagemap{file}
	if err := p.try(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *pagemap) close() error { return p.file.Close() }

// try writes one page of three, and looks whether the kernel says so.
func (p *pagemap) try() error {
	im, err := newImage(make([]byte, pageBytes), nil, p)
	if err != nil {
		return err
	}
	defer im.close()
	m, err := p.reserve(pageBytes)
	if err != nil {
		return err
	}
	defer m.free()
	memory := m.Reallocate(pageBytes)
	if err := m.settle(memory, im); err != nil {
		return err
	}
	m.enter()
	defer m.leave()
	memory[osPage] = 1 + memory[0]
	if faults() == m.faults {
		return errors.New("page faults are not counted")
	}
	if err := m.restore(memory); err != nil {
		return err
	}
	if len(m.own) != 1 || m.own[0] != osPage || memory[osPage] != 0 {
		return fmt.Errorf("written pages are not told: %d of 1", len(m.own))
	}
	return nil
}

// newImage keeps memory, of whole pages, and globals. With a pagemap, instances can map it.
func newImage(memory []byte, globals []uint64, p *pagemap) (*image, error) {
	if p == nil {
		return &image{memory: append([]byte(nil), memory...), globals: globals}, nil
	}
	fd, err := unix.MemfdCreate("caio-adapter", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make an image of %d bytes: %w", len(memory), err)
	}
	file := os.NewFile(uintptr(fd), "adapter image")
	if _, err := file.Write(memory); err != nil {
		return nil, errors.Join(fmt.Errorf("write an image of %d bytes: %w", len(memory), err), file.Close())
	}
	// Nothing may change it from here on, not even a fault of ours: every call of every tenant begins with it.
	if _, err := unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE|unix.F_SEAL_SEAL); err != nil {
		return nil, errors.Join(fmt.Errorf("seal an image: %w", err), file.Close())
	}
	view, err := unix.Mmap(fd, 0, len(memory), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map an image: %w", err), file.Close())
	}
	return &image{memory: view, globals: globals, file: file}, nil
}

// close gives the image's memory back; no instance may be left.
func (im *image) close() {
	if im.file != nil {
		_ = unix.Munmap(im.memory)
		_ = im.file.Close()
	}
}

// mapped is an instance's memory as a private mapping of its image.
type mapped struct {
	pages   *pagemap
	reserve []byte // addresses up to the memory limit; nil once freed
	size    uint64 // of the memory in it
	image   *image // nil before settle

	own     []int  // offsets of the pages that are the instance's own, rising
	faults  int64  // of the thread, at enter
	entries []byte // of the pagemap, as last read
}

// reserve reserves addresses for a memory of at most limit bytes.
func (p *pagemap) reserve(limit int) (*mapped, error) {
	addresses, err := unix.Mmap(-1, 0, limit, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %d bytes of addresses for a guest: %w", limit, err)
	}
	return &mapped{pages: p, reserve: addresses}, nil
}

func (m *mapped) attach(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return m }))
}

// Reallocate is how the engine makes the memory and grows it. It never moves.
func (m *mapped) Reallocate(size uint64) []byte {
	if size > uint64(len(m.reserve)) {
		return nil
	}
	if size > m.size {
		if err := unix.Mprotect(m.reserve[m.size:size], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return nil // the guest is told that there is no more
		}
		m.size = size
	}
	return m.reserve[:size:size]
}

// Free is how the engine gives the memory back.
func (m *mapped) Free() { m.free() }

func (m *mapped) free() {
	if m.reserve != nil {
		_ = unix.Munmap(m.reserve)
		m.reserve = nil
	}
}

func (m *mapped) settle(memory []byte, to *image) error {
	start := unsafe.Pointer(unsafe.SliceData(m.reserve))
	_, err := unix.MmapPtr(int(to.file.Fd()), 0, start, uintptr(len(to.memory)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	if err != nil {
		return fmt.Errorf("map an image over a guest's memory: %w", err)
	}
	m.image, m.own = to, m.own[:0]
	m.entries = make([]byte, len(memory)/osPage*8)
	return nil
}

// enter keeps the goroutine on its thread, whose faults are counted.
func (m *mapped) enter() {
	goruntime.LockOSThread()
	m.faults = faults()
}

func (m *mapped) leave() { goruntime.UnlockOSThread() }

// faults returns how many page faults the calling thread has had; always another number where that cannot be told.
func faults() int64 {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		return -1
	}
	return usage.Minflt + usage.Majflt
}

func (m *mapped) restore(memory []byte) error {
	if now := faults(); now != m.faults || now < 0 {
		if err := m.look(); err != nil {
			return err
		}
	}
	if len(m.own) > mostOwn {
		if err := unix.Madvise(memory, unix.MADV_DONTNEED); err != nil {
			return fmt.Errorf("drop a guest's pages: %w", err)
		}
		m.own = m.own[:0]
		return nil
	}
	for _, at := range m.own {
		copy(memory[at:at+osPage], m.image.memory[at:])
	}
	return nil
}

// look asks the kernel which pages are the instance's own.
func (m *mapped) look() error {
	at := int64(uintptr(unsafe.Pointer(unsafe.SliceData(m.reserve)))/osPage) * 8
	if n, err := unix.Pread(int(m.pages.file.Fd()), m.entries, at); err != nil || n != len(m.entries) {
		return fmt.Errorf("read which pages a guest wrote: %d of %d bytes: %w", n, len(m.entries), err)
	}
	m.own = m.own[:0]
	for i := 0; i < len(m.entries); i += 8 {
		if e := binary.LittleEndian.Uint64(m.entries[i:]); e&pageThere != 0 && e&pageOfAFile == 0 {
			m.own = append(m.own, i/8*osPage)
		}
	}
	return nil
}
