package field

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

// cases is how many inputs a property is tried on.
const cases = 1000

// close tells whether two numbers differ by at most tolerance of the larger one, or of 1.
func closeTo(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance*max(1, math.Abs(a), math.Abs(b))
}

func sameVector(t *testing.T, what string, got, want Vector, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d components, want %d", what, len(got), len(want))
	}
	for j := range got {
		if !(cmplx.Abs(got[j]-want[j]) <= tolerance) {
			t.Fatalf("%s: component %d of %d is %v, want %v", what, j, len(got), got[j], want[j])
		}
	}
}

func transform(t testing.TB, d int) *Transform {
	t.Helper()
	f, err := NewTransform(d)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// property runs try on generated inputs; a failure names the seed that repeats it.
func property(t *testing.T, try func(t *testing.T, r *rand.Rand)) {
	t.Helper()
	for seed := range uint64(cases) {
		try(t, rand.New(rand.NewPCG(seed, 8)))
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

// dimension draws small dimensions mostly, and now and then a prime, a power of two or a large one.
func dimension(r *rand.Rand) int {
	switch r.IntN(20) {
	case 0:
		return []int{37, 41, 127, 257, 509, 1021}[r.IntN(6)]
	case 1:
		return 1 << r.IntN(11)
	case 2:
		return 1 + r.IntN(700)
	}
	return 1 + r.IntN(24)
}

// vector draws a field of dimension d: real or complex, dense or sparse, of any size that is likely, or zero.
func vector(r *rand.Rand, d int) Vector {
	v := make(Vector, d)
	size := math.Pow(10, float64(r.IntN(13)-6))
	kind := r.IntN(8)
	for j := range v {
		switch {
		case kind == 0, kind == 1 && r.IntN(4) > 0:
		case kind == 2:
			v[j] = complex(size*r.NormFloat64(), 0)
		default:
			v[j] = complex(size*r.NormFloat64(), size*r.NormFloat64())
		}
	}
	return v
}

// lively draws a field that is not zero.
func lively(r *rand.Rand, d int) Vector {
	v := vector(r, d)
	v[r.IntN(d)] += 1
	return v
}

func scaled(v Vector, by complex128) Vector {
	out := make(Vector, len(v))
	for j := range v {
		out[j] = v[j] * by
	}
	return out
}

func sum(a, b Vector) Vector {
	out := make(Vector, len(a))
	for j := range a {
		out[j] = a[j] + b[j]
	}
	return out
}

// tone is e^(2 pi i k j / d) / sqrt(d), the pure frequency k, of energy 1.
func tone(d, k int) Vector {
	v := make(Vector, d)
	for j := range v {
		v[j] = cmplx.Rect(1/math.Sqrt(float64(d)), 2*math.Pi*float64(j*k%d)/float64(d))
	}
	return v
}

// delta is 1 at j.
func delta(d, j int) Vector {
	v := make(Vector, d)
	v[j] = 1
	return v
}
