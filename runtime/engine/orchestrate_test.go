package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/engine"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func orchestrate(h *house, ctx context.Context, r *caiov1.Request) (*caiov1.OrchestrateResponse, error) {
	return h.Orchestrate(ctx, &caiov1.OrchestrateRequest{Request: r, Explain: true}, nil)
}

func TestAnAnswerLeavesATraceWithDigestsAndNoPayload(t *testing.T) {
	up := upstream(t, func(int) (int, string) { return 200, `{"output":{"language":"eng"},"metadata":{"confidence":0.99}}` })
	h := newHouse(t, defaults(nil), reachable("one", up.URL, "guarantees: {accuracy: 0.9}"))
	answer, err := orchestrate(h, t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.GetResult().GetOutput().GetFields()["language"].GetStringValue(); got != "eng" || answer.ServiceId != "one" {
		t.Errorf("answer %v", answer)
	}
	stored, err := h.traces.Get(t.Context(), answer.TraceId)
	if err != nil {
		t.Fatal(err)
	}
	trace := stored.GetTrace()
	if trace.Status != "ok" || trace.ServiceId != "one" || trace.ResultDigest == "" || len(trace.Attempts) != 1 || trace.Decision == nil {
		t.Errorf("trace %v", trace)
	}
	if raw := trace.String(); strings.Contains(raw, "secret words") {
		t.Errorf("the payload stands in the trace: %s", raw)
	}
}

func TestABrokenGuaranteeFallsBackAndCountsAgainstTheService(t *testing.T) {
	weak := upstream(t, func(int) (int, string) { return 200, `{"output":{"language":"nno"},"metadata":{"confidence":0.2}}` })
	good := upstream(t, func(int) (int, string) { return 200, `{"output":{"language":"nob"},"metadata":{"confidence":0.99}}` })
	h := newHouse(t, defaults(nil),
		reachable("weak", weak.URL, "guarantees: {accuracy: 0.95, p95_latency_ms: 10}"),
		reachable("good", good.URL, "guarantees: {accuracy: 0.9, p95_latency_ms: 100}"))
	answer, err := orchestrate(h, t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	if answer.ServiceId != "good" || len(answer.Attempts) != 2 || answer.Attempts[0].Outcome != "violation" {
		t.Fatalf("answered by %s after %v", answer.ServiceId, answer.Attempts)
	}
	if !strings.Contains(answer.Why, "weak") {
		t.Errorf("why says nothing of the fallback: %q", answer.Why)
	}
	again, err := orchestrate(h, t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range again.GetDecision().GetCandidates() {
		if c.ServiceId == "weak" && c.GetHistory().GetFailures() != 1 {
			t.Errorf("the violation is not in the history: %v", c.GetHistory())
		}
	}
}

func TestWhenAllCandidatesFailTheErrorSaysSoAndTheTraceHasThemAll(t *testing.T) {
	down := upstream(t, func(int) (int, string) { return 500, `{"error":"out of order"}` })
	h := newHouse(t, defaults(nil), reachable("a", down.URL, ""), reachable("b", down.URL, ""))
	_, err := orchestrate(h, t.Context(), request())
	var failure *engine.Error
	if !errors.As(err, &failure) || failure.Detail.Code != "EXECUTION_FAILED" || failure.Detail.TraceId == "" {
		t.Fatalf("error %v", err)
	}
	trace := h.lastTrace(t)
	if trace.Status != "failed" || len(trace.Attempts) != 2 || trace.TraceId != failure.Detail.TraceId {
		t.Errorf("trace %v", trace)
	}
}

func TestARefusalIsTracedAndTellsWhyEachCandidateFell(t *testing.T) {
	h := newHouse(t, defaults(nil), service("one", "required_trust_level: 9"))
	_, err := orchestrate(h, t.Context(), request())
	var failure *engine.Error
	if !errors.As(err, &failure) || failure.Detail.Code != "SECURITY_VIOLATION" || len(failure.Detail.Candidates) != 1 {
		t.Fatalf("error %v", err)
	}
	if trace := h.lastTrace(t); trace.Status != "refused" || trace.TraceId != failure.Detail.TraceId {
		t.Errorf("trace %v", trace)
	}
}

func TestACallerWhoLeavesIsTracedAndNoFaultOfTheService(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	up := upstream(t, func(int) (int, string) {
		once.Do(func() { close(started) })
		<-release
		return 200, `{"output":{}}`
	})
	h := newHouse(t, defaults(nil), reachable("one", up.URL, ""))
	ctx, leave := context.WithCancel(t.Context())
	defer close(release)
	ended := make(chan error, 1)
	go func() {
		_, err := orchestrate(h, ctx, request())
		ended <- err
	}()
	select {
	case <-started:
	case err := <-ended:
		t.Fatalf("ended before it reached the service: %v", err)
	}
	leave()
	err := <-ended
	var failure *engine.Error
	if !errors.As(err, &failure) || failure.Detail.Code != "CANCELED" {
		t.Fatalf("error %v", err)
	}
	if trace := h.lastTrace(t); trace.Status != "canceled" {
		t.Errorf("trace %v", trace)
	}
	d, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: request()})
	if err != nil || d.Decision.Candidates[0].GetHistory().GetFailures() != 0 {
		t.Errorf("history %v, %v", d, err)
	}
}

// cleanAfterLeaving checks that the newest trace ends in the caller's leaving, which is not held against any service.
func cleanAfterLeaving(t *testing.T, h *house, err error) {
	t.Helper()
	var failure *engine.Error
	if !errors.As(err, &failure) || failure.Detail.Code != "CANCELED" {
		t.Errorf("error %v", err)
	}
	trace := h.lastTrace(t)
	if n := len(trace.Attempts); trace.Status != "canceled" || n != 1 || trace.Attempts[0].Outcome != "canceled" {
		t.Errorf("trace %v", trace)
	}
	again := trace.Request
	again.Payload = nil
	d, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: again})
	if err != nil || d.Decision.Candidates[0].GetHistory().GetFailures() != 0 {
		t.Errorf("history %v, %v", d, err)
	}
}

