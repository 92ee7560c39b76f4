package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/smarthausgroup/caio/runtime/adapter"
)

// An attempt is what came of one try: an answer, whole or as a stream, or an error.
type attempt struct {
	host   string
	status int
	header http.Header
	body   []byte
	stream *stream // nil: the body is whole
	err    error   // nil: there is an answer

	again bool          // it is worth trying again
	delay time.Duration // after this
}

// newRetry returns the policy that repeats attempts. What is repeated and when is said by the attempt itself, because
// it takes the request, the answer's headers and the deadline to know.
func newRetry(maxAttempts int) failsafe.Executor[*attempt] {
	return failsafe.With[*attempt](retrypolicy.NewBuilder[*attempt]().
		WithMaxAttempts(maxAttempts).
		HandleIf(func(a *attempt, _ error) bool { return a != nil && a.again }).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[*attempt]) time.Duration { return e.LastResult().delay }).
		ReturnLastFailure().
		Build())
}

// fetch makes the call that the guest asks for and returns the answer as an event.
func (x *execution) fetch(ctx context.Context, a *adapter.Action) (adapter.Event, error) {
	if x.asked++; x.asked > x.gateway.options.MaxCalls {
		return adapter.Event{}, broken(nil, "service %s: its adapter asked for more than %d calls", x.service.id, x.gateway.options.MaxCalls)
	}
	r, err := x.prepare(a)
	if err != nil {
		return adapter.Event{}, err
	}
	var last *attempt
	tries := 0
	_, _ = x.gateway.retry.WithContext(ctx).GetWithExecution(func(e failsafe.Execution[*attempt]) (*attempt, error) {
		now := x.try(ctx, r, e.Attempts())
		var circuit *Error
		if last != nil && errors.As(now.err, &circuit) && circuit.Code == CodeCircuitOpen {
			last.again = false // the circuit opened between two tries: what the last one met says more
			return last, nil
		}
		last = now
		tries++
		return now, nil
	})
	if ctx.Err() != nil {
		if last != nil && last.stream != nil {
			last.stream.close(x.gateway, false)
		}
		return adapter.Event{}, interrupted(ctx)
	}
	if last.err != nil {
		return adapter.Event{}, x.callError(last.host, last.err, tries)
	}
	x.body = last.stream
	x.ended = last.stream == nil && r.framing != "" && isSuccess(last.status)
	redact := func(s string) string { return string(x.redactBytes([]byte(s))) }
	if len(x.secrets) == 0 {
		redact = func(s string) string { return s }
	}
	return adapter.Event{Kind: adapter.KindResponse, Status: last.status, Headers: answerHeaders(last.header, redact), Body: x.redactBytes(last.body)}, nil
}

// try makes the n-th try, from 1.
func (x *execution) try(ctx context.Context, r *request, n int) *attempt {
	a := &attempt{host: r.hostport}
	p, err := x.service.permit()
	if err != nil {
		a.err = err
		return a
	}
	if n == 1 {
		x.service.retries.earn()
	}
	t := newTry(ctx, x.service.timeout)
	resp, taken, err := x.send(t.ctx, r)
	if err == nil {
		a.read(x, t, p, resp, r)
		if a.stream != nil {
			return a
		}
		err = a.err
	}
	var noToken *tokenError
	if a.err = err; err != nil && t.slow() && !errors.As(err, &noToken) {
		a.err = errSlow
	}
	t.end()
	x.report(ctx, p, a, time.Since(t.began))
	a.again = n < x.gateway.options.MaxAttempts && a.worthRepeating(r.idempotent(), taken) &&
		a.schedule(ctx, n, &x.gateway.options) && x.service.retries.spend()
	return a
}

// read takes the answer in: as a stream where that was asked for, else whole.
func (a *attempt) read(x *execution, t *try, p *permit, resp *http.Response, r *request) {
	o := &x.gateway.options
	a.status, a.header = resp.StatusCode, resp.Header
	events := r.framing == "sse" || r.framing == "eventstream"
	if r.framing != "" && isSuccess(a.status) && !(events && isJSON(resp.Header)) {
		a.stream = newStream(t, p, resp, r, o)
		return
	}
	defer resp.Body.Close()
	if a.status == http.StatusSwitchingProtocols {
		a.err = errors.New("the upstream switched protocols unasked")
		return
	}
	announced := resp.ContentLength
	if r.method == http.MethodHead {
		announced = 0 // the length is that of the body a GET would have brought
	}
	a.body, a.err = readBody(resp.Body, announced, o.MaxBodyBytes)
}

func isSuccess(status int) bool { return status >= 200 && status <= 299 }

// isJSON tells whether a body is one JSON document. An upstream that answers a wish for events with one, an error in a
// 200 for instance, would otherwise look like a stream without events.
func isJSON(h http.Header) bool {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}

