//go:build bench

package engine_test

import (
	"fmt"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/engine/enginetest"
	"github.com/smarthausgroup/caio/runtime/gateway"
	"github.com/smarthausgroup/caio/runtime/policy"
	"github.com/smarthausgroup/caio/runtime/store"
	"github.com/smarthausgroup/caio/runtime/trace"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// TestBenchTraced prints what a decision costs its caller with a trace, queued to a store on disk, and without one.
func TestBenchTraced(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(300)) // as in a server
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	size := enginetest.Small()
	schema, err := contract.NewSchema()
	must(err)
	registry, err := size.Registry(schema)
	must(err)
	set, err := policy.Load(size.Policies())
	must(err)
	st, err := store.Open(t.TempDir(), store.Options{})
	must(err)
	defer st.Close()
	log, err := trace.Open(st.Traces(), trace.Options{})
	must(err)
	defer log.Close()
	gw := gateway.New(gateway.Options{})
	defer gw.Close()
	catalog, err := shipped()
	must(err)
	e, err := engine.New(engine.Options{Registry: registry, Policies: set, Adapters: catalog, Gateway: gw, Traces: log, Store: st, Schema: schema, AllowUntraced: true})
	must(err)
	defer e.Close()

	const rounds, each, pace = 60, 1000, 200 * time.Microsecond // 5,000 a second: what is behind keeps up
	times := map[string][]time.Duration{}
	for round := range rounds {
		order := []string{"none", "queued"}
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, durability := range order {
			for range each {
				in := &caiov1.DecideRequest{Request: size.Request(), Durability: durability}
				begin := time.Now()
				_, err := e.Decide(t.Context(), in)
				took := time.Since(begin)
				must(err)
				if round >= rounds/6 { // the first are for warming up
					times[durability] = append(times[durability], took)
				}
				for time.Since(begin) < pace { // a sleep would measure how long a processor takes to wake up
				}
			}
		}
	}
	for _, durability := range []string{"none", "queued"} {
		of := times[durability]
		slices.Sort(of)
		for _, q := range []struct {
			name string
			at   int
		}{{"p50", 50}, {"p99", 99}} {
			fmt.Printf("%-52s %12.2f us\n", "decide_durability_"+durability+"_"+q.name, float64(of[len(of)*q.at/100].Nanoseconds())/1000)
		}
	}
	fmt.Printf("%-52s %12.2f %%\n", "decide_queued_over_none_p50", 100*(float64(times["queued"][len(times["queued"])/2])/float64(times["none"][len(times["none"])/2])-1))
}
