package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestWhatIsTriedAgain(t *testing.T) {
	for _, test := range []struct {
		method string
		status int
		calls  int32 // when the upstream always answers so
	}{
		{"GET", 200, 1}, {"POST", 200, 1},
		{"GET", 400, 1}, {"POST", 401, 1}, {"GET", 404, 1}, {"POST", 409, 1}, {"POST", 422, 1},
		{"GET", 429, 3}, {"POST", 429, 3},
		{"GET", 500, 1}, {"POST", 500, 1}, {"GET", 501, 1},
		{"GET", 503, 3}, {"POST", 503, 3}, {"PATCH", 503, 3},
		// The upstream behind the gateway that answers 502 or 504 may have done the work.
		{"GET", 502, 3}, {"PUT", 502, 3}, {"DELETE", 504, 3}, {"POST", 502, 1}, {"POST", 504, 1}, {"PATCH", 502, 1},
	} {
		t.Run(fmt.Sprint(test.method, test.status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, contract := bubble(t, gateway.Options{}, func(w http.ResponseWriter, r *http.Request) {
					w.WriteHeader(test.status)
					fmt.Fprintf(w, "because")
				})
				out, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{Method: test.method, URL: "/", Body: []byte("b")})})
				if out.Observed.GetCalls() != test.calls || out.Observed.GetHttpStatus() != int32(test.status) {
					t.Errorf("observed %v, want %d calls", out.Observed, test.calls)
				}
				if test.status != 200 {
					wantCode(t, e, gateway.CodeExecution, strconv.Itoa(test.status), "because") // the adapter saw the last answer
				}
			})
		})
	}
}

func TestRetriesBackOffAndKeepTheRequestsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var keys, bodies []string
		var times []time.Time
		g, contract := bubble(t, gateway.Options{MaxAttempts: 4, Backoff: time.Second}, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			keys, bodies, times = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, string(b)), append(times, time.Now())
			if len(keys) < 4 {
				w.WriteHeader(503)
			}
		})
		call := gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/", Body: []byte("text")})}
		if _, e := execute(t.Context(), t, g, call); e != nil {
			t.Fatal(e)
		}
		if len(bodies) != 4 || slices.ContainsFunc(bodies, func(b string) bool { return b != "text" }) {
			t.Errorf("bodies %q", bodies)
		}
		if keys[0] == "" || len(slices.Compact(slices.Clone(keys))) != 1 {
			t.Errorf("keys %q", keys)
		}
		for i, least := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second} {
			if gap := times[i+1].Sub(times[i]); gap < least || gap > 2*least {
				t.Errorf("gap %d is %s, want %s to %s", i, gap, least, 2*least)
			}
		}
		first := keys[0]
		if _, e := execute(t.Context(), t, g, call); e != nil || keys[4] == first || keys[4] == "" {
			t.Errorf("another execution has key %q, %v", keys[4], e)
		}
	})
}

