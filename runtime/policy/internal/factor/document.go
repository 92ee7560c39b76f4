package factor

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// dataAt compiles the beginning of a reference to data: a document that rules make, or one that was loaded. It returns how
// many parts of ref it took.
func (c *compiler) dataAt(ref ast.Ref) (*node, int, error) {
	tree := c.rego.RuleTree.Child(ref[0].Value)
	for i := 1; tree != nil && i < len(ref); i++ {
		if !ref[i].IsGround() {
			return nil, 0, not("it reads data by a name that is computed")
		}
		if _, ok := ref[i].Value.(ast.String); !ok {
			return nil, 0, not("it reads data by a name that is no text")
		}
		tree = tree.Child(ref[i].Value)
		if tree != nil && len(tree.Values) > 0 {
			n, err := c.document(ref[: i+1 : i+1])
			return n, i + 1, err
		}
	}
	if tree != nil {
		return nil, 0, not("it reads a whole package")
	}
	return c.base(ref)
}

// base is what was loaded at the constant beginning of ref.
func (c *compiler) base(ref ast.Ref) (*node, int, error) {
	at := c.data
	for i := 1; i < len(ref); i++ {
		name, ok := ref[i].Value.(ast.String)
		object, isObject := at.(ast.Object)
		if !ok || !isObject {
			return c.constant(ast.NewTerm(at)), i, nil
		}
		next := object.Get(ast.StringTerm(string(name)))
		if next == nil {
			for _, part := range ref[i+1:] {
				if !ast.IsConstant(part.Value) || composite(part) {
					return nil, 0, not("it reads what no data file has by a name that is computed")
				}
			}
			return c.missing(), len(ref), nil
		}
		at = next.Value
	}
	return c.constant(ast.NewTerm(at)), len(ref), nil
}

// rulesAt returns the rules that make the document, or the function, of that path.
func (c *compiler) rulesAt(ref ast.Ref) ([]*ast.Rule, error) {
	tree := c.rego.RuleTree
	for _, part := range ref {
		if tree = tree.Child(part.Value); tree == nil {
			return nil, not("there is no rule %s", ref)
		}
	}
	for _, r := range tree.Values {
		if full := r.Module.Package.Path.Extend(r.Head.Ref()); !full.Equal(ref) {
			return nil, not("%s is made of rules with names that are computed", ref)
		}
	}
	if len(tree.Children) > 0 {
		return nil, not("%s is made of rules below one another", ref)
	}
	return tree.Values, nil
}

// document compiles the document that rules without arguments make.
func (c *compiler) document(ref ast.Ref) (*node, error) {
	name := ref.String()
	if n := c.docs[name]; n != nil {
		return n, nil
	}
	if err := c.broken[name]; err != nil {
		return nil, err
	}
	n, err := c.newDocument(ref)
	if err != nil {
		c.broken[name] = err
		return nil, err
	}
	c.docs[name] = n
	return n, nil
}

func (c *compiler) newDocument(ref ast.Ref) (*node, error) {
	rules, err := c.rulesAt(ref)
	if err != nil {
		return nil, err
	}
	if len(rules[0].Head.Args) > 0 {
		return c.missing(), nil // a function is no value
	}
	if rules[0].Head.RuleKind() == ast.MultiValue {
		return c.alternatives(node{kind: union}, rules, nil, &scope{vars: map[ast.Var]*node{}})
	}
	return c.alternatives(node{kind: document}, rules, nil, &scope{vars: map[ast.Var]*node{}})
}

// function puts a function of the policies in where it is called: its arguments are what they are called with.
func (c *compiler) function(ref ast.Ref, args []*node, s *scope) (*node, error) {
	rules, err := c.rulesAt(ref)
	if err != nil {
		return nil, err
	}
	// The loops of the function's own bodies lie within those around the call.
	return c.alternatives(node{kind: document}, rules, args, &scope{vars: map[ast.Var]*node{}, next: s.next})
}

