package engine

import (
	"context"
	"errors"
	"time"

	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// whatIfSent is how many decisions that would move are sent one by one.
const whatIfSent = 1000

// whatIfPage is how many traces are read at once; progress is sent after each page.
const whatIfPage = 100

// DefaultWhatIfLimit is how many traces WhatIf looks at when it is not told.
const DefaultWhatIfLimit = 1000

// A WhatIf says what is to be decided anew, and by what.
type WhatIf struct {
	Files        []*caiov1.PolicyFile
	Since, Until time.Time // of the traces; zero: no matter
	Tenant       string    // whose traces; empty: every tenant's. Who may ask for that is for the caller to judge.
	Limit        int       // traces, the newest; 0: DefaultWhatIfLimit
}

// WhatIf decides the requests of stored traces anew, by the set in force and by another, and sends what would move, how
// far it is, and the summary last. Both decide over the registry as it is now, with the past that the trace recorded, and
// without the intent's body where the trace keeps none: so the policies are all that differs. It runs beside the requests,
// rests as long as it works, and ends with ctx or when send fails. One runs at a time. The error's code is INVALID_POLICY,
// with FaultsOf, or OVERLOADED.
func (e *Engine) WhatIf(ctx context.Context, q WhatIf, send func(*caiov1.PolicyServiceWhatIfResponse) error) error {
	select {
	case e.policies.whatIf <- struct{}{}:
		defer func() { <-e.policies.whatIf }()
	default:
		return fail("OVERLOADED", "policy", "another what-if is running", nil).hint("wait for its end; one runs at a time")
	}
	set, err := loadFiles(q.Files)
	if err != nil {
		return err
	}
	before := e.snapshot.Load()
	after, err := before.under(set, e.opts.PolicyEngine)
	if err != nil {
		return fail("INTERNAL", "policy", "prepare the policies", err)
	}
	if q.Limit == 0 {
		q.Limit = DefaultWhatIfLimit
	}
	r := &rehearsal{engine: e, before: before, after: after, send: send, counts: newDifferences(), summary: &caiov1.WhatIfSummary{
		BeforeDigest: before.Policies.Digest(), AfterDigest: set.Digest(),
		Notes: []string{"both sets decided over the registry as it is now, and without the intents' bodies where traces keep none"},
	}}
	if err := r.traces(ctx, q); err != nil {
		return err
	}
	r.summary.Differences = r.counts.message()
	return send(&caiov1.PolicyServiceWhatIfResponse{Event: &caiov1.PolicyServiceWhatIfResponse_Summary{Summary: r.summary}})
}

// A rehearsal is one WhatIf on its way.
type rehearsal struct {
	engine        *Engine
	before, after *Snapshot
	send          func(*caiov1.PolicyServiceWhatIfResponse) error
	counts        *differences
	summary       *caiov1.WhatIfSummary
	rest          rest
}

// traces goes through the traces that q selects, newest first.
func (r *rehearsal) traces(ctx context.Context, q WhatIf) error {
	query := trace.Query{Since: q.Since, Until: q.Until, Tenant: q.Tenant}
	for left := q.Limit; left > 0; {
		query.Limit = min(left, whatIfPage)
		page, next, err := r.engine.opts.Traces.List(ctx, query)
		if err != nil {
			return unable("policy", "read the traces", err)
		}
		for _, stored := range page {
			began := time.Now()
			if err := r.trace(ctx, stored.GetTrace()); err != nil {
				return err
			}
			r.rest.after(ctx, time.Since(began))
			if ctx.Err() != nil {
				return unable("policy", "decide anew", context.Cause(ctx))
			}
		}
		left -= len(page)
		progress := &caiov1.WhatIfProgress{Traces: r.summary.Traces + r.summary.Skipped, Moved: int32(r.counts.moved)}
		if err := r.send(&caiov1.PolicyServiceWhatIfResponse{Event: &caiov1.PolicyServiceWhatIfResponse_Progress{Progress: progress}}); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		query.Token = next
	}
	return nil
}

// trace decides one trace's request by both sets.
func (r *rehearsal) trace(ctx context.Context, t *caiov1.Trace) error {
	past := t.GetDecision()
	if past == nil || t.GetRequest() == nil {
		r.summary.Skipped++
		return nil
	}
	req := askAgain(t.GetRequest(), t.GetKept().GetIntent(), past.GetInputs().GetRequest())
	before, err := r.engine.again(ctx, r.before, req, past)
	if err == nil {
		var after *caiov1.Decision
		if after, err = r.engine.again(ctx, r.after, req, past); err == nil {
			return r.compare(t, before, after)
		}
	}
	var e *Error
	if ctx.Err() != nil || !errors.As(err, &e) {
		return unable("policy", "decide anew", err)
	}
	r.summary.Skipped++ // it cannot be decided any more, such as by a set that takes too long
	return nil
}

func (r *rehearsal) compare(t *caiov1.Trace, before, after *caiov1.Decision) error {
	r.summary.Traces++
	if _, drifted := differ(t.GetDecision(), before); drifted {
		r.summary.Drifted++
	}
	d, moved := differ(before, after)
	d.TraceId, d.Tenant = t.GetTraceId(), t.GetRequest().GetPrincipal().GetTenant()
	r.counts.add(d, moved)
	if !moved || r.counts.moved > whatIfSent {
		return nil
	}
	return r.send(&caiov1.PolicyServiceWhatIfResponse{Event: &caiov1.PolicyServiceWhatIfResponse_Difference{Difference: shortened(d)}})
}