func TestKeysTellTheCallsOfOneExecutionApart(t *testing.T) {
	var keys []string
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) { keys = append(keys, r.Header.Get("Idempotency-Key")) })
	own := []adapter.Header{{Name: "idempotency-key", Value: "own"}}
	script := []adapter.Action{
		{Kind: adapter.ActionHTTP, Method: "POST", URL: server.URL},
		{Kind: adapter.ActionHTTP, Method: "POST", URL: server.URL},
		{Kind: adapter.ActionHTTP, Method: "GET", URL: server.URL},
		{Kind: adapter.ActionHTTP, Method: "POST", URL: server.URL, Headers: own},
		done(nil).Actions[0],
	}
	_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL),
		Adapter: machine(func(_ context.Context, state []byte, _ adapter.Event) (adapter.Reply, error) {
			return adapter.Reply{State: append(append([]byte{}, state...), 0), Actions: script[len(state) : len(state)+1]}, nil
		})})
	if e != nil || len(keys) != 4 || keys[0] == "" || keys[1] == "" || keys[0] == keys[1] || keys[2] != "" || keys[3] != "own" {
		t.Errorf("keys %q, %v", keys, e)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, test := range map[string]struct {
		value string
		gap   time.Duration // 0: not tried again
	}{
		"seconds":              {"7", 7 * time.Second},
		"a date":               {"date", 5 * time.Second},
		"a date gone by":       {"Sun, 06 Nov 1994 08:49:37 GMT", -1},
		"beyond the deadline":  {"25", 0},
		"longer than we wait":  {"100000", 0},
		"larger than a number": {"99999999999999999999", -2},
		"not a number":         {"soon", -2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var times []time.Time
				g, contract := bubble(t, gateway.Options{}, func(w http.ResponseWriter, r *http.Request) {
					if times = append(times, time.Now()); len(times) == 1 {
						v := test.value
						if v == "date" {
							v = time.Now().Add(5 * time.Second).UTC().Format(http.TimeFormat)
						}
						w.Header().Set("Retry-After", v)
						w.WriteHeader(429)
					}
				})
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				out, e := execute(ctx, t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})})
				if test.gap == 0 {
					wantCode(t, e, gateway.CodeExecution, "429")
					if len(times) != 1 || out.Observed.GetLatencyMs() != 0 {
						t.Errorf("%d calls, %v", len(times), out.Observed)
					}
					return
				}
				if e != nil || len(times) != 2 {
					t.Fatalf("%d calls, %v", len(times), e)
				}
				gap := times[1].Sub(times[0])
				switch {
				case test.gap > 0 && gap != test.gap, test.gap == -1 && gap != 0, test.gap == -2 && (gap < 100*time.Millisecond || gap > 200*time.Millisecond):
					t.Errorf("tried again after %s", gap)
				}
			})
		})
	}
}

func TestRefusedConnectionIsTriedAgainEvenForAPost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	out, e := execute(t.Context(), t, open(t, gateway.Options{Backoff: time.Nanosecond}), gateway.Call{Contract: contractAt("http://" + l.Addr().String()), Adapter: caller(adapter.Action{URL: "/"})})
	wantCode(t, e, gateway.CodeExecution, "refused", "3 tries", l.Addr().String())
	if out.Observed.GetCalls() != 3 || out.Observed.GetHttpStatus() != 0 || !e.Retryable {
		t.Errorf("observed %v, %+v", out.Observed, e)
	}
	if !strings.Contains(e.Hint, "api.base_url") {
		t.Errorf("the next step is %q", e.Hint)
	}
}

