package proof

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
)

// A Form is one of the two forms of the objective (SPEC section 1). They have as many terms and the same coefficients.
type Form byte

const (
	// ByContract counts what contracts promise: the form without field state. The zero Form.
	ByContract Form = iota
	// ByField counts how services agree with an intent that is given as a field.
	ByField
)

// A weight is one term of the objective, how much it counts, and what it may be.
type weight struct {
	term, greek string
	value       float64
	least, most float64
}

// objective is the calculus of SPEC section 1 in both forms, in the order in which terms are added. It is part of the
// release: changing a number here changes every decision.
var objective = [...]struct {
	name    string
	weights [7]weight
	byName  [7]int // the weights sorted by the names of their terms
}{
	ByContract: {"contract", [...]weight{
		{"guarantee", "alpha", .3, 0, 1},
		{"cost_score", "beta", .2, 0, 1},
		{"performance", "gamma", .2, 0, 1},
		{"reliability", "delta", .1, 0, 1},
		{"cost", "lambda", -.1, 0, 1},
		{"risk", "rho", -.05, 0, 1},
		{"latency", "eta", -.05, 0, 1},
	}, [...]int{4, 1, 0, 6, 2, 3, 5}},
	ByField: {"field", [...]weight{
		{"intent", "alpha", .3, 0, 1},      // I, of the intent brought to energy 1
		{"capability", "beta", .2, -1, 1},  // A
		{"model", "gamma", .2, -1, 1},      // RL
		{"memory", "delta", .1, -1, maxDB}, // W, a correlation or in dB
		{"cost", "lambda", -.1, 0, 1},
		{"risk", "rho", -.05, 0, 1},
		{"latency", "eta", -.05, 0, 1},
	}, [...]int{1, 4, 0, 6, 3, 2, 5}},
}

// maxDB is the largest quality of a resonance; runtime/field gives no larger one.
const maxDB = 300

// FormOf returns the form of that name, as a decision's objective has it. It fails on a name there is not.
func FormOf(name string) (Form, error) {
	for f := range objective {
		if objective[f].name == name {
			return Form(f), nil
		}
	}
	return 0, fmt.Errorf("unknown objective %q", name)
}

// String returns the form's name, "contract" or "field".
func (f Form) String() string { return objective[f].name }

// Coefficients returns the weights of the objective by their names in the calculus, all positive; cost, risk and
// latency count against a candidate. They are those of both forms. The map is the caller's.
func Coefficients() map[string]float64 {
	out := make(map[string]float64)
	for _, w := range objective[ByContract].weights {
		out[w.greek] = math.Abs(w.value)
	}
	return out
}

// Digest names the form and its coefficients, sha256 in hex: what a decision's configuration is.
func (f Form) Digest() string {
	h := sha256.New()
	fmt.Fprintln(h, f)
	for _, w := range objective[f].weights {
		fmt.Fprintf(h, "%s %g\n", w.greek, w.value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Terms are the values of the objective's terms in the order of the calculus. By contract, each in [0, 1]: guarantee,
// cost_score, performance, reliability, cost, risk, latency. By field: intent in [0, 1], capability and model in [-1, 1],
// memory in [-1, 300], cost, risk, latency as before.
type Terms [7]float64

// Score returns the objective's value for t: the weighted sum, added in the order of the calculus. It fails on a term
// out of its range, NaN included.
func (f Form) Score(t *Terms) (float64, error) {
	var sum float64
	for i := range objective[f].weights {
		w := &objective[f].weights[i]
		if !(t[i] >= w.least && t[i] <= w.most) {
			return 0, fmt.Errorf("term %q is %v, outside [%g, %g]", w.term, t[i], w.least, w.most)
		}
		// The conversion keeps compilers from fusing multiplication and addition, which would give other bits on
		// other processors.
		sum += float64(w.value * t[i])
	}
	return sum, nil
}

// Map returns t by name, as a candidate shows it.
func (f Form) Map(t *Terms) map[string]float64 {
	out := make(map[string]float64, len(t))
	for i, w := range objective[f].weights {
		out[w.term] = t[i]
	}
	return out
}

// Terms is the inverse of Map. It fails where a term is missing or there is one too many.
func (f Form) Terms(named map[string]float64) (t Terms, err error) {
	for i, w := range objective[f].weights {
		value, ok := named[w.term]
		if !ok {
			return t, fmt.Errorf("there is no term %q", w.term)
		}
		t[i] = value
	}
	if len(named) != len(t) {
		return t, fmt.Errorf("there are %d terms, the objective has %d", len(named), len(t))
	}
	return t, nil
}

// Write writes t as a map from the terms' names, the field of that number.
func (f Form) Write(t *Terms, w *wire.Writer, field int) {
	form := &objective[f]
	for i := len(form.byName) - 1; i >= 0; i-- {
		term := form.byName[i]
		w.DoubleEntry(field, form.weights[term].term, t[term])
	}
}

// A Scored is a candidate as the objective sees it.
type Scored struct {
	Service string
	Score   float64
	Terms   *Terms // not nil; shared
	Form    Form   // what the terms are; all that are ranked have the same
	draw    uint64 // of a tie; set by Rank
}

// Rank sorts candidates, best first: by score, ties by sha256(seed as 8 bytes big-endian, service_id), so that the
// winner of a tie depends on the seed and not on names or the order of registration.
func Rank(candidates []Scored, seed uint64) {
	slices.SortFunc(candidates, func(a, b Scored) int { return cmp.Compare(b.Score, a.Score) })
	for from := 0; from < len(candidates); {
		to := from + 1
		for to < len(candidates) && candidates[to].Score == candidates[from].Score {
			to++
		}
		if tied := candidates[from:to]; len(tied) > 1 {
			for i := range tied {
				tied[i].draw = draw(seed, tied[i].Service)
			}
			slices.SortFunc(tied, func(a, b Scored) int { return compareDrawn(a.draw, a.Service, b.draw, b.Service, seed) })
		}
		from = to
	}
}

// compareDrawn compares two of equal score by what they drew.
func compareDrawn(drawA uint64, a string, drawB uint64, b string, seed uint64) int {
	if drawA != drawB {
		return cmp.Compare(drawA, drawB)
	}
	ka, kb := tieBreak(seed, a), tieBreak(seed, b)
	return bytes.Compare(ka[:], kb[:])
}

// draw returns the beginning of the tie-break, which nearly always decides.
func draw(seed uint64, service string) uint64 {
	key := tieBreak(seed, service)
	return binary.BigEndian.Uint64(key[:])
}

func tieBreak(seed uint64, service string) [sha256.Size]byte {
	var few [128]byte // a service_id has 64 bytes at most
	buf := binary.BigEndian.AppendUint64(few[:0], seed)
	return sha256.Sum256(append(buf, service...))
}
