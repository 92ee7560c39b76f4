package meter

import "strconv"

// write appends the function, with its charges, to a code section.
func (b *body) write(out []byte) []byte {
	// Two locals of our own: what is left of the fuel, and a length on the stack.
	left := uint32(uint64(b.params) + b.locals)
	length := left + 1

	head := reader{buf: b.buf}
	groups := head.u32()
	extra := []byte{1, 0x7e}
	if b.bulk {
		extra = append(extra, 1, 0x7f)
	}
	code := appendU32(make([]byte, 0, len(b.buf)+24*len(b.points)), groups+uint32(len(extra)/2))
	code = append(code, b.buf[head.at:b.code]...)
	code = append(code, extra...)

	b.settleAccounts()
	at := b.code
	for _, point := range b.points {
		code = append(code, b.buf[at:point.at]...)
		at = point.at
		switch {
		case point.kind == bulk:
			code = b.check(b.takeLength(code, length, point.cost), left)
		case point.cost == 0: // paid elsewhere
		case point.kind == join:
			code = appendU32(append(b.take(code, point.cost), 0x24), uint32(b.globals)) // global.set fuel
		default:
			code = b.check(b.take(code, point.cost), left)
		}
	}
	code = append(code, b.buf[at:]...)
	return append(appendU32(out, uint32(len(code))), code...)
}

// cheapJoin is what a join must cost to be paid where it stands: taking the fuel costs as much itself.
const cheapJoin = 4

// settleAccounts moves costs to points where they are paid more cheaply. They only ever move to a point that control has
// always passed before, so that no instruction is ever run unpaid.
func (b *body) settleAccounts() {
	// A parent comes before its joins, so that costs can move on and on.
	for i := len(b.points) - 1; i > 0; i-- {
		if p := &b.points[i]; p.kind == join && p.cost < cheapJoin {
			b.points[p.parent].cost += p.cost
			p.cost = 0
		}
	}
	// Most of what Go compiles opens with a loop, whose head is the second point: pay there, once.
	if b.buf[b.code] == 0x03 {
		b.points[1].cost += b.points[0].cost
		b.points[0].cost = 0
	}
}

// take computes the fuel less cost, on the stack.
func (b *body) take(code []byte, cost int64) []byte {
	code = appendU32(append(code, 0x23), uint32(b.globals)) // global.get fuel
	code = appendS64(append(code, 0x42), cost)              // i64.const cost
	return append(code, 0x7d)                               // i64.sub
}

// takeLength computes the fuel less the length that lies on the stack, shifted.
func (b *body) takeLength(code []byte, length uint32, shift int64) []byte {
	code = appendU32(append(code, 0x22), length)            // local.tee length
	code = appendU32(append(code, 0x23), uint32(b.globals)) // global.get fuel
	code = appendU32(append(code, 0x20), length)            // local.get length
	code = append(code, 0xad)                               // i64.extend_i32_u
	if shift < 0 {
		code = append(appendS64(append(code, 0x42), -shift), 0x86) // i64.shl
	} else {
		code = append(appendS64(append(code, 0x42), shift), 0x88) // i64.shr_u
	}
	return append(code, 0x7d) // i64.sub
}

// check stores the fuel that is left and traps when it is used up.
func (b *body) check(code []byte, left uint32) []byte {
	code = appendU32(append(code, 0x22), left)                 // local.tee left
	code = appendU32(append(code, 0x24), uint32(b.globals))    // global.set fuel
	code = appendU32(append(code, 0x20), left)                 // local.get left
	return append(code, 0x42, 0, 0x53, 0x04, 0x40, 0x00, 0x0b) // i64.const 0; i64.lt_s; if; unreachable; end
}

// assemble writes the module: the sections as they were, code rewritten, the fuel added and exported.
func (p *parser) assemble() []byte {
	size := len(magic) + 64
	for _, section := range p.sections {
		size += len(section) + 6
	}
	out := append(make([]byte, 0, size), magic...)
	for _, id := range []int{secType, secImport, secFunction, secTable, secMemory, secGlobal, secExport, secElement, secDataCount, secCode, secData} {
		body := p.sections[id]
		switch {
		case id == secGlobal:
			body = extend(body, p.present[id], 1, 0x7e, 1, 0x42, 0, 0x0b) // mutable i64, i64.const 0
		case id == secExport:
			body = extend(body, p.present[id], 1+len(p.mutable), p.exportState(exportGlobal(nil, FuelExport, uint32(p.globals)))...)
		case !p.present[id]:
			continue
		}
		out = append(out, byte(id))
		out = append(appendU32(out, uint32(len(body))), body...)
	}
	return out
}

// stateNames returns what the mutable globals are exported as.
func (p *parser) stateNames() []string {
	names := make([]string, len(p.mutable))
	for i, index := range p.mutable {
		names[i] = reserved + "_global_" + strconv.FormatUint(uint64(index), 10)
	}
	return names
}

func (p *parser) exportState(entries []byte) []byte {
	for i, name := range p.stateNames() {
		entries = exportGlobal(entries, name, p.mutable[i])
	}
	return entries
}

// exportGlobal appends an entry of the export section; names are shorter than 128 bytes.
func exportGlobal(dst []byte, name string, index uint32) []byte {
	dst = append(append(dst, byte(len(name))), name...)
	return appendU32(append(dst, 3), index)
}

// extend adds entries to a section's vector.
func extend(body []byte, present bool, count int, entries ...byte) []byte {
	r := reader{buf: body}
	n := uint32(0)
	if present {
		n = r.u32()
	}
	out := appendU32(make([]byte, 0, len(body)+len(entries)+5), n+uint32(count))
	return append(append(out, body[r.at:]...), entries...)
}
