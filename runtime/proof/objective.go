package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
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

// Score returns the objective's value for terms, each in [0, 1]: the weighted sum, added in the order of the calculus.
// It fails on a term that is missing, unknown, or outside [0, 1], NaN included.
func Score(terms map[string]float64) (float64, error) {
	if len(terms) != len(objective) {
		return 0, fmt.Errorf("objective has %d terms, not %d", len(objective), len(terms))
	}
	var sum float64
	for _, w := range objective {
		t, ok := terms[w.term]
		if !ok {
			return 0, fmt.Errorf("objective lacks the term %q", w.term)
		}
		if !(t >= 0 && t <= 1) {
			return 0, fmt.Errorf("term %q is %v, outside [0, 1]", w.term, t)
		}
		// The conversion keeps compilers from fusing multiplication and addition, which would give other bits on
		// other processors.
		sum += float64(w.value * t)
	}
	return sum, nil
}

// Rank sorts candidates, best first: by score, ties by sha256(seed as 8 bytes big-endian, service_id), so that the
// winner of a tie depends on the seed and not on names or the order of registration.
func Rank(candidates []*caiov1.Candidate, seed uint64) {
	slices.SortFunc(candidates, func(a, b *caiov1.Candidate) int {
		return compare(a.GetScore(), a.GetServiceId(), b.GetScore(), b.GetServiceId(), seed)
	})
}

func compare(scoreA float64, a string, scoreB float64, b string, seed uint64) int {
	if scoreA != scoreB {
		if scoreA > scoreB {
			return -1
		}
		return 1
	}
	ka, kb := tieBreak(seed, a), tieBreak(seed, b)
	return strings.Compare(string(ka[:]), string(kb[:]))
}

func tieBreak(seed uint64, service string) [sha256.Size]byte {
	buf := make([]byte, 8, 8+len(service))
	binary.BigEndian.PutUint64(buf, seed)
	return sha256.Sum256(append(buf, service...))
}

// Optimum proves that the first of ranked, already sorted by Rank, is the best of those that may serve.
func Optimum(ranked []*caiov1.Candidate, seed uint64) *caiov1.Proof {
	scored := make([]*structpb.Value, len(ranked))
	order := make([]string, len(ranked))
	for i, c := range ranked {
		terms := make(fields, len(c.GetTerms()))
		for name, t := range c.GetTerms() {
			terms[name] = number(t)
		}
		scored[i] = object(fields{"service_id": text(c.GetServiceId()), "score": number(c.GetScore()), "terms": object(terms)})
		order[i] = c.GetServiceId()
	}
	return prove(Optimization, order[0], fields{
		"objective": text(Objective),
		"seed":      text(strconv.FormatUint(seed, 10)), // a JSON number could not hold it
		"scored":    list(scored),
		"ranking":   texts(order),
	})
}

func ranked(e evidence) (bool, error) {
	form, err := e.string("objective")
	if err != nil {
		return false, err
	}
	if form != Objective {
		return false, fmt.Errorf("unknown objective %q", form)
	}
	digits, err := e.string("seed")
	if err != nil {
		return false, err
	}
	seed, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return false, fmt.Errorf("seed: %w", err)
	}
	scored, err := e.list("scored")
	if err != nil {
		return false, err
	}
	ranking, err := e.strings("ranking")
	if err != nil {
		return false, err
	}
	candidates := make([]*caiov1.Candidate, len(scored))
	for i, v := range scored {
		c, ok, err := rescore(v)
		if err != nil || !ok {
			return false, err
		}
		candidates[i] = c
	}
	Rank(candidates, seed)
	same := slices.EqualFunc(candidates, ranking, func(c *caiov1.Candidate, id string) bool { return c.GetServiceId() == id })
	return same && len(ranking) > 0, nil
}

// rescore reads one scored candidate and tells whether its score is that of its terms.
func rescore(v *structpb.Value) (*caiov1.Candidate, bool, error) {
	e, err := asObject("scored", v)
	if err != nil {
		return nil, false, err
	}
	id, err := e.string("service_id")
	if err != nil {
		return nil, false, err
	}
	claimed, err := e.number("score")
	if err != nil {
		return nil, false, err
	}
	object, err := e.object("terms")
	if err != nil {
		return nil, false, err
	}
	terms := make(map[string]float64, len(object))
	for name := range object {
		if terms[name], err = object.number(name); err != nil {
			return nil, false, err
		}
	}
	score, err := Score(terms)
	if err != nil {
		return nil, false, err
	}
	return &caiov1.Candidate{ServiceId: id, Score: &score}, score == claimed, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
