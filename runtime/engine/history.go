package engine

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// DefaultHalfLife is how long an execution takes to count half. An hour: a service that recovers from an outage is
// trusted again the same day (after four hours the outage counts a sixteenth), and one that is called a few times an
// hour is still known.
const DefaultHalfLife = time.Hour

// MinHalfLife is the shortest half-life there may be.
const MinHalfLife = time.Second

// History is what is remembered of the executions of every service that is registered. It is bounded: about 3 KB for a
// service that was executed. It is safe for concurrent use, and reading it takes no lock and allocates nothing. Make it
// with NewHistory or LoadHistory.
//
// Everything in it decays exponentially, in steps of 1/360 of the half-life (ten seconds of an hour), counted for each
// service from its first execution: so decisions that follow one another see the same values, and a write seldom has to
// touch more than one counter. As all counts of a service decay alike, its quantiles, shares and means stay as they are
// until it is executed again; what decays is how much stands behind them.
type History struct {
	tick int64                     // nanoseconds between two steps of the decay
	left [ticksPerHalfLife]float64 // of a count, after so many ticks

	services sync.Map   // string -> *past, of the services that are registered
	saving   sync.Mutex // held while a group is saved, and while the past of a service ends
}

// ticksPerHalfLife is how many steps the decay takes to a half.
const ticksPerHalfLife = 360

// negligible is the count below which a service is as one that was never executed: what a single execution counts
// after ten half-lives.
const negligible = 1. / 1024

// NewHistory returns a history that knows nothing yet. halfLife is at least MinHalfLife; 0: DefaultHalfLife.
func NewHistory(halfLife time.Duration) *History {
	if halfLife == 0 {
		halfLife = DefaultHalfLife
	}
	h := &History{tick: int64(max(halfLife, MinHalfLife) / ticksPerHalfLife)}
	for n := range h.left {
		h.left[n] = math.Exp2(-float64(n) / ticksPerHalfLife)
	}
	return h
}

// At returns the past as it stands at now: what is read through it later may know of executions since, but decays no
// further.
func (h *History) At(now time.Time) Past {
	at := now.UnixNano()
	return func(service string) Record { return h.of(service, at) }
}

func (h *History) of(service string, now int64) Record {
	p, ok := h.services.Load(service)
	if !ok {
		return Record{}
	}
	shown := p.(*past).shown.Load()
	if shown == nil {
		return Record{}
	}
	r := shown.record
	if factor := h.decay(now - shown.at); factor != 1 {
		r.Requests *= factor
		r.Failures *= factor
		r.Violations *= factor
	}
	if r.Requests < negligible {
		return Record{}
	}
	return r
}

// decay returns what is left of a count after elapsed nanoseconds: 1 before the first tick, and if the clock was set back.
func (h *History) decay(elapsed int64) float64 {
	if elapsed < h.tick {
		return 1
	}
	ticks := elapsed / h.tick
	halves := ticks / ticksPerHalfLife
	if halves > 1000 {
		return 0
	}
	// Two to the power of -halves, as float64 has it. math.Exp2 of the whole would cost as much as all else of a read.
	return h.left[ticks%ticksPerHalfLife] * math.Float64frombits(uint64(1023-halves)<<52)
}

// begin lets the past of a service begin that comes into force, unless one was loaded for it.
func (h *History) begin(service string) { h.services.LoadOrStore(service, new(past)) }

// end forgets a service that was removed, for good: what is still running of it is counted nowhere, also if a service of
// the same name comes after it. The store has forgotten it already.
func (h *History) end(service string) {
	h.saving.Lock()
	defer h.saving.Unlock()
	h.services.Delete(service)
}

// find returns the past to which an execution that begins now will belong, nil if the service is not registered.
func (h *History) find(service string) *past {
	p, ok := h.services.Load(service)
	if !ok {
		return nil
	}
	return p.(*past)
}

// past is what is remembered of one service. The zero past knows nothing.
type past struct {
	shown atomic.Pointer[shown] // nil: never executed

	mu      sync.Mutex // guards what follows
	sums    sums
	changed bool // since it was last saved
}

