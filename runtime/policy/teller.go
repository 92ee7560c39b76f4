package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Bounds on the story of one rule, so that a rule over a large contract stays readable.
const (
	maxSteps     = 200
	maxStepDepth = 12
	maxScopes    = 6 // helpers and braces of one expression that are followed
	maxStepText  = 240
)

// A teller is a tracer that keeps, of OPA's events, the expressions as their author wrote them. The compiler takes an
// expression such as `lower(input.x) == "a"` apart: what stands within one written expression is told as one. It keeps
// bounded state and is used by one evaluation.
type teller struct {
	values valuer
	scopes map[uint64]*scope // by OPA's number of the query
	top    *scope
	kept   int // steps
	cut    bool
}

// A scope is one evaluation of a body: the rule's own, a helper's, or one between the braces of a comprehension, an
// every or a not.
type scope struct {
	helper *ast.Rule // nil: no helper's
	value  string    // what the helper gave; "" nothing
	depth  int
	spans  []span
	steps  []*step // in the order in which they were first tried
	now    *step   // the one being tried
	// onto is the step in whose place this scope stands: the x of `not x` tells nothing that `not x` does not. nil: its
	// expressions are steps of their own.
	onto *step
}

// A span is one written expression of a body and what the compiler made of it, in order.
type span struct {
	loc   *ast.Location
	exprs []*ast.Expr
}

// A step is one written expression, as often as it was tried.
type step struct {
	*span
	tried, reached, failed int // its first part; its last part; in vain
	values                 []*caiov1.RuleValue
	settled                bool // values are those of the first time it held
	inner                  []*scope
}

func newTeller(s *session, input *ast.Term, secret bool) *teller {
	return &teller{values: valuer{session: s, input: input, secret: secret, helpers: map[string]string{}}, scopes: map[uint64]*scope{}}
}

// Enabled, Config and TraceEvent implement topdown.QueryTracer. Variables are looked up when they are told of, not at
// every event.
func (t *teller) Enabled() bool { return true }

func (t *teller) Config() topdown.TraceConfig { return topdown.TraceConfig{PlugLocalVars: false} }

func (t *teller) TraceEvent(e topdown.Event) {
	if e.Op == topdown.EnterOp {
		t.enter(&e)
		return
	}
	s := t.scopes[e.QueryID]
	if s == nil {
		return
	}
	switch node := e.Node.(type) {
	case *ast.Rule:
		if e.Op == topdown.ExitOp {
			s.value = t.values.gave(&e, node)
		}
	case *ast.Expr:
		s.tell(t, &e, node)
	}
}

// enter notes a new scope, below the step that its parent is trying.
func (t *teller) enter(e *topdown.Event) {
	s := &scope{}
	switch node := e.Node.(type) {
	case *ast.Rule:
		s.helper, s.spans = node, spansOf(node.Body)
	case ast.Body:
		s.spans = spansOf(node)
	case *ast.Expr: // every, going through its domain
		if parent := t.scopes[e.ParentID]; parent != nil && parent.now != nil {
			t.scopes[e.QueryID] = &scope{depth: parent.depth, onto: parent.now, now: parent.now}
		}
		return
	}
	if t.top == nil {
		t.top = s
		t.scopes[e.QueryID] = s
		return
	}
	parent := t.scopes[e.ParentID]
	if parent == nil || parent.now == nil {
		return
	}
	above := parent.now
	if s.depth = parent.depth + 1; s.depth > maxStepDepth || len(above.inner) >= maxScopes {
		t.cut = t.cut || above.tried <= 1
		return
	}
	if s.helper == nil && len(s.spans) == 1 && above.span != nil && within(s.spans[0].loc, above.loc) && negates(above.span) {
		s.onto, s.now, s.depth = above, above, parent.depth
	} else {
		above.inner = append(above.inner, s)
	}
	t.scopes[e.QueryID] = s
}

// negates tells whether the expression is `not x`.
func negates(s *span) bool {
	_, ok := s.exprs[0].Terms.(*ast.Not)
	return ok
}

