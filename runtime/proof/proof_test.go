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

func ExampleVerify() {
	p := proof.Trust("tts-7", 3, 5)
	fmt.Println(p.GetStatement(), p.GetValid(), proof.Verify(p))
	p.Valid = true
	fmt.Println(errors.Is(proof.Verify(p), proof.ErrForged))
	// Output:
	// the caller's trust suffices for tts-7 false <nil>
	// true
}

// random returns a contract and a request whose demands it meets about half the time.
func random(r *rand.Rand) (*caiov1.Contract, *caiov1.Request) {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	c := &caiov1.Contract{
		ServiceId:          pick("a", "b", "c"),
		Capabilities:       []*caiov1.Capability{{Type: pick("chat", "search")}, {Type: pick("chat", "code")}},
		Guarantees:         map[string]*caiov1.Guarantee{},
		Constraints:        &caiov1.Constraints{RequiresGpu: r.IntN(2) == 0, ContextLength: proto.Int32(int32(r.IntN(100)))},
		Privacy:            &caiov1.Privacy{DataLocality: pick("local", "cloud", "on_device"), Encryption: r.IntN(3) == 0},
		RequiredTrustLevel: int32(r.IntN(11)),
		Metadata:           &caiov1.Metadata{Tenant: pick("", "acme", "umbrella")},
	}
	if r.IntN(2) == 0 {
		c.RequiredPermissions = []string{pick("read", "write")}
	}
	if r.IntN(4) > 0 {
		c.Guarantees["accuracy"] = &caiov1.Guarantee{Property: "accuracy", Bound: &caiov1.Bound{Type: "min", Min: proto.Float64(r.Float64())}}
	}
	if r.IntN(4) > 0 {
		c.Guarantees["latency"] = &caiov1.Guarantee{Property: "p95_latency_ms", Bound: &caiov1.Bound{Type: "max", Max: proto.Float64(r.Float64() * 100)}}
	}
	q := &caiov1.Request{
		Capabilities: []string{pick("chat", "search", "code")},
		Match:        pick("all", "any"),
		Guarantees:   map[string]*caiov1.Demand{"accuracy": {Min: proto.Float64(r.Float64())}},
		Constraints:  &caiov1.Demands{RequiresGpu: proto.Bool(r.IntN(2) == 0), ContextLength: proto.Int32(int32(r.IntN(60)))},
		Budget:       &caiov1.Budget{MaxCost: r.Float64(), Currency: pick("USD", "EUR")},
		MaxLatencyMs: proto.Float64(r.Float64() * 100),
		Data:         &caiov1.Data{ContainsPii: r.IntN(2) == 0},
		Principal: &caiov1.Principal{Authenticated: r.IntN(4) > 0, Permissions: []string{pick("read", "write")},
			TrustLevel: int32(r.IntN(11)), Tenant: pick("", "acme")},
	}
	return c, q
}

func all(r *rand.Rand) []*caiov1.Proof {
	c, q := random(r)
	scored := make([]*caiov1.Candidate, 1+r.IntN(4))
	for i := range scored {
		// Few distinct values, so that ties happen.
		terms := map[string]float64{}
		for _, name := range []string{"guarantee", "cost_score", "performance", "reliability", "cost", "risk", "latency"} {
			terms[name] = float64(r.IntN(2)) / 2
		}
		score, err := proof.Score(terms)
		if err != nil {
			panic(err)
		}
		scored[i] = &caiov1.Candidate{ServiceId: fmt.Sprint("s", i), Score: &score, Terms: terms, Outcome: "eligible"}
	}
	seed := r.Uint64()
	proof.Rank(scored, seed)
	price := proof.Price{Known: r.IntN(3) > 0, Cost: r.Float64(), Currency: "USD"}
	return append(proof.Security(c, q.Principal, q.Data),
		proof.Match(c, q), proof.Affordable("a", price, q.Budget), proof.Fast(c, q.MaxLatencyMs),
		proof.NoRefusal("a", "d1", "d2", "d3", 4), proof.Optimum(scored, seed), proof.Composed(c, c.Guarantees),
		proof.NobodyLeft([]*caiov1.Candidate{{ServiceId: "a", Outcome: "rule"}}, 2))
}

func TestEveryProofVerifiesAndNoneVerifiesWithItsVerdictTurned(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	verdicts := map[string][2]int{}
	for range 1000 {
		for _, p := range all(r) {
			if err := proof.Verify(p); err != nil {
				t.Fatalf("%v\n%v", err, p)
			}
			n := verdicts[p.Property]
			if p.Valid {
				n[0]++
			} else {
				n[1]++
			}
			verdicts[p.Property] = n
			p.Valid = !p.Valid
			if err := proof.Verify(p); !errors.Is(err, proof.ErrForged) {
				t.Fatalf("turned verdict of %s: %v", p.Property, err)
			}
		}
	}
	for _, property := range []string{proof.Matching, proof.Authentication, proof.Authorization, proof.Privacy,
		proof.AccessControl, proof.AccessBoundary, proof.Budget, proof.Latency} {
		if n := verdicts[property]; n[0] < 50 || n[1] < 50 {
			t.Errorf("%s: only %d valid and %d invalid cases", property, n[0], n[1])
		}
	}
}

func TestEvidenceThatLacksAnythingIsRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	informative := map[string]bool{"subject": true, "property": true, "input_tokens": true, "output_tokens": true, "rules": true}
	for range 50 {
		for _, p := range all(r) {
			for key := range p.Evidence.Fields {
				if informative[key] {
					continue
				}
				broken := proto.CloneOf(p)
				delete(broken.Evidence.Fields, key)
				if err := proof.Verify(broken); err == nil {
					t.Fatalf("%s verifies without %q", p.Property, key)
				}
				broken.Evidence.Fields[key] = structpb.NewNumberValue(math.NaN())
				if err := proof.Verify(broken); err == nil {
					t.Fatalf("%s verifies with NaN for %q", p.Property, key)
				}
			}
		}
	}
}

func TestChangedRankingScoreOrTermIsRefused(t *testing.T) {
	one, two := 0.0, 0.0
	terms := func(g float64) map[string]float64 {
		return map[string]float64{"guarantee": g, "cost_score": 1, "performance": 1, "reliability": 1, "cost": 0, "risk": 0, "latency": 0}
	}
	one, _ = proof.Score(terms(.9))
	two, _ = proof.Score(terms(.8))
	make := func() *caiov1.Proof {
		return proof.Optimum([]*caiov1.Candidate{
			{ServiceId: "a", Score: &one, Terms: terms(.9)}, {ServiceId: "b", Score: &two, Terms: terms(.8)}}, 7)
	}
	if err := proof.Verify(make()); err != nil || !make().Valid {
		t.Fatal(err)
	}
	forge := map[string]func(f map[string]*structpb.Value){
		"ranking": func(f map[string]*structpb.Value) {
			f["ranking"] = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue("b"), structpb.NewStringValue("a")}})
		},
		"score": func(f map[string]*structpb.Value) {
			f["scored"].GetListValue().Values[1].GetStructValue().Fields["score"] = structpb.NewNumberValue(2)
		},
		"term": func(f map[string]*structpb.Value) {
			f["scored"].GetListValue().Values[1].GetStructValue().Fields["terms"].GetStructValue().Fields["risk"] = structpb.NewNumberValue(.5)
		},
	}
	for name, change := range forge {
		p := make()
		change(p.Evidence.Fields)
		if err := proof.Verify(p); !errors.Is(err, proof.ErrForged) {
			t.Errorf("changed %s: %v", name, err)
		}
	}
}

func TestARefusalHoldsOnlyWhereEveryoneFellAtAStepThereIs(t *testing.T) {
	for outcome, falls := range map[string]bool{
		"capability": true, "guarantee": true, "constraint": true, "rule": true, "security": true, "budget": true, "latency": true,
		"selected": false, "eligible": false,
	} {
		p := proof.NobodyLeft([]*caiov1.Candidate{{ServiceId: "a", Outcome: "rule"}, {ServiceId: "b", Outcome: outcome}}, 0)
		if err := proof.Verify(p); err != nil || p.Valid != falls {
			t.Errorf("%s: valid %v, %v", outcome, p.Valid, err)
		}
	}
	for _, invented := range []string{"", "Selected", "served", "eligible "} {
		p := proof.NobodyLeft([]*caiov1.Candidate{{ServiceId: "a", Outcome: "rule"}}, 0)
		p.Evidence.Fields["outcomes"].GetStructValue().Fields["b"] = structpb.NewStringValue(invented)
		if err := proof.Verify(p); err == nil {
			t.Errorf("verifies with the outcome %q", invented)
		}
	}
}

func TestScoreRefusesWhatIsNotATerm(t *testing.T) {
	for name, v := range map[string]float64{"NaN": math.NaN(), "Inf": math.Inf(1), "above": 1.5, "below": -.5} {
		terms := map[string]float64{"guarantee": v, "cost_score": 0, "performance": 0, "reliability": 0, "cost": 0, "risk": 0, "latency": 0}
		if _, err := proof.Score(terms); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestAProofCannotBeMovedToAnotherServiceOrStatement(t *testing.T) {
	for _, p := range all(rand.New(rand.NewPCG(7, 8))) {
		for name, forge := range map[string]func(*caiov1.Proof){
			"statement": func(p *caiov1.Proof) { p.Statement += " and every other" },
			"service":   func(p *caiov1.Proof) { p.Evidence.Fields["service_id"] = structpb.NewStringValue("another") },
			"step":      func(p *caiov1.Proof) { p.Step = "elsewhere" },
			"method":    func(p *caiov1.Proof) { p.Method = "trust me" },
		} {
			forged := proto.CloneOf(p)
			forge(forged)
			if err := proof.Verify(forged); !errors.Is(err, proof.ErrForged) && !(name == "service" && p.Property == proof.Refusal) {
				t.Errorf("%s of %s: %v", name, p.Property, err)
			}
		}
	}
}

func FuzzRecompute(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, p := range all(r) {
		raw, err := proto.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p caiov1.Proof
		if proto.Unmarshal(raw, &p) != nil {
			return
		}
		_, _ = proof.Recompute(&p)
	})
}
