package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
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

// candidate is the service of that id with its score.
func candidate(id string, terms proof.Terms) proof.Scored {
	score, err := proof.ByContract.Score(&terms)
	if err != nil {
		panic(err)
	}
	return proof.Scored{Service: id, Score: score, Terms: &terms}
}

func all(r *rand.Rand) []*caiov1.Proof {
	c, q := random(r)
	scored := make([]proof.Scored, 1+r.IntN(4))
	for i := range scored {
		// Few distinct values, so that ties happen.
		var terms proof.Terms
		for term := range terms {
			terms[term] = float64(r.IntN(2)) / 2
		}
		scored[i] = candidate(fmt.Sprint("s", i), terms)
	}
	seed := r.Uint64()
	proof.Rank(scored, seed)
	price := proof.Price{Known: r.IntN(3) > 0, Cost: r.Float64(), Currency: "USD"}
	signal, _ := drive(r)
	return append(proof.Security(c, q.Principal, q.Data), proof.Stable("a", signal), proof.Constrained("a", limits(r)),
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
		proof.AccessControl, proof.AccessBoundary, proof.Budget, proof.Latency, proof.Stability, proof.TraitConstraints} {
		if n := verdicts[property]; n[0] < 50 || n[1] < 50 {
			t.Errorf("%s: only %d valid and %d invalid cases", property, n[0], n[1])
		}
	}
}

func TestEvidenceThatLacksAnythingIsRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		for _, p := range all(r) {
			for key := range p.Evidence.Fields {
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
	make := func() *caiov1.Proof {
		return proof.Optimum([]proof.Scored{
			candidate("a", proof.Terms{.9, 1, 1, 1, 0, 0, 0}), candidate("b", proof.Terms{.8, 1, 1, 1, 0, 0, 0})}, 7)
	}
	if err := proof.Verify(make()); err != nil || !make().Valid {
		t.Fatal(err)
	}
	forge := map[string]func(f map[string]*structpb.Value){
		"ranking": func(f map[string]*structpb.Value) {
			f["ranking"] = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{structpb.NewStringValue("b"), structpb.NewStringValue("a")}})
		},
		"score": func(f map[string]*structpb.Value) {
			f["scores"].GetListValue().Values[1] = structpb.NewNumberValue(2)
		},
		"term": func(f map[string]*structpb.Value) {
			f["terms"].GetStructValue().Fields["risk"].GetListValue().Values[1] = structpb.NewNumberValue(.5)
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

func TestARankingWithListsOfOtherLengthsOrAServiceTwiceIsRefused(t *testing.T) {
	list := func(f *structpb.Value) *structpb.ListValue { return f.GetListValue() }
	for name, change := range map[string]func(f map[string]*structpb.Value){
		"a score more": func(f map[string]*structpb.Value) {
			list(f["scores"]).Values = append(list(f["scores"]).Values, structpb.NewNumberValue(0))
		},
		"a term less": func(f map[string]*structpb.Value) {
			l := list(f["terms"].GetStructValue().Fields["cost"])
			l.Values = l.Values[1:]
		},
		"another term": func(f map[string]*structpb.Value) { f["terms"].GetStructValue().Fields["luck"] = f["scores"] },
		"a lost term":  func(f map[string]*structpb.Value) { delete(f["terms"].GetStructValue().Fields, "risk") },
		"one twice":    func(f map[string]*structpb.Value) { list(f["ranking"]).Values[1] = structpb.NewStringValue("a") },
		"nobody":       func(f map[string]*structpb.Value) { list(f["ranking"]).Values = nil },
		"an odd seed":  func(f map[string]*structpb.Value) { f["seed"] = structpb.NewStringValue("-1") },
		"another form": func(f map[string]*structpb.Value) { f["objective"] = structpb.NewStringValue("taste") },
		"beyond a term": func(f map[string]*structpb.Value) {
			list(f["terms"].GetStructValue().Fields["cost"]).Values[0] = structpb.NewNumberValue(1.5)
		},
	} {
		p := proof.Optimum([]proof.Scored{candidate("a", proof.Terms{.9}), candidate("b", proof.Terms{.8})}, 7)
		if err := proof.Verify(p); err != nil || !p.Valid {
			t.Fatal(err)
		}
		change(p.Evidence.Fields)
		if err := proof.Verify(p); err == nil {
			t.Errorf("verifies with %s", name)
		}
	}
}

func TestScoreRefusesWhatIsNotATerm(t *testing.T) {
	for name, v := range map[string]float64{"NaN": math.NaN(), "Inf": math.Inf(1), "above": 1.5, "below": -.5} {
		terms := proof.Terms{v}
		if _, err := proof.ByContract.Score(&terms); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTermsAreWrittenByName(t *testing.T) {
	var w wire.Writer
	terms := proof.Terms{0, 1, 2, 3, 4, 5, 6}
	proof.ByContract.Write(&terms, &w, 5)
	var read caiov1.Candidate
	if err := proto.Unmarshal(w.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"guarantee": 0, "cost_score": 1, "performance": 2, "reliability": 3, "cost": 4, "risk": 5, "latency": 6}
	if !maps.Equal(read.Terms, want) {
		t.Errorf("%v", read.Terms)
	}
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(&read)
	if err != nil || !bytes.Equal(again, w.Bytes()) {
		t.Errorf("%x, protobuf writes %x, %v", w.Bytes(), again, err)
	}
}

// What one Writer writes is what the functions of the same names return, one after another, in protobuf's own bytes.
func TestAWriterWritesWhatProtobufWouldOfTheMessages(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var w proof.Writer
	for range 200 {
		c, q := random(r)
		price := &proof.Price{Known: r.IntN(2) == 0, Cost: r.Float64(), Currency: "USD", InputTokens: 3}
		ranked := []proof.Scored{candidate("a", proof.Terms{r.Float64()}), candidate("b", proof.Terms{r.Float64()})}
		proof.Rank(ranked, 3)
		fates := []proof.Fate{{Service: "a", Outcome: "rule"}, {Service: "b", Outcome: "budget"}}
		signal, _ := drive(r)
		held := limits(r)
		w.Reset()
		w.NobodyLeft(fates, 7)
		w.Stable("a", signal)
		w.Optimum(ranked, 3)
		w.Constrained("a", held)
		w.Fast(c, q.MaxLatencyMs)
		w.Affordable("a", price, q.Budget)
		w.Security(c, q.Principal, q.Data)
		w.NoRefusal("a", "d1", "d2", "d3", 4)
		w.Match(c, proof.Offered(c), q)
		want := &caiov1.Decision{Proofs: append([]*caiov1.Proof{proof.Match(c, q), proof.NoRefusal("a", "d1", "d2", "d3", 4)},
			append(proof.Security(c, q.Principal, q.Data), proof.Affordable("a", *price, q.Budget), proof.Fast(c, q.MaxLatencyMs),
				proof.Constrained("a", held), proof.Optimum(ranked, 3), proof.Stable("a", signal), proof.NobodyLeft([]*caiov1.Candidate{{ServiceId: "b", Outcome: "budget"}, {ServiceId: "a", Outcome: "rule"}}, 7))...)}
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
		if err != nil || !bytes.Equal(raw, w.Bytes()) {
			t.Fatalf("wrote\n%x, want\n%x, %v", w.Bytes(), raw, err)
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
