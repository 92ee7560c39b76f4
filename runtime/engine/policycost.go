package engine

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// maxCostRuns bounds how many requests MeasurePolicies judges, and so what it remembers.
const maxCostRuns = 200_000

// PolicyCost is what policies cost a request.
type PolicyCost struct {
	Runs       int           // requests that were judged
	Candidates int           // services that each was judged over, on average
	Refused    int           // of them, those that were refused, on average
	P50, P99   time.Duration // of one request, reasons included
	Allocs     float64       // allocations of one request, on average
	Bytes      float64       // allocated by one request, on average
}

// MeasurePolicies judges reqs, one at least, in turn by the policies of s, over the services that match each, for as long
// as it is told; so that each has its turn, up to ten times as long. It tells what that costs: the verdicts and the
// reasons of whoever is refused, which every decision holds. Nothing else may run meanwhile that allocates, or its
// allocations count too. It fails as a decision does.
func MeasurePolicies(ctx context.Context, s *Snapshot, reqs []*caiov1.Request, during time.Duration) (*PolicyCost, error) {
	type judged struct {
		req    *caiov1.Request
		passed bitset.Set
	}
	var all []judged
	cost := &PolicyCost{}
	for _, r := range reqs {
		req := complete(r, time.Time{})
		match, err := s.Registry.Match(req, everyService.of(s.Registry, nil), false)
		if err != nil {
			return nil, fail("INVALID_REQUEST", "measure", "match contracts", err)
		}
		all = append(all, judged{req, match.Passed})
	}
	took := make([]time.Duration, 0, maxCostRuns)
	if _, _, err := s.judgeOnce(ctx, all[0].req, all[0].passed); err != nil { // what is made once is not the request's
		return nil, err
	}
	candidates, refused := 0, 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for began := time.Now(); len(took) < maxCostRuns; {
		if so := time.Since(began); len(took) > 0 && so > during && (len(took) >= len(all) || so > 10*during) {
			break
		}
		j := all[len(took)%len(all)]
		spent, n, err := s.judgeOnce(ctx, j.req, j.passed)
		if err != nil {
			return nil, err
		}
		took = append(took, spent)
		candidates += j.passed.Count()
		refused += n
	}
	runtime.ReadMemStats(&after)
	cost.Runs = len(took)
	cost.Candidates, cost.Refused = candidates/cost.Runs, refused/cost.Runs
	cost.Allocs = float64(after.Mallocs-before.Mallocs) / float64(cost.Runs)
	cost.Bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(cost.Runs)
	slices.Sort(took)
	cost.P50, cost.P99 = took[len(took)/2], took[len(took)*99/100]
	return cost, nil
}

// judgeOnce judges req over candidates and makes the reasons of those that are refused.
func (s *Snapshot) judgeOnce(ctx context.Context, req *caiov1.Request, candidates bitset.Set) (spent time.Duration, refused int, err error) {
	began := time.Now()
	r, err := s.index.Route(ctx, req, candidates)
	if err != nil {
		return 0, 0, unable("measure", "evaluate rules", err)
	}
	defer r.Release()
	for slot := range candidates.All() {
		if !r.Rule.Has(slot) && !r.Security.Has(slot) {
			continue
		}
		refused++
		if _, err := r.AppendReasons(nil, slot); err != nil {
			return 0, 0, unable("measure", "make reasons", err)
		}
	}
	return time.Since(began), refused, nil
}
