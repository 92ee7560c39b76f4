package adapter

import (
	"bytes"
	"context"
	"os"
)

// osPage is the unit in which memory is put back, in bytes.
const osPage = 4096

// An image is the state in which every call of a module finds its guest: memory and globals after warm-up. Immutable, shared by
// the module's instances.
type image struct {
	memory  []byte   // a multiple of 64 KiB
	globals []uint64 // in the order of Module.state
	file    *os.File // memory's, where instances map it; nil: they do not
}

// A linear is the memory of one instance, which can be put back. There are two: mapped knows from the kernel which pages were
// written, compared looks at all of them.
type linear interface {
	// attach lets the engine take the instance's memory from it; what it returns goes into the instantiation.
	attach(ctx context.Context) context.Context
	// settle makes memory, all of the instance's, what the image holds, and that what restore puts back. Both are of one length.
	settle(memory []byte, to *image) error
	// enter comes before the first write of a call, leave after the last one, on the same goroutine.
	enter()
	leave()
	// restore puts back all that was written since settle; it comes between enter and leave.
	restore(memory []byte) error
	// free gives back what the engine holds no longer. More often than once is no fault.
	free()
}

// compared finds the written pages by holding all of them against the image.
type compared struct{ image *image }

func (c *compared) attach(ctx context.Context) context.Context { return ctx }

func (c *compared) settle(memory []byte, to *image) error {
	c.image = to
	return c.restore(memory)
}

func (c *compared) enter() {}
func (c *compared) leave() {}
func (c *compared) free()  {}

func (c *compared) restore(memory []byte) error {
	for at := 0; at < len(memory); at += osPage {
		if was := c.image.memory[at : at+osPage]; !bytes.Equal(memory[at:at+osPage], was) {
			copy(memory[at:], was)
		}
	}
	return nil
}
