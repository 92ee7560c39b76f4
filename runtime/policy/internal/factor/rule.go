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
	why    error // why a part of it is left to OPA; nil: none is
}

// An atom is one condition that hangs together with no other.
type atom struct {
	node *node   // nil: left to OPA
	ask  *Opaque // where node is nil
	deps dependence
	errs bool
	test int // of those that hang on the service alone: which bitmap
	look int // of those that hang on both: which of Program.looks, so that services that look alike are asked once; -1: each
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
func (c *compiler) rule(r *ast.Rule, p *Program) *rule {
	out := &rule{source: r}
	s := &scope{vars: map[ast.Var]*node{}}
	whole, err := c.body(r.Body, s)
	if err == nil {
		out.atoms, out.reason = c.split(whole, r, s)
	} else {
		out.why = err
		out.atoms, out.reason = c.parts(r, p, err)
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

// parts compiles r's body expression group by expression group, those that share variables together.
func (c *compiler) parts(r *ast.Rule, p *Program, why error) ([]atom, *reason) {
	type part struct {
		atoms []atom
		at    int
	}
	var parts []part
	head, headKnown := varsOf(r.Head.Key), true
	s := &scope{vars: map[ast.Var]*node{}}
	all := &body{}
	for _, g := range groups(r.Body) {
		b, err := c.body(g.exprs, s)
		if err == nil && slices.ContainsFunc(b.steps, func(s step) bool { return s.over != nil }) {
			if !shares(g.vars, head) {
				n := c.nodes.the(node{kind: some, body: b, deps: b.deps &^ onLoop, errs: b.errs})
				b = &body{}
				b.test(n)
			} else {
				err = not("its reason hangs on a loop beside a part that is left to OPA")
			}
		}
		if err != nil {
			o := p.opaque(c, g.exprs, err.Error())
			headKnown = headKnown && !shares(g.vars, head)
			parts = append(parts, part{[]atom{{ask: o, deps: o.deps, errs: true, test: -1, look: -1}}, g.first})
			continue
		}
		for _, s := range b.steps {
			all.add(s)
		}
		// A group stands where its last expression stood, so that it spares nothing from going wrong that came
		// before that; one that may go wrong itself stands where it began.
		at := g.last
		if b.errs {
			at = g.first
		}
		parts = append(parts, part{atomsOf(b.steps), at})
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.at, b.at) })
	var atoms []atom
	for _, p := range parts {
		atoms = append(atoms, p.atoms...)
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
			if !shares(g.vars, other.vars) {
				rest = append(rest, other)
				continue
			}
			g.exprs = append(other.exprs[:len(other.exprs):len(other.exprs)], g.exprs...)
			g.first = min(g.first, other.first)
			g.vars.Update(other.vars)
		}
		// Joined groups lie one after the other; the order of the body is what counts.
		order := func(e *ast.Expr) int { return slices.Index(b, e) }
		slices.SortStableFunc(g.exprs, func(a, b *ast.Expr) int { return cmp.Compare(order(a), order(b)) })
		all = append(rest, g)
	}
	return all
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
	ast.WalkVars(x, func(v ast.Var) bool {
		if v != ast.InputRootDocument.Value && v != ast.DefaultRootDocument.Value {
			vars.Add(v)
		}
		return false
	})
	return vars
}
