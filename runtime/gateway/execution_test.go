package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestStartBringsIntentAndContract(t *testing.T) {
	contract := contractAt("https://service.test/v1")
	contract.Api.Endpoints = []*caiov1.Endpoint{{Path: "/chat", Method: "POST"}}
	contract.Adapter.Settings = settings(t, map[string]any{"model": "m", "a": 1, "timeout_ms": 5000})
	contract.Adapter.Auth = &caiov1.Auth{Scheme: "bearer", Secret: "key"}
	var got adapter.Event
	_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{
		Contract: contract, Stream: true, Intent: &caiov1.Intent{Type: "x", Body: &caiov1.Intent_Payload{Payload: settings(t, map[string]any{"text": "<hi>"})}},
		Adapter: machine(func(_ context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
			if got = ev; state != nil {
				t.Error("a state before the first reply")
			}
			return done(nil), nil
		}),
	})
	if e != nil {
		t.Fatal(e)
	}
	if want := `{"service_id":"echo","base_url":"https://service.test/v1","endpoints":[{"path":"/chat","method":"POST"}],"settings":{"a":1,"model":"m"}}`; string(got.Contract) != want {
		t.Errorf("contract\n%s, want\n%s", got.Contract, want)
	}
	if want := `{"domain":"","payload":{"text":"<hi>"},"type":"x","unsupported":""}`; string(got.Intent) != want {
		t.Errorf("intent %s, want %s", got.Intent, want)
	}
	if got.Kind != adapter.KindStart || !got.Stream {
		t.Errorf("event %+v", got)
	}
}

func TestWaitsAndCallsFollowOneAnotherWithTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := 0
		g, contract := bubble(t, gateway.Options{}, func(w http.ResponseWriter, r *http.Request) {
			polls++
			if polls < 3 {
				w.WriteHeader(http.StatusAccepted)
			}
		})
		poll := adapter.Action{Kind: adapter.ActionHTTP, Method: "GET", URL: "http://service.test/job"}
		began := time.Now()
		out, e := execute(t.Context(), t, g, gateway.Call{Contract: contract, Adapter: machine(func(_ context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
			state = append(append([]byte{}, state...), byte('0'+ev.Kind))
			switch {
			case ev.Kind == adapter.KindResponse && ev.Status == http.StatusAccepted:
				return adapter.Reply{State: state, Actions: []adapter.Action{{Kind: adapter.ActionWait, DelayMS: 1500}}}, nil
			case ev.Kind == adapter.KindResponse:
				return done(map[string]any{"body": string(state)}), nil
			}
			return adapter.Reply{State: state, Actions: []adapter.Action{poll}}, nil
		})})
		if e != nil {
			t.Fatal(e)
		}
		if body(out) != "125252" {
			t.Errorf("events %s", body(out))
		}
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("waited %s, want 3s", d)
		}
		if out.Observed.GetCalls() != 3 || out.Observed.GetHttpStatus() != 200 || out.Observed.GetLatencyMs() != 3000 {
			t.Errorf("observed %v", out.Observed)
		}
	})
}

func TestDeltasReachTheCallerInOrder(t *testing.T) {
	emit := func(text string) adapter.Action {
		return adapter.Action{Kind: adapter.ActionEmit, Data: []byte(`{"text":"` + text + `"}`)}
	}
	talk := machine(func(context.Context, []byte, adapter.Event) (adapter.Reply, error) {
		r := done(nil)
		r.Actions = append([]adapter.Action{emit("a"), emit("b")}, r.Actions...)
		return r, nil
	})
	g := open(t, gateway.Options{})
	var got strings.Builder
	_, e := execute(t.Context(), t, g, gateway.Call{Contract: contractAt("http://service.test"), Adapter: talk, Stream: true,
		Emit: func(d *caiov1.Delta) error { got.WriteString(d.GetText()); return nil }})
	if e != nil || got.String() != "ab" {
		t.Errorf("%q, %v", got.String(), e)
	}

	gone := errors.New("gone")
	_, e = execute(t.Context(), t, g, gateway.Call{Contract: contractAt("http://service.test"), Adapter: talk, Stream: true,
		Emit: func(*caiov1.Delta) error { return gone }})
	wantCode(t, e, gateway.CodeCanceled)
	if !errors.Is(e, gone) || !e.Sent || e.Retryable {
		t.Errorf("%+v", e)
	}
}

