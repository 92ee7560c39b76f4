package adapter

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/asm"
)

// hidingGuest keeps what it is given, in memory and in a global, and answers with what it finds kept: 64 bytes of it and the
// global, as a state of 68 bytes.
func hidingGuest() []byte {
	const kept = 70_000 // in a page that nothing else writes
	g := newGuest()
	g.prepare = func(m *asm.Module) { m.Global(7) }
	return g.build(
		asm.I32(0), asm.I64(1|68<<16), asm.Op(0x37, 0, 0), // field 1, 68 bytes
		asm.I32(6), asm.I32(kept), asm.I32(64), []byte{0xfc, 10, 0, 0},
		asm.I32(70), asm.Op(asm.GlobalGet, 0), asm.Op(0x36, 0, 0),
		asm.I32(kept), asm.Op(asm.LocalGet, 0), asm.I32(16), []byte{asm.I32Add}, asm.I32(64), []byte{0xfc, 10, 0, 0},
		asm.Op(asm.LocalGet, 1), asm.Op(asm.GlobalSet, 0),
		packed(0, 74))
}

// bothWays runs a test where the kernel tells which pages were written, and where all are compared.
func bothWays(t *testing.T, options Options, test func(t *testing.T, r *Runtime)) {
	t.Run("compared", func(t *testing.T) {
		r := open(t, options)
		if r.pages != nil {
			if err := r.pages.close(); err != nil {
				t.Fatal(err)
			}
			r.pages = nil
		}
		test(t, r)
	})
	t.Run("mapped", func(t *testing.T) {
		r := open(t, options)
		if r.pages == nil {
			t.Skip("the kernel does not tell which pages were written")
		}
		test(t, r)
	})
}

func TestNothingThatAGuestKeepsReachesTheNextCall(t *testing.T) {
	bothWays(t, Options{MaxInstances: 1}, func(t *testing.T, r *Runtime) {
		a := find(t, r, hidingGuest(), "hand")
		frame := Event{Kind: KindFrame}
		first, err := a.Step(t.Context(), nil, frame)
		if err != nil || len(first.State) != 68 {
			t.Fatalf("%+v, %v", first, err)
		}
		for i := range 500 {
			secret := fmt.Appendf(nil, "the secret of tenant %d, which is none of the others' business, is this", i)
			got, err := a.Step(t.Context(), secret, frame)
			if err != nil || !bytes.Equal(got.State, first.State) {
				t.Fatalf("call %d finds %q, %v", i, got.State, err)
			}
		}
		if n := len(a.module.idle); n != 1 {
			t.Errorf("%d instances: the calls did not meet in one", n)
		}
	})
}

// TestInstancesAreAlike: an instance made from the image is the one that the image was taken from, to the byte.
func TestInstancesAreAlike(t *testing.T) {
	bothWays(t, Options{}, func(t *testing.T, r *Runtime) {
		a := find(t, r, hidingGuest(), "hand")
		first := a.module.idle[0]
		other, err := a.module.another()
		if err != nil {
			t.Fatal(err)
		}
		defer other.close()
		if !bytes.Equal(first.bytes(), other.bytes()) || first.globals[0].Get() != other.globals[0].Get() {
			t.Error("they differ")
		}
	})
}

// TestWholeMemoryIsPutBack: a guest that fills all its memory, more pages than an instance keeps of its own.
func TestWholeMemoryIsPutBack(t *testing.T) {
	g := newGuest()
	g.pages = 50
	filling := g.build(
		asm.I32(8192), asm.Op(asm.LocalGet, 1), asm.I32(50*pageBytes-8192), []byte{0xfc, 11, 0}, packed(replyAt, len(doneDoc)))
	bothWays(t, Options{MaxInstances: 1}, func(t *testing.T, r *Runtime) {
		a := find(t, r, filling, "hand")
		for range 3 {
			if _, err := a.Step(t.Context(), nil, started); err != nil {
				t.Fatal(err)
			}
			if in := a.module.idle[0]; !bytes.Equal(in.bytes(), a.module.image.memory) {
				t.Fatal("memory is not as it was")
			}
		}
	})
}

// TestCallsOfEverySizeArePutBack: the pages that are written change from call to call, on many threads.
func TestCallsOfEverySizeArePutBack(t *testing.T) {
	g := newGuest()
	g.pages = 20
	bothWays(t, Options{MaxInstances: 4}, func(t *testing.T, r *Runtime) {
		a := find(t, r, g.build(), "hand")
		done := make(chan struct{})
		for worker := range 4 {
			go func() {
				defer func() { done <- struct{}{} }()
				for i := range 300 {
					if _, err := a.Step(t.Context(), make([]byte, (i*7919+worker*104729)%1_000_000), started); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		for range 4 {
			<-done
		}
		for _, in := range a.module.idle {
			if !bytes.Equal(in.bytes(), a.module.image.memory) {
				t.Error("memory is not as it was")
			}
		}
	})
}
