package factor

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// unsupported says why an expression is left to OPA.
type unsupported struct{ why string }

func (u unsupported) Error() string { return u.why }

func not(format string, args ...any) error { return unsupported{fmt.Sprintf(format, args...)} }

// Bounds on what is made of one rule: functions are put in where they are called, so a few lines may mean very much.
const (
	maxNodes = 20000 // of a whole set, beyond a hundred for each rule
	maxDepth = 32    // of calls and documents within one another
)

// A compiler turns rule bodies into nodes.
type compiler struct {
	rego   *ast.Compiler
	data   ast.Value          // the base documents
	text   func(ast.Ref) bool // what the reference names is text wherever it is there
	object func(ast.Ref) bool // or an object
	nodes  *nodes
	limit  int
	docs   map[string]*node // complete documents and sets, by path
	broken map[string]error // and those that cannot be turned into nodes
	depth  int
}

// A scope is what the variables of one body stand for.
type scope struct {
	vars map[ast.Var]*node
	next int // the first loop slot that is free
}

func (s *scope) inner() *scope {
	vars := make(map[ast.Var]*node, len(s.vars))
	for v, n := range s.vars {
		vars[v] = n
	}
	return &scope{vars, s.next}
}

// body compiles exprs in order. What it gives the variables is left in s for the head.
func (c *compiler) body(exprs ast.Body, s *scope) (*body, error) {
	b := &body{}
	for _, e := range exprs {
		if err := c.expr(e, s, b); err != nil {
			return nil, err
		}
		if len(c.nodes.all) > c.limit {
			return nil, not("it grows too large")
		}
	}
	return b, nil
}

func (b *body) test(n *node) {
	if n.kind == constant && !isFalse(n.term) {
		return // holds, whatever comes
	}
	b.steps = append(b.steps, step{test: n})
	b.deps |= n.deps
	b.errs = b.errs || n.errs
}

func isFalse(t *ast.Term) bool {
	v, ok := t.Value.(ast.Boolean)
	return ok && !bool(v)
}

func (c *compiler) expr(e *ast.Expr, s *scope, b *body) error {
	if len(e.With) > 0 {
		return not("it uses `with`")
	}
	if e.Negated {
		inner, err := c.body(ast.NewBody(e.ComplementNoWith()), s.inner())
		if err != nil {
			return err
		}
		b.test(c.closure(node{kind: negation, body: inner}, s))
		return nil
	}
	switch terms := e.Terms.(type) {
	case *ast.Term:
		n, err := c.value(terms, s, b)
		if err != nil {
			return err
		}
		if n.kind == request && c.object(n.ref()) {
			n = c.defined(n) // an object is never false, and need not be made to be seen
		}
		b.test(n)
		return nil
	case *ast.Not:
		inner, err := c.body(terms.Body, s.inner())
		if err != nil {
			return err
		}
		b.test(c.closure(node{kind: negation, body: inner}, s))
		return nil
	case *ast.Every:
		return c.every(terms, s, b)
	case []*ast.Term:
		if e.IsEquality() {
			return c.equality(terms[1], terms[2], s, b)
		}
		return c.call(terms, s, b)
	}
	return not("it holds an expression of a kind that is new")
}

// closure makes a node whose body was compiled within s: it depends on loops only as far as s itself lies in some.
func (c *compiler) closure(n node, s *scope) *node {
	n.deps |= n.body.deps
	if s.next == 0 {
		n.deps &^= onLoop
	}
	n.errs = n.errs || n.body.errs
	return c.nodes.the(n)
}

func (c *compiler) every(e *ast.Every, s *scope, b *body) error {
	domain, err := c.value(e.Domain, s, b)
	if err != nil {
		return err
	}
	inner := s.inner()
	key, value := inner.next, inner.next+1
	inner.next += 2
	if e.Key != nil {
		if v, ok := e.Key.Value.(ast.Var); ok {
			inner.vars[v] = c.loop(key)
		}
	}
	v, ok := e.Value.Value.(ast.Var)
	if !ok {
		return not("`every` takes its elements apart")
	}
	inner.vars[v] = c.loop(value)
	in, err := c.body(e.Body, inner)
	if err != nil {
		return err
	}
	b.test(c.closure(node{kind: every, args: []*node{domain}, body: in, slot: key, deps: domain.deps, errs: domain.errs}, s))
	return nil
}

func (c *compiler) loop(slot int) *node {
	return c.nodes.the(node{kind: variable, slot: slot, deps: onLoop})
}

// equality compiles a = b, where either side may be a variable that gets its value here.
func (c *compiler) equality(x, y *ast.Term, s *scope, b *body) error {
	if v, free := s.unbound(x); free {
		return c.bind(v, y, s, b)
	}
	if v, free := s.unbound(y); free {
		return c.bind(v, x, s, b)
	}
	n, err := c.value(x, s, b)
	if err != nil {
		return err
	}
	m, err := c.value(y, s, b)
	if err != nil {
		return err
	}
	b.test(c.pair(node{kind: equal}, n, m))
	return nil
}

func (s *scope) unbound(t *ast.Term) (ast.Var, bool) {
	v, ok := t.Value.(ast.Var)
	if !ok || s.vars[v] != nil {
		return "", false
	}
	return v, true
}

