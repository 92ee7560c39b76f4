package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/trace"
	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// changeRegistry registers, updates or removes one of a few services.
func changeRegistry(t *testing.T, h *house, d dice) {
	c := d.contract()
	id := fmt.Sprintf("s%02d", d.IntN(15))
	c["service_id"] = id
	if d.often(.3) {
		_, _ = h.Remove(t.Context(), id, nil) // or there is none
		return
	}
	source, err := json.Marshal(c)
	if err != nil {
		t.Error(err)
		return
	}
	parsed, err := h.schema.Parse("c.json", source)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := h.Update(t.Context(), parsed, nil); err != nil {
		if _, err := h.Register(t.Context(), parsed); err != nil {
			t.Error(err)
		}
	}
}

// changePolicies brings the rules that ship into force, with one more of everybody's and one of a tenant's.
func changePolicies(t *testing.T, h *house, n int) {
	files, err := policy.ReadBundle(defaults(map[string]string{
		"routing/more.rego": fmt.Sprintf("package caio.routing.more\n\nimport rego.v1\n\n"+
			"deny contains {\"message\": \"as the %[1]dth\", \"facts\": {\"most\": input.service.cost.per_request}} if input.service.cost.per_request > %[1]d / 100\n", n),
		"tenants/acme/routing/own.rego": fmt.Sprintf("package caio.routing.own\n\nimport rego.v1\n\n"+
			"deny contains \"too few\" if input.request.intent.chat.max_tokens < %d\n", 60*(n%3)),
	}))
	if err != nil {
		t.Error(err)
		return
	}
	if _, _, err := h.Activate(t.Context(), engine.Activation{Files: files}); err != nil {
		t.Error(err)
	}
}

// askAtRandom decides, or tries to execute, which nobody can, so that there is a history.
func askAtRandom(t *testing.T, h *house, d dice) {
	raw, err := json.Marshal(d.request())
	if err != nil {
		t.Error(err)
		return
	}
	r := &caiov1.Request{}
	if err := schema.ParseJSON(raw, r); err != nil {
		t.Error(err)
		return
	}
	if d.often(.2) {
		r.Field = &caiov1.FieldState{Cutoff: proto.Float64(.1), Intent: &caiov1.Field{Re: []float64{d.Float64(), 1, -d.Float64(), .5}}}
	}
	if d.often(.3) {
		_, _ = h.Engine.Orchestrate(t.Context(), &caiov1.OrchestrateRequest{Request: r, Seed: d.Uint64()}, nil)
		return
	}
	if _, err := h.Engine.Decide(t.Context(), &caiov1.DecideRequest{Request: r, Seed: d.Uint64(), ListAll: d.often(.3)}); err != nil {
		t.Error(err)
	}
}

// everyTrace returns all traces.
func everyTrace(t *testing.T, h *house) (all []*caiov1.StoredTrace) {
	t.Helper()
	q := trace.Query{Limit: 100}
	for {
		page, next, err := h.traces.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if q.Token = next; next == "" {
			return all
		}
	}
}

