package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

func (h *house) workflows(token string) caiov1connect.WorkflowServiceClient {
	return caiov1connect.NewWorkflowServiceClient(h.http1, h.url, connect.WithInterceptors(authorization(token)))
}

// twice asks for detection, and again with what was detected.
func twice() *caiov1.Workflow {
	again := detection()
	again.Intent = &caiov1.Intent{Body: &caiov1.Intent_Payload{Payload: &structpb.Struct{}}}
	return &caiov1.Workflow{Name: "twice", Steps: []*caiov1.Step{
		{Id: "first", Request: detection()},
		{Id: "again", Request: again, Inputs: []*caiov1.StepInput{{From: "first", Path: "/output/language", To: "/payload/text"}}},
	}}
}

func TestAWorkflowIsDecidedAndRunForItsCaller(t *testing.T) {
	up := upstream(t, detected)
	h := newHouse(t, setup{contracts: []string{reachable("mine", up.URL, "metadata: {tenant: acme}"), reachable("his", up.URL, "metadata: {tenant: umbrella}")}})
	api := h.workflows(h.keys.token(t, "acme", "user"))
	decided, err := api.Decide(t.Context(), connect.NewRequest(&caiov1.WorkflowServiceDecideRequest{Workflow: twice()}))
	must(t, err)
	for _, s := range decided.Msg.GetDecision().GetSteps() {
		if s.GetServiceId() != "mine" || len(s.GetDecision().GetCandidates()) != 1 || s.GetTraceId() == "" {
			t.Errorf("%v", s)
		}
	}
	ran, err := api.Run(t.Context(), connect.NewRequest(&caiov1.WorkflowServiceRunRequest{Workflow: twice()}))
	must(t, err)
	if ran.Msg.GetStatus() != "ok" || len(ran.Msg.GetSteps()) != 2 || ran.Msg.GetSteps()[1].GetServiceId() != "mine" {
		t.Errorf("%v", ran.Msg)
	}
	// Its trace is no decision that could be explained, and says whose are.
	_, err = explainTrace(t, h.api(h.keys.token(t, "acme", "auditor")), ran.Msg.GetTraceId(), "")
	if e, _ := errorOf(t, err); e.GetCode() != "INVALID_REQUEST" || !strings.Contains(e.GetMessage(), "again "+ran.Msg.GetSteps()[1].GetTraceId()) {
		t.Errorf("%v", e)
	}
	// The traces are the tenant's.
	mine, err := h.api(h.keys.token(t, "acme", "user")).traces.Get(t.Context(), connect.NewRequest(&caiov1.TraceServiceGetRequest{TraceId: ran.Msg.GetTraceId()}))
	must(t, err)
	for _, s := range mine.Msg.GetTrace().GetTrace().GetWorkflow().GetSteps() {
		if _, err := h.api(h.keys.token(t, "umbrella", "user")).traces.Get(t.Context(), connect.NewRequest(&caiov1.TraceServiceGetRequest{TraceId: s.GetTraceId()})); err == nil {
			t.Errorf("another tenant reads the trace of step %s", s.GetId())
		}
	}
}

func TestAWorkflowNamesNoPrincipal(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	user := h.keys.token(t, "acme", "user")
	root := &caiov1.Principal{Subject: "root", TrustLevel: 10, Authenticated: true}
	for name, change := range map[string]func(*caiov1.Workflow){
		"workflow": func(w *caiov1.Workflow) { w.Principal = root },
		"step":     func(w *caiov1.Workflow) { w.Steps[1].Request.Principal = root },
	} {
		w := twice()
		change(w)
		_, err := h.workflows(user).Run(t.Context(), connect.NewRequest(&caiov1.WorkflowServiceRunRequest{Workflow: w}))
		if e, _ := errorOf(t, err); e.GetCode() != "INVALID_REQUEST" || !strings.Contains(e.GetMessage(), "principal") {
			t.Errorf("%s: %v", name, e)
		}
	}
}

func TestWorkflowsAreHeldAgainstTheSchemaAndTheRoles(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	user := h.keys.token(t, "acme", "user")
	many := twice()
	for len(many.Steps) <= 64 {
		many.Steps = append(many.Steps, many.Steps[0])
	}
	for name, c := range map[string]struct {
		token  string
		change func(*caiov1.Workflow)
		code   string
	}{
		"auditor":     {h.keys.token(t, "acme", "auditor"), func(*caiov1.Workflow) {}, "PERMISSION_DENIED"},
		"name":        {user, func(w *caiov1.Workflow) { w.Name = "No!" }, "INVALID_REQUEST"},
		"no steps":    {user, func(w *caiov1.Workflow) { w.Steps = nil }, "INVALID_REQUEST"},
		"65 steps":    {user, func(w *caiov1.Workflow) { w.Steps = many.Steps }, "INVALID_REQUEST"},
		"no request":  {user, func(w *caiov1.Workflow) { w.Steps[0].Request = nil }, "INVALID_REQUEST"},
		"in the step": {user, func(w *caiov1.Workflow) { w.Steps[0].Request.Match = "some" }, "INVALID_REQUEST"},
		"a pointer":   {user, func(w *caiov1.Workflow) { w.Steps[1].Inputs[0].Path = "output" }, "INVALID_REQUEST"},
		"a circle":    {user, func(w *caiov1.Workflow) { w.Steps[0].Needs = []string{"again"} }, "INVALID_REQUEST"},
	} {
		w := twice()
		c.change(w)
		_, err := h.workflows(c.token).Decide(t.Context(), connect.NewRequest(&caiov1.WorkflowServiceDecideRequest{Workflow: w}))
		if e, _ := errorOf(t, err); e.GetCode() != c.code {
			t.Errorf("%s: %v", name, e)
		}
	}
}

func TestAWorkflowSpeaksJSON(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	body := `{"workflow": {"name": "w", "steps": [{"id": "a", "request": {"capabilities": ["detect"]}}]}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+caiov1connect.WorkflowServiceDecideProcedure, bytes.NewReader([]byte(body)))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+h.keys.token(t, "", "user"))
	response, err := h.http1.Do(req)
	must(t, err)
	defer response.Body.Close()
	var answer struct {
		Decision struct {
			Steps []struct {
				ServiceID string `json:"service_id"`
				Decision  struct {
					Ranking []string `json:"ranking"`
				} `json:"decision"`
			} `json:"steps"`
		} `json:"decision"`
	}
	must(t, json.NewDecoder(response.Body).Decode(&answer))
	if s := answer.Decision.Steps; len(s) != 1 || s[0].ServiceID != "one" || len(s[0].Decision.Ranking) != 1 {
		t.Errorf("%+v", answer)
	}
}
