package gateway_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func rehearse(t *testing.T, contract *caiov1.Contract, a gateway.Stepper, answers ...gateway.Answer) (*gateway.DryRun, error) {
	t.Helper()
	return gateway.Rehearse(t.Context(), gateway.Call{Contract: contract, Adapter: a, Intent: &caiov1.Intent{Type: "echo"}, Stream: true}, answers...)
}

func TestRehearsalShowsTheRequestWithoutASecret(t *testing.T) {
	contract := contractAt("https://api.example.com")
	for scheme, want := range map[string]string{
		"bearer": "Bearer <secret my-key>", "header": "Token <secret my-key>", "basic": "Basic <secret my-key>", "sigv4": "AWS4-HMAC-SHA256 <secret my-key>",
		"oauth2": "Bearer <secret my-key>", "google_service_account": "Bearer <secret my-key>", "query": "",
	} {
		contract.Adapter.Auth = &caiov1.Auth{Scheme: scheme, Secret: "my-key", Header: "Authorization", Prefix: "Token", Parameter: "key",
			Region: "r", Service: "s", TokenUrl: "https://login.example.com/"}
		run, err := rehearse(t, contract, caller(adapter.Action{URL: "/v1"}))
		if err != nil || len(run.Requests) != 1 || !run.Unanswered {
			t.Fatalf("%+v, %v", run, err)
		}
		url := "https://api.example.com/v1"
		if scheme == "query" {
			url += "?key=%3Csecret+my-key%3E"
		}
		r := run.Requests[0]
		if r.URL.String() != url || r.Header.Get("Authorization") != want {
			t.Errorf("%s %v, want %s", r.URL, r.Header, want)
		}
	}
}

func TestRehearsalReadsRecordedAnswers(t *testing.T) {
	stream := gateway.Answer{Status: 200, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: []byte("data: a\n\ndata: b\n\ndata: cut")}
	run, err := rehearse(t, contractAt("https://api.example.com"), caller(adapter.Action{URL: "/", Framing: "sse"}), stream)
	if err != nil || body(run.Outcome) != "ab" || len(run.Deltas) != 2 || run.Unanswered {
		t.Errorf("%+v, %v", run, err)
	}
	_, err = rehearse(t, contractAt("https://api.example.com"), caller(adapter.Action{URL: "/"}), gateway.Answer{Status: 500, Body: []byte("broken")})
	if e, ok := err.(*gateway.Error); !ok || e.Status != 500 || !e.Retryable {
		t.Errorf("%v", err)
	}
}

// A rehearsal is bound by what binds the real thing.
func TestRehearsalCallsNoHostThatIsNotListed(t *testing.T) {
	run, err := rehearse(t, contractAt("https://api.example.com"), caller(adapter.Action{URL: "https://elsewhere.example.com/"}))
	if err == nil || len(run.Requests) != 0 {
		t.Errorf("%+v, %v", run, err)
	}
}

func TestRehearsalDoesNotWait(t *testing.T) {
	polls := machine(func(_ context.Context, state []byte, ev adapter.Event) (adapter.Reply, error) {
		switch {
		case ev.Kind == adapter.KindResponse && string(ev.Body) == "ready":
			return done(map[string]any{"body": "ready"}), nil
		case ev.Kind == adapter.KindResponse:
			return adapter.Reply{Actions: []adapter.Action{{Kind: adapter.ActionWait, DelayMS: 86_400_000}}}, nil
		}
		return adapter.Reply{Actions: []adapter.Action{{Kind: adapter.ActionHTTP, Method: "GET", URL: "https://api.example.com/job"}}}, nil
	})
	answers := []gateway.Answer{{Status: 200, Body: []byte("not yet")}, {Status: 200, Body: []byte("ready")}}
	run, err := rehearse(t, contractAt("https://api.example.com"), polls, answers...)
	if err != nil || len(run.Requests) != 2 || len(run.Waits) != 1 || run.Waits[0] != 24*time.Hour || body(run.Outcome) != "ready" {
		t.Errorf("%+v, %v", run, err)
	}
	if run, err = rehearse(t, contractAt("https://api.example.com"), polls, answers[0]); err != nil || !run.Unanswered || len(run.Requests) != 2 {
		t.Errorf("with one answer of two: %+v, %v", run, err)
	}
}

func TestRehearsalsOfTheSameAreTheSame(t *testing.T) {
	headers := func() string {
		run, err := rehearse(t, contractAt("https://api.example.com"), caller(adapter.Action{URL: "/"}))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(run.Requests[0].Header)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	if one, two := headers(), headers(); one != two {
		t.Errorf("%s, then %s", one, two)
	}
}
