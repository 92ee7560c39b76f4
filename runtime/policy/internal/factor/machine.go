package factor

import (
	"context"
	"encoding/json"
	"math"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
)

// A machine evaluates nodes for one goroutine at a time.
type machine struct {
	asked   Request   // nil while services are prepared
	service *ast.Term // of the service at hand
	row     *Row      // and what is kept of it; nil while it is prepared

	last     []*ast.Term // by place: what the request before had there
	vars     []*ast.Term // of loops, by slot
	requests []memo      // by cell
	services []memo
	request  uint32 // the current request and service, in memos
	current  uint32
	broken   bool // something went wrong: only OPA knows what follows
	ctx      topdown.BuiltinContext
	steps    int // of loops, since the request began
	limit    int

	operands []*ast.Term           // of the calls that are being made
	collect  func(*ast.Term) error // takes what a builtin gives
	out      *ast.Term
	outs     int

	judgement Judgement // of the current request; here so that it need not be allocated
}

// memo is a value that was computed before, if it is of the same request or service.
type memo struct {
	of     uint32
	broken bool
	value  value
}

// A value is a term, nil for undefined, with its number beside it where it is one that float64 orders.
type value struct {
	term   *ast.Term
	number float64
	isNum  bool
	broken bool // in a column: computing it went wrong
}

func valueOf(t *ast.Term) value {
	v := value{term: t}
	if t == nil {
		return v
	}
	if n, ok := t.Value.(ast.Number); ok {
		if f, err := json.Number(n).Float64(); err == nil && !math.IsInf(f, 0) {
			v.number, v.isNum = f, true
		}
	}
	return v
}

// maxSteps bounds the loops of one request outside of OPA. What needs more is left to OPA, which has a clock.
const maxSteps = 1 << 22

var (
	yes = ast.InternedTerm(true)
	no  = ast.InternedTerm(false)
)

func boolean(b bool) *ast.Term {
	if b {
		return yes
	}
	return no
}

// holds tells whether n is there and not false.
func (m *machine) holds(n *node) bool {
	t := m.eval(n)
	return t != nil && !isFalse(t)
}

// eval returns n's value, nil for undefined. Where m.broken is set afterwards, what it returned means nothing.
func (m *machine) eval(n *node) *ast.Term {
	switch {
	case n.fixed != nil:
		return n.fixed.term
	case n.kind == constant:
		return n.term
	case n.kind == variable:
		return m.vars[n.slot]
	case n.column >= 0 && m.row != nil:
		v := &m.row.values[n.column]
		m.broken = m.broken || v.broken
		return v.term
	case n.cell >= 0:
		return m.kept(n).term
	}
	return m.compute(n)
}

// look is eval with the number beside the term, where that is kept.
func (m *machine) look(n *node) value {
	switch {
	case n.fixed != nil:
		return *n.fixed
	case n.column >= 0 && m.row != nil:
		v := m.row.values[n.column]
		m.broken = m.broken || v.broken
		return v
	case n.cell >= 0:
		return *m.kept(n)
	}
	return valueOf(m.eval(n))
}

func (m *machine) kept(n *node) *value {
	cells, of := m.requests, m.request
	if n.deps == onService {
		cells, of = m.services, m.current
	}
	cell := &cells[n.cell]
	if cell.of == of {
		m.broken = m.broken || cell.broken
		return &cell.value
	}
	before := m.broken
	m.broken = false
	v := valueOf(m.compute(n))
	*cell = memo{of, m.broken, v}
	m.broken = m.broken || before
	return &cell.value
}

func (m *machine) compute(n *node) *ast.Term {
	switch n.kind {
	case request:
		t := m.asked.Value(n.place, m.last[n.place])
		if t != nil {
			m.last[n.place] = t
		}
		return t
	case service:
		return descend(m.service, n.path)
	case element:
		return m.element(n)
	case stored:
		return m.stored(n)
	case call:
		return m.call(n)
	case present:
		if !m.has(n.args[0]) {
			return nil
		}
		return yes
	case equal:
		a, b := m.eval(n.args[0]), m.eval(n.args[1])
		if a == nil || b == nil {
			return nil
		}
		return boolean(a.Equal(b))
	case compare:
		return m.compare(n)
	case member:
		return m.member(n)
	case orElse:
		if t := m.eval(n.args[0]); t != nil {
			return t
		}
		return m.eval(n.args[1])
	case array, set, object:
		return m.composite(n)
	case negation:
		if m.run(n.body, 0, found) {
			return no
		}
		return yes
	case some:
		return boolean(m.run(n.body, 0, found))
	case every:
		return m.every(n)
	case arrayOf, setOf, objectOf:
		return m.comprehension(n)
	case document:
		return m.document(n)
	case union:
		return m.union(n)
	}
	m.broken = true
	return nil
}

// has tells whether n has a value, without making what need not be made for that.
func (m *machine) has(n *node) bool {
	switch {
	case n.fixed != nil || n.column >= 0 && m.row != nil:
	case n.sure():
		return true
	case n.kind == request:
		return m.asked.Has(n.place)
	case n.kind == array || n.kind == set || n.kind == object && !n.errs || n.kind == call && n.fn.name == "sprintf" && !n.errs:
		for _, a := range n.args {
			if !m.has(a) {
				return false
			}
		}
		return true
	}
	return m.eval(n) != nil
}

