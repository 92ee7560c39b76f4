package factor

import (
	"cmp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A rule is one body of a judgement, taken apart.
type rule struct {
	source *ast.Rule
	atoms  []atom // in an order in which nothing that may go wrong is passed by what stood behind it
	free   int    // how many of atoms, from the first, may be judged in any order: none of them goes wrong
	reason *reason
	shows  [][]string // what of the service its reasons show beside what they are made of
	asks   []*node    // what of the request they show and are made of
	look   int        // what its reasons see of a service; -1: that is not known
	why    error      // why a part of it is left to OPA; nil: none is
}

// An atom is one condition that hangs together with no other.
type atom struct {
	node     *node   // nil: left to OPA
	ask      *Opaque // where node is nil
	deps     dependence
	errs     bool
	test     int // of those that hang on the service alone: which bitmap
	question int // of those that hang on both: which; equal conditions of several rules are one
	look     int // which of Program.looks: services that look alike are asked once; -1: each is
}

// A reason is what a rule's head says: value for every solution of body.
type reason struct {
	body  *body // only loops that value hangs on, with their tests
	value *node
}

// An Opaque is a condition that OPA evaluates.
type Opaque struct {
	ID      int
	Body    ast.Body // compiled expressions, closed but for input and data
	Why     string
	deps    dependence
	service [][]string // what it reads of the service; nil: what it is not known
}

// rule compiles r. Where a part of it cannot be turned into nodes, that part goes to OPA and the others do not.
func (c *compiler) rule(in Source, p *Program) *rule {
	r := in.Rule
	out := &rule{source: r, shows: in.Shows, look: -1}
	for _, names := range in.ShowsRequest {
		at := c.place(request, nil, nil)
		for _, name := range names {
			at = c.step(at, c.constant(ast.StringTerm(name)))
		}
		out.asks = append(out.asks, at)
	}
	s := &scope{vars: map[ast.Var]*node{}}
	whole, err := c.body(r.Body, s)
	if err == nil {
		out.atoms, out.reason = c.split(whole, r, s)
	} else {
		out.why = err
		out.atoms, out.reason = c.parts(r, p)
	}
	out.free = slices.IndexFunc(out.atoms, func(a atom) bool { return a.errs })
	if out.free < 0 {
		out.free = len(out.atoms)
	}
	return out
}

// split makes atoms of a body's steps. Its loops, and what hangs on them, are one.
func (c *compiler) split(b *body, r *ast.Rule, s *scope) ([]atom, *reason) {
	key, err := c.value(r.Head.Key, s, b)
	first := slices.IndexFunc(b.steps, func(s step) bool { return s.over != nil })
	if first < 0 {
		var why *reason
		if err == nil {
			why = c.reasonIn(key, &body{})
		}
		return atomsOf(b.steps), why
	}
	atoms, group := atomsOf(b.steps[:first]), &body{}
	var rest []step
	for _, s := range b.steps[first:] {
		hangs := s.over != nil || s.test.deps&onLoop != 0
		// What may go wrong keeps its place.
		if hangs || b.errs {
			group.add(s)
		} else {
			rest = append(rest, s)
		}
	}
	atoms = append(atoms, atomsOf(rest)...)
	loop := c.nodes.the(node{kind: some, body: group, deps: group.deps &^ onLoop, errs: group.errs})
	atoms = append(atoms, atom{node: loop, deps: loop.deps, errs: loop.errs, test: -1, look: -1})
	if err != nil {
		return atoms, nil
	}
	if key.deps&onLoop == 0 {
		group = &body{}
	}
	return atoms, c.reasonIn(key, group)
}

func (b *body) add(s step) {
	b.steps = append(b.steps, s)
	n := s.test
	if s.over != nil {
		n = s.over
	}
	b.deps |= n.deps
	b.errs = b.errs || n.errs
}

func atomsOf(steps []step) []atom {
	var atoms []atom
	for _, s := range steps {
		atoms = append(atoms, atom{node: s.test, deps: s.test.deps, errs: s.test.errs, test: -1, look: -1})
	}
	return atoms
}

// reasonIn takes the reason out of a judgement's key, [number, reason].
func (c *compiler) reasonIn(key *node, group *body) *reason {
	if key.kind == constant {
		if pair, ok := key.term.Value.(*ast.Array); ok && pair.Len() == 2 {
			return &reason{body: group, value: c.constant(pair.Elem(1))}
		}
		return nil
	}
	if key.kind != array || len(key.args) != 2 {
		return nil
	}
	return &reason{body: group, value: key.args[1]}
}

// A part is a group of a body's expressions, compiled on its own.
type part struct {
	*group
	body *body // nil: left to OPA
	why  error
}

// errs tells whether evaluating p can go wrong.
func (p part) errs() bool { return p.body == nil || p.body.errs }

// at is where p stands among the others: where its last expression stood, so that it spares nothing from going wrong
// that came before that; one that may go wrong itself stands where it began.
func (p part) at() int {
	if p.errs() {
		return p.first
	}
	return p.last
}

// parts compiles r's body expression group by expression group, those that share variables together.
func (c *compiler) parts(r *ast.Rule, p *Program) ([]atom, *reason) {
	head, headKnown := varsOf(r.Head.Key), true
	s := &scope{vars: map[ast.Var]*node{}}
	var parts []part
	for _, g := range groups(r.Body) {
		b, err := c.part(g, head, s)
		parts = append(parts, part{g, b, err})
	}
	parts = entangled(parts, r.Body)
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.at(), b.at()) })
	all := &body{}
	var atoms []atom
	for _, part := range parts {
		if part.body == nil {
			o := p.opaque(c, part.exprs, part.why.Error())
			headKnown = headKnown && !shares(part.vars, head)
			atoms = append(atoms, atom{ask: o, deps: o.deps, errs: true, test: -1, look: -1})
			continue
		}
		for _, s := range part.body.steps {
			all.add(s)
		}
		atoms = append(atoms, atomsOf(part.body.steps)...)
	}
	if !headKnown {
		return atoms, nil
	}
	key, err := c.value(r.Head.Key, s, all)
	if err != nil {
		return atoms, nil
	}
	return atoms, c.reasonIn(key, &body{})
}

