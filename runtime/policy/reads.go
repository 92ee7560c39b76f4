package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A reading is one place of input that a rule reads: the constant parts that follow input, and where the rest begins.
type reading struct {
	ref   ast.Ref // begins with input; resolved through the rule's variables
	path  []string
	exact bool // ref has no other parts than path
	loc   *ast.Location
}

// readingsOf returns what a compiled rule reads of input, in order of appearance. A variable that is assigned a part of
// input counts as that part.
func readingsOf(r *ast.Rule) []reading {
	held := heldBy(r)
	found, narrow := gets(r, held)
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		if e, ok := x.(*ast.Expr); ok && (e.IsEquality() || e.IsAssignment()) {
			if v, ok := e.Operand(0).Value.(ast.Var); ok && narrow[v] {
				return true
			}
		}
		t, ok := x.(*ast.Term)
		if !ok {
			return false
		}
		switch v := t.Value.(type) {
		case ast.Ref:
			if ref := fromInput(v, held); ref != nil {
				found = append(found, newReading(ref, t.Location))
				for _, part := range v[1:] { // input.a[input.b] reads both
					visitor.Walk(part)
				}
				return true
			}
		case ast.Var:
			if v == ast.InputRootDocument.Value {
				found = append(found, newReading(ast.InputRootRef, t.Location))
			}
		}
		return false
	})
	visitor.Walk(r) // with every else of it
	return found
}

// gets returns what r reads by object.get with a path that is written out, and the variables that only hand such calls
// what they read from: without that, one object.get(input.request, ["data", "residency"], "") would read the whole
// request, its payload included.
func gets(r *ast.Rule, held map[ast.Var]ast.Ref) (found []reading, narrow map[ast.Var]bool) {
	uses, narrowed := map[ast.Var]int{}, map[ast.Var]int{}
	ast.WalkVars(r, func(v ast.Var) bool {
		uses[v]++
		return false
	})
	ast.WalkExprs(r, func(e *ast.Expr) bool {
		if !e.IsCall() || e.Operator().String() != "object.get" {
			return false
		}
		v, ok := e.Operand(0).Value.(ast.Var)
		path := e.Operand(1)
		if !ok || len(held[v]) != 2 || !ast.IsConstant(path.Value) {
			return false
		}
		ref := held[v]
		switch p := path.Value.(type) {
		case ast.String:
			ref = ref.Append(path)
		case *ast.Array:
			p.Foreach(func(t *ast.Term) { ref = ref.Append(t) })
		default:
			return false
		}
		found = append(found, newReading(ref, e.Location))
		narrowed[v]++
		return false
	})
	narrow = map[ast.Var]bool{}
	for v, n := range narrowed {
		narrow[v] = uses[v] == n+1 // and where it is bound
	}
	return found, narrow
}

// heldBy returns which part of input each variable of r is assigned.
func heldBy(r *ast.Rule) map[ast.Var]ast.Ref {
	held := make(map[ast.Var]ast.Ref)
	ast.WalkExprs(r, func(e *ast.Expr) bool {
		if e.Negated || !e.IsEquality() && !e.IsAssignment() {
			return false
		}
		for i, other := range []int{1, 0} {
			v, isVar := e.Operand(i).Value.(ast.Var)
			ref, isRef := e.Operand(other).Value.(ast.Ref)
			if isVar && isRef && fromInput(ref, held) != nil {
				held[v] = fromInput(ref, held)
			}
		}
		return false
	})
	return held
}

// fromInput returns ref as it begins with input, nil if it does not.
func fromInput(ref ast.Ref, held map[ast.Var]ast.Ref) ast.Ref {
	if ref[0].Equal(ast.InputRootDocument) {
		return ref
	}
	if v, ok := ref[0].Value.(ast.Var); ok {
		if base := held[v]; base != nil {
			return base.Concat(ref[1:])
		}
	}
	return nil
}

func newReading(ref ast.Ref, loc *ast.Location) reading {
	r := reading{ref: ref, exact: true, loc: loc}
	for _, part := range ref[1:] {
		s, ok := part.Value.(ast.String)
		if !ok {
			r.exact = false
			break
		}
		r.path = append(r.path, string(s))
	}
	return r
}

// paths is a tree of what is read of input. nil reads nothing.
type paths struct {
	all  bool // everything from here on
	next map[string]*paths
}

