package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// slowDisk is a storage that writes when the test lets it, and takes nothing while it has a reason not to.
type slowDisk struct {
	*trace.Memory
	why  atomic.Pointer[error]
	turn chan struct{}
}

func (s *slowDisk) Ready() error {
	if why := s.why.Load(); why != nil {
		return *why
	}
	return nil
}

func (s *slowDisk) Append(ctx context.Context, g *trace.Group) error {
	<-s.turn
	return s.Memory.Append(ctx, g)
}

func TestARequestIsRefusedBeforeAnythingIsDoneThatNoTraceWouldShow(t *testing.T) {
	var called atomic.Int32
	up := upstream(t, func(int) (int, string) { called.Add(1); return 200, `{"output":{"language":"eng"}}` })
	disk := &slowDisk{Memory: trace.NewMemory(), turn: make(chan struct{})}
	log, err := trace.Open(disk, trace.Options{Queue: 2})
	if err != nil {
		t.Fatal(err)
	}
	h := newHouseFrom(t, engine.Options{Traces: log, History: engine.NewHistory(slow)}, defaults(nil), reachable("one", up.URL, ""))
	t.Cleanup(func() { close(disk.turn) }) // before the log is closed
	everything := map[string]func() error{
		"decide": func() error {
			_, err := h.Engine.Decide(t.Context(), &caiov1.DecideRequest{Request: request()})
			return err
		},
		"orchestrate": func() error {
			_, err := h.Engine.Orchestrate(t.Context(), &caiov1.OrchestrateRequest{Request: request(), Durability: "durable"}, nil)
			return err
		},
		"workflow": func() error {
			_, err := h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: &caiov1.Workflow{
				Name: "w", Principal: request().Principal, Steps: []*caiov1.Step{{Id: "a", Request: &caiov1.Request{Capabilities: []string{"detect"}}}}}})
			return err
		},
	}
	full := errors.New("2 MiB are free on the disk")
	disk.why.Store(&full)
	for name, do := range everything {
		if err := do(); code(err) != "UNAVAILABLE" || !strings.Contains(err.Error(), full.Error()) {
			t.Errorf("%s on a full disk: %v", name, err)
		}
	}
	disk.why.Store(nil)
	decided := 0
	for ; ; decided++ { // each has its place in the queue, until there is none
		if err := everything["decide"](); err != nil {
			if code(err) != "OVERLOADED" {
				t.Fatal(err)
			}
			break
		}
		if decided > 1000 { // a group and the queue
			t.Fatal("nothing is written, and all is taken")
		}
	}
	for name, do := range everything {
		if err := do(); code(err) != "OVERLOADED" {
			t.Errorf("%s with a full queue: %v", name, err)
		}
	}
	if called.Load() > 0 {
		t.Error("the service was called all the same")
	}
}

func TestNoTraceIsKeptOnlyWhereTheServerAllowsIt(t *testing.T) {
	h := newHouse(t, defaults(nil), service("one", "privacy: {data_locality: local}"))
	in := &caiov1.DecideRequest{Request: request(), Durability: "none"}
	if _, err := h.Decide(t.Context(), in); code(err) != "INVALID_REQUEST" {
		t.Errorf("without leave: %v", err)
	}
	if _, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: request(), Durability: "perhaps"}); code(err) != "INVALID_REQUEST" {
		t.Errorf("a word that is none: %v", err)
	}
	h = newHouseFrom(t, engine.Options{AllowUntraced: true}, defaults(nil), service("one", "privacy: {data_locality: local}"))
	answer, err := h.Decide(t.Context(), in)
	if err != nil || answer.TraceId != "" || answer.Decision.GetServiceId() != "one" {
		t.Errorf("%v, %v", answer, err)
	}
	_, err = h.Orchestrate(t.Context(), &caiov1.OrchestrateRequest{Request: request(), Durability: "none"}, nil)
	var e *engine.Error
	if !errors.As(err, &e) || e.Detail.Code != "ADAPTER_NOT_FOUND" || e.Detail.TraceId != "" {
		t.Errorf("%v", err)
	}
	for _, durability := range []string{"", "queued", "durable"} {
		answer, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: request(), Durability: durability})
		if err != nil || h.lastTrace(t).GetTraceId() != answer.TraceId {
			t.Errorf("%q: %v, %v", durability, answer, err)
		}
	}
	if n := len(everyTrace(t, h)); n != 3 {
		t.Errorf("%d traces", n)
	}
}
