package gateway_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

var sse = adapter.Action{URL: "/", Framing: "sse"}

func collect(into *strings.Builder) func(*caiov1.Delta) error {
	return func(d *caiov1.Delta) error {
		into.WriteString(d.GetText())
		return nil
	}
}

func TestStreamReachesTheCallerFrameByFrame(t *testing.T) {
	for framing, in := range map[string]string{
		"sse": "data: a\n\ndata: b\n\n", "ndjson": "a\nb\n", "bytes": "ab",
		"eventstream": "\x00\x00\x00'\x00\x00\x00\x16\xe2\x17\x99,\x0d:message-type\x07\x00\x05eventa\x8f\x7f\xcd\x9c" +
			"\x00\x00\x00'\x00\x00\x00\x16\xe2\x17\x99,\x0d:message-type\x07\x00\x05eventb\x16v\x9c&",
	} {
		got := make(chan string)
		server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			half := len(in) / 2
			io.WriteString(w, in[:half])
			w.(http.Flusher).Flush()
			<-got // the first frame arrived before the second was written
			io.WriteString(w, in[half:])
		})
		var all strings.Builder
		out, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Stream: true,
			Adapter: caller(adapter.Action{URL: "/", Framing: framing}),
			Emit: func(d *caiov1.Delta) error {
				if all.WriteString(d.GetText()); all.Len() == 1 {
					got <- "a"
				}
				return nil
			}})
		if e != nil || all.String() != "ab" || body(out) != "ab" {
			t.Errorf("%s: %q, %q, %v", framing, all.String(), body(out), e)
		}
	}
}

// A body that is cut anywhere is an error; what was emitted by then is told.
func TestStreamCutAtEachByteIsAnError(t *testing.T) {
	const payload = "data: a\n\ndata: b\n\n"
	chunked := fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n%s\r\n9\r\n%s\r\n0\r\n\r\n", payload[:9], payload[9:])
	sized := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(payload), payload)
	for kind, whole := range map[string]string{"chunked": chunked, "sized": sized} {
		base := raw(t, func(n int, c net.Conn) {
			request(c, 0)
			io.WriteString(c, whole[:min(n, len(whole))])
		})
		g := open(t, gateway.Options{MaxAttempts: 1, Breaker: gateway.Breaker{Failures: 1 << 20}})
		for n := range len(whole) + 1 {
			var all strings.Builder
			_, e := execute(t.Context(), t, g, gateway.Call{Contract: contractAt(base), Adapter: caller(sse), Stream: true, Emit: collect(&all)})
			if n == len(whole) {
				if e != nil || all.String() != "ab" {
					t.Errorf("%s, whole: %q, %v", kind, all.String(), e)
				}
				continue
			}
			if e == nil {
				t.Fatalf("%s, cut after %q: a clean end", kind, whole[:n])
			}
			wantCode(t, e, gateway.CodeExecution)
			if e.Sent != (all.Len() > 0) || !e.Retryable {
				t.Errorf("%s, cut after %q: %q was emitted, %+v", kind, whole[:n], all.String(), e)
			}
		}
	}
}

func TestWholeBodyCutAtEachByteIsAnError(t *testing.T) {
	const whole = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
	base := raw(t, func(n int, c net.Conn) {
		request(c, 0)
		io.WriteString(c, whole[:min(n, len(whole))])
	})
	g := open(t, gateway.Options{MaxAttempts: 1, Breaker: gateway.Breaker{Failures: 1 << 20}})
	for n := range len(whole) + 1 {
		out, e := execute(t.Context(), t, g, gateway.Call{Contract: contractAt(base), Adapter: caller(adapter.Action{URL: "/"})})
		if n < len(whole) {
			wantCode(t, e, gateway.CodeExecution)
		} else if e != nil || body(out) != "body" {
			t.Error(e)
		}
	}
}

func TestStreamThatIsResetIsAnError(t *testing.T) {
	base := raw(t, func(_ int, c net.Conn) {
		request(c, 0)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n")
		_ = c.(*net.TCPConn).SetLinger(0) // RST instead of FIN
	})
	_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(base), Adapter: caller(sse)})
	wantCode(t, e, gateway.CodeExecution)
}

func TestStreamOverHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("spoken %s", r.Proto)
		}
		io.WriteString(w, "data: a\n\n")
		w.(http.Flusher).Flush()
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler) // RST_STREAM
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	transport := gateway.NewTransport(gateway.TransportOptions{})
	transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	g := open(t, gateway.Options{Transport: transport})
	var all strings.Builder
	call := gateway.Call{Contract: contractAt(server.URL), Adapter: caller(sse), Stream: true, Emit: collect(&all)}
	if _, e := execute(t.Context(), t, g, call); e != nil || all.String() != "a" {
		t.Errorf("%q, %v", all.String(), e)
	}
	call.Adapter = caller(adapter.Action{URL: "/cut", Framing: "sse"})
	_, e := execute(t.Context(), t, g, call)
	wantCode(t, e, gateway.CodeExecution)
	if !e.Sent {
		t.Error("a delta was sent")
	}
}

func TestCertificateOfAStrangerIsRefusedOnce(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the broken handshake
	server.StartTLS()
	t.Cleanup(server.Close)
	out, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{Method: "GET", URL: "/"})})
	wantCode(t, e, gateway.CodeExecution, "certificate")
	if out.Observed.GetCalls() != 1 {
		t.Errorf("observed %v", out.Observed)
	}
}

func TestCompressedBodies(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, "data: "+strings.Repeat("a", 1000)+"\n\n")
	z.Close()
	var length atomic.Int64
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			t.Error("compression was not offered")
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(packed.Bytes()[:length.Load()])
	})
	g := open(t, gateway.Options{})
	length.Store(int64(packed.Len()))
	out, e := execute(t.Context(), t, g, gateway.Call{Contract: contractAt(server.URL), Adapter: caller(sse)})
	if e != nil || body(out) != strings.Repeat("a", 1000) {
		t.Error(e)
	}
	_, e = execute(t.Context(), t, open(t, gateway.Options{MaxBodyBytes: 100}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{URL: "/"})})
	wantCode(t, e, gateway.CodeExecution, "limit of 100 bytes") // counted as it unfolds
	length.Store(int64(packed.Len() - 5))
	_, e = execute(t.Context(), t, g, gateway.Call{Contract: contractAt(server.URL), Adapter: caller(sse)})
	wantCode(t, e, gateway.CodeExecution, "broke off")
}

func TestBodyOverTheLimitNamesIt(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte("data: " + strings.Repeat("x", 60_000) + "\n\n")
		if r.URL.Path == "/sized" {
			w.Header().Set("Content-Length", "1000000000")
		}
		if r.URL.Path == "/line" {
			chunk = bytes.Repeat([]byte("x"), 9000)
		}
		if r.URL.Path == "/failed" {
			w.WriteHeader(500)
		}
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	g := open(t, gateway.Options{MaxBodyBytes: 1 << 20, MaxStreamBytes: 1 << 21, Breaker: gateway.Breaker{Failures: 1, Of: 1}})
	for path, test := range map[string]struct{ framing, says string }{
		"/sized":   {"", "body is larger than the limit of 1048576 bytes"},
		"/chunked": {"", "body is larger than the limit of 1048576 bytes"},
		"/failed":  {"sse", "body is larger than the limit of 1048576 bytes"},
		"/stream":  {"sse", "streamed body is larger than the limit of 2097152 bytes"},
		"/line":    {"ndjson", "line of the streamed body is larger than the limit of 1048576 bytes"},
	} {
		out, e := execute(t.Context(), t, g, gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{Method: "GET", URL: path, Framing: test.framing})})
		wantCode(t, e, gateway.CodeExecution, test.says)
		if out.Observed.GetCalls() != 1 {
			t.Errorf("%s: observed %v", path, out.Observed)
		}
	}
}

func TestHeadHasNoBodyHoweverLongItSaysItIs(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "1000000000") })
	if _, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{Method: "HEAD", URL: "/"})}); e != nil {
		t.Error(e)
	}
}

