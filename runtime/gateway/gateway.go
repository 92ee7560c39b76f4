// Package gateway executes what an adapter asks for. An adapter is a pure step machine: an event goes in, actions come
// out (runtime/adapter). This package feeds it and does everything that touches the world: HTTP calls with retries, a
// circuit breaker and a concurrency limit for each service, waiting, framing of streamed bodies, credentials, costs.
//
// What it guarantees:
//
//   - Only the hosts of the contract are called, at each redirect anew; link-local and metadata addresses never, private
//     ones only where they are allowed (Private). What counts is the address that is dialed, not what DNS said before.
//   - Credentials are added after the adapter has spoken, travel over TLS (or loopback) to the hosts they are listed
//     for, follow no redirect to another host, and appear in no error.
//   - A call that may have been processed is not made twice: what is not idempotent is tried again only when it cannot
//     have been (the connection was not made, 429, 503). It carries an Idempotency-Key for upstreams that know it.
//   - Retries are at most a fifth of a service's calls, and ten more.
//   - A stream that breaks off is an error, never a clean end.
//   - Nothing is held while waiting: the adapter is called once per event and keeps its state in the bytes it returned.
//   - An execution ends when its context does, and the upstream sees that.
//
// An execution runs on its caller's goroutine. The gateway's own goroutines read the rest of finished streams, so that
// connections can be used again, for a quarter of a second at most; Close waits for them.
//
//	g := gateway.New(gateway.Options{Secrets: secrets})
//	defer g.Close()
//	outcome, err := g.Execute(ctx, gateway.Call{Contract: contract, Adapter: adapter, Intent: intent})
package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"

	"github.com/smarthausgroup/caio/runtime/adapter"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Options set up a Gateway. The zero value works: it knows no secrets and speaks to hosts directly.
type Options struct {
	// Secrets finds the credentials that contracts name. nil: there are none.
	Secrets Secrets
	// Transport makes the calls. nil: NewTransport, with Private. It must not follow redirects itself. Whoever brings another
	// one has to refuse link-local and private addresses behind DNS names there; addresses written in URLs are refused here.
	Transport http.RoundTripper
	// Private says which private addresses may be called. The zero value: those that contracts name.
	Private Private
	// Logger is told of circuits that open and close. nil: nobody is.
	Logger *slog.Logger

	// TryTimeout bounds one try from the first byte sent to the last byte of a whole body, or to the head of a streamed
	// one and then each wait for more of it. settings.timeout_ms of a contract replaces it. 0: 60 s.
	TryTimeout time.Duration
	// MaxAttempts is how often one call is tried, the first included. 0: 3.
	MaxAttempts int
	// RetryShare is how many retries a service's calls earn, as a share of their number; ten may be saved up, and are there at
	// the beginning. 0: 0.2.
	RetryShare float64
	// Backoff is the wait before the second try; it doubles from try to try up to 16 times its value and varies by a
	// random half downwards. 0: 200 ms.
	Backoff time.Duration
	// MaxRetryAfter is the longest Retry-After that is waited for; when an upstream asks for more, or for more than the
	// deadline leaves, its answer is final. 0: 30 s.
	MaxRetryAfter time.Duration
	// Breaker says when a service is left alone.
	Breaker Breaker

	// MaxBodyBytes bounds a whole body, and one frame of a streamed one, decompressed. 0: 16 MiB.
	MaxBodyBytes int64
	// MaxStreamBytes bounds a streamed body. 0: 256 MiB.
	MaxStreamBytes int64
	// MaxCalls is how many HTTP calls one execution may ask for, retries and redirects not counted. 0: 16.
	MaxCalls int
	// MaxSteps is how many events other than frames one execution may bring its adapter. 0: 1000.
	MaxSteps int
	// MaxQueue is how many executions may wait for one service that is at its limit of concurrent requests. 0: 128.
	MaxQueue int
	// MaxServices is how many services' breakers and limits are kept, the least recently used are forgotten. 0: 16384.
	MaxServices int
}

// Breaker says when a service is left alone: after Failures of the latest Of tries, for Open; then one call tries it,
// and its success closes the circuit. A failure is a connection that was not made or broke, a try that took too long,
// and any status from 500 up but 501.
type Breaker struct {
	Failures int           // 0: 5
	Of       int           // at least Failures; 0: 10, or Failures if that is more
	Open     time.Duration // 0: 10 s
	// Hung is how long a try must have waited before the deadline of its caller counts as a failure of the service;
	// hurried callers must not close it for everybody. 0: 10 s.
	Hung time.Duration
}

// or returns v, or fallback when v is not positive.
func or[T int | int64 | time.Duration](v, fallback T) T {
	if v <= 0 {
		return fallback
	}
	return v
}

