package engine_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// answered is what the first step of these tests is answered.
const answered = `{"text": "it's \"so\" {{/payload/x}} ~ é", "n": 12345678.5, "yes": true, "none": null, "list": ["a", {"b": "c"}],
	"a/b": "slash", "m~n": "tilde", "deep": {"er": {"est": "down"}}}`

// parsed is an intent in JSON, as a caller sends it.
func parsed(t *testing.T, text string) *caiov1.Intent {
	t.Helper()
	intent := &caiov1.Intent{}
	if err := schema.ParseJSON([]byte(text), intent); err != nil {
		t.Fatal(err)
	}
	return intent
}

func TestInputsAreCopiedAsTheyStand(t *testing.T) {
	var mu sync.Mutex
	var sent []byte
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/second" {
			mu.Lock()
			sent = body
			mu.Unlock()
		}
		_, _ = io.WriteString(w, answered)
	}))
	t.Cleanup(up.Close)
	contractOf := func(id string) string {
		return fmt.Sprintf("service_id: %s\nname: x\nversion: 1.0.0\ncapabilities: [%s]\nprivacy: {data_locality: local}\n"+
			"api: {protocol: http, base_url: %q}\nadapter: {plugin: http, settings: {path: /%s}}\n", id, id, up.URL, id)
	}
	h := newHouse(t, defaults(nil), contractOf("first"), contractOf("second"))
	for name, c := range map[string]struct {
		intent string
		inputs []*caiov1.StepInput
		sent   string // body that the service gets
		fault  string // else what is said
	}{
		"a text, uninterpreted": {`{"payload": {"keep": 1}}`, []*caiov1.StepInput{{Path: "/output/text", To: "/payload/text"}},
			`{"keep": 1, "text": "it's \"so\" {{/payload/x}} ~ é"}`, ""},
		"a number, a boolean, a list": {`{}`, []*caiov1.StepInput{{Path: "/output/n", To: "/payload/n"}, {Path: "/output/yes", To: "/payload/yes"}, {Path: "/output/list", To: "/payload/list"}},
			`{"n": 12345678.5, "yes": true, "list": ["a", {"b": "c"}]}`, ""},
		"out of a list, into a list": {`{"payload": {"list": [0, {"x": 1}]}}`, []*caiov1.StepInput{{Path: "/output/list/1/b", To: "/payload/list/0"}, {Path: "/output/list/0", To: "/payload/list/1/y"}},
			`{"list": ["c", {"x": 1, "y": "a"}]}`, ""},
		"objects are made on the way": {`{"payload": {}}`, []*caiov1.StepInput{{Path: "/output/deep/er/est", To: "/payload/a/b/c"}}, `{"a": {"b": {"c": "down"}}}`, ""},
		"escaped names":               {`{"payload": {}}`, []*caiov1.StepInput{{Path: "/output/a~1b", To: "/payload/x~1y"}, {Path: "/output/m~0n", To: "/payload/z"}}, `{"x/y": "slash", "z": "tilde"}`, ""},
		"an object for an object":     {`{"payload": {"o": {"old": 1}}}`, []*caiov1.StepInput{{Path: "/output/deep", To: "/payload/o"}}, `{"o": {"er": {"est": "down"}}}`, ""},
		"a typed body": {`{"chat": {"messages": [{"role": "user", "content": "?"}]}}`, []*caiov1.StepInput{{Path: "/output/deep/er/est", To: "/chat/messages/0/content"}},
			"*down*", ""},
		"nothing there":           {`{}`, []*caiov1.StepInput{{Path: "/output/list/2", To: "/payload/x"}}, "", "nothing at /output/list/2"},
		"a place that is none":    {`{}`, []*caiov1.StepInput{{Path: "/output/list/01", To: "/payload/x"}}, "", "nothing at /output/list/01"},
		"a number as a text":      {`{"chat": {"messages": [{"role": "user", "content": "?"}]}}`, []*caiov1.StepInput{{Path: "/output/n", To: "/chat/messages/0/content"}}, "", "do not fit into the intent"},
		"a role that there isn't": {`{"chat": {"messages": [{"role": "user", "content": "?"}]}}`, []*caiov1.StepInput{{Path: "/output/deep/er/est", To: "/chat/messages/0/role"}}, "", "is not valid"},
		"a field that there isn't": {`{"chat": {"messages": [{"role": "user", "content": "?"}]}}`, []*caiov1.StepInput{{Path: "/output/deep/er/est", To: "/chat/style"}},
			"", `unknown field`},
	} {
		mu.Lock()
		sent = nil
		mu.Unlock()
		second := &caiov1.Step{Id: "second", Request: &caiov1.Request{Capabilities: []string{"second"}, Intent: parsed(t, c.intent)}}
		for _, in := range c.inputs {
			in.From = "first"
			second.Inputs = append(second.Inputs, in)
		}
		out, err := h.RunWorkflow(t.Context(), &caiov1.WorkflowServiceRunRequest{Workflow: flow(asks("first", "first"), second)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		mu.Lock()
		got := sent
		mu.Unlock()
		switch {
		case c.fault != "":
			if out.Status != "failed" || !strings.Contains(out.Error.GetMessage(), c.fault) || got != nil {
				t.Errorf("%s: %s %v, sent %s", name, out.Status, out.Error, got)
			}
		case out.Status != "ok":
			t.Errorf("%s: %v", name, out.Error)
		case strings.HasPrefix(c.sent, "*"):
			if !strings.Contains(string(got), strings.Trim(c.sent, "*")) {
				t.Errorf("%s: sent %s", name, got)
			}
		default:
			var have, want any
			if json.Unmarshal(got, &have) != nil || json.Unmarshal([]byte(c.sent), &want) != nil || !reflect.DeepEqual(have, want) {
				t.Errorf("%s: sent %s, want %s", name, got, c.sent)
			}
		}
	}
}

func TestAnInputHasNoPlaceThatIsNotThere(t *testing.T) {
	h := newHouse(t, defaults(nil), service("one", ""))
	for intent, to := range map[string]string{
		`{"chat": {"messages": [{"role": "user"}]}}`: "/chat/messages/1/content", `{"payload": {"list": []}}`: "/payload/list/0",
		`{"search": {"query": "?"}}`: "/search/filter/x", `{"payload": {"list": [1]}}`: "/payload/list/-",
	} {
		step := &caiov1.Step{Id: "b", Request: &caiov1.Request{Intent: parsed(t, intent)}, Inputs: []*caiov1.StepInput{{From: "a", Path: "/model", To: to}}}
		_, err := h.DecideWorkflow(t.Context(), &caiov1.WorkflowServiceDecideRequest{Workflow: flow(asks("a", "detect"), step)})
		if code(err) != "INVALID_REQUEST" || !strings.Contains(err.Error(), to) {
			t.Errorf("%s into %s: %v", to, intent, err)
		}
	}
}

// FuzzWorkflow decides whatever bytes make a workflow: it never panics, what may run is proven to keep its demands, and
// what may not is told why.
func FuzzWorkflow(f *testing.F) {
	sch, err := contract.NewSchema()
	if err != nil {
		f.Fatal(err)
	}
	set, err := policy.Load(defaults(nil))
	if err != nil {
		f.Fatal(err)
	}
	var services []*contract.Service
	for _, source := range []string{service("one", "guarantees: {latency_ms: 5, availability: 0.9, accuracy: 0.9, determinism: true}\ncost: {per_request: 0.1}"),
		service("two", "guarantees: {p95_latency_ms: 3, throughput: 4}\ncost: {per_token: {in: 0.001, out: 0.1}}"), service("three", "privacy: {data_locality: local}")} {
		c, err := sch.Parse("x", []byte(source))
		if err != nil {
			f.Fatal(err)
		}
		services = append(services, &contract.Service{Contract: c, Revision: 1})
	}
	snapshot, err := engine.NewSnapshot(contract.NewRegistry(services...), set, policy.Factored, nil)
	if err != nil {
		f.Fatal(err)
	}
	chain := flow(asks("a", "detect"), asks("b", "detect", "a"))
	demanding := flow(asks("a", "detect"), asks("b", "detect"), asks("c", "detect", "a", "b"))
	demanding.Budget, demanding.MaxLatencyMs = &caiov1.Budget{MaxCost: .5}, proto.Float64(10)
	demanding.Guarantees = map[string]*caiov1.Demand{"availability": {Min: proto.Float64(.7)}, "latency": {Property: "p95_latency_ms"}}
	for _, w := range []*caiov1.Workflow{chain, demanding} {
		raw, err := proto.Marshal(w)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		w := &caiov1.Workflow{}
		if proto.Unmarshal(raw, w) != nil {
			return
		}
		d, err := engine.DecideWorkflow(t.Context(), snapshot, engine.NoPast, w, 1)
		if err != nil {
			if c := code(err); c != "INVALID_REQUEST" && c != "CANCELED" {
				t.Errorf("%v", err)
			}
			return
		}
		verifyAll(t, d.Proofs)
		for _, p := range d.Proofs {
			if d.Error == nil && !p.Valid {
				t.Errorf("it may run, but: %v", p)
			}
		}
		if d.Error != nil && (d.Error.Code == "" || d.Error.Code == "INTERNAL" || d.Error.Message == "") {
			t.Errorf("%v", d.Error)
		}
	})
}
