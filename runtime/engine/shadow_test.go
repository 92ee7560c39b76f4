package engine_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/runtime/engine"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// asking is a request of a tenant.
func asking(tenant string) *caiov1.DecideRequest {
	return &caiov1.DecideRequest{Request: &caiov1.Request{
		Capabilities: []string{"detect"}, Principal: &caiov1.Principal{Authenticated: true, TrustLevel: 5, Tenant: tenant, Subject: "s"},
	}}
}

func decided(t testing.TB, h *house, tenant string) *caiov1.DecideResponse {
	t.Helper()
	answer, err := h.Decide(t.Context(), asking(tenant))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// settled waits until the shadow has compared, or dropped, n decisions.
func settled(t testing.TB, h *house, n int64) *caiov1.ShadowReport {
	t.Helper()
	for {
		r := h.ShadowReport()
		if d := r.GetDifferences(); d.GetCompared()+r.GetFailed()+r.GetDropped() >= n {
			return r
		}
		runtime.Gosched()
	}
}

// countsText writes counts on one line.
func countsText(d *caiov1.Differences) string {
	out := []string{fmt.Sprintf("%d of %d", d.GetMoved(), d.GetCompared())}
	for _, c := range d.GetRules() {
		out = append(out, fmt.Sprintf("%s+%d-%d", c.GetRule(), c.GetAdded(), c.GetDropped()))
	}
	for _, c := range d.GetServices() {
		out = append(out, fmt.Sprintf("%q+%d-%d", c.GetServiceId(), c.GetGained(), c.GetLost()))
	}
	for _, c := range d.GetTenants() {
		out = append(out, fmt.Sprintf("%s:%d/%d", c.GetTenant(), c.GetMoved(), c.GetCompared()))
	}
	return strings.Join(out, " ")
}

// priced is a service that the objective prefers the cheaper it is.
func priced(id, cost string) string { return bare(id) + "cost: {per_request: " + cost + "}\n" }

func TestAShadowCountsWhatItWouldDecideOtherwise(t *testing.T) {
	h := newHouse(t, defaults(refusing("old")), priced("best", "0.001"), priced("dear", "1"), priced("old", "0.5"))
	if h.ShadowReport() != nil || h.StopShadow() != nil {
		t.Error("a report without a shadow")
	}
	report, err := h.StartShadow(engine.Shadow{Files: bundle(t, refusing("best")).Messages(), Share: 1, By: "root"})
	if err != nil || !report.GetRunning() || report.GetStartedBy() != "root" || report.GetDigest() == h.Snapshot().Policies.Digest() {
		t.Fatalf("%v, %v", report, err)
	}
	first := decided(t, h, "acme")
	if first.GetDecision().GetServiceId() != "best" {
		t.Fatalf("chosen is %q", first.GetDecision().GetServiceId())
	}
	decided(t, h, "umbrella")
	decided(t, h, "acme")
	report = settled(t, h, 3)
	want := `3 of 3 caio.routing.test.deny+3-3 "best"+0-3 "old"+3-0 acme:2/2 umbrella:1/1`
	if got := countsText(report.GetDifferences()); got != want {
		t.Errorf("counted %q, want %q", got, want)
	}
	if len(report.GetExamples()) != 3 || report.GetExamples()[0].GetTraceId() != first.GetTraceId() ||
		report.GetExamples()[0].GetBefore().GetServiceId() != "best" || report.GetExamples()[0].GetAfter().GetServiceId() != "old" {
		t.Errorf("examples %v", report.GetExamples())
	}
	// A service that comes while the shadow runs is judged by it, too.
	if _, err := h.Register(t.Context(), h.parse(t, priced("between", "0.1"))); err != nil {
		t.Fatal(err)
	}
	decided(t, h, "")
	report = settled(t, h, 4)
	if e := report.GetExamples()[3]; e.GetAfter().GetServiceId() != "between" {
		t.Errorf("after a registration: %v", e)
	}
	last := h.StopShadow()
	if last.GetRunning() || last.GetDifferences().GetCompared() != 4 {
		t.Errorf("the last report: %v", last)
	}
	decided(t, h, "")
	if got := h.ShadowReport(); !proto.Equal(got, last) {
		t.Errorf("after the end: %v", got)
	}
}

func TestAShadowOfTheSameRulesDiffersInNothing(t *testing.T) {
	h := newHouse(t, policies.FS(), priced("best", "0.001"), priced("dear", "1"))
	if _, err := h.StartShadow(engine.Shadow{Files: bundle(t, nil).Messages(), Share: 1}); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		decided(t, h, "acme")
	}
	report := settled(t, h, 20)
	if got := countsText(report.GetDifferences()); report.GetDropped() == 0 && got != "0 of 20 acme:0/20" || report.GetDifferences().GetMoved() != 0 || report.GetFailed() != 0 {
		t.Errorf("counted %q, %v", got, report)
	}
}

