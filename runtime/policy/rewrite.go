package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A builder makes rules traceable while they are compiled, after names are resolved and before anything is derived from
// the rules. A package's
//
//	deny contains KEY if BODY
//
// becomes one body of a document of our own, whose elements tell which body they come from,
//
//	deny@ contains [17, KEY] if BODY
//
// and deny itself, for whoever refers to it, is read from there:
//
//	deny contains reason if data.caio.routing.sla["deny@"][[_, reason]]
//
// So one query gives every reason with its origin, without a tracer (five times slower), and OPA's index over the bodies
// of a package works as before. "@" is no letter of a Rego name, so nothing can collide.
type builder struct {
	where []*origin       // by number
	skip  map[string]bool // files that are left as they are: tests
}

// An origin is where a reason comes from.
type origin struct {
	rule  Rule
	inner *ast.Rule // as compiled
	chain *origin   // whose further body this is, `deny contains x if { ... } { ... }`; nil: its own
	pkg   ast.Ref   // of the package
	facts []reading // what the rule reads of input, for reasons that bring no facts
}

const mark = "@"

// install makes c run the builder.
func (b *builder) install(c *ast.Compiler) {
	c.WithStageAfterID(ast.StageRemoveImports, ast.CompilerStageDefinition{
		Name:       "TraceJudgements",
		MetricName: "compile_stage_trace_judgements",
		Stage:      b.rewrite,
	})
}

func (b *builder) rewrite(c *ast.Compiler) *ast.Error {
	b.where = nil
	aliased := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		m := c.Modules[name]
		kind, word := kindOf(m.Package)
		if kind == "" || b.skip[name] {
			continue
		}
		tenant, _, _ := ofTenant(name) // a file that is nobody's was a fault before
		var added []*ast.Rule
		for _, r := range m.Rules {
			if !judges(r, word) {
				continue
			}
			if id := m.Package.Path.String(); !aliased[id] {
				aliased[id] = true
				added = append(added, alias(m, r, word))
			}
			o := &origin{
				rule: Rule{Package: packageName(m.Package), Name: word, Kind: kind, File: clean(r.Location.File), Line: r.Location.Row, Tenant: tenant},
				pkg:  m.Package.Path,
			}
			o.rule.ID = authorID(r)
			if o.rule.ID == "" {
				o.rule.ID = o.rule.Package + "." + word
			}
			number := len(b.where)
			if number > 0 && strings.HasPrefix(string(r.Location.Text), "{") {
				o.chain = b.where[number-1]
			}
			b.where = append(b.where, o)
			if extra := unmade(r); extra != nil {
				trace(extra, word, number)
				added = append(added, extra)
			}
			trace(r, word, number)
			o.inner = r
		}
		m.Rules = append(m.Rules, added...)
	}
	return nil
}

// trace makes r a body of the document of our own.
func trace(r *ast.Rule, word string, number int) {
	r.Head.Name = ast.Var(word + mark)
	r.Head.Reference = ast.Ref{ast.VarTerm(word + mark)}
	key := ast.ArrayTerm(ast.NumberTerm(json.Number(strconv.Itoa(number))), r.Head.Key)
	key.Location = r.Head.Key.Location
	r.Head.Key = key
}

// alias makes the authors' name a view of the document of our own.
func alias(m *ast.Module, first *ast.Rule, word string) *ast.Rule {
	reason := ast.VarTerm("reason" + mark)
	pair := ast.ArrayTerm(ast.VarTerm(ast.WildcardPrefix+"number"+mark), reason)
	element := ast.NewTerm(m.Package.Path.Append(ast.StringTerm(word + mark)).Append(pair))
	element.Location = first.Location
	body := ast.NewExpr(element)
	body.Location = first.Location
	return &ast.Rule{
		Head: &ast.Head{
			Name: ast.Var(word), Reference: ast.Ref{ast.VarTerm(word)}, Key: ast.VarTerm("reason" + mark), Location: first.Head.Location,
		},
		Body:     ast.NewBody(body),
		Location: first.Location,
		Module:   m,
	}
}

// authorID returns the id that a rule gives its reasons, if it is written as a literal. Empty: it is not.
func authorID(r *ast.Rule) string {
	object, ok := keyLiteral(r).(ast.Object)
	if !ok {
		return ""
	}
	if term := object.Get(ast.StringTerm("rule")); term != nil {
		if id, ok := term.Value.(ast.String); ok {
			return clean(string(id))
		}
	}
	return ""
}

// keyLiteral returns what r's reason is made of: the key itself, or what its variable is assigned.
func keyLiteral(r *ast.Rule) ast.Value {
	v, ok := r.Head.Key.Value.(ast.Var)
	if !ok {
		return r.Head.Key.Value
	}
	for _, e := range r.Body {
		if e.IsAssignment() && e.Operand(0).Value.Compare(v) == 0 {
			return e.Operand(1).Value
		}
	}
	return v
}

// trimMark returns the authors' name of a rule.
func trimMark(name string) string { return strings.TrimSuffix(name, mark) }
