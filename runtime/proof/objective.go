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

// Objective names the form of the objective that is used without field state.
const Objective = "contract"

// A weight is one term of the objective and how much it counts.
type weight struct {
	term, greek string
	value       float64
}

// objective is the calculus of SPEC section 1 without field state, in the order in which terms are added. It is part
// of the release: changing a number here changes every decision.
var objective = [...]weight{
	{"guarantee", "alpha", .3},
	{"cost_score", "beta", .2},
	{"performance", "gamma", .2},
	{"reliability", "delta", .1},
	{"cost", "lambda", -.1},
	{"risk", "rho", -.05},
	{"latency", "eta", -.05},
}

// Coefficients returns the weights of the objective by their names in the calculus, all positive; cost, risk and
// latency count against a candidate. The map is the caller's.
func Coefficients() map[string]float64 {
	out := make(map[string]float64, len(objective))
	for _, w := range objective {
		out[w.greek] = math.Abs(w.value)
	}
	return out
}

// ObjectiveDigest names the objective and its coefficients, sha256 in hex: what a decision's configuration is.
func ObjectiveDigest() string {
	h := sha256.New()
	fmt.Fprintln(h, Objective)
	for _, w := range objective {
		fmt.Fprintf(h, "%s %g\n", w.greek, w.value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Terms are the values of the objective's terms, each in [0, 1], in the order of the calculus: guarantee, cost_score,
// performance, reliability, cost, risk, latency.
type Terms [len(objective)]float64

// byName lists the terms sorted by their names.
var byName = [...]int{4, 1, 0, 6, 2, 3, 5}

// Score returns the objective's value for t: the weighted sum, added in the order of the calculus. It fails on a term
// outside [0, 1], NaN included.
func (t *Terms) Score() (float64, error) {
	var sum float64
	for i := range objective {
		if !(t[i] >= 0 && t[i] <= 1) {
			return 0, fmt.Errorf("term %q is %v, outside [0, 1]", objective[i].term, t[i])
		}
		// The conversion keeps compilers from fusing multiplication and addition, which would give other bits on
		// other processors.
		sum += float64(objective[i].value * t[i])
	}
	return sum, nil
}

// Map returns t by name, as a candidate shows it.
func (t *Terms) Map() map[string]float64 {
	out := make(map[string]float64, len(t))
	for i := range objective {
		out[objective[i].term] = t[i]
	}
	return out
}

// Write writes t as a map from the terms' names, the field of that number.
func (t *Terms) Write(w *wire.Writer, field int) {
	for i := len(byName) - 1; i >= 0; i-- {
		mark := w.Len()
		w.PresentDouble(2, t[byName[i]])
		w.PresentString(1, objective[byName[i]].term)
		w.Message(field, mark)
	}
}

// A Scored is a candidate as the objective sees it.
type Scored struct {
	Service string
	Score   float64
	Terms   *Terms // not nil; shared
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
