package server_test

import (
	"net/http"
	"sync"
	"testing"

	"connectrpc.com/connect"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func TestAShutdownEndsWatchesCleanlyAndLetsRequestsFinish(t *testing.T) {
	arrived, proceed := make(chan struct{}, 32), make(chan struct{})
	up := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-proceed
		detected(w, r)
	})
	h := newHouse(t, setup{contracts: []string{reachable("one", up.URL, "")}})
	all := protocols(h, h.keys.token(t, "acme", "user"))
	var running sync.WaitGroup
	var watches []<-chan string
	for name, api := range all {
		events := watching(t, api)
		expect(t, events, "present one", "synced")
		watches = append(watches, events)
		running.Go(func() {
			answer, err := api.Orchestrate(t.Context(), connect.NewRequest(&caiov1.OrchestrateRequest{Request: detection()}))
			if err != nil || answer.Msg.GetServiceId() != "one" {
				t.Errorf("%s: the running request got %v, %v", name, answer, err)
			}
		})
	}
	for range all {
		<-arrived
	}
	h.stop()
	for _, events := range watches {
		if last, more := <-events; more {
			t.Errorf("a watch ended with %q", last)
		}
	}
	close(proceed)
	running.Wait()
	if err := <-h.served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}
