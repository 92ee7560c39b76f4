package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Bounds on what waits for the shadow.
const (
	shadowQueue = 256      // decisions
	shadowBytes = 64 << 20 // of their requests and decisions together, roughly
)

// shadowExamples is how many decisions that would move are shown: half of them the first, half the latest.
const shadowExamples = 20

// A shadow decides by a candidate set what was decided by the one in force, off the path of requests, and counts where
// the two differ. What cannot be taken at once is dropped and counted; it works one at a time and rests as long as it
// works, so that it takes half a processor at most.
type shadow struct {
	mu     sync.Mutex // one start or stop at a time; guards closed
	closed bool
	run    atomic.Pointer[shadowRun] // nil: none runs
	last   atomic.Pointer[shadowRun] // that which runs, or else the last one; nil: none since the start
}

type shadowRun struct {
	engine  *Engine
	share   float64
	by      string
	started time.Time
	digest  string

	seen    atomic.Uint64
	waiting atomic.Int64 // bytes
	dropped atomic.Int64
	cases   chan shadowed
	cancel  context.CancelFunc
	done    chan struct{}

	snapshot *Snapshot // by the candidate set; the worker's

	mu       sync.Mutex // guards what follows
	counts   *differences
	failed   int64
	first    []*caiov1.Difference
	latest   []*caiov1.Difference // a ring, of which next is the oldest
	next     int
	finished bool
}

// shadowed is a decision that is to be made by the candidate set, too.
type shadowed struct {
	snapshot *Snapshot
	req      *question
	decision *Decision
	trace    string
	bytes    int64
}

// Shadow says what is to run beside the policies in force.
type Shadow struct {
	Files []*caiov1.PolicyFile
	Share float64 // of the decisions, (0, 1]
	By    string  // subject of the principal that starts it
}

// StartShadow runs a candidate set beside the one in force, in place of the one that ran, until StopShadow or Close. It
// need not be fit to be in force. The error's code is INVALID_POLICY, with FaultsOf, if it does not compile.
func (e *Engine) StartShadow(s Shadow) (*caiov1.ShadowReport, error) {
	set, err := loadFiles(s.Files)
	if err != nil {
		return nil, err
	}
	snapshot, err := e.ahead(set)
	if err != nil {
		return nil, fail("INTERNAL", "policy", "prepare the policies", err)
	}
	e.shadow.mu.Lock()
	defer e.shadow.mu.Unlock()
	if e.shadow.closed {
		return nil, fail("UNAVAILABLE", "policy", "the server is shutting down", nil)
	}
	e.shadow.end()
	ctx, cancel := context.WithCancel(context.Background())
	run := &shadowRun{
		engine: e, share: s.Share, by: s.By, started: e.opts.Now(), digest: set.Digest(), snapshot: snapshot, cancel: cancel,
		cases: make(chan shadowed, shadowQueue), done: make(chan struct{}), counts: newDifferences(),
	}
	go run.work(ctx)
	e.shadow.last.Store(run)
	e.shadow.run.Store(run)
	return run.report(), nil
}

// StopShadow ends the shadow, waits for it, and returns its last report; nil if there was none since the start.
func (e *Engine) StopShadow() *caiov1.ShadowReport {
	e.shadow.stop(false)
	return e.ShadowReport()
}

// ShadowReport returns the report of the shadow that runs, or of the last one; nil if there was none since the start.
func (e *Engine) ShadowReport() *caiov1.ShadowReport {
	run := e.shadow.last.Load()
	if run == nil {
		return nil
	}
	return run.report()
}

// stop ends what runs; for good: nothing runs any more.
func (s *shadow) stop(forGood bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = s.closed || forGood
	s.end()
}

// end ends the run and waits for it. The caller holds mu.
func (s *shadow) end() {
	run := s.run.Swap(nil)
	if run == nil {
		return
	}
	run.cancel()
	<-run.done
}

