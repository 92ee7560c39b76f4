package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/proof"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Decide chooses the service that s, past and seed give to req, and proves the choice. It is a pure function: the same
// arguments give the same bytes. listAll lists every service of the registry as a candidate, also those that offer
// nothing of what is asked. That nobody can serve is a decision with an error in it; Decide itself fails only when a
// policy cannot be evaluated, a number is not finite, or ctx ends. The decision shares its guarantees with the contract
// in force, and reasons among its candidates: it must not be changed.
func Decide(ctx context.Context, s *Snapshot, past Past, req *caiov1.Request, seed uint64, listAll bool) (*caiov1.Decision, error) {
	return decide(ctx, s, past, complete(req, time.Time{}), seed, listAll, everyService)
}

// A visibility tells which services of a registry a principal may know of. It is everyService or onlyVisible.
type visibility func(*contract.Registry, *caiov1.Principal) bitset.Set

// everyService lets a decision consider all there are; onlyVisible those that the caller may know of: what a tenant
// has is no other tenant's to read in a refusal or a trace, even though the rules would refuse it as well.
func everyService(r *contract.Registry, _ *caiov1.Principal) bitset.Set { return r.Visible("", true) }

func onlyVisible(r *contract.Registry, p *caiov1.Principal) bitset.Set {
	return r.Visible(p.GetTenant(), identity.CanReadAllTraces(p))
}

// A choice is one decision on its way.
type choice struct {
	*Snapshot
	past    Past
	req     *caiov1.Request // complete
	digest  string          // of req
	visible visibility
	alive   []*option // those that no step has refused yet, sorted by id
	out     *caiov1.Decision
}

// An option is a service that passed the matching, and what became of it.
type option struct {
	service *contract.Service
	*caiov1.Candidate
	price proof.Price
	past  Record
}

// finite fails on a hard limit that is NaN or infinite: compared with, it would decide by accident. Whatever else of req
// is a number is held by the matching or by the policies that read it.
func finite(req *caiov1.Request) error {
	// n-n is 0 for every finite n, NaN for all else.
	if n := req.GetBudget().GetMaxCost(); n-n != 0 {
		return errors.New("budget.max_cost is not a finite number")
	}
	if n := req.GetMaxLatencyMs(); n-n != 0 {
		return errors.New("max_latency_ms is not a finite number")
	}
	return nil
}

func decide(ctx context.Context, s *Snapshot, past Past, req *caiov1.Request, seed uint64, listAll bool,
	visible visibility) (*caiov1.Decision, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return nil, fail("INVALID_REQUEST", "decide", "read the request", err)
	}
	if err := finite(req); err != nil {
		return nil, fail("INVALID_REQUEST", "decide", "read the request", err)
	}
	c := &choice{Snapshot: s, past: past, req: req, digest: schema.Digest(raw), visible: visible, out: &caiov1.Decision{
		Seed: seed, Objective: proof.Objective, Coefficients: proof.Coefficients(),
	}}
	match, err := s.Registry.Match(req, visible(s.Registry, req.Principal), listAll)
	if err != nil {
		return nil, fail("INVALID_REQUEST", "decide", "match contracts", err)
	}
	c.out.Unlisted = int32(match.Unlisted)
	for slot := range match.Fallen.All() {
		service := s.Registry.Service(slot)
		outcome, reasons := match.Why(slot)
		c.out.Candidates = append(c.out.Candidates, &caiov1.Candidate{
			ServiceId: service.ID(), Outcome: outcome, Reasons: reasons, ContractDigest: service.Digest(),
		})
	}
	for slot := range s.Registry.ByID(match.Passed) {
		service := s.Registry.Service(slot)
		candidate := &caiov1.Candidate{ServiceId: service.ID(), Outcome: "eligible", ContractDigest: service.Digest()}
		c.alive = append(c.alive, &option{service: service, Candidate: candidate, price: estimate(service.Message(), req.Intent)})
		c.out.Candidates = append(c.out.Candidates, candidate)
	}
	if err := c.judge(ctx); err != nil {
		return nil, err
	}
	c.limit()
	if err := c.optimize(); err != nil {
		return nil, err
	}
	slices.SortFunc(c.out.Candidates, func(a, b *caiov1.Candidate) int { return strings.Compare(a.ServiceId, b.ServiceId) })
	c.conclude()
	return c.out, nil
}

