package proof

import (
	"fmt"
	"strconv"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Optimum proves that the first of ranked, which Rank has sorted and which is not empty, is the best of those that may
// serve.
func Optimum(ranked []Scored, seed uint64) *caiov1.Proof {
	return message(func(w *Writer) { w.Optimum(ranked, seed) })
}

// Optimum writes the proof that the first of ranked is the best. Scores and each of the terms are a list along the
// ranking: as an object for each candidate, the proof would be most of what a decision among a thousand says.
func (w *Writer) Optimum(ranked []Scored, seed uint64) {
	put(w, Optimization, optimum{service: ranked[0].Service, form: ranked[0].Form, seed: seed, ranked: ranked})
}

type optimum struct {
	service string
	form    Form
	seed    uint64
	ranked  []Scored
}

func (e optimum) about() string { return e.service }

func (e optimum) holds() (bool, error) {
	if len(e.ranked) == 0 || e.ranked[0].Service != e.service {
		return false, nil
	}
	for i := range e.ranked {
		score, err := e.form.Score(e.ranked[i].Terms)
		if err != nil {
			return false, err
		}
		if score != e.ranked[i].Score || i > 0 && !before(&e.ranked[i-1], &e.ranked[i], e.seed) {
			return false, nil
		}
	}
	return true, nil
}

// before tells whether a stands before b in the ranking.
func before(a, b *Scored, seed uint64) bool {
	if a.Score != b.Score {
		return a.Score > b.Score
	}
	return compareDrawn(draw(seed, a.Service), a.Service, draw(seed, b.Service), b.Service, seed) < 0
}

func (e optimum) write(w *wire.Writer) {
	mark := w.Len()
	form := &objective[e.form]
	for i := len(form.byName) - 1; i >= 0; i-- {
		term, start := form.byName[i], w.Len()
		for j := len(e.ranked) - 1; j >= 0; j-- {
			w.NumberElement(e.ranked[j].Terms[term])
		}
		w.List(start)
		w.Entry(form.weights[term].term, start)
	}
	w.Object(mark)
	w.Entry("terms", mark)
	w.StringEntry(subjectKey, e.service)
	w.StringEntry("seed", strconv.FormatUint(e.seed, 10)) // a JSON number could not hold it
	mark = w.Len()
	for j := len(e.ranked) - 1; j >= 0; j-- {
		w.NumberElement(e.ranked[j].Score)
	}
	w.List(mark)
	w.Entry("scores", mark)
	mark = w.Len()
	for j := len(e.ranked) - 1; j >= 0; j-- {
		w.StringElement(e.ranked[j].Service)
	}
	w.List(mark)
	w.Entry("ranking", mark)
	w.StringEntry("objective", e.form.String())
}

func readOptimum(from evidence) (e optimum, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	var form, digits string
	r.string(&form, "objective")
	r.string(&digits, "seed")
	if e.form, err = FormOf(form); r.err == nil && err != nil {
		return e, err
	}
	if e.seed, err = strconv.ParseUint(digits, 10, 64); r.err == nil && err != nil {
		return e, fmt.Errorf("seed: %w", err)
	}
	var ranking []string
	r.strings(&ranking, "ranking")
	n := len(ranking)
	scores := numbers(&r, "scores", n)
	var terms evidence
	r.object(&terms, "terms")
	weights := &objective[e.form].weights
	if r.err == nil && len(terms) != len(weights) {
		return e, fmt.Errorf("evidence %q has %d lists, the objective %d terms", "terms", len(terms), len(weights))
	}
	inner := reader{from: terms, err: r.err}
	rows := make([]Terms, n)
	for term := range weights {
		for i, number := range numbers(&inner, weights[term].term, n) {
			rows[i][term] = number
		}
	}
	if inner.err != nil {
		return e, inner.err
	}
	seen := make(map[string]bool, n)
	for i, service := range ranking {
		if seen[service] {
			return e, fmt.Errorf("evidence %q names %q twice", "ranking", service)
		}
		seen[service] = true
		e.ranked = append(e.ranked, Scored{Service: service, Score: scores[i], Terms: &rows[i], Form: e.form})
	}
	return e, nil
}

// numbers reads a list of n finite numbers; nil after an error.
func numbers(r *reader, key string, n int) []float64 {
	out := make([]float64, 0, n)
	if r.numbers(&out, key); r.err == nil && len(out) != n {
		r.err = fmt.Errorf("evidence %q has %d numbers, the ranking %d services", key, len(out), n)
	}
	if r.err != nil {
		return nil
	}
	return out
}
