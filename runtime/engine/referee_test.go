package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Decisions are held against OPA in the background, and agree with it.
func TestTheRefereeChecksDecisions(t *testing.T) {
	h := newHouse(t, defaults(nil), reachable("s0", "http://127.0.0.1:1", "guarantees: {accuracy: 0.9, p95_latency_ms: 50}"))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: request()}); err != nil {
			t.Fatal(err)
		}
		if health := h.PolicyHealth(); health.Checked > 2 {
			if health.Differences > 0 || health.Engine != policy.Factored {
				t.Errorf("the engines differ: %+v", health)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing was checked: %+v", h.PolicyHealth())
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	checked := h.PolicyHealth().Checked
	for range 100 {
		if _, err := h.Decide(context.WithoutCancel(t.Context()), &caiov1.DecideRequest{Request: request()}); err != nil {
			t.Fatal(err)
		}
	}
	if again := h.PolicyHealth().Checked; again != checked {
		t.Error("checks go on after Close")
	}
}
