package engine

import (
	"context"
	"errors"
	"time"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/identity"
	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Decide chooses the service that s, past and seed give to req, and proves the choice. It is a pure function: the same
// arguments give the same bytes. listAll lists every service of the registry as a candidate, also those that offer
// nothing of what is asked. That nobody can serve is a decision with an error in it; Decide itself fails only when a
// policy cannot be evaluated, a number is not finite, or ctx ends. The decision is the caller's own.
func Decide(ctx context.Context, s *Snapshot, past Past, req *caiov1.Request, seed uint64, listAll bool) (*caiov1.Decision, error) {
	d, err := s.Decide(ctx, past, req, seed, listAll)
	if err != nil {
		return nil, err
	}
	return d.Message()
}

// Decide is the function Decide, its decision as bytes.
func (s *Snapshot) Decide(ctx context.Context, past Past, req *caiov1.Request, seed uint64, listAll bool) (*Decision, error) {
	if err := unrecorded(req); err != nil {
		return nil, err
	}
	q, err := s.ask(complete(req, time.Time{}), nil, false, everyService)
	if err != nil {
		return nil, err
	}
	return decide(ctx, s, past, q, seed, listAll, everyService)
}

// A visibility tells which services of a registry a principal may know of.
type visibility int

const (
	// everyService: all there are.
	everyService visibility = iota
	// onlyVisible: those that the caller may know of. What a tenant has is no other tenant's to read in a refusal or a trace,
	// even though the rules would refuse it as well.
	onlyVisible
)

// A viewer is what visibility depends on: whoever is of one tenant sees the same.
type viewer struct {
	tenant string
	all    bool
}

func (v visibility) viewer(p *caiov1.Principal) viewer {
	if v == everyService || identity.CanReadAllTraces(p) {
		return viewer{all: true}
	}
	return viewer{tenant: p.GetTenant()}
}

func (v visibility) of(r *contract.Registry, p *caiov1.Principal) bitset.Set {
	w := v.viewer(p)
	return r.Visible(w.tenant, w.all)
}

// A choice is one decision on its way.
type choice struct {
	*Snapshot
	*memory
	past     Past
	req      *question
	seed     uint64
	listAll  bool
	visible  bitset.Set
	unlisted int32
	fields   *fieldState // nil: the request brings none
}

// memory is what a decision works in. It is used again by the next.
type memory struct {
	proof.Writer
	entries []entry        // every candidate, sorted by id
	ranked  []proof.Scored // those that can serve, best first; their terms are the entries'
	fates   []proof.Fate
	reasons []*caiov1.Reason // of those that a rule refused, one after the other
	text    []byte
	written map[*caiov1.Reason]span // where the decision says a reason already
}

// forget empties m, so that it holds nothing of a registry or a request that may be long gone.
func (m *memory) forget() {
	m.Reset()
	clear(m.entries)
	clear(m.ranked)
	clear(m.fates)
	clear(m.reasons)
	clear(m.written)
	m.entries, m.ranked, m.fates, m.reasons, m.text = m.entries[:0], m.ranked[:0], m.fates[:0], m.reasons[:0], m.text[:0]
}

// An entry is a candidate, and what became of it.
type entry struct {
	slot int
	*profile
	outcome string
	reasons []*caiov1.Reason
	price   proof.Price // of those that passed the rules
	past    Record      // of those that can serve, as are the others below
	terms   proof.Terms
	score   float64
}

// The outcomes of those that did not fall.
const (
	eligible = "eligible"
	selected = "selected"
)

func (e *entry) fall(outcome string, reasons ...*caiov1.Reason) {
	e.outcome, e.reasons = outcome, reasons
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

func decide(ctx context.Context, s *Snapshot, past Past, req *question, seed uint64, listAll bool,
	visible visibility) (*Decision, error) {
	m := s.shared.memory.Get().(*memory)
	defer func() {
		m.forget()
		s.shared.memory.Put(m)
	}()
	c := &choice{Snapshot: s, memory: m, past: past, req: req, seed: seed, listAll: listAll, visible: visible.of(s.Registry, req.Principal)}
	err := finite(req.Request)
	if err != nil {
		return nil, unreadable(err)
	}
	if req.Field != nil {
		if c.fields, err = readFields(req.Field); err != nil {
			return nil, unreadable(err)
		}
	}
	match, err := s.Registry.Match(req.Request, c.visible, listAll)
	if err != nil {
		return nil, fail("INVALID_REQUEST", "decide", "match contracts", err)
	}
	c.list(match)
	if err := c.judge(ctx, match.Passed); err != nil {
		return nil, err
	}
	if c.fields != nil {
		c.holdTraits()
	}
	c.limit()
	if err := c.optimize(); err != nil {
		return nil, err
	}
	return c.decision()
}

// list enters the candidates, sorted by id.
func (c *choice) list(match *contract.Match) {
	c.unlisted = int32(match.Unlisted)
	all := match.Passed
	if !match.Fallen.Empty() {
		all = all.Clone().Or(match.Fallen)
	}
	for slot := range c.Registry.ByID(all) {
		e := entry{slot: slot, profile: c.profiles[slot], outcome: eligible}
		if match.Fallen.Has(slot) {
			e.outcome, e.reasons = match.Why(slot)
		}
		c.entries = append(c.entries, e)
	}
}

// judge takes out whom a rule refuses: routing rules first, security second.
func (c *choice) judge(ctx context.Context, passed bitset.Set) error {
	refusals, err := c.index.Route(ctx, c.req.Request, passed)
	if err != nil {
		return unable("policy", "evaluate rules", err)
	}
	defer refusals.Release()
	for i := range c.entries {
		e := &c.entries[i]
		if e.outcome != eligible {
			continue
		}
		switch {
		case refusals.Rule.Has(e.slot):
			e.outcome = "rule"
		case refusals.Security.Has(e.slot):
			e.outcome = "security"
		default:
			continue
		}
		from := len(c.reasons)
		if c.reasons, err = refusals.AppendReasons(c.reasons, e.slot); err != nil {
			return unable("policy", "explain the refusal of "+e.id, err)
		}
		e.reasons = c.reasons[from:len(c.reasons):len(c.reasons)]
	}
	return nil
}

// limit takes out whom the request's hard limits exclude.
func (c *choice) limit() {
	for i := range c.entries {
		e := &c.entries[i]
		if e.outcome != eligible {
			continue
		}
		e.price = e.pricing.estimate(&c.req.effort)
		switch {
		case !e.price.WithinBudget(c.req.Budget):
			e.fall("budget", overBudget(e.price, c.req.Budget))
		case c.req.MaxLatencyMs != nil && !(e.promised <= *c.req.MaxLatencyMs): // which no promise is not, either
			e.fall("latency", tooSlow(e.profile, *c.req.MaxLatencyMs))
		}
	}
}

// optimize scores those that are left and ranks them.
func (c *choice) optimize() error {
	for i := range c.entries {
		if e := &c.entries[i]; e.outcome == eligible {
			e.past = c.past(e.id)
		}
	}
	scale, form := c.scale(), c.form()
	for i := range c.entries {
		e := &c.entries[i]
		if e.outcome != eligible {
			continue
		}
		e.terms = scale.terms(e)
		if form == proof.ByField {
			e.terms = c.fields.terms(e.fields, e.terms)
		}
		var err error
		if e.score, err = form.Score(&e.terms); err != nil {
			return fail("INTERNAL", "decide", "score "+e.id, err)
		}
		c.ranked = append(c.ranked, proof.Scored{Service: e.id, Score: e.score, Terms: &e.terms, Form: form})
	}
	proof.Rank(c.ranked, c.seed)
	return nil
}

// form returns the form of the objective that c is decided by.
func (c *choice) form() proof.Form {
	if c.fields != nil && c.fields.intent != nil {
		return proof.ByField
	}
	return proof.ByContract
}