// alternatives compiles rules into n, a document, or a union of sets. The value cannot go wrong where no two of
// its rules can give different ones.
func (c *compiler) alternatives(n node, rules []*ast.Rule, args []*node, s *scope) (*node, error) {
	if c.depth++; c.depth > maxDepth {
		c.depth--
		return nil, not("rules lie too deep within one another")
	}
	defer func() { c.depth-- }()
	for _, r := range rules {
		if r.Default {
			if len(args) > 0 || !ast.IsConstant(r.Head.Value.Value) {
				return nil, not("it calls a function with a default")
			}
			n.fail = r.Head.Value
			continue
		}
		alt, err := c.alternative(r, n.kind, args, s)
		if err != nil {
			return nil, err
		}
		n.alts = append(n.alts, alt)
	}
	if only := n.only(); only != nil {
		return only, nil
	}
	values := map[*node]bool{}
	text := n.fail == nil || isText(n.fail)
	for _, alt := range n.alts {
		for _, branch := range alt {
			n.deps |= branch.body.deps | branch.value.deps
			n.errs = n.errs || branch.body.errs || branch.value.errs
			values[branch.value] = true
			text = text && branch.value.text
		}
	}
	if n.kind == document {
		// One rule contradicts itself only by a loop that its value hangs on.
		n.errs = n.errs || len(n.alts) > 1 && len(values) > 1 || slices.ContainsFunc(n.alts, loops)
		n.text = text
	}
	if s.next == 0 {
		n.deps &^= onLoop
	}
	return c.nodes.the(n), nil
}

// only returns the value that n, a document, always has: of one rule without conditions; nil if it is not such a one. A
// constant stays a document, for those that data files hold are read otherwise.
func (n *node) only() *node {
	if n.kind != document || n.fail != nil || len(n.alts) != 1 || len(n.alts[0]) != 1 || len(n.alts[0][0].body.steps) > 0 {
		return nil
	}
	if value := n.alts[0][0].value; value.kind != constant {
		return value
	}
	return nil
}

func isText(t *ast.Term) bool {
	_, ok := t.Value.(ast.String)
	return ok
}

// loops tells whether a branch of alt may hold more than once, so that its value may be of several minds.
func loops(alt alternative) bool {
	for _, branch := range alt {
		if branch.value.deps&onLoop == 0 {
			continue
		}
		for _, s := range branch.body.steps {
			if s.over != nil {
				return true
			}
		}
	}
	return false
}

func (c *compiler) alternative(r *ast.Rule, k kind, args []*node, s *scope) (alternative, error) {
	var alt alternative
	for ; r != nil; r = r.Else {
		inner := s.inner()
		b := &body{}
		if err := c.arguments(r, args, inner, b); err != nil {
			return nil, err
		}
		rest, err := c.body(r.Body, inner)
		if err != nil {
			return nil, err
		}
		b.steps = append(b.steps, rest.steps...)
		b.deps |= rest.deps
		b.errs = b.errs || rest.errs
		head := r.Head.Value
		if k == union {
			head = r.Head.Key
		}
		value := c.constant(ast.InternedTerm(true))
		if head != nil {
			if value, err = c.value(head, inner, b); err != nil {
				return nil, err
			}
		}
		alt = append(alt, branch{b, value})
	}
	return alt, nil
}

func (c *compiler) arguments(r *ast.Rule, args []*node, s *scope, b *body) error {
	if len(r.Head.Args) != len(args) {
		return not("%s takes another number of arguments", r.Head.Name)
	}
	for i, formal := range r.Head.Args {
		if v, free := s.unbound(formal); free {
			s.vars[v] = args[i]
			b.test(c.defined(args[i]))
			continue
		}
		wanted, err := c.value(formal, s, b)
		if err != nil {
			return err
		}
		b.test(c.pair(node{kind: equal}, args[i], wanted))
	}
	return nil
}
