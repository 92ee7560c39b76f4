package proof_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

func atLeast(property string, n float64) *caiov1.Guarantee {
	return &caiov1.Guarantee{Property: property, Bound: &caiov1.Bound{Type: "min", Min: &n}}
}

func atMost(property string, n float64) *caiov1.Guarantee {
	return &caiov1.Guarantee{Property: property, Bound: &caiov1.Bound{Type: "max", Max: &n}}
}

func ExampleCompose() {
	whole, err := proof.Compose([]proof.Part{
		{Step: "detect", Guarantees: map[string]*caiov1.Guarantee{"latency": atMost("p95_latency_ms", 100), "availability": atLeast("availability", .5)}},
		{Step: "left", Needs: []int{0}, Guarantees: map[string]*caiov1.Guarantee{"latency": atMost("p95_latency_ms", 900), "availability": atLeast("availability", .5)}},
		{Step: "right", Needs: []int{0}, Guarantees: map[string]*caiov1.Guarantee{"latency": atMost("max_latency_ms", 200), "availability": atLeast("availability", .5)}},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(whole.Guarantees["latency"].Property, whole.Guarantees["latency"].Bound.GetMax())
	fmt.Println(whole.Guarantees["availability"].Bound.GetMin(), whole.Guarantees["accuracy"] == nil)
	// Output:
	// p95_latency_ms 1000
	// 0.125 true
}

// randomParts returns a workflow's parts; each promises each thing with probability usual.
func randomParts(r *rand.Rand, usual float64) []proof.Part {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	parts := make([]proof.Part, 1+r.IntN(8))
	for i := range parts {
		g := map[string]*caiov1.Guarantee{}
		promise := func(name string, made *caiov1.Guarantee) {
			if r.Float64() < usual {
				g[name] = made
			}
		}
		promise("accuracy", atLeast(pick("accuracy", "accuracy", "recall_accuracy"), r.Float64()))
		promise("availability", atLeast("availability", r.Float64()))
		promise("latency", atMost(pick("p50_latency_ms", "p95_latency_ms", "p99_latency_ms", "max_latency_ms"), r.Float64()*1000))
		promise("throughput", atLeast(pick("requests_per_second", "requests_per_second", "requests_per_second", "tokens_per_second"), r.Float64()))
		promise("determinism", &caiov1.Guarantee{Property: pick("deterministic_output", "reproducible_output"), SeedRequired: r.IntN(2) == 0,
			Bound: &caiov1.Bound{Type: "boolean", Boolean: proto.Bool(r.IntN(4) > 0)}})
		promise("resonance_quality", atLeast("q_db", 6))
		parts[i] = proof.Part{Step: fmt.Sprint("step", i), Service: pick("a", "b", "c"), Guarantees: g,
			Privacy: &caiov1.Privacy{DataLocality: pick("on_device", "local", "region", "cloud"), Encryption: r.IntN(3) > 0}}
		if r.Float64() < usual {
			parts[i].Price = proof.Price{Known: true, Cost: r.Float64(), Currency: pick("USD", "USD", "USD", "USD", "USD", "EUR"), InputTokens: float64(r.IntN(9))}
		}
		for need := range i {
			if r.IntN(3) == 0 {
				parts[i].Needs = append(parts[i].Needs, need)
			}
		}
	}
	return parts
}

// slowest returns the largest sum of latencies over all paths that end in part i, by walking every one of them. Sums go
// from the path's beginning, so they have the very bits of the arithmetic under test.
func slowest(parts []proof.Part, i int) float64 {
	var before float64
	for _, need := range parts[i].Needs {
		before = math.Max(before, slowest(parts, need))
	}
	return before + parts[i].Guarantees["latency"].Bound.GetMax()
}

func TestTheWholePromisesWhatItsPartsDoTogetherAndNothingElse(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	promised := map[string]int{}
	for range 3000 {
		parts := randomParts(r, .95)
		whole, err := proof.Compose(parts)
		if err != nil {
			t.Fatal(err)
		}
		if len(parts) == 1 {
			if len(whole.Guarantees) != len(parts[0].Guarantees) {
				t.Fatalf("one part is not the whole: %v", whole.Guarantees)
			}
			continue
		}
		properties := map[string]map[string]bool{}
		counts := map[string]int{}
		accuracy, throughput, availability, latency := 1.0, 1.0, 1.0, 0.0
		deterministic, seed := true, false
		for i, p := range parts {
			for name, g := range p.Guarantees {
				if properties[name] == nil {
					properties[name] = map[string]bool{}
				}
				properties[name][g.Property] = true
				counts[name]++
			}
			accuracy = math.Min(accuracy, p.Guarantees["accuracy"].GetBound().GetMin())
			throughput = math.Min(throughput, p.Guarantees["throughput"].GetBound().GetMin())
			availability *= p.Guarantees["availability"].GetBound().GetMin()
			deterministic = deterministic && p.Guarantees["determinism"].GetBound().GetBoolean()
			seed = seed || p.Guarantees["determinism"].GetSeedRequired()
			if p.Guarantees["latency"] != nil {
				latency = math.Max(latency, latencyTo(parts, i))
			}
		}
		all := func(name string) bool { return counts[name] == len(parts) }
		one := func(name string) bool { return len(properties[name]) == 1 }
		same := func(name string, expected bool, value, want float64) {
			g := whole.Guarantees[name]
			if (g != nil) != expected {
				t.Fatalf("%s promised: %v, want %v\n%v", name, g != nil, expected, parts)
			}
			if expected {
				promised[name]++
				if value != want {
					t.Fatalf("%s is %v, want %v", name, value, want)
				}
			}
		}
		g := whole.Guarantees
		same("accuracy", all("accuracy"), g["accuracy"].GetBound().GetMin(), accuracy)
		same("throughput", all("throughput") && one("throughput"), g["throughput"].GetBound().GetMin(), throughput)
		same("availability", all("availability"), g["availability"].GetBound().GetMin(), availability)
		same("latency", all("latency"), g["latency"].GetBound().GetMax(), latency)
		same("determinism", all("determinism"), 0, 0)
		same("resonance_quality", false, 0, 0)
		if d := g["determinism"]; d != nil && (d.Bound.GetBoolean() != deterministic || d.SeedRequired != seed ||
			(d.Property == "deterministic_output") != !properties["determinism"]["reproducible_output"]) {
			t.Fatalf("determinism is %v of %v", d, parts)
		}
		if a := g["accuracy"]; a != nil && (a.Property != "") != one("accuracy") {
			t.Fatalf("accuracy of %v is about %q", properties["accuracy"], a.Property)
		}
		if l := g["latency"]; l != nil {
			for _, property := range []string{"p50_latency_ms", "p95_latency_ms", "p99_latency_ms", "max_latency_ms"} {
				if properties["latency"][property] {
					if l.Property != property {
						t.Fatalf("latency of %v is about %s", properties["latency"], l.Property)
					}
					break
				}
			}
		}
		checkPriceAndPrivacy(t, parts, whole)
	}
	for _, name := range []string{"accuracy", "availability", "determinism", "latency", "throughput"} {
		if promised[name] < 500 {
			t.Errorf("%s: only %d wholes promise it", name, promised[name])
		}
	}
}

func latencyTo(parts []proof.Part, i int) float64 {
	for _, p := range parts {
		if p.Guarantees["latency"] == nil {
			return 0 // the whole promises none
		}
	}
	return slowest(parts, i)
}

func checkPriceAndPrivacy(t *testing.T, parts []proof.Part, whole *proof.Whole) {
	t.Helper()
	far := map[string]int{"on_device": 0, "local": 1, "region": 2, "cloud": 3}
	cost, known, locality, encrypted := 0.0, true, 0, true
	for _, p := range parts {
		cost += p.Price.Cost
		known = known && p.Price.Known && p.Price.Currency == parts[0].Price.Currency
		locality = max(locality, far[p.Privacy.DataLocality])
		encrypted = encrypted && p.Privacy.Encryption
	}
	if whole.Price.Known != known || known && whole.Price.Cost != cost || !known && whole.Price.Unknown == "" {
		t.Fatalf("price is %+v, want %v %v", whole.Price, known, cost)
	}
	if far[whole.Privacy.DataLocality] != locality || whole.Privacy.Encryption != encrypted {
		t.Fatalf("privacy is %v, want locality %d, encryption %v", whole.Privacy, locality, encrypted)
	}
}

func TestAChainTakesTheSumOfItsLatencies(t *testing.T) {
	var parts []proof.Part
	var sum float64
	for i := range 64 {
		p := proof.Part{Guarantees: map[string]*caiov1.Guarantee{"latency": atMost("max_latency_ms", .1*float64(i+1))}}
		if i > 0 {
			p.Needs = []int{i - 1}
		}
		sum += .1 * float64(i+1)
		parts = append(parts, p)
	}
	whole, err := proof.Compose(parts)
	if err != nil || whole.Guarantees["latency"].Bound.GetMax() != sum {
		t.Errorf("%v, want %v: %v", whole.Guarantees["latency"], sum, err)
	}
}

func TestComposeRefusesWhatIsNoWorkflow(t *testing.T) {
	for name, parts := range map[string][]proof.Part{
		"nothing": nil, "itself": {{Needs: []int{0}}}, "later": {{Needs: []int{1}}, {}}, "negative": {{}, {Needs: []int{-1}}},
	} {
		if whole, err := proof.Compose(parts); err == nil {
			t.Errorf("%s composes to %v", name, whole)
		}
	}
}

func TestASumBeyondEveryNumberIsNotPromised(t *testing.T) {
	part := proof.Part{Guarantees: map[string]*caiov1.Guarantee{"latency": atMost("max_latency_ms", math.MaxFloat64)},
		Price: proof.Price{Known: true, Cost: math.MaxFloat64, Currency: "USD"}}
	second := part
	second.Needs = []int{0}
	parts := []proof.Part{part, second}
	whole, err := proof.Compose(parts)
	if err != nil || len(whole.Guarantees) != 0 || whole.Price.Known {
		t.Fatalf("%+v, %v", whole, err)
	}
	if p := proof.Joined("w", parts, whole); !p.Valid || proof.Verify(p) != nil {
		t.Errorf("%v", p)
	}
}

func TestAWorkflowsProofVerifiesAndFailsOnWhateverIsChanged(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	changed := 0
	for range 1000 {
		parts := randomParts(r, .9)
		whole, err := proof.Compose(parts)
		if err != nil {
			t.Fatal(err)
		}
		p := proof.Joined("pipeline", parts, whole)
		if err := proof.Verify(p); err != nil || !p.Valid {
			t.Fatalf("valid %v, %v\n%v", p.Valid, err, p)
		}
		better := *whole
		better.Privacy = &caiov1.Privacy{DataLocality: whole.Privacy.DataLocality, Encryption: !whole.Privacy.Encryption}
		if lie := proof.Joined("pipeline", parts, &better); lie.Valid || proof.Verify(lie) != nil {
			t.Fatal("a whole that its parts do not give is proven")
		}
		changed += mutate(t, p, "composed", p.Evidence.Fields["composed"], false)
		changed += mutate(t, p, "parts", p.Evidence.Fields["parts"], true)
	}
	if changed < 20000 {
		t.Errorf("only %d changes were tried", changed)
	}
}

// mutate changes every leaf below v, a piece of p's evidence, one after the other, and takes every key out; it returns
// how many changes it made. Nothing verifies with a changed composition, a number that is none, or a key gone. The
// change of a part may give the same whole, as another latency off the longest path does, so for parts only the rest
// is tried here.
func mutate(t *testing.T, p *caiov1.Proof, path string, v *structpb.Value, part bool) (n int) {
	t.Helper()
	try := func(what string, must bool) {
		n++
		if err := proof.Verify(p); err == nil && must {
			t.Fatalf("verifies with %s %s", path, what)
		}
	}
	switch kind := v.GetKind().(type) {
	case *structpb.Value_StructValue:
		for key, inner := range kind.StructValue.Fields {
			n += mutate(t, p, path+"."+key, inner, part)
			delete(kind.StructValue.Fields, key)
			// A part without one of its promises is a part all the same.
			try("without "+key, !part || !isGuarantee(inner))
			kind.StructValue.Fields[key] = inner
		}
	case *structpb.Value_ListValue:
		for i, inner := range kind.ListValue.Values {
			n += mutate(t, p, fmt.Sprintf("%s[%d]", path, i), inner, part)
		}
	case *structpb.Value_NumberValue:
		old := kind.NumberValue
		for _, other := range []float64{math.Nextafter(old, 2*old+1), old + 1} {
			kind.NumberValue = other
			try(fmt.Sprint(other, " for ", old), !part)
		}
		kind.NumberValue = math.NaN()
		try("NaN", true)
		kind.NumberValue = old
	case *structpb.Value_BoolValue:
		kind.BoolValue = !kind.BoolValue
		try("turned", !part)
		kind.BoolValue = !kind.BoolValue
	case *structpb.Value_StringValue:
		old := kind.StringValue
		kind.StringValue += "x"
		try("of another text", !part)
		kind.StringValue = old
	}
	return n
}

func isGuarantee(v *structpb.Value) bool {
	return v.GetStructValue().GetFields()["seed_required"] != nil
}

func TestEveryPricedPartCountsInTheProofOfTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	counted := 0
	for range 1000 {
		parts := randomParts(r, 1)
		whole, err := proof.Compose(parts)
		if err != nil {
			t.Fatal(err)
		}
		if !whole.Price.Known {
			continue
		}
		p := proof.Joined("pipeline", parts, whole)
		for _, key := range []string{"cost", "input_tokens"} {
			for _, v := range p.Evidence.Fields["parts"].GetListValue().Values {
				n := v.GetStructValue().Fields["price"].GetStructValue().Fields[key].GetKind().(*structpb.Value_NumberValue)
				old := n.NumberValue
				n.NumberValue += 1
				if err := proof.Verify(p); !errors.Is(err, proof.ErrForged) {
					t.Fatalf("another %s of a part: %v", key, err)
				}
				n.NumberValue = old
				counted++
			}
		}
		values := p.Evidence.Fields["parts"].GetListValue()
		values.Values = values.Values[:len(values.Values)-1]
		if err := proof.Verify(p); err == nil {
			t.Fatal("verifies without its last part")
		}
	}
	if counted < 1000 {
		t.Errorf("only %d prices were changed", counted)
	}
}
