package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// lint finds what compiles but is probably not meant, in compiled modules.
func lint(c *ast.Compiler, where []*origin) Faults {
	var faults Faults
	speaking := make(map[string]bool)
	for _, o := range where {
		speaking[o.rule.Package] = true
	}
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		m := c.Modules[name]
		if !speaking[packageName(m.Package)] {
			faults = append(faults, silent(m)...)
		}
		for _, r := range m.Rules {
			faults = append(faults, unknownFields(m, r)...)
		}
	}
	for _, o := range where {
		faults = append(faults, oddReason(o)...)
		if o.rule.Kind != KindGuarantee {
			faults = append(faults, passedOver(o, where)...)
		}
	}
	return faults
}

// silent finds packages that lie where judgements are looked for and hold none.
func silent(m *ast.Module) Faults {
	kind, word := kindOf(m.Package)
	if kind == "" || len(m.Rules) == 0 {
		return nil
	}
	return Faults{faultAt(m.Package.Location, "package %s has no %s, so nothing here refuses of its own accord; helpers belong in another package, such as caio.lib",
		packageName(m.Package), word)}
}

// unknownFields finds references to what neither contracts nor requests have. Such a reference is undefined for ever.
func unknownFields(m *ast.Module, r *ast.Rule) Faults {
	kind, _ := kindOf(m.Package)
	var faults Faults
	for _, reading := range readingsOf(r) {
		loc := reading.loc
		if loc == nil || loc.File == "" {
			loc = r.Location
		}
		f := look(reading.ref)
		ofTenant := len(reading.path) > 0 && reading.path[0] == "tenant"
		switch {
		case saysKept(m.Package) && !ofTenant:
			faults = append(faults, faultAt(loc, "%s: what traces keep is asked once for each tenant; there is input.tenant and nothing else", shortRef(reading.ref)))
		case !saysKept(m.Package) && ofTenant && kind != "":
			faults = append(faults, faultAt(loc, "%s: there is no %q here; did you mean input.request.principal.tenant?", shortRef(reading.ref), "tenant"))
		case f.unknown != "" && f.allowed == nil:
			faults = append(faults, faultAt(loc, "%s: nothing follows there, so not %q either", shortRef(reading.ref), f.unknown))
		case f.unknown != "":
			faults = append(faults, faultAt(loc, "%s: there is no %q%s", shortRef(reading.ref), f.unknown, suggest(f)))
		case (kind == KindRouting || kind == KindSecurity) && len(reading.path) > 0 && (reading.path[0] == "result" || reading.path[0] == "observed"):
			faults = append(faults, faultAt(loc, "%s: there is no result before a service is chosen; only packages below caio.guarantee see it", shortRef(reading.ref)))
		}
	}
	return faults
}

func suggest(f field) string {
	if near := nearest(f.unknown, f.allowed); near != "" {
		return "; did you mean " + near + "?"
	}
	return "; there is " + strings.Join(f.allowed, ", ")
}

// shortRef writes a reference without what the compiler put in for brackets.
func shortRef(ref ast.Ref) string {
	var b strings.Builder
	for i, part := range ref {
		s, constant := part.Value.(ast.String)
		switch {
		case i == 0:
			b.WriteString("input")
		case constant:
			b.WriteString("." + string(s))
		default:
			b.WriteString("[_]")
		}
	}
	return b.String()
}

// oddReason finds reasons that are no reasons, as far as they are written out.
func oddReason(o *origin) Faults {
	key, loc := madeOf(o.inner)
	switch v := key.(type) {
	case ast.Number, ast.Boolean, ast.Null, *ast.Array, ast.Set:
		return Faults{faultAt(loc, "a reason is a string or {\"rule\", \"message\", \"facts\"}, not %s", article(v))}
	case ast.Object:
		return oddKeys(o, v, loc)
	}
	return nil
}

func article(v ast.Value) string {
	name := ast.ValueName(v)
	if strings.ContainsAny(name[:1], "aeiou") {
		return "an " + name
	}
	return "a " + name
}

