package field

import (
	"math"
	"math/rand/v2"
	"testing"
)

func phases(r *rand.Rand, d int) []float64 {
	out := make([]float64, d)
	for j := range out {
		out[j] = (r.Float64() - .5) * 20
	}
	return out
}

func TestEncoderKeepsEnergyAndCanBeUndone(t *testing.T) {
	property(t, func(t *testing.T, r *rand.Rand) {
		d := dimension(r)
		e, err := NewEncoder(transform(t, d), phases(r, d), phases(r, d))
		if err != nil {
			t.Fatal(err)
		}
		w, other := vector(r, d), vector(r, d)
		encoded := e.Encode(w)
		if math.Abs(encoded.Energy()-w.Energy()) > 1e-12*w.Energy() {
			t.Errorf("dimension %d: energy %v became %v (INV-0001)", d, w.Energy(), encoded.Energy())
		}
		sameVector(t, "E^-1 E w", e.Decode(encoded), w, 1e-12*w.Norm())
		if got, want := Inner(encoded, e.Encode(other)), Inner(w, other); energy(got-want) > 1e-24*w.Energy()*other.Energy() {
			t.Errorf("<E a, E b> is %v, <a, b> is %v", got, want)
		}
	})
}

func TestEncoderOfKnownPhases(t *testing.T) {
	d := 6
	none := make([]float64, d)
	// Without phases it changes nothing; e^(-2 pi i k/d) at frequency k shifts by one; e^(2 pi i j/d) at sample j raises
	// the frequency by one.
	shift, raise := make([]float64, d), make([]float64, d)
	for k := range shift {
		shift[k] = -2 * math.Pi * float64(k) / float64(d)
		raise[k] = -shift[k]
	}
	for _, test := range []struct {
		name    string
		h, m    []float64
		w, want Vector
	}{
		{"identity", none, none, delta(d, 2), delta(d, 2)},
		{"shift", none, shift, delta(d, 2), delta(d, 3)},
		{"raise", raise, none, tone(d, 2), tone(d, 3)},
	} {
		e, err := NewEncoder(transform(t, d), test.h, test.m)
		if err != nil {
			t.Fatal(err)
		}
		sameVector(t, test.name, e.Encode(test.w), test.want, 1e-14)
	}
}

func TestEncoderWithoutItsPhasesIsRefused(t *testing.T) {
	f := transform(t, 2)
	for _, test := range [][2][]float64{{{0}, {0, 0}}, {{0, 0}, nil}, {{0, math.NaN()}, {0, 0}}, {{0, 0}, {math.Inf(1), 0}}} {
		if _, err := NewEncoder(f, test[0], test[1]); err == nil {
			t.Errorf("%v was taken", test)
		}
	}
}
