package engine

import (
	"context"
	"errors"
	"time"

	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// testTime bounds a run of tests that came from outside.
const testTime = time.Minute

// CheckPolicies compiles a set that came from outside, brings nothing into force, and tells what is wrong with it.
func CheckPolicies(files []*caiov1.PolicyFile) (*caiov1.PolicyServiceCheckResponse, error) {
	set, err := loadFiles(files)
	var faults policy.Faults
	if errors.As(err, &faults) {
		return &caiov1.PolicyServiceCheckResponse{Faults: faults}, nil
	}
	if err != nil {
		return nil, err
	}
	return &caiov1.PolicyServiceCheckResponse{
		Valid: true, Warnings: set.Warnings(), Rules: rulesOf(set), Digest: set.Digest(), Uncovered: set.Uncovered(),
		Plan: planOf(set),
	}, nil
}

func rulesOf(set *policy.Set) []*caiov1.PolicyRule {
	out := make([]*caiov1.PolicyRule, 0, set.Len())
	for _, r := range set.Rules() {
		out = append(out, r.Message())
	}
	return out
}

func planOf(set *policy.Set) []*caiov1.PolicyWay {
	var out []*caiov1.PolicyWay
	for _, w := range set.Plan() {
		out = append(out, &caiov1.PolicyWay{
			Rule: w.Rule.Message(), Engine: string(w.Engine), Why: w.Why, Request: int32(w.Request), Service: int32(w.Service),
			Both: int32(w.Both), Opa: int32(w.OPA), Guarded: w.Guarded, CostUs: float64(w.Cost.Nanoseconds()) / 1000,
		})
	}
	return out
}

// loadFiles loads a set that came from outside. The error's code is INVALID_POLICY, with FaultsOf.
func loadFiles(files []*caiov1.PolicyFile) (*policy.Set, error) {
	b, err := NewPolicyFiles(files)
	if err != nil {
		return nil, err
	}
	return compile(b)
}

// TestPolicies runs the tests of a set that came from outside: those whose package.name matches run, a regular expression,
// or all. The error's code is INVALID_POLICY, with FaultsOf, if the set does not compile; INVALID_REQUEST if run does not.
func TestPolicies(ctx context.Context, files []*caiov1.PolicyFile, run string, coverage bool) (*caiov1.PolicyServiceTestResponse, error) {
	b, err := NewPolicyFiles(files)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	report, err := policy.Test(ctx, b.FS(), policy.TestOptions{Run: run, Coverage: coverage})
	switch {
	case FaultsOf(err) != nil:
		return nil, invalidPolicy(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, unable("policy", "run the tests", err)
	case err != nil:
		return nil, fail("INVALID_REQUEST", "policy", "run the tests", err)
	}
	out := &caiov1.PolicyServiceTestResponse{}
	for _, t := range report.Tests {
		out.Tests = append(out.Tests, &caiov1.PolicyTest{
			Package: t.Package, Name: t.Name, File: t.File, Line: int32(t.Line), Outcome: t.Outcome, FailedAt: t.FailedAt, Error: t.Error,
		})
	}
	if c := report.Coverage; c != nil {
		out.Coverage = &caiov1.PolicyCoverage{Percent: c.Percent, Missed: c.Missed}
	}
	return out, nil
}
