package server_test

import (
	"context"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// filesOf is the policy set that ships, with more beside it, as it is sent.
func filesOf(t testing.TB, more map[string]string) []*caiov1.PolicyFile {
	t.Helper()
	b, err := policy.ReadBundle(defaults(more))
	must(t, err)
	return b.Messages()
}

// nobody is a rule that refuses every service.
var nobody = map[string]string{"routing/test.rego": "package caio.routing.test\n\ndeny contains \"closed\" if input.request.match == \"all\"\n"}

func (a *api) activate(t testing.TB, more map[string]string) *caiov1.PolicyVersion {
	t.Helper()
	response, err := a.policies.Activate(t.Context(), connect.NewRequest(&caiov1.PolicyServiceActivateRequest{
		Files: filesOf(t, more), Author: "ann", Reason: "test"}))
	must(t, err)
	return response.Msg.GetVersion()
}

// served tells whether somebody can serve.
func (a *api) served(t testing.TB) bool {
	t.Helper()
	response, err := a.Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: detection()}))
	must(t, err)
	return response.Msg.GetDecision().GetServiceId() != ""
}

func TestVersionsOfPoliciesAreActivatedAndRolledBack(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	admin := h.api(h.keys.token(t, "", "admin"))
	auditor := h.api(h.keys.token(t, "", "auditor"))
	embedded := h.engine.Snapshot().Policies.Digest()

	none, err := auditor.policies.Versions(t.Context(), connect.NewRequest(&caiov1.PolicyServiceVersionsRequest{}))
	must(t, err)
	if len(none.Msg.GetVersions()) != 0 || none.Msg.GetActive().GetDigest() != embedded || none.Msg.GetActive().GetVersion() != 0 {
		t.Errorf("before the first activation: %v", none.Msg)
	}
	admin.activate(t, nil)
	v := admin.activate(t, nobody)
	if v.GetVersion() != 2 || v.GetActivatedBy() != "u1" || v.GetAuthor() != "ann" || v.GetReason() != "test" || !v.GetActive() || v.GetTime() == nil {
		t.Errorf("activated %v", v)
	}
	if admin.served(t) {
		t.Error("the activated rule refuses nobody")
	}
	back, err := admin.policies.Rollback(t.Context(), connect.NewRequest(&caiov1.PolicyServiceRollbackRequest{Reason: "too strict"}))
	must(t, err)
	if got := back.Msg.GetVersion(); got.GetVersion() != 3 || got.GetRestores() != 1 || got.GetDigest() != embedded || got.GetReason() != "too strict" {
		t.Errorf("rolled back to %v", got)
	}
	if !admin.served(t) {
		t.Error("the rule that was taken back still refuses")
	}

	page, err := auditor.policies.Versions(t.Context(), connect.NewRequest(&caiov1.PolicyServiceVersionsRequest{PageSize: 2}))
	must(t, err)
	if got := numbers(page.Msg); got != "3* 2" || page.Msg.GetNextPageToken() == "" {
		t.Errorf("the first page holds %q", got)
	}
	page, err = auditor.policies.Versions(t.Context(), connect.NewRequest(&caiov1.PolicyServiceVersionsRequest{PageSize: 2, PageToken: page.Msg.GetNextPageToken()}))
	must(t, err)
	if got := numbers(page.Msg); got != "1" || page.Msg.GetNextPageToken() != "" {
		t.Errorf("the last page holds %q, then %q", got, page.Msg.GetNextPageToken())
	}
	for number, want := range map[uint32]int{0: len(filesOf(t, nil)), 2: len(filesOf(t, nobody)), 3: len(filesOf(t, nil))} {
		got, err := auditor.policies.Get(t.Context(), connect.NewRequest(&caiov1.PolicyServiceGetRequest{Version: number}))
		must(t, err)
		if len(got.Msg.GetFiles()) != want || got.Msg.GetVersion().GetActive() != (number != 2) {
			t.Errorf("version %d: %d files, %v", number, len(got.Msg.GetFiles()), got.Msg.GetVersion())
		}
	}
}

func numbers(page *caiov1.PolicyServiceVersionsResponse) string {
	var out []string
	for _, v := range page.GetVersions() {
		n := string(rune('0' + v.GetVersion()))
		if v.GetActive() {
			n += "*"
		}
		out = append(out, n)
	}
	return strings.Join(out, " ")
}

