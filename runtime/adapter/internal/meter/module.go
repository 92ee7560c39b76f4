package meter

import (
	"bytes"
	"strings"
)

// Sections of the binary format.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
)

// order is the place of each section, by id; custom sections may stand anywhere.
var order = [...]int{secType: 1, secImport: 2, secFunction: 3, secTable: 4, secMemory: 5, secGlobal: 6, secExport: 7, secStart: 8,
	secElement: 9, secDataCount: 10, secCode: 11, secData: 12}

type funcType struct {
	params int
	text   string
}

type parser struct {
	limits Limits
	r      reader

	types     []funcType
	imports   []Import
	functions []uint32 // type of each function, imported ones first
	globals   int
	mutable   []uint32 // which of the globals are
	memories  int

	memoryBytes uint64 // at first
	data        []Segment
	exports     map[string]string

	complexity, totalComplexity uint64

	sections [secDataCount + 1][]byte // contents, by id; code is rewritten
	present  [secDataCount + 1]bool
}

var magic = []byte("\x00asm\x01\x00\x00\x00")

func (p *parser) module(wasm []byte) error {
	if !bytes.HasPrefix(wasm, magic) {
		return refuse("format", "this is no WebAssembly module, version 1")
	}
	p.r = reader{buf: wasm, at: len(magic)}
	last := 0
	for p.r.left() > 0 {
		id := p.r.byte()
		body := p.r.bytes(p.r.u32())
		if p.r.broken {
			return refuse("format", "section %d is longer than the module", id)
		}
		if id == secCustom {
			continue // names and notes: nothing that runs
		}
		if int(id) >= len(order) || order[id] <= last {
			return refuse("format", "section %d is not known, or not in its place", id)
		}
		last = order[id]
		p.sections[id], p.present[id] = body, true
	}
	return p.parts()
}

// parts reads the sections that bear on admission, in the order in which they need one another.
func (p *parser) parts() error {
	for _, part := range []struct {
		id   int
		name string
		read func(*reader) *Refusal
	}{
		{secType, "type", p.readTypes}, {secImport, "import", p.readImports}, {secFunction, "function", p.readFunctions},
		{secTable, "table", p.readTables}, {secMemory, "memory", p.readMemories}, {secGlobal, "global", p.readGlobals},
		{secExport, "export", p.readExports}, {secStart, "start", p.readStart}, {secElement, "element", p.readElements},
		{secCode, "code", p.readCode}, {secData, "data", p.readData},
	} {
		if !p.present[part.id] {
			continue
		}
		r := &reader{buf: p.sections[part.id]}
		if refusal := part.read(r); refusal != nil {
			return refusal
		}
		if r.broken || r.left() != 0 {
			return refuse("format", "the %s section cannot be read at its byte %d", part.name, r.at)
		}
	}
	if p.memories == 0 {
		return refuse("memory", "the module has none")
	}
	if own := len(p.functions) - len(p.imports); own > 0 && !p.present[secCode] {
		return refuse("format", "%d functions have no code", own)
	}
	return nil
}

func (p *parser) readTypes(r *reader) *Refusal {
	n := r.count()
	if n > p.limits.Types {
		return refuse("size", "%d function types, at most %d are allowed", n, p.limits.Types)
	}
	for range n {
		if r.byte() != 0x60 || r.broken {
			r.broken = true
			return nil
		}
		params := valueTypes(r)
		results := valueTypes(r)
		if r.broken {
			return nil
		}
		p.types = append(p.types, funcType{len(params), "(" + strings.Join(params, ", ") + ") -> (" + strings.Join(results, ", ") + ")"})
	}
	return nil
}

func valueTypes(r *reader) []string {
	n := r.count()
	if n > 100 { // compilers stay far below; 10,000 types of 1000 each would be a bomb of their own
		r.broken = true
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = valueType(r)
	}
	return list
}

