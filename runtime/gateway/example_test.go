package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/gateway"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// shout is an adapter in Go: it posts the intent to a service that answers with a Result.
type shout struct{ url string }

func (s shout) Step(_ context.Context, _ []byte, ev adapter.Event) (adapter.Reply, error) {
	act := adapter.Action{Kind: adapter.ActionHTTP, Method: "POST", URL: s.url + "/shout", Body: ev.Intent}
	if ev.Kind == adapter.KindResponse {
		act = adapter.Action{Kind: adapter.ActionDone, Data: ev.Body}
	}
	return adapter.Reply{Actions: []adapter.Action{act}}, nil
}

func Example() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"output": {"text": "HELLO"}, "usage": {"input_tokens": 2, "output_tokens": 1}}`)
	}))
	defer service.Close()

	g := gateway.New(gateway.Options{})
	defer g.Close()
	in, out := 0.25, 0.5
	outcome, err := g.Execute(context.Background(), gateway.Call{
		Contract: &caiov1.Contract{
			ServiceId: "shout",
			Api:       &caiov1.Api{Protocol: "http", BaseUrl: service.URL},
			Cost:      &caiov1.Cost{PerToken: &caiov1.TokenCost{In: &in, Out: &out}, Currency: "EUR"},
		},
		Adapter: shout{service.URL},
		Intent:  &caiov1.Intent{Type: "shout"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(outcome.Result.GetOutput().GetFields()["text"].GetStringValue())
	fmt.Println(outcome.Observed.GetCost(), outcome.Observed.GetCurrency())
	// Output:
	// HELLO
	// 1 EUR
}

func ExampleSecretsFromEnv() {
	secrets, err := gateway.SecretsFromEnv([]string{
		"CAIO_SECRET_OPENAI=sk-not-a-real-key",
		"CAIO_SECRET_OPENAI_HOSTS=api.openai.com",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	secret, ok := secrets.Lookup("openai")
	fmt.Println(secret, secret.Hosts, ok)
	// Output: [redacted] [api.openai.com] true
}
