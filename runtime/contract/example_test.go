package contract_test

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/contract"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A contract in short form is put in force and found by what it promises; another one falls, and says why.
func Example() {
	schema, err := contract.NewSchema()
	if err != nil {
		fmt.Println(err)
		return
	}
	registry := contract.NewRegistry()
	for i, source := range []string{
		"{service_id: careful, name: Careful, version: 1.0.0, capabilities: [chat], guarantees: {accuracy: 0.95, p95_latency_ms: 800}}",
		"{service_id: quick, name: Quick, version: 1.0.0, capabilities: [chat], guarantees: {accuracy: 0.8, p95_latency_ms: 40}}",
	} {
		c, err := schema.Parse("example.yaml", []byte(source))
		if err != nil {
			fmt.Println(err)
			return
		}
		registry = registry.With(&contract.Service{Contract: c, Revision: uint64(i + 1), Time: time.Now()})
	}
	match, err := registry.Match(&caiov1.Request{
		Capabilities: []string{"chat"},
		Guarantees:   map[string]*caiov1.Demand{"accuracy": {Min: proto.Float64(0.9)}},
	}, nil, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	for slot := range registry.ByID(match.Passed) {
		fmt.Println(registry.Service(slot).ID(), "matches")
	}
	for slot := range registry.ByID(match.Fallen) {
		outcome, reasons := match.Why(slot)
		fmt.Println(registry.Service(slot).ID(), "fell at", outcome+":", reasons[0].GetMessage())
	}
	// Output:
	// careful matches
	// quick fell at guarantee: promises accuracy >= 0.8; accuracy >= 0.9 is demanded
}

// Everything that is wrong is told at once, where it stands.
func ExampleSchema_Parse() {
	schema, err := contract.NewSchema()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = schema.Parse("echo.yaml", []byte(`service_id: echo
name: Echo
version: 1.0
capabilities: [echo]
privacy: {data_locality: clowd}
`))
	fmt.Println(err)
	// Output:
	// echo.yaml:3:10: version: the number 1.0 is not allowed: must be a semantic version, such as "1.2.3"
	// echo.yaml:5:26: privacy.data_locality: "clowd" is not allowed: must be one of "on_device", "local", "region", "cloud"; did you mean "cloud"?
}