func TestAShadowTakesItsShareAndDropsWhatItCannotTake(t *testing.T) {
	h := newHouse(t, policies.FS(), bare("a"))
	if _, err := h.StartShadow(engine.Shadow{Files: bundle(t, nil).Messages(), Share: 0.25}); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		decided(t, h, "")
	}
	if r := settled(t, h, 10); r.GetDifferences().GetCompared()+r.GetDropped() != 10 {
		t.Errorf("of 40 decisions a quarter is %v", r)
	}
	// Whatever comes at once, every decision is compared or dropped, and none waits.
	if _, err := h.StartShadow(engine.Shadow{Files: bundle(t, nil).Messages(), Share: 1}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				decided(t, h, "")
			}
		})
	}
	all.Wait()
	settled(t, h, 800)
}

func TestAShadowThatDoesNotCompileDoesNotStart(t *testing.T) {
	h := newHouse(t, policies.FS(), bare("a"))
	files := bundle(t, map[string]string{"routing/x.rego": "package caio.routing.x\n\ndeny := true\n"}).Messages()
	if _, err := h.StartShadow(engine.Shadow{Files: files, Share: 1}); codeOf(err) != "INVALID_POLICY" || len(engine.FaultsOf(err)) != 1 {
		t.Errorf("got %v", err)
	}
	if h.ShadowReport() != nil {
		t.Error("there is a report")
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.StartShadow(engine.Shadow{Files: bundle(t, nil).Messages(), Share: 1}); codeOf(err) != "UNAVAILABLE" {
		t.Errorf("after Close: %v", err)
	}
}

// whatIf runs it and returns what would move, and the summary.
func whatIf(t testing.TB, h *house, q engine.WhatIf) (moved []*caiov1.Difference, summary *caiov1.WhatIfSummary) {
	t.Helper()
	progress := 0
	err := h.WhatIf(t.Context(), q, func(m *caiov1.PolicyServiceWhatIfResponse) error {
		switch {
		case summary != nil:
			t.Error("something follows the summary")
		case m.GetDifference() != nil:
			moved = append(moved, m.GetDifference())
		case m.GetProgress() != nil:
			progress++
		}
		summary = m.GetSummary()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if progress == 0 {
		t.Error("no progress was told")
	}
	return moved, summary
}

func TestWhatIfTellsWhichDecisionsWouldMove(t *testing.T) {
	h := newHouse(t, policies.FS(), priced("best", "0.001"), priced("dear", "1"))
	for i := range 130 {
		decided(t, h, []string{"acme", "umbrella"}[i%2])
	}
	last := decided(t, h, "acme")
	none := asking("acme")
	none.Request.Capabilities = []string{"sing"}
	if _, err := h.Decide(t.Context(), none); err != nil {
		t.Fatal(err)
	}

	moved, summary := whatIf(t, h, engine.WhatIf{Files: bundle(t, refusing("best")).Messages()})
	want := `131 of 132 caio.routing.test.deny+131-0 "best"+0-131 "dear"+131-0 acme:66/67 umbrella:65/65`
	if got := countsText(summary.GetDifferences()); got != want || summary.GetTraces() != 132 || summary.GetSkipped() != 0 || summary.GetDrifted() != 0 {
		t.Errorf("counted %q, want %q; %v", got, want, summary)
	}
	if len(moved) != 131 || moved[0].GetTraceId() != last.GetTraceId() || moved[0].GetRules()[0].GetServiceId() != "best" || !moved[0].GetRules()[0].GetAdded() {
		t.Errorf("%d moved, first %v", len(moved), moved[0])
	}
	if summary.GetBeforeDigest() != h.Snapshot().Policies.Digest() || summary.GetAfterDigest() == summary.GetBeforeDigest() || len(summary.GetNotes()) == 0 {
		t.Errorf("summary %v", summary)
	}

	_, summary = whatIf(t, h, engine.WhatIf{Files: bundle(t, refusing("best", "dear")).Messages(), Tenant: "umbrella", Limit: 7})
	if got, want := countsText(summary.GetDifferences()), `7 of 7 caio.routing.test.deny+14-0 ""+7-0 "best"+0-7 umbrella:7/7`; got != want {
		t.Errorf("of a tenant: %q, want %q", got, want)
	}

	// The registry as it is now decides for both; that it has changed is told.
	if _, err := h.Remove(t.Context(), "best", nil); err != nil {
		t.Fatal(err)
	}
	moved, summary = whatIf(t, h, engine.WhatIf{Files: bundle(t, refusing("best")).Messages()})
	if len(moved) != 0 || summary.GetDrifted() != 131 {
		t.Errorf("%d would move, %v", len(moved), summary)
	}
}

func TestWhatIfRunsAloneAndEndsWithItsCaller(t *testing.T) {
	h := newHouse(t, policies.FS(), bare("a"))
	decided(t, h, "")
	files := bundle(t, refusing("a")).Messages()
	gone := errors.New("gone")
	err := h.WhatIf(t.Context(), engine.WhatIf{Files: files}, func(*caiov1.PolicyServiceWhatIfResponse) error {
		if err := h.WhatIf(t.Context(), engine.WhatIf{Files: files}, nil); codeOf(err) != "OVERLOADED" {
			t.Errorf("a second one: %v", err)
		}
		return gone
	})
	if !errors.Is(err, gone) {
		t.Errorf("the caller left: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.WhatIf(ctx, engine.WhatIf{Files: files}, func(*caiov1.PolicyServiceWhatIfResponse) error { return nil }); codeOf(err) != "CANCELED" {
		t.Errorf("canceled: %v", err)
	}
}
