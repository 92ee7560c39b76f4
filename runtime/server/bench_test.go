package server_test

import (
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/runtime/engine/enginetest"
	"github.com/smarthausgroup/caio/runtime/identity"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// BenchmarkDecide is one decision over loopback, client included, beside the engine's own share of it.
func BenchmarkDecide(b *testing.B) {
	size := enginetest.Small()
	h := newHouse(b, setup{})
	registry, err := size.Registry(h.schema)
	must(b, err)
	for s := range registry.All() {
		_, err := h.engine.Register(b.Context(), s.Contract)
		must(b, err)
	}
	who := size.Request().Principal
	token, err := identity.Mint(h.keys.key, identity.Claims{
		Issuer: tokenIssuer, Audience: tokenAudience, Subject: who.Subject, Tenant: who.Tenant, Roles: who.Roles,
		Permissions: who.Permissions, TrustLevel: int(who.TrustLevel), IssuedAt: time.Now(), TTL: time.Hour,
	})
	must(b, err)
	asked := func() *caiov1.Request {
		r := size.Request()
		r.Principal = nil
		return r
	}
	b.Run("engine alone", func(b *testing.B) {
		in := &caiov1.DecideRequest{Request: size.Request()}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := h.engine.Decide(b.Context(), in); err != nil {
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
				answer, err := bench.api.Decide(b.Context(), connect.NewRequest(&caiov1.DecideRequest{Request: asked()}))
				if err != nil || answer.Msg.GetDecision().GetServiceId() == "" {
					b.Fatal(answer, err)
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
