package policy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/smarthausgroup/caio/runtime/policy/internal/factor"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A factoredRule is one body of a deny rule as the factored engine has it.
type factoredRule struct {
	from      *origin
	onRequest bool // its reasons can change with the request
	onService bool // or with the service
	unknown   bool // only OPA can make its reasons
	shows     bool // they may show values of input of their own accord
	shown     []showing
	constant  atomic.Pointer[[]*caiov1.Reason]
}

// factored returns the set taken apart, the first time by doing so: about a tenth of what compiling the set took.
func (s *Set) factored() *factored {
	s.apart.once.Do(func() { s.apart.f = s.factor() })
	return s.apart.f
}

func (s *Set) factor() *factored {
	f := &factored{}
	var bodies []factor.Source
	for _, r := range judgements(s.compiler) {
		number, ok := numberOf(r)
		if !ok || number >= len(s.where) {
			continue
		}
		from := s.where[number]
		if from.rule.Kind != KindRouting && from.rule.Kind != KindSecurity {
			continue
		}
		source, rule := factor.Source{Rule: r}, &factoredRule{from: from, shows: !bringsFacts(r), shown: showingsOf(from.facts)}
		for _, reading := range from.facts {
			switch {
			case rule.shows && reading.path[0] == "service":
				source.Shows = append(source.Shows, reading.path[1:])
			case rule.shows:
				source.ShowsRequest = append(source.ShowsRequest, reading.path[1:])
			}
		}
		bodies, f.rules = append(bodies, source), append(f.rules, rule)
	}
	f.program = factor.Compile(bodies, factor.Options{
		Compiler: s.compiler,
		Data:     s.documents(),
		Text:     func(ref ast.Ref) bool { return look(ref).text },
		Object:   func(ref ast.Ref) bool { return look(ref).object },
		Reads:    s.readsOfBody,
	})
	for i, r := range f.rules {
		r.unknown = !f.program.Explains(i)
		r.onRequest, r.onService = f.program.Scope(i)
		if !r.shows {
			continue
		}
		for _, reading := range r.from.facts {
			r.onRequest = r.onRequest || reading.path[0] == "request"
			r.onService = r.onService || reading.path[0] == "service"
		}
	}
	for _, path := range f.program.Places() {
		f.places = append(f.places, newSpot(path))
	}
	return f
}

// judgements returns the compiled bodies of the documents of our own, in the order of files and lines.
func judgements(c *ast.Compiler) []*ast.Rule {
	var all []*ast.Rule
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			if strings.HasSuffix(headName(r), mark) && r.Head.Key != nil {
				all = append(all, r)
			}
		}
	}
	slices.SortFunc(all, func(a, b *ast.Rule) int {
		x, _ := numberOf(a)
		y, _ := numberOf(b)
		return x - y
	})
	return all
}

// numberOf returns which body of the authors' r is.
func numberOf(r *ast.Rule) (int, bool) {
	pair, ok := follow(r, r.Head.Key).Value.(*ast.Array)
	if !ok || pair.Len() != 2 {
		return 0, false
	}
	number, ok := pair.Elem(0).Value.(ast.Number)
	if !ok {
		return 0, false
	}
	return number.Int()
}

// bringsFacts tells whether every reason of r has facts of its author's.
func bringsFacts(r *ast.Rule) bool {
	made, _ := madeOf(r)
	object, ok := made.(ast.Object)
	return ok && object.Get(ast.InternedTerm("facts")) != nil
}

// documents returns the base documents of the set.
func (s *Set) documents() ast.Value {
	ctx := context.Background() // memory only, returns at once
	txn, err := s.store.NewTransaction(ctx)
	if err != nil {
		return ast.NewObject()
	}
	defer s.store.Abort(ctx, txn)
	raw, err := s.store.Read(ctx, txn, storage.RootPath)
	if err != nil {
		return ast.NewObject()
	}
	if v, ok := raw.(ast.Value); ok {
		return v
	}
	v, err := ast.InterfaceToValue(raw)
	if err != nil {
		return ast.NewObject()
	}
	return v
}

// readsOfBody tells what expressions of a rule, and all that these use, read of input.
func (s *Set) readsOfBody(exprs ast.Body) (request bool, service [][]string, known bool) {
	known = true
	add := func(readings []reading) {
		for _, r := range readings {
			switch {
			case len(r.path) == 0:
				known = false
			case r.path[0] == "request":
				request = true
			case r.path[0] == "service":
				service = append(service, r.path[1:])
			}
		}
	}
	add(readingsOf(&ast.Rule{Head: &ast.Head{}, Body: exprs}))
	ast.WalkRefs(exprs, func(ref ast.Ref) bool {
		if !ref[0].Equal(ast.DefaultRootDocument) {
			return false
		}
		for _, r := range s.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{IncludeHiddenModules: true}) {
			add(readingsOf(r))
			for _, used := range closureOf(s.compiler, r) {
				add(readingsOf(used))
			}
		}
		return false
	})
	slices.SortFunc(service, slices.Compare)
	service = slices.CompactFunc(service, slices.Equal)
	if len(service) > 0 && len(service[0]) == 0 {
		service = [][]string{{}} // the whole contract
	}
	return request, service, known
}

// closureOf returns every rule that r uses, directly or not, its own else branches included: in the graph what a branch
// uses hangs on the branch.
func closureOf(c *ast.Compiler, r *ast.Rule) []*ast.Rule {
	seen := map[*ast.Rule]bool{}
	var queue []*ast.Rule
	for branch := r; branch != nil; branch = branch.Else {
		seen[branch] = true
		queue = append(queue, branch)
	}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		for dep := range c.Graph.Dependencies(next) {
			if used, ok := dep.(*ast.Rule); ok && !seen[used] {
				seen[used] = true
				queue = append(queue, used)
			}
		}
	}
	delete(seen, r)
	out := make([]*ast.Rule, 0, len(seen))
	for used := range seen {
		out = append(out, used)
	}
	return out
}

// holds evaluates a condition taken out of a compiled rule.
func (s *session) holds(body ast.Body, input *ast.Term) (holds, broken bool, err error) {
	if s.ctx.Err() != nil {
		return false, false, s.ended()
	}
	var faults []topdown.Error
	q := topdown.NewQuery(body).
		WithCompiler(s.set.compiler).
		WithStore(s.set.store).
		WithTransaction(s.txn).
		WithCancel(s.cancel).
		WithInput(input).
		WithIndexing(s.set.index).
		WithMetrics(metrics.NoOp()).
		WithSeed(strings.NewReader("")).
		WithTime(time.Unix(0, 0)).
		WithInterQueryBuiltinValueCache(s.set.patterns).
		WithBuiltinErrorList(&faults)
	err = q.Iter(s.ctx, func(topdown.QueryResult) error {
		holds = true
		return nil
	})
	if topdown.IsCancel(err) || s.ctx.Err() != nil {
		return false, false, s.ended()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return false, true, nil
	}
	return holds, len(faults) > 0, nil
}
