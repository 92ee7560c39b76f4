package server_test

import (
	"testing"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// whatIf runs it to its end.
func (a *api) whatIf(t testing.TB, in *caiov1.PolicyServiceWhatIfRequest) (moved []string, summary *caiov1.WhatIfSummary, err error) {
	t.Helper()
	stream, err := a.policies.WhatIf(t.Context(), connect.NewRequest(in))
	must(t, err)
	defer func() { must(t, stream.Close()) }()
	for stream.Receive() {
		if d := stream.Msg().GetDifference(); d != nil {
			moved = append(moved, d.GetTenant())
		}
		summary = stream.Msg().GetSummary()
	}
	return moved, summary, stream.Err()
}

func TestWhatIfLooksAtTheTracesThatTheCallerMayRead(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	for _, tenant := range []string{"acme", "umbrella", "acme"} {
		h.api(h.keys.token(t, tenant, "user")).served(t)
	}
	strict := filesOf(t, nobody)
	for name, c := range map[string]struct {
		token  string
		tenant string
		want   int
	}{
		"the platform":            {h.keys.token(t, "", "auditor"), "", 3},
		"of one tenant":           {h.keys.token(t, "", "operator"), "umbrella", 1},
		"a tenant's auditor":      {h.keys.token(t, "acme", "auditor"), "", 2},
		"a tenant, about another": {h.keys.token(t, "acme", "admin"), "umbrella", 0},
	} {
		moved, summary, err := h.api(c.token).whatIf(t, &caiov1.PolicyServiceWhatIfRequest{Files: strict, Tenant: c.tenant})
		must(t, err)
		if len(moved) != c.want || summary.GetDifferences().GetMoved() != int64(c.want) {
			t.Errorf("%s: %v would move, %v", name, moved, summary)
		}
	}
	_, _, err := h.api(h.keys.token(t, "", "operator")).whatIf(t, &caiov1.PolicyServiceWhatIfRequest{Files: filesOf(t, map[string]string{"a.rego": "package"})})
	if e, _ := errorOf(t, err); e.GetCode() != "INVALID_POLICY" {
		t.Errorf("a set that does not compile: %v", err)
	}
	_, _, err = h.api(h.keys.token(t, "acme", "user")).whatIf(t, &caiov1.PolicyServiceWhatIfRequest{Files: strict})
	if e, _ := errorOf(t, err); e.GetCode() != "PERMISSION_DENIED" {
		t.Errorf("a user: %v", err)
	}
}

func TestAShadowIsStartedReadAndStopped(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	admin, auditor := h.api(h.keys.token(t, "", "admin")), h.api(h.keys.token(t, "", "auditor"))
	status := func() *caiov1.ShadowReport {
		response, err := auditor.policies.ShadowStatus(t.Context(), connect.NewRequest(&caiov1.PolicyServiceShadowStatusRequest{}))
		must(t, err)
		return response.Msg.GetReport()
	}
	if status() != nil {
		t.Error("there is a report before there was a shadow")
	}
	started, err := admin.policies.StartShadow(t.Context(), connect.NewRequest(&caiov1.PolicyServiceStartShadowRequest{Files: filesOf(t, nobody)}))
	must(t, err)
	if r := started.Msg.GetReport(); !r.GetRunning() || r.GetShare() != 1 || r.GetStartedBy() != "u1" || r.GetStarted() == nil {
		t.Errorf("started %v", r)
	}
	if !admin.served(t) {
		t.Error("the shadow decides")
	}
	for status().GetDifferences().GetCompared() == 0 {
		must(t, t.Context().Err())
	}
	stopped, err := admin.policies.StopShadow(t.Context(), connect.NewRequest(&caiov1.PolicyServiceStopShadowRequest{}))
	must(t, err)
	if r := stopped.Msg.GetReport(); r.GetRunning() || r.GetDifferences().GetMoved() != 1 || len(r.GetExamples()) != 1 {
		t.Errorf("stopped %v", r)
	}
	share := 1.5
	for _, in := range []*caiov1.PolicyServiceStartShadowRequest{{Files: filesOf(t, nil), Share: &share}, {}} {
		_, err := admin.policies.StartShadow(t.Context(), connect.NewRequest(in))
		if e, _ := errorOf(t, err); e.GetCode() != "INVALID_REQUEST" {
			t.Errorf("%v: %v", in, err)
		}
	}
}
