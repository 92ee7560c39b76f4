package server_test

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"connectrpc.com/connect"

	"github.com/smarthausgroup/caio/policies"
	"github.com/smarthausgroup/caio/runtime/adapter"
	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/gateway"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/server"
	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
	"github.com/smarthausgroup/caio/schema/gen/caio/v1/caiov1connect"
)

// A server in memory, for development: a contract is registered, and a decision asked for, over the network.
func Example() {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	st, err := store.Open("", store.Options{InMemory: true})
	check(err)
	defer st.Close()
	traces, err := trace.Open(st.Traces(), trace.Options{})
	check(err)
	defer traces.Close()
	set, err := policy.Load(policies.FS())
	check(err)
	schema, err := contract.NewSchema()
	check(err)
	catalog, err := adapter.NewCatalog()
	check(err)
	gw := gateway.New(gateway.Options{})
	defer gw.Close()
	e, err := engine.New(engine.Options{Policies: set, Adapters: catalog, Gateway: gw, Traces: traces, Store: st, Schema: schema})
	check(err)

	s, err := server.New(server.Options{Engine: e, Traces: traces, Schema: schema, InsecureDev: true})
	check(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- s.Serve(ctx, listener) }()

	url := "http://" + listener.Addr().String()
	_, err = caiov1connect.NewRegistryServiceClient(http.DefaultClient, url).Register(ctx, connect.NewRequest(&caiov1.RegisterRequest{
		Form: &caiov1.RegisterRequest_Source{Source: &caiov1.Source{Content: []byte(`
service_id: detector
name: Detector
version: 1.0.0
capabilities: [language_detection]
`)}}}))
	check(err)
	answer, err := caiov1connect.NewOrchestratorServiceClient(http.DefaultClient, url).Decide(ctx, connect.NewRequest(&caiov1.DecideRequest{
		Request: &caiov1.Request{Capabilities: []string{"language_detection"}}}))
	check(err)
	fmt.Println(answer.Msg.GetDecision().GetServiceId())

	http.DefaultClient.CloseIdleConnections()
	stop()
	fmt.Println(<-served)
	// Output:
	// detector
	// <nil>
}
