package engine_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/store"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// remembered returns the history of service by which a decision that is made now judges it.
func remembered(t *testing.T, h *house, service string) *caiov1.History {
	t.Helper()
	d, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: request()})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.GetDecision().GetCandidates() {
		if c.ServiceId == service {
			return c.GetHistory()
		}
	}
	t.Fatalf("%s is no candidate", service)
	return nil
}

func TestADecisionIsMadeAgainFromItsTraceAlone(t *testing.T) {
	weak := upstream(t, func(int) (int, string) { return 200, `{"output":{"language":"nob"},"metadata":{"confidence":0.2}}` })
	good := upstream(t, func(int) (int, string) { return 200, `{"output":{"language":"nob"},"metadata":{"confidence":0.99}}` })
	h := newHouse(t, defaults(nil),
		reachable("weak", weak.URL, "guarantees: {accuracy: 0.95, p95_latency_ms: 10}\ncost: {per_request: 0.002}"),
		reachable("good", good.URL, "guarantees: {accuracy: 0.9, p95_latency_ms: 0.1}\ncost: {per_request: 0.001}"))
	// No payload: the trace then holds the whole request.
	asked := request(func(r *caiov1.Request) { r.Intent = nil })
	for range 12 {
		if _, err := orchestrate(h, t.Context(), asked); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Engine.Decide(t.Context(), &caiov1.DecideRequest{Request: asked, Seed: 3}); err != nil {
		t.Fatal(err)
	}
	trace := h.lastTrace(t)
	first := trace.GetDecision()
	i := slices.IndexFunc(first.GetCandidates(), func(c *caiov1.Candidate) bool { return c.ServiceId == "good" })
	if past := first.GetCandidates()[i].GetHistory(); past.GetRequests() < 10 || past.GetP95LatencyMs() <= .1 || past.GetMeanCost() != .001 {
		t.Fatalf("the decision was made without a history worth the name: %v", past)
	}
	for range 5 {
		if _, err := orchestrate(h, t.Context(), asked); err != nil {
			t.Fatal(err)
		}
	}
	again, err := engine.Decide(t.Context(), h.Snapshot(), engine.RecordedPast(first), trace.GetRequest(), 3, false)
	if err != nil {
		t.Fatal(err)
	}
	want, got := marshaled(t, first), marshaled(t, again)
	if want != got {
		t.Errorf("decided again:\n%v\nat first:\n%v", again, first)
	}
	forgotten, err := engine.Decide(t.Context(), h.Snapshot(), engine.NoPast, trace.GetRequest(), 3, false)
	if err != nil || marshaled(t, forgotten) == want || forgotten.GetInputs().GetHistory() == first.GetInputs().GetHistory() {
		t.Errorf("the history has no part in the decision: %v", err)
	}
}

func marshaled(t *testing.T, m proto.Message) string {
	t.Helper()
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWhatIsRememberedOfAServiceEndsWithIt(t *testing.T) {
	up := upstream(t, func(int) (int, string) { return 500, `{}` })
	contract := reachable("one", up.URL, "")
	h := newHouse(t, defaults(nil), contract)
	_, _ = orchestrate(h, t.Context(), request())
	if _, err := h.Update(t.Context(), h.parse(t, contract+"description: of another kind\n"), nil); err != nil {
		t.Fatal(err)
	}
	if got := remembered(t, h, "one"); got.GetFailures() != 1 {
		t.Errorf("an update forgets what was: %v", got)
	}
	if _, err := h.Remove(t.Context(), "one", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Register(t.Context(), h.parse(t, contract)); err != nil {
		t.Fatal(err)
	}
	if got := remembered(t, h, "one"); got.GetRequests() != 0 {
		t.Errorf("a new service inherits %v", got)
	}
}

func TestAnExecutionThatOutlivesItsServiceIsCountedNowhere(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	up := upstream(t, func(int) (int, string) {
		close(started)
		<-release
		return 500, `{}`
	})
	contract := reachable("one", up.URL, "")
	h := newHouse(t, defaults(nil), contract)
	ended := make(chan error, 1)
	go func() {
		_, err := orchestrate(h, context.Background(), request())
		ended <- err
	}()
	<-started
	if _, err := h.Remove(t.Context(), "one", nil); err != nil {
		t.Error(err)
	}
	if _, err := h.Register(t.Context(), h.parse(t, contract)); err != nil {
		t.Error(err)
	}
	close(release)
	if err := <-ended; err == nil {
		t.Error("a failed execution brought an answer")
	}
	if got := remembered(t, h, "one"); got.GetRequests() != 0 {
		t.Errorf("a new service inherits %v", got)
	}
}

// TestTheHistorySurvivesARestart goes from house to house on one store.
func TestTheHistorySurvivesARestart(t *testing.T) {
	st, err := store.Open(filepath.Join(t.TempDir(), "store"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	up := upstream(t, func(n int) (int, string) {
		if n == 3 {
			return 500, `{}`
		}
		return 200, `{"output":{"language":"nob"},"metadata":{"confidence":0.99}}`
	})
	for _, id := range []string{"one", "gone"} {
		r := store.ServiceRecord{ID: id, Source: []byte(id), Revision: uint64(len(id))}
		if err := st.SaveService(t.Context(), r, ""); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	first := engine.NewHistory(slow)
	h := newHouseWith(t, first, defaults(nil), reachable("one", up.URL, "cost: {per_request: 0.5}"), service("gone", ""))
	for range 4 {
		_, _ = orchestrate(h, t.Context(), request())
	}
	want := first.At(now)("one")
	if want.Requests != 4 || want.Failures != 1 || want.P99 == 0 || want.MeanCost != .5 {
		t.Fatalf("before the restart %+v", want)
	}
	for range 2 { // saved twice, as nothing changed in between
		if err := first.Save(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
	load := func(at time.Time) *engine.History {
		t.Helper()
		h, rejected, err := engine.LoadHistory(t.Context(), st, slow, at)
		if err != nil || len(rejected) > 0 {
			t.Fatal(err, rejected)
		}
		return h
	}
	second := load(now)
	if got := second.At(now)("one"); got != want {
		t.Errorf("after the restart %+v, before %+v", got, want)
	}
	if got := second.At(now.Add(2 * slow))("one"); got.Requests != 1 {
		t.Errorf("two half-lives later %+v", got)
	}
	// A clock that was ahead when the history was saved does not hold up its decay.
	if got := load(now.Add(-24 * slow)).At(now.Add(-22 * slow))("one"); got.Requests != 1 {
		t.Errorf("by a clock that was set back, two half-lives later %+v", got)
	}
	third := newHouseWith(t, second, defaults(nil), reachable("one", up.URL, ""))
	if got := remembered(t, third, "one"); got.GetRequests() != 4 {
		t.Errorf("the house that was started again remembers %v", got)
	}
	// What was gathered before the removal is not written after it.
	_, _ = orchestrate(third, t.Context(), request())
	if err := st.DeleteService(t.Context(), "one", 9, ""); err != nil {
		t.Fatal(err)
	}
	if err := second.Save(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	if got := load(now).At(now)("one"); got != (engine.Record{}) {
		t.Errorf("of a removed service there remains %+v", got)
	}
}

func TestTheHistoryIsSavedWhenItsKeepingEnds(t *testing.T) {
	up := upstream(t, func(int) (int, string) { return 500, `{}` })
	history := engine.NewHistory(slow)
	h := newHouseWith(t, history, defaults(nil), reachable("one", up.URL, ""))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	var log strings.Builder
	go func() {
		defer close(ended)
		history.Keep(ctx, h.store, logger(&log))
	}()
	_, _ = orchestrate(h, t.Context(), request())
	stop()
	<-ended
	kept, rejected, err := engine.LoadHistory(t.Context(), h.store, slow, time.Now())
	if err != nil || len(rejected) > 0 || kept.At(time.Now())("one").Failures != 1 {
		t.Errorf("kept %+v, %v, %v", kept.At(time.Now())("one"), rejected, err)
	}
	// A store that does not write is said, and what it did not write is written by the next Save.
	_, _ = orchestrate(h, t.Context(), request())
	closed, err := store.Open("", store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	history.Keep(ctx, closed, logger(&log))
	if !strings.Contains(log.String(), "history not saved") {
		t.Errorf("log %q", &log)
	}
	if err := history.Save(t.Context(), h.store); err != nil {
		t.Fatal(err)
	}
	kept, _, err = engine.LoadHistory(t.Context(), h.store, slow, time.Now())
	if err != nil || kept.At(time.Now())("one").Failures != 2 {
		t.Errorf("kept %+v, %v", kept.At(time.Now())("one"), err)
	}
}