// judge takes out whom a rule refuses: routing rules first, security second.
func (c *choice) judge(ctx context.Context) error {
	if len(c.alive) == 0 {
		return nil
	}
	facts := make([]*policy.Facts, len(c.alive))
	for i, o := range c.alive {
		facts[i] = c.facts[o.service.Contract]
	}
	verdicts, err := c.Policies.Route(ctx, c.req, facts)
	if err != nil {
		return unable("policy", "evaluate rules", err)
	}
	for i, o := range c.alive {
		switch v := verdicts[i]; {
		case len(v.Rule) > 0:
			o.fall("rule", v.Rule...)
		case len(v.Security) > 0:
			o.fall("security", v.Security...)
		}
	}
	c.bury()
	return nil
}

// limit takes out whom the request's hard limits exclude.
func (c *choice) limit() {
	for _, o := range c.alive {
		switch promised := proof.PromisedLatency(o.service.Message()); {
		case !o.price.WithinBudget(c.req.Budget):
			o.fall("budget", overBudget(o.price, c.req.Budget))
		case c.req.MaxLatencyMs != nil && (promised == nil || *promised > *c.req.MaxLatencyMs):
			o.fall("latency", tooSlow(promised, *c.req.MaxLatencyMs))
		}
	}
	c.bury()
}

func (o *option) fall(outcome string, reasons ...*caiov1.Reason) {
	o.Outcome, o.Reasons = outcome, reasons
}

// bury takes those that fell from alive.
func (c *choice) bury() {
	c.alive = slices.DeleteFunc(c.alive, func(o *option) bool { return o.Outcome != "eligible" })
}

// optimize scores those that are left and puts the best first.
func (c *choice) optimize() error {
	for _, o := range c.alive {
		o.past = c.past(o.ServiceId)
	}
	scale := c.scale()
	ranked := make([]proof.Scored, len(c.alive))
	for i, o := range c.alive {
		o.History = o.past.message()
		terms := scale.terms(o)
		score, err := terms.Score()
		if err != nil {
			return fail("INTERNAL", "decide", "score "+o.ServiceId, err)
		}
		o.Score, o.Terms = &score, terms.Map()
		ranked[i] = proof.Scored{Service: o.ServiceId, Score: score, Terms: &terms}
	}
	proof.Rank(ranked, c.out.Seed)
	for _, candidate := range ranked {
		c.out.Ranking = append(c.out.Ranking, candidate.Service)
	}
	c.prove(ranked)
	return nil
}

// prove adds the proofs, in the order of the steps, about the service chosen, or that there is none.
func (c *choice) prove(ranked []proof.Scored) {
	if len(ranked) == 0 {
		c.out.Proofs = []*caiov1.Proof{proof.NobodyLeft(c.out.Candidates, c.out.Unlisted)}
		return
	}
	i := slices.IndexFunc(c.alive, func(o *option) bool { return o.ServiceId == ranked[0].Service })
	chosen := c.alive[i]
	chosen.Outcome = "selected"
	c.out.ServiceId = chosen.ServiceId
	m := chosen.service.Message()
	c.out.Guarantees = m.GetGuarantees()
	c.out.Proofs = append(c.out.Proofs, proof.Match(m, c.req))
	c.out.Proofs = append(c.out.Proofs, proof.NoRefusal(m.ServiceId, c.Policies.Digest(), c.digest, chosen.service.Digest(),
		c.Policies.Len()))
	c.out.Proofs = append(c.out.Proofs, proof.Security(m, c.req.Principal, c.req.Data)...)
	c.out.Proofs = append(c.out.Proofs, proof.Affordable(m.ServiceId, chosen.price, c.req.Budget), proof.Fast(m, c.req.MaxLatencyMs),
		proof.Optimum(ranked, c.out.Seed), proof.Composed(m, c.out.Guarantees))
}

// conclude names the inputs and, where nobody is left, says why.
func (c *choice) conclude() {
	c.out.Inputs = &caiov1.Inputs{
		Request:       c.digest,
		Registry:      c.Registry.Digest(),
		Policies:      c.Policies.Digest(),
		Configuration: proof.ObjectiveDigest(),
	}
	var past []byte
	for _, o := range c.alive { // sorted by id, as the candidates are
		past = o.past.appendDigested(past, o.ServiceId)
	}
	c.out.Inputs.History = schema.Digest(past)
	if c.out.ServiceId == "" {
		c.out.Error = c.nobody()
	}
}