func TestPoliciesWithFaultsComeBackWithAllOfThem(t *testing.T) {
	h := newHouse(t, setup{})
	admin := h.api(h.keys.token(t, "", "admin"))
	bad := filesOf(t, map[string]string{"routing/x.rego": "package caio.routing.x\n\ndeny := true\n", "routing/y.rego": "package\n"})
	_, err := admin.policies.Activate(t.Context(), connect.NewRequest(&caiov1.PolicyServiceActivateRequest{Files: bad}))
	e, code := errorOf(t, err)
	if e.GetCode() != "INVALID_POLICY" || code != connect.CodeInvalidArgument || !strings.Contains(e.GetMessage(), "routing/x.rego:3") {
		t.Errorf("%v, %v", e, code)
	}
	found := false
	for _, d := range err.(*connect.Error).Details() {
		if m, err := d.Value(); err == nil {
			if check, ok := m.(*caiov1.PolicyServiceCheckResponse); ok {
				found = len(check.GetFaults()) == 2
			}
		}
	}
	if !found {
		t.Error("the faults are not among the details")
	}
	check, err := admin.policies.Check(t.Context(), connect.NewRequest(&caiov1.PolicyServiceCheckRequest{Files: bad}))
	must(t, err)
	if check.Msg.GetValid() || len(check.Msg.GetFaults()) != 2 {
		t.Errorf("checked: %v", check.Msg)
	}
	outside := []*caiov1.PolicyFile{{Path: "../x.rego"}, {Path: "run.sh"}}
	check, err = admin.policies.Check(t.Context(), connect.NewRequest(&caiov1.PolicyServiceCheckRequest{Files: outside}))
	must(t, err)
	if len(check.Msg.GetFaults()) != 2 {
		t.Errorf("paths out of the set: %v", check.Msg)
	}
	good, err := admin.policies.Check(t.Context(), connect.NewRequest(&caiov1.PolicyServiceCheckRequest{Files: filesOf(t, nil)}))
	must(t, err)
	if !good.Msg.GetValid() || good.Msg.GetDigest() != h.engine.Snapshot().Policies.Digest() || len(good.Msg.GetRules()) != h.engine.Snapshot().Policies.Len() {
		t.Errorf("the set that ships: %v", good.Msg)
	}
	if ways := good.Msg.GetPlan(); len(ways) == 0 || ways[0].GetEngine() != "factored" || ways[0].GetCostUs() <= 0 || ways[0].GetRule().GetFile() == "" {
		t.Errorf("the plan: %v", ways)
	}
	if unsafe, err := admin.policies.Activate(t.Context(), connect.NewRequest(&caiov1.PolicyServiceActivateRequest{
		Files: []*caiov1.PolicyFile{{Path: "a.rego", Content: []byte("package caio.routing.a\n\ndeny contains \"x\" if false\n")}}})); err == nil {
		t.Errorf("a set without security is in force: %v", unsafe.Msg)
	}
}

func TestPoliciesAreTestedByTheServer(t *testing.T) {
	h := newHouse(t, setup{})
	operator := h.api(h.keys.token(t, "acme", "operator"))
	response, err := operator.policies.Test(t.Context(), connect.NewRequest(&caiov1.PolicyServiceTestRequest{
		Files: filesOf(t, map[string]string{"routing/a_test.rego": "package a_test\n\ntest_no if 1 == 2\n"}), Run: "a_test|privacy", Coverage: true}))
	must(t, err)
	outcomes := map[string]int{}
	for _, test := range response.Msg.GetTests() {
		outcomes[test.GetOutcome()]++
	}
	if outcomes["fail"] != 1 || outcomes["pass"] < 2 || response.Msg.GetCoverage().GetPercent() <= 0 {
		t.Errorf("%v, coverage %v", outcomes, response.Msg.GetCoverage())
	}
	for name, in := range map[string]*caiov1.PolicyServiceTestRequest{
		"INVALID_POLICY":  {Files: filesOf(t, map[string]string{"a.rego": "package"})},
		"INVALID_REQUEST": {Files: filesOf(t, nil), Run: "("},
	} {
		_, err := operator.policies.Test(t.Context(), connect.NewRequest(in))
		if e, _ := errorOf(t, err); e.GetCode() != name {
			t.Errorf("%v, want %s", e, name)
		}
	}
}