// tell notes what became of one part of a written expression.
func (s *scope) tell(t *teller, e *topdown.Event, part *ast.Expr) {
	if s.onto != nil {
		if (e.Op == topdown.FailOp || e.Op == topdown.RedoOp) && s.spans != nil {
			s.onto.add(t.values.of(e, s.spans[0].exprs))
		}
		return
	}
	i := slices.IndexFunc(s.spans, func(sp span) bool { return slices.Contains(sp.exprs, part) })
	if i < 0 {
		return
	}
	sp := &s.spans[i]
	j := slices.IndexFunc(s.steps, func(st *step) bool { return st.span == sp })
	if j < 0 {
		if t.kept >= maxSteps {
			t.cut, s.now = true, nil
			return
		}
		t.kept++
		j = len(s.steps)
		s.steps = append(s.steps, &step{span: sp})
	}
	st := s.steps[j]
	first, last := part == sp.exprs[0], part == sp.exprs[len(sp.exprs)-1]
	switch e.Op {
	case topdown.EvalOp:
		s.now = st
		if first {
			st.tried++
		}
		if last {
			st.reached++
		}
	case topdown.FailOp:
		if last {
			st.failed++
		}
		if !st.settled && st.values == nil {
			st.add(t.values.of(e, sp.exprs))
		}
	case topdown.RedoOp:
		// The bindings are still those with which the expression held.
		if last && !st.settled {
			if st.settled = true; !negates(sp) {
				st.values = nil
			}
			st.add(t.values.of(e, sp.exprs))
		}
	}
}

// add adds values of names that are not there yet.
func (st *step) add(values []*caiov1.RuleValue) {
	for _, v := range values {
		if !slices.ContainsFunc(st.values, func(old *caiov1.RuleValue) bool { return old.Name == v.Name }) {
			st.values = append(st.values, v)
		}
	}
}

// spansOf groups the compiled expressions of a body by the written one that they lie in.
func spansOf(body ast.Body) []span {
	var spans []span
	for _, e := range body {
		widest := e.Location
		for _, other := range body {
			if within(widest, other.Location) {
				widest = other.Location
			}
		}
		i := slices.IndexFunc(spans, func(s span) bool { return widest != nil && within(widest, s.loc) && within(s.loc, widest) })
		if i < 0 {
			i = len(spans)
			spans = append(spans, span{loc: widest})
		}
		spans[i].exprs = append(spans[i].exprs, e)
	}
	return spans
}

// within tells whether a lies in b.
func within(a, b *ast.Location) bool {
	return a != nil && b != nil && a.File == b.File && len(b.Text) > 0 &&
		a.Offset >= b.Offset && a.Offset+len(a.Text) <= b.Offset+len(b.Text)
}

// steps returns the story: each step, and after it what it entered, one deeper.
func (t *teller) steps() []*caiov1.RuleStep {
	var out []*caiov1.RuleStep
	if t.top != nil {
		t.top.append(&out, 0)
	}
	return out
}

func (s *scope) append(out *[]*caiov1.RuleStep, depth int32) {
	for _, st := range s.steps {
		if t, ok := st.exprs[0].Terms.(*ast.Term); ok && ast.IsConstant(t.Value) {
			continue // the body that `limit := 10` does not have
		}
		told := &caiov1.RuleStep{
			Depth: depth, Held: st.reached > st.failed, Tried: int32(max(st.tried, 1)), Values: st.values,
		}
		told.File, told.Line, told.Text = placeOf(st.loc, st.exprs[0].String())
		*out = append(*out, told)
		for _, inner := range st.inner {
			deeper := depth + 1
			if h := inner.helper; h != nil {
				helper := &caiov1.RuleStep{Depth: deeper, Helper: true, Held: inner.value != "", Tried: 1}
				helper.File, helper.Line, helper.Text = placeOf(h.Location, trimMark(headName(h)))
				if inner.value != "" && inner.value != "true" {
					helper.Values = []*caiov1.RuleValue{{Name: trimMark(headName(h)), Value: inner.value}}
				}
				*out = append(*out, helper)
				deeper++
			}
			inner.append(out, deeper)
		}
	}
}

// placeOf returns where something is written, and its first line without an opening brace; otherwise, where nothing is
// written.
func placeOf(loc *ast.Location, otherwise string) (file string, line int32, text string) {
	if loc == nil {
		return "", 0, cut(otherwise, maxStepText)
	}
	text, _, more := strings.Cut(string(loc.Text), "\n")
	text = strings.TrimSpace(text)
	if head := strings.TrimSpace(strings.TrimSuffix(text, "{")); more && head != "" && head != text {
		text = head
	} else if more {
		text += " …"
	}
	return clean(loc.File), int32(loc.Row), cut(text, maxStepText)
}
