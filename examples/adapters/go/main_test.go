package main

import (
	"encoding/json"
	"testing"

	"github.com/smarthausgroup/caio/sdk/adaptertest"
)

func play(t *testing.T, response *adaptertest.Response) *adaptertest.Outcome {
	t.Helper()
	outcome, err := adaptertest.Play{
		Adapter: service{}, Contract: []byte(`{"base_url":"https://example.com","settings":{}}`), Intent: []byte(`{"payload":{"text":"a"}}`),
		Answer: adaptertest.Always(response),
	}.Run()
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func TestTheIntentIsPostedAndTheAnswerHandedOn(t *testing.T) {
	got := play(t, &adaptertest.Response{Status: 200, Body: json.RawMessage(`{"text":"A"}`)})
	if len(got.Calls) != 1 || got.Calls[0].URL != "https://example.com/upper" || string(got.Calls[0].Body) != `{"payload":{"text":"a"}}` {
		t.Errorf("calls: %+v", got.Calls)
	}
	if string(got.Result) != `{"output":{"text":"A"}}` {
		t.Errorf("result: %s", got.Result)
	}
}

func TestARefusalIsAFailure(t *testing.T) {
	if got := play(t, &adaptertest.Response{Status: 503}); got.Failure == nil || got.Failure.Status != 503 || !got.Failure.Retryable {
		t.Errorf("%+v", got)
	}
}
