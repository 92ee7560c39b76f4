package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// The outcomes of a rule in its story.
const (
	storyRefuses = "refuses"
	storyPasses  = "passes"
	storyFails   = "fails"
)

// maxWhole is how many rules are told whole whatever they do. Of those beyond it that let the service through, only the
// expression at which they ended is told: a thousand stories are read by nobody.
const maxWhole = 100

// Explain judges service for req as Route does and tells of each rule of caio.routing and caio.security which of its
// expressions held and at which it ended, with the values that they read. selected chooses the rules that are told of;
// nil: all. Outcome and reasons are Route's, whatever is selected; service_id is left to the caller.
//
// Each rule is evaluated once more by itself under a tracer, which costs many times what Route does. Values of the
// intent's body are not shown; nor, in a rule that reads it, what variables hold, since it may be a part of it. Explain
// fails as Route does, and all rules together have the time of one Route.
func (s *Set) Explain(ctx context.Context, req *caiov1.Request, service *Facts, selected func(Rule) bool) (*caiov1.Explanation, error) {
	if service == nil {
		return nil, errors.New("explain: the service has no facts")
	}
	s = s.For(req.GetPrincipal().GetTenant())
	request, err := valueOf(req, s.read.under("request").orNothing())
	if err != nil {
		return nil, err
	}
	input := ast.NewTerm(ast.NewObject(
		ast.Item(ast.InternedTerm("request"), ast.NewTerm(request)),
		ast.Item(ast.InternedTerm("service"), service.service),
	))
	run, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer run.close()
	found, broken, err := run.judge(s.route, input)
	if err != nil {
		return nil, err
	}
	e := &caiov1.Explanation{}
	e.Outcome, e.Reasons = s.outcome(found, broken, input)
	for _, o := range s.where {
		if o.rule.Kind == KindGuarantee || selected != nil && !selected(o.rule) {
			continue
		}
		story, err := run.tell(o, found, input)
		if err != nil {
			return nil, err
		}
		if len(e.Rules) >= maxWhole && story.Outcome == storyPasses {
			story.Steps, story.Truncated = ending(story.Steps), true
		}
		e.Rules = append(e.Rules, story)
	}
	slices.SortStableFunc(e.Rules, func(a, b *caiov1.RuleStory) int {
		return cmp.Or(cmp.Compare(a.Rule.File, b.Rule.File), cmp.Compare(a.Rule.Line, b.Rule.Line))
	})
	return e, nil
}

// outcome is what a decision makes of what the rules found: routing comes before security.
func (s *Set) outcome(found []finding, broken []breakage, input *ast.Term) (string, []*caiov1.Reason) {
	var rule, security []*caiov1.Reason
	add := func(kind string, r *caiov1.Reason) {
		if kind == KindSecurity {
			security = append(security, r)
		} else {
			rule = append(rule, r)
		}
	}
	for _, f := range found {
		add(f.from.rule.Kind, f.reasonOf(input).message)
	}
	for _, b := range broken {
		add(b.pkg.kind, s.broken(b, input))
	}
	switch {
	case len(rule) > 0:
		return "rule", ordered(rule)
	case len(security) > 0:
		return "security", ordered(security)
	}
	return "eligible", nil
}

// tell evaluates o's body by itself under a tracer. found is what the whole set found, which alone says whether o refuses.
func (s *session) tell(o *origin, found []finding, input *ast.Term) (*caiov1.RuleStory, error) {
	story := &caiov1.RuleStory{Rule: o.rule.Message(), Outcome: storyPasses, ReadsIntent: s.set.readsIntent(o.inner)}
	t := newTeller(s, input, story.ReadsIntent)
	broken, err := s.traced(o.inner.Body.Copy(), input, t)
	if s.ctx.Err() != nil {
		return nil, s.ended()
	}
	story.Steps, story.Truncated = t.steps(), t.cut
	for _, f := range found {
		if f.from == o {
			story.Outcome = storyRefuses
			story.Message = f.reasonOf(input).message.GetMessage()
			return story, nil
		}
	}
	switch {
	case err != nil:
		story.Outcome, story.Message = storyFails, errorText(err)
	case len(broken) > 0:
		story.Outcome, story.Message = storyFails, errorText(&broken[0])
	}
	return story, nil
}

// ending returns the last of a rule's own expressions that did not hold, none if all did.
func ending(steps []*caiov1.RuleStep) []*caiov1.RuleStep {
	for i, s := range slices.Backward(steps) {
		if s.Depth == 0 && !s.Held {
			return steps[i : i+1]
		}
	}
	return nil
}