// readBody reads a whole body of at most limit bytes. announced is its length as far as it is known; it only saves
// growing and reading in vain.
func readBody(r io.Reader, announced, limit int64) ([]byte, error) {
	if announced > limit {
		return nil, &tooLarge{"body", limit}
	}
	size := min(max(announced+1, 512), 1<<20) // one more than announced, so that the end is seen without growing
	body := make([]byte, 0, size)
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := r.Read(body[len(body):cap(body)])
		if body = body[:len(body)+n]; int64(len(body)) > limit {
			return nil, &tooLarge{"body", limit}
		}
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// report tells the breaker what a try shows about the service.
func (x *execution) report(ctx context.Context, p *permit, a *attempt, took time.Duration) {
	var own *Error
	var large *tooLarge
	var noToken *tokenError
	switch {
	case errors.As(a.err, &noToken):
		p.abandon() // it was not asked
	case a.err == nil:
		p.tell(a.status < 500 || a.status == http.StatusNotImplemented)
	case ctx.Err() != nil && !(errors.Is(ctx.Err(), context.DeadlineExceeded) && took >= x.gateway.options.Breaker.Hung):
		p.abandon()
	case isRefusedAddress(a.err):
		p.abandon()
	case errors.As(a.err, &own), errors.As(a.err, &large):
		p.tell(true) // it answered; that we do not like where it redirects to is another matter
	default:
		p.tell(false)
	}
}

// worthRepeating tells whether trying again is safe and may help. A request that is not idempotent is repeated only
// when it cannot have been processed.
func (a *attempt) worthRepeating(idempotent, taken bool) bool {
	if !idempotent && taken {
		return false
	}
	if a.err == nil {
		switch a.status {
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			return true
		case http.StatusBadGateway, http.StatusGatewayTimeout:
			return idempotent
		}
		return false
	}
	var (
		own     *Error
		noToken *tokenError
		large   *tooLarge
		cert    *tls.CertificateVerificationError
		noTLS   tls.RecordHeaderError
		name    *net.DNSError
		network *net.OpError
	)
	switch {
	case errors.As(a.err, &noToken):
		return noToken.again
	case errors.As(a.err, &own), errors.As(a.err, &large), isRefusedAddress(a.err),
		errors.As(a.err, &cert), errors.As(a.err, &noTLS), errors.As(a.err, &name) && name.IsNotFound:
		return false // it would be the same again
	case errors.As(a.err, &network) && network.Op == "dial":
		return true
	}
	return idempotent
}

// schedule says when the next try is made, after n were; false if that would be too late.
func (a *attempt) schedule(ctx context.Context, n int, o *Options) bool {
	var said bool
	if a.delay, said = retryAfter(a.status, a.header, time.Now()); !said {
		d := o.Backoff << min(n-1, 4)
		a.delay = d/2 + rand.N(d/2+1)
	} else if a.delay > o.MaxRetryAfter {
		return false
	}
	deadline, limited := ctx.Deadline()
	return !limited || a.delay < time.Until(deadline)
}

// retryAfter reads the header of RFC 9110, section 10.2.3, where it speaks of trying again: seconds, or a date.
func retryAfter(status int, h http.Header, now time.Time) (time.Duration, bool) {
	v := h.Get("Retry-After")
	if v == "" || status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
		return 0, false
	}
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(v); err == nil {
		return max(0, date.Sub(now)), true
	}
	return 0, false
}

// callError says why a call failed.
func (x *execution) callError(host string, err error, tries int) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	e := &Error{Code: CodeExecution, Retryable: true, cause: err}
	var large *tooLarge
	var noToken *tokenError
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		e.Hint = "see that the service runs, and that api.base_url of its contract leads there"
	}
	if isRefusedAddress(err) {
		name, _, _ := net.SplitHostPort(host)
		e.Hint = privateHint(err, name)
	}
	switch {
	case errors.As(err, &noToken):
		e.Message, e.Hint = fmt.Sprintf("service %s: %s", x.service.id, noToken.message), noToken.hint
	case errors.Is(err, errSlow):
		e.Code = CodeTimeout
		e.Message = fmt.Sprintf("service %s: host %s did not answer within %s", x.service.id, host, x.service.timeout)
		e.Hint = "raise adapter.settings." + timeoutSetting + " of the contract if the service needs longer"
	case errors.As(err, &large):
		e.Message = fmt.Sprintf("service %s: host %s: %v", x.service.id, host, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Message = fmt.Sprintf("service %s: the answer of host %s broke off", x.service.id, host)
	default:
		e.Message = fmt.Sprintf("service %s: call %s: %v", x.service.id, host, err)
	}
	if tries > 1 {
		e.Message += fmt.Sprintf(" (%d tries)", tries)
	}
	return e
}