// raw serves each connection with f, which may do what no HTTP server would.
func raw(t *testing.T, f func(n int, c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(n, c)
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return "http://" + l.Addr().String()
}

// request reads one request of which the body is n bytes long.
func request(c net.Conn, n int) string {
	var all []byte
	for b := make([]byte, 1); ; {
		if _, err := io.ReadFull(c, b); err != nil {
			return string(all)
		}
		if all = append(all, b...); strings.HasSuffix(string(all), "\r\n\r\n") {
			break
		}
	}
	b := make([]byte, n)
	_, _ = io.ReadFull(c, b)
	return string(append(all, b...))
}

func TestConnectionThatBreaksBeforeTheAnswer(t *testing.T) {
	for method, want := range map[string]int{"GET": 3, "DELETE": 3, "POST": 1, "PATCH": 1} {
		t.Run(method, func(t *testing.T) {
			var seen atomic.Int64
			base := raw(t, func(_ int, c net.Conn) {
				request(c, 0)
				seen.Add(1)
			})
			out, e := execute(t.Context(), t, open(t, gateway.Options{Backoff: time.Nanosecond}), gateway.Call{Contract: contractAt(base), Adapter: caller(adapter.Action{Method: method, URL: "/"})})
			wantCode(t, e, gateway.CodeExecution)
			if seen.Load() != int64(want) || out.Observed.GetCalls() != int32(want) || !e.Retryable {
				t.Errorf("seen %d times, observed %v, %+v", seen.Load(), out.Observed, e)
			}
		})
	}
}

// net/http repeats a POST by itself when it carries an Idempotency-Key and the pooled connection dies; an upstream
// that does not know the header would work, and charge, twice.
func TestPostOnADyingPooledConnectionIsSentOnce(t *testing.T) {
	var posts atomic.Int64
	base := raw(t, func(_ int, c net.Conn) {
		for strings.HasPrefix(request(c, 4), "POST") {
			if posts.Add(1) == 2 {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	g := open(t, gateway.Options{Backoff: time.Nanosecond})
	call := gateway.Call{Contract: contractAt(base), Adapter: caller(adapter.Action{URL: "/", Body: []byte("work")})}
	if _, e := execute(t.Context(), t, g, call); e != nil {
		t.Fatal(e)
	}
	_, e := execute(t.Context(), t, g, call)
	wantCode(t, e, gateway.CodeExecution)
	g.Close() // ends the server's wait for more requests
	if posts.Load() != 2 {
		t.Errorf("the upstream worked %d times, want 2", posts.Load())
	}
}

func TestCircuitOpensAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status, calls := 500, 0
		g, contract := bubble(t, gateway.Options{}, func(w http.ResponseWriter, r *http.Request) {
			calls++
			w.WriteHeader(status)
		})
		call := gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})}
		for range 5 {
			_, e := execute(t.Context(), t, g, call)
			wantCode(t, e, gateway.CodeExecution, "500")
		}
		out, e := execute(t.Context(), t, g, call)
		wantCode(t, e, gateway.CodeCircuitOpen, "tried again in 10s")
		if calls != 5 || out.Observed.GetCalls() != 0 || !e.Retryable {
			t.Errorf("%d calls, observed %v", calls, out.Observed)
		}

		time.Sleep(10 * time.Second) // of the bubble
		_, e = execute(t.Context(), t, g, call)
		wantCode(t, e, gateway.CodeExecution, "500") // the probe
		_, e = execute(t.Context(), t, g, call)
		wantCode(t, e, gateway.CodeCircuitOpen)

		time.Sleep(10 * time.Second)
		status = 200
		for range 10 {
			if _, e := execute(t.Context(), t, g, call); e != nil {
				t.Fatal(e)
			}
		}
		if calls != 16 {
			t.Errorf("%d calls, want 16", calls)
		}
	})
}

func TestHalfOpenCircuitLetsOneCallThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status, calls := 500, 0
		hold := make(chan struct{})
		g, contract := bubble(t, gateway.Options{Breaker: gateway.Breaker{Failures: 1, Of: 1, Open: time.Minute}}, func(w http.ResponseWriter, r *http.Request) {
			if calls++; calls > 1 {
				<-hold
			}
			w.WriteHeader(status)
		})
		call := gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})}
		_, e := execute(t.Context(), t, g, call)
		wantCode(t, e, gateway.CodeExecution)
		time.Sleep(time.Minute)
		probe := make(chan *gateway.Error)
		go func() {
			_, e := execute(t.Context(), t, g, call)
			probe <- e
		}()
		synctest.Wait()
		_, e = execute(t.Context(), t, g, call)
		wantCode(t, e, gateway.CodeCircuitOpen, "once the call that tries it now has succeeded")
		status = 200
		close(hold)
		if e := <-probe; e != nil {
			t.Error(e)
		}
		if _, e := execute(t.Context(), t, g, call); e != nil {
			t.Error(e)
		}
	})
}

// A caller that gives up says nothing about the service, but a probe must not leave the circuit waiting for ever.
func TestCanceledCallsDoNotOpenTheCircuitAndCanceledProbesDoNotJamIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hang atomic.Bool
		hang.Store(true)
		g, contract := bubble(t, gateway.Options{Breaker: gateway.Breaker{Failures: 2, Of: 2, Open: time.Minute}}, func(w http.ResponseWriter, r *http.Request) {
			if hang.Load() {
				<-r.Context().Done()
			}
		})
		call := gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})}
		short := func(d time.Duration) *gateway.Error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			_, e := execute(ctx, t, g, call)
			return e
		}
		for range 5 {
			wantCode(t, short(time.Second), gateway.CodeTimeout, "deadline")
		}
		// Those that were patient do say something: it hangs.
		for range 2 {
			wantCode(t, short(20*time.Second), gateway.CodeTimeout, "deadline")
		}
		wantCode(t, short(time.Second), gateway.CodeCircuitOpen)
		time.Sleep(time.Minute)
		wantCode(t, short(time.Second), gateway.CodeTimeout) // the probe
		wantCode(t, short(time.Second), gateway.CodeCircuitOpen)
		time.Sleep(time.Minute)
		hang.Store(false)
		if e := short(time.Second); e != nil {
			t.Error(e)
		}
	})
}

