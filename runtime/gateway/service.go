package gateway

import (
	"container/list"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A service is what the gateway knows of one service beside its contract: where it may be called, whether it fails a
// lot, how many calls are under way. Immutable but for the parts that lock themselves.
type service struct {
	id     string
	base   string  // host:port of base_url
	secure bool    // base_url is https, so nothing of this service ever travels without TLS
	hosts  hostSet // base and what the contract allows beside it
	auth   *caiov1.Auth
	// signed are the canonical names of the headers that are the host's alone because it signs, nil where it does not;
	// parameter is the same in URLs, "" for none.
	signed    []string
	parameter string
	start     []byte        // the contract as the guest sees it
	timeout   time.Duration // of one try

	retries  *budget
	breaker  circuitbreaker.CircuitBreaker[any]
	permits  bulkhead.Bulkhead[any] // nil: as many at once as there are
	limit    int32
	maxQueue int32
	waiting  atomic.Int32
}

// contractView is the contract as guests see it (Event.Contract).
type contractView struct {
	ServiceID string          `json:"service_id"`
	BaseURL   string          `json:"base_url"`
	Endpoints []endpointView  `json:"endpoints"`
	Settings  json.RawMessage `json:"settings"`
}

type endpointView struct {
	Path   string `json:"path"`
	Method string `json:"method"`
}

// timeoutSetting is the one adapter setting that is the host's: the time one try may take, in milliseconds. Guests do
// not see it, so that they may refuse settings that they do not know.
const timeoutSetting = "timeout_ms"

func newService(c *caiov1.Contract, o *Options) (*service, error) {
	s := &service{id: c.GetServiceId(), auth: c.GetAdapter().GetAuth(), timeout: o.TryTimeout, hosts: hostSet{}}
	if protocol := c.GetApi().GetProtocol(); protocol != "http" {
		return nil, refused("set api.protocol to http and api.base_url to the service's address",
			"service %s cannot be executed: its api.protocol is %q and adapters speak http", s.id, protocol)
	}
	base, hostport, err := parseURL(c.GetApi().GetBaseUrl())
	if err != nil {
		return nil, refused("correct api.base_url in the contract", "service %s: base_url: %v", s.id, err)
	}
	s.base, s.secure = hostport, base.Scheme == "https"
	s.hosts[hostport] = struct{}{}
	for _, entry := range c.GetApi().GetAllowedHosts() {
		if err := s.hosts.add(entry); err != nil {
			return nil, refused("correct api.allowed_hosts in the contract", "service %s: %v", s.id, err)
		}
	}
	if err := s.readAuth(); err != nil {
		return nil, err
	}
	if v, ok := c.GetAdapter().GetSettings().GetFields()[timeoutSetting]; ok {
		ms, isNumber := v.GetKind().(*structpb.Value_NumberValue)
		if !isNumber || !(ms.NumberValue >= 1 && ms.NumberValue <= 86_400_000) {
			return nil, refused("correct adapter.settings in the contract", "service %s: settings.%s must be a number from 1 to 86400000", s.id, timeoutSetting)
		}
		s.timeout = time.Duration(ms.NumberValue * float64(time.Millisecond))
	}
	if s.start, err = guestView(c); err != nil {
		return nil, broken(err, "service %s: %v", s.id, err)
	}
	if constraints := c.GetConstraints(); constraints != nil && constraints.MaxConcurrentRequests != nil {
		s.limit, s.maxQueue = max(0, constraints.GetMaxConcurrentRequests()), int32(o.MaxQueue)
		s.permits = bulkhead.New[any](uint(s.limit))
	}
	s.breaker, s.retries = newBreaker(s.id, o), newBudget(o.RetryShare)
	return s, nil
}

func guestView(c *caiov1.Contract) ([]byte, error) {
	view := contractView{ServiceID: c.GetServiceId(), BaseURL: c.GetApi().GetBaseUrl(), Endpoints: []endpointView{}, Settings: json.RawMessage("{}")}
	for _, e := range c.GetApi().GetEndpoints() {
		view.Endpoints = append(view.Endpoints, endpointView{e.GetPath(), e.GetMethod()})
	}
	if settings := c.GetAdapter().GetSettings(); settings != nil {
		rest := &structpb.Struct{Fields: maps.Clone(settings.GetFields())}
		delete(rest.Fields, timeoutSetting)
		raw, err := schema.JSON(rest)
		if err != nil {
			return nil, err
		}
		view.Settings = raw
	}
	return json.Marshal(view)
}

// newBreaker opens after so many failures among the latest results, and after a while lets one call through: whether
// that succeeds decides. Results are recorded by hand (permit): a canceled call is neither a success nor a failure,
// and a stream is known to be one or the other long after the call returned.
func newBreaker(id string, o *Options) circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().
		WithFailureThresholdRatio(uint(o.Breaker.Failures), uint(o.Breaker.Of)).
		WithSuccessThreshold(1).
		WithDelay(o.Breaker.Open).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			o.Logger.LogAttrs(context.Background(), slog.LevelWarn, "circuit changed",
				slog.String("contract", id), slog.String("from", e.OldState.String()), slog.String("to", e.NewState.String()))
		}).
		Build()
}