func TestACallerWhoStopsReadingAStreamIsNoFaultOfTheService(t *testing.T) {
	up := upstream(t, func(int) (int, string) {
		return 0, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	})
	h := newHouse(t, defaults(nil), "service_id: llm\nname: LLM\nversion: 1.0.0\ncapabilities: [chat]\nprivacy: {data_locality: local}\n"+
		"api: {protocol: http, base_url: \""+up.URL+"\"}\nadapter: {plugin: openai, settings: {model: m}}\n")
	_, err := h.Orchestrate(t.Context(), &caiov1.OrchestrateRequest{Request: request(func(r *caiov1.Request) {
		r.Capabilities = []string{"chat"}
		r.Intent = &caiov1.Intent{Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{Messages: []*caiov1.ChatMessage{{Role: "user", Content: "hi"}}}}}
	})}, func(*caiov1.Delta) error { return errors.New("the connection is gone") })
	cleanAfterLeaving(t, h, err)
}

func TestACallerWhoLeavesWhileGuaranteesAreCheckedIsNoFaultOfTheService(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	up := upstream(t, func(int) (int, string) {
		time.AfterFunc(100*time.Millisecond, leave)
		return 200, `{"output":{"language":"eng"}}`
	})
	h := newHouse(t, defaults(map[string]string{"guarantee/slow.rego": `package caio.guarantee.slow

import rego.v1

violation contains "counted" if count([x | some x in numbers.range(1, 20000000); x < input.observed.latency_ms]) == 0
`}), reachable("one", up.URL, ""))
	_, err := orchestrate(h, ctx, request())
	cleanAfterLeaving(t, h, err)
}