// TestReplayOfRandomDecisions decides while registry, policies and history change, and then all of it again from what was
// kept, by an engine of policies that decided none of it.
func TestReplayOfRandomDecisions(t *testing.T) {
	h := newHouse(t, defaults(nil))
	for i := range 20 {
		changeRegistry(t, h, dice{rand.New(rand.NewPCG(uint64(i), 1))})
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			d := dice{rand.New(rand.NewPCG(uint64(worker), 2))}
			for i := range replayed / 4 {
				askAtRandom(t, h, d)
				switch {
				case worker == 0 && i%(replayed/20) == replayed/40:
					changePolicies(t, h, i)
				case worker == 1 && i%2 == 0:
					changeRegistry(t, h, d)
				}
			}
		})
	}
	all.Wait()
	replayers := map[string]*engine.Replayer{}
	chosen, with := 0, 0
	traces := everyTrace(t, h)
	for _, stored := range traces {
		inputs := stored.GetTrace().GetDecision().GetInputs()
		key := inputs.GetRegistry() + inputs.GetPolicies()
		if replayers[key] == nil {
			s, err := h.Bundled(t.Context(), stored.GetTrace(), false)
			if err == nil {
				replayers[key], err = engine.NewReplayer(s, "")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		got, err := replayers[key].Replay(t.Context(), stored.GetRaw())
		if err != nil || !got.Same {
			t.Fatalf("%v is decided again as %+v, %v", stored.GetTrace(), got, err)
		}
		if stored.GetTrace().GetDecision().GetServiceId() != "" {
			chosen++
		}
		if slices.ContainsFunc(stored.GetTrace().GetDecision().GetCandidates(), func(c *caiov1.Candidate) bool { return c.GetHistory().GetRequests() > 0 }) {
			with++
		}
	}
	if len(traces) != replayed/4*4 || chosen < len(traces)/10 || with < len(traces)/20 || len(replayers) < len(traces)/20 {
		t.Errorf("%d traces, %d with a service, %d with a history, of %d states", len(traces), chosen, with, len(replayers))
	}
}

// replayable is a decision and what decided, to be altered.
func replayable(t *testing.T) (*house, *caiov1.StoredTrace, *caiov1.Snapshot) {
	t.Helper()
	h := newHouse(t, defaults(nil))
	for i := range 4 {
		if _, err := h.Register(t.Context(), h.parse(t, service(fmt.Sprint("s", i), fmt.Sprintf("guarantees: {accuracy: 0.%d}\nprivacy: {data_locality: local}\ncost: {per_token: {in: 0.0001, out: 0.001}}", 91+i)))); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = h.Orchestrate(t.Context(), &caiov1.OrchestrateRequest{Request: request()}, nil) // nobody can: now there is a history
	r := request(func(r *caiov1.Request) {
		r.Intent, r.Budget = chat(proto.Int32(100)), &caiov1.Budget{MaxCost: 5}
		r.Context = &caiov1.Context{Attributes: &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewNumberValue(1)}}}
	})
	if _, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: r, Seed: 3}); err != nil {
		t.Fatal(err)
	}
	last := stored(t, h)
	s, err := h.Bundled(t.Context(), last.Trace, false)
	if err != nil {
		t.Fatal(err)
	}
	return h, last, s
}