func (c *compiler) bind(v ast.Var, t *ast.Term, s *scope, b *body) error {
	n, err := c.value(t, s, b)
	if err != nil {
		return err
	}
	if bound := s.vars[v]; bound != nil { // t goes over its own keys: a[x] = x
		b.test(c.pair(node{kind: equal}, n, bound))
		return nil
	}
	s.vars[v] = n
	b.test(c.defined(n))
	return nil
}

// defined holds where n has a value, false included.
func (c *compiler) defined(n *node) *node {
	root := (n.kind == request || n.kind == service) && len(n.names) == 0
	if n.sure() || n.kind == variable || root {
		return c.constant(ast.InternedTerm(true))
	}
	return c.nodes.the(node{kind: present, args: []*node{n}, deps: n.deps, errs: n.errs})
}

func (c *compiler) constant(t *ast.Term) *node {
	_, text := t.Value.(ast.String)
	return c.nodes.the(node{kind: constant, term: t, text: text})
}

func (c *compiler) pair(n node, x, y *node) *node {
	n.args = []*node{x, y}
	n.deps |= x.deps | y.deps
	n.errs = n.errs || x.errs || y.errs
	return c.nodes.the(n)
}

// call compiles a call of a builtin or of a function of the policies, captured or as a condition.
func (c *compiler) call(terms []*ast.Term, s *scope, b *body) error {
	op, ok := terms[0].Value.(ast.Ref)
	if !ok {
		return not("it calls what is no name")
	}
	arity, err := c.arity(op)
	if err != nil {
		return err
	}
	given := terms[1:]
	var out *ast.Term
	if len(given) == arity+1 {
		given, out = given[:arity], given[arity]
	} else if len(given) != arity {
		return not("%s takes a varying number of arguments", op)
	}
	args := make([]*node, len(given))
	for i, t := range given {
		if args[i], err = c.value(t, s, b); err != nil {
			return err
		}
	}
	result, err := c.apply(op, args, s)
	if err != nil {
		return err
	}
	if out == nil {
		b.test(result)
		return nil
	}
	if v, free := s.unbound(out); free {
		s.vars[v] = result
		b.test(c.defined(result))
		return nil
	}
	if op[0].Equal(ast.DefaultRootDocument) {
		return not("it compares what a function gives in the call itself")
	}
	wanted, err := c.value(out, s, b)
	if err != nil {
		return err
	}
	b.test(c.pair(node{kind: equal}, result, wanted))
	return nil
}

func (c *compiler) arity(op ast.Ref) (int, error) {
	if op[0].Equal(ast.DefaultRootDocument) {
		rules, err := c.rulesAt(op)
		if err != nil {
			return 0, err
		}
		if len(rules) == 0 {
			return 0, not("there is no function %s", op)
		}
		return len(rules[0].Head.Args), nil
	}
	decl := ast.BuiltinMap[op.String()]
	if decl == nil || decl.Decl.Result() == nil || decl.Relation {
		return 0, not("%s gives no single value", op)
	}
	return decl.Decl.Arity(), nil
}

func (c *compiler) apply(op ast.Ref, args []*node, s *scope) (*node, error) {
	if op[0].Equal(ast.DefaultRootDocument) {
		return c.function(op, args, s)
	}
	name := op.String()
	if sign, ok := signs[name]; ok {
		return c.pair(node{kind: compare, sign: sign}, args[0], args[1]), nil
	}
	switch name {
	case "equal":
		return c.pair(node{kind: equal}, args[0], args[1]), nil
	case "internal.member_2":
		return c.pair(node{kind: member}, args[0], args[1]), nil
	}
	if name == "object.get" {
		if n := c.get(args); n != nil {
			return n, nil
		}
	}
	n := node{kind: call, args: args, fn: builtin{name, topdown.GetBuiltin(name)}}
	if n.fn.call == nil {
		return nil, not("%s is unknown", name)
	}
	for _, a := range args {
		n.deps |= a.deps
		n.errs = n.errs || a.errs
	}
	total, text := totality(name, args)
	n.errs, n.text = n.errs || !total, text
	return c.nodes.the(n), nil
}

// get is object.get of the request or the service by a path of texts, which reads one place instead of all; nil: it is
// of something else.
func (c *compiler) get(args []*node) *node {
	at, path := args[0], args[1]
	if at.kind != request && at.kind != service || len(at.names) > 0 || path.kind != constant {
		return nil
	}
	keys := []*ast.Term{path.term}
	if a, ok := path.term.Value.(*ast.Array); ok {
		keys = keys[:0]
		a.Foreach(func(t *ast.Term) { keys = append(keys, t) })
	}
	for _, key := range keys {
		if !isText(key) {
			return nil
		}
		at = c.step(at, c.constant(key))
	}
	n := c.pair(node{kind: orElse, text: at.text && args[2].text}, at, args[2])
	return n
}

// totality tells of a builtin whether it cannot go wrong over args, and whether what it gives is text.
func totality(name string, args []*node) (total, text bool) {
	texts := true
	for _, a := range args {
		texts = texts && a.text
	}
	switch name {
	case "lower", "upper", "trim_space", "trim", "trim_left", "trim_right", "trim_prefix", "trim_suffix", "replace":
		return texts, texts
	case "startswith", "endswith", "contains", "indexof", "split", "json.is_valid":
		return texts, false
	case "sprintf":
		return args[0].kind == constant && args[0].text && args[1].kind == array, true
	case "is_number", "is_string", "is_boolean", "is_array", "is_set", "is_object", "is_null", "type_name":
		return true, name == "type_name"
	}
	return false, false
}
