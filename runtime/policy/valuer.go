package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// maxStepValues bounds how many values one expression shows.
const maxStepValues = 12

// A valuer looks up, at an event, the values that expressions read.
type valuer struct {
	session *session
	input   *ast.Term         // of the judgement; a `with` puts another in its place for a while
	secret  bool              // the rule reads the intent's body: what variables and helpers hold is not shown
	helpers map[string]string // what helpers gave, by reference: OPA calls each but once
}

// of returns the values that exprs read, in order of appearance, each name once. What they enter between braces is told
// there.
func (v *valuer) of(e *topdown.Event, exprs []*ast.Expr) (values []*caiov1.RuleValue) {
	add := func(name, value string) {
		if name == "" || value == "" || len(values) >= maxStepValues ||
			slices.ContainsFunc(values, func(old *caiov1.RuleValue) bool { return old.Name == name }) {
			return
		}
		values = append(values, &caiov1.RuleValue{Name: cut(name, maxFactText), Value: value})
	}
	held := heldIn(exprs)
	var visitor *ast.GenericVisitor
	call := func(terms []*ast.Term) {
		rest := terms[1:] // without the operator
		if got := gotten(terms, held); got != nil {
			add(v.ref(e, got))
			rest = terms[2:]
		}
		for _, t := range rest {
			visitor.Walk(t)
		}
	}
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case ast.Ref:
			add(v.ref(e, x))
			for _, part := range x[1:] { // input.a[input.b] reads both
				if _, nested := part.Value.(ast.Ref); nested {
					visitor.Walk(part)
				}
			}
			return true
		case ast.Var:
			add(v.variable(e, x))
		case ast.Call:
			call(x)
			return true
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return true
		}
		return false
	})
	for _, expr := range exprs {
		switch terms := expr.Terms.(type) {
		case *ast.Term:
			visitor.Walk(terms)
		case []*ast.Term:
			if !slices.ContainsFunc(exprs, func(other *ast.Expr) bool { return only(expr, other, held) }) {
				call(terms)
			}
		case *ast.Every:
			visitor.Walk(terms.Domain)
		}
	}
	return values
}

// heldIn returns which part of input the variables of one written expression are assigned.
func heldIn(exprs []*ast.Expr) map[ast.Var]ast.Ref {
	held := make(map[ast.Var]ast.Ref)
	for _, expr := range exprs {
		maps.Copy(held, heldBy(&ast.Rule{Head: &ast.Head{}, Body: ast.Body{expr}}))
	}
	return held
}

// only tells whether expr only holds the part of input out of which other gets one value: the whole would tell too much.
func only(expr, other *ast.Expr, held map[ast.Var]ast.Ref) bool {
	call, ok := other.Terms.([]*ast.Term)
	if !ok || !holds(expr, held) || gotten(call, held) == nil {
		return false
	}
	return expr.Operand(0).Equal(call[1]) || expr.Operand(1).Equal(call[1])
}

// ref returns the name and the value of a reference; empty where it is not to be shown or is told elsewhere.
func (v *valuer) ref(e *topdown.Event, ref ast.Ref) (name, value string) {
	plugged, ok := e.Plug(ast.NewTerm(ref)).Value.(ast.Ref)
	if !ok {
		return "", ""
	}
	switch {
	case ref[0].Equal(ast.InputRootDocument):
		var path []string
		for _, part := range plugged[1:] {
			s, _ := part.Value.(ast.String)
			path = append(path, string(s))
		}
		if holdsIntent(path) || v.secret && e.Input() != v.input {
			return "", ""
		}
		return v.name(ref), textOf(valueAt(e.Input(), plugged[1:]))
	case ref[0].Equal(ast.DefaultRootDocument):
		if value, ok := v.helpers[plugged.String()]; ok {
			return v.name(ref), value
		}
		return v.name(ref), v.data(plugged)
	case v.secret:
		return "", ""
	}
	return v.name(ref), textOf(valueAt(plugged[0], plugged[1:]))
}

// data returns what the data files have at ref; empty where it is not theirs.
func (v *valuer) data(ref ast.Ref) string {
	if !ref.IsGround() {
		return ""
	}
	path, err := storage.NewPathForRef(ref)
	if err != nil {
		return ""
	}
	found, err := v.session.set.store.Read(v.session.ctx, v.session.txn, path)
	if err != nil {
		return ""
	}
	value, err := ast.InterfaceToValue(found)
	if err != nil {
		return ""
	}
	return textOf(value)
}

// variable returns the name and the value of a variable that an author named.
func (v *valuer) variable(e *topdown.Event, x ast.Var) (name, value string) {
	written, ok := v.session.set.compiler.RewrittenVars[x]
	if !ok || v.secret || written.IsWildcard() || strings.HasPrefix(string(written), "__local") {
		return "", ""
	}
	bound := e.Plug(ast.NewTerm(x)).Value
	if _, free := bound.(ast.Var); free {
		return "", ""
	}
	return clean(string(written)), textOf(bound)
}

// gave returns what a helper gave, and remembers it.
func (v *valuer) gave(e *topdown.Event, r *ast.Rule) string {
	given := r.Head.Value
	if given == nil {
		given = r.Head.Key
	}
	value := "true"
	switch {
	case v.secret:
		value = "…"
	case given != nil:
		value = textOf(e.Plug(given).Value)
	}
	if len(r.Head.Args) == 0 && r.Head.Key == nil {
		v.helpers[r.Ref().String()] = value
	}
	return value
}

// name writes a reference as its author did: under the names of its variables.
func (v *valuer) name(ref ast.Ref) string {
	named := make(ast.Ref, len(ref))
	for i, part := range ref {
		named[i] = part
		x, ok := part.Value.(ast.Var)
		if !ok {
			continue
		}
		if written, ok := v.session.set.compiler.RewrittenVars[x]; ok {
			x = written
		}
		if x.IsWildcard() || strings.HasPrefix(string(x), "__local") {
			x = "_"
		}
		named[i] = ast.NewTerm(x)
	}
	return clean(named.String())
}

// valueAt returns what lies in t at path, nil for nothing.
func valueAt(t *ast.Term, path ast.Ref) ast.Value {
	if t == nil {
		return nil
	}
	found, err := t.Value.Find(path)
	if err != nil {
		return nil
	}
	return found
}

func textOf(v ast.Value) string {
	if v == nil {
		return "undefined"
	}
	return cut(v.String(), maxFactText)
}
