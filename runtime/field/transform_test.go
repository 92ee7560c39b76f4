package field

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"sync"
	"testing"
)

// awkward are the dimensions at which transforms go wrong: one, two, primes, powers, the largest, and the largest prime
// below it.
var awkward = []int{1, 2, 3, 4, 5, 7, 8, 31, 36, 37, 64, 74, 97, 100, 127, 128, 1000, 1009, 2048, 4093, 4095, 4096}

func TestSpectrumOfADeltaIsAToneAndOfAToneADelta(t *testing.T) {
	for _, d := range awkward {
		f := transform(t, d)
		for _, k := range []int{0, 1 % d, d / 3, d / 2, d - 1} {
			sameVector(t, "F delta", f.Forward(delta(d, k)), tone(d, (d-k)%d), 1e-12)
			sameVector(t, "F tone", f.Forward(tone(d, k)), delta(d, k), 1e-12)
			sameVector(t, "F^-1 delta", f.Inverse(delta(d, k)), tone(d, k), 1e-12)
		}
	}
}

func TestSpectrumOfAConstantStandsAtZero(t *testing.T) {
	for _, d := range awkward {
		v := make(Vector, d)
		for j := range v {
			v[j] = 2 - 3i
		}
		want := make(Vector, d)
		want[0] = complex(2*math.Sqrt(float64(d)), -3*math.Sqrt(float64(d)))
		sameVector(t, "F constant", transform(t, d).Forward(v), want, 1e-10)
	}
}

func TestTransformIsTheSumThatDefinesIt(t *testing.T) {
	property(t, func(t *testing.T, r *rand.Rand) {
		d := 1 + r.IntN(90)
		v := lively(r, d)
		want := make(Vector, d)
		for k := range want {
			for j := range v {
				want[k] += v[j] * cmplx.Rect(1/math.Sqrt(float64(d)), -2*math.Pi*float64(j*k%d)/float64(d))
			}
		}
		sameVector(t, "F v", transform(t, d).Forward(v), want, 1e-12*v.Norm())
	})
}

func TestTransformKeepsEnergyAndInnerProducts(t *testing.T) {
	property(t, func(t *testing.T, r *rand.Rand) {
		d := dimension(r)
		f, a, b := transform(t, d), vector(r, d), vector(r, d)
		fa, fb := f.Forward(a), f.Forward(b)
		if math.Abs(fa.Energy()-a.Energy()) > 1e-12*a.Energy() {
			t.Errorf("dimension %d: energy %v became %v (Parseval)", d, a.Energy(), fa.Energy())
		}
		if cmplx.Abs(Inner(fa, fb)-Inner(a, b)) > 1e-12*a.Norm()*b.Norm() {
			t.Errorf("dimension %d: <a, b> is %v, <F a, F b> is %v (Plancherel)", d, Inner(a, b), Inner(fa, fb))
		}
		sameVector(t, "F^-1 F v", f.Inverse(fa), a, 1e-12*a.Norm())
		sameVector(t, "F F^-1 v", f.Forward(f.Inverse(a)), a, 1e-12*a.Norm())
	})
}

func TestTransformGivesTheSameBitsEveryTime(t *testing.T) {
	for _, d := range []int{64, 97, 1000, 1021} {
		v := lively(rand.New(rand.NewPCG(1, 1)), d)
		want := transform(t, d).Forward(v)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				f, err := NewTransform(d)
				if err != nil {
					t.Error(err)
					return
				}
				for range 3 {
					for k, c := range f.Forward(v) {
						if c != want[k] {
							t.Errorf("dimension %d: component %d is %v, was %v", d, k, c, want[k])
							return
						}
					}
				}
			})
		}
		all.Wait()
	}
}

func TestTransformOfNoDimensionIsRefused(t *testing.T) {
	for _, d := range []int{-1, 0, MaxDimension + 1} {
		if _, err := NewTransform(d); err == nil {
			t.Errorf("a transform of dimension %d was made", d)
		}
	}
}

// The largest dimensions, a power of two and a prime: 0.2 and 0.7 ms; gonum's own plan of the prime takes 29 ms.
func BenchmarkTransform(b *testing.B) {
	for name, d := range map[string]int{"d=4096": 4096, "d=4093": 4093} {
		b.Run(name, func(b *testing.B) {
			f, v := transform(b, d), lively(rand.New(rand.NewPCG(1, 1)), d)
			b.ReportAllocs()
			for b.Loop() {
				f.Forward(v)
			}
		})
	}
}
