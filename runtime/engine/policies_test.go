package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/store"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// bundle is the policy set that ships, with more beside it, as files.
func bundle(t testing.TB, more map[string]string) policy.Bundle {
	t.Helper()
	b, err := policy.ReadBundle(defaults(more))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// refusing is a rule that refuses the services of these ids.
func refusing(ids ...string) map[string]string {
	return map[string]string{"routing/test.rego": fmt.Sprintf(
		"package caio.routing.test\n\ndeny contains %q if input.service.service_id in {\"\", \"%s\"}\n",
		strings.Join(ids, " "), strings.Join(ids, `", "`))}
}

func activate(t testing.TB, e *engine.Engine, files policy.Bundle) store.PolicyVersion {
	t.Helper()
	v, set, err := e.Activate(t.Context(), engine.Activation{Files: files, Author: "ann", By: "root", Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if set.Digest() != v.Digest || e.Snapshot().Policies.Digest() != v.Digest {
		t.Fatalf("version %+v, in force is %s", v, e.Snapshot().Policies.Digest())
	}
	return v
}

// eligible names those that can serve.
func eligible(t testing.TB, h *house) string {
	t.Helper()
	answer, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: &caiov1.Request{
		Capabilities: []string{"detect"}, Principal: &caiov1.Principal{Authenticated: true, TrustLevel: 5},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range answer.GetDecision().GetCandidates() {
		if c.GetScore() != 0 || c.GetOutcome() == "selected" || c.GetOutcome() == "eligible" {
			ids = append(ids, c.GetServiceId())
		}
	}
	return strings.Join(ids, " ")
}

func bare(id string) string {
	return fmt.Sprintf("service_id: %s\nname: x\nversion: 1.0.0\ncapabilities: [detect]\n", id)
}

func codeOf(err error) string {
	var e *engine.Error
	errors.As(err, &e)
	return e.Detail.GetCode()
}

func TestActivatedPoliciesDecideAndCanBeTakenBack(t *testing.T) {
	h := newHouse(t, policies.FS(), bare("a"), bare("b"))
	if _, err := h.Rollback(t.Context(), 0, "root", ""); codeOf(err) != "POLICY_NOT_FOUND" {
		t.Errorf("back to before the start: %v", err)
	}
	step := func(version uint32, restores uint32, want string) {
		t.Helper()
		record, err := h.PolicyVersion(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if record.Number != version || record.Restores != restores || record.Digest != h.Snapshot().Policies.Digest() {
			t.Errorf("in force is %+v, want version %d", record.PolicyVersion, version)
		}
		if got := eligible(t, h); got != want {
			t.Errorf("version %d: %q can serve, want %q", version, got, want)
		}
		set, origin, err := engine.LoadPolicies(t.Context(), h.store)
		if err != nil || set.Digest() != record.Digest || origin.Version != record.PolicyVersion {
			t.Errorf("the next start finds %+v, %v", origin.Version, err)
		}
	}
	back := func(number uint32) {
		t.Helper()
		if _, err := h.Rollback(t.Context(), number, "root", "back"); err != nil {
			t.Fatal(err)
		}
	}
	activate(t, h.Engine, bundle(t, nil))
	step(1, 0, "a b")
	v := activate(t, h.Engine, bundle(t, refusing("a")))
	if v.Author != "ann" || v.ActivatedBy != "root" || v.Reason != "test" || v.Rules != h.Snapshot().Policies.Len() || v.FileCount < 30 {
		t.Errorf("%+v", v)
	}
	step(2, 0, "b")
	activate(t, h.Engine, bundle(t, refusing("b")))
	step(3, 0, "a")
	back(0)
	step(4, 2, "b")
	back(0)
	step(5, 1, "a b")
	if _, err := h.Rollback(t.Context(), 0, "root", ""); codeOf(err) != "POLICY_NOT_FOUND" {
		t.Errorf("back to before version 1: %v", err)
	}
	back(4)
	step(6, 4, "b")
	if _, err := h.Rollback(t.Context(), 7, "root", ""); codeOf(err) != "POLICY_NOT_FOUND" {
		t.Errorf("a version there is not: %v", err)
	}
}

func TestTheSetOfTheStartIsKeptWhenAnotherTakesItsPlace(t *testing.T) {
	h := newHouseOf(t, engine.PolicyOrigin{Files: bundle(t, refusing("a"))}, defaults(refusing("a")), bare("a"), bare("b"))
	activate(t, h.Engine, bundle(t, nil))
	versions, err := h.PolicyVersions(t.Context(), 0, 10)
	if err != nil || len(versions) != 2 || versions[1].ActivatedBy != "" || versions[0].Number != 2 {
		t.Fatalf("%+v, %v", versions, err)
	}
	if _, err := h.Rollback(t.Context(), 0, "root", ""); err != nil {
		t.Fatal(err)
	}
	if got := eligible(t, h); got != "b" {
		t.Errorf("%q can serve", got)
	}
}

func TestPoliciesThatAreNotSafeAreNotActivated(t *testing.T) {
	h := newHouse(t, policies.FS(), bare("a"))
	before := h.Snapshot()
	for name, c := range map[string]struct {
		files  policy.Bundle
		says   string
		faults int
	}{
		"no security":      {policy.Bundle{"routing/a.rego": []byte("package caio.routing.a\n\ndeny contains \"x\" if false\n")}, "SEC-0001, SEC-0002", 0},
		"nothing":          {policy.Bundle{}, "SEC-0004", 0},
		"does not compile": {bundle(t, map[string]string{"routing/b.rego": "package caio.routing.b\n\ndeny contains x if y\n"}), "routing/b.rego:3", 1},
	} {
		_, _, err := h.Activate(t.Context(), engine.Activation{Files: c.files})
		if codeOf(err) != "INVALID_POLICY" || !strings.Contains(err.Error(), c.says) || len(engine.FaultsOf(err)) != c.faults {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h.Snapshot() != before {
		t.Error("something else is in force")
	}
	if versions, err := h.PolicyVersions(t.Context(), 0, 1); err != nil || len(versions) > 0 {
		t.Errorf("%v, %v", versions, err)
	}
	dev := newHouseOf(t, engine.PolicyOrigin{Development: true}, policies.FS())
	activate(t, dev.Engine, policy.Bundle{"routing/a.rego": []byte("package caio.routing.a\n\ndeny contains \"x\" if false\n")})
}

func TestPoliciesThatCannotBeKeptAreNotInForce(t *testing.T) {
	h := newHouse(t, policies.FS(), bare("a"))
	before := h.Snapshot()
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Activate(t.Context(), engine.Activation{Files: bundle(t, refusing("a"))}); codeOf(err) != "UNAVAILABLE" {
		t.Errorf("got %v", err)
	}
	if h.Snapshot() != before {
		t.Error("something else is in force")
	}
}

// Whatever changes while a set is prepared is decided by it, and by all of it.
func TestRegistrationsAndActivationsMeet(t *testing.T) {
	const each = 25
	h := newHouse(t, policies.FS(), bare("first"))
	sets := []policy.Bundle{bundle(t, refusing("s1", "s3")), bundle(t, refusing("s2", "s3", "s24"))}
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 2 {
		all.Go(func() { // requests see one set from end to end
			for ctx.Err() == nil {
				answer, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: &caiov1.Request{
					Capabilities: []string{"detect"}, Principal: &caiov1.Principal{Authenticated: true, TrustLevel: 5}}})
				if err != nil {
					t.Error(err)
					return
				}
				said := map[string]bool{}
				for _, c := range answer.GetDecision().GetCandidates() {
					for _, r := range c.GetReasons() {
						said[r.GetMessage()] = true
					}
				}
				if len(said) > 1 {
					t.Errorf("a decision by two sets: %v", said)
				}
			}
		})
	}
	var changes sync.WaitGroup
	changes.Go(func() {
		for i := range each {
			if _, err := h.Register(t.Context(), h.parse(t, bare(fmt.Sprint("s", i)))); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range 2 {
		changes.Go(func() {
			for range 6 {
				if _, _, err := h.Activate(t.Context(), engine.Activation{Files: sets[i]}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	changes.Wait()
	stop()
	all.Wait()
	activate(t, h.Engine, sets[1])
	last := h.Snapshot()
	fresh, err := engine.NewSnapshot(last.Registry, last.Policies, policy.OPA, nil)
	if err != nil {
		t.Fatal(err)
	}
	req := &caiov1.Request{Capabilities: []string{"detect"}, Principal: &caiov1.Principal{Authenticated: true, TrustLevel: 5}}
	got, err := engine.Decide(t.Context(), last, engine.NoPast, req, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	want, err := engine.Decide(t.Context(), fresh, engine.NoPast, req, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() {
		t.Errorf("decided\n%v\nwant\n%v", got, want)
	}
	if n := len(got.GetRanking()); n != each+1-3 {
		t.Errorf("%d can serve, want %d", n, each+1-3)
	}
	if versions, err := h.PolicyVersions(t.Context(), 0, 100); err != nil || len(versions) != 13 {
		t.Errorf("%d versions, %v", len(versions), err)
	}
}