// Each procedure, and who may call it.
func TestWhoMayWhatWithPolicies(t *testing.T) {
	h := newHouse(t, setup{})
	good := filesOf(t, nil)
	procedures := map[string]struct {
		call     func(context.Context, *api) error
		admin    bool // only admins
		platform bool // only of no tenant
	}{
		"Check": {call: func(ctx context.Context, a *api) error {
			_, err := a.policies.Check(ctx, connect.NewRequest(&caiov1.PolicyServiceCheckRequest{Files: good}))
			return err
		}},
		"Test": {call: func(ctx context.Context, a *api) error {
			_, err := a.policies.Test(ctx, connect.NewRequest(&caiov1.PolicyServiceTestRequest{Files: good, Run: "none"}))
			return err
		}},
		"List": {call: func(ctx context.Context, a *api) error {
			_, err := a.policies.List(ctx, connect.NewRequest(&caiov1.PolicyServiceListRequest{}))
			return err
		}},
		"Explain": {call: func(ctx context.Context, a *api) error {
			_, err := a.policies.Explain(ctx, connect.NewRequest(&caiov1.PolicyServiceExplainRequest{
				Subject: &caiov1.PolicyServiceExplainRequest_Request{Request: detection()}}))
			return err
		}},
		"Versions": {platform: true, call: func(ctx context.Context, a *api) error {
			_, err := a.policies.Versions(ctx, connect.NewRequest(&caiov1.PolicyServiceVersionsRequest{}))
			return err
		}},
		"Get": {platform: true, call: func(ctx context.Context, a *api) error {
			_, err := a.policies.Get(ctx, connect.NewRequest(&caiov1.PolicyServiceGetRequest{}))
			return err
		}},
		"Activate": {admin: true, platform: true, call: func(ctx context.Context, a *api) error {
			_, err := a.policies.Activate(ctx, connect.NewRequest(&caiov1.PolicyServiceActivateRequest{Files: good}))
			return err
		}},
		"Rollback": {admin: true, platform: true, call: func(ctx context.Context, a *api) error {
			_, err := a.policies.Rollback(ctx, connect.NewRequest(&caiov1.PolicyServiceRollbackRequest{Version: 1}))
			return err
		}},
		"StartShadow": {admin: true, platform: true, call: func(ctx context.Context, a *api) error {
			_, err := a.policies.StartShadow(ctx, connect.NewRequest(&caiov1.PolicyServiceStartShadowRequest{Files: good}))
			return err
		}},
		"StopShadow": {admin: true, platform: true, call: func(ctx context.Context, a *api) error {
			_, err := a.policies.StopShadow(ctx, connect.NewRequest(&caiov1.PolicyServiceStopShadowRequest{}))
			return err
		}},
		"ShadowStatus": {platform: true, call: func(ctx context.Context, a *api) error {
			_, err := a.policies.ShadowStatus(ctx, connect.NewRequest(&caiov1.PolicyServiceShadowStatusRequest{}))
			return err
		}},
		"WhatIf": {call: func(ctx context.Context, a *api) error {
			stream, err := a.policies.WhatIf(ctx, connect.NewRequest(&caiov1.PolicyServiceWhatIfRequest{Files: good}))
			if err != nil {
				return err
			}
			for stream.Receive() {
			}
			err = stream.Err()
			must(t, stream.Close())
			return err
		}},
	}
	h.api(h.keys.token(t, "", "admin")).activate(t, nil)
	if n := caiov1.File_caio_v1_policy_proto.Services().ByName("PolicyService").Methods().Len(); n != len(procedures) {
		t.Errorf("%d procedures are asked about, there are %d", len(procedures), n)
	}
	for name, p := range procedures {
		for _, tenant := range []string{"", "acme"} {
			for _, role := range []string{"admin", "operator", "auditor", "user", ""} {
				want := role == "admin" || !p.admin && (role == "operator" || role == "auditor")
				want = want && (tenant == "" || !p.platform)
				err := p.call(t.Context(), h.api(h.keys.token(t, tenant, strings.Fields(role)...)))
				if err == nil {
					if !want {
						t.Errorf("%s of tenant %q may %s", role, tenant, name)
					}
					continue
				}
				if e, _ := errorOf(t, err); want || e.GetCode() != "PERMISSION_DENIED" {
					t.Errorf("%s of tenant %q, %s: %v", role, tenant, name, err)
				}
			}
		}
		err := p.call(t.Context(), h.api(""))
		if e, _ := errorOf(t, err); e.GetCode() != "UNAUTHENTICATED" {
			t.Errorf("%s without a token: %v", name, err)
		}
	}
}
