package meter

func (p *parser) readCode(r *reader) *Refusal {
	n, imported := r.count(), len(p.imports)
	if n != len(p.functions)-imported {
		return refuse("format", "%d functions are declared, %d have code", len(p.functions)-imported, n)
	}
	out := appendU32(make([]byte, 0, len(r.buf)*3/2), uint32(n))
	var b body
	for i := range n {
		code := r.bytes(r.u32())
		if r.broken {
			return nil
		}
		index := imported + i
		if len(code) > p.limits.FunctionBytes {
			return refuse("size", "function %d has %d bytes, at most %d are allowed", index, len(code), p.limits.FunctionBytes)
		}
		b.reset(code, p.types[p.functions[index]].params, p.globals, len(p.types), index)
		if refusal := b.walk(); refusal != nil {
			return refusal
		}
		if refusal := p.weigh(&b); refusal != nil {
			return refusal
		}
		out = b.write(out)
	}
	p.sections[secCode] = out
	return nil
}

// weigh bounds what compiling may cost. Compilers keep, for every place where control flow joins, an entry for every local,
// and some of their passes go over all joins for each join, and over all locals for each local: 87 KB of such code took 12 s
// and 1.9 GB. The weight is fitted to the engine's compiler, which needs 1 to 3 us for a unit of it.
func (p *parser) weigh(b *body) *Refusal {
	locals, joins := uint64(b.params)+b.locals, uint64(b.joins)+1 // below 2^17 and 2^21: no product overflows
	weight := joins*(locals+1) + (joins*joins+locals*locals)/32 + uint64(len(b.buf))/4
	if weight > p.limits.Complexity {
		return refuse("complexity", "function %d has %d locals, %d branches and %d bytes and weighs %d; at most %d are allowed",
			b.index, locals, b.joins, len(b.buf), weight, p.limits.Complexity)
	}
	p.complexity = max(p.complexity, weight)
	if p.totalComplexity += weight; p.totalComplexity > p.limits.TotalComplexity {
		return refuse("complexity", "the functions up to %d weigh more than %d together", b.index, p.limits.TotalComplexity)
	}
	return nil
}

// body is one function on its way through the meter.
type body struct {
	reader
	index   int // of the function, for messages
	params  int
	types   int
	globals int
	locals  uint64 // declared ones
	code    int    // where the instructions begin
	joins   int    // places where control flow parts or joins

	points []point // where fuel is taken, by place
	bulk   bool    // some point is a bulk one
	frames []frame
}

// point is a place before whose next instruction fuel is taken.
type point struct {
	kind   pointKind
	at     int   // offset in the body
	cost   int64 // instructions that are paid here; for bulk points: the shift, see write
	parent int   // join: the point that is paid on every way here
}

type pointKind uint8

const (
	entry pointKind = iota // of the function; checked
	head                   // of a loop; checked
	join                   // behind a block that is branched out of; not checked, since every cycle has a head or an entry
	bulk                   // before an instruction whose cost lies on the stack
)

// frame is an open block. What stands in it, and behind it, is paid at a point that control has always passed since it last
// came to the code: the one that was current where the block was opened, or a later one inside. Behind an if, what was
// current inside may have been skipped, so that the one of the opening counts again.
type frame struct {
	point    int // current one inside
	opened   int // current one where it was opened
	loop     bool
	targeted bool // something branches behind it
}

func (b *body) reset(code []byte, params, globals, types, index int) {
	*b = body{reader: reader{buf: code}, index: index, params: params, types: types, globals: globals,
		points: b.points[:0], frames: b.frames[:0]}
}

// walk reads the locals and every instruction, and notes where to charge how much.
func (b *body) walk() *Refusal {
	for range b.count() {
		b.locals += uint64(b.u32())
		valueType(&b.reader)
		if b.broken || b.locals > 50_000 { // the engines' own bound
			return refuse("format", "function %d: its locals cannot be read, or are more than 50000", b.index)
		}
	}
	if b.broken {
		return refuse("format", "function %d: its locals cannot be read", b.index)
	}
	b.code = b.at
	b.points = append(b.points, point{kind: entry, at: b.at, cost: 1}) // for the call
	b.frames = append(b.frames, frame{})
	for len(b.frames) > 0 {
		start := b.at
		op := b.byte()
		switch op {
		case 0x01, 0x02, 0x03, 0x05, 0x0b: // nop, block, loop, else, end: marks in the code, of which nothing is executed
		default:
			b.points[b.frames[len(b.frames)-1].point].cost++
		}
		if refusal := b.instruction(op, start); refusal != nil {
			return refusal
		}
		if b.broken {
			return refuse("format", "function %d: the instruction at its byte %d cannot be read", b.index, start)
		}
	}
	if b.left() != 0 {
		return refuse("format", "function %d: %d bytes follow its end", b.index, b.left())
	}
	return nil
}

