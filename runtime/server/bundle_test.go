package server_test

import (
	"testing"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/audit"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestABundleHoldsWhatItsCallerMayRead: a tenant gets its own traces and nothing of what decided, which is everybody's.
func TestABundleHoldsWhatItsCallerMayRead(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{owned("hers", "acme"), owned("his", "umbrella")}})
	hers := h.api(h.keys.token(t, "acme", "user"))
	answer, err := hers.Decide(t.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: detection()}))
	must(t, err)
	ask := func(token string, snapshot, adapters bool) (*caiov1.Bundle, string) {
		response, err := h.api(token).traces.Bundle(t.Context(), connect.NewRequest(&caiov1.TraceServiceBundleRequest{
			TraceId: answer.Msg.GetTraceId(), Snapshot: snapshot, Adapters: adapters, EarlierSize: 1 << 60}))
		if err != nil {
			e, _ := errorOf(t, err)
			return nil, e.GetCode()
		}
		return response.Msg.GetBundle(), ""
	}
	for _, tt := range []struct {
		name, token        string
		snapshot, adapters bool
		contracts          int
		code               string
	}{
		{"her own", h.keys.token(t, "acme", "user"), false, false, 0, ""},
		{"her own, with what decided", h.keys.token(t, "acme", "admin"), true, false, 0, "PERMISSION_DENIED"},
		{"her own, with adapters", h.keys.token(t, "acme", "auditor"), false, true, 0, "PERMISSION_DENIED"},
		{"his", h.keys.token(t, "umbrella", "user"), false, false, 0, "TRACE_NOT_FOUND"},
		{"his, with what decided", h.keys.token(t, "umbrella", "admin"), true, false, 0, "TRACE_NOT_FOUND"},
		{"a user of no tenant", h.keys.token(t, "", "user"), false, false, 0, "TRACE_NOT_FOUND"},
		{"an auditor", h.keys.token(t, "", "auditor"), false, false, 0, ""},
		{"an auditor, with what decided", h.keys.token(t, "", "auditor"), true, false, 2, ""},
		{"an auditor, with all", h.keys.token(t, "", "auditor"), false, true, 2, ""},
	} {
		b, code := ask(tt.token, tt.snapshot, tt.adapters)
		if code != tt.code || len(b.GetSnapshot().GetContracts()) != tt.contracts || b.GetSnapshot() != nil && tt.contracts == 0 {
			t.Errorf("%s: %q and %d contracts", tt.name, code, len(b.GetSnapshot().GetContracts()))
		}
		if b == nil {
			continue
		}
		// Of a log that never was so large nothing is shown, and the rest is as it should be.
		if r := audit.Verify(b, audit.Options{}); !r.OK() || b.GetLog().GetEarlierSize() != 0 {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
}
