package proof_test

import (
	"bytes"
	"errors"
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

// drive returns a signal over random modes, which keeps its bound about half the time, and tells whether it does by
// adding up B u itself.
func drive(r *rand.Rand) (d *proof.Drive, holds bool) {
	k, dim := 1+r.IntN(4), 1+r.IntN(8)
	b := make([][]float64, k)
	d = &proof.Drive{Signal: make([]float64, k), Gram: make([]float64, k*k), IntentEnergy: r.ExpFloat64()}
	whole := make([]float64, dim)
	for i := range b {
		b[i] = make([]float64, dim)
		d.Signal[i] = r.NormFloat64()
		for at := range b[i] {
			b[i][at] = r.NormFloat64()
			whole[at] += d.Signal[i] * b[i][at]
		}
	}
	for i := range b {
		for j := range b {
			for at := range dim {
				d.Gram[i*k+j] += b[i][at] * b[j][at]
			}
		}
	}
	var energy float64
	for _, n := range whole {
		energy += n * n
	}
	d.MaxEnergy = d.IntentEnergy + energy*2*r.Float64()
	return d, energy <= d.MaxEnergy-d.IntentEnergy
}

func limits(r *rand.Rand) []proof.Limit {
	names := []string{"safety", "policy", "traits", "budget", "latency"}
	out := make([]proof.Limit, r.IntN(5))
	for i := range out {
		out[i] = proof.Limit{Constraint: names[r.IntN(5)], Part: []string{"", "calm"}[r.IntN(2)],
			Value: float64(r.IntN(4)), Limit: float64(2 + r.IntN(3))}
	}
	return out
}

func TestASignalIsStableExactlyWithinItsBound(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	valid := 0
	for range 2000 {
		d, holds := drive(r)
		p := proof.Stable("a", d)
		if err := proof.Verify(p); err != nil || p.Valid != holds {
			t.Fatalf("%+v: valid %v, want %v, %v", d, p.Valid, holds, err)
		}
		if p.Valid {
			valid++
		}
		p.Valid = !p.Valid
		if err := proof.Verify(p); !errors.Is(err, proof.ErrForged) {
			t.Fatalf("turned: %v", err)
		}
	}
	if valid < 500 || valid > 1500 {
		t.Errorf("%d of 2000 are valid", valid)
	}
}

func TestConstraintsHoldExactlyWhereNoneIsExceeded(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	valid := 0
	for range 2000 {
		in := limits(r)
		want := true
		for _, l := range in {
			want = want && l.Value <= l.Limit
		}
		p := proof.Constrained("a", in)
		if err := proof.Verify(p); err != nil || p.Valid != want {
			t.Fatalf("%+v: valid %v, want %v, %v", in, p.Valid, want, err)
		}
		if p.Valid {
			valid++
		}
		p.Valid = !p.Valid
		if err := proof.Verify(p); !errors.Is(err, proof.ErrForged) {
			t.Fatalf("turned: %v", err)
		}
	}
	if valid < 500 || valid > 1800 {
		t.Errorf("%d of 2000 are valid", valid)
	}
}

func TestControlEvidenceThatIsNoneIsRefused(t *testing.T) {
	stable := func() *proof.Drive {
		return &proof.Drive{Signal: []float64{1, -1}, Gram: []float64{1, 0, 0, 1}, IntentEnergy: 1, MaxEnergy: 3}
	}
	if p := proof.Stable("a", stable()); !p.Valid {
		t.Fatal("a signal at its very bound is not stable")
	}
	nan := structpb.NewNumberValue(math.NaN())
	list := func(n ...any) *structpb.Value { v, _ := structpb.NewList(n); return structpb.NewListValue(v) }
	for name, forge := range map[string]func(map[string]*structpb.Value){
		"another signal":      func(f map[string]*structpb.Value) { f["signal"] = list(1.0, -1.1) },
		"no signal":           func(f map[string]*structpb.Value) { f["signal"], f["gram"] = list(), list() },
		"too small a gram":    func(f map[string]*structpb.Value) { f["gram"] = list(1.0) },
		"NaN":                 func(f map[string]*structpb.Value) { f["gram"] = list(1.0, 0.0, 0.0, math.NaN()) },
		"text":                func(f map[string]*structpb.Value) { f["signal"] = list("1", 1.0) },
		"no symmetry":         func(f map[string]*structpb.Value) { f["gram"] = list(1.0, -1.0, 0.0, 1.0) },
		"a negative diagonal": func(f map[string]*structpb.Value) { f["gram"] = list(-1.0, 0.0, 0.0, 1.0) },
		"more intent":         func(f map[string]*structpb.Value) { f["intent_energy"] = structpb.NewNumberValue(1.5) },
		"less of everything":  func(f map[string]*structpb.Value) { f["max_energy"] = structpb.NewNumberValue(2) },
		"a negative intent":   func(f map[string]*structpb.Value) { f["intent_energy"] = structpb.NewNumberValue(-1) },
		"no number":           func(f map[string]*structpb.Value) { f["max_energy"] = nan },
	} {
		p := proof.Stable("a", stable())
		forge(p.Evidence.Fields)
		if proof.Verify(p) == nil {
			t.Errorf("CONTROL-0001 verifies with %s", name)
		}
	}
	for name, forge := range map[string]func(map[string]*structpb.Value){
		"an unknown constraint": func(f map[string]*structpb.Value) { f["constraint"] = structpb.NewStringValue("luck") },
		"a larger value":        func(f map[string]*structpb.Value) { f["value"] = structpb.NewNumberValue(.6) },
		"a lower limit":         func(f map[string]*structpb.Value) { f["limit"] = structpb.NewNumberValue(.4) },
		"no number":             func(f map[string]*structpb.Value) { f["value"] = nan },
		"no part":               func(f map[string]*structpb.Value) { delete(f, "part") },
	} {
		p := proof.Constrained("a", []proof.Limit{{Constraint: "traits", Part: "calm", Value: .5, Limit: .5}})
		if !p.Valid {
			t.Fatal("a constraint at its very limit does not hold")
		}
		forge(p.Evidence.Fields["limits"].GetListValue().Values[0].GetStructValue().Fields)
		if proof.Verify(p) == nil {
			t.Errorf("CONTROL-0002 verifies with %s", name)
		}
	}
}

func TestTheObjectiveByFieldHasItsOwnTermsAndRanges(t *testing.T) {
	var w wire.Writer
	terms := proof.Terms{1, -1, .5, 20, .25, .5, .75}
	proof.ByField.Write(&terms, &w, 5)
	var read caiov1.Candidate
	if err := proto.Unmarshal(w.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"intent": 1, "capability": -1, "model": .5, "memory": 20, "cost": .25, "risk": .5, "latency": .75}
	if !maps.Equal(read.Terms, want) || !maps.Equal(proof.ByField.Map(&terms), want) {
		t.Errorf("%v", read.Terms)
	}
	if again, err := (proto.MarshalOptions{Deterministic: true}).Marshal(&read); err != nil || !bytes.Equal(again, w.Bytes()) {
		t.Errorf("%x, protobuf writes %x, %v", w.Bytes(), again, err)
	}
	score, err := proof.ByField.Score(&terms)
	if want := .3 - .2 + .1 + 2 - .025 - .025 - .0375; err != nil || math.Abs(score-want) > 1e-15 {
		t.Errorf("%v, %v, want %v", score, err, want)
	}
	for i, beyond := range []float64{1.1, -1.1, 1.1, 301, -.1, 2, 1.5} {
		bad := terms
		if bad[i] = beyond; bad != terms {
			if _, err := proof.ByField.Score(&bad); err == nil {
				t.Errorf("term %d was taken at %v", i, beyond)
			}
		}
		if bad[i] = math.NaN(); true {
			if _, err := proof.ByField.Score(&bad); err == nil {
				t.Errorf("term %d was taken at NaN", i)
			}
		}
	}
	if proof.ByField.Digest() == proof.ByContract.Digest() {
		t.Error("both forms have one digest")
	}
}

func TestARankingByFieldVerifiesAsSuchAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	for range 1000 {
		scored := make([]proof.Scored, 1+r.IntN(4))
		for i := range scored {
			terms := proof.Terms{r.Float64(), 2*r.Float64() - 1, 2*r.Float64() - 1, 300 * r.Float64(), r.Float64(), r.Float64(), r.Float64()}
			score, err := proof.ByField.Score(&terms)
			if err != nil {
				t.Fatal(err)
			}
			scored[i] = proof.Scored{Service: string(rune('a' + i)), Score: score, Terms: &terms, Form: proof.ByField}
		}
		proof.Rank(scored, 5)
		p := proof.Optimum(scored, 5)
		if err := proof.Verify(p); err != nil || !p.Valid {
			t.Fatal(err, p.Valid)
		}
		p.Evidence.Fields["objective"] = structpb.NewStringValue("contract")
		if proof.Verify(p) == nil {
			t.Fatal("verifies by another form")
		}
	}
}
