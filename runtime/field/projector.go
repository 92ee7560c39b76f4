package field

import "fmt"

// Mask says which components of a spectrum are kept, one entry each. High and Low make the two masks of a cutoff; any
// other is as good.
type Mask []bool

// High returns the mask of dimension d that keeps the frequencies with |omega| > cutoff. The cutoff is in [0, 1/2] cycles
// per sample: at 0 everything but the constant is high, at 1/2 nothing is.
func High(d int, cutoff float64) (Mask, error) {
	if d < 1 || d > MaxDimension {
		return nil, fmt.Errorf("mask of dimension %d: a field has 1 to %d components", d, MaxDimension)
	}
	if !(cutoff >= 0 && cutoff <= .5) {
		return nil, fmt.Errorf("cutoff: %v is not in [0, 0.5] cycles per sample", cutoff)
	}
	m := make(Mask, d)
	for k := range m {
		m[k] = float64(min(k, d-k))/float64(d) > cutoff
	}
	return m, nil
}

// Low returns the mask of what High leaves out.
func Low(d int, cutoff float64) (Mask, error) {
	high, err := High(d, cutoff)
	if err != nil {
		return nil, err
	}
	return high.Not(), nil
}

// Not returns the mask that keeps what m does not.
func (m Mask) Not() Mask {
	out := make(Mask, len(m))
	for k, kept := range m {
		out[k] = !kept
	}
	return out
}

// Project returns P v = F^-1 M F v: what v has in the frequencies that m keeps. P is idempotent and self-adjoint, and
// the projections by m and by m.Not() add up to v. The energy of the projection is I where v is an intent and m high.
func (t *Transform) Project(v Vector, m Mask) Vector {
	mustBe(len(m), t.d)
	spectrum := t.Forward(v)
	for k, kept := range m {
		if !kept {
			spectrum[k] = 0
		}
	}
	return t.Inverse(spectrum)
}

// Conductivity returns kappa = ||P v|| / ||v||, in [0, 1]: which share of the length of whole is that of its projection. 0
// for a zero field.
func Conductivity(projected, whole Vector) float64 {
	length := whole.Norm()
	if length == 0 {
		return 0
	}
	return min(1, projected.Norm()/length)
}
