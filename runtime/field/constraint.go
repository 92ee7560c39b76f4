package field

// Constraint is one G-value: what must not be positive.
type Constraint struct {
	Name  string  // "safety", "policy", "traits", "budget" or "latency"
	Value float64 // by how much it is exceeded, in its own unit; the negative of what is left where it is not
}

// Holds tells whether c is kept. NaN keeps nothing.
func (c Constraint) Holds() bool { return c.Value <= 0 }

// Safety returns G_safety of what is forbidden, harmful and unsafe, each positive where it is too much.
func Safety(forbidden, harmful, unsafe float64) Constraint {
	return Constraint{"safety", max(forbidden, harmful, unsafe)}
}

// Policy returns G_policy of the demands that data stays on the device, is private and complies, each positive where it
// is not met.
func Policy(onDevice, privacy, compliance float64) Constraint {
	return Constraint{"policy", max(onDevice, privacy, compliance)}
}

// Traits returns G_traits: the largest of gaps, one for each trait, such as conservative, confidential or tolerant of
// risk. Without a trait it is 0.
func Traits(gaps ...float64) Constraint {
	if len(gaps) == 0 {
		return Constraint{"traits", 0}
	}
	worst := gaps[0]
	for _, gap := range gaps[1:] {
		worst = max(worst, gap)
	}
	return Constraint{"traits", worst}
}

// Gap returns by how much a correlation, in [-1, 1], falls short of the one that is demanded.
func Gap(demanded, correlation float64) float64 { return demanded - correlation }

// Budget returns G_budget = cost - budget, both in one currency.
func Budget(cost, budget float64) Constraint { return Constraint{"budget", cost - budget} }

// Latency returns G_latency = latency - limit, both in one unit.
func Latency(latency, limit float64) Constraint { return Constraint{"latency", latency - limit} }
