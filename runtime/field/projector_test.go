package field

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

func mask(t testing.TB, d int, cutoff float64) Mask {
	t.Helper()
	m, err := High(d, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestHighKeepsWhatIsAboveTheCutoff(t *testing.T) {
	// Frequencies of dimension 8: 0, 1/8, 1/4, 3/8, 1/2, -3/8, -1/4, -1/8.
	for cutoff, want := range map[float64]string{
		0: ".#######", .124: ".#######", .125: "..#####.", .25: "...###..", .4: "....#...", .5: "........",
	} {
		got := ""
		for _, kept := range mask(t, 8, cutoff) {
			got += map[bool]string{true: "#", false: "."}[kept]
		}
		if got != want {
			t.Errorf("cutoff %v keeps %s, want %s", cutoff, got, want)
		}
	}
	for _, cutoff := range []float64{-.1, .6, math.NaN(), math.Inf(1)} {
		if _, err := High(8, cutoff); err == nil {
			t.Errorf("cutoff %v was taken", cutoff)
		}
		if _, err := Low(8, cutoff); err == nil {
			t.Errorf("cutoff %v was taken", cutoff)
		}
	}
}

func TestToneIsHighOrLowAsAWhole(t *testing.T) {
	for _, d := range awkward {
		f := transform(t, d)
		for _, k := range []int{0, 1 % d, d / 4, d / 2, d - 1} {
			want := 0.0
			if float64(min(k, d-k))/float64(d) > .25 {
				want = 1
			}
			v := tone(d, k)
			if got := f.Project(v, mask(t, d, .25)).Energy(); !closeTo(got, want, 1e-12) {
				t.Errorf("dimension %d, frequency %d: intensity %v, want %v", d, k, got, want)
			}
			if got := Conductivity(f.Project(v, mask(t, d, .25)), v); !closeTo(got, want, 1e-6) {
				t.Errorf("dimension %d, frequency %d: conductivity %v, want %v", d, k, got, want)
			}
		}
		// A delta holds every frequency alike.
		kept := 0
		for _, k := range mask(t, d, .25) {
			if k {
				kept++
			}
		}
		if got, want := f.Project(delta(d, d/3), mask(t, d, .25)).Energy(), float64(kept)/float64(d); !closeTo(got, want, 1e-12) {
			t.Errorf("dimension %d: intensity of a delta %v, want %v", d, got, want)
		}
	}
}

func TestProjectorIsOne(t *testing.T) {
	property(t, func(t *testing.T, r *rand.Rand) {
		d := dimension(r)
		f, a, b := transform(t, d), vector(r, d), vector(r, d)
		high := mask(t, d, r.Float64()/2)
		if r.IntN(3) == 0 { // any mask is a projector's
			for k := range high {
				high[k] = r.IntN(2) == 0
			}
		}
		near := 1e-12 * (a.Norm() + b.Norm())
		pa, pb := f.Project(a, high), f.Project(b, high)
		sameVector(t, "P P v", f.Project(pa, high), pa, near)
		sameVector(t, "P v + (1-P) v", sum(pa, f.Project(a, high.Not())), a, near)
		if left, right := Inner(pa, b), Inner(a, pb); cmplx.Abs(left-right) > 1e-12*a.Norm()*b.Norm() {
			t.Errorf("<P a, b> is %v, <a, P b> is %v", left, right)
		}
		parts := pa.Energy() + f.Project(a, high.Not()).Energy()
		if math.Abs(parts-a.Energy()) > 1e-12*a.Energy() {
			t.Errorf("energies of the parts add up to %v, the whole has %v", parts, a.Energy())
		}
		kappa := Conductivity(pa, a)
		if !(kappa >= 0 && kappa <= 1) || math.Abs(kappa*a.Norm()-pa.Norm()) > 1e-12*a.Norm() {
			t.Errorf("conductivity is %v for %v of %v", kappa, pa.Norm(), a.Norm())
		}
	})
}

func TestMatchedFilterIsTheShareOfEnergyAlongADirection(t *testing.T) {
	v := Vector{3, 4i, 0}
	for _, test := range []struct {
		column Vector
		want   float64
	}{
		{Vector{1, 0, 0}, .36},
		{Vector{-1000i, 0, 0}, .36}, // length and phase gain nothing
		{Vector{0, 0, 0}, 0},
		{Vector{0, 0, 1}, 0},
		{v, 1},
	} {
		if got := test.column.Direction().MatchedFilter(v.Direction()); !closeTo(got, test.want, 1e-15) {
			t.Errorf("along %v: %v, want %v", test.column, got, test.want)
		}
	}
	property(t, func(t *testing.T, r *rand.Rand) {
		d := dimension(r)
		v, column := vector(r, d).Direction(), vector(r, d).Direction()
		got, c := column.MatchedFilter(v), v.Correlation(column)
		if !(got >= 0 && got <= 1) || got < c*c-1e-12 || column.Dimension() != d {
			t.Errorf("%v along a column of correlation %v", got, c)
		}
	})
}