func TestRetriesStopWhenTheCircuitOpensAndKeepTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, contract := bubble(t, gateway.Options{MaxAttempts: 10, Breaker: gateway.Breaker{Failures: 2, Of: 2}}, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
		})
		out, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})})
		wantCode(t, e, gateway.CodeExecution, "503")
		if out.Observed.GetCalls() != 2 {
			t.Errorf("observed %v", out.Observed)
		}
	})
}

func TestChangedContractStartsAfreshAndAnEqualOneDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, contract := bubble(t, gateway.Options{MaxServices: 2, Breaker: gateway.Breaker{Failures: 1, Of: 1, Open: time.Hour}}, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
		})
		run := func(c *caiov1.Contract) string {
			_, e := execute(t.Context(), t, g, gateway.Call{Contract: c, Adapter: caller(adapter.Action{URL: "/"})})
			return e.Code
		}
		named := func(id string) *caiov1.Contract {
			c := contractAt("http://service.test")
			c.ServiceId = id
			return c
		}
		equal := contractAt("http://service.test")
		equal.Description = "another revision, called in the same way"
		changed := contractAt("http://service.test:8080")
		for i, step := range []struct {
			contract *caiov1.Contract
			want     string
		}{
			{contract, gateway.CodeExecution},
			{contract, gateway.CodeCircuitOpen},
			{equal, gateway.CodeCircuitOpen},
			{changed, gateway.CodeExecution},
			{changed, gateway.CodeCircuitOpen},
			{named("b"), gateway.CodeExecution},
			{named("c"), gateway.CodeExecution},   // and the first is forgotten
			{named("b"), gateway.CodeCircuitOpen}, // this one is not
			{changed, gateway.CodeExecution},      // now c is
			{named("c"), gateway.CodeExecution},   // and now b
			{changed, gateway.CodeCircuitOpen},
		} {
			if got := run(step.contract); got != step.want {
				t.Errorf("step %d: %s, want %s", i, got, step.want)
			}
		}
	})
}

// Of a service that always refuses, 200 calls bring what was saved up and a fifth of 200 as retries, not 400.
func TestRetriesAreASmallShareOfCalls(t *testing.T) {
	asked := 0
	server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.WriteHeader(http.StatusTooManyRequests)
	})
	g := open(t, gateway.Options{Backoff: time.Nanosecond})
	contract := contractAt(server.URL)
	for range 200 {
		_, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})})
		wantCode(t, e, gateway.CodeExecution, "429")
	}
	if asked < 200+40 || asked > 200+10+40 {
		t.Errorf("%d calls for 200", asked)
	}
}

// What is waited for is nothing to the provider once the caller has gone: it sees the connection close.
func TestCancelingReachesTheProvider(t *testing.T) {
	for framing, first := range map[string]string{"": "", "sse": "data: a\n\n"} {
		came, gone := make(chan struct{}), make(chan time.Time, 1)
		server := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, first)
			w.(http.Flusher).Flush()
			close(came)
			<-r.Context().Done()
			gone <- time.Now()
		})
		ctx, cancel := context.WithCancel(t.Context())
		var canceled time.Time
		go func() {
			<-came
			canceled = time.Now()
			cancel()
		}()
		_, e := execute(ctx, t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt(server.URL), Adapter: caller(adapter.Action{URL: "/", Framing: framing})})
		wantCode(t, e, gateway.CodeCanceled)
		if took := (<-gone).Sub(canceled); took > 100*time.Millisecond {
			t.Errorf("framing %q: the provider saw it after %s", framing, took)
		}
	}
}