func descend(t *ast.Term, path []*ast.Term) *ast.Term {
	for _, key := range path {
		object, ok := t.Value.(ast.Object)
		if !ok {
			return nil
		}
		if t = object.Get(key); t == nil {
			return nil
		}
	}
	return t
}

func (m *machine) element(n *node) *ast.Term {
	at := m.eval(n.args[0])
	if at == nil {
		return nil
	}
	key := m.eval(n.args[1])
	if key == nil {
		return nil
	}
	switch v := at.Value.(type) {
	case ast.Object:
		return v.Get(key)
	case *ast.Array:
		return v.Get(key)
	case ast.Set:
		if v.Contains(key) {
			return key
		}
	}
	return nil
}

// stored is element as OPA's store has it, which is asked by paths of texts: there an array has an element "1", and an
// object one that a number names.
func (m *machine) stored(n *node) *ast.Term {
	key := m.eval(n.args[1])
	if key == nil {
		return nil
	}
	m.broken = m.broken || composite(key) // an error there, whether there is anything or not
	at := m.eval(n.args[0])
	if at == nil {
		return nil
	}
	var name string
	switch v := key.Value.(type) {
	case ast.String:
		name = string(v)
	case ast.Number:
		name = string(v)
	default:
		return nil
	}
	switch v := at.Value.(type) {
	case ast.Object:
		return v.Get(ast.StringTerm(name))
	case *ast.Array:
		if i, ok := util.Atoi(name); ok && i >= 0 && i < v.Len() {
			return v.Elem(i)
		}
	}
	return nil
}

// compare decides by float64 where that is sure: rounding keeps the order, so numbers whose floats differ stand to each
// other as the floats do. Ties, and all that is no number, are compared exactly.
func (m *machine) compare(n *node) *ast.Term {
	a, b := m.look(n.args[0]), m.look(n.args[1])
	switch {
	case a.term == nil || b.term == nil:
		return nil
	case a.isNum && b.isNum && a.number < b.number:
		return boolean(n.sign.holds(-1))
	case a.isNum && b.isNum && a.number > b.number:
		return boolean(n.sign.holds(1))
	}
	return boolean(n.sign.holds(ast.Compare(a.term, b.term)))
}

func (m *machine) member(n *node) *ast.Term {
	needle, hay := m.eval(n.args[0]), m.eval(n.args[1])
	if needle == nil || hay == nil {
		return nil
	}
	switch v := hay.Value.(type) {
	case ast.Set:
		return boolean(v.Contains(needle))
	case *ast.Array:
		for i := range v.Len() {
			if v.Elem(i).Equal(needle) {
				return yes
			}
		}
	case ast.Object:
		return boolean(v.Until(func(_, element *ast.Term) bool { return element.Equal(needle) }))
	}
	return no
}

func (m *machine) composite(n *node) *ast.Term {
	terms := make([]*ast.Term, len(n.args))
	for i, a := range n.args {
		if terms[i] = m.eval(a); terms[i] == nil {
			return nil
		}
	}
	switch n.kind {
	case array:
		return ast.ArrayTerm(terms...)
	case set:
		return ast.SetTerm(terms...)
	}
	o := ast.NewObject()
	for i := 0; i < len(terms); i += 2 {
		o.Insert(terms[i], terms[i+1]) // one by one: together, equal keys would stay two
	}
	m.broken = m.broken || o.Len() < len(terms)/2
	return ast.NewTerm(o)
}

func (m *machine) call(n *node) *ast.Term {
	// The operands of calls within one another lie on one stack.
	from := len(m.operands)
	defer func() { m.operands = m.operands[:from] }()
	for _, a := range n.args {
		t := m.eval(a)
		if t == nil {
			return nil
		}
		m.operands = append(m.operands, t)
	}
	m.out, m.outs = nil, 0
	if m.collect == nil {
		m.collect = func(t *ast.Term) error {
			m.out = t
			m.outs++
			return nil
		}
	}
	// Capped, so that a builtin that appends to its operands does not write over those of another call.
	err := n.fn.call(m.ctx, m.operands[from:len(m.operands):len(m.operands)], m.collect)
	if err != nil || m.outs > 1 { // one call, one value: else it is not understood here
		m.broken = true
		return nil
	}
	return m.out
}

// begin makes m ready for a request.
func (m *machine) begin(ctx context.Context, asked Request) {
	m.ctx.Context, m.asked, m.steps, m.broken = ctx, asked, 0, false
	m.request++
	m.forget(m.requests, &m.request)
}

// serve makes m ready for a service. While it is prepared there is no row yet.
func (m *machine) serve(service *ast.Term, row *Row) {
	m.service, m.row, m.broken = service, row, false
	m.current++
	m.forget(m.services, &m.current)
}

// forget clears cells when their counter has gone round, so that nothing old passes for new.
func (m *machine) forget(cells []memo, counter *uint32) {
	if *counter == 0 {
		clear(cells)
		*counter = 1
	}
}