func TestAdapterThatBreaksTheProtocolIsAnError(t *testing.T) {
	server := upstream(t, func(http.ResponseWriter, *http.Request) {})
	get := func(a adapter.Action) []adapter.Action {
		a.Kind = adapter.ActionHTTP
		if a.Method == "" {
			a.Method = "GET"
		}
		if a.URL == "" {
			a.URL = server.URL
		}
		return []adapter.Action{a}
	}
	header := func(name, value string) []adapter.Action {
		return get(adapter.Action{Headers: []adapter.Header{{Name: name, Value: value}}})
	}
	fine := done(nil).Actions[0]
	for name, test := range map[string]struct {
		actions []adapter.Action
		says    string
	}{
		"nothing asked":           {nil, "asked for nothing"},
		"only a delta":            {[]adapter.Action{{Kind: adapter.ActionEmit, Data: []byte(`{}`)}}, "asked for nothing"},
		"action after the end":    {[]adapter.Action{fine, fine}, "after an action that ends a step"},
		"unknown action":          {[]adapter.Action{{Kind: 99}}, "unknown kind 99"},
		"delta is not JSON":       {[]adapter.Action{{Kind: adapter.ActionEmit, Data: []byte(`{`)}, fine}, "else than a delta"},
		"delta of unknown fields": {[]adapter.Action{{Kind: adapter.ActionEmit, Data: []byte(`{"nope":1}`)}, fine}, "nope"},
		"result is not JSON":      {[]adapter.Action{{Kind: adapter.ActionDone, Data: []byte(`x`)}}, "else than a result"},
		"result is not a result":  {[]adapter.Action{{Kind: adapter.ActionDone, Data: []byte(`{"nope":1}`)}}, "nope"},
		"negative usage":          {[]adapter.Action{{Kind: adapter.ActionDone, Data: []byte(`{"usage":{"input_tokens":-1}}`)}}, "negative usage"},
		"method":                  {get(adapter.Action{Method: "CONNECT"}), `"CONNECT"`},
		"method in lower case":    {get(adapter.Action{Method: "get"}), `"get"`},
		"framing":                 {get(adapter.Action{Framing: "xml"}), `"xml"`},
		"scheme":                  {get(adapter.Action{URL: "ftp://service.test/"}), `"ftp"`},
		"relative URL":            {get(adapter.Action{URL: "/path"}), "scheme"},
		"no host":                 {get(adapter.Action{URL: "http:///path"}), "no host"},
		"opaque URL":              {get(adapter.Action{URL: "http:service.test"}), "no host"},
		"user information":        {get(adapter.Action{URL: "http://user:pw@service.test/"}), "user information"},
		"host that is not ASCII":  {get(adapter.Action{URL: "http://\u212aelvin.test/"}), "xn--"},
		"control byte in URL":     {get(adapter.Action{URL: "http://service.test/\n"}), "not a URL"},
		"Host":                    {header("host", "other"), "header Host"},
		"Content-Length":          {header("Content-Length", "3"), "header Content-Length"},
		"Transfer-Encoding":       {header("transfer-encoding", "chunked"), "header Transfer-Encoding"},
		"Connection":              {header("Connection", "close"), "header Connection"},
		"Proxy-Authorization":     {header("Proxy-Authorization", "x"), "header Proxy-Authorization"},
		"header name":             {header("a b", "x"), `"a b"`},
		"empty header name":       {header("", "x"), `""`},
		"header value":            {header("X", "a\r\nInjected: b"), "control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{
				Contract: contractAt(server.URL), Emit: func(*caiov1.Delta) error { return nil },
				Adapter: machine(func(context.Context, []byte, adapter.Event) (adapter.Reply, error) {
					return adapter.Reply{Actions: test.actions}, nil
				}),
			})
			wantCode(t, e, gateway.CodeTransformation, test.says)
			if !e.Retryable {
				t.Error("another candidate could have done it")
			}
		})
	}
}

func TestAdapterThatTrapsIsAnErrorWithItsCause(t *testing.T) {
	trap := errors.New("unreachable executed")
	_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt("http://service.test"),
		Adapter: machine(func(context.Context, []byte, adapter.Event) (adapter.Reply, error) { return adapter.Reply{}, trap })})
	wantCode(t, e, gateway.CodeTransformation, "unreachable executed")
	if !errors.Is(e, trap) {
		t.Error("the cause is lost")
	}
}

func TestAdapterThatNeverEndsIsStopped(t *testing.T) {
	server := upstream(t, func(http.ResponseWriter, *http.Request) {})
	g := open(t, gateway.Options{MaxSteps: 50, MaxCalls: 4})
	_, e := execute(t.Context(), t, g, gateway.Call{Contract: contractAt(server.URL), Adapter: machine(
		func(context.Context, []byte, adapter.Event) (adapter.Reply, error) {
			return adapter.Reply{Actions: []adapter.Action{{Kind: adapter.ActionWait}}}, nil
		})})
	wantCode(t, e, gateway.CodeTransformation, "within 50 steps")
	out, e := execute(t.Context(), t, g, gateway.Call{Contract: contractAt(server.URL), Adapter: machine(
		func(context.Context, []byte, adapter.Event) (adapter.Reply, error) {
			return adapter.Reply{Actions: []adapter.Action{{Kind: adapter.ActionHTTP, Method: "GET", URL: server.URL}}}, nil
		})})
	wantCode(t, e, gateway.CodeTransformation, "more than 4 calls")
	if out.Observed.GetCalls() != 4 {
		t.Errorf("%d calls", out.Observed.GetCalls())
	}
}