// instruction passes over the immediates of op, which stands at start.
func (b *body) instruction(op byte, start int) *Refusal {
	switch {
	case op >= 0x45 && op <= 0xc4: // arithmetic, comparisons, conversions
		return nil
	case op >= 0x28 && op <= 0x3e: // loads and stores
		b.u32()
		b.u32()
		return nil
	}
	switch op {
	case 0x00, 0x01, 0x0f, 0x1a, 0x1b, 0xd1: // unreachable, nop, return, drop, select, ref.is_null
	case 0x02, 0x03, 0x04: // block, loop, if
		b.open(op)
	case 0x05: // else
		b.joins++
		if len(b.frames) == 1 {
			b.broken = true
		}
		inner := &b.frames[len(b.frames)-1]
		inner.point = inner.opened
	case 0x0b: // end
		b.end()
	case 0x0c, 0x0d: // br, br_if
		b.branch()
	case 0x0e: // br_table
		for range b.count() {
			b.branch()
		}
		b.branch()
	case 0x10, 0xd2: // call, ref.func
		b.u32()
	case 0x11: // call_indirect
		b.u32()
		b.u32()
	case 0x1c: // select with types
		for range b.count() {
			valueType(&b.reader)
		}
	case 0x20, 0x21, 0x22: // local.get, set, tee
		// Locals of our own follow the function's: it must not reach them.
		if uint64(b.u32()) >= uint64(b.params)+b.locals {
			return refuse("index", "function %d uses a local that it does not have", b.index)
		}
	case 0x23, 0x24: // global.get, set
		// Nor may it reach its fuel.
		if uint64(b.u32()) >= uint64(b.globals) {
			return refuse("index", "function %d uses a global that the module does not have", b.index)
		}
	case 0x25, 0x3f: // table.get, memory.size
		b.u32()
	case 0x40: // memory.grow
		b.charge(start, -13)
		b.u32()
	case 0x41: // i32.const
		b.leb(32)
	case 0x42: // i64.const
		b.leb(64)
	case 0x43: // f32.const
		b.bytes(4)
	case 0x44: // f64.const
		b.bytes(8)
	case 0xd0: // ref.null
		b.byte()
	case 0xfc:
		return b.prefixed(start)
	default:
		return b.refuse(op)
	}
	return nil
}

// open begins a block.
func (b *body) open(op byte) {
	b.joins++
	outer := b.frames[len(b.frames)-1].point
	inner := frame{point: outer, opened: outer, loop: op == 0x03}
	// A type's index, or one byte for no result or one: all are a signed number of 33 bits.
	if b.left() > 0 && (b.buf[b.at] == 0x40 || b.buf[b.at] >= 0x6f && b.buf[b.at] <= 0x7f) {
		b.byte()
	} else if index := b.leb(33); index >= uint64(b.types) {
		b.broken = true
	}
	if inner.loop {
		inner.point = len(b.points)
		b.points = append(b.points, point{kind: head, at: b.at, cost: 1}) // for coming back
	}
	b.frames = append(b.frames, inner)
}

// branch notes where a branch goes.
func (b *body) branch() {
	b.joins++
	if depth := b.u32(); uint64(depth) < uint64(len(b.frames)) {
		b.frames[len(b.frames)-1-int(depth)].targeted = true
	} else {
		b.broken = true
	}
}

// end closes a block.
func (b *body) end() {
	last := len(b.frames) - 1
	inner := b.frames[last]
	b.frames = b.frames[:last]
	if last == 0 {
		return
	}
	outer := &b.frames[last-1]
	outer.point = inner.opened
	if inner.targeted && !inner.loop {
		outer.point = len(b.points)
		b.points = append(b.points, point{kind: join, at: b.at, parent: inner.opened})
	}
}

func (b *body) prefixed(start int) *Refusal {
	switch op := b.u32(); op {
	case 0, 1, 2, 3, 4, 5, 6, 7: // saturating conversions
	case 8: // memory.init
		b.charge(start, 3)
		b.u32()
		b.u32()
	case 10: // memory.copy
		b.charge(start, 3)
		b.u32()
		b.u32()
	case 11: // memory.fill
		b.charge(start, 3)
		b.u32()
	case 16: // table.size
		b.u32()
	case 9, 12, 13, 14, 15, 17:
		return refuse("instruction", "function %d changes a table or drops a segment (0xfc %d)", b.index, op)
	default:
		return refuse("instruction", "function %d uses 0xfc %d, which is not known here", b.index, op)
	}
	return nil
}

func (b *body) refuse(op byte) *Refusal {
	what := "which is not known here"
	switch op {
	case 0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f:
		what = "an exception instruction"
	case 0x12, 0x13, 0x15:
		what = "a tail call"
	case 0x26:
		what = "which changes a table"
	case 0xfb:
		what = "a garbage collection instruction"
	case 0xfd:
		what = "a SIMD instruction"
	case 0xfe:
		what = "a thread instruction"
	}
	return refuse("instruction", "function %d uses 0x%02x, %s", b.index, op, what)
}

// charge notes that the instruction at start costs by its length: the number on the stack shifted right by shift, or left
// where shift is negative.
func (b *body) charge(start int, shift int64) {
	b.points = append(b.points, point{kind: bulk, at: start, cost: shift})
	b.bulk = true
}
