package policy

import (
	"slices"
	"strings"
	"unicode"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
)

// compile compiles modules with the builder's rewriting. When that fails, the modules are compiled again as their authors
// wrote them, for faults that speak of their rules and not of ours.
func compile(modules map[string]*ast.Module, store storage.Store, b *builder) (*ast.Compiler, Faults) {
	conflict, done, err := conflicts(store)
	if err != nil {
		return nil, Faults{{Message: err.Error()}}
	}
	defer done()
	c := newCompiler().WithPathConflictsCheck(conflict)
	b.install(c)
	if c.Compile(modules); !c.Failed() {
		return c, nil
	}
	faults := everyFault(modules, conflict)
	if len(faults) == 0 { // only ours fails: say so rather than let anything through
		faults = faultsOf("", c.Errors)
	}
	return nil, faults
}

// everyFault compiles modules again and again, each time without the rules that were wrong, because the compiler stops
// at its first stage that finds anything. What a rule that was taken out leaves behind is not reported.
func everyFault(modules map[string]*ast.Module, conflict func([]string) (bool, error)) Faults {
	rest := make(map[string]*ast.Module, len(modules))
	for name, m := range modules {
		rest[name] = m.Copy()
	}
	var faults Faults
	var gone []string
	for first := true; ; first = false {
		c := newCompiler().WithPathConflictsCheck(conflict)
		c.Compile(rest)
		if !c.Failed() {
			return append(faults, misplaced(c)...)
		}
		removed := false
		for _, e := range c.Errors {
			if first || !consequence(e, gone) {
				faults = append(faults, faultsOf("", e)...)
			}
		}
		for _, e := range c.Errors {
			if name, ok := remove(rest, e.Location); ok {
				gone, removed = append(gone, name), true
			}
		}
		if !removed {
			return faults
		}
	}
}

// consequence tells whether e only complains that something is gone.
func consequence(e *ast.Error, gone []string) bool {
	if strings.HasPrefix(e.Message, "import ") && strings.HasSuffix(e.Message, "unused") {
		return true
	}
	words := strings.FieldsFunc(e.Message, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return slices.ContainsFunc(gone, func(name string) bool { return slices.Contains(words, name) })
}

// remove takes the rules that stand at loc out of modules, and returns their name.
func remove(modules map[string]*ast.Module, loc *ast.Location) (string, bool) {
	if loc == nil {
		return "", false
	}
	m := modules[loc.File]
	if m == nil {
		return "", false
	}
	i := enclosing(m, loc.Row)
	if i < 0 {
		before := len(m.Imports)
		m.Imports = slices.DeleteFunc(m.Imports, func(imp *ast.Import) bool { return imp.Location.Row == loc.Row })
		return "", len(m.Imports) < before
	}
	name := headName(m.Rules[i])
	m.Rules = slices.Delete(m.Rules, i, i+1)
	return name, true
}

// enclosing returns the index of the rule of m in which row lies, -1 if there is none.
func enclosing(m *ast.Module, row int) int {
	best := -1
	for i, r := range m.Rules {
		if r.Location == nil || r.Location.Row > row {
			continue
		}
		if best < 0 || r.Location.Row >= m.Rules[best].Location.Row {
			best = i
		}
	}
	return best
}

// headName returns the first part of the rule's name, such as "deny".
func headName(r *ast.Rule) string {
	ref := r.Head.Ref()
	if len(ref) == 0 {
		return ""
	}
	switch v := ref[0].Value.(type) {
	case ast.Var:
		return string(v)
	case ast.String:
		return string(v)
	}
	return ""
}

// kindOf returns the kind of rules that the package at path holds, and the name they go by. Empty: none that count.
func kindOf(pkg *ast.Package) (kind, word string) {
	p := pkg.Path
	if len(p) < 3 || !p[1].Equal(ast.StringTerm("caio")) {
		return "", ""
	}
	name, _ := p[2].Value.(ast.String)
	switch name {
	case KindRouting, KindSecurity:
		return string(name), "deny"
	case KindGuarantee:
		return KindGuarantee, "violation"
	}
	return "", ""
}

// packageName returns the package as its author wrote it.
func packageName(pkg *ast.Package) string {
	return strings.TrimPrefix(pkg.Path.String(), "data.")
}

// shape finds rules that go by the name of a judgement but are none: they would never refuse anybody.
func shape(m *ast.Module) Faults {
	if saysKept(m.Package) {
		return keepShape(m)
	}
	kind, word := kindOf(m.Package)
	if kind == "" {
		return nil
	}
	var faults Faults
	for _, r := range m.Rules {
		switch name := headName(r); {
		case name == word && !judges(r, word):
			faults = append(faults, faultAt(r.Location, "%s must be a set of reasons: write `%s contains reason if { ... }`", word, word))
		case name != word && (name == "deny" || name == "violation"):
			faults = append(faults, faultAt(r.Location, "%s does not count in package %s; below caio.%s write `%s contains reason if { ... }`",
				name, packageName(m.Package), kind, word))
		}
	}
	return faults
}

// judges tells whether r is a body of `word contains ...`.
func judges(r *ast.Rule, word string) bool {
	return !r.Default && len(r.Head.Args) == 0 && len(r.Head.Ref()) == 1 && headName(r) == word &&
		r.Head.Key != nil && r.Head.Value == nil && r.Else == nil
}

// misplaced finds judgements in packages where nobody looks for them, unless another rule reads them.
func misplaced(c *ast.Compiler) Faults {
	var faults Faults
	for file, m := range c.Modules {
		if kind, _ := kindOf(m.Package); kind != "" || isTest(file) {
			continue
		}
		for _, r := range m.Rules {
			name := headName(r)
			if (name == "deny" || name == "violation") && len(c.Graph.Dependents(r)) == 0 {
				faults = append(faults, faultAt(r.Location, "%s does not count in package %s: deny belongs below caio.routing or caio.security, violation below caio.guarantee",
					name, packageName(m.Package)))
			}
		}
	}
	return faults
}
