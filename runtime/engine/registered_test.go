package engine_test

import (
	"fmt"
	"testing"

	"github.com/smarthausgroup/caio/runtime/engine"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// ofCategory is a contract that offers a capability.
func ofCategory(id, capability, category, tenant string) string {
	return fmt.Sprintf("service_id: %s\nname: N\nversion: 1.0.0\ncapabilities: [%s]\nprivacy: {data_locality: local}\ncost: {per_request: 0}\nmetadata: {category: %s, tenant: %s}\n",
		id, capability, category, tenant)
}

func TestInferenceGoesToTheEngineAsLongAsThereIsOne(t *testing.T) {
	h := newHouse(t, defaults(nil), ofCategory("provider", "talk", "llm", `""`))
	chosen := func(principal *caiov1.Principal) string {
		t.Helper()
		got, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: &caiov1.Request{Capabilities: []string{"talk"}, Principal: principal}})
		if err != nil {
			t.Fatal(err)
		}
		last := stored(t, h)
		snapshot, err := h.Bundled(t.Context(), last.Trace, false)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := engine.Replay(t.Context(), last.Raw, snapshot, ""); err != nil || !again.Same {
			t.Errorf("the decision replays as %+v, %v", again, err)
		}
		return got.GetDecision().GetServiceId()
	}
	user := &caiov1.Principal{Subject: "ann", Authenticated: true}
	register := func(source string) {
		t.Helper()
		if _, err := h.Register(t.Context(), h.parse(t, source)); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(when, want string, principal *caiov1.Principal) {
		t.Helper()
		if got := chosen(principal); got != want {
			t.Errorf("%s: %q serves, want %q", when, got, want)
		}
	}
	expect("without an engine", "provider", user)
	register(ofCategory("deaf", "listen", "inference_engine", `""`))
	expect("with an engine that does not offer it", "provider", user)
	register(ofCategory("theirs", "talk", "inference_engine", "acme"))
	expect("with another tenant's engine", "provider", user)
	expect("with its own engine", "theirs", &caiov1.Principal{Subject: "bob", Tenant: "acme", Authenticated: true})
	register(ofCategory("said", "talk", "inference_engine", `""`))
	expect("with an engine", "said", user)
	expect("asked by the engine", "provider", &caiov1.Principal{Subject: "said", Permissions: []string{"inference:direct"}, Authenticated: true})
	if _, err := h.Remove(t.Context(), "said", nil); err != nil {
		t.Fatal(err)
	}
	expect("without the engine again", "provider", user)
}

func TestWhatIsRegisteredIsNotTheCallersToSay(t *testing.T) {
	h := newHouse(t, defaults(nil), ofCategory("provider", "talk", "llm", `""`))
	r := &caiov1.Request{Registered: map[string]*caiov1.Registered{"inference_engine": {Capabilities: []string{"talk"}}}}
	if _, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: r}); codeOf(err) != "INVALID_REQUEST" {
		t.Errorf("decided, %v", err)
	}
	w := &caiov1.Workflow{Steps: []*caiov1.Step{{Id: "a", Request: r}}}
	if _, err := h.DecideWorkflow(t.Context(), &caiov1.WorkflowServiceDecideRequest{Workflow: w}); codeOf(err) != "INVALID_REQUEST" {
		t.Errorf("planned, %v", err)
	}
}