func TestReplayNamesWhatWasAltered(t *testing.T) {
	_, last, snapshot := replayable(t)
	reserialize := func(change func(*caiov1.Trace)) []byte {
		m := proto.CloneOf(last.Trace)
		change(m)
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, c := range map[string]struct {
		trace    func(*caiov1.Trace)
		snapshot func(*caiov1.Snapshot)
		inputs   string // names, as they come
		fields   string // one of those that differ
	}{
		"nothing": {},
		"a contract, under its old digest": {snapshot: func(s *caiov1.Snapshot) {
			s.Contracts[1].Source = bytes.Replace(s.Contracts[1].Source, []byte("0.92"), []byte("0.99"), 1)
		}, inputs: "[registry contract s1 contract s1]", fields: "candidates[s1].score"},
		"a contract": {snapshot: func(s *caiov1.Snapshot) {
			s.Contracts[1].Source = bytes.Replace(s.Contracts[1].Source, []byte("0.92"), []byte("0.99"), 1)
			s.Contracts[1].Digest = schema.Digest(s.Contracts[1].Source)
		}, inputs: "[registry contract s1]", fields: "candidates[s1].score"},
		"a contract is missing": {snapshot: func(s *caiov1.Snapshot) { s.Contracts = s.Contracts[1:] },
			inputs: "[registry contract s0 history]", fields: "candidates[s0]"},
		"a policy": {snapshot: func(s *caiov1.Snapshot) {
			s.Policies["routing/more.rego"] = []byte("package caio.routing.more\n\nimport rego.v1\n\ndeny contains \"no\" if input.service.service_id == \"s3\"\n")
		}, inputs: "[policies history]", fields: "candidates[s3].outcome"},
		"a score":     {trace: func(m *caiov1.Trace) { *m.Decision.Candidates[2].Score += .01 }, inputs: "[]", fields: "candidates[s2].score"},
		"the service": {trace: func(m *caiov1.Trace) { m.Decision.ServiceId = "s0" }, inputs: "[]", fields: "service_id"},
		"the ranking": {trace: func(m *caiov1.Trace) { slices.Reverse(m.Decision.Ranking) }, inputs: "[]", fields: "ranking[0]"},
		"the history": {trace: func(m *caiov1.Trace) { m.Decision.Candidates[1].History.Failures = 0 }, inputs: "[history]", fields: "candidates[s1].score"},
		"the seed":    {trace: func(m *caiov1.Trace) { m.Decision.Seed++ }, inputs: "[]", fields: "proofs[optimization]"},
		"a proof":     {trace: func(m *caiov1.Trace) { m.Decision.Proofs = m.Decision.Proofs[1:] }, inputs: "[]", fields: "proofs["},
		"the request": {trace: func(m *caiov1.Trace) { m.Request.Budget.MaxCost = 9 }, inputs: "[request]", fields: "inputs.request"},
		"the tenant":  {trace: func(m *caiov1.Trace) { m.Request.Principal.Tenant = "umbrella" }, inputs: "[request]", fields: "inputs.request"},
		"the size":    {trace: func(m *caiov1.Trace) { m.Request.Payload.Size = 1 }, inputs: "[request]", fields: "inputs.request"},
		"list_all":    {trace: func(m *caiov1.Trace) { m.Decision.ListAll = true; m.Decision.Unlisted = 7 }, inputs: "[]", fields: "unlisted"},
	} {
		raw, s := last.Raw, proto.CloneOf(snapshot)
		if c.trace != nil {
			raw = reserialize(c.trace)
		}
		if c.snapshot != nil {
			c.snapshot(s)
		}
		got, err := engine.Replay(t.Context(), raw, s, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Same != (name == "nothing") {
			t.Errorf("%s: same: %v", name, got.Same)
		}
		var inputs []string
		for _, m := range got.Inputs {
			inputs = append(inputs, m.Name)
		}
		if c.inputs != "" && fmt.Sprint(inputs) != c.inputs {
			t.Errorf("%s: inputs that differ: %v, want %s", name, got.Inputs, c.inputs)
		}
		if c.fields != "" && !slices.ContainsFunc(got.Fields, func(m engine.Mismatch) bool { return strings.HasPrefix(m.Name, c.fields) }) {
			t.Errorf("%s: %s is not among %v", name, c.fields, got.Fields)
		}
	}
	// What stands there twice would be merged when it is read, and no digest is of that.
	again, err := proto.Marshal(&caiov1.Trace{Request: &caiov1.Request{Match: "any"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"two requests": slices.Concat(last.Raw, again), "no trace": []byte("x"), "nothing": nil} {
		if got, err := engine.Replay(t.Context(), raw, snapshot, ""); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestReplaySaysWhichRulesItCannotAsk(t *testing.T) {
	h := newHouse(t, defaults(map[string]string{"tenants/acme/routing/words.rego": `package caio.routing.words

import rego.v1

deny contains "secret" if contains(input.request.intent.chat.messages[0].content, "secret")
`}), service("one", "privacy: {data_locality: local}"))
	for _, c := range []struct {
		tenant string
		intent *caiov1.Intent
		blind  int
	}{{"acme", chat(nil), 1}, {"umbrella", chat(nil), 0}, {"acme", nil, 0}, {"acme", &caiov1.Intent{Type: "chat"}, 0}} {
		r := request(func(r *caiov1.Request) { r.Intent, r.Principal.Tenant = c.intent, c.tenant })
		if _, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: r}); err != nil {
			t.Fatal(err)
		}
		last := stored(t, h)
		s, err := h.Bundled(t.Context(), last.Trace, false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := engine.Replay(t.Context(), last.Raw, s, "")
		if err != nil || len(got.Blind) != c.blind || got.Same != (c.blind == 0) {
			t.Errorf("%s, %v: %+v, %v", c.tenant, c.intent, got, err)
		}
		if c.blind > 0 && len(got.Blind) > 0 && got.Blind[0].File != "tenants/acme/routing/words.rego" {
			t.Errorf("names %v", got.Blind)
		}
	}
}

func FuzzReplay(f *testing.F) {
	small := &caiov1.Snapshot{Contracts: []*caiov1.ContractFile{
		{ServiceId: "one", Source: []byte(`{"service_id":"one","capabilities":[{"type":"a"}],"guarantees":{"latency":{"property":"p95_latency_ms","bound":{"type":"max","max":5}}},"cost":{"per_token":{"in":1}}}`)},
	}, Policies: map[string][]byte{"routing/a.rego": []byte("package caio.routing.a\n\nimport rego.v1\n\ndeny contains \"no\" if input.request.match == \"none\"\n")}}
	t := &caiov1.Trace{TraceId: "1", Request: &caiov1.Request{Capabilities: []string{"a"}, Intent: &caiov1.Intent{}, Payload: &caiov1.Payload{Body: "chat"}},
		Decision: &caiov1.Decision{Candidates: []*caiov1.Candidate{{ServiceId: "one", History: &caiov1.History{Requests: 2}}}},
		Kept:     &caiov1.Kept{Intent: &caiov1.Intent{Type: "a"}}}
	raw, err := proto.Marshal(t)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw, small.Contracts[0].Source)
	f.Add(raw, []byte(`{"service_id":"one","guarantees":{"accuracy":{}}}`))
	f.Add(raw, []byte(`{"service_id":"one","field":{}}`))
	f.Fuzz(func(t *testing.T, raw, source []byte) {
		s := proto.CloneOf(small)
		s.Contracts[0].Source = source
		r, err := engine.NewReplayer(s, "")
		if err != nil {
			r, err = engine.NewReplayer(small, "")
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Replay(t.Context(), raw); err == nil && got.Same && len(got.Inputs) > 0 {
			t.Errorf("the same, but %v", got.Inputs)
		}
	})
}

// A registry that came into force before anything of it was kept, as that of an older store, is kept when the engine starts.
func TestWhatWasInForceBeforeIsKeptAtTheStart(t *testing.T) {
	parser := newHouse(t, defaults(nil))
	var services []*contract.Service
	for i := range 3 {
		services = append(services, &contract.Service{Contract: parser.parse(t, service(fmt.Sprint("s", i), "privacy: {data_locality: local}")), Revision: 1})
	}
	h := newHouseFrom(t, engine.Options{Registry: contract.NewRegistry(services...)}, defaults(nil))
	if _, err := h.Decide(t.Context(), &caiov1.DecideRequest{Request: request()}); err != nil {
		t.Fatal(err)
	}
	last := stored(t, h)
	s, err := h.Bundled(t.Context(), last.Trace, false)
	if err != nil || len(s.Contracts) != 3 {
		t.Fatalf("%v, %v", s, err)
	}
	if got, err := engine.Replay(t.Context(), last.Raw, s, policy.Factored); err != nil || !got.Same {
		t.Errorf("%+v, %v", got, err)
	}
	unknown := proto.CloneOf(last.Trace)
	unknown.Decision.Inputs.Registry = schema.Digest([]byte("never"))
	if _, err := h.Bundled(t.Context(), unknown, false); code(err) != "SERVICE_NOT_FOUND" {
		t.Errorf("a registry that was never kept: %v", err)
	}
	unknown.Decision = nil
	if s, err := h.Bundled(t.Context(), unknown, true); s != nil || err != nil {
		t.Errorf("nothing was decided: %v, %v", s, err)
	}
}
