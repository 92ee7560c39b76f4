package adapter

import (
	"github.com/smarthausgroup/caio/runtime/adapter/internal/asm"
)

// Hand-made guests. Each begins as a good one: caio_alloc gives 4096, replies and description lie in the first page.

const (
	describeAt = 16
	replyAt    = 1024
	inputAt    = 4096
)

// packed is the i64 that points to a document.
func packed(at, size int) []byte { return asm.I64(int64(at)<<32 | int64(size)) }

// guest builds a module with one adapter, "hand", whose caio_step is code; locals are its own.
type guest struct {
	version  int32
	pages    uint32
	alloc    []byte
	describe []byte
	locals   string
	prepare  func(m *asm.Module) // adds imports, before all else
	helper   func(m *asm.Module) // adds functions; the first has the index after the imports
	without  string              // export to leave out
	stepType string
}

func newGuest() *guest { return &guest{version: 1, pages: 2, stepType: "(i32, i32) -> (i64)"} }

func description() []byte {
	info := appendField(appendField(nil, 1, "hand"), 2, "1.0.0")
	return append(appendHead(nil, 1, len(info)), info...)
}

// reply is a reply document.
func replyDoc(actions ...Action) []byte {
	var doc []byte
	for _, a := range actions {
		body := appendNumber(nil, 1, int(a.Kind))
		body = appendField(body, 2, a.Method)
		body = appendField(body, 3, a.URL)
		body = appendNumber(body, 7, int(a.DelayMS))
		body = appendField(body, 8, a.Data)
		body = appendField(body, 9, a.Code)
		doc = append(appendHead(doc, 2, len(body)), body...)
	}
	return doc
}

var doneDoc = replyDoc(Action{Kind: ActionDone, Data: []byte(`{"output":{}}`)})

// build assembles the guest; nil code answers with doneDoc.
func (g *guest) build(code ...[]byte) []byte {
	m := &asm.Module{MemoryMin: g.pages}
	if g.prepare != nil {
		g.prepare(m)
	}
	if g.helper != nil {
		g.helper(m)
	}
	export := func(name, typ, locals string, code ...[]byte) {
		index := m.Func(typ, locals, code...)
		if name != g.without {
			m.Export(name, index)
		}
	}
	if g.alloc == nil {
		g.alloc = asm.I32(inputAt)
	}
	if g.describe == nil {
		g.describe = packed(describeAt, len(description()))
	}
	if code == nil {
		code = [][]byte{packed(replyAt, len(doneDoc))}
	}
	m.Data(describeAt, description())
	m.Data(replyAt, doneDoc)
	export("caio_abi_version", "() -> (i32)", "", asm.I32(g.version))
	export("caio_alloc", "(i32) -> (i32)", "", g.alloc)
	export("caio_describe", "() -> (i64)", "", g.describe)
	export("caio_step", g.stepType, g.locals, code...)
	return m.Bytes()
}

// echo answers with the call's own bytes as a reply: the call document of TestEcho is one, too.
func echoGuest() []byte {
	return newGuest().build(
		asm.Op(asm.LocalGet, 0), []byte{asm.I64ExtendU}, asm.I64(32), []byte{asm.I64Shl},
		asm.Op(asm.LocalGet, 1), []byte{asm.I64ExtendU, asm.I64Or})
}