func TestEveryRequestSeesOneStateOfTheRegistryWhileItChanges(t *testing.T) {
	h := newHouse(t, defaults(nil), service("steady", ""))
	var running sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				d, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: request(), ListAll: true})
				if err != nil {
					t.Error(err)
					return
				}
				if n := len(d.Decision.Candidates); n < 1 || n > 2 {
					t.Errorf("%d candidates", n)
				}
			}
		})
	}
	for i := range 60 {
		c := h.parse(t, service("comes-and-goes", "required_trust_level: "+[]string{"0", "5"}[i%2]))
		if _, err := h.Register(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Update(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Remove(t.Context(), "comes-and-goes", nil); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	running.Wait()
	if r := h.Snapshot().Registry; r.Len() != 1 || r.Revision() != 181 {
		t.Errorf("%d services at revision %d, want 1 at 181", r.Len(), r.Revision())
	}
}

func TestTheRegistryComesBackFromTheStoreWithItsRevision(t *testing.T) {
	h := newHouse(t, defaults(nil), service("a", ""), service("b", ""))
	if _, err := h.Remove(t.Context(), "b", nil); err != nil {
		t.Fatal(err)
	}
	r, rejected, err := engine.LoadRegistry(t.Context(), h.store, h.schema)
	if err != nil || len(rejected) > 0 {
		t.Fatal(err, rejected)
	}
	a, ok := r.Get("a")
	if !ok || r.Len() != 1 || r.Revision() != 3 || a.Revision != 1 {
		t.Errorf("%d services at revision %d", r.Len(), r.Revision())
	}
	if was := h.Snapshot().Registry; r.Digest() != was.Digest() {
		t.Errorf("digest %s, was %s", r.Digest(), was.Digest())
	}
}

func TestAWatchMissesNothing(t *testing.T) {
	h := newHouse(t, defaults(nil), service("a", ""))
	ctx, stop := context.WithCancel(t.Context())
	var got []string
	synced := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		_ = h.Watch(ctx, func(c engine.Change) error {
			id := ""
			if c.Service != nil {
				id = " " + c.Service.ID()
			}
			got = append(got, c.Type+id)
			switch c.Type {
			case "synced":
				close(synced)
			case "removed":
				stop()
			}
			return nil
		})
	})
	<-synced
	b := h.parse(t, service("b", ""))
	for _, change := range []func() error{
		func() error { _, err := h.Register(t.Context(), b); return err },
		func() error { _, err := h.Update(t.Context(), b, nil); return err },
		func() error { _, err := h.Remove(t.Context(), "a", nil); return err },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	running.Wait()
	if want := "present a,synced,registered b,updated b,removed a"; strings.Join(got, ",") != want {
		t.Errorf("saw %v, want %s", got, want)
	}
}

func TestChangesOfWhatIsNotThereSayWhatToDo(t *testing.T) {
	h := newHouse(t, defaults(nil), service("a", ""))
	a, b := h.parse(t, service("a", "")), h.parse(t, service("b", ""))
	codes := map[string]func() error{
		"SERVICE_EXISTS":    func() error { _, err := h.Register(t.Context(), a); return err },
		"SERVICE_NOT_FOUND": func() error { _, err := h.Update(t.Context(), b, nil); return err },
	}
	for code, change := range codes {
		var failure *engine.Error
		if err := change(); !errors.As(err, &failure) || failure.Detail.Code != code || failure.Detail.Hint == "" {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestAStreamHandsOnPiecesAndItsWhole(t *testing.T) {
	up := upstream(t, func(int) (int, string) {
		return 0, "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hel\"}}]}\n\n" +
			"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	})
	h := newHouse(t, defaults(nil), "service_id: llm\nname: LLM\nversion: 1.0.0\ncapabilities: [chat]\nprivacy: {data_locality: local}\n"+
		"api: {protocol: http, base_url: \""+up.URL+"\"}\nadapter: {plugin: openai, settings: {model: m}}\n")
	var text string
	answer, err := h.Orchestrate(t.Context(), &caiov1.OrchestrateRequest{Request: request(func(r *caiov1.Request) {
		r.Capabilities = []string{"chat"}
		r.Intent = &caiov1.Intent{Body: &caiov1.Intent_Chat{Chat: &caiov1.Chat{Messages: []*caiov1.ChatMessage{{Role: "user", Content: "hi"}}}}}
	})}, func(d *caiov1.Delta) error { text += d.GetText(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if whole := answer.GetResult().GetChat().GetMessage().GetContent(); text != "Hello" || whole != "Hello" {
		t.Errorf("pieces %q, whole %q", text, whole)
	}
}

func TestATenantReadsNothingOfAnothersServices(t *testing.T) {
	h := newHouse(t, defaults(nil), service("ours", "metadata: {tenant: acme}"), service("theirs", "metadata: {tenant: umbrella}"),
		service("theirs-too", "metadata: {tenant: umbrella}\nconstraints: {requires_gpu: true}"), service("shared", ""))
	listed := func(p *caiov1.Principal) string {
		d, err := h.Decide(t.Context(), &caiov1.DecideRequest{ListAll: true, Request: request(func(r *caiov1.Request) {
			r.Principal = p
			r.Constraints = &caiov1.Demands{RequiresGpu: proto.Bool(false)}
		})})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, c := range d.Decision.Candidates {
			ids = append(ids, c.ServiceId)
		}
		if raw := h.lastTrace(t).String(); strings.Contains(raw, "theirs") != strings.Contains(strings.Join(ids, " "), "theirs") {
			t.Errorf("the trace says more than the answer: %s", raw)
		}
		return strings.Join(ids, " ")
	}
	if got := listed(&caiov1.Principal{Subject: "u", Tenant: "acme", Roles: []string{"admin"}, Authenticated: true}); got != "ours shared" {
		t.Errorf("a tenant's admin reads of %q", got)
	}
	if got := listed(&caiov1.Principal{Subject: "u", Roles: []string{"user"}, Authenticated: true}); got != "shared" {
		t.Errorf("a user of no tenant reads of %q", got)
	}
	if got := listed(&caiov1.Principal{Subject: "u", Roles: []string{"operator"}, Authenticated: true}); got != "ours shared theirs theirs-too" {
		t.Errorf("the platform's operator reads of %q", got)
	}
}

func TestARefusalHintsAtNothingThatTheCallerMayNotKnowOf(t *testing.T) {
	offer := "service_id: %s\nname: %s\nversion: 1.0.0\ncapabilities: [%s]\nmetadata: {tenant: %s}\n"
	h := newHouse(t, defaults(nil), fmt.Sprintf(offer, "theirs", "theirs", "merger_analysis", "umbrella"),
		fmt.Sprintf(offer, "ours", "ours", "summarize", "acme"))
	said := func(capabilities ...string) string {
		d, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: request(func(r *caiov1.Request) { r.Capabilities = capabilities })})
		if err != nil {
			t.Fatal(err)
		}
		return d.Decision.GetError().GetMessage()
	}
	if message := said("merger_analysi"); strings.Contains(message, "merger_analysis") {
		t.Errorf("another tenant's capability is named: %s", message)
	}
	if message := said("summarise"); !strings.Contains(message, `did you mean "summarize"`) {
		t.Errorf("no hint at the tenant's own: %s", message)
	}
}

func TestAMisspeltDemandIsTold(t *testing.T) {
	offer := "service_id: %s\nname: S\nversion: 1.0.0\ncapabilities: [detect]\nguarantees: {%s: {property: %s, bound: {type: max, max: 5}}}\nmetadata: {tenant: %s}\n"
	h := newHouse(t, defaults(nil), fmt.Sprintf(offer, "ours", "latency", "p95_latency_ms", "acme"),
		fmt.Sprintf(offer, "theirs", "merger_time", "p95_merger_ms", "umbrella"))
	for _, row := range []struct{ guarantee, property, want string }{
		{"latncy", "", `; did you mean "latency" instead of "latncy"?`},
		{"latency", "p95_latncy_ms", `; did you mean "p95_latency_ms" instead of "p95_latncy_ms"?`},
		{"merger_tim", "", "is demanded"},
		{"latency", "", "latency <= 1 is demanded"},
	} {
		d, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: request(func(r *caiov1.Request) {
			r.Guarantees = map[string]*caiov1.Demand{row.guarantee: {Property: row.property, Max: proto.Float64(1)}}
		})})
		if err != nil {
			t.Fatal(err)
		}
		if message := d.Decision.GetError().GetMessage(); !strings.HasSuffix(message, row.want) {
			t.Errorf("demand of %s %s: %s; want at its end: %s", row.guarantee, row.property, message, row.want)
		}
	}
}

func TestARequestForAnyServiceIsToldWhenThereIsNone(t *testing.T) {
	h := newHouse(t, defaults(nil))
	_, err := orchestrate(h, t.Context(), request(func(r *caiov1.Request) { r.Capabilities = nil }))
	var failure *engine.Error
	if !errors.As(err, &failure) || failure.Detail.Code != "NO_MATCHING_SERVICE" || failure.Detail.Message != "there is no service" {
		t.Errorf("error %v", err)
	}
}
