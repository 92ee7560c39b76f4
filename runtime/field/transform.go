package field

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Transform is the unitary Fourier transform of one dimension, F and its inverse: F x = sum of x_j e^(-2 pi i jk/D) /
// sqrt(D). It takes D log D steps for every D. It has scratch space and is not safe for concurrent use; making one costs
// about as much as using it once.
type Transform struct {
	plan  *fourier.CmplxFFT
	chirp *chirp // instead of plan, where the dimension has a large prime factor
	d     int
	scale float64 // sqrt(D)
}

// NewTransform returns the transform of dimension d, 1 to MaxDimension.
func NewTransform(d int) (*Transform, error) {
	if d < 1 || d > MaxDimension {
		return nil, fmt.Errorf("transform of dimension %d: a field has 1 to %d components", d, MaxDimension)
	}
	t := &Transform{d: d, scale: math.Sqrt(float64(d))}
	if smooth(d) {
		t.plan = fourier.NewCmplxFFT(d)
	} else {
		t.chirp = newChirp(d)
	}
	return t, nil
}

// smooth tells whether the plan of d is fast. A plan takes p times d steps for each prime factor p of d: 29 ms for the
// prime 4093, 0.2 ms for 4096. Who may choose d must not choose the time.
func smooth(d int) bool {
	const largest = 31
	for p := 2; p <= largest; p++ {
		for d%p == 0 {
			d /= p
		}
	}
	return d == 1
}

// Dimension returns the dimension of the vectors that t transforms.
func (t *Transform) Dimension() int { return t.d }

// Forward returns F v, the spectrum of v, a new vector.
func (t *Transform) Forward(v Vector) Vector {
	mustBe(len(v), t.d)
	out := make(Vector, len(v))
	if t.chirp != nil {
		t.chirp.forward(out, v)
	} else {
		t.plan.Coefficients(out, v)
	}
	for k, c := range out {
		out[k] = over(c, t.scale)
	}
	return out
}

// Inverse returns F^-1 v, the field whose spectrum is v, a new vector.
func (t *Transform) Inverse(v Vector) Vector {
	// F^-1 is F between two conjugations, which costs nothing and leaves one way to be right.
	turned := make(Vector, len(v))
	for k, c := range v {
		turned[k] = conj(c)
	}
	out := t.Forward(turned)
	for j, c := range out {
		out[j] = conj(c)
	}
	return out
}