// A provider may answer a wish for events with an ordinary document, an error inside a 200 above all.
func TestDocumentInsteadOfEventsReachesTheAdapterWhole(t *testing.T) {
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		io.WriteString(w, `{"error":"no"}`)
	})
	out, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(sse)})
	if e != nil || body(out) != `{"error":"no"}` {
		t.Error(out, e)
	}
	// An adapter that does not look at the body and asks for frames is told that there are none.
	out, e = execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL),
		Adapter: machine(func(ctx context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
			if ev.Kind == adapter.KindResponse {
				return adapter.Reply{}, nil
			}
			return caller(sse)(ctx, state, ev)
		})})
	if e != nil || body(out) != "" {
		t.Error(out, e)
	}
}

func TestGarbageInsteadOfAnAnswer(t *testing.T) {
	for name, answer := range map[string]string{
		"no HTTP":          "SSH-2.0-OpenSSH_9.6\r\n",
		"status":           "HTTP/1.1 abc OK\r\n\r\n",
		"header":           "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"endless header":   "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 300<<10) + "\r\n\r\n",
		"length":           "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"two lengths":      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"chunk size":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"upgrade, unasked": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			base := raw(t, func(_ int, c net.Conn) {
				request(c, 0)
				io.WriteString(c, answer)
			})
			out, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(base), Adapter: caller(adapter.Action{URL: "/"})})
			wantCode(t, e, gateway.CodeExecution, "echo")
			if out.Observed.GetCalls() != 1 || len(e.Message) > 500 {
				t.Errorf("observed %v, %d bytes of message", out.Observed, len(e.Message))
			}
		})
	}
}

// pause lets the bubble's time pass, as long as the client is there.
func pause(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

func TestSlowUpstreamEndsInATimeout(t *testing.T) {
	drip := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			io.WriteString(w, ": \n")
			w.(http.Flusher).Flush()
			pause(r, 10*time.Second)
		}
	}
	for name, test := range map[string]struct {
		serve    http.HandlerFunc
		call     adapter.Action
		deadline time.Duration
		took     time.Duration
		says     string
		calls    int32
	}{
		"no head, GET":  {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, adapter.Action{Method: "GET", URL: "/"}, 0, 90 * time.Second, "within 30s (3 tries)", 3},
		"no head, POST": {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, adapter.Action{URL: "/"}, 0, 30 * time.Second, "within 30s", 1},
		"slow loris":    {drip, adapter.Action{URL: "/"}, 0, 30 * time.Second, "within 30s", 1},
		// Each piece of a stream comes in time; only the deadline ends it.
		"slow loris stream": {drip, sse, 95 * time.Second, 95 * time.Second, "deadline", 1},
		"stream that stops": {func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			pause(r, 20*time.Second)
			io.WriteString(w, ": \n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, sse, 0, 50 * time.Second, "within 30s", 1},
		"deadline first": {func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, adapter.Action{Method: "GET", URL: "/"}, 40 * time.Second, 40 * time.Second, "deadline", 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, contract := bubble(t, gateway.Options{Backoff: time.Nanosecond}, test.serve)
				contract.Adapter.Settings = settings(t, map[string]any{"timeout_ms": 30_000})
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if test.deadline > 0 {
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
				}
				defer cancel()
				began := time.Now()
				out, e := execute(ctx, t, g, gateway.Call{Contract: contract, Adapter: caller(test.call)})
				wantCode(t, e, gateway.CodeTimeout, test.says)
				if d := time.Since(began).Truncate(time.Millisecond); d != test.took || out.Observed.GetCalls() != test.calls {
					t.Errorf("took %s, want %s; observed %v, want %d calls", d, test.took, out.Observed, test.calls)
				}
				if e.Retryable != (test.deadline == 0) {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

// The time that a slow reader takes is not held against the upstream.
func TestSlowReaderIsNotASlowUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, contract := bubble(t, gateway.Options{TryTimeout: time.Second}, func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				io.WriteString(w, "data: a\n\n")
				w.(http.Flusher).Flush()
			}
		})
		_, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(sse), Stream: true,
			Emit: func(*caiov1.Delta) error { time.Sleep(time.Minute); return nil }})
		if e != nil {
			t.Error(e)
		}
	})
}