// traced evaluates body, a copy of a compiled rule's, as a query of its own. OPA's index is not used: it would hide the
// rules that it rules out.
func (s *session) traced(body ast.Body, input *ast.Term, t topdown.QueryTracer) (broken []topdown.Error, err error) {
	err = topdown.NewQuery(body).
		WithCompiler(s.set.compiler).
		WithStore(s.set.store).
		WithTransaction(s.txn).
		WithCancel(s.cancel).
		WithInput(input).
		WithIndexing(false).
		WithMetrics(metrics.NoOp()).
		WithSeed(strings.NewReader("")).
		WithTime(time.Unix(0, 0)).
		WithInterQueryBuiltinValueCache(s.set.patterns).
		WithBuiltinErrorList(&broken).
		WithQueryTracer(t).
		Iter(s.ctx, func(topdown.QueryResult) error { return nil })
	return broken, err
}

func errorText(err error) string {
	var e *topdown.Error
	if !errors.As(err, &e) {
		return cut(err.Error(), maxMessage)
	}
	message := e.Message
	if e.Location != nil {
		message = fmt.Sprintf("%s:%d: %s", clean(e.Location.File), e.Location.Row, message)
	}
	return cut("this rule cannot be evaluated, which refuses: "+message, maxMessage)
}

// readsIntent tells whether r, or a helper that it reaches, reads something of the intent's body that a trace need not keep.
func (s *Set) readsIntent(r *ast.Rule) bool {
	seen := map[*ast.Rule]bool{r: true}
	for queue := []*ast.Rule{r}; len(queue) > 0; queue = queue[1:] {
		if takesIntent(queue[0]) {
			return true
		}
		for helper := range s.compiler.Graph.Dependencies(queue[0]) {
			if h, ok := helper.(*ast.Rule); ok && !seen[h] {
				seen[h] = true
				queue = append(queue, h)
			}
		}
	}
	return false
}

// takesIntent tells whether r itself reads something of the intent's body.
func takesIntent(r *ast.Rule) (takes bool) {
	held := heldBy(r)
	var visitor *ast.GenericVisitor
	look := func(ref ast.Ref) {
		if ref = fromInput(ref, held); ref != nil {
			takes = takes || holdsIntent(newReading(ref, nil).path)
		}
	}
	call := func(terms []*ast.Term) bool {
		got := gotten(terms, held)
		if got == nil {
			return false
		}
		look(got)
		for _, t := range terms[2:] {
			visitor.Walk(t)
		}
		return true
	}
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			terms, ok := x.Terms.([]*ast.Term)
			return ok && (holds(x, held) || call(terms))
		case ast.Call:
			return call(x)
		case ast.Ref:
			look(x)
			for _, part := range x[1:] { // input.a[input.b] reads both
				visitor.Walk(part)
			}
			return true
		case ast.Var:
			look(ast.Ref{ast.NewTerm(x)})
		}
		return false
	})
	visitor.Walk(r)
	return takes
}

// holds tells whether e only gives a variable the part of input by which held knows it: what is made of the variable
// counts, wherever it stands.
func holds(e *ast.Expr, held map[ast.Var]ast.Ref) bool {
	if e.Negated || !e.IsEquality() {
		return false
	}
	for i, other := range []int{1, 0} {
		v, isVar := e.Operand(i).Value.(ast.Var)
		ref, isRef := e.Operand(other).Value.(ast.Ref)
		if isVar && isRef && held[v] != nil && held[v].Equal(fromInput(ref, held)) {
			return true
		}
	}
	return false
}

// gotten returns the place in input that `object.get(part, path, default)` reads where its path is written out; nil for
// any other call.
func gotten(call []*ast.Term, held map[ast.Var]ast.Ref) ast.Ref {
	if len(call) < 4 || !call[0].Value.(ast.Ref).Equal(ast.ObjectGet.Ref()) {
		return nil
	}
	ref, ok := call[1].Value.(ast.Ref)
	if !ok {
		ref = ast.Ref{call[1]}
	}
	if ref = fromInput(ref, held); ref == nil {
		return nil
	}
	switch path := call[2].Value.(type) {
	case ast.String:
		return ref.Append(call[2])
	case *ast.Array:
		if !path.IsGround() {
			return nil
		}
		path.Foreach(func(t *ast.Term) { ref = ref.Append(t) })
		return ref
	}
	return nil
}

// holdsIntent tells whether the value at path is, or holds, a part of the intent's body that is not recorded.
func holdsIntent(path []string) bool {
	if len(path) < 2 {
		return len(path) == 0 || path[0] == "request"
	}
	return path[0] == "request" && path[1] == "intent" && !showable(path) && !recorded(path)
}

// recorded tells whether path is that of the one number of an intent's body which every trace has, and with which a
// request is decided again: how many tokens the answer may have.
func recorded(path []string) bool {
	return len(path) >= 4 && (path[2] == "chat" || path[2] == "code") && path[3] == "max_tokens"
}

// Message returns r as it goes over the wire.
func (r Rule) Message() *caiov1.PolicyRule {
	return &caiov1.PolicyRule{
		Rule: r.ID, Package: r.Package, Name: r.Name, Title: r.Title, File: r.File, Line: int32(r.Line), Tenant: r.Tenant,
		Kind: r.Kind, Invariant: r.Invariant,
	}
}
