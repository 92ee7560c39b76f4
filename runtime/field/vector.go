package field

import (
	"fmt"
	"math"
)

// MaxDimension is the largest dimension of a field.
const MaxDimension = 4096

// MaxEnergy is the largest energy of a field. It leaves room for every sum and product that is made of two fields.
const MaxEnergy = 1e300

// Vector is a field: 1 to MaxDimension finite components, of an energy of at most MaxEnergy. New makes vectors that keep
// this.
type Vector []complex128

// New returns the field with the real parts re and the imaginary parts im; no imaginary parts: a real field. It fails on
// what is no field and names the place: name, and the component that is wrong, such as "intent[3]".
func New(name string, re, im []float64) (Vector, error) {
	if len(re) == 0 || len(re) > MaxDimension {
		return nil, fmt.Errorf("%s: dimension %d, a field has 1 to %d components", name, len(re), MaxDimension)
	}
	if len(im) != 0 && len(im) != len(re) {
		return nil, fmt.Errorf("%s: %d real but %d imaginary parts", name, len(re), len(im))
	}
	v := make(Vector, len(re))
	if err := Finite(name, re); err != nil {
		return nil, err
	}
	if err := Finite(name, im); err != nil {
		return nil, err
	}
	for j, part := range re {
		v[j] = complex(part, 0)
	}
	for j, part := range im {
		v[j] = complex(re[j], part)
	}
	if !(v.Energy() <= MaxEnergy) {
		return nil, fmt.Errorf("%s: its energy is above %g", name, MaxEnergy)
	}
	return v, nil
}

// Finite fails on the first of numbers that is NaN or infinite, and names its place: name[3].
func Finite(name string, numbers []float64) error {
	for j, n := range numbers {
		// n-n is 0 for every finite n, NaN for all else.
		if n-n != 0 {
			return fmt.Errorf("%s[%d]: %v is not a finite number", name, j, n)
		}
	}
	return nil
}

// Of checks that v, which is called name, has the dimension d of the field that is called whole.
func (v Vector) Of(name string, d int, whole string) error {
	if len(v) != d {
		return fmt.Errorf("%s: dimension %d, but that of %s is %d", name, len(v), whole, d)
	}
	return nil
}

// Energy returns ||v||^2.
func (v Vector) Energy() float64 {
	var sum float64
	for _, c := range v {
		sum += energy(c)
	}
	return sum
}

// Norm returns ||v||.
func (v Vector) Norm() float64 { return root(v.Energy()) }

// Inner returns <a, b>.
func Inner(a, b Vector) complex128 {
	mustBe(len(b), len(a))
	var re, im float64
	for j, x := range a {
		y := b[j]
		re += float64(real(x)*real(y)) + float64(imag(x)*imag(y))
		im += float64(real(x)*imag(y)) - float64(imag(x)*real(y))
	}
	return complex(re, im)
}

// Correlation returns the real part of <a, b> / (||a|| ||b||), in [-1, 1]: 1 where b is a positive multiple of a, -1
// where it is a negative one, 0 where one is a quarter turn of the other, has nothing in common with it, or is zero.
func Correlation(a, b Vector) float64 { return a.Direction().Correlation(b.Direction()) }

// Direction is a field brought to length 1, or a zero field, which has none: what is compared with many others is
// measured once.
type Direction struct{ unit Vector }

// Direction returns v / ||v||.
func (v Vector) Direction() Direction {
	out, length := make(Vector, len(v)), v.Norm()
	if length > 0 {
		for j, c := range v {
			out[j] = over(c, length)
		}
	}
	return Direction{out}
}

// Vector returns the field of length 1, or zero. It is d's own.
func (d Direction) Vector() Vector { return d.unit }

// Dimension returns the dimension of the field that d is the direction of.
func (d Direction) Dimension() int { return len(d.unit) }

// Correlation returns the correlation of the fields that d and o are the directions of.
func (d Direction) Correlation(o Direction) float64 {
	return max(-1, min(1, real(Inner(d.unit, o.unit))))
}

// MatchedFilter returns ||E^H v||^2 for the matrix E whose one column is d, and the v whose direction o is, brought to
// energy 1: which share of its energy v has along d, in [0, 1], turned by whatever phase. It is I in its other definition.
func (d Direction) MatchedFilter(o Direction) float64 { return min(1, energy(Inner(d.unit, o.unit))) }

// energy returns |c|^2.
func energy(c complex128) float64 { return float64(real(c)*real(c)) + float64(imag(c)*imag(c)) }

// times returns a b.
func times(a, b complex128) complex128 {
	return complex(float64(real(a)*real(b))-float64(imag(a)*imag(b)), float64(real(a)*imag(b))+float64(imag(a)*real(b)))
}

func root(n float64) float64 { return math.Sqrt(n) }

// over returns c / n.
func over(c complex128, n float64) complex128 { return complex(real(c)/n, imag(c)/n) }

func conj(c complex128) complex128 { return complex(real(c), -imag(c)) }

func mustBe(d, wanted int) {
	if d != wanted {
		panic(fmt.Sprintf("field: a vector of dimension %d where one of %d belongs", d, wanted))
	}
}
