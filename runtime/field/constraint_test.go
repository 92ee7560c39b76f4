package field

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestConstraintsAreWhatIsTooMuch(t *testing.T) {
	for _, test := range []struct {
		got   Constraint
		name  string
		value float64
		holds bool
	}{
		{Safety(0, 0, 0), "safety", 0, true},
		{Safety(0, 2, 1), "safety", 2, false},
		{Policy(-1, 0, -2), "policy", 0, true},
		{Policy(0, 0, .5), "policy", .5, false},
		{Traits(), "traits", 0, true},
		{Traits(-.5, -.25), "traits", -.25, true},
		{Traits(Gap(.5, .75), Gap(.5, .25)), "traits", .25, false},
		{Budget(2, 2), "budget", 0, true},
		{Budget(2.5, 2), "budget", .5, false},
		{Latency(100, 300), "latency", -200, true},
		{Latency(301, 300), "latency", 1, false},
		{Constraint{"traits", math.NaN()}, "traits", math.NaN(), false},
	} {
		same := test.got.Value == test.value || math.IsNaN(test.value)
		if test.got.Name != test.name || !same || test.got.Holds() != test.holds {
			t.Errorf("%+v holds: %v; want %s %v %v", test.got, test.got.Holds(), test.name, test.value, test.holds)
		}
	}
}

func TestAConstraintHoldsWhenAllItsPartsDo(t *testing.T) {
	property(t, func(t *testing.T, r *rand.Rand) {
		part := func() float64 { return float64(r.IntN(5) - 3) }
		a, b, c := part(), part(), part()
		want := a <= 0 && b <= 0 && c <= 0
		for _, g := range []Constraint{Safety(a, b, c), Policy(a, b, c), Traits(a, b, c)} {
			if g.Holds() != want {
				t.Errorf("%+v of %v, %v, %v", g, a, b, c)
			}
		}
		if cost, limit := r.Float64(), r.Float64(); Budget(cost, limit).Holds() != (cost <= limit) ||
			Latency(cost, limit).Holds() != (cost <= limit) {
			t.Errorf("%v of %v", cost, limit)
		}
	})
}

func TestModelsAreChosenByTheirWorth(t *testing.T) {
	w := Weights{Capable: 1, Cost: 2, Alignment: .5, Overflow: 4}
	if got := w.Worth(Model{Capable: .5, PerToken: .25, Alignment: -1, Overflow: .125}); got != -1 {
		t.Errorf("worth %v", got)
	}
	models := []Model{{Name: "a", Capable: .5}, {Name: "b", Capable: .75}, {Name: "c", Capable: .75}}
	if i, err := w.Choose(models); err != nil || i != 1 {
		t.Errorf("chose %d, %v", i, err)
	}
	models[1].Overflow = Overflow(3000, 2000)
	if i, err := w.Choose(models); err != nil || i != 2 {
		t.Errorf("chose %d, %v: what does not fit counts against b", i, err)
	}
	if Overflow(3000, 2000) != .5 || Overflow(2000, 2000) != 0 || Overflow(1, 0) != 0 {
		t.Error("overflow")
	}
	if _, err := w.Choose(nil); err == nil {
		t.Error("chose of none")
	}
	if _, err := w.Choose([]Model{{Name: "a", PerToken: math.Inf(1)}}); err == nil {
		t.Error("chose a model of no worth")
	}
	property(t, func(t *testing.T, r *rand.Rand) {
		models := make([]Model, 1+r.IntN(6))
		for i := range models {
			models[i] = Model{Capable: r.Float64(), PerToken: r.Float64(), Alignment: 2*r.Float64() - 1, Overflow: r.ExpFloat64()}
		}
		i, err := w.Choose(models)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range models {
			if w.Worth(m) > w.Worth(models[i]) {
				t.Errorf("%+v is worth more than %+v", m, models[i])
			}
		}
	})
}
