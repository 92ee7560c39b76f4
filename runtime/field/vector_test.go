package field

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestWhatIsNoFieldIsRefusedWithItsPlace(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, test := range []struct {
		re, im []float64
		want   string
	}{
		{nil, nil, "intent: dimension 0"},
		{make([]float64, MaxDimension+1), nil, "intent: dimension 4097"},
		{[]float64{1, 2}, []float64{1}, "intent: 2 real but 1 imaginary parts"},
		{[]float64{1}, []float64{1, 2}, "intent: 1 real but 2 imaginary parts"},
		{[]float64{0, 1, 2, nan}, nil, "intent[3]: NaN"},
		{[]float64{0, inf}, nil, "intent[1]: +Inf"},
		{[]float64{-inf, 1}, nil, "intent[0]: -Inf"},
		{[]float64{0, 1}, []float64{0, nan}, "intent[1]: NaN"},
		{[]float64{1e150, 1e150}, nil, "intent: its energy"},
		{[]float64{1e308, 1e308}, nil, "intent: its energy"},
	} {
		v, err := New("intent", test.re, test.im)
		if v != nil || err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("New of %d and %d numbers: %v, want %q", len(test.re), len(test.im), err, test.want)
		}
	}
	if err := (Vector{1, 2}).Of("traits", 3, "the intent"); err == nil ||
		err.Error() != "traits: dimension 2, but that of the intent is 3" {
		t.Errorf("a field of another dimension: %v", err)
	}
}

func TestAFieldHoldsItsParts(t *testing.T) {
	v, err := New("intent", []float64{3, 0}, []float64{4, -1})
	if err != nil || v[0] != 3+4i || v[1] != -1i || v.Energy() != 26 || v.Norm() != math.Sqrt(26) {
		t.Errorf("%v, %v, energy %v", v, err, v.Energy())
	}
	if v, err := New("intent", []float64{3}, nil); err != nil || v[0] != 3 {
		t.Errorf("%v, %v", v, err)
	}
}

func TestCorrelationOfKnownPairs(t *testing.T) {
	for _, test := range []struct {
		name string
		a, b Vector
		want float64
	}{
		{"itself", Vector{1, 2i, -3}, Vector{1, 2i, -3}, 1},
		{"a multiple", Vector{1, 2i}, Vector{5, 10i}, 1},
		{"its negative", Vector{1, 2i}, Vector{-1, -2i}, -1},
		{"a quarter turn", Vector{1, 2i}, Vector{1i, -2}, 0},
		{"an eighth turn", Vector{1}, Vector{1 + 1i}, math.Sqrt2 / 2},
		{"nothing in common", Vector{1, 0}, Vector{0, 1}, 0},
		{"half", Vector{1, 1}, Vector{1, 0}, math.Sqrt2 / 2},
		{"zero", Vector{1, 1}, Vector{0, 0}, 0},
		{"zeros", Vector{0}, Vector{0}, 0},
		{"tiny", Vector{1e-140}, Vector{-1e-140}, -1},
		{"too small to have an energy", Vector{1e-170}, Vector{1}, 0},
		{"huge", Vector{1e149, 1e149i}, Vector{1e149, 1e149i}, 1},
	} {
		if got := Correlation(test.a, test.b); !(math.Abs(got-test.want) <= 1e-15) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestCorrelationIsBoundedSymmetricAndBlindToLength(t *testing.T) {
	property(t, func(t *testing.T, r *rand.Rand) {
		d := dimension(r)
		a, b := vector(r, d), vector(r, d)
		got := Correlation(a, b)
		if !(got >= -1 && got <= 1) {
			t.Errorf("%v is outside of [-1, 1]", got)
		}
		if back := Correlation(b, a); back != got {
			t.Errorf("<a, b> gives %v, <b, a> %v", got, back)
		}
		by := complex(math.Pow(2, float64(r.IntN(41)-20)), 0)
		if longer := Correlation(scaled(a, by), b); longer != got {
			t.Errorf("%v became %v for a %v times as long", got, longer, by)
		}
		if turned := Correlation(a, scaled(b, -1)); turned != -got {
			t.Errorf("%v became %v for the negative", got, turned)
		}
		if self := Correlation(a, a); self > 1 || a.Energy() > 0 && !closeTo(self, 1, 1e-13) {
			t.Errorf("a field agrees with itself by %v", Correlation(a, a))
		}
	})
}

// FuzzNew holds that whatever New takes is a field of which everything else is finite.
func FuzzNew(f *testing.F) {
	f.Add([]byte{}, true)
	f.Add([]byte{0x3f, 0xf0, 0, 0, 0, 0, 0, 0}, false)
	f.Add([]byte{0x7f, 0xf8, 0, 0, 0, 0, 0, 1, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0}, true)
	f.Add([]byte{0x5f, 0x20, 0, 0, 0, 0, 0, 0, 0xdf, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, false)
	f.Fuzz(func(t *testing.T, raw []byte, imaginary bool) {
		var numbers []float64
		for len(raw) >= 8 && len(numbers) < 64 {
			var bits uint64
			for _, b := range raw[:8] {
				bits = bits<<8 | uint64(b)
			}
			numbers, raw = append(numbers, math.Float64frombits(bits)), raw[8:]
		}
		re, im := numbers, []float64(nil)
		if imaginary {
			re, im = numbers[:(len(numbers)+1)/2], numbers[(len(numbers)+1)/2:]
		}
		v, err := New("intent", re, im)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "intent") {
				t.Fatalf("%v does not name the field", err)
			}
			return
		}
		for _, n := range everything(t, v) {
			if n-n != 0 {
				t.Fatalf("%v of %v", n, v)
			}
		}
	})
}

// everything returns all that is computed of a single field.
func everything(t *testing.T, v Vector) []float64 {
	f := transform(t, len(v))
	high, err := High(len(v), .25)
	if err != nil {
		t.Fatal(err)
	}
	m := f.Measure(v, f.Inverse(v), v.Energy(), 1)
	u, err := Excite([]Vector{v, f.Project(v, high)}, []float64{1, -1}, 2)
	if err != nil {
		t.Fatal(err)
	}
	return append(u.Signal, u.Energy, v.Energy(), f.Project(v, high).Energy(), v.Direction().MatchedFilter(v.Direction()), Correlation(v, f.Forward(v)),
		Conductivity(f.Project(v, high), v), Interference(v, f.Forward(v)), m.Quality, m.Recall(), m.Utilization())
}
