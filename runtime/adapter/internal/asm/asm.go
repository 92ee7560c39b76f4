// Package asm assembles small WebAssembly modules by hand, so that tests can have guests that no compiler would make. It
// checks nothing: broken modules are what it is for.
//
//	var m asm.Module
//	f := m.Func("() -> (i32)", "", asm.I32(1))
//	m.Export("answer", f)
//	wasm := m.Bytes()
package asm

import (
	"encoding/binary"
	"strings"
)

// Opcodes that tests use by name.
const (
	Unreachable = 0x00
	Block       = 0x02
	Loop        = 0x03
	If          = 0x04
	Else        = 0x05
	End         = 0x0b
	Br          = 0x0c
	BrIf        = 0x0d
	BrTable     = 0x0e
	Return      = 0x0f
	Call        = 0x10
	Drop        = 0x1a
	LocalGet    = 0x20
	LocalSet    = 0x21
	LocalTee    = 0x22
	GlobalGet   = 0x23
	GlobalSet   = 0x24
	MemoryGrow  = 0x40
	I32Eqz      = 0x45
	I32Add      = 0x6a
	I32Sub      = 0x6b
	I32Mul      = 0x6c
	I64Or       = 0x84
	I64Shl      = 0x86
	I64ExtendU  = 0xad
	Void        = 0x40
)

// Module is a module under construction; its zero value has a memory of one page, exported.
type Module struct {
	NoMemory  bool   // leave the memory out
	MemoryMin uint32 // pages; 0: 1
	Start     int    // 1 + index of the start function; 0: none

	types   []string
	imports []entry
	funcs   []function
	globals [][]byte
	exports []entry
	data    []entry
	tables  [][]byte
}

type entry struct {
	name string
	body []byte
}

type function struct {
	typ    int
	locals string
	code   []byte
}

// Type returns the index of a function type such as "(i32, i64) -> (i32)".
func (m *Module) Type(typ string) int {
	for i, t := range m.types {
		if t == typ {
			return i
		}
	}
	m.types = append(m.types, typ)
	return len(m.types) - 1
}

// Import imports a function; imports come before all functions.
func (m *Module) Import(module, name, typ string) int {
	body := append(text(module), text(name)...)
	m.imports = append(m.imports, entry{"", append(append(body, 0), U32(uint32(m.Type(typ)))...)})
	return len(m.imports) - 1
}

// Func adds a function and returns its index. locals is a list such as "i32 i32 i64"; code lacks its final end.
func (m *Module) Func(typ, locals string, code ...[]byte) int {
	m.funcs = append(m.funcs, function{m.Type(typ), locals, append(Join(code...), End)})
	return len(m.imports) + len(m.funcs) - 1
}

// Global adds a mutable i32 and returns its index.
func (m *Module) Global(v int32) int {
	m.globals = append(m.globals, Join([]byte{0x7f, 1}, I32(v), []byte{End}))
	return len(m.globals) - 1
}

// Table adds a table of functions with n elements, all null.
func (m *Module) Table(n uint32) { m.tables = append(m.tables, append([]byte{0x70, 0}, U32(n)...)) }

// Export exports a function.
func (m *Module) Export(name string, function int) {
	m.exports = append(m.exports, entry{name, append([]byte{0}, U32(uint32(function))...)})
}

// ExportGlobal exports a global.
func (m *Module) ExportGlobal(name string, global int) {
	m.exports = append(m.exports, entry{name, append([]byte{3}, U32(uint32(global))...)})
}

// Data places bytes in memory.
func (m *Module) Data(at int32, content []byte) {
	head := Join([]byte{0}, I32(at), []byte{End}, U32(uint32(len(content))))
	m.data = append(m.data, entry{"", append(head, content...)})
}

// Bytes returns the module.
func (m *Module) Bytes() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, parts ...[]byte) {
		if len(parts) > 0 {
			body := append(U32(uint32(len(parts))), Join(parts...)...)
			out = append(append(append(out, id), U32(uint32(len(body)))...), body...)
		}
	}
	var types, imports, funcs, exports, code, data [][]byte
	for _, t := range m.types {
		params, results, _ := strings.Cut(t, " -> ")
		types = append(types, Join([]byte{0x60}, valueTypes(params), valueTypes(results)))
	}
	for _, i := range m.imports {
		imports = append(imports, i.body)
	}
	for _, f := range m.funcs {
		funcs = append(funcs, U32(uint32(f.typ)))
		var locals []byte
		names := strings.Fields(f.locals)
		for _, l := range names {
			locals = append(locals, 1, valueType[l])
		}
		body := Join(U32(uint32(len(names))), locals, f.code)
		code = append(code, append(U32(uint32(len(body))), body...))
	}
	for _, e := range m.exports {
		exports = append(exports, append(text(e.name), e.body...))
	}
	for _, d := range m.data {
		data = append(data, d.body)
	}
	section(1, types...)
	section(2, imports...)
	section(3, funcs...)
	section(4, m.tables...)
	if !m.NoMemory {
		section(5, append([]byte{0}, U32(max(m.MemoryMin, 1))...))
		exports = append(exports, append(text("memory"), 2, 0))
	}
	section(6, m.globals...)
	section(7, exports...)
	if m.Start > 0 {
		body := U32(uint32(m.Start - 1))
		out = append(append(out, 8, byte(len(body))), body...)
	}
	section(10, code...)
	section(11, data...)
	return out
}

var valueType = map[string]byte{"i32": 0x7f, "i64": 0x7e, "f32": 0x7d, "f64": 0x7c, "v128": 0x7b}

func valueTypes(list string) []byte {
	names := strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune("(), ", r) })
	out := U32(uint32(len(names)))
	for _, n := range names {
		out = append(out, valueType[n])
	}
	return out
}

// Join concatenates code.
func Join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// Op is an instruction with indices as immediates.
func Op(op byte, indices ...uint32) []byte {
	out := []byte{op}
	for _, i := range indices {
		out = append(out, U32(i)...)
	}
	return out
}

// U32 is an unsigned LEB128.
func U32(v uint32) []byte { return binary.AppendUvarint(nil, uint64(v)) }

// I32 is i32.const.
func I32(v int32) []byte { return append([]byte{0x41}, signed(int64(v))...) }

// I64 is i64.const.
func I64(v int64) []byte { return append([]byte{0x42}, signed(v)...) }

func signed(v int64) (out []byte) {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}

func text(s string) []byte { return append(U32(uint32(len(s))), s...) }
