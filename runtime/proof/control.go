package proof

import (
	"fmt"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A Drive is a control signal and what bounds it. Its slices are as long as there are modes, and that squared.
type Drive struct {
	Signal       []float64 // u, a number for each mode
	Gram         []float64 // the real part of B^H B, row by row: ||B u||^2 = u^T Gram u
	IntentEnergy float64   // ||Psi_i||^2, >= 0
	MaxEnergy    float64   // what intent and signal may have together, >= 0
}

// Stable proves CONTROL-0001 for a decision for service: ||B u||^2 <= E_max - ||Psi_i||^2.
func Stable(service string, d *Drive) *caiov1.Proof {
	return message(func(w *Writer) { w.Stable(service, d) })
}

// Stable writes the proof that the control signal keeps its bound.
func (w *Writer) Stable(service string, d *Drive) { put(w, Stability, stability{service, d}) }

type stability struct {
	service string
	*Drive
}

func (e stability) about() string { return e.service }

// holds computes u^T Gram u by the steps of field.Quadratic, so that what was driven to its very bound is found within it.
func (e stability) holds() (bool, error) {
	k := len(e.Signal)
	if k == 0 || len(e.Gram) != k*k {
		return false, fmt.Errorf("evidence %q has %d numbers, %q %d: not as many squared, or none", "gram", len(e.Gram), "signal", k)
	}
	var energy float64
	for i, a := range e.Signal {
		var row float64
		for j, b := range e.Signal {
			if e.Gram[i*k+j] != e.Gram[j*k+i] || e.Gram[i*k+i] < 0 {
				return false, fmt.Errorf("evidence %q is no Gram matrix", "gram")
			}
			row += float64(e.Gram[i*k+j] * b)
		}
		energy += float64(a * row)
	}
	return e.IntentEnergy >= 0 && max(0, energy) <= e.MaxEnergy-e.IntentEnergy, nil
}

func (e stability) write(w *wire.Writer) {
	writeNumbers(w, "signal", e.Signal)
	w.StringEntry(subjectKey, e.service)
	w.NumberEntry("max_energy", e.MaxEnergy)
	w.NumberEntry("intent_energy", e.IntentEnergy)
	writeNumbers(w, "gram", e.Gram)
}

func readStability(from evidence) (stability, error) {
	e := stability{Drive: &Drive{}}
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	r.numbers(&e.Signal, "signal")
	r.numbers(&e.Gram, "gram")
	r.number(&e.IntentEnergy, "intent_energy")
	r.number(&e.MaxEnergy, "max_energy")
	return e, r.err
}

// A Limit is one part of a G-value: G is how far Value is above Limit, and must not be positive.
type Limit struct {
	Constraint   string // "safety", "policy", "traits", "budget" or "latency"
	Part         string // which trait; empty where a constraint has one part
	Value, Limit float64
}

// G returns the value that must not be positive.
func (l *Limit) G() float64 { return l.Value - l.Limit }

// Constrained proves CONTROL-0002 for a decision for service: every G-value is <= 0.
func Constrained(service string, limits []Limit) *caiov1.Proof {
	return message(func(w *Writer) { w.Constrained(service, limits) })
}

// Constrained writes the proof that service violates no constraint.
func (w *Writer) Constrained(service string, limits []Limit) {
	put(w, TraitConstraints, constrained{service, limits})
}

type constrained struct {
	service string
	limits  []Limit
}

func (e constrained) about() string { return e.service }

func (e constrained) holds() (bool, error) {
	for i := range e.limits {
		switch l := &e.limits[i]; l.Constraint {
		case "safety", "policy", "traits", "budget", "latency":
			if !(l.G() <= 0) {
				return false, nil
			}
		default:
			return false, fmt.Errorf("evidence names an unknown constraint %q", l.Constraint)
		}
	}
	return true, nil
}

func (e constrained) write(w *wire.Writer) {
	w.StringEntry(subjectKey, e.service)
	mark := w.Len()
	for i := len(e.limits) - 1; i >= 0; i-- {
		l, start := &e.limits[i], w.Len()
		w.NumberEntry("value", l.Value)
		w.StringEntry("part", l.Part)
		w.NumberEntry("limit", l.Limit)
		w.StringEntry("constraint", l.Constraint)
		w.Object(start)
		w.Element(start)
	}
	w.List(mark)
	w.Entry("limits", mark)
}

func readConstrained(from evidence) (e constrained, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	values := r.list("limits")
	for i := 0; i < len(values) && r.err == nil; i++ {
		fields, err := asObject("limits", values[i])
		if err != nil {
			return e, err
		}
		var l Limit
		inner := reader{from: fields}
		inner.string(&l.Constraint, "constraint")
		inner.string(&l.Part, "part")
		inner.number(&l.Value, "value")
		inner.number(&l.Limit, "limit")
		e.limits, r.err = append(e.limits, l), inner.err
	}
	return e, r.err
}

// writeNumbers writes an entry that is a list of numbers.
func writeNumbers(w *wire.Writer, key string, numbers []float64) {
	mark := w.Len()
	for i := len(numbers) - 1; i >= 0; i-- {
		w.NumberElement(numbers[i])
	}
	w.List(mark)
	w.Entry(key, mark)
}
