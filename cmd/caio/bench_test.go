//go:build bench

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestBench prints what the walk of a request costs, stage by stage and whole, and writes it to bench.json. Figures are
// of the machine it runs on; the proxy in the same run is what they are held against.
func TestBench(t *testing.T) {
	b := &bench{t: t, figures: map[string]float64{}}
	b.decision()
	b.adapterCall()
	b.wholeRequests()
	b.streams()
	b.openStreams()
	b.memoryAndStart()
	raw, err := json.MarshalIndent(b.figures, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "bench.json"), append(raw, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

type bench struct {
	t       *testing.T
	figures map[string]float64
}

func (b *bench) report(name string, value float64, unit string) {
	b.figures[name+"_"+unit] = value
	b.t.Logf("%-52s %12.2f %s", name, value, unit)
}

// each runs f n times after a tenth of that as warm-up and reports its median, p99 and allocations.
func (b *bench) each(name string, n int, f func() error) {
	for range n / 10 {
		if err := f(); err != nil {
			b.t.Fatal(err)
		}
	}
	times := make([]time.Duration, n)
	for i := range times {
		start := time.Now()
		if err := f(); err != nil {
			b.t.Fatal(err)
		}
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	b.report(name+"_p50", micros(times[n/2]), "us")
	b.report(name+"_p99", micros(times[n*99/100]), "us")
	b.report(name+"_allocs", testing.AllocsPerRun(50, func() { _ = f() }), "count")
}

// decision: 100 services, 20 of which offer what is asked, and 50 rules beside the helpers.
func (b *bench) decision() {
	schema, err := contract.NewSchema()
	if err != nil {
		b.t.Fatal(err)
	}
	registry := contract.NewRegistry()
	for i := range 100 {
		source := echoContract(fmt.Sprintf("s-%03d", i), "1.0.0", "http://127.0.0.1:1")
		if i%5 != 0 {
			source = []byte(strings.Replace(string(source), "capabilities: [echo]", "capabilities: [other]", 1))
		}
		c, err := schema.Parse("bench.yaml", source)
		if err != nil {
			b.t.Fatal(err)
		}
		registry = registry.With(&contract.Service{Contract: c, Revision: uint64(i + 1)})
	}
	files := fstest.MapFS{}
	for file := range 5 {
		rego := fmt.Sprintf("package caio.routing.p%d\n\nimport rego.v1\n", file)
		for i := file * 10; i < file*10+10; i++ {
			rego += fmt.Sprintf(`
deny contains {"rule": "r%02d", "message": "too dear for the tenant"} if {
	input.request.principal.tenant == "tenant-%d"
	input.service.cost.per_request > 0.0%d
	input.service.privacy.data_locality != "on_device"
}
`, i, i%7, i+1)
		}
		files[fmt.Sprintf("routing/p%d.rego", file)] = &fstest.MapFile{Data: []byte(rego)}
	}
	set, err := policy.Load(files)
	if err != nil {
		b.t.Fatal(err)
	}
	snapshot, err := engine.NewSnapshot(registry, set, policy.Factored, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req := echoRequest().GetRequest()
	req.Principal = &caiov1.Principal{Subject: "u1", Tenant: "tenant-3", Authenticated: true}
	b.each("decide_100_services_50_rules_20_candidates", 500, func() error {
		d, err := engine.Decide(b.t.Context(), snapshot, engine.NoPast, req, 0, false)
		if err == nil && len(d.GetCandidates()) != 20 {
			return fmt.Errorf("%d candidates", len(d.GetCandidates()))
		}
		return err
	})
}

// adapterCall: one step of the shipped adapter that turns a 2 KB chat into an HTTP request.
func (b *bench) adapterCall() {
	ctx := b.t.Context()
	runtime, err := adapter.Open(ctx, adapter.Options{CacheDir: filepath.Join(b.t.TempDir(), "cache")})
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = runtime.Close(context.WithoutCancel(ctx)) }()
	modules, err := readPlugins("")
	if err != nil {
		b.t.Fatal(err)
	}
	var loaded []*adapter.Module
	for name, wasm := range modules {
		m, err := runtime.Load(ctx, name, wasm)
		if err != nil {
			b.t.Fatal(err)
		}
		loaded = append(loaded, m)
	}
	catalog, err := adapter.NewCatalog(loaded...)
	if err != nil {
		b.t.Fatal(err)
	}
	openai, err := catalog.Find("openai", "")
	if err != nil {
		b.t.Fatal(err)
	}
	intent := fmt.Sprintf(`{"type":"chat","chat":{"messages":[{"role":"user","content":%q}]}}`, strings.Repeat("two kilobytes ", 140))
	start := adapter.Event{Kind: adapter.KindStart, Intent: []byte(intent),
		Contract: []byte(`{"service_id":"s","base_url":"http://127.0.0.1:1/v1","endpoints":[],"settings":{"model":"m"}}`)}
	b.each("adapter_call_2KB_chat", 2000, func() error {
		reply, err := openai.Step(ctx, nil, start)
		if err == nil && (len(reply.Actions) != 1 || reply.Actions[0].Kind != adapter.ActionHTTP) {
			return fmt.Errorf("unexpected reply %+v", reply)
		}
		return err
	})
}

// wholeRequests: 16 connections, an instant upstream, the server beside a plain reverse proxy.
func (b *bench) wholeRequests() {
	upstream := instantUpstream(b.t)
	h := startHouse(b.t, b.t.TempDir())
	for i := range 3 {
		h.register(b.t, fmt.Sprintf("echo-%d", i), upstream.URL)
	}
	const n, workers = 4000, 16
	client := h.orchestrator()
	orchestrate := func() error {
		_, err := client.Orchestrate(b.t.Context(), connect.NewRequest(echoRequest()))
		return err
	}
	b.flood("", n/10, workers, orchestrate)
	before := cpuOf(b.t, h.cmd.Process.Pid)
	b.flood("orchestrate", n, workers, orchestrate)
	perRequest := (cpuOf(b.t, h.cmd.Process.Pid) - before) / n * 1e6
	b.report("orchestrate_cpu_per_request", perRequest, "us")

	proxy := startProxy(b.t, upstream.URL)
	httpClient := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer httpClient.CloseIdleConnections()
	body := `{"text":"hello"}`
	post := func() error {
		response, err := httpClient.Post(proxy.url, "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	b.flood("", n/10, workers, post)
	before = cpuOf(b.t, proxy.pid)
	b.flood("reverse_proxy", n, workers, post)
	floor := (cpuOf(b.t, proxy.pid) - before) / n * 1e6
	b.report("reverse_proxy_cpu_per_request", floor, "us")
	b.report("orchestrate_over_reverse_proxy_cpu", perRequest/floor, "times")
}

// flood makes n calls from workers at once, and returns how many a second; where it has a name, it reports rate and latency.
func (b *bench) flood(name string, n, workers int, call func() error) (rate float64) {
	times := make([]time.Duration, n)
	work := make(chan int)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for i := range work {
				start := time.Now()
				if err := call(); err != nil {
					b.t.Error(err)
				}
				times[i] = time.Since(start)
			}
		})
	}
	start := time.Now()
	for i := range n {
		work <- i
	}
	close(work)
	running.Wait()
	elapsed := time.Since(start)
	rate = float64(n) / elapsed.Seconds()
	if name == "" {
		return rate
	}
	slices.Sort(times)
	b.report(name+"_rate", rate, "per_s")
	b.report(name+"_p50", float64(times[n/2].Microseconds())/1000, "ms")
	b.report(name+"_p99", float64(times[n*99/100].Microseconds())/1000, "ms")
	return rate
}

// memoryAndStart: a server with an empty data directory, and one that finds its compile cache.
func (b *bench) memoryAndStart() {
	data := b.t.TempDir()
	start := time.Now()
	h := startHouse(b.t, data)
	b.report("start_without_compile_cache", float64(time.Since(start).Milliseconds()), "ms")
	h.stop(b.t)
	start = time.Now()
	h = startHouse(b.t, data)
	b.report("start_with_compile_cache", float64(time.Since(start).Milliseconds()), "ms")
	time.Sleep(2 * time.Second) // idle
	b.report("idle_memory", residentMB(b.t, h.cmd.Process.Pid), "MB")
}

// proxyProcess is a plain httputil.ReverseProxy in a process of its own, so that its CPU can be told apart.
type proxyProcess struct {
	url string
	pid int
}

const proxyTarget = "CAIO_BENCH_PROXY_TARGET"

func startProxy(t *testing.T, target string) proxyProcess {
	addr := freeAddr(t)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestBenchProxy$")
	cmd.Env = append(os.Environ(), proxyTarget+"="+target, "CAIO_BENCH_PROXY_ADDR="+addr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGKILL); _ = cmd.Wait() })
	p := proxyProcess{"http://" + addr, cmd.Process.Pid}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		response, err := http.Get(p.url)
		if err == nil {
			_ = response.Body.Close()
			return p
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestBenchProxy is the proxy's process; it runs only when startProxy starts it.
func TestBenchProxy(t *testing.T) {
	target := os.Getenv(proxyTarget)
	if target == "" {
		return
	}
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	t.Fatal(http.ListenAndServe(os.Getenv("CAIO_BENCH_PROXY_ADDR"), proxy))
}

// cpuOf returns the processor time that pid has used, in seconds.
func cpuOf(t *testing.T, pid int) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th field behind it.
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	ticks := 0.0
	for _, f := range fields[11:13] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return ticks / 100 // USER_HZ is 100 on every Linux
}
