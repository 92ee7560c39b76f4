package server_test

import (
	"testing"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// BenchmarkDecide is one decision over loopback, client included, beside the engine's own share of it.
func BenchmarkDecide(b *testing.B) {
	h := newHouse(b, setup{contracts: []string{service("one", ""), service("two", "")}})
	token := h.keys.token(b, "acme", "user")
	b.Run("engine alone", func(b *testing.B) {
		request := detection()
		request.Principal = &caiov1.Principal{Subject: "u1", Tenant: "acme", Roles: []string{"user"}, TrustLevel: 5, Authenticated: true}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := h.engine.Decide(b.Context(), &caiov1.DecideRequest{Request: request}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, bench := range []struct {
		name string
		api  *api
	}{
		{"Connect", h.apiOver(h.http1, token)},
		{"Connect JSON", h.apiOver(h.http1, token, connect.WithProtoJSON())},
		{"gRPC", h.apiOver(h.http2, token, connect.WithGRPC())},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bench.api.Decide(b.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: detection()})); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("health alone", func(b *testing.B) {
		api := h.api("")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := api.system.Health(b.Context(), connect.NewRequest(&caiov1.HealthRequest{})); err != nil {
				b.Fatal(err)
			}
		}
	})
}
