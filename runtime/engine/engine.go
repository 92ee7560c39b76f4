// Package engine is the straight line: one request from contract to trace.
//
//	decide:  match contracts -> rules -> security -> limits -> optimize -> prove
//	execute: adapter and gateway -> guarantees -> next candidate or answer
//	record:  one trace, whatever became of the request
//
// Decide is a pure function of a Snapshot, a history, a request and a seed: the same inputs give the same bytes. Engine
// is the running house around it: it holds the current Snapshot behind an atomic pointer, so that every request sees
// one state of registry, policies and adapters from beginning to end, and changes never wait for requests nor requests
// for changes. History remembers, decaying, how services did. Everything is safe for concurrent use.
//
// A workflow is several requests on that line, each decided against the same Snapshot. RunWorkflow runs each step in a
// goroutine of its own and waits for all of them. Beside those Engine starts goroutines only for the spot checks of its
// policies and for a shadow of them, which Close waits for.
//
//	e, err := engine.New(engine.Options{Policies: set, Adapters: catalog, Gateway: gw, Traces: log, Store: st, Schema: schema})
//	answer, err := e.Orchestrate(ctx, &caiov1.OrchestrateRequest{Request: req}, nil)
package engine

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/gateway"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Options is what an Engine is built from. Every field is required unless it says otherwise.
type Options struct {
	Registry  *contract.Registry // nil: empty
	Policies  *policy.Set
	Adapters  *adapter.Catalog // nil: what Installed holds
	Gateway   *gateway.Gateway
	Traces    *trace.Log
	Store     *store.Store     // keeps the registry over restarts
	Schema    *contract.Schema // by which contracts were validated
	Origin    PolicyOrigin     // where Policies come from; zero: from nowhere that is known
	Installed Installed        // what Adapters holds, and how it changes; zero: it does not
	History   *History         // of the services; nil: NewHistory(0). Whoever makes it keeps it: see History.Keep

	Release        string           // of the server, as bundles name it; empty: not said
	AllowUntraced  bool             // requests may ask that no trace of them is kept
	PolicyEngine   policy.Engine    // how policies are evaluated; empty: policy.Factored
	CheckShare     float64          // of decisions that OPA judges again in the background, 0..1; 0: none
	Now            func() time.Time // nil: time.Now
	Rand           io.Reader        // of trace ids and salts; nil: crypto/rand
	Logger         *slog.Logger     // nil: discarded
	ExecuteTimeout time.Duration    // of one execution, fallbacks included, when the caller sets none; 0: 2 minutes
}

// Engine routes requests. Create it with New, and Close it.
type Engine struct {
	opts     Options
	snapshot atomic.Pointer[Snapshot]
	referee  referee
	shadow   shadow

	change   sync.Mutex // one change of the registry, the policies or the adapters at a time; guards watchers, policies.origin and modules
	watchers map[*watcher]struct{}
	policies policyState
	modules  []installed
}

// New returns an Engine that decides by opts, and stores what it decides by, so that it can be told of every decision. It
// fails if a contract of the registry cannot be shown to policies, or the store takes nothing.
func New(opts Options) (*Engine, error) {
	if opts.Registry == nil {
		opts.Registry = contract.NewRegistry()
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.PolicyEngine == "" {
		opts.PolicyEngine = policy.Factored
	}
	if opts.ExecuteTimeout == 0 {
		opts.ExecuteTimeout = 2 * time.Minute
	}
	if opts.History == nil {
		opts.History = NewHistory(0)
	}
	for service := range opts.Registry.All() {
		opts.History.begin(service.ID())
	}
	if opts.Adapters == nil {
		var err error
		if opts.Adapters, err = catalog(opts.Installed.modules); err != nil {
			return nil, err
		}
	}
	snapshot, err := NewSnapshot(opts.Registry, opts.Policies, opts.PolicyEngine, opts.Adapters)
	if err != nil {
		return nil, err
	}
	e := &Engine{opts: opts, watchers: map[*watcher]struct{}{}, modules: opts.Installed.modules}
	e.policies = policyState{turn: make(chan struct{}, 1), whatIf: make(chan struct{}, 1), origin: opts.Origin}
	e.snapshot.Store(snapshot)
	if err := e.keepInputs(context.Background(), snapshot); err != nil {
		return nil, err
	}
	e.referee.start(e, opts.CheckShare)
	return e, nil
}

// Snapshot returns the state by which a request that came now would be decided.
func (e *Engine) Snapshot() *Snapshot { return e.snapshot.Load() }

// History returns what is remembered of service now, nil if it was never executed.
func (e *Engine) History(service string) *caiov1.History {
	r := e.opts.History.At(e.opts.Now())(service)
	if r == (Record{}) {
		return nil
	}
	return r.history()
}

// withDeadline bounds an execution whose caller set no deadline of its own.
func (e *Engine) withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, e.opts.ExecuteTimeout)
}
