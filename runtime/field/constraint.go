package field

import "slices"

// Constraint is one G-value: what must not be positive.
type Constraint struct {
	Name  string  // "safety", "policy", "traits", "budget" or "latency"
	Value float64 // by how much it is exceeded, in its own unit; the negative of what is left where it is not
}

// Holds tells whether c is kept. NaN keeps nothing.
func (c Constraint) Holds() bool { return c.Value <= 0 }

// Safety returns G_safety: the largest of excesses, each positive where something is forbidden, harmful or unsafe.
func Safety(excesses ...float64) Constraint { return Constraint{"safety", worst(excesses)} }

// Policy returns G_policy: the largest of excesses, each positive where data would not stay on the device, not be private,
// or not comply.
func Policy(excesses ...float64) Constraint { return Constraint{"policy", worst(excesses)} }

// Traits returns G_traits: the largest of gaps, one for each trait, such as conservative, confidential or tolerant of
// risk.
func Traits(gaps ...float64) Constraint { return Constraint{"traits", worst(gaps)} }

// worst returns the largest of excesses, 0 where there is none.
func worst(excesses []float64) float64 {
	if len(excesses) == 0 {
		return 0
	}
	return slices.Max(excesses)
}

// Gap returns by how much a correlation, in [-1, 1], falls short of the one that is demanded.
func Gap(demanded, correlation float64) float64 { return demanded - correlation }

// Budget returns G_budget = cost - budget, both in one currency.
func Budget(cost, budget float64) Constraint { return Constraint{"budget", cost - budget} }

// Latency returns G_latency = latency - limit, both in one unit.
func Latency(latency, limit float64) Constraint { return Constraint{"latency", latency - limit} }
