package server_test

import (
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func explainTrace(t *testing.T, a *api, id, service string) (*caiov1.PolicyServiceExplainResponse, error) {
	t.Helper()
	response, err := a.policies.Explain(t.Context(), connect.NewRequest(&caiov1.PolicyServiceExplainRequest{
		Subject: &caiov1.PolicyServiceExplainRequest_TraceId{TraceId: id}, ServiceId: service,
	}))
	if err != nil {
		return nil, err
	}
	return response.Msg, nil
}

// outcomes writes which rules speak against each service.
func outcomes(response *caiov1.PolicyServiceExplainResponse) string {
	var out []string
	for _, e := range response.GetExplanations() {
		line := e.GetServiceId() + ":" + e.GetOutcome()
		for _, r := range e.GetRules() {
			if r.GetOutcome() != "passes" {
				line += " " + r.GetRule().GetRule()
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, ", ")
}

func TestATraceIsExplainedByTheRulesInForce(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{
		service("local", "privacy: {data_locality: local}"), service("far", "required_trust_level: 9"), owned("his", "umbrella"),
		strings.Replace(service("other", ""), "[detect]", "[sing]", 1),
	}})
	user := h.api(h.keys.token(t, "acme", "user"))
	request := detection()
	request.Data = &caiov1.Data{ContainsPii: true}
	decided, err := user.Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: request}))
	must(t, err)
	id := decided.Msg.GetTraceId()
	auditor := h.api(h.keys.token(t, "acme", "auditor"))

	told, err := explainTrace(t, auditor, id, "")
	must(t, err)
	if got, want := outcomes(told), "far:security SEC-0004 SEC-0003, local:eligible"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if told.GetDigest() != h.engine.Snapshot().Policies.Digest() || len(told.GetNotes()) != 0 {
		t.Errorf("digest %q, notes %q", told.GetDigest(), told.GetNotes())
	}
	fallen, err := explainTrace(t, auditor, id, "other")
	must(t, err)
	if got := outcomes(fallen); got != "other:capability" {
		t.Errorf("told %q of a service that no rule was asked about", got)
	}
	for name, c := range map[string]struct {
		api         *api
		id, service string
		code        string
	}{
		"another tenant":              {h.api(h.keys.token(t, "umbrella", "auditor")), id, "", "TRACE_NOT_FOUND"},
		"no such trace":               {auditor, "0", "", "TRACE_NOT_FOUND"},
		"no such service":             {auditor, id, "nobody", "SERVICE_NOT_FOUND"},
		"a service of another":        {auditor, id, "his", "SERVICE_NOT_FOUND"},
		"a user":                      {user, id, "", "PERMISSION_DENIED"},
		"of another, by the platform": {h.api(h.keys.token(t, "", "auditor")), id, "his", "SERVICE_NOT_FOUND"},
	} {
		_, err := explainTrace(t, c.api, c.id, c.service)
		if err == nil {
			t.Errorf("%s: told", name)
			continue
		}
		if e, _ := errorOf(t, err); e.GetCode() != c.code {
			t.Errorf("%s: %v, want %s", name, e, c.code)
		}
	}

	// What has changed since is said.
	_, err = h.api(h.keys.token(t, "", "admin")).registry.Update(t.Context(), connect.NewRequest(&caiov1.UpdateRequest{
		Form: &caiov1.UpdateRequest_Source{Source: &caiov1.Source{Content: []byte(service("far", "required_trust_level: 3\nprivacy: {data_locality: local}"))}}}))
	must(t, err)
	h.register(t, service("newer", ""))
	told, err = explainTrace(t, auditor, id, "")
	must(t, err)
	if got, want := outcomes(told), "far:eligible, local:eligible, newer:security SEC-0003"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	notes := strings.Join(told.GetNotes(), "\n")
	if !strings.Contains(notes, `the contract of "far" has changed since`) || !strings.Contains(notes, `"newer" was no candidate then`) ||
		len(told.GetNotes()) != 2 {
		t.Errorf("notes:\n%s", notes)
	}
}

