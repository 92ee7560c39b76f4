//go:build bench

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/engine/enginetest"
	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// TestBenchDecision prints what decisions cost, both engines side by side, and writes it to bench-decision.json. The
// figures are of the machine it runs on, which nothing else should keep busy.
func TestBenchDecision(t *testing.T) {
	b := &decisionBench{t: t}
	b.t.Logf("%s, %d processors", runtime.Version(), runtime.NumCPU())
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent)) // as in a server
	small, large := enginetest.Small(), enginetest.Large()
	b.inProcess("decide, 100 services, 50 rules, 20 candidates", small, 5000, 200, "p99 < 200 us, < 60 allocations")
	b.inProcess("decide, 10,000 services, 1,000 rules, 1,000 candidates", large, 1000, 5, "p99 < 5 ms")
	b.flat()
	b.overConnect(small)
	raw, err := json.MarshalIndent(b.rows, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "bench-decision.json"), append(raw, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

type decisionBench struct {
	t    *testing.T
	rows []decisionRow
}

// A decisionRow is one line of the table.
type decisionRow struct {
	What   string  `json:"what"`
	Engine string  `json:"engine"`
	P50    float64 `json:"p50_us"`
	P99    float64 `json:"p99_us"`
	Max    float64 `json:"max_us"`
	Allocs float64 `json:"allocs,omitempty"` // a decision; 0: not counted
	Rate   float64 `json:"per_second,omitempty"`
	Must   string  `json:"must,omitempty"`
}

func (b *decisionBench) add(r decisionRow, times []time.Duration) decisionRow {
	slices.Sort(times)
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	r.P50, r.P99, r.Max = micros(times[len(times)/2]), micros(times[len(times)*99/100]), micros(times[len(times)-1])
	b.rows = append(b.rows, r)
	extra := ""
	if r.Allocs > 0 {
		extra += fmt.Sprintf("  %6.0f allocs", r.Allocs)
	}
	if r.Rate > 0 {
		extra += fmt.Sprintf("  %6.0f/s", r.Rate)
	}
	b.t.Logf("%-62s %-9s p50 %10.1f us  p99 %10.1f us%s   %s", r.What, r.Engine, r.P50, r.P99, extra, r.Must)
	return r
}

func (b *decisionBench) snapshot(size enginetest.Size, on policy.Engine) *engine.Snapshot {
	b.t.Helper()
	checker, err := contract.NewSchema()
	if err != nil {
		b.t.Fatal(err)
	}
	registry, err := size.Registry(checker)
	if err != nil {
		b.t.Fatal(err)
	}
	set, err := policy.Load(size.Policies())
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := engine.NewSnapshot(registry, set, on, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// inProcess measures the decision itself, all proofs made, by both engines.
func (b *decisionBench) inProcess(what string, size enginetest.Size, n, ofOPA int, must string) {
	for _, on := range []policy.Engine{policy.Factored, policy.OPA} {
		runs := n
		if on == policy.OPA {
			runs, must = ofOPA, ""
		}
		s, requests := b.snapshot(size, on), varied(size)
		times, allocs, err := b.run(s, requests, runs)
		if err != nil {
			b.t.Logf("%-62s %-9s %v", what, on, err)
			continue
		}
		b.add(decisionRow{What: what, Engine: string(on), Allocs: allocs, Must: must}, times)
	}
}

// varied returns requests that differ in what rules ask about, so that nothing rests on one being like the last.
func varied(size enginetest.Size) []*caiov1.Request {
	var out []*caiov1.Request
	for i := range 16 {
		r := size.Request()
		r.Principal.Subject = fmt.Sprintf("u%d", i)
		r.Principal.Tenant = fmt.Sprintf("tenant-%d", 6*i)
		r.Principal.TrustLevel = int32(4 + i%5)
		r.Data.Residency = []string{"", "eu", "de", "us"}[i%4]
		r.Data.ContainsPhi = i%3 == 0
		r.Context.Priority = []string{"low", "normal", "high"}[i%3]
		out = append(out, r)
	}
	return out
}

func (b *decisionBench) run(s *engine.Snapshot, requests []*caiov1.Request, n int) ([]time.Duration, float64, error) {
	decide := func(i int) error {
		_, err := s.Decide(b.t.Context(), engine.NoPast, requests[i%len(requests)], uint64(i), false)
		return err
	}
	// As many before as are measured: memory that was never used costs the first who touches it more than deciding does.
	for i := range n {
		if err := decide(i); err != nil {
			return nil, 0, err
		}
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	times := make([]time.Duration, n)
	for i := range times {
		start := time.Now()
		if err := decide(i); err != nil {
			return nil, 0, err
		}
		times[i] = time.Since(start)
	}
	runtime.ReadMemStats(&after)
	return times, float64(after.Mallocs-before.Mallocs) / float64(n), nil
}

// flat measures whether services that are no candidates cost anything.
func (b *decisionBench) flat() {
	var medians []float64
	for _, services := range []int{100, 1000, 10_000} {
		size := enginetest.Size{Services: services, Candidates: 20, Rules: 50}
		times, _, err := b.run(b.snapshot(size, policy.Factored), varied(size), 3000)
		if err != nil {
			b.t.Fatal(err)
		}
		r := b.add(decisionRow{What: fmt.Sprintf("decide, %d services, 50 rules, 20 candidates", services), Engine: "factored"}, times)
		medians = append(medians, r.P50)
	}
	b.t.Logf("%-62s %-9s %.2f times   flat within 1.5", "cost at 10,000 services over that at 100", "factored", medians[2]/medians[0])
}

// overConnect measures decisions over the network, traces recorded, on processors shared with the callers, and what
// activating 1,000 rules does to requests that run meanwhile.
func (b *decisionBench) overConnect(size enginetest.Size) {
	h := startHouse(b.t, b.t.TempDir())
	h.token = strings.TrimSpace(command(b.t, binary(b.t), "token", "mint", "--key", filepath.Join(h.data, "keys", "private.jwk"), "--subject", "u1",
		"--tenant", "tenant-7", "--role", "user", "--permission", "chat", "--trust", "5", "--ttl", "1h"))
	admin := strings.TrimSpace(command(b.t, binary(b.t), "token", "mint", "--key", filepath.Join(h.data, "keys", "private.jwk"), "--subject", "root",
		"--role", "admin", "--ttl", "1h"))
	b.populate(h, size, admin)
	activate := func(size enginetest.Size) {
		policies := caiov1connect.NewPolicyServiceClient(h.httpClient, h.url, connect.WithInterceptors(withToken(admin)))
		if _, err := policies.Activate(b.t.Context(), connect.NewRequest(&caiov1.PolicyServiceActivateRequest{Files: filesOf(b.t, size.Policies())})); err != nil {
			b.t.Fatal(err)
		}
	}
	activate(size)
	client := h.orchestrator()
	decide := func() error {
		r := size.Request()
		r.Principal = nil
		_, err := client.Decide(b.t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: r}))
		return err
	}
	b.load(64, time.Second, decide)
	b.floor()
	raw := b.raw(h.url, b.rawDecide(h, size), 1000, 64)
	before := cpuOf(b.t, h.cmd.Process.Pid)
	times, rate := b.load(64, 8*time.Second, raw)
	perRequest := (cpuOf(b.t, h.cmd.Process.Pid) - before) / float64(len(times)) * 1e6
	b.add(decisionRow{What: "Decide over Connect, traces recorded, 64 callers that only read", Engine: "factored", Rate: rate, Must: "8,000/s, p99 < 25 ms"}, times)
	b.t.Logf("%-62s %-9s %.0f us of a processor", "of that, the server's share of one decision", "", perRequest)
	times, rate = b.load(64, 8*time.Second, decide)
	b.add(decisionRow{What: "Decide over Connect, traces recorded, 64 callers that decode", Engine: "factored", Rate: rate}, times)

	// The same load, thinner, so that what is seen is the activation and not the queue.
	paced := func() error {
		time.Sleep(8 * time.Millisecond)
		return decide()
	}
	calm, _ := b.load(8, 5*time.Second, paced)
	shift(calm, 8*time.Millisecond)
	b.add(decisionRow{What: "Decide, paced", Engine: "factored"}, calm)
	many := enginetest.Size{Services: size.Services, Candidates: size.Candidates, Rules: 1000}
	var activating sync.WaitGroup
	activating.Go(func() {
		for i := range 4 {
			activate([]enginetest.Size{many, size}[i%2])
		}
	})
	busy, _ := b.load(8, 5*time.Second, paced)
	activating.Wait()
	shift(busy, 8*time.Millisecond)
	r := b.add(decisionRow{What: "Decide, paced, while 1,000 rules are activated, twice", Engine: "factored", Must: "none slower than 50 ms for it"}, busy)
	b.t.Logf("%-62s %-9s slowest %.1f ms; without, %.1f ms", "", "", r.Max/1000, b.rows[len(b.rows)-2].Max/1000)
}

// floor measures what the network takes by itself: a reverse proxy that decides nothing and records nothing, before an
// upstream that answers at once. It tells how fast this machine is today.
func (b *decisionBench) floor() {
	upstream := instantUpstream(b.t)
	proxy := startProxy(b.t, upstream.URL)
	const body = `{"text":"hello"}`
	request := fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: caio\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	post := b.raw(proxy.url, request, 100, 64)
	b.load(64, time.Second, post)
	before := cpuOf(b.t, proxy.pid)
	times, rate := b.load(64, 4*time.Second, post)
	perRequest := (cpuOf(b.t, proxy.pid) - before) / float64(len(times)) * 1e6
	b.add(decisionRow{What: "for comparison: a reverse proxy that only hands on", Engine: "none", Rate: rate}, times)
	b.t.Logf("%-62s %-9s %.0f us of a processor", "of that, the proxy's share of one request", "", perRequest)
}

// rawDecide returns the request of a decision as bytes.
func (b *decisionBench) rawDecide(h *house, size enginetest.Size) []byte {
	r := size.Request()
	r.Principal = nil
	body, err := proto.Marshal(&caiov1.DecideRequest{Request: r})
	if err != nil {
		b.t.Fatal(err)
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: caio\r\nContent-Type: application/proto\r\nContent-Length: %d\r\nAuthorization: Bearer %s\r\n\r\n%s",
		caiov1connect.OrchestratorServiceDecideProcedure, len(body), h.token, body)
}

// raw calls as load generators do, over one of callers connections: the request is bytes, and the answer, of at least so
// many, is read and not decoded. On processors that callers share with the server, what Go's own HTTP client takes would be
// missing there.
func (b *decisionBench) raw(url string, request []byte, atLeast int64, callers int) func() error {
	host := strings.TrimPrefix(url, "http://")
	type connection struct {
		net.Conn
		answers *bufio.Reader
	}
	idle := make(chan *connection, callers)
	for range callers {
		conn, err := net.Dial("tcp", host)
		if err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(func() { _ = conn.Close() })
		idle <- &connection{conn, bufio.NewReaderSize(conn, 32<<10)}
	}
	return func() error {
		c := <-idle
		defer func() { idle <- c }()
		if _, err := c.Write(request); err != nil {
			return err
		}
		answer, err := http.ReadResponse(c.answers, nil)
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, answer.Body)
		if err == nil && (answer.StatusCode != http.StatusOK || n < atLeast) {
			err = fmt.Errorf("status %d, %d bytes", answer.StatusCode, n)
		}
		return err
	}
}

// shift takes the pause before each call out of its time.
func shift(times []time.Duration, by time.Duration) {
	for i := range times {
		times[i] = max(0, times[i]-by)
	}
}

func (b *decisionBench) populate(h *house, size enginetest.Size, admin string) {
	checker, err := contract.NewSchema()
	if err != nil {
		b.t.Fatal(err)
	}
	registry, err := size.Registry(checker)
	if err != nil {
		b.t.Fatal(err)
	}
	client := caiov1connect.NewRegistryServiceClient(h.httpClient, h.url, connect.WithInterceptors(withToken(admin)))
	for s := range registry.All() {
		if _, err := client.Register(b.t.Context(), connect.NewRequest(&caiov1.RegisterRequest{
			Form: &caiov1.RegisterRequest_Source{Source: &caiov1.Source{Filename: s.ID() + ".json", Content: s.JSON()}},
		})); err != nil {
			b.t.Fatal(err)
		}
	}
}

// load calls from callers at once for d and returns how long each call took and how many there were a second.
func (b *decisionBench) load(callers int, d time.Duration, call func() error) ([]time.Duration, float64) {
	ctx, cancel := context.WithTimeout(b.t.Context(), d)
	defer cancel()
	all := make([][]time.Duration, callers)
	var running sync.WaitGroup
	var failed atomic.Pointer[error]
	start := time.Now()
	for i := range callers {
		running.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				if err := call(); err != nil {
					failed.Store(&err)
					return
				}
				all[i] = append(all[i], time.Since(began))
			}
		})
	}
	running.Wait()
	elapsed := time.Since(start)
	if err := failed.Load(); err != nil {
		b.t.Fatal(*err)
	}
	times := slices.Concat(all...)
	return times, float64(len(times)) / elapsed.Seconds()
}

func filesOf(t *testing.T, fsys fs.FS) []*caiov1.PolicyFile {
	t.Helper()
	bundle, err := policy.ReadBundle(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return bundle.Messages()
}