// valueType reads a type that a value may have; v128 is none here.
func valueType(r *reader) string {
	switch r.byte() {
	case 0x7f:
		return "i32"
	case 0x7e:
		return "i64"
	case 0x7d:
		return "f32"
	case 0x7c:
		return "f64"
	case 0x70:
		return "funcref"
	case 0x6f:
		return "externref"
	}
	r.broken = true
	return ""
}

func (p *parser) readImports(r *reader) *Refusal {
	n := r.count()
	if n > p.limits.Functions {
		return refuse("size", "%d imports, at most %d are allowed", n, p.limits.Functions)
	}
	for range n {
		from, name, kind := r.name(), r.name(), r.byte()
		if r.broken {
			return nil
		}
		if kind != 0 {
			return refuse("import", "%q.%q is no function, and only functions may be imported", clip(from), clip(name))
		}
		typ := r.u32()
		if r.broken || uint64(typ) >= uint64(len(p.types)) {
			r.broken = true
			return nil
		}
		p.imports = append(p.imports, Import{from, name, p.types[typ].text})
		p.functions = append(p.functions, typ)
	}
	return nil
}

func (p *parser) readFunctions(r *reader) *Refusal {
	n := r.count()
	if n > p.limits.Functions-len(p.imports) {
		return refuse("size", "%d functions, at most %d are allowed", n+len(p.imports), p.limits.Functions)
	}
	for range n {
		typ := r.u32()
		if r.broken || uint64(typ) >= uint64(len(p.types)) {
			r.broken = true
			return nil
		}
		p.functions = append(p.functions, typ)
	}
	return nil
}

func (p *parser) readTables(r *reader) *Refusal {
	var elements uint64
	for range r.count() {
		if t := r.byte(); t != 0x70 && t != 0x6f {
			r.broken = true
		}
		least, _ := limits(r)
		if r.broken {
			return nil
		}
		if elements += uint64(least); elements > p.limits.TableElements {
			return refuse("table", "more than %d elements", p.limits.TableElements)
		}
	}
	return nil
}

// limits reads how large a table or memory is at first and at most.
func limits(r *reader) (least, most uint32) {
	flags := r.byte()
	least, most = r.u32(), 1<<32-1
	switch flags {
	case 0:
	case 1:
		most = r.u32()
	default: // shared, 64 bits
		r.broken = true
	}
	return least, most
}

func (p *parser) readMemories(r *reader) *Refusal {
	if p.memories = r.count(); p.memories > 1 {
		return refuse("memory", "%d memories, only one is allowed", p.memories)
	}
	if p.memories == 1 {
		if r.left() > 0 && r.buf[r.at] > 1 {
			return refuse("memory", "it is shared or of 64 bits")
		}
		least, most := limits(r)
		if uint64(least) > p.limits.MemoryPages {
			return refuse("memory", "it begins with %d pages of 64 KiB, at most %d are allowed", least, p.limits.MemoryPages)
		}
		if most < least {
			r.broken = true
		}
		p.memoryBytes = uint64(least) << 16
		// A larger maximum than ours is no fault: memory.grow beyond it answers -1, as it may at any time.
		body := appendU32([]byte{1, 1}, least)
		p.sections[secMemory] = appendU32(body, min(most, uint32(p.limits.MemoryPages)))
	}
	return nil
}

func (p *parser) readGlobals(r *reader) *Refusal {
	n := r.count()
	if n > p.limits.Globals {
		return refuse("size", "%d globals, at most %d are allowed", n, p.limits.Globals)
	}
	for range n {
		typ, mutable := valueType(r), r.byte()
		if mutable > 1 {
			r.broken = true
		}
		constant(r, p.globals)
		if r.broken {
			return nil
		}
		if mutable == 1 {
			if strings.HasSuffix(typ, "ref") {
				return refuse("global", "global %d is a %s that can be set: what it holds could not be put back after a call", p.globals, typ)
			}
			p.mutable = append(p.mutable, uint32(p.globals))
		}
		p.globals++
	}
	return nil
}

