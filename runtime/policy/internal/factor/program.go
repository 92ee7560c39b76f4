// Package factor takes Rego rules apart, so that a decision about many services asks each question once.
//
// A rule that judges a service for a request is a conjunction. Its parts depend on the request alone, on the service
// alone, or on both. The first are evaluated once a request; the second once a service, when it is registered, into a
// bitmap; only the third for each candidate that the others left, over values of the service that are kept in columns.
// Rules whose condition on the request does not hold are not looked at: they are found through a table.
//
// The parts are nodes: Rego's expressions with variables replaced by what they stand for, functions put in where they
// are called, equal nodes one. What cannot be turned into nodes (`with`, patterns, recursion of names) stays an Opaque,
// which the caller evaluates with OPA, and so does whatever goes wrong: a candidate for which a builtin fails or a rule
// contradicts itself is reported as in doubt, and OPA alone says what follows. Evaluation here reaches at least what
// OPA reaches, so nothing that OPA takes for an error passes for an answer.
//
// The package knows neither messages nor sets; runtime/policy does.
package factor

import (
	"fmt"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Program is a set of rules taken apart. Immutable; safe for concurrent use.
type Program struct {
	rules     []*rule
	places    [][]string // what is asked of requests, by place
	columns   []*node    // what is kept of services for requests
	tests     []atom     // what is asked of services alone, by bitmap
	looks     []look     // what conditions on both see of a service
	opaques   []*Opaque
	texts     []*node // what of services is taken for text
	questions int     // how many different conditions hang on both
	guards    []*guard
	always    []int // rules that no guard spares
	reads     func(exprs ast.Body) (request bool, service [][]string, known bool)
	slots     int
	cells     [2]int // of requests, of services
	machines  sync.Pool
}

// Options is what Compile needs of its caller.
type Options struct {
	Compiler *ast.Compiler
	Data     ast.Value // the base documents, an object
	// Text tells whether what a reference to input names is text wherever it is there.
	Text func(ast.Ref) bool
	// Object tells whether it is an object wherever it is there.
	Object func(ast.Ref) bool
	// Reads tells what expressions, and the rules they use, read: whether anything of the request, and which paths of the
	// service; known is false where that cannot be told.
	Reads func(exprs ast.Body) (request bool, service [][]string, known bool)
}

// A Source is a rule to be taken apart: a compiled body whose head's key is [number, reason].
type Source struct {
	Rule *ast.Rule
	// Shows and ShowsRequest are the paths of the service and of the request whose values its caller adds to its reasons.
	Shows, ShowsRequest [][]string
}

// Compile takes rules apart. Their indices are what the package
// calls rules by.
func Compile(rules []Source, o Options) *Program {
	p := &Program{reads: o.Reads}
	c := &compiler{
		rego: o.Compiler, data: o.Data, text: o.Text, object: o.Object, nodes: newNodes(), limit: maxNodes + 100*len(rules),
		docs: map[string]*node{}, broken: map[string]error{},
	}
	for _, r := range rules {
		p.rules = append(p.rules, c.rule(r, p))
	}
	p.lay(c.nodes)
	p.fix(c.nodes)
	p.guard()
	p.machines.New = func() any { return p.newMachine() }
	return p
}

func (p *Program) opaque(c *compiler, exprs ast.Body, why string) *Opaque {
	o := &Opaque{ID: len(p.opaques), Body: exprs, Why: why}
	onReq, paths, known := p.reads(exprs)
	if onReq || !known {
		o.deps |= onRequest
	}
	if len(paths) > 0 || !known {
		o.deps |= onService
	}
	if known {
		o.service = paths
	}
	p.opaques = append(p.opaques, o)
	return o
}

// lay decides where values are kept: those of the request in cells, those of the service in columns where nodes that
// depend on both need them, and in bitmaps where they are conditions of their own.
func (p *Program) lay(ns *nodes) {
	for _, n := range ns.all {
		for _, v := range []int{n.slot + 1, n.slot} {
			if n.kind == variable || n.kind == every {
				p.slots = max(p.slots, v+1)
			}
		}
		if n.kind == constant || n.kind == variable {
			continue
		}
		switch n.deps {
		case onRequest:
			n.cell = p.cells[0]
			p.cells[0]++
		case onService:
			n.cell = p.cells[1]
			p.cells[1]++
		}
		if n.kind == service && n.text {
			p.texts = append(p.texts, n)
		}
		if n.kind == request {
			n.place = len(p.places)
			p.places = append(p.places, n.names)
		}
	}
	tests, looks := map[*node]int{}, map[any]int{}
	seen := map[*node]bool{}
	for _, r := range p.rules {
		for i := range r.atoms {
			a := &r.atoms[i]
			switch {
			case a.deps == onService && a.node == nil:
				a.test = len(p.tests)
				p.tests = append(p.tests, *a)
			case a.deps == onService:
				if _, known := tests[a.node]; !known {
					tests[a.node] = len(p.tests)
					p.tests = append(p.tests, *a)
				}
				a.test = tests[a.node]
			case a.deps == onRequest|onService:
				if a.node != nil {
					p.column(a.node, seen)
				}
				a.look = p.look(a, looks)
				a.question = p.question(a, looks)
			}
		}
		p.reason(r, seen, looks)
	}
	for i := range p.looks {
		p.looks[i].name(p.columns)
	}
}

// question numbers what is asked of both, so that equal conditions of several rules are one.
func (p *Program) question(a *atom, known map[any]int) int {
	var key any = a.node
	if a.node == nil {
		key = a.ask
	}
	n, ok := known[key]
	if !ok {
		n = p.questions
		known[key] = n
		p.questions++
	}
	return n
}

// reason lays out what r's reasons are made of, so that they are made once for all services that look alike.
func (p *Program) reason(r *rule, seen map[*node]bool, looks map[any]int) {
	if r.reason == nil {
		return
	}
	deps := r.reason.value.deps | r.reason.body.deps
	if len(r.asks) > 0 {
		deps |= onRequest
	}
	if len(r.shows) > 0 {
		deps |= onService
	}
	if deps&onRequest == 0 {
		return
	}
	asked := map[*node]bool{}
	r.asks = r.reason.value.asks(r.reason.body.asks(r.asks, asked), asked)
	if deps&onService == 0 {
		return
	}
	p.bodyColumns(r.reason.body, seen)
	p.column(r.reason.value, seen)
	below := map[*node]bool{}
	r.look = p.numbered(look{columns: r.reason.value.columns(r.reason.body.columns(nil, below), below), paths: r.shows}, looks)
}

// asks appends the values of the request below n.
func (n *node) asks(to []*node, seen map[*node]bool) []*node {
	if seen[n] {
		return to
	}
	seen[n] = true
	if n.kind == request {
		return append(to, n)
	}
	for _, a := range n.args {
		to = a.asks(to, seen)
	}
	to = n.body.asks(to, seen)
	for _, alt := range n.alts {
		for _, branch := range alt {
			to = branch.value.asks(branch.body.asks(to, seen), seen)
		}
	}
	return to
}

func (b *body) asks(to []*node, seen map[*node]bool) []*node {
	if b == nil {
		return to
	}
	for _, s := range b.steps {
		if s.over != nil {
			to = s.over.asks(to, seen)
		} else {
			to = s.test.asks(to, seen)
		}
	}
	return to
}

// numbered returns the number of l; equal looks are one.
func (p *Program) numbered(l look, known map[any]int) int {
	slices.Sort(l.columns)
	key := fmt.Sprint(l.columns, l.paths)
	n, ok := known[key]
	if !ok {
		n = len(p.looks)
		known[key] = n
		p.looks = append(p.looks, l)
	}
	return n
}

// fix computes what hangs on nothing, unless that goes wrong.
func (p *Program) fix(ns *nodes) {
	m := p.newMachine()
	for _, n := range ns.all { // a node stands behind those it is made of
		if n.deps != 0 || n.kind == variable {
			continue
		}
		m.broken = false
		if v := valueOf(m.eval(n)); !m.broken {
			n.fixed = &v
		}
	}
}

// A look is all that a condition sees of a service: two services that look alike get one answer.
type look struct {
	id      string // of all that makes it, as a node's
	columns []int
	paths   [][]string // of an opaque condition
}

// look returns the number of a's look, -1 where looking costs more than asking, or it sees nobody knows what.
func (p *Program) look(a *atom, known map[any]int) int {
	switch {
	case a.node == nil && a.ask.service == nil:
		return -1
	case a.node == nil:
		return p.numbered(look{paths: a.ask.service}, known)
	case !a.node.dear():
		return -1
	}
	return p.numbered(look{columns: a.node.columns(nil, map[*node]bool{})}, known)
}

// dear tells whether n is more than a comparison of values that are kept.
func (n *node) dear() bool {
	switch n.kind {
	case constant, variable, request, service, element:
		return false
	case equal, compare, member, present:
		for _, a := range n.args {
			if a.deps == onRequest|onService && a.dear() {
				return true
			}
		}
		return false
	case negation:
		for _, s := range n.body.steps {
			if s.over != nil || s.test.dear() && s.test.deps == onRequest|onService {
				return true
			}
		}
		return false
	}
	return true
}

// columns appends the columns below n.
func (n *node) columns(to []int, seen map[*node]bool) []int {
	if seen[n] {
		return to
	}
	seen[n] = true
	if n.column >= 0 {
		return append(to, n.column)
	}
	for _, a := range n.args {
		to = a.columns(to, seen)
	}
	to = n.body.columns(to, seen)
	for _, alt := range n.alts {
		for _, branch := range alt {
			to = branch.value.columns(branch.body.columns(to, seen), seen)
		}
	}
	return to
}

func (b *body) columns(to []int, seen map[*node]bool) []int {
	if b == nil {
		return to
	}
	for _, s := range b.steps {
		if s.over != nil {
			to = s.over.columns(to, seen)
		} else {
			to = s.test.columns(to, seen)
		}
	}
	return to
}

// column keeps, of everything below n, the largest parts that depend on the service alone.
func (p *Program) column(n *node, seen map[*node]bool) {
	if seen[n] || n.kind == constant || n.deps&onService == 0 {
		return
	}
	seen[n] = true
	if n.deps == onService {
		n.column = len(p.columns)
		p.columns = append(p.columns, n)
		return
	}
	for _, a := range n.args {
		p.column(a, seen)
	}
	p.bodyColumns(n.body, seen)
	for _, alt := range n.alts {
		for _, branch := range alt {
			p.bodyColumns(branch.body, seen)
			p.column(branch.value, seen)
		}
	}
}

func (p *Program) bodyColumns(b *body, seen map[*node]bool) {
	if b == nil {
		return
	}
	for _, s := range b.steps {
		if s.over != nil {
			p.column(s.over, seen)
		} else {
			p.column(s.test, seen)
		}
	}
}

func (p *Program) newMachine() *machine {
	return &machine{
		vars: make([]*ast.Term, p.slots), last: make([]*ast.Term, len(p.places)), requests: make([]memo, p.cells[0]), services: make([]memo, p.cells[1]), limit: maxSteps,
	}
}

// Places returns what of a request is asked for: paths, by place. The caller must not change them.
func (p *Program) Places() [][]string { return p.places }

// Opaques returns the conditions that are left to OPA. The caller must not change them.
func (p *Program) Opaques() []*Opaque { return p.opaques }

// A guard is a condition on the request that rules have in common: where it does not hold, they cannot.
type guard struct {
	node  *node            // whose truth lets rules pass; nil: table decides
	on    *node            // what is looked up in table
	every bool             // on is a collection, and each of its elements is looked up
	table map[string][]int // rules by text
	rules []int            // where node holds
}

// guard finds for each rule the condition that spares it most often: that some text of the request is one in particular,
// else any condition on the request alone. Only conditions that come before all that may go wrong can spare a rule.
func (p *Program) guard() {
	tables, plain := map[[2]any]*guard{}, map[*node]*guard{}
	for i, r := range p.rules {
		free := r.atoms[:r.free]
		if j := slices.IndexFunc(free, func(a atom) bool { return a.node != nil && a.deps == onRequest && lookup(a.node).on != nil }); j >= 0 {
			l := lookup(free[j].node)
			key := [2]any{l.on, l.every}
			g := tables[key]
			if g == nil {
				g = &guard{on: l.on, every: l.every, table: map[string][]int{}}
				tables[key] = g
				p.guards = append(p.guards, g)
			}
			g.table[l.text] = append(g.table[l.text], i)
			continue
		}
		if j := slices.IndexFunc(free, func(a atom) bool { return a.node != nil && a.deps == onRequest }); j >= 0 {
			n := free[j].node
			g := plain[n]
			if g == nil {
				g = &guard{node: n}
				plain[n] = g
				p.guards = append(p.guards, g)
			}
			g.rules = append(g.rules, i)
			continue
		}
		p.always = append(p.always, i)
	}
}

type looked struct {
	on    *node
	text  string
	every bool
}

// lookup reads n as "this value is that text" or "that text is among these values".
func lookup(n *node) looked {
	switch n.kind {
	case equal:
		for i, a := range n.args {
			if text, ok := textOf(a); ok {
				return looked{on: n.args[1-i], text: text}
			}
		}
	case member:
		if text, ok := textOf(n.args[0]); ok {
			return looked{on: n.args[1], text: text, every: true}
		}
	}
	return looked{}
}

// active appends the rules whose guards hold for the request that m was begun with.
func (p *Program) active(m *machine, rules []int) []int {
	rules = append(rules, p.always...)
	for _, g := range p.guards {
		if g.node != nil {
			if m.holds(g.node) {
				rules = append(rules, g.rules...)
			}
			continue
		}
		t := m.eval(g.on)
		switch {
		case t == nil:
		case !g.every:
			if s, ok := t.Value.(ast.String); ok {
				rules = append(rules, g.table[string(s)]...)
			}
		default:
			rules = g.elements(t, rules)
		}
	}
	return rules
}

func (g *guard) elements(t *ast.Term, rules []int) []int {
	from := len(rules)
	look := func(e *ast.Term) {
		s, ok := e.Value.(ast.String)
		if !ok {
			return
		}
		for _, r := range g.table[string(s)] {
			if !slices.Contains(rules[from:], r) { // an array may hold a text twice
				rules = append(rules, r)
			}
		}
	}
	switch v := t.Value.(type) {
	case *ast.Array:
		v.Foreach(look)
	case ast.Set:
		v.Foreach(look)
	case ast.Object:
		v.Foreach(func(_, e *ast.Term) { look(e) })
	}
	return rules
}