func TestCancellationReachesTheUpstream(t *testing.T) {
	for name, call := range map[string]adapter.Action{
		"while waiting for the head": {URL: "/silent"},
		"in the middle of a stream":  {URL: "/stream", Framing: "sse"},
		"in the middle of a body":    {URL: "/stream"},
	} {
		t.Run(name, func(t *testing.T) {
			arrived, left := make(chan struct{}), make(chan struct{})
			server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/stream" {
					io.WriteString(w, "data: a\n\n")
					w.(http.Flusher).Flush()
				}
				close(arrived)
				<-r.Context().Done()
				close(left)
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			hungUp := errors.New("hung up")
			go func() {
				<-arrived
				cancel(hungUp)
			}()
			_, e := execute(ctx, t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(call)})
			wantCode(t, e, gateway.CodeCanceled)
			if e.Retryable || !errors.Is(e, hungUp) {
				t.Errorf("%+v", e)
			}
			<-left // the test times out if the upstream never sees it
		})
	}
}

func TestCancellationEndsAWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, e := execute(ctx, t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt("http://service.test"),
		Adapter: machine(func(context.Context, []byte, adapter.Event) (adapter.Reply, error) {
			cancel()
			return adapter.Reply{Actions: []adapter.Action{{Kind: adapter.ActionWait, DelayMS: 1 << 31}}}, nil
		})})
	wantCode(t, e, gateway.CodeCanceled)
}

// An adapter that is done at a provider's own end mark leaves a few bytes unread; they must not cost the connection.
func TestFinishedStreamGivesItsConnectionBack(t *testing.T) {
	connections := make(chan net.Conn, 10)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "data: [DONE]\n\n")
		w.(http.Flusher).Flush()
	}))
	server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections <- c
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	transport := gateway.NewTransport(gateway.TransportOptions{})
	t.Cleanup(transport.CloseIdleConnections)
	for range 5 {
		// Close waits for the draining, so that each call finds the connection of the one before.
		g := gateway.New(gateway.Options{Transport: struct{ http.RoundTripper }{transport}})
		_, e := execute(t.Context(), t, g, gateway.Call{Contract: contractAt(server.URL),
			Adapter: machine(func(ctx context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
				if ev.Kind == adapter.KindFrame {
					return done(nil), nil
				}
				return caller(sse)(ctx, state, ev)
			})})
		if e != nil {
			t.Fatal(e)
		}
		g.Close()
	}
	if len(connections) != 1 {
		t.Errorf("%d connections for five streams", len(connections))
	}
}

func TestAnswersGiveTheirConnectionBack(t *testing.T) {
	connections := make(chan net.Conn, 10)
	var asked atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		case asked.Add(1)%2 == 1:
			w.WriteHeader(503)
			io.WriteString(w, strings.Repeat("busy ", 1000))
		default:
			io.WriteString(w, strings.Repeat("answer ", 1000))
		}
	}))
	server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections <- c
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	g := open(t, gateway.Options{Backoff: time.Nanosecond, Breaker: gateway.Breaker{Failures: 100}})
	for range 5 {
		if _, e := execute(t.Context(), t, g, gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{URL: "/"})}); e != nil {
			t.Fatal(e)
		}
	}
	if len(connections) != 1 || asked.Load() != 10 {
		t.Errorf("%d connections for %d answers", len(connections), asked.Load())
	}
}

func TestUpstreamThatHoldsAFinishedStreamOpenIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan struct{})
		g, contract := bubble(t, gateway.Options{}, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "data: [DONE]\n\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			close(left)
		})
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		_, e := execute(ctx, t, g, gateway.Call{Contract: contract, Adapter: machine(func(ctx context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
			if ev.Kind == adapter.KindFrame {
				return done(nil), nil
			}
			return caller(sse)(ctx, state, ev)
		})})
		if e != nil || time.Since(began) != 0 {
			t.Errorf("the caller waited %s, %v", time.Since(began), e)
		}
		cancel()
		<-left
		if d := time.Since(began); d != 250*time.Millisecond {
			t.Errorf("left after %s", d)
		}
	})
}
