package policy_test

import (
	"context"
	"fmt"
	"log"
	"testing/fstest"

	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func Example() {
	set, err := policy.Load(fstest.MapFS{"routing/health.rego": {Data: []byte(`package caio.routing.health

# METADATA
# title: Health data stays on the premises
deny contains "health data would leave the premises" if {
	input.request.data.contains_phi
	not input.service.privacy.data_locality in {"on_device", "local"}
}
`)}})
	if err != nil {
		log.Fatal(err)
	}
	cloud, err := policy.NewFacts([]byte(`{"service_id": "cloud", "privacy": {"data_locality": "cloud"}}`))
	if err != nil {
		log.Fatal(err)
	}
	request := &caiov1.Request{Data: &caiov1.Data{ContainsPhi: true}}
	verdicts, err := set.Route(context.Background(), request, []*policy.Facts{cloud})
	if err != nil {
		log.Fatal(err)
	}
	for _, reason := range verdicts[0].Rule {
		fmt.Printf("%s:%d %s: %s\n", reason.GetFile(), reason.GetLine(), reason.GetTitle(), reason.GetMessage())
		fmt.Println(reason.GetFacts().GetFields()["service.privacy.data_locality"].GetStringValue())
	}
	// Output:
	// routing/health.rego:5 Health data stays on the premises: health data would leave the premises
	// cloud
}

func ExampleTest() {
	report, err := policy.Test(context.Background(), fstest.MapFS{
		"routing/a.rego":      {Data: []byte("package caio.routing.a\n\ndeny contains \"x\" if input.request.match == \"any\"\n")},
		"routing/a_test.rego": {Data: []byte("package caio.routing.a_test\n\ntest_any if data.caio.routing.a.deny == {\"x\"} with input.request.match as \"any\"\n")},
	}, policy.TestOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range report.Tests {
		fmt.Println(t.Package, t.Name, t.Outcome)
	}
	// Output:
	// caio.routing.a_test test_any pass
}
