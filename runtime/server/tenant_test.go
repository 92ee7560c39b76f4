package server_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func ids(services []*caiov1.Service) string {
	var out []string
	for _, s := range services {
		out = append(out, s.GetContract().GetServiceId())
	}
	return strings.Join(out, " ")
}

// owned is a contract of a tenant.
func owned(id, tenant string) string { return service(id, "metadata: {tenant: "+tenant+"}") }

func TestServicesOfAnotherTenantAreNotThere(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{owned("hers", "acme"), owned("his", "umbrella"), service("shared", "")}})
	for _, tt := range []struct{ name, token, sees string }{
		{"a tenant", h.keys.token(t, "acme", "admin"), "hers shared"},
		{"the other", h.keys.token(t, "umbrella", "user"), "his shared"},
		{"no tenant, no role", h.keys.token(t, "", "user"), "shared"},
		{"the platform", h.keys.token(t, "", "auditor"), "hers his shared"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			api := h.api(tt.token)
			list, err := api.registry.List(t.Context(), connect.NewRequest(&caiov1.ListRequest{}))
			must(t, err)
			if got := ids(list.Msg.GetServices()); got != tt.sees {
				t.Errorf("List shows %q, want %q", got, tt.sees)
			}
			found, err := api.registry.Discover(t.Context(), connect.NewRequest(&caiov1.DiscoverRequest{Capabilities: []string{"detect"}}))
			must(t, err)
			if got := ids(found.Msg.GetServices()); got != tt.sees || len(found.Msg.GetMismatches()) != 0 {
				t.Errorf("Discover shows %q, want %q", got, tt.sees)
			}
			nobody, err := api.registry.Discover(t.Context(), connect.NewRequest(&caiov1.DiscoverRequest{Capabilities: []string{"fly"}}))
			must(t, err)
			if got, want := len(nobody.Msg.GetMismatches()), len(strings.Fields(tt.sees)); got != want {
				t.Errorf("Discover names %d mismatches, want %d", got, want)
			}
			for _, id := range []string{"hers", "his", "shared"} {
				_, err := api.registry.Get(t.Context(), connect.NewRequest(&caiov1.GetRequest{ServiceId: id}))
				if seen := strings.Contains(tt.sees, id); seen != (err == nil) {
					t.Errorf("Get %s: %v", id, err)
				}
			}
			events := watching(t, api)
			for _, id := range strings.Fields(tt.sees) {
				expect(t, events, "present "+id)
			}
			expect(t, events, "synced")
		})
	}
}

func TestAServiceThatIsHandedOverGoesFromOneWatchToTheOther(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{owned("one", "acme")}})
	hers, his := watching(t, h.api(h.keys.token(t, "acme"))), watching(t, h.api(h.keys.token(t, "umbrella")))
	expect(t, hers, "present one", "synced")
	expect(t, his, "synced")
	_, err := h.api(h.keys.token(t, "", "admin")).registry.Update(t.Context(), connect.NewRequest(&caiov1.UpdateRequest{
		Form: &caiov1.UpdateRequest_Source{Source: &caiov1.Source{Content: []byte(owned("one", "umbrella"))}}}))
	must(t, err)
	expect(t, hers, "removed one")
	expect(t, his, "registered one")
}

func TestOperatorsOfATenantChangeItsServicesOnly(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{owned("hers", "acme"), owned("his", "umbrella"), service("shared", "")}})
	api := h.api(h.keys.token(t, "acme", "operator"))
	for _, tt := range []struct{ name, source, want string }{
		{"own", owned("new", "acme"), ""},
		{"another's", owned("new2", "umbrella"), "PERMISSION_DENIED"},
		{"everybody's", service("new3", ""), "PERMISSION_DENIED"},
	} {
		if _, err := api.registry.Register(t.Context(), registration(tt.source)); code(t, err) != tt.want {
			t.Errorf("register %s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, tt := range []struct{ name, source, want string }{
		{"own", owned("hers", "acme"), ""},
		{"another's", owned("his", "acme"), "SERVICE_NOT_FOUND"},
		{"everybody's", owned("shared", "acme"), "PERMISSION_DENIED"},
		{"own, given away", owned("hers", "umbrella"), "PERMISSION_DENIED"},
	} {
		_, err := api.registry.Update(t.Context(), connect.NewRequest(&caiov1.UpdateRequest{
			Form: &caiov1.UpdateRequest_Source{Source: &caiov1.Source{Content: []byte(tt.source)}}}))
		if code(t, err) != tt.want {
			t.Errorf("update %s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for id, want := range map[string]string{"hers": "", "his": "SERVICE_NOT_FOUND", "shared": "PERMISSION_DENIED"} {
		if _, err := api.registry.Remove(t.Context(), connect.NewRequest(&caiov1.RemoveRequest{ServiceId: id})); code(t, err) != want {
			t.Errorf("remove %s: %v, want %q", id, err, want)
		}
	}
}

// code is the caio code of err, empty if there is none.
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, _ := errorOf(t, err)
	return e.GetCode()
}

func TestTracesOfAnotherTenantAreNotThere(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	traces := map[string]string{}
	for _, tenant := range []string{"acme", "umbrella", ""} {
		answer, err := h.api(h.keys.token(t, tenant, "user")).Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: detection()}))
		must(t, err)
		traces[tenant] = answer.Msg.GetTraceId()
	}
	for _, tt := range []struct {
		name, token string
		sees        []string
	}{
		{"a tenant's user", h.keys.token(t, "acme", "user"), []string{"acme"}},
		{"a tenant's admin", h.keys.token(t, "acme", "admin"), []string{"acme"}},
		{"a user of no tenant", h.keys.token(t, "", "user"), nil},
		{"an auditor of no tenant", h.keys.token(t, "", "auditor"), []string{"acme", "umbrella", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			api := h.api(tt.token)
			seen := map[string]bool{}
			for _, tenant := range tt.sees {
				seen[traces[tenant]] = true
			}
			for tenant, id := range traces {
				_, err := api.traces.Get(t.Context(), connect.NewRequest(&caiov1.TraceServiceGetRequest{TraceId: id}))
				if want := map[bool]string{true: "", false: "TRACE_NOT_FOUND"}[seen[id]]; code(t, err) != want {
					t.Errorf("Get a trace of %q: %v, want %q", tenant, err, want)
				}
			}
			for _, filter := range []string{"", "acme", "umbrella"} {
				list, err := api.traces.List(t.Context(), connect.NewRequest(&caiov1.TraceServiceListRequest{Tenant: filter}))
				must(t, err)
				want := 0
				for _, tenant := range tt.sees {
					if filter == "" || filter == tenant {
						want++
					}
				}
				if got := len(list.Msg.GetTraces()); got != want {
					t.Errorf("List of tenant %q shows %d, want %d", filter, got, want)
				}
				for _, stored := range list.Msg.GetTraces() {
					if !seen[stored.GetTrace().GetTraceId()] {
						t.Errorf("List of tenant %q shows a foreign trace", filter)
					}
				}
			}
		})
	}
}
