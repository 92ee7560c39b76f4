package engine

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// DefaultCheckShare is the share of decisions whose policies OPA judges again in the background.
const DefaultCheckShare = 0.01

// A referee holds a share of the decisions against OPA, off the path of requests. It works one at a time and rests
// nineteen times as long as it works: OPA takes a hundred times as long as a decision, and under load what is spent here is
// missing there. So it takes a twentieth of a processor at most, and what comes meanwhile is passed over and counted.
type referee struct {
	every   uint64 // one decision in so many; 0: none
	seen    atomic.Uint64
	checked atomic.Uint64
	skipped atomic.Uint64
	differ  atomic.Uint64

	cases  chan refereed
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// refereed is a decision that is to be checked.
type refereed struct {
	snapshot *Snapshot
	req      *caiov1.Request
}

// start begins to check the given share of decisions, 0..1, for e.
func (r *referee) start(e *Engine, share float64) {
	if share <= 0 {
		return
	}
	r.every = uint64(max(1, 1/share))
	r.cases = make(chan refereed, 1)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case c := <-r.cases:
				began := time.Now()
				e.check(ctx, c)
				rest := time.NewTimer(19 * time.Since(began))
				select {
				case <-ctx.Done():
				case <-rest.C:
				}
				rest.Stop()
			}
		}
	})
}

// offer hands a decision to the referee if its turn has come and it has time.
func (r *referee) offer(s *Snapshot, req *caiov1.Request) {
	if r.every == 0 || s.index.Engine() == policy.OPA || r.seen.Add(1)%r.every != 0 {
		return
	}
	select {
	case r.cases <- refereed{s, req}:
	default:
		r.skipped.Add(1)
	}
}

func (r *referee) stop() {
	if r.cancel != nil {
		r.cancel()
		r.done.Wait()
	}
}

// check judges c by both engines. Where they differ, OPA is right: from then on it alone judges by that set.
func (e *Engine) check(ctx context.Context, c refereed) {
	match, err := c.snapshot.Registry.Match(c.req, onlyVisible.of(c.snapshot.Registry, c.req.Principal), false)
	if err != nil {
		return // nothing was decided, either
	}
	difference, err := c.snapshot.index.Differs(ctx, c.req, match.Passed)
	if err != nil {
		return // a policy that takes too long was told to its caller
	}
	e.referee.checked.Add(1)
	if difference == "" {
		return
	}
	e.referee.differ.Add(1)
	e.opts.Logger.ErrorContext(ctx, "incident: the factored engine differs from OPA, which judges alone from now on",
		slog.String("policies", c.snapshot.Policies.Digest()), slog.String("request_id", c.req.GetContext().GetRequestId()),
		slog.String("difference", difference))
	e.distrust(c.snapshot.Policies)
}

// distrust lets OPA judge by set if that is still in force.
func (e *Engine) distrust(set *policy.Set) {
	e.change.Lock()
	defer e.change.Unlock()
	now := e.snapshot.Load()
	if now.Policies != set || now.index.Engine() == policy.OPA {
		return
	}
	next := *now
	next.index = now.index.ByOPA()
	e.snapshot.Store(&next)
}

// PolicyHealth tells how policies are evaluated.
type PolicyHealth struct {
	Engine      policy.Engine // now
	Checked     uint64        // decisions that OPA judged again
	Skipped     uint64        // whose turn it was while the referee was busy
	Differences uint64        // in which OPA said something else: 0, unless there is a bug
}

// PolicyHealth tells how policies are evaluated, since the start.
func (e *Engine) PolicyHealth() PolicyHealth {
	r := &e.referee
	return PolicyHealth{e.snapshot.Load().index.Engine(), r.checked.Load(), r.skipped.Load(), r.differ.Load()}
}

// Close ends what e does in the background, and waits for it. Requests may still be served.
func (e *Engine) Close() error {
	e.referee.stop()
	e.shadow.stop(true)
	return nil
}
