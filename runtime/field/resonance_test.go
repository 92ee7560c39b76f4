package field

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestQualityOfKnownPeaks(t *testing.T) {
	for _, test := range []struct {
		name string
		v    Vector
		want float64
	}{
		{"flat", Vector{1, 1i, -1, -1i}, 0},
		{"twice the background", Vector{1, 1, 2, 1}, 20 * math.Log10(2)},
		{"ten times, in phase or not", Vector{1, -10i, 1i}, 20},
		{"alone", Vector{0, 5, 0}, MaxQuality},
		{"zero", Vector{0, 0}, 0},
		{"one component", Vector{7}, 0},
		{"tiny", Vector{1e-140, 1e-139}, 20},
	} {
		if got := Quality(test.v); !closeTo(got, test.want, 1e-12) {
			t.Errorf("%s: %v dB, want %v", test.name, got, test.want)
		}
	}
}

func TestResponsePeaksWhereTheMemoryFits(t *testing.T) {
	for _, d := range awkward {
		f := transform(t, d)
		shift := d / 3
		sameVector(t, "response of a shifted delta", f.Response(delta(d, 0), delta(d, shift)), delta(d, shift), 1e-12)
	}
	property(t, func(t *testing.T, r *rand.Rand) {
		d := dimension(r)
		f, query, memory := transform(t, d), vector(r, d), vector(r, d)
		out := f.Response(query, memory)
		if got, want := real(out[0]), Correlation(query, memory); !closeTo(got, want, 1e-12) {
			t.Errorf("component 0 is %v, the correlation %v", got, want)
		}
		if q := Quality(out); !(q >= 0 && q <= MaxQuality) {
			t.Errorf("quality is %v dB", q)
		}
		for j, c := range out {
			if energy(c) > 1+1e-12 {
				t.Errorf("component %d is %v", j, c)
			}
		}
	})
}

func TestInterferenceOfKnownFields(t *testing.T) {
	for _, test := range []struct {
		name   string
		fields []Vector
		want   float64
	}{
		{"none", nil, 0},
		{"one", []Vector{{1, 2}}, 0},
		{"zeros", []Vector{{0}, {0}}, 0},
		{"itself", []Vector{{1, 2i}, {1, 2i}}, 0},
		{"its negative", []Vector{{1, 2i}, {-1, -2i}}, 1},
		{"a quarter turn", []Vector{{1, 2i}, {1i, -2}}, 0},
		{"apart", []Vector{{1, 0}, {0, 1}}, 0},
		{"half against", []Vector{{1, 1}, {1, -1}}, .5},
		{"unequal", []Vector{{2}, {-1}}, .8}, // 4 + 1 become 1
	} {
		if got := Interference(test.fields...); !closeTo(got, test.want, 1e-15) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	property(t, func(t *testing.T, r *rand.Rand) {
		d := dimension(r)
		a, b, c := vector(r, d), vector(r, d), vector(r, d)
		for _, eta := range []float64{Interference(a, b), Interference(a, b, c)} {
			if !(eta >= 0 && eta <= 1) {
				t.Errorf("%v is outside of [0, 1]", eta)
			}
		}
		if there, back := Interference(a, b), Interference(b, a); there != back {
			t.Errorf("%v of a and b, %v of b and a", there, back)
		}
	})
}

func TestMetricsNameWhatIsBelow(t *testing.T) {
	for _, test := range []struct {
		m    Metrics
		want []string
	}{
		{Metrics{Quality: 6, Interference: .15, Load: 1, Room: 1.3}, nil},
		{Metrics{Quality: 6, Interference: .15, Load: 7}, nil},
		{Metrics{Quality: 5.99, Interference: 0, Load: 1, Room: 2}, []string{"quality"}},
		{Metrics{Quality: 20, Interference: .16, Load: 1, Room: 2}, []string{"recall"}},
		{Metrics{Quality: 20, Interference: 0, Load: 1, Room: 1.29}, []string{"margin"}},
		{Metrics{Interference: 1, Load: 2, Room: 1}, []string{"quality", "recall", "margin"}},
		{Metrics{Quality: math.NaN(), Interference: math.NaN()}, []string{"quality", "recall"}},
	} {
		if got := test.m.Below(); !slices.Equal(got, test.want) {
			t.Errorf("%+v: below are %v, want %v", test.m, got, test.want)
		}
	}
	if got := (Metrics{Load: 1, Room: 4}).Utilization(); got != .25 {
		t.Errorf("utilization is %v", got)
	}
}

func TestARecalledFieldIsWhole(t *testing.T) {
	f, v := transform(t, 64), lively(rand.New(rand.NewPCG(3, 3)), 64)
	m := f.Measure(v, v, v.Energy(), 2*v.Energy())
	if m.Recall() != 1 || m.Quality < MinQuality || m.Below() != nil {
		t.Errorf("%+v, below %v", m, m.Below())
	}
	if m := f.Measure(v, scaled(v, -1), 0, 0); m.Recall() != 0 {
		t.Errorf("%+v", m)
	}
}
