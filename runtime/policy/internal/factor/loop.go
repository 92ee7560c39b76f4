package factor

import "github.com/open-policy-agent/opa/v1/ast"

// found ends a search at the first solution.
func found() bool { return true }

// run tries the steps of b from i on and calls each for every solution; it ends early, and tells so, when each returns
// true and nothing that is left could go wrong: OPA looks on, and what it finds wrong there counts.
func (m *machine) run(b *body, i int, each func() bool) bool {
	for ; i < len(b.steps); i++ {
		s := &b.steps[i]
		if s.over != nil {
			return m.loop(b, i, each)
		}
		if !m.holds(s.test) || m.broken {
			return false
		}
	}
	return each()
}

func (m *machine) loop(b *body, i int, each func() bool) bool {
	s := &b.steps[i]
	over := m.eval(s.over)
	if over == nil || m.broken {
		return false
	}
	key, value := m.vars[s.key], m.vars[s.value]
	done := false
	switch v := over.Value.(type) {
	case *ast.Array:
		for n := range v.Len() {
			if m.turn(b, i, ast.InternedTerm(n), v.Elem(n), each, &done) {
				break
			}
		}
	case ast.Set:
		for _, element := range v.Slice() {
			if m.turn(b, i, element, element, each, &done) {
				break
			}
		}
	case ast.Object:
		keys := v.KeysIterator()
		for k, more := keys.Next(); more; k, more = keys.Next() {
			if m.turn(b, i, k, v.Get(k), each, &done) {
				break
			}
		}
	}
	m.vars[s.key], m.vars[s.value] = key, value
	return done
}

// turn is one turn of a loop; it returns true where the loop ends.
func (m *machine) turn(b *body, i int, k, v *ast.Term, each func() bool, done *bool) bool {
	if m.steps++; m.steps > m.limit {
		m.broken = true
		return true
	}
	s := &b.steps[i]
	m.vars[s.key], m.vars[s.value] = k, v
	*done = m.run(b, i+1, each) || *done
	return *done && !b.errs || m.broken
}

// elements calls each for every key and element of t, in OPA's order, until it returns true.
func (m *machine) elements(t *ast.Term, each func(k, v *ast.Term) bool) {
	count := func(k, v *ast.Term) bool {
		if m.steps++; m.steps > m.limit {
			m.broken = true
			return true
		}
		return each(k, v)
	}
	switch v := t.Value.(type) {
	case *ast.Array:
		for i := range v.Len() {
			if count(ast.InternedTerm(i), v.Elem(i)) {
				return
			}
		}
	case ast.Object:
		v.Until(count)
	case ast.Set:
		v.Until(func(t *ast.Term) bool { return count(t, t) })
	}
}

func (m *machine) every(n *node) *ast.Term {
	domain := m.eval(n.args[0])
	if domain == nil {
		return nil
	}
	switch domain.Value.(type) {
	case *ast.Array, ast.Object, ast.Set:
	default:
		return no
	}
	key, value := m.vars[n.slot], m.vars[n.slot+1]
	all := true
	m.elements(domain, func(k, v *ast.Term) bool {
		m.vars[n.slot], m.vars[n.slot+1] = k, v
		all = m.run(n.body, 0, found) && all
		return !all && !n.body.errs || m.broken
	})
	m.vars[n.slot], m.vars[n.slot+1] = key, value
	return boolean(all)
}

func (m *machine) comprehension(n *node) *ast.Term {
	var terms []*ast.Term
	var items [][2]*ast.Term
	m.run(n.body, 0, func() bool {
		t := m.eval(n.args[0])
		if t == nil || m.broken {
			return m.broken
		}
		if n.kind == objectOf {
			if v := m.eval(n.args[1]); v != nil {
				items = append(items, [2]*ast.Term{t, v})
			}
			return m.broken
		}
		terms = append(terms, t)
		return false
	})
	switch n.kind {
	case arrayOf:
		return ast.ArrayTerm(terms...)
	case setOf:
		return ast.SetTerm(terms...)
	}
	o := ast.NewObject()
	for _, item := range items {
		if old := o.Get(item[0]); old != nil && !old.Equal(item[1]) {
			m.broken = true
			return nil
		}
		o.Insert(item[0], item[1])
	}
	return ast.NewTerm(o)
}

// document returns the one value that the rules give; two different ones are an error.
func (m *machine) document(n *node) *ast.Term {
	var out *ast.Term
	for _, alt := range n.alts {
		if t := m.alternative(alt); t != nil {
			out = m.first(out, t)
		}
		if m.broken || out != nil && !n.errs {
			break
		}
	}
	if out == nil {
		return n.fail
	}
	return out
}

// alternative returns the value of the first branch that holds, nil if none does.
func (m *machine) alternative(alt alternative) *ast.Term {
	for _, branch := range alt {
		if branch.value.deps&onLoop == 0 {
			if m.run(branch.body, 0, found) && !m.broken {
				return m.eval(branch.value)
			}
		} else if t := m.agreed(branch); t != nil {
			return t
		}
		if m.broken {
			return nil
		}
	}
	return nil
}

// first returns a, or b where there is no a yet. Of equal values OPA keeps the first, which shows where 1 equals 1.0; that
// they are not equal is an error.
func (m *machine) first(a, b *ast.Term) *ast.Term {
	if a == nil {
		return b
	}
	m.broken = m.broken || !a.Equal(b)
	return a
}

// agreed returns the value that all solutions of b have in common, nil if there are none.
func (m *machine) agreed(b branch) (out *ast.Term) {
	m.values(b, func(t *ast.Term) bool {
		out = m.first(out, t)
		return m.broken
	})
	return out
}

// union returns the set of all that the rules give.
func (m *machine) union(n *node) *ast.Term {
	var terms []*ast.Term
	for _, alt := range n.alts {
		m.values(alt[0], func(t *ast.Term) bool {
			terms = append(terms, t)
			return m.broken
		})
	}
	return ast.SetTerm(terms...)
}

// values calls each for the value of every solution of b, until it returns true.
func (m *machine) values(b branch, each func(*ast.Term) bool) {
	m.run(b.body, 0, func() bool {
		t := m.eval(b.value)
		if t == nil || m.broken {
			return m.broken
		}
		return each(t)
	})
}
