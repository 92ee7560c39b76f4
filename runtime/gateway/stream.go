package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// drainBytes and drainTime bound the reading of what follows the last frame that an adapter wanted: usually the few
// bytes that end the body, after which the connection can be used again.
const (
	drainBytes = 16 << 10
	drainTime  = 250 * time.Millisecond
)

// errSlow is the cause of a try's context once the try has taken too long.
var errSlow = errors.New("no answer in time")

// A try is the life of one request: a context that ends with the caller's, or when the try takes too long. It outlives
// the function that made the request where the body is streamed, which is why failsafe's timeout does not serve.
type try struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	detach  func() bool // from the caller's context
	timer   *time.Timer
	timeout time.Duration
	began   time.Time
}

func newTry(ctx context.Context, timeout time.Duration) *try {
	t := &try{timeout: timeout, began: time.Now()}
	t.ctx, t.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	t.detach = context.AfterFunc(ctx, func() { t.cancel(context.Cause(ctx)) })
	t.timer = time.AfterFunc(timeout, func() { t.cancel(errSlow) })
	return t
}

// end gives back what the try holds; the request is canceled unless it is over.
func (t *try) end() {
	t.detach()
	t.timer.Stop()
	t.cancel(nil)
}

// slow tells whether the try ended because it took too long.
func (t *try) slow() bool { return errors.Is(context.Cause(t.ctx), errSlow) }

// A stream is a streamed body. Reading it fails when nothing comes for as long as a try may take, and when it grows
// over the limit. Not for concurrent use.
type stream struct {
	*try
	body   io.ReadCloser
	frames framer
	permit *permit
	host   string
	read   int64
	limit  int64
	over   bool // the body was read to its end
}

// newStream takes over resp's body, the try and the permit.
func newStream(t *try, p *permit, resp *http.Response, r *request, o *Options) *stream {
	s := &stream{try: t, body: resp.Body, permit: p, host: r.hostport, limit: o.MaxStreamBytes}
	s.frames = newFramer(r.framing, s, int(o.MaxBodyBytes), !closeDelimited(resp))
	t.timer.Stop()
	p.answered()
	return s
}

// closeDelimited tells whether only the closing of the connection shows where the body ends.
func closeDelimited(resp *http.Response) bool {
	return resp.ProtoMajor == 1 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && !resp.Uncompressed
}

// Read implements io.Reader for the framer. The clock runs only here: the time that the caller takes to accept a delta
// is not the upstream's.
func (s *stream) Read(p []byte) (int, error) {
	s.timer.Reset(s.timeout)
	n, err := s.body.Read(p)
	s.timer.Stop()
	s.over = errors.Is(err, io.EOF)
	if s.read += int64(n); s.read > s.limit {
		return n, &tooLarge{"streamed body", s.limit}
	}
	return n, err
}

// failed tells the breaker about a stream that could not be read to its end, and returns what really was the matter.
func (s *stream) failed(err error) error {
	var large *tooLarge
	if s.slow() {
		err = errSlow
	}
	s.permit.tell(errors.As(err, &large))
	return err
}

// close gives the body back. good: all that was wanted of it came. What follows is then read, within bounds, on a
// goroutine that no longer depends on the caller.
func (s *stream) close(g *Gateway, good bool) {
	drop := func() {
		s.body.Close()
		s.end()
	}
	if !good {
		s.permit.abandon()
		drop()
		return
	}
	s.permit.tell(true)
	s.detach()
	drain := func() {
		s.timer.Reset(drainTime)
		_, _ = io.CopyN(io.Discard, s.body, drainBytes) // an error only means that the connection is not used again
		drop()
	}
	if s.over || !g.spawn(drain) {
		drop()
	}
}
