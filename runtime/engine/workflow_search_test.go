package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/contract"
	"github.com/smarthausgroup/caio/runtime/engine"
	"github.com/smarthausgroup/caio/runtime/policy"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// market is a registry of random services: those of capability k, for each of n, named by it.
func market(t *testing.T, r *rand.Rand, kinds, each int) (*engine.Snapshot, map[string]*caiov1.Contract) {
	t.Helper()
	schema, err := contract.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(defaults(nil))
	if err != nil {
		t.Fatal(err)
	}
	var services []*contract.Service
	all := map[string]*caiov1.Contract{}
	for k := range kinds {
		for i := range 1 + r.IntN(each) {
			var promises []string
			if r.IntN(12) > 0 {
				promises = append(promises, fmt.Sprintf("latency: %d", 1+r.IntN(100)))
			}
			if r.IntN(12) > 0 {
				promises = append(promises, fmt.Sprintf("availability: %g", .9+r.Float64()/10))
			}
			if r.IntN(12) > 0 {
				promises = append(promises, fmt.Sprintf("accuracy: %g", r.Float64()))
			}
			cost := ""
			if r.IntN(12) > 0 {
				cost = fmt.Sprintf("cost: {per_request: %g}\n", float64(r.IntN(100))/1024)
			}
			id := fmt.Sprintf("k%d-s%d", k, i)
			c, err := schema.Parse(id, fmt.Appendf(nil, "service_id: %s\nname: x\nversion: 1.0.0\ncapabilities: [k%d]\nguarantees: {%s}\n%s",
				id, k, strings.Join(promises, ", "), cost))
			if err != nil {
				t.Fatal(err)
			}
			services = append(services, &contract.Service{Contract: c, Revision: 1})
			all[id] = c.Message()
		}
	}
	snapshot, err := engine.NewSnapshot(contract.NewRegistry(services...), set, policy.Factored, nil)
	if err != nil {
		t.Fatal(err)
	}
	return snapshot, all
}

// randomFlow asks for any of the kinds in each of its steps, with random needs and demands.
func randomFlow(r *rand.Rand, kinds, steps int) *caiov1.Workflow {
	w := flow()
	for i := range steps {
		s := asks(fmt.Sprint("s", i), fmt.Sprint("k", r.IntN(kinds)))
		for before := range i {
			if r.IntN(2) == 0 {
				s.Needs = append(s.Needs, fmt.Sprint("s", before))
			}
		}
		w.Steps = append(w.Steps, s)
	}
	n := float64(steps)
	if r.IntN(2) == 0 {
		w.Budget = &caiov1.Budget{MaxCost: n * (20 + 50*r.Float64()) / 1024, Currency: "USD"}
	}
	if r.IntN(2) == 0 {
		w.MaxLatencyMs = proto.Float64(n * (15 + 50*r.Float64()))
	}
	w.Guarantees = map[string]*caiov1.Demand{}
	if r.IntN(3) == 0 {
		w.Guarantees["availability"] = &caiov1.Demand{Min: proto.Float64(1 - n*.06*r.Float64())}
	}
	if r.IntN(4) == 0 {
		w.Guarantees["accuracy"] = &caiov1.Demand{Min: proto.Float64(r.Float64() / 3)}
	}
	return w
}

// meets tells, by arithmetic of its own, whether services keep what w demands of the whole. It goes through the steps in
// the order of the decision, so sums have the same bits.
func meets(w *caiov1.Workflow, steps []*caiov1.StepDecision, services []*caiov1.Contract) bool {
	ends := map[string]float64{}
	cost, available, latency, accuracy := 0.0, 1.0, 0.0, 1.0
	prices, available1, latencies, accuracies := 0, 0, 0, 0
	for i, s := range steps {
		c := services[i]
		if c.GetCost().PerRequest != nil {
			cost += c.GetCost().GetPerRequest()
			prices++
		}
		if g := c.Guarantees["availability"]; g != nil {
			available *= g.Bound.GetMin()
			available1++
		}
		if g := c.Guarantees["accuracy"]; g != nil {
			accuracy = min(accuracy, g.Bound.GetMin())
			accuracies++
		}
		if g := c.Guarantees["latency"]; g != nil {
			begin := 0.0
			for _, need := range s.Needs {
				begin = max(begin, ends[need])
			}
			ends[s.Id] = begin + g.Bound.GetMax()
			latency = max(latency, ends[s.Id])
			latencies++
		}
	}
	n := len(steps)
	if w.Budget != nil && (prices < n || cost > w.Budget.MaxCost) {
		return false
	}
	if w.MaxLatencyMs != nil && (latencies < n || latency > *w.MaxLatencyMs) {
		return false
	}
	if d := w.Guarantees["availability"]; d != nil && (available1 < n || available < *d.Min) {
		return false
	}
	if d := w.Guarantees["accuracy"]; d != nil && (accuracies < n || accuracy < *d.Min) {
		return false
	}
	return true
}

