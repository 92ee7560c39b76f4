package field

import "math"

// Bounds of the metrics of a memory (SPEC section 8).
const (
	MinQuality      = 6    // dB, INV-0003
	MaxInterference = 0.15 // INV-0005
	MinMargin       = 1.3  // INV-0010
)

// MaxQuality is the largest quality, in dB: what lies further below a peak is the noise of float64.
const MaxQuality = 300

// Response returns how well a memory, shifted back by j, fits a query, for each j: the cross-correlation F^-1(conj(F query)
// F memory), scaled so that component 0 is <query, memory> / (||query|| ||memory||) and no component is longer than 1. It
// is zero where one of the two is.
func (t *Transform) Response(query, memory Vector) Vector {
	q, m := query.Norm(), memory.Norm()
	if q == 0 || m == 0 {
		mustBe(len(query), t.d)
		return make(Vector, t.d)
	}
	spectrum, other := t.Forward(query), t.Forward(memory)
	for k := range spectrum {
		// Each is brought to length 1 before they are multiplied: energies of 1e300 have a product, their squares have none.
		spectrum[k] = times(over(conj(spectrum[k]), q), over(other[k], m))
	}
	out := t.Inverse(spectrum)
	for j, c := range out {
		out[j] = complex(real(c)*t.scale, imag(c)*t.scale)
	}
	return out
}

// Quality returns Q = 20 log10(peak/background) in dB: how far the largest of the magnitudes in v stands out of the mean
// of the others. It is at least 0 and at most MaxQuality; 0 for a zero field and for one component, which has nothing to
// stand out of.
func Quality(v Vector) float64 {
	var peak, sum float64
	for _, c := range v {
		magnitude := root(energy(c))
		sum += magnitude
		peak = max(peak, magnitude)
	}
	if peak == 0 || len(v) == 1 {
		return 0
	}
	background := max(0, sum-peak) / float64(len(v)-1)
	if background <= peak*1e-15 {
		return MaxQuality
	}
	return max(0, 20*math.Log10(peak/background))
}

// Interference returns eta = destructive / total energy, in [0, 1]: which share of the energy of the fields is lost where
// they are laid over one another. Destructive is, summed over the components, how much less energy the sum has than the
// parts. 0 for fields that never meet or only add up, 1 for a field and its negative; 0 where there is no energy.
func Interference(fields ...Vector) float64 {
	var total, destructive float64
	if len(fields) == 0 {
		return 0
	}
	for j := range fields[0] {
		var parts float64
		var whole complex128
		for _, f := range fields {
			mustBe(len(f), len(fields[0]))
			parts += energy(f[j])
			whole += f[j]
		}
		total += parts
		destructive += max(0, parts-energy(whole))
	}
	if total == 0 {
		return 0
	}
	return min(1, destructive/total)
}

// Metrics are what a memory (RFS) is held to.
type Metrics struct {
	Quality      float64 // resonance: of the memory's response to the query, in dB, 0 to MaxQuality
	Interference float64 // eta of query and memory, in [0, 1]
	Load         float64 // energy in use, >= 0
	Room         float64 // energy that there may be, >= 0; 0: not stated, and margin is not judged
}

// Measure returns the metrics of a memory asked by query, at the given load and room.
func (t *Transform) Measure(query, memory Vector, load, room float64) Metrics {
	return Metrics{
		Quality: Quality(t.Response(query, memory)), Interference: Interference(query, memory), Load: load, Room: room,
	}
}

// Recall returns 1 - eta, in [0, 1].
func (m Metrics) Recall() float64 { return 1 - m.Interference }

// Utilization returns load / room; 0 where no room is stated.
func (m Metrics) Utilization() float64 {
	if m.Room == 0 {
		return 0
	}
	return min(m.Load/m.Room, math.MaxFloat64)
}

// Below names the metrics that miss their bound, in the order "quality", "recall", "margin"; nil: none does.
func (m Metrics) Below() []string {
	var out []string
	if !(m.Quality >= MinQuality) {
		out = append(out, "quality")
	}
	if !(m.Interference <= MaxInterference) {
		out = append(out, "recall")
	}
	if m.Room > 0 && !(m.Room >= float64(MinMargin*m.Load)) {
		out = append(out, "margin")
	}
	return out
}