func (c *compiler) part(g *group, head ast.VarSet, s *scope) (*body, error) {
	s.next = 0 // it lies in no loop of another
	b, err := c.body(g.exprs, s)
	if err != nil || !slices.ContainsFunc(b.steps, func(s step) bool { return s.over != nil }) {
		return b, err
	}
	if shares(g.vars, head) {
		return nil, not("its reason hangs on a loop beside a part that is left to OPA")
	}
	n := c.nodes.the(node{kind: some, body: b, deps: b.deps &^ onLoop, errs: b.errs})
	b = &body{}
	b.test(n)
	return b, nil
}

// entangled leaves to OPA, as one, parts that may go wrong and lie between the expressions of one another: whichever was
// evaluated first would spare the other, which OPA may reach.
func entangled(parts []part, b ast.Body) []part {
	for i := 0; i < len(parts); i++ {
		for j := i + 1; j < len(parts); j++ {
			x, y := parts[i], parts[j]
			if !x.errs() || !y.errs() || x.last < y.first || y.last < x.first {
				continue
			}
			parts[i] = part{group: x.with(y.group, b), why: not("it lies between parts of another that may go wrong too")}
			parts = slices.Delete(parts, j, j+1)
			i, j = -1, len(parts) // what was joined may lie between others
		}
	}
	return parts
}

// A group is expressions of a body that share variables, directly or through one another.
type group struct {
	exprs       ast.Body
	vars        ast.VarSet
	first, last int
}

func groups(b ast.Body) []*group {
	var all []*group
	for i, e := range b {
		g := &group{exprs: ast.Body{e}, vars: varsOf(e), first: i, last: i}
		rest := all[:0:0]
		for _, other := range all {
			if shares(g.vars, other.vars) {
				g = g.with(other, b)
			} else {
				rest = append(rest, other)
			}
		}
		all = append(rest, g)
	}
	return all
}

// with returns g and other, which are of b, as one, in the order of b.
func (g *group) with(other *group, b ast.Body) *group {
	n := &group{exprs: slices.Concat(g.exprs, other.exprs), vars: g.vars.Copy(), first: min(g.first, other.first), last: max(g.last, other.last)}
	n.vars.Update(other.vars)
	order := func(e *ast.Expr) int { return slices.Index(b, e) }
	slices.SortStableFunc(n.exprs, func(a, b *ast.Expr) int { return cmp.Compare(order(a), order(b)) })
	return n
}

func shares(a, b ast.VarSet) bool {
	for v := range a {
		if b.Contains(v) {
			return true
		}
	}
	return false
}

// varsOf returns every variable in x but the roots, those in closures included.
func varsOf(x any) ast.VarSet {
	vars := ast.NewVarSet()
	visitor := ast.NewVarVisitor().WithParams(ast.VarVisitorParams{SkipRefCallHead: true}) // builtins are no variables
	visitor.Walk(x)
	for v := range visitor.Vars() {
		if v != ast.InputRootDocument.Value && v != ast.DefaultRootDocument.Value {
			vars.Add(v)
		}
	}
	return vars
}