func (o Options) withDefaults() Options {
	if o.Secrets == nil {
		o.Secrets = SecretSet{}
	}
	if o.Transport == nil {
		o.Transport = NewTransport(TransportOptions{Private: o.Private})
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.TryTimeout = or(o.TryTimeout, 60*time.Second)
	o.MaxAttempts = or(o.MaxAttempts, 3)
	if o.RetryShare <= 0 {
		o.RetryShare = 0.2
	}
	o.Backoff = or(o.Backoff, 200*time.Millisecond)
	o.MaxRetryAfter = or(o.MaxRetryAfter, 30*time.Second)
	o.Breaker.Failures = or(o.Breaker.Failures, 5)
	o.Breaker.Of = max(or(o.Breaker.Of, 10), o.Breaker.Failures)
	o.Breaker.Open = or(o.Breaker.Open, 10*time.Second)
	o.Breaker.Hung = or(o.Breaker.Hung, 10*time.Second)
	o.MaxBodyBytes = or(o.MaxBodyBytes, 16<<20)
	o.MaxStreamBytes = or(o.MaxStreamBytes, 256<<20)
	o.MaxCalls = or(o.MaxCalls, 16)
	o.MaxSteps = or(o.MaxSteps, 1000)
	o.MaxQueue = or(o.MaxQueue, 128)
	o.MaxServices = or(o.MaxServices, 16384)
	return o
}

// A Gateway executes calls. Safe for concurrent use.
type Gateway struct {
	options  Options
	services *services
	tokens   *tokens
	retry    failsafe.Executor[*attempt]
	dry      *DryRun // not nil: nothing is signed and nothing is waited for; see Rehearse

	mu     sync.Mutex // guards closed, and background.Add against Close
	closed bool
	// background counts the goroutines that drain finished streams.
	background sync.WaitGroup
}

// New returns a gateway. It starts no goroutine and opens no connection until it is used.
func New(o Options) *Gateway {
	g := &Gateway{options: o.withDefaults()}
	g.services = newServices(&g.options)
	g.tokens = newTokens(&g.options)
	g.retry = newRetry(g.options.MaxAttempts)
	return g
}

// Close waits for the gateway's own goroutines and closes idle connections. It is called once the last Execute has
// returned; it does not interrupt one. It always returns nil.
func (g *Gateway) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.background.Wait()
	if t, ok := g.options.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	return nil
}

// spawn runs f on a goroutine that Close waits for; false: it is too late for that.
func (g *Gateway) spawn(f func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.background.Go(f)
	}
	return !g.closed
}

// A Stepper is an adapter: it returns what is to be done about ev, given the state it returned for the event before
// (nil at the start). It must keep neither slice, must not change state, and must depend on nothing else; it is called
// concurrently for different executions. *adapter.Adapter is one; a Go function may be another.
type Stepper interface {
	Step(ctx context.Context, state []byte, ev adapter.Event) (adapter.Reply, error)
}

// A Batcher is a Stepper that may take several frames in one event (Event.More), and then answers as if they had come one after
// the other: what a burst of frames costs is then one call.
type Batcher interface {
	Stepper
	TakesMore() bool
}

// A Call is what is to be executed, and by whom.
type Call struct {
	// Contract of the service; it must not change while it is in use. Read are service_id, api, adapter, cost and
	// constraints.max_concurrent_requests.
	Contract *caiov1.Contract
	// Adapter that speaks to it.
	Adapter Stepper
	// Intent that is to be done.
	Intent *caiov1.Intent
	// Stream tells the adapter that the caller wants deltas.
	Stream bool
	// Emit hands a delta to the caller, on the goroutine of Execute; an error of it ends the execution as CANCELED.
	// nil: deltas are dropped.
	Emit func(*caiov1.Delta) error
}

// An Outcome is what came of a call.
type Outcome struct {
	Result   *caiov1.Result   // nil if it failed
	Observed *caiov1.Observed // always there
}

// Execute runs the adapter until it is done. The outcome is there even with an error, which is always an *Error.
// Cancelling ctx ends the execution at once, and the call under way with it; whether the service did its work by then
// is not known. The deadline of ctx bounds everything, waits and retries included.
func (g *Gateway) Execute(ctx context.Context, call Call) (*Outcome, error) {
	x := &execution{gateway: g, call: call}
	began := time.Now()
	result, err := x.run(ctx)
	out := &Outcome{Observed: &caiov1.Observed{
		LatencyMs:  float64(time.Since(began)) / float64(time.Millisecond),
		Calls:      x.calls,
		HttpStatus: int32(x.status),
	}}
	if err != nil {
		return out, x.explain(ctx, err)
	}
	out.Result = result
	enterCost(out.Observed, call.Contract.GetCost(), result.GetUsage())
	return out, nil
}
