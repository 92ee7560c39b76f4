package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Serve answers on listener until ctx ends, then shuts down: health turns to "draining", watches end cleanly, no
// connection is accepted any more, and running requests may finish within Options.Grace. What still runs then is
// canceled and its connections are closed, which is an error. A listener that breaks ends it in the same way, with its
// error. Serve returns nil after a clean end, and in any case only when no request runs any more; listener is closed. It
// may be called once.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	// Requests outlive ctx by the grace period, so they hang on a context of their own.
	base, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	running := &inFlight{next: steady(s)}
	h := newHTTPServer(running, s.opts.Logger)
	h.BaseContext = func(net.Listener) context.Context { return base }

	served := make(chan error, 1)
	go func() {
		defer close(served)
		served <- h.Serve(steadyListener{listener})
	}()
	var broken error
	select {
	case err := <-served:
		// Requests that came before still run, and our caller will close what they stand on.
		broken = fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}

	s.Drain()
	grace, release := context.WithTimeout(base, s.opts.Grace)
	defer release()
	err := h.Shutdown(grace)
	<-served // it returned when Shutdown closed the listener
	if err == nil {
		return broken
	}
	cancel(errDraining)
	_ = h.Close() // it can only complain of connections that are gone
	running.wait()
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(broken, fmt.Errorf("shut down: requests still ran after %s and were canceled", s.opts.Grace))
	}
	return errors.Join(broken, fmt.Errorf("shut down: %w", err))
}

// newHTTPServer has the limits of a server that strangers talk to. There is no read or write timeout over a whole
// request, for a stream has no length; bodies have one of their own (bodyTimeout), answers end with the engine's
// deadline, a peer that does not read is dropped (writeTimeout), and one that went silent is found by HTTP/2 pings and
// TCP keep-alive.
func newHTTPServer(h http.Handler, logger *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           h,
		Protocols:         protocols,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 1000,
			SendPingTimeout:      30 * time.Second,
			PingTimeout:          15 * time.Second,
		},
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}

// inFlight knows when none of its requests runs any more, which http.Server does not tell after Close.
type inFlight struct {
	next    http.Handler
	running sync.RWMutex // each request holds it for reading
}

func (f *inFlight) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.running.RLock()
	defer f.running.RUnlock()
	f.next.ServeHTTP(w, r)
}

// wait returns when no request runs.
func (f *inFlight) wait() {
	f.running.Lock()
	defer f.running.Unlock()
}

// writeTimeout is how long a peer may take to make room for the next writePiece bytes. Without it a caller that opens a
// stream and never reads holds a handler, and its upstream call, for ever: a blocked write heeds no context.
const (
	writeTimeout = 60 * time.Second
	writePiece   = 64 << 10
)

// steady serves h with answers over HTTP/2 that do not wait for ever. There the deadline of the connection is not enough:
// a peer that takes frames, pings among them, but gives one stream no window blocks that stream alone.
func steady(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor < 2 {
			h.ServeHTTP(w, r)
			return
		}
		answer := steadyWriter{w, http.NewResponseController(w)}
		h.ServeHTTP(answer, r)
		if r.Context().Err() == nil {
			answer.within(writeTimeout) // what is still buffered goes out once we have returned
		}
	})
}

// steadyWriter is a ResponseWriter of HTTP/2. Between writes it has no deadline, for a stream may be quiet for long.
type steadyWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Unwrap is for http.ResponseController.
func (w steadyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// within resets the stream after d, unless it is called again before. 0: never. A writer without deadlines, such as a
// test's, is done without.
func (w steadyWriter) within(d time.Duration) {
	var deadline time.Time
	if d > 0 {
		deadline = time.Now().Add(d)
	}
	_ = w.control.SetWriteDeadline(deadline)
}

func (w steadyWriter) Write(p []byte) (written int, err error) {
	defer w.within(0)
	for {
		piece := p[:min(len(p), writePiece)]
		w.within(writeTimeout)
		n, err := w.ResponseWriter.Write(piece)
		written += n
		if p = p[len(piece):]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// Flush is what connect looks for.
func (w steadyWriter) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController looks for.
func (w steadyWriter) FlushError() error {
	w.within(writeTimeout)
	defer w.within(0)
	return w.control.Flush()
}

// steadyListener accepts connections whose writes do not wait for ever.
type steadyListener struct{ net.Listener }

func (l steadyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return steadyConn{conn}, nil
}

type steadyConn struct{ net.Conn }

// CloseWrite lets net/http end an answer before it closes a connection on which the caller is still sending.
func (c steadyConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c steadyConn) Write(p []byte) (written int, err error) {
	for {
		piece := p[:min(len(p), writePiece)]
		if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(piece)
		written += n
		if p = p[len(piece):]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}