// readsOf collects what any rule of the compiled modules reads.
func readsOf(c *ast.Compiler) *paths {
	root := &paths{}
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			for _, reading := range readingsOf(r) {
				root.add(reading.path)
			}
		}
	}
	return root
}

func (p *paths) add(path []string) {
	for _, part := range path {
		if p.all {
			return
		}
		if p.next == nil {
			p.next = make(map[string]*paths)
		}
		if p.next[part] == nil {
			p.next[part] = &paths{}
		}
		p = p.next[part]
	}
	p.all, p.next = true, nil
}

// under returns what is read below name, nil for nothing.
func (p *paths) under(name string) *paths {
	if p == nil || p.all {
		return p
	}
	return p.next[name]
}

// complete fills in what only the compiled rule tells.
func (o *origin) complete(c *ast.Compiler) {
	o.facts = factsOf(o.inner, c)
	if o.chain != nil { // METADATA stands above the first body and means all of them
		o.rule.Title, o.rule.Invariant = o.chain.rule.Title, o.chain.rule.Invariant
		return
	}
	for _, ref := range c.GetAnnotationSet().Chain(o.inner) {
		a := ref.Annotations
		if a == nil {
			continue
		}
		if o.rule.Title == "" && (a.Scope == "rule" || a.Scope == "document") {
			o.rule.Title = clean(a.Title)
		}
		if id, ok := a.Custom["invariant"].(string); ok && o.rule.Invariant == "" {
			o.rule.Invariant = clean(id)
		}
	}
}

// factsOf chooses, of what r and the helpers it calls read, what may be shown as facts: the longest constant paths below
// input, sorted, without bodies of intents and results, which belong in no trace.
func factsOf(r *ast.Rule, c *ast.Compiler) []reading {
	readings := readingsOf(r)
	for helper := range c.Graph.Dependencies(r) {
		if h, ok := helper.(*ast.Rule); ok {
			readings = append(readings, readingsOf(h)...)
		}
	}
	readings = slices.DeleteFunc(readings, func(r reading) bool { return !showable(r.path) })
	slices.SortFunc(readings, func(a, b reading) int { return slices.Compare(a.path, b.path) })
	readings = slices.CompactFunc(readings, func(a, b reading) bool { return slices.Equal(a.path, b.path) })
	var longest []reading
	for i, r := range readings {
		if i+1 < len(readings) && len(readings[i+1].path) > len(r.path) && slices.Equal(readings[i+1].path[:len(r.path)], r.path) {
			continue // only a step on the way
		}
		longest = append(longest, r)
	}
	return longest
}

// showable tells whether the value at path may stand in a reason of its own accord.
func showable(path []string) bool {
	if len(path) < 2 {
		return false
	}
	switch path[0] {
	case "request":
		return path[1] != "intent" || len(path) > 2 && (path[2] == "type" || path[2] == "domain")
	case "result":
		return path[1] == "metadata" || path[1] == "usage" || path[1] == "model"
	}
	return true
}

func (r reading) name() string { return clean(strings.Join(r.path, ".")) }

// indexable tells whether OPA's rule index may be used. The index takes `startswith(x, "a")` for false when x is no text,
// where evaluation takes it for an error, and an error must refuse; so it may only see x that is always text. Every field
// of a contract or a request is of its own type; what their authors put into free objects is not.
func indexable(c *ast.Compiler) bool {
	safe := true
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			held, args := heldBy(r), varsOf(r.Head.Args)
			ast.WalkExprs(r, func(e *ast.Expr) bool {
				if !e.IsCall() {
					return false
				}
				switch e.Operator().String() {
				case "startswith", "endswith", "glob.match", "strings.any_prefix_match", "strings.any_suffix_match":
					for _, operand := range e.Operands() {
						safe = safe && isText(operand, held, args)
					}
				}
				return false
			})
		}
	}
	return safe
}

// isText tells whether the operand of a call is text wherever it is defined, or what no index looks at: indexes are made
// over input and over the arguments of functions.
func isText(operand *ast.Term, held map[ast.Var]ast.Ref, args ast.VarSet) bool {
	var ref ast.Ref
	switch v := operand.Value.(type) {
	case ast.Var:
		if args.Contains(v) {
			return false
		}
		ref = held[v]
	case ast.Ref:
		ref = fromInput(v, held)
	}
	return ref == nil || look(ref).text
}

// orNothing turns "nothing is read" into a tree that reads nothing, since a nil tree means the same but is harder to see.
func (p *paths) orNothing() *paths {
	if p == nil {
		return &paths{}
	}
	return p
}