// bestOf tries every combination and returns the places of the one that goes down the rankings least, nil if none will do.
func bestOf(w *caiov1.Workflow, steps []*caiov1.StepDecision, all map[string]*caiov1.Contract) []int {
	var found []int
	least := 1 << 30
	places, services := make([]int, len(steps)), make([]*caiov1.Contract, len(steps))
	var try func(i, sum int)
	try = func(i, sum int) {
		if i == len(steps) {
			if sum < least && meets(w, steps, services) {
				found, least = slices.Clone(places), sum
			}
			return
		}
		for place, id := range steps[i].Decision.Ranking {
			places[i], services[i] = place+1, all[id]
			try(i+1, sum+place+1)
		}
	}
	try(0, 0)
	return found
}

func TestTheChoiceOfASmallWorkflowIsTheBestThereIs(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	outcomes := map[string]int{}
	for range 40 {
		snapshot, all := market(t, r, 3, 5)
		for range 30 {
			w := randomFlow(r, 3, 1+r.IntN(4))
			d, err := engine.DecideWorkflow(t.Context(), snapshot, engine.NoPast, w, r.Uint64())
			if err != nil {
				t.Fatal(err)
			}
			verifyAll(t, d.Proofs)
			want := bestOf(w, d.Steps, all)
			var got []int
			for _, s := range d.Steps {
				got = append(got, int(s.Place))
			}
			switch {
			case want == nil && d.Error == nil:
				t.Fatalf("%v is chosen, and breaks a demand: %v", got, w)
			case want == nil:
				outcomes["refused"]++
			case d.Error != nil:
				t.Fatalf("refused, but %v would do: %v\n%v", want, d.Error, w)
			case !slices.Equal(got, want):
				t.Fatalf("%v is chosen, %v is better: %v", got, want, w)
			case slices.Max(got) > 1:
				outcomes["down the rankings"]++
			default:
				outcomes["best of every step"]++
			}
			// The proofs say the same as the outcome; there are none where a step has nobody.
			holds := len(d.Proofs) > 0 && !slices.ContainsFunc(d.Proofs, func(p *caiov1.Proof) bool { return !p.Valid })
			if holds != (d.Error == nil) {
				t.Fatalf("proofs hold: %v, error %v", holds, d.Error)
			}
		}
	}
	for _, outcome := range []string{"refused", "down the rankings", "best of every step"} {
		if outcomes[outcome] < 100 {
			t.Errorf("only %d workflows are %s", outcomes[outcome], outcome)
		}
	}
}

func TestTheChoiceOfALargeWorkflowKeepsItsDemands(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	chosen, missed := 0, 0
	for range 12 {
		snapshot, all := market(t, r, 8, 12)
		for range 4 {
			w := randomFlow(r, 8, 16+r.IntN(48))
			d, err := engine.DecideWorkflow(t.Context(), snapshot, engine.NoPast, w, 1)
			if err != nil {
				t.Fatal(err)
			}
			if d.Error != nil {
				if strings.Contains(d.Error.Message, "was found among") {
					missed++
				}
				continue
			}
			chosen++
			services := make([]*caiov1.Contract, len(d.Steps))
			for i, s := range d.Steps {
				services[i] = all[s.ServiceId]
			}
			if !meets(w, d.Steps, services) {
				t.Fatalf("a demand is broken: %v", w)
			}
		}
	}
	if chosen < 20 || missed > chosen/4 {
		t.Errorf("%d chosen, %d given up", chosen, missed)
	}
}