// constant passes over a constant expression, which may read the globals before it.
func constant(r *reader, globals int) {
	for !r.broken {
		switch r.byte() {
		case 0x0b: // end
			return
		case 0x23: // global.get
			if uint64(r.u32()) >= uint64(globals) {
				r.broken = true
			}
		case 0x41: // i32.const
			r.leb(32)
		case 0x42: // i64.const
			r.leb(64)
		case 0x43: // f32.const
			r.bytes(4)
		case 0x44: // f64.const
			r.bytes(8)
		case 0xd0: // ref.null
			r.byte()
		case 0xd2: // ref.func
			r.u32()
		default:
			r.broken = true
		}
	}
}

func (p *parser) readExports(r *reader) *Refusal {
	for range r.count() {
		name, kind, index := r.name(), r.byte(), r.u32()
		if r.broken {
			return nil
		}
		if strings.HasPrefix(name, reserved) {
			return refuse("export", "%q: names beginning with %s are the host's", clip(name), reserved)
		}
		if _, twice := p.exports[name]; twice {
			return refuse("export", "%q comes twice", clip(name))
		}
		what := ""
		switch {
		case kind == 0 && uint64(index) < uint64(len(p.functions)):
			what = p.types[p.functions[index]].text
		case kind == 1:
			what = "table"
		case kind == 2:
			what = "memory"
		case kind == 3 && uint64(index) < uint64(p.globals):
			what = "global"
		default:
			return refuse("index", "export %q names what is not there", clip(name))
		}
		p.exports[name] = what
	}
	return nil
}

func (p *parser) readStart(*reader) *Refusal {
	return refuse("start", "a start section runs before the host is ready; export _initialize instead")
}

func (p *parser) readElements(r *reader) *Refusal {
	for range r.count() {
		flags := r.u32()
		if flags > 7 {
			r.broken = true
		}
		if flags&1 == 0 { // active: table and place
			if flags&2 != 0 {
				r.u32()
			}
			constant(r, p.globals)
		}
		if flags&3 != 0 { // kind or type of the elements
			r.byte()
		}
		for range r.count() {
			if flags&4 != 0 {
				constant(r, p.globals)
			} else {
				r.u32()
			}
			if r.broken {
				return nil
			}
		}
		if r.broken {
			return nil
		}
	}
	return nil
}

// readData takes the active segments out of the module: what lies in memory at first is the host's to place, once for all
// instances. In their stead stand empty ones, because code names segments by their number; an active segment is empty for it anyway.
func (p *parser) readData(r *reader) *Refusal {
	n := r.count()
	out := appendU32(make([]byte, 0, 5+2*n), uint32(n))
	for i := range n {
		flags := r.u32()
		if flags > 2 {
			r.broken = true
		}
		if flags == 2 {
			r.u32()
		}
		at, known := uint64(0), true
		if flags != 1 {
			at, known = place(r)
		}
		bytes := r.bytes(r.u32())
		if r.broken {
			return nil
		}
		if flags == 1 {
			out = append(appendU32(append(out, 1), uint32(len(bytes))), bytes...)
			continue
		}
		if !known || at+uint64(len(bytes)) > p.memoryBytes {
			return refuse("memory", "data segment %d, %d bytes, is placed by no number, or beyond the memory", i, len(bytes))
		}
		p.data = append(p.data, Segment{uint32(at), bytes})
		out = append(out, 1, 0)
	}
	p.sections[secData] = out
	return nil
}

// place reads a constant expression that is one i32.const, as compilers write it.
func place(r *reader) (at uint64, known bool) {
	if r.byte() != 0x41 {
		return 0, false
	}
	at = uint64(uint32(r.s32()))
	return at, r.byte() == 0x0b
}

// clip bounds a foreign name in a message.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}
