package engine

import "math"

// latencies is a histogram of latencies in milliseconds: 16 buckets for each octave from 1/8 ms to 17 minutes, so none
// is wider than a sixteenth of what it holds. What lies beyond is counted in the first or the last. It takes 2,944
// bytes, however much it counts.
type latencies [octaves * perOctave]float64

const (
	octaves     = 23
	perOctave   = 16
	firstOctave = -3 // of 2^-3 ms
)

// bucket returns where ms is counted. What is no number, or negative, is counted as the shortest latency: a clock that
// was set back must not make a service look slow.
func bucket(ms float64) int {
	if !(ms > 0) {
		return 0
	}
	// A float64 has its octave in the exponent and its place in the octave in the bits below.
	bits := math.Float64bits(ms)
	octave := int(bits>>52) - 1023 - firstOctave
	return max(0, min(len(latencies{})-1, octave*perOctave+int(bits>>48&(perOctave-1))))
}

// middle returns the latency in the middle of bucket i: less than 1/32 of it away from whatever was counted there.
func middle(i int) float64 {
	lower := 1 + float64(i%perOctave)/perOctave
	return math.Ldexp(lower+1./(2*perOctave), i/perOctave+firstOctave)
}

// scale multiplies every count by factor.
func (l *latencies) scale(factor float64) {
	for i := range l {
		l[i] *= factor
	}
}

// quantiles returns for each of shares, which ascend in (0, 1], the latency that this share of what is counted does not
// exceed (nearest rank); 0 if nothing is counted.
func (l *latencies) quantiles(shares [3]float64) (out [3]float64) {
	var total float64
	for _, n := range l {
		total += n
	}
	if total == 0 {
		return out
	}
	var sum float64
	next := 0
	for i, n := range l {
		// In the end sum is total to the bit, as both are added in the same order.
		for sum += n; next < len(shares) && sum >= shares[next]*total; next++ {
			out[next] = middle(i)
		}
	}
	return out
}
