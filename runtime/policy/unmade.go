package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// unmadeMessage is what a refusal says whose own reason could not be made.
const unmadeMessage = "the rule holds, but its reason reads a value that is missing"

// unmade returns a second body for r that holds when r's conditions hold and its reason cannot be made, because it reads
// a value that is missing: for
//
//	deny contains msg if {
//		input.request.data.contains_phi
//		msg := sprintf("%s is no place for it", [input.service.privacy.region])
//	}
//
// it is
//
//	deny contains {"message": unmadeMessage} if {
//		input.request.data.contains_phi
//		not { msg := sprintf("%s is no place for it", [input.service.privacy.region]); _ = msg }
//	}
//
// Without it such a rule would refuse nobody. What belongs to the reason is its literal and every assignment of a
// literal or a formatting call that nothing but the reason uses. What is read from other rules or from data stays a
// condition, since authors filter by it. It returns nil if the reason can always be made.
func unmade(r *ast.Rule) *ast.Rule {
	making := makings(r)
	terms := []*ast.Term{r.Head.Key}
	for _, i := range making {
		terms = append(terms, r.Body[i].Operand(1))
	}
	if !slices.ContainsFunc(terms, mayBeMissing) {
		return nil
	}
	other := r.Copy()
	other.Module = r.Module
	other.Annotations = nil
	var conditions, inside ast.Body
	for i, e := range other.Body {
		if slices.Contains(making, i) {
			inside = append(inside, e)
		} else {
			conditions = append(conditions, e)
		}
	}
	for _, t := range terms {
		for _, f := range foreign(t) {
			conditions = append(conditions, at(ast.Equality.Expr(ast.VarTerm(ast.WildcardPrefix+"foreign"+mark), f.Copy()), r))
		}
	}
	inside = append(inside, at(ast.Equality.Expr(ast.VarTerm(ast.WildcardPrefix+"reason"+mark), other.Head.Key), r))
	not := &ast.Not{Body: ast.NewBody(inside...), ExplicitBody: true, Location: r.Location}
	other.Body = ast.NewBody(append(conditions, at(ast.NewExpr(not), r))...)
	other.Head.Key = ast.ObjectTerm(ast.Item(ast.StringTerm("message"), ast.StringTerm(unmadeMessage)))
	other.Head.Key.Location = r.Head.Key.Location
	return other
}

func at(e *ast.Expr, r *ast.Rule) *ast.Expr {
	e.Location = r.Location
	return e
}

// makings returns the indexes of the expressions of r's body that only make the reason, in order.
func makings(r *ast.Rule) []int {
	var making []int
	wanted := varsOf(r.Head.Key)
	for i, e := range slices.Backward(r.Body) {
		if !assigns(e) {
			continue
		}
		v := e.Operand(0).Value.(ast.Var)
		if !wanted.Contains(v) || !builds(e.Operand(1)) || usedElsewhere(r, v, append(making, i)) {
			continue
		}
		making = append(making, i)
		wanted.Update(varsOf(e.Operand(1)))
	}
	slices.Sort(making)
	// A condition of ours that is read from other rules must not hang on what only makes the reason, nor on what that
	// hangs on.
	for before := -1; before != len(making); {
		before = len(making)
		making = slices.DeleteFunc(slices.Clone(making), func(i int) bool {
			v := r.Body[i].Operand(0).Value.(ast.Var)
			needs := func(t *ast.Term) bool {
				return slices.ContainsFunc(foreign(t), func(f *ast.Term) bool { return varsOf(f).Contains(v) })
			}
			return usedElsewhere(r, v, making) || needs(r.Head.Key) ||
				slices.ContainsFunc(making, func(j int) bool { return needs(r.Body[j].Operand(1)) })
		})
	}
	return making
}

// assigns tells whether e is `v := ...`, plain.
func assigns(e *ast.Expr) bool {
	if e.Negated || len(e.With) > 0 || !e.IsAssignment() {
		return false
	}
	_, ok := e.Operand(0).Value.(ast.Var)
	return ok
}

// builds tells whether t is a literal or formats one.
func builds(t *ast.Term) bool {
	switch v := t.Value.(type) {
	case ast.Null, ast.Boolean, ast.Number, ast.String, ast.Object, *ast.Array, ast.Set, *ast.TemplateString:
		return true
	case ast.Call:
		switch v[0].String() {
		case "sprintf", "concat", "format_int", "json.marshal", "yaml.marshal", "upper", "lower", "round", "object.union":
			return true
		}
	}
	return false
}

// usedElsewhere tells whether v is used by an expression of r's body that is not among making.
func usedElsewhere(r *ast.Rule, v ast.Var, making []int) bool {
	for i, e := range r.Body {
		if !slices.Contains(making, i) && varsOf(e).Contains(v) {
			return true
		}
	}
	return false
}

// varsOf returns every variable in x, those in closures included.
func varsOf(x any) ast.VarSet {
	vars := ast.NewVarSet()
	ast.WalkVars(x, func(v ast.Var) bool {
		vars.Add(v)
		return false
	})
	return vars
}

// foreign returns the terms of t, outside of closures, that are read from other rules or from data.
func foreign(t *ast.Term) []*ast.Term {
	var found []*ast.Term
	visit := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension, *ast.TemplateString:
			return true
		case *ast.Term:
			switch v := x.Value.(type) {
			case ast.Ref:
				if v[0].Equal(ast.DefaultRootDocument) {
					found = append(found, x)
					return true
				}
			case ast.Call:
				if op, ok := v[0].Value.(ast.Ref); ok && op[0].Equal(ast.DefaultRootDocument) {
					found = append(found, x)
					return true
				}
			}
		}
		return false
	})
	visit.Walk(t)
	return found
}

// mayBeMissing tells whether t, outside of closures and of what is foreign, reads a value that need not be there.
func mayBeMissing(t *ast.Term) bool {
	missing := false
	visit := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension, *ast.TemplateString:
			return true
		case *ast.Term:
			switch v := x.Value.(type) {
			case ast.Ref:
				if v[0].Equal(ast.InputRootDocument) {
					missing = missing || !alwaysThere(v)
					return true
				}
				if v[0].Equal(ast.DefaultRootDocument) {
					return true
				}
				_, isVar := v[0].Value.(ast.Var)
				missing = missing || isVar && len(v) > 1
			case ast.Call:
				// The operator is a ref of its own; only what it is called with is read.
				if op, ok := v[0].Value.(ast.Ref); ok && op[0].Equal(ast.DefaultRootDocument) {
					return true
				}
				for _, arg := range v[1:] {
					missing = missing || mayBeMissing(arg)
				}
				return true
			}
		}
		return false
	})
	visit.Walk(t)
	return missing
}
