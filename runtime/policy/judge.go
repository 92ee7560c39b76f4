package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// A judgement is a prepared query over the documents of our own of some packages.
type judgement struct {
	all      *prepared   // every package at once; nil: no rules
	packages []*prepared // each on its own, for when the whole cannot be evaluated
}

// prepared is a compiled query `result = [pkg1["deny@"], ...]`. It is only read once it is made.
type prepared struct {
	body     ast.Body
	compiler ast.QueryCompiler
	kind     string // of the package; "" where there are several
	pkg      string
}

const resultVar = ast.Var("result" + mark)

func newJudgement(c *ast.Compiler, where []*origin, kinds ...string) (judgement, error) {
	var j judgement
	var refs []*ast.Term
	seen := make(map[string]bool)
	for _, o := range where {
		if !slices.Contains(kinds, o.rule.Kind) || seen[o.rule.Package] {
			continue
		}
		seen[o.rule.Package] = true
		ref := ast.NewTerm(o.pkg.Append(ast.StringTerm(o.rule.Name + mark)))
		refs = append(refs, ref)
		p, err := prepare(c, ref)
		if err != nil {
			return j, err
		}
		p.kind, p.pkg = o.rule.Kind, o.rule.Package
		j.packages = append(j.packages, p)
	}
	if len(refs) == 0 {
		return j, nil
	}
	var err error
	j.all, err = prepare(c, refs...)
	return j, err
}

func prepare(c *ast.Compiler, refs ...*ast.Term) (*prepared, error) {
	qc := c.QueryCompiler()
	body, err := qc.Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(resultVar), ast.ArrayTerm(refs...))))
	if err != nil {
		return nil, fmt.Errorf("prepare policies: %w", err)
	}
	return &prepared{body: body, compiler: qc}, nil
}

// A finding is one element of a set: a reason and where it comes from.
type finding struct {
	from   *origin
	reason ast.Value
}

// A session is one call of Route or Check: it holds what its evaluations share. Its owner calls close.
type session struct {
	set    *Set
	ctx    context.Context
	cancel topdown.Cancel
	txn    storage.Transaction
	close  func()
}

// begin bounds the call's time. Cancelling ctx ends a running evaluation at once.
func (s *Set) begin(ctx context.Context) (*session, error) {
	ctx, release := context.WithTimeoutCause(ctx, s.limit, fmt.Errorf("policies took longer than %s: %w", s.limit, context.DeadlineExceeded))
	cancel := topdown.NewCancel()
	stop := context.AfterFunc(ctx, cancel.Cancel)
	txn, err := s.store.NewTransaction(ctx)
	if err != nil {
		stop()
		release()
		return nil, fmt.Errorf("open policy data: %w", err)
	}
	return &session{set: s, ctx: ctx, cancel: cancel, txn: txn, close: func() {
		s.store.Abort(ctx, txn)
		stop()
		release()
	}}, nil
}

// run evaluates p over input. Errors in builtins come back beside the findings; err is what ended the evaluation.
func (s *session) run(p *prepared, input *ast.Term) (found []finding, broken []topdown.Error, err error) {
	broken, err = s.eval(p, input, func(result *ast.Term) error {
		found, err = s.set.collect(result, found)
		return err
	})
	return found, broken, err
}

// eval evaluates p over input and hands the answer to take. Errors in builtins come back; err is what ended the evaluation.
func (s *session) eval(p *prepared, input *ast.Term, take func(result *ast.Term) error) (broken []topdown.Error, err error) {
	if s.ctx.Err() != nil {
		return nil, s.ended()
	}
	q := topdown.NewQuery(p.body).
		WithQueryCompiler(p.compiler).
		WithCompiler(s.set.compiler).
		WithStore(s.set.store).
		WithTransaction(s.txn).
		WithCancel(s.cancel).
		WithInput(input).
		WithIndexing(s.set.index).
		WithEarlyExit(true).
		WithMetrics(metrics.NoOp()).
		WithSeed(strings.NewReader("")). // nothing random is left in the language
		WithTime(time.Unix(0, 0)).       // nor anything that reads the clock
		WithInterQueryBuiltinValueCache(s.set.patterns).
		WithBuiltinErrorList(&broken)
	answered := false
	err = q.Iter(s.ctx, func(r topdown.QueryResult) error {
		answered = true
		return take(r[resultVar])
	})
	switch {
	case topdown.IsCancel(err) || s.ctx.Err() != nil:
		return nil, s.ended()
	case err == nil && !answered:
		err = errors.New("policies gave no answer")
	}
	return broken, err
}

func (s *session) ended() error {
	return fmt.Errorf("evaluate policies: %w", context.Cause(s.ctx))
}

// collect takes the elements [number, reason] out of an array of sets.
func (s *Set) collect(result *ast.Term, found []finding) ([]finding, error) {
	sets, ok := result.Value.(*ast.Array)
	if !ok {
		return nil, errors.New("policies gave no sets")
	}
	var err error
	sets.Foreach(func(t *ast.Term) {
		elements, ok := t.Value.(ast.Set)
		if !ok {
			err = errors.New("policies gave no sets")
			return
		}
		elements.Foreach(func(e *ast.Term) {
			pair, ok := e.Value.(*ast.Array)
			if !ok || pair.Len() != 2 {
				err = errors.New("policies gave something else than reasons")
				return
			}
			number, ok := pair.Elem(0).Value.(ast.Number)
			i, whole := number.Int()
			if !ok || !whole || i < 0 || i >= len(s.where) {
				err = errors.New("policies gave a reason of no rule")
				return
			}
			found = append(found, finding{from: s.where[i], reason: pair.Elem(1).Value})
		})
	})
	return found, err
}

// judge evaluates j over input: what the rules found, and what went wrong, which refuses too. An error is returned only
// when the time is over; everything else a policy can do wrong is a fault of one candidate.
func (s *session) judge(j judgement, input *ast.Term) ([]finding, []breakage, error) {
	if j.all == nil {
		return nil, nil, nil
	}
	found, broken, err := s.run(j.all, input)
	if err == nil && len(broken) == 0 {
		return found, nil, nil
	}
	if s.ctx.Err() != nil {
		return nil, nil, s.ended()
	}
	// Something went wrong: judge package by package, so that the others' reasons are heard and the fault is told where
	// it belongs.
	found = nil
	var faults []breakage
	for _, p := range j.packages {
		f, broken, err := s.run(p, input)
		if s.ctx.Err() != nil {
			return nil, nil, s.ended()
		}
		found = append(found, f...)
		if err != nil {
			faults = append(faults, breakageOf(p, err))
		}
		for i := range broken {
			faults = append(faults, breakageOf(p, &broken[i]))
		}
	}
	return found, faults, nil
}

// A breakage is something that went wrong while a package was evaluated.
type breakage struct {
	pkg     *prepared
	loc     *ast.Location // nil: unknown
	message string
}

func breakageOf(p *prepared, err error) breakage {
	b := breakage{pkg: p, message: err.Error()}
	var e *topdown.Error
	if errors.As(err, &e) {
		b.loc, b.message = e.Location, e.Message
	}
	return b
}
