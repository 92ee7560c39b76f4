package field

import "fmt"

// Model is one of the models of an inference engine, as the choice among them sees it.
type Model struct {
	Name      string
	Capable   float64 // C(m): how well it does what is asked, in [0, 1]
	PerToken  float64 // price of a token, >= 0
	Alignment float64 // A(m): correlation of its field with the intent, in [-1, 1]
	Overflow  float64 // Omega(m): what does not fit into its context, >= 0; see Overflow
}

// Weights are how much each part of the choice counts, each >= 0.
type Weights struct{ Capable, Cost, Alignment, Overflow float64 }

// Overflow returns Omega: which share of a model's context tokens take up beyond it, 0 where they fit. Both are counts,
// >= 0; a context of 0 is not stated, and everything fits.
func Overflow(tokens, context float64) float64 {
	if context == 0 || tokens <= context {
		return 0
	}
	return tokens/context - 1
}

// Worth returns w_comp C(m) - w_cost $/tok(m) + w_align A(m) - w_overflow Omega(m), added in this order.
func (w Weights) Worth(m Model) float64 {
	return float64(w.Capable*m.Capable) - float64(w.Cost*m.PerToken) + float64(w.Alignment*m.Alignment) - float64(w.Overflow*m.Overflow)
}

// Choose returns the position of the model that is worth most, the first of several. It fails without a model, and where
// a worth is not a finite number, naming the model.
func (w Weights) Choose(models []Model) (int, error) {
	if len(models) == 0 {
		return 0, fmt.Errorf("choose a model: there is none")
	}
	best, most := 0, 0.0
	for i, m := range models {
		worth := w.Worth(m)
		if worth-worth != 0 {
			return 0, fmt.Errorf("choose a model: the worth of %s is %v, not a finite number", m.Name, worth)
		}
		if i == 0 || worth > most {
			best, most = i, worth
		}
	}
	return best, nil
}