func TestARequestIsExplainedForWhoAsks(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{owned("hers", "acme"), owned("his", "umbrella")}})
	request := detection()
	request.Principal = &caiov1.Principal{Subject: "x", Tenant: "umbrella", Roles: []string{"admin"}, Authenticated: true}
	for name, c := range map[string]struct {
		request *caiov1.Request
		token   string
		want    string
	}{
		"its own services": {detection(), h.keys.token(t, "acme", "operator"), "hers:eligible"},
		"the platform":     {request, h.keys.token(t, "", "operator"), "his:eligible"},
	} {
		response, err := h.api(c.token).policies.Explain(t.Context(), connect.NewRequest(&caiov1.PolicyServiceExplainRequest{
			Subject: &caiov1.PolicyServiceExplainRequest_Request{Request: c.request}, Rule: "SEC-0004",
		}))
		must(t, err)
		if got := outcomes(response.Msg); got != c.want {
			t.Errorf("%s: told %q, want %q", name, got, c.want)
		}
		for _, e := range response.Msg.GetExplanations() {
			if len(e.GetRules()) != 2 {
				t.Errorf("%s: %d rules of two", name, len(e.GetRules()))
			}
		}
	}
}

// TestRulesOfATenantAreNobodyElsesToRead: neither listed, nor told of by explaining a request in its name.
func TestRulesOfATenantAreNobodyElsesToRead(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("all", "")}, rego: map[string]string{
		"tenants/umbrella/routing/secret.rego": "package caio.routing.secret\n\ndeny contains \"secret\" if input.service.name != \"\"\n",
	}})
	explain := func(token, tenant string) (string, error) {
		request := detection()
		request.Principal = &caiov1.Principal{Subject: "x", Tenant: tenant, Roles: []string{"user"}, Authenticated: true}
		response, err := h.api(token).policies.Explain(t.Context(), connect.NewRequest(&caiov1.PolicyServiceExplainRequest{
			Subject: &caiov1.PolicyServiceExplainRequest_Request{Request: request},
		}))
		if err != nil {
			return "", err
		}
		return outcomes(response.Msg), nil
	}
	const refused = "all:rule caio.routing.secret.deny"
	for name, c := range map[string]struct{ caller, tenant, want string }{
		"its own":              {"umbrella", "umbrella", refused},
		"the platform":         {"", "umbrella", refused},
		"another's":            {"acme", "umbrella", "denied"},
		"everybody's":          {"acme", "", "all:eligible"},
		"another tenant's own": {"acme", "acme", "all:eligible"},
	} {
		got, err := explain(h.keys.token(t, c.caller, "auditor"), c.tenant)
		if connect.CodeOf(err) == connect.CodePermissionDenied && err != nil {
			got, err = "denied", nil
		}
		if err != nil || got != c.want {
			t.Errorf("%s: told %q, %v; want %q", name, got, err, c.want)
		}
		response, err := h.api(h.keys.token(t, c.caller, "auditor")).policies.List(t.Context(), connect.NewRequest(&caiov1.PolicyServiceListRequest{}))
		must(t, err)
		listed := slices.ContainsFunc(response.Msg.GetRules(), func(r *caiov1.PolicyRule) bool { return r.GetTenant() == "umbrella" })
		if listed != (c.caller != "acme") {
			t.Errorf("%s: umbrella's rules are listed to %q: %v", name, c.caller, listed)
		}
	}
}

func TestRulesInForceAreListedToThoseWhoAnswerForThem(t *testing.T) {
	h := newHouse(t, setup{})
	for _, role := range []string{"admin", "operator", "auditor"} {
		response, err := h.api(h.keys.token(t, "acme", role)).policies.List(t.Context(), connect.NewRequest(&caiov1.PolicyServiceListRequest{}))
		must(t, err)
		set := h.engine.Snapshot().Policies
		if len(response.Msg.GetRules()) != set.Len() || response.Msg.GetDigest() != set.Digest() {
			t.Errorf("%s: %d rules, digest %s", role, len(response.Msg.GetRules()), response.Msg.GetDigest())
		}
	}
	_, err := h.api(h.keys.token(t, "acme", "user")).policies.List(t.Context(), connect.NewRequest(&caiov1.PolicyServiceListRequest{}))
	if e, _ := errorOf(t, err); e.GetCode() != "PERMISSION_DENIED" {
		t.Errorf("a user: %v", err)
	}
}
