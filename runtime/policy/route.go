package policy

import (
	"context"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A Verdict is what speaks against one candidate. Both empty: the policies let it through.
type Verdict struct {
	Rule     []*caiov1.Reason // of packages below caio.routing; sorted by package, file, line, rule, message, facts
	Security []*caiov1.Reason // of packages below caio.security; sorted likewise
}

// Route judges each service for req before one is chosen. The verdicts are aligned with services, and nil when there are
// none. The engine completes req beforehand: data, constraints, principal and context are set.
//
// A policy that fails over a candidate refuses that candidate, and the reason says where. Route itself fails when the
// request cannot be prepared (a number that is not finite, text that is not UTF-8) and when ctx, or two seconds, end
// first; then nothing was decided, and nobody may serve.
func (s *Set) Route(ctx context.Context, req *caiov1.Request, services []*Facts) ([]Verdict, error) {
	if len(services) == 0 {
		return nil, nil
	}
	s = s.For(req.GetPrincipal().GetTenant())
	request, err := valueOf(req, s.read.under("request").orNothing())
	if err != nil {
		return nil, err
	}
	run, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer run.close()
	requestTerm := ast.NewTerm(request)
	verdicts := make([]Verdict, len(services))
	for i, facts := range services {
		if facts == nil {
			return nil, fmt.Errorf("route: service %d has no facts", i)
		}
		input := ast.NewTerm(ast.NewObject(
			ast.Item(ast.InternedTerm("request"), requestTerm),
			ast.Item(ast.InternedTerm("service"), facts.service),
		))
		if verdicts[i], err = run.verdict(input); err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}

func (s *session) verdict(input *ast.Term) (Verdict, error) {
	found, broken, err := s.judge(s.set.route, input)
	if err != nil {
		return Verdict{}, err
	}
	var v Verdict
	for _, f := range found {
		if r := f.reasonOf(input).message; f.from.rule.Kind == KindSecurity {
			v.Security = append(v.Security, r)
		} else {
			v.Rule = append(v.Rule, r)
		}
	}
	for _, b := range broken {
		if r := s.set.broken(b, input); b.pkg.kind == KindSecurity {
			v.Security = append(v.Security, r)
		} else {
			v.Rule = append(v.Rule, r)
		}
	}
	v.Rule, v.Security = ordered(v.Rule), ordered(v.Security)
	return v, nil
}

// Check judges what came back from service: the guarantees that were broken, sorted like reasons, and what follows. nil:
// none was. result and observed may be nil; policies then find no such document.
//
// It fails as Route does. A policy that fails over the result is a violation whose reaction is "fail".
func (s *Set) Check(ctx context.Context, req *caiov1.Request, service *Facts, result *caiov1.Result, observed *caiov1.Observed) ([]*caiov1.Violation, error) {
	if service == nil {
		return nil, fmt.Errorf("check: the service has no facts")
	}
	s = s.For(req.GetPrincipal().GetTenant())
	if s.check.all == nil {
		return nil, nil
	}
	request, err := valueOf(req, s.read.under("request").orNothing())
	if err != nil {
		return nil, err
	}
	items := [][2]*ast.Term{
		ast.Item(ast.InternedTerm("request"), ast.NewTerm(request)),
		ast.Item(ast.InternedTerm("service"), service.service),
	}
	if result != nil {
		v, err := valueOf(result, s.read.under("result").orNothing())
		if err != nil {
			return nil, err
		}
		items = append(items, ast.Item(ast.InternedTerm("result"), ast.NewTerm(v)))
	}
	if observed != nil {
		v, err := valueOf(observed, s.read.under("observed").orNothing())
		if err != nil {
			return nil, err
		}
		items = append(items, ast.Item(ast.InternedTerm("observed"), ast.NewTerm(v)))
	}
	run, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer run.close()
	return run.violations(ast.NewTerm(ast.NewObject(items...)))
}

func (s *session) violations(input *ast.Term) ([]*caiov1.Violation, error) {
	found, broken, err := s.judge(s.set.check, input)
	if err != nil {
		return nil, err
	}
	var all []*caiov1.Violation
	for _, f := range found {
		r := f.reasonOf(input)
		all = append(all, &caiov1.Violation{Reason: r.message, Reaction: r.reaction})
	}
	for _, b := range broken {
		all = append(all, &caiov1.Violation{Reason: s.set.broken(b, input), Reaction: reactionFail})
	}
	return orderedViolations(all), nil
}
