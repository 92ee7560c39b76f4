package factor

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// value compiles a term that stands where a value is needed. Loops that it needs are put into b.
func (c *compiler) value(t *ast.Term, s *scope, b *body) (*node, error) {
	switch v := t.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String:
		return c.constant(t), nil
	case ast.Var:
		if n := s.vars[v]; n != nil {
			return n, nil
		}
		return nil, not("the variable %s takes part of a pattern", v)
	case ast.Ref:
		return c.ref(v, s, b)
	case *ast.Array:
		terms := make([]*ast.Term, 0, v.Len())
		v.Foreach(func(t *ast.Term) { terms = append(terms, t) })
		return c.composite(t, array, terms, s, b)
	case ast.Set:
		return c.composite(t, set, v.Slice(), s, b)
	case ast.Object:
		var terms []*ast.Term
		for _, k := range v.Keys() {
			terms = append(terms, k, v.Get(k))
		}
		return c.composite(t, object, terms, s, b)
	case *ast.ArrayComprehension:
		return c.comprehension(arrayOf, v.Body, []*ast.Term{v.Term}, s)
	case *ast.SetComprehension:
		return c.comprehension(setOf, v.Body, []*ast.Term{v.Term}, s)
	case *ast.ObjectComprehension:
		return c.comprehension(objectOf, v.Body, []*ast.Term{v.Key, v.Value}, s)
	}
	return nil, not("it holds a term of a kind that is left to OPA")
}

func (c *compiler) composite(t *ast.Term, k kind, terms []*ast.Term, s *scope, b *body) (*node, error) {
	if ast.IsConstant(t.Value) {
		return c.constant(t), nil
	}
	n := node{kind: k}
	for i, part := range terms {
		// Keys that are computed may turn out to be one.
		n.errs = n.errs || k == object && i%2 == 0 && !ast.IsConstant(part.Value)
		a, err := c.value(part, s, b)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, a)
		n.deps |= a.deps
		n.errs = n.errs || a.errs
	}
	return c.nodes.the(n), nil
}

func (c *compiler) comprehension(k kind, exprs ast.Body, heads []*ast.Term, s *scope) (*node, error) {
	inner := s.inner()
	in, err := c.body(exprs, inner)
	if err != nil {
		return nil, err
	}
	n := node{kind: k, body: in, errs: k == objectOf}
	for _, t := range heads {
		a, err := c.value(t, inner, in)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, a)
		n.deps |= a.deps
		n.errs = n.errs || a.errs
	}
	return c.closure(n, s), nil
}

// ref compiles a reference.
func (c *compiler) ref(ref ast.Ref, s *scope, b *body) (*node, error) {
	var at *node
	rest, filed := ref[1:], false
	switch {
	case ref[0].Equal(ast.InputRootDocument):
		n, taken, err := c.input(ref)
		if err != nil {
			return nil, err
		}
		at, rest = n, ref[taken:]
	case ref[0].Equal(ast.DefaultRootDocument):
		n, taken, err := c.dataAt(ref)
		if err != nil {
			return nil, err
		}
		at, rest, filed = n, ref[taken:], n.kind == constant
	default:
		n, err := c.value(ref[0], s, b)
		if err != nil {
			return nil, err
		}
		at = n
	}
	for _, part := range rest {
		if v, free := s.unbound(part); free {
			next, err := c.iterate(at, v, s, b)
			if err != nil {
				return nil, err
			}
			at = next
			continue
		}
		key, err := c.value(part, s, b)
		if err != nil {
			return nil, err
		}
		if filed {
			at = c.stored(at, key)
		} else {
			at = c.step(at, key)
		}
	}
	return at, nil
}

// stored goes down by one key in what the data files hold. Only a key that is a collection is an error there.
func (c *compiler) stored(at, key *node) *node {
	scalar := key.text || key.kind == constant && !composite(key.term)
	return c.pair(node{kind: stored, errs: !scalar}, at, key)
}

func composite(t *ast.Term) bool {
	switch t.Value.(type) {
	case *ast.Array, ast.Object, ast.Set:
		return true
	}
	return false
}

// step goes down by one key.
func (c *compiler) step(at, key *node) *node {
	if name, ok := textOf(key); ok && (at.kind == request || at.kind == service) {
		names := append(at.names[:len(at.names):len(at.names)], name)
		path := append(at.path[:len(at.path):len(at.path)], key.term)
		return c.place(at.kind, names, path)
	}
	if part := made(at, key); part != nil {
		return part
	}
	return c.pair(node{kind: element}, at, key)
}

// made returns what an object that is written out holds at key, where nothing of the object can be missing: a rule that
// reads one of the facts it will give need not make them all. nil: it is no such object.
func made(at, key *node) *node {
	if at.kind != object || key.kind != constant || at.errs {
		return nil
	}
	var part *node
	for i := 0; i < len(at.args); i += 2 {
		if at.args[i].kind != constant || !at.args[i+1].sure() {
			return nil
		}
		if at.args[i].term.Equal(key.term) {
			part = at.args[i+1]
		}
	}
	return part
}

// sure tells whether n has a value, whatever comes.
func (n *node) sure() bool {
	return n.kind == constant || n.kind == orElse && n.args[1].sure()
}

func textOf(n *node) (string, bool) {
	if n.kind != constant {
		return "", false
	}
	s, ok := n.term.Value.(ast.String)
	return string(s), ok
}

// iterate makes a loop over at whose key is v, and returns the element. A set or an object that is written out with
// elements or keys that are computed is OPA's: it goes over them in the order in which they are written, and over two that
// turn out to be equal twice.
func (c *compiler) iterate(at *node, v ast.Var, s *scope, b *body) (*node, error) {
	for i, part := range at.args {
		if (at.kind == set && len(at.args) > 1 || at.kind == object && len(at.args) > 2 && i%2 == 0) && part.kind != constant {
			return nil, not("it goes over a collection that is written out with values that are computed")
		}
	}
	key, value := s.next, s.next+1
	s.next += 2
	s.vars[v] = c.loop(key)
	b.steps = append(b.steps, step{over: at, key: key, value: value})
	b.deps |= at.deps
	b.errs = b.errs || at.errs
	return c.loop(value), nil
}

// input compiles the constant beginning of a reference to input.
func (c *compiler) input(ref ast.Ref) (*node, int, error) {
	if len(ref) < 2 {
		return nil, 0, not("it reads the whole input")
	}
	name, ok := ref[1].Value.(ast.String)
	switch {
	case !ok:
		return nil, 0, not("it reads the input by a name that is computed")
	case name == "request":
		return c.place(request, nil, nil), 2, nil
	case name == "service":
		return c.place(service, nil, nil), 2, nil
	}
	return c.missing(), len(ref), nil
}

// missing is undefined.
func (c *compiler) missing() *node {
	empty := c.constant(ast.InternedEmptyArray)
	return c.pair(node{kind: element}, empty, c.constant(ast.InternedTerm(0)))
}

// place is what stands at a path of the request or of the service.
func (c *compiler) place(k kind, names []string, path []*ast.Term) *node {
	n := node{kind: k, names: names, path: path, deps: onRequest}
	if k == service {
		n.deps = onService
	}
	n.text = c.text(n.ref())
	return c.nodes.the(n)
}

// ref returns how policies write a place.
func (n *node) ref() ast.Ref {
	root := "request"
	if n.kind == service {
		root = "service"
	}
	return append(ast.Ref{ast.InputRootDocument, ast.InternedTerm(root)}, n.path...)
}
