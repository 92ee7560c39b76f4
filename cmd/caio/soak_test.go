//go:build soak

package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

var (
	rate    = flag.Int("rate", 200, "requests a second")
	changes = flag.Int("changes", 500, "changes of the registry in 30 s")
)

// TestSoakChangesUnderLoad registers, updates and removes contracts 500 times while 200 requests a second run for 30 s:
// none may fail, and none may be decided by a mixture of two states.
func TestSoakChangesUnderLoad(t *testing.T) {
	upstream := instantUpstream(t)
	h := startHouse(t, t.TempDir())
	h.register(t, "steady", upstream.URL)
	load := startLoad(t, h, *rate)
	changed := churn(t, h, upstream.URL, *changes, 30*time.Second)
	served, failed, mixed := load.stop()
	t.Logf("%d changes, %d requests served, %d failed, %d saw a mixture", changed, served, failed, mixed)
	if changed != *changes || failed > 0 || mixed > 0 || served < int64(*rate)*25 {
		t.Errorf("want %d changes and no request failed\n%s", *changes, h.log)
	}
}

// TestSoakKill kills the server in the middle of the same load, several times, and looks for everything that was
// acknowledged.
func TestSoakKill(t *testing.T) {
	upstream := instantUpstream(t)
	data := t.TempDir()
	services := map[string]string{} // id -> version, as acknowledged; "" removed
	var traces []string
	for round := range 5 {
		h := startHouse(t, data)
		if round == 0 {
			h.register(t, "steady", upstream.URL)
		}
		missing := lookUp(t, h, services, traces)
		t.Logf("round %d: %d services and %d traces acknowledged before, %d missing", round, len(services), len(traces), missing)
		if missing > 0 {
			t.Errorf("round %d: %d acknowledged are missing", round, missing)
		}
		load := startLoad(t, h, *rate)
		stop := make(chan struct{})
		var changing sync.WaitGroup
		changing.Go(func() { changeUntil(stop, h, upstream.URL, round, services) })
		time.Sleep(3 * time.Second)
		h.kill()
		close(stop)
		changing.Wait()
		load.stop()
		traces = append(traces, load.acknowledged()...)
	}
	h := startHouse(t, data)
	if missing := lookUp(t, h, services, traces); missing > 0 {
		t.Errorf("%d acknowledged are missing", missing)
	}
	t.Logf("5 kills: %d services, %d traces, all there", len(services), len(traces))
}

// TestSoakDecideRepeats starts the program a thousand times over the examples; each request must be decided by the same
// bytes every time.
func TestSoakDecideRepeats(t *testing.T) {
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	requests, err := filepath.Glob(filepath.Join(root, "examples", "requests", "*.json"))
	if err != nil || len(requests) == 0 {
		t.Fatalf("%d requests: %v", len(requests), err)
	}
	first := map[string]string{}
	for n := range 1000 {
		path := requests[n%len(requests)]
		cmd := exec.CommandContext(t.Context(), binary(t), "decide", "--contracts", filepath.Join(root, "examples", "contracts"),
			"--request", path, "--seed", "7", "-o", "json")
		out, err := cmd.Output()
		if code := cmd.ProcessState.ExitCode(); code != exitOK && code != exitRefused {
			t.Fatalf("%s: %v", path, err)
		}
		if first[path] == "" {
			first[path] = string(out)
		}
		if string(out) != first[path] {
			t.Fatalf("start %d of %s decides otherwise:\n%s\n%s", n, path, first[path], out)
		}
	}
	t.Logf("1000 starts over %d requests, the same bytes", len(requests))
}

// churn makes n changes spread over d and returns how many were acknowledged.
func churn(t *testing.T, h *house, upstream string, n int, d time.Duration) int {
	registry, done := h.registry(), 0
	tick := time.NewTicker(d / time.Duration(n))
	defer tick.Stop()
	for i := range n {
		<-tick.C
		id := fmt.Sprintf("churn-%d", i/5)
		var err error
		switch i % 5 {
		case 0:
			err = change(registry, "register", id, "1.0.0", upstream)
		case 4:
			err = change(registry, "remove", id, "", upstream)
		default:
			err = change(registry, "update", id, fmt.Sprintf("1.%d.0", i%5), upstream)
		}
		if err != nil {
			t.Errorf("change %d: %v", i, err)
			continue
		}
		done++
	}
	return done
}