// allows tells whether u may be called, with its host:port; the error names the host.
func (s *service) allows(u *url.URL, hostport string) error {
	if s.secure && u.Scheme != "https" {
		return refused("", "service %s: %s would be called without TLS, but base_url is https", s.id, hostport)
	}
	if !s.hosts.has(hostport) {
		return refused(fmt.Sprintf("add %q to api.allowed_hosts of the contract if it belongs to the service", hostport),
			"service %s: host %s is not on the contract's list", s.id, hostport)
	}
	return nil
}

// enter waits until the service takes one more request, until ctx is done at the latest, and returns what gives the
// place back. At most maxQueue wait; more would only learn later what can be said at once.
func (s *service) enter(ctx context.Context) (release func(), err error) {
	if s.permits == nil {
		return func() {}, nil
	}
	if s.permits.TryAcquirePermit() {
		return s.permits.ReleasePermit, nil
	}
	overloaded := &Error{Code: CodeOverloaded, Retryable: true, Hint: "try again later, or raise constraints.max_concurrent_requests if the service takes more",
		Message: fmt.Sprintf("service %s is at its limit of %d concurrent requests", s.id, s.limit)}
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > s.maxQueue || s.limit <= 0 {
		return nil, overloaded
	}
	if err := s.permits.AcquirePermit(ctx); err != nil {
		if interrupted := interrupted(ctx); interrupted.Code == CodeCanceled {
			return nil, interrupted
		}
		overloaded.Message += ", and none ended before the deadline"
		overloaded.cause = err
		return nil, overloaded
	}
	return s.permits.ReleasePermit, nil
}

// A permit is the right to make one try, and the duty to tell the breaker what came of it. Not for concurrent use.
type permit struct {
	breaker circuitbreaker.CircuitBreaker[any]
	probe   bool // the breaker is half open and waits for this very result
	told    bool
}

// permit asks the breaker; the error is CIRCUIT_OPEN and says when the service is tried again.
func (s *service) permit() (*permit, error) {
	if s.breaker.TryAcquirePermit() {
		return &permit{breaker: s.breaker, probe: s.breaker.IsHalfOpen()}, nil
	}
	when := "once the call that tries it now has succeeded"
	if d := s.breaker.RemainingDelay(); d > 0 {
		when = "in " + max(d.Round(time.Millisecond), time.Millisecond).String()
	}
	return nil, &Error{Code: CodeCircuitOpen, Retryable: true, Hint: "another service may answer meanwhile",
		Message: fmt.Sprintf("service %s failed too often and is left alone; it is tried again %s", s.id, when)}
}

func (p *permit) tell(success bool) {
	if p.told {
		return
	}
	p.told = true
	if success {
		p.breaker.RecordSuccess()
	} else {
		p.breaker.RecordFailure()
	}
}

// answered says that a stream began. A probe has its answer then: nobody else should wait until the stream has ended.
func (p *permit) answered() {
	if p.probe {
		p.tell(true)
		p.probe, p.told = false, false
	}
}

// abandon says that nothing was learned. A probe has to say something, or the breaker would wait for ever: no news
// from a service that was failing is bad news.
func (p *permit) abandon() {
	if p.probe {
		p.tell(false)
	}
	p.told = true
}

// services keeps what is known of the services called last. A changed contract starts afresh where the change has to
// do with calling; removed services grow old and fall out. Safe for concurrent use.
type services struct {
	options *Options
	mu      sync.Mutex
	byID    map[string]*list.Element // of *known
	order   *list.List               // most recently used first
}

type known struct {
	contract *caiov1.Contract
	service  *service
}

func newServices(o *Options) *services {
	return &services{options: o, byID: map[string]*list.Element{}, order: list.New()}
}

// get returns what is known of c's service.
func (s *services) get(c *caiov1.Contract) (*service, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byID[c.GetServiceId()]
	if ok {
		s.order.MoveToFront(e)
		k := e.Value.(*known)
		if k.contract == c {
			return k.service, nil
		}
		if sameCalls(k.contract, c) {
			k.contract = c
			return k.service, nil
		}
	}
	fresh, err := newService(c, s.options)
	if err != nil {
		return nil, err
	}
	if ok {
		e.Value = &known{c, fresh}
		return fresh, nil
	}
	s.byID[fresh.id] = s.order.PushFront(&known{c, fresh})
	if s.order.Len() > s.options.MaxServices {
		oldest := s.order.Back()
		delete(s.byID, s.order.Remove(oldest).(*known).service.id)
	}
	return fresh, nil
}

// sameCalls tells whether two revisions of a contract are called in the same way.
func sameCalls(a, b *caiov1.Contract) bool {
	return proto.Equal(a.GetApi(), b.GetApi()) && proto.Equal(a.GetAdapter(), b.GetAdapter()) &&
		proto.Equal(a.GetConstraints(), b.GetConstraints())
}
