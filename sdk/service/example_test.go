package service_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/smarthausgroup/caio/sdk/service"
)

// shouter is a whole service: it turns text into capitals.
type shouter struct{ guarantees service.Guarantees }

func (s *shouter) Initialize(_ context.Context, contract service.Contract) error {
	s.guarantees = contract.Guarantees
	return nil
}

func (s *shouter) Execute(_ context.Context, request service.Request) (service.Response, error) {
	var payload struct {
		Text string `json:"text"`
	}
	if err := request.DecodePayload(&payload); err != nil {
		return service.Response{}, err
	}
	return service.Response{
		Output:   map[string]any{"text": strings.ToUpper(payload.Text)},
		Metadata: map[string]any{"confidence": 1.0},
	}, nil
}

func (s *shouter) VerifyGuarantees(_ context.Context, response service.Response) (service.Verification, error) {
	return s.guarantees.Verify(response), nil
}

func (s *shouter) Health(context.Context) service.Health { return service.Health{OK: true} }

func Example() {
	shout := &shouter{}
	contract := service.Contract{
		Source:     []byte("service_id: shout\n"),
		Guarantees: service.Guarantees{AccuracyMin: 0.99},
	}
	if err := shout.Initialize(context.Background(), contract); err != nil {
		fmt.Println(err)
		return
	}
	// A program calls service.Run; an example needs no port of its own.
	server := httptest.NewServer(service.Handler(shout, contract, service.Options{}))
	defer server.Close()

	answer, err := http.Post(server.URL+"/v1/execute", "application/json",
		strings.NewReader(`{"intent": {"type": "shout", "payload": {"text": "hello"}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	fmt.Print(string(body))
	// Output: {"output":{"text":"HELLO"},"metadata":{"confidence":1},"verification":{"kept":true,"violations":[]}}
}
