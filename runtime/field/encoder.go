package field

import (
	"fmt"
	"math"
)

// Encoder is E(w) = F^-1(M . F(H w)) with H and M diagonal and of magnitude 1: one turns every sample of a field by a phase
// of its own, the other every frequency (P. Refregier and B. Javidi, Optical image encryption based on input plane and
// Fourier plane random encoding, 1995). Turning by a phase, F and F^-1 each keep the energy, so E does: | ||E w||^2 -
// ||w||^2 | <= 1e-12 ||w||^2 (INV-0001). It uses t and is, like it, not safe for concurrent use.
type Encoder struct {
	t    *Transform
	h, m []complex128
}

// NewEncoder returns the encoder that turns sample j by h[j] and frequency k by m[k], in radians. It fails where there
// are not as many phases as t has dimensions, and on phases that are not finite.
func NewEncoder(t *Transform, h, m []float64) (*Encoder, error) {
	e := &Encoder{t: t}
	var err error
	if e.h, err = turns("h", h, t.d); err != nil {
		return nil, err
	}
	if e.m, err = turns("m", m, t.d); err != nil {
		return nil, err
	}
	return e, nil
}

func turns(name string, phases []float64, d int) ([]complex128, error) {
	if len(phases) != d {
		return nil, fmt.Errorf("%s: %d phases for dimension %d", name, len(phases), d)
	}
	out := make([]complex128, d)
	for j, phase := range phases {
		if phase-phase != 0 {
			return nil, fmt.Errorf("%s[%d]: the phase is %v, not a finite number", name, j, phase)
		}
		sin, cos := math.Sincos(phase)
		out[j] = complex(cos, sin)
	}
	return out, nil
}

// Encode returns E w.
func (e *Encoder) Encode(w Vector) Vector {
	return e.t.Inverse(turn(e.t.Forward(turn(w, e.h)), e.m))
}

// Decode returns the w that Encode made v of: E^-1 v = E^H v.
func (e *Encoder) Decode(v Vector) Vector {
	return turnBack(e.t.Inverse(turnBack(e.t.Forward(v), e.m)), e.h)
}

func turn(v Vector, by []complex128) Vector {
	mustBe(len(v), len(by))
	out := make(Vector, len(v))
	for j, c := range v {
		out[j] = times(c, by[j])
	}
	return out
}

func turnBack(v Vector, by []complex128) Vector {
	mustBe(len(v), len(by))
	out := make(Vector, len(v))
	for j, c := range v {
		out[j] = times(c, conj(by[j]))
	}
	return out
}