// shown is what decisions read. It is immutable.
type shown struct {
	at     int64 // nanoseconds since 1970
	record Record
}

// sums is a past as it stood at one moment.
type sums struct {
	at                             int64 // nanoseconds since 1970, a whole number of ticks after the first execution
	requests, failures, violations float64
	priced, meanCost               float64 // executions whose cost is known, and its mean
	currency                       string
	latencies                      *latencies // nil: no result yet
}

// remember adds the execution that attempt a tells of and that ended with err, if it is the service's doing: a caller
// who left and a request that makes no sense say nothing of the service, and any caller could spoil its record with
// them. p may be nil.
func (h *History) remember(p *past, now time.Time, a *caiov1.Attempt, err *Error) {
	var ge *gateway.Error
	if p == nil || a.Outcome == "canceled" || a.Outcome == "failed" && errors.As(err, &ge) && ge.Request {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h.age(&p.sums, now.UnixNano())
	p.sums.add(a)
	p.publish()
	p.changed = true
}

// age lets s decay until now.
func (h *History) age(s *sums, now int64) {
	elapsed := now - s.at
	if s.requests == 0 || elapsed < -h.tick {
		s.at = now // the first execution, or the clock was set back, and nobody knows how much time went by
		return
	}
	if elapsed < h.tick {
		return
	}
	s.at += elapsed - elapsed%h.tick
	factor := h.decay(elapsed)
	s.requests *= factor
	s.failures *= factor
	s.violations *= factor
	s.priced *= factor
	if s.latencies != nil {
		s.latencies.scale(factor)
	}
}

func (s *sums) add(a *caiov1.Attempt) {
	s.requests++
	violated := len(a.Violations) > 0
	if violated {
		s.violations++
	}
	if violated || a.Outcome != "ok" {
		s.failures++
	}
	if a.Outcome == "ok" || violated {
		s.addLatency(a.Observed.GetLatencyMs(), violated)
	}
	if o := a.Observed; o != nil && o.Cost != nil {
		s.addCost(*o.Cost, o.Currency)
	}
}

// addLatency counts the latency of a result. One that broke a guarantee, and came faster than most, would lower the 95th
// percentile, and its service would score better for it.
func (s *sums) addLatency(ms float64, violated bool) {
	if s.latencies == nil {
		s.latencies = new(latencies)
	}
	i := bucket(ms)
	if !violated || i >= bucket(s.latencies.quantiles(shares)[1]) {
		s.latencies[i]++
	}
}

// addCost moves the mean: a sum could leave float64 where prices are absurd. Prices in another currency than before
// begin anew.
func (s *sums) addCost(cost float64, currency string) {
	if currency != s.currency {
		s.priced, s.meanCost, s.currency = 0, 0, currency
	}
	s.priced++
	s.meanCost += (cost - s.meanCost) / s.priced
}

var shares = [3]float64{.5, .95, .99}

// publish shows what p is now. The caller holds p.mu.
func (p *past) publish() {
	s := &p.sums
	r := Record{Requests: s.requests, Failures: s.failures, Violations: s.violations}
	if s.latencies != nil {
		q := s.latencies.quantiles(shares)
		r.P50, r.P95, r.P99 = q[0], q[1], q[2]
	}
	if s.priced > 0 {
		r.MeanCost, r.Currency = s.meanCost, s.currency
	}
	p.shown.Store(&shown{s.at, r})
}

// history returns r as a message. What is zero is absent, but for the counts that every history has.
func (r *Record) history() *caiov1.History {
	known := func(n float64) *float64 {
		if n == 0 {
			return nil
		}
		return &n
	}
	h := &caiov1.History{
		Requests: r.Requests, Failures: r.Failures, Violations: known(r.Violations),
		P50LatencyMs: known(r.P50), P95LatencyMs: known(r.P95), P99LatencyMs: known(r.P99),
	}
	if r.Currency != "" {
		h.MeanCost, h.Currency = &r.MeanCost, &r.Currency
	}
	return h
}