// offer hands a decision to the shadow if there is one, its turn has come and there is room.
func (s *shadow) offer(now *Snapshot, req *question, d *Decision, trace string) {
	run := s.run.Load()
	if run == nil {
		return
	}
	// Of n decisions the turn comes to share*n, evenly.
	n := float64(run.seen.Add(1))
	if int64(n*run.share) == int64((n-1)*run.share) {
		return
	}
	size := int64(proto.Size(req.Request) + len(d.Raw()))
	if run.waiting.Add(size) > shadowBytes {
		run.waiting.Add(-size)
		run.dropped.Add(1)
		return
	}
	select {
	case run.cases <- shadowed{now, req, d, trace, size}:
	default:
		run.waiting.Add(-size)
		run.dropped.Add(1)
	}
}

// work decides what is offered until ctx ends.
func (r *shadowRun) work(ctx context.Context) {
	defer close(r.done)
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.finished = true
	}()
	var rest rest
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-r.cases:
			began := time.Now()
			r.judge(ctx, c)
			r.waiting.Add(-c.bytes)
			rest.after(ctx, time.Since(began))
		}
	}
}

// judge decides one case by the candidate set and counts what is different.
func (r *shadowRun) judge(ctx context.Context, c shadowed) {
	if c.snapshot.Registry != r.snapshot.Registry {
		r.snapshot = r.snapshot.following(c.snapshot)
	}
	before, err := c.decision.Message()
	var after *caiov1.Decision
	if err == nil {
		after, err = r.engine.again(ctx, r.snapshot, c.req, before)
	}
	if ctx.Err() != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed++
		return
	}
	d, moved := differ(before, after)
	d.TraceId, d.Tenant = c.trace, c.req.GetPrincipal().GetTenant()
	r.counts.add(d, moved)
	if moved {
		r.keep(shortened(d))
	}
}

// keep keeps an example: the first ones, and the latest. The caller holds mu.
func (r *shadowRun) keep(d *caiov1.Difference) {
	const half = shadowExamples / 2
	switch {
	case len(r.first) < half:
		r.first = append(r.first, d)
	case len(r.latest) < half:
		r.latest = append(r.latest, d)
	default:
		r.latest[r.next] = d
		r.next = (r.next + 1) % half
	}
}

func (r *shadowRun) report() *caiov1.ShadowReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	report := &caiov1.ShadowReport{
		Running: !r.finished, Digest: r.digest, Share: r.share, StartedBy: r.by, Started: timestamppb.New(r.started),
		Differences: r.counts.message(), Dropped: r.dropped.Load(), Failed: r.failed,
	}
	for _, d := range r.first {
		report.Examples = append(report.Examples, proto.CloneOf(d))
	}
	for i := range r.latest {
		report.Examples = append(report.Examples, proto.CloneOf(r.latest[(r.next+i)%len(r.latest)]))
	}
	return report
}

// again decides a request as before was decided, by another snapshot: with its seed, and with the past that it recorded. Of services that had no part in it the past is that of now.
func (e *Engine) again(ctx context.Context, s *Snapshot, req *question, before *caiov1.Decision) (*caiov1.Decision, error) {
	recorded, known := RecordedPast(before), make(map[string]bool, len(before.GetRanking()))
	for _, id := range before.GetRanking() {
		known[id] = true
	}
	now := e.opts.History.At(e.opts.Now())
	past := func(service string) Record {
		if known[service] {
			return recorded(service)
		}
		return now(service)
	}
	informed := *req // s may ask about more than was asked when before was decided
	informed.Request = s.informed(req.Request, onlyVisible)
	d, err := decide(ctx, s, past, &informed, before.GetSeed(), false, onlyVisible)
	if err != nil {
		return nil, err
	}
	return d.Message()
}

// rest makes work in the background rest as long as it works. Short work adds up, so that no timer is set for microseconds.
type rest struct{ owed time.Duration }

func (r *rest) after(ctx context.Context, worked time.Duration) {
	if r.owed += worked; r.owed < time.Millisecond {
		return
	}
	timer := time.NewTimer(r.owed)
	defer timer.Stop()
	r.owed = 0
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
