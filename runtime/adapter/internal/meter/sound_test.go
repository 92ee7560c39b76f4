package meter_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tetratelabs/wazero/api"

	"github.com/smarthausgroup/caio/runtime/adapter/internal/asm"
	"github.com/smarthausgroup/caio/runtime/adapter/internal/meter"
)

// program writes random structured code: ticks, which count themselves in global 0, in blocks, loops and ifs that are left
// and repeated as a pseudo-random number in global 1 has it.
type program struct {
	rand  *rand.Rand
	depth uint32 // of open blocks
	size  int
}

const ticksAtOnce = 30

func (p *program) tick() []byte {
	var out []byte
	for range ticksAtOnce {
		out = append(out, asm.Join(asm.Op(asm.GlobalGet, 0), asm.I32(1), []byte{asm.I32Add}, asm.Op(asm.GlobalSet, 0))...)
	}
	return out
}

// toss leaves 0 or 1 on the stack, 1 once in eight.
func (p *program) toss() []byte {
	return asm.Join(asm.Op(asm.GlobalGet, 1), asm.I32(1664525), []byte{asm.I32Mul}, asm.I32(1013904223), []byte{asm.I32Add}, asm.Op(asm.GlobalSet, 1),
		asm.Op(asm.GlobalGet, 1), asm.I32(29), []byte{0x76 /* i32.shr_u */, asm.I32Eqz})
}

func (p *program) code() []byte {
	var out []byte
	for range 1 + p.rand.IntN(4) {
		p.size++
		kind := p.rand.IntN(7)
		if p.size > 60 || p.depth > 6 {
			kind = 0
		}
		switch kind {
		case 0, 1:
			out = append(out, p.tick()...)
		case 2, 3: // a block or a loop
			out = append(out, byte(asm.Block+kind-2), asm.Void)
			out = append(append(out, p.inside()...), asm.End)
		case 4: // if, perhaps else
			out = append(append(out, p.toss()...), asm.If, asm.Void)
			out = append(out, p.inside()...)
			if p.rand.IntN(2) == 0 {
				out = append(append(out, asm.Else), p.inside()...)
			}
			out = append(out, asm.End)
		case 5: // leave, or begin anew
			out = append(append(out, p.toss()...), asm.Op(asm.BrIf, p.rand.Uint32N(p.depth+1))...)
		case 6:
			out = append(append(out, p.toss()...), asm.Op(asm.BrTable, 1, p.rand.Uint32N(p.depth+1), p.rand.Uint32N(p.depth+1))...)
			// What follows a br_table is never reached, so a block's end must come next; the caller closes it.
			return out
		}
	}
	return out
}

func (p *program) inside() []byte {
	p.depth++
	defer func() { p.depth-- }()
	return p.code()
}

// TestNoInstructionRunsUnpaid holds the accounting to its promise on thousands of random shapes of control flow: the fuel
// used is never less than what the code itself counted.
func TestNoInstructionRunsUnpaid(t *testing.T) {
	var ran int
	for seed := range uint64(2000) {
		p := &program{rand: rand.New(rand.NewPCG(seed, 1))}
		m := &asm.Module{}
		m.Global(0)
		m.Global(int32(seed * 2654435761))
		m.ExportGlobal("ticks", 0)
		m.Export("f", m.Func("() -> ()", "", p.code()))
		read, err := meter.Read(m.Bytes(), limits)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		guest, err := start(t, read.Metered())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		const fuel = 1_000_000
		left := guest.ExportedGlobal(meter.FuelExport).(api.MutableGlobal)
		left.Set(fuel)
		_, trapped := guest.ExportedFunction("f").Call(t.Context())
		used := fuel - int64(left.Get())
		if trapped != nil && used <= fuel {
			t.Fatalf("seed %d: %v with fuel left", seed, trapped)
		}
		ticks := int64(guest.ExportedGlobal("ticks").Get())
		if used < 4*ticks {
			t.Fatalf("seed %d: %d instructions of ticks ran for %d fuel", seed, 4*ticks, used)
		}
		if ticks > 0 {
			ran++
		}
	}
	if ran < 1000 {
		t.Errorf("only %d programs did anything", ran)
	}
}