func oddKeys(o *origin, v ast.Object, loc *ast.Location) Faults {
	allowed := []string{"rule", "message", "facts"}
	if o.rule.Kind == KindGuarantee {
		allowed = append(allowed, "reaction")
	}
	var faults Faults
	if v.Get(ast.StringTerm("message")) == nil {
		faults = append(faults, faultAt(loc, "this reason has no \"message\""))
	}
	for _, k := range v.Keys() {
		if name, ok := k.Value.(ast.String); ok && !slices.Contains(allowed, string(name)) {
			faults = append(faults, faultAt(loc, "a reason's %q is not read%s", string(name), suggest(field{unknown: string(name), allowed: allowed})))
		}
	}
	if r := v.Get(ast.StringTerm("reaction")); r != nil && o.rule.Kind == KindGuarantee {
		known := []string{reactionFail, reactionFallback, "fall_back", reactionAccept}
		if name, ok := r.Value.(ast.String); ok && !slices.Contains(known, string(name)) {
			faults = append(faults, faultAt(loc, "the reaction %q is not known, and fails%s", string(name), suggest(field{unknown: string(name), allowed: known})))
		}
	}
	return faults
}

// madeOf returns what a compiled rule's reason is made of, as far as it is written out, and where.
func madeOf(r *ast.Rule) (ast.Value, *ast.Location) {
	pair, ok := follow(r, r.Head.Key).Value.(*ast.Array)
	if !ok || pair.Len() != 2 {
		return nil, r.Location
	}
	t := follow(r, pair.Elem(1))
	if t.Location != nil && t.Location.File != "" {
		return t.Value, t.Location
	}
	return t.Value, r.Location
}

// follow returns what a variable is made equal to in r's body, t itself if it is none.
func follow(r *ast.Rule, t *ast.Term) *ast.Term {
	for range 4 { // the compiler chains a few variables at most
		v, ok := t.Value.(ast.Var)
		if !ok {
			return t
		}
		for _, e := range r.Body {
			if !e.Negated && e.IsEquality() && e.Operand(0).Value.Compare(v) == 0 {
				t = e.Operand(1)
				break
			}
		}
	}
	return t
}

// comparisons are builtins that are undefined, and so let through, when an operand is missing.
var comparisons = map[string]string{"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "equal": "==", "neq": "!="}

// passedOver finds plain comparisons with what a contract need not hold, unless some rule of the package asks whether it
// is there: a service that does not state the value is not refused, which is rarely meant.
func passedOver(o *origin, where []*origin) Faults {
	var faults Faults
	for _, e := range o.inner.Body {
		if e.Negated || !e.IsCall() {
			continue
		}
		sign, ok := comparisons[e.Operator().String()]
		if !ok {
			continue
		}
		for _, operand := range e.Operands() {
			ref, ok := follow(o.inner, operand).Value.(ast.Ref)
			if !ok || !ref[0].Equal(ast.InputRootDocument) || len(ref) < 3 || !ref[1].Equal(ast.StringTerm("service")) || !ref.IsGround() {
				continue
			}
			if f := look(ref); f.unknown == "" && f.mayMissed && !askedFor(ref, o, where) {
				faults = append(faults, faultAt(e.Location, "%s need not be there, and then this %s lets the service through; if that is not meant, add a rule with `not %s`",
					shortRef(ref), sign, shortRef(ref)))
			}
		}
	}
	return faults
}

// askedFor tells whether a rule of o's package negates ref or a part it hangs on, or o itself needs it for another reason.
func askedFor(ref ast.Ref, o *origin, where []*origin) bool {
	for _, other := range where {
		if other.rule.Package != o.rule.Package {
			continue
		}
		asked := false
		ast.WalkExprs(other.inner, func(e *ast.Expr) bool {
			if not, ok := e.Terms.(*ast.Not); ok {
				ast.WalkRefs(not.Body, func(r ast.Ref) bool {
					asked = asked || len(r) > 2 && ref.HasPrefix(r)
					return false
				})
			}
			return asked
		})
		if asked {
			return true
		}
	}
	return false
}
