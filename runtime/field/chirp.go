package field

import (
	"math"

	"gonum.org/v1/gonum/dsp/fourier"
)

// A chirp transforms a dimension d with large prime factors as a convolution of a length that has none (L. I. Bluestein,
// A linear filtering approach to the computation of discrete Fourier transform, 1970): since 2jk = j^2 + k^2 - (k-j)^2,
// the sum over x_j e^(-2 pi i jk/d) is w_k times the convolution of x_j w_j with conj(w), where w_j = e^(-pi i j^2/d).
type chirp struct {
	plan   *fourier.CmplxFFT // of the convolution's length, a power of two >= 2d - 1
	w      []complex128      // d chirp factors
	kernel []complex128      // the transform of conj(w), divided by the plan's length
	buf    []complex128
	spare  []complex128
}

func newChirp(d int) *chirp {
	length := 1
	for length < 2*d-1 {
		length *= 2
	}
	c := &chirp{
		plan: fourier.NewCmplxFFT(length), w: make([]complex128, d),
		kernel: make([]complex128, length), buf: make([]complex128, length), spare: make([]complex128, length),
	}
	for j := range c.w {
		// j^2 is reduced while it is a whole number: the angle is then as exact for a large j as for a small one.
		sin, cos := math.Sincos(-math.Pi * float64(j*j%(2*d)) / float64(d))
		c.w[j] = complex(cos, sin)
		c.buf[j] = conj(c.w[j])
		if j > 0 {
			c.buf[length-j] = c.buf[j]
		}
	}
	c.plan.Coefficients(c.kernel, c.buf)
	for k, x := range c.kernel {
		c.kernel[k] = over(x, float64(length))
	}
	return c
}

// forward writes the transform of v, not yet scaled, to out; both of length d.
func (c *chirp) forward(out, v []complex128) {
	clear(c.buf)
	for j, x := range v {
		c.buf[j] = times(x, c.w[j])
	}
	c.plan.Coefficients(c.spare, c.buf)
	for k, x := range c.spare {
		c.spare[k] = times(x, c.kernel[k])
	}
	c.plan.Sequence(c.buf, c.spare)
	for k := range out {
		out[k] = times(c.buf[k], c.w[k])
	}
}
