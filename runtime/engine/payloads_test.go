package engine_test

import (
	"bytes"
	"net/url"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestATraceKeepsOfPayloadsWhatAPolicySays(t *testing.T) {
	const secret = "sk-the-provider-knows-it"
	answered := 0
	up := upstream(t, func(int) (int, string) {
		answered++
		return 200, `{"output":{"language":"eng"},"metadata":{"confidence":0.99}}`
	})
	host, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	gw := gateway.New(gateway.Options{Secrets: gateway.SecretSet{"PROVIDER": {Value: secret, Hosts: []string{host.Host, host.Hostname()}}}})
	t.Cleanup(func() {
		if err := gw.Close(); err != nil {
			t.Error(err)
		}
	})
	h := newHouseFrom(t, engine.Options{Gateway: gw}, defaults(map[string]string{
		"trace/data.json": `{"keep": {"acme": ["intent"], "both": ["intent", "result"]}}`,
		"routing/words.rego": "package caio.routing.words\n\nimport rego.v1\n\n" +
			"deny contains \"no\" if contains(input.request.intent.payload.text, \"forbidden\")\n",
	}), service("one", "privacy: {data_locality: local}\napi: {protocol: http, base_url: \""+up.URL+"\"}\n"+
		"adapter: {plugin: http, auth: {scheme: bearer, secret: PROVIDER}, settings: {path: /, output: /output, metadata: /metadata}}\n"))
	module, err := os.ReadFile("../../cmd/caio/shipped/adapters.wasm")
	if err != nil {
		t.Fatal(err)
	}
	digest, err := h.store.PutContent(t.Context(), module) // as serve does
	if err != nil {
		t.Fatal(err)
	}
	for tenant, keeps := range map[string][2]bool{"acme": {true, false}, "both": {true, true}, "umbrella": {}, "": {}} {
		req := request(func(r *caiov1.Request) { r.Principal.Tenant = tenant })
		before := answered
		answer, err := h.Orchestrate(t.Context(), &caiov1.OrchestrateRequest{Request: req}, nil)
		if err != nil || answered == before {
			t.Fatalf("%q: %v", tenant, err)
		}
		last := stored(t, h)
		intent, result := last.Trace.GetKept().GetIntent(), last.Trace.GetKept().GetResult()
		if (intent != nil) != keeps[0] || keeps[0] && !proto.Equal(intent.GetPayload(), req.Intent.GetPayload()) {
			t.Errorf("%q: kept the intent %v", tenant, intent)
		}
		if (result != nil) != keeps[1] || keeps[1] && !proto.Equal(result, answer.Result) {
			t.Errorf("%q: kept the result %v", tenant, result)
		}
		if bytes.Contains(last.Raw, []byte(secret)) || !keeps[0] && bytes.Contains(last.Raw, []byte("secret words")) {
			t.Errorf("%q: the trace holds what it must not", tenant)
		}
		s, err := h.Bundled(t.Context(), last.Trace, true)
		if err != nil || len(s.Adapters) != 1 || !bytes.Equal(s.Adapters[digest], module) {
			t.Fatalf("%d adapters, %v", len(s.GetAdapters()), err)
		}
		got, err := engine.Replay(t.Context(), last.Raw, s, "")
		if err != nil || got.Same != keeps[0] || (len(got.Blind) == 0) != keeps[0] {
			t.Errorf("%q: decided again as %+v, %v", tenant, got, err)
		}
		if !keeps[0] {
			continue
		}
		forged := proto.CloneOf(last.Trace)
		forged.Kept.Intent.Domain = "another"
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(forged)
		if err != nil {
			t.Fatal(err)
		}
		got, err = engine.Replay(t.Context(), raw, s, "")
		if err != nil || got.Same || len(got.Inputs) != 1 || got.Inputs[0].Name != "payload" || len(got.Blind) != 1 {
			t.Errorf("%q, another intent: %+v, %v", tenant, got, err)
		}
	}
}
