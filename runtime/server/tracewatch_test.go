package server_test

import (
	"context"
	"testing"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// following returns the ids of the traces that a watch sends, and the error that ends it unless the end is clean. Once it
// returns, the watch stands.
func following(t *testing.T, api *api, request *caiov1.TraceServiceWatchRequest) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	events, ended := make(chan string), make(chan struct{})
	stream, err := api.traces.Watch(ctx, connect.NewRequest(request))
	must(t, err)
	stream.ResponseHeader() // waits for it
	go func() {
		defer close(ended)
		defer close(events)
		defer stream.Close()
		for stream.Receive() {
			select {
			case events <- stream.Msg().GetTrace().GetTrace().GetTraceId():
			case <-ctx.Done():
				return
			}
		}
		if err := stream.Err(); err != nil {
			select {
			case events <- err.Error():
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return events
}

func TestAWatchOfTracesShowsTheCallersAsTheyCome(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	acme, umbrella, auditor := h.keys.token(t, "acme", "user"), h.keys.token(t, "umbrella", "user"), h.keys.token(t, "", "auditor")
	before := decided(t, h, acme, detection())
	for name, api := range protocols(h, auditor) {
		t.Run(name, func(t *testing.T) {
			all := following(t, api, &caiov1.TraceServiceWatchRequest{})
			hers := following(t, h.api(acme), &caiov1.TraceServiceWatchRequest{})
			his := following(t, api, &caiov1.TraceServiceWatchRequest{Filter: &caiov1.TraceServiceListRequest{Tenant: "umbrella", Status: "decided"}})
			none := following(t, h.api(h.keys.token(t, "", "user")), &caiov1.TraceServiceWatchRequest{FromSequence: new(uint64)})
			first, second := decided(t, h, acme, detection()), decided(t, h, umbrella, detection())
			expect(t, all, first, second)
			expect(t, hers, first)
			expect(t, his, second)
			select {
			case got := <-none:
				t.Errorf("a user of no tenant sees %q", got)
			default:
			}
		})
	}
	from := following(t, h.api(acme), &caiov1.TraceServiceWatchRequest{FromSequence: new(uint64)})
	expect(t, from, before)
}

func TestAShutdownEndsWatchesOfTracesCleanly(t *testing.T) {
	h := newHouse(t, setup{contracts: []string{service("one", "")}})
	var watches []<-chan string
	for _, token := range []string{h.keys.token(t, "acme", "user"), h.keys.token(t, "", "user")} {
		for _, api := range protocols(h, token) {
			watches = append(watches, following(t, api, &caiov1.TraceServiceWatchRequest{}))
		}
	}
	h.stop()
	for _, events := range watches {
		if last, more := <-events; more {
			t.Errorf("a watch ended with %q", last)
		}
	}
	if err := <-h.served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestAWatchOfTracesHoldsItsFilterAgainstTheSchema(t *testing.T) {
	h := newHouse(t, setup{})
	stream, err := h.api(h.keys.token(t, "acme", "user")).traces.Watch(t.Context(), connect.NewRequest(
		&caiov1.TraceServiceWatchRequest{Filter: &caiov1.TraceServiceListRequest{Status: "strange"}}))
	must(t, err)
	defer stream.Close()
	if stream.Receive() || code(t, stream.Err()) != "INVALID_REQUEST" {
		t.Errorf("%v, want INVALID_REQUEST", stream.Err())
	}
}