func TestAdaptersVerdictIsKeptWithinItsRights(t *testing.T) {
	for code, want := range map[string]string{
		"":                   gateway.CodeExecution,
		"EXECUTION_FAILED":   gateway.CodeExecution,
		"INVALID_REQUEST":    "INVALID_REQUEST",
		"TIMEOUT":            gateway.CodeTimeout,
		"SECURITY_VIOLATION": gateway.CodeExecution,
		"INTERNAL":           gateway.CodeExecution,
	} {
		_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contractAt("http://service.test"),
			Adapter: machine(func(context.Context, []byte, adapter.Event) (adapter.Reply, error) {
				return fail(adapter.Action{Code: code, Status: 422, Message: "no\nsuch model", Retryable: true}), nil
			})})
		wantCode(t, e, want, "service echo: status 422: no such model")
		if e.Status != 422 || !e.Retryable || e.Sent {
			t.Errorf("%q: %+v", code, e)
		}
	}
}

func TestServiceThatCannotBeExecutedSaysWhatToChange(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*caiov1.Contract)
		says   string
	}{
		"no protocol":    {func(c *caiov1.Contract) { c.Api.Protocol = "" }, "api.protocol"},
		"gRPC":           {func(c *caiov1.Contract) { c.Api.Protocol = "grpc" }, `"grpc"`},
		"no address":     {func(c *caiov1.Contract) { c.Api.BaseUrl = "" }, "base_url"},
		"other scheme":   {func(c *caiov1.Contract) { c.Api.BaseUrl = "ftp://x" }, "base_url"},
		"allowed host":   {func(c *caiov1.Contract) { c.Api.AllowedHosts = []string{"https://x/"} }, "allowed_hosts"},
		"unknown scheme": {func(c *caiov1.Contract) { c.Adapter.Auth.Scheme = "basic" }, `"basic"`},
		"unnamed secret": {func(c *caiov1.Contract) { c.Adapter.Auth.Scheme = "bearer" }, "adapter.auth.secret"},
		"unnamed header": {func(c *caiov1.Contract) { c.Adapter.Auth.Scheme = "header" }, "adapter.auth.header"},
		"host's header": {func(c *caiov1.Contract) {
			c.Adapter.Auth = &caiov1.Auth{Scheme: "header", Secret: "k", Header: "content-length"}
		}, "adapter.auth.header"},
		"timeout": {func(c *caiov1.Contract) {
			c.Adapter.Settings = &structpb.Struct{Fields: map[string]*structpb.Value{"timeout_ms": structpb.NewStringValue("5s")}}
		}, "settings.timeout_ms"},
	} {
		t.Run(name, func(t *testing.T) {
			contract := contractAt("http://service.test")
			test.change(contract)
			_, e := execute(t.Context(), t, open(t, gateway.Options{}), gateway.Call{Contract: contract, Adapter: caller(adapter.Action{URL: "/"})})
			wantCode(t, e, gateway.CodeExecution, test.says)
			if e.Hint == "" {
				t.Error("no next step")
			}
		})
	}
}

func TestCostIsObservedWhereItIsKnown(t *testing.T) {
	price := 0.5
	priced := contractAt("http://service.test")
	priced.Cost = &caiov1.Cost{PerToken: &caiov1.TokenCost{In: &price, Out: &price}, Currency: "EUR"}
	g := open(t, gateway.Options{})
	for raw, want := range map[string]string{
		`{"usage":{"input_tokens":3,"output_tokens":1}}`: "2 EUR",
		`{}`: "unknown",
	} {
		out, e := execute(t.Context(), t, g, gateway.Call{Contract: priced, Adapter: replies{adapter.KindStart: {Actions: []adapter.Action{{Kind: adapter.ActionDone, Data: []byte(raw)}}}}})
		got := "unknown"
		if out.Observed.Cost != nil {
			got = fmt.Sprint(out.Observed.GetCost(), " ", out.Observed.GetCurrency())
		}
		if e != nil || got != want || want == "unknown" && out.Observed.GetCurrency() != "" {
			t.Errorf("%s cost %s, want %s; %v", raw, got, want, e)
		}
	}
	out, e := execute(t.Context(), t, g, gateway.Call{Contract: priced, Adapter: replies{adapter.KindStart: fail(adapter.Action{Message: "no"})}})
	if wantCode(t, e, gateway.CodeExecution, "no"); out.Observed.Cost != nil {
		t.Error("nobody knows what a failure cost")
	}
}