// changeUntil registers, updates and removes until stop, and notes in services what was acknowledged. A change in
// flight when the server dies may or may not have happened; its id is struck from the notes.
func changeUntil(stop <-chan struct{}, h *house, upstream string, round int, services map[string]string) {
	registry := h.registry()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		id := fmt.Sprintf("kill-%d-%d", round, i)
		for _, step := range []struct{ what, version string }{{"register", "1.0.0"}, {"update", "1.1.0"}, {"remove", ""}}[:1+i%3] {
			if change(registry, step.what, id, step.version, upstream) != nil {
				delete(services, id)
				return
			}
			services[id] = step.version
		}
	}
}

type registryClient = interface {
	Register(context.Context, *connect.Request[caiov1.RegisterRequest]) (*connect.Response[caiov1.RegisterResponse], error)
	Update(context.Context, *connect.Request[caiov1.UpdateRequest]) (*connect.Response[caiov1.UpdateResponse], error)
	Remove(context.Context, *connect.Request[caiov1.RemoveRequest]) (*connect.Response[caiov1.RemoveResponse], error)
}

func change(r registryClient, what, id, version, upstream string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var err error
	source := &caiov1.Source{Content: echoContract(id, version, upstream)}
	switch what {
	case "register":
		_, err = r.Register(ctx, connect.NewRequest(&caiov1.RegisterRequest{Form: &caiov1.RegisterRequest_Source{Source: source}}))
	case "update":
		_, err = r.Update(ctx, connect.NewRequest(&caiov1.UpdateRequest{Form: &caiov1.UpdateRequest_Source{Source: source}}))
	case "remove":
		_, err = r.Remove(ctx, connect.NewRequest(&caiov1.RemoveRequest{ServiceId: id}))
	}
	return err
}

// lookUp counts what was acknowledged and is not there.
func lookUp(t *testing.T, h *house, services map[string]string, traces []string) (missing int) {
	for _, id := range slices.Sorted(maps.Keys(services)) {
		got, err := h.registry().Get(context.Background(), connect.NewRequest(&caiov1.GetRequest{ServiceId: id}))
		version := "" // removed
		if err == nil {
			version = got.Msg.GetService().GetContract().GetVersion()
		} else if connect.CodeOf(err) != connect.CodeNotFound {
			t.Fatal(err)
		}
		if want := services[id]; version != want {
			t.Logf("service %s: want version %q, got %q (%v)", id, want, version, err)
			missing++
		}
	}
	for _, id := range traces {
		if _, err := h.traces().Get(context.Background(), connect.NewRequest(&caiov1.TraceServiceGetRequest{TraceId: id})); err != nil {
			t.Logf("trace %s: %v", id, err)
			missing++
		}
	}
	return missing
}

// load is an open loop of requests at a fixed rate.
type load struct {
	quit                  chan struct{}
	running               sync.WaitGroup
	served, failed, mixed atomic.Int64
	mu                    sync.Mutex
	ids                   []string
}

func startLoad(t *testing.T, h *house, rate int) *load {
	l := &load{quit: make(chan struct{})}
	client := h.orchestrator()
	l.running.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for {
			select {
			case <-l.quit:
				return
			case <-tick.C:
				l.running.Go(func() { l.one(t, client) })
			}
		}
	})
	return l
}

type orchestratorClient = interface {
	Orchestrate(context.Context, *connect.Request[caiov1.OrchestrateRequest]) (*connect.Response[caiov1.OrchestrateResponse], error)
}

func (l *load) one(t *testing.T, client orchestratorClient) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req := echoRequest()
	req.Explain, req.Durability = true, "durable" // what is only queued a kill may take
	answer, err := client.Orchestrate(ctx, connect.NewRequest(req))
	if err != nil {
		if l.failed.Add(1) == 1 {
			t.Logf("first failure: %v", err)
		}
		return
	}
	l.served.Add(1)
	if !whole(answer.Msg.GetDecision()) {
		l.mixed.Add(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids = append(l.ids, answer.Msg.GetTraceId())
}

// whole tells whether a decision saw one state of the registry: "steady" is in each of them, and beside it there is at
// most one service of the churn, for each is removed before the next is registered.
func whole(d *caiov1.Decision) bool {
	steady, others := 0, 0
	for _, c := range d.GetCandidates() {
		if c.GetServiceId() == "steady" {
			steady++
		} else {
			others++
		}
	}
	return steady == 1 && others <= 1
}

func (l *load) stop() (served, failed, mixed int64) {
	close(l.quit)
	l.running.Wait()
	return l.served.Load(), l.failed.Load(), l.mixed.Load()
}

func (l *load) acknowledged() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ids
}
