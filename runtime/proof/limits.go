package proof

import (
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Price is what an execution is estimated to cost. The zero value is a price that is not known.
type Price struct {
	Known                     bool
	Cost                      float64 // in Currency, >= 0
	Currency                  string  // ISO 4217
	InputTokens, OutputTokens float64 // what the estimate counted with, >= 0
	Unknown                   string  // why the price is not known, for people
}

// WithinBudget tells whether p satisfies b; nil is no budget.
func (p Price) WithinBudget(b *caiov1.Budget) bool {
	return b == nil || p.Known && p.Currency == b.GetCurrency() && p.Cost <= b.GetMaxCost()
}

// Affordable proves that service, at price p, stays within b; b nil: there is none.
func Affordable(service string, p Price, b *caiov1.Budget) *caiov1.Proof {
	ev := fields{
		"cost": optionalNumber(nil), "currency": text(p.Currency),
		"input_tokens": number(p.InputTokens), "output_tokens": number(p.OutputTokens),
		"max_cost": optionalNumber(nil), "budget_currency": text(b.GetCurrency()),
	}
	if p.Known {
		ev["cost"] = number(p.Cost)
	}
	if b != nil {
		ev["max_cost"] = number(b.GetMaxCost())
	}
	return prove(Budget, service, ev)
}

func withinBudget(e evidence) (bool, error) {
	limit, limited, err := e.optional("max_cost")
	if err != nil {
		return false, err
	}
	cost, known, err := e.optional("cost")
	if err != nil {
		return false, err
	}
	currency, err := e.string("currency")
	if err != nil {
		return false, err
	}
	budget, err := e.string("budget_currency")
	return !limited || known && currency == budget && cost <= limit, err
}

// PromisedLatency returns the latency that c promises never, or at its percentile, to exceed, in milliseconds; nil if
// it promises none.
func PromisedLatency(c *caiov1.Contract) *float64 {
	if g := c.GetGuarantees()["latency"]; g.GetBound() != nil {
		return g.GetBound().Max
	}
	return nil
}

// Fast proves that c's promised latency is at most limit, in milliseconds; limit nil: there is none.
func Fast(c *caiov1.Contract, limit *float64) *caiov1.Proof {
	return prove(Latency, c.GetServiceId(), fields{
		"property":       text(c.GetGuarantees()["latency"].GetProperty()),
		"promised_ms":    optionalNumber(PromisedLatency(c)),
		"max_latency_ms": optionalNumber(limit),
	})
}

func withinLatency(e evidence) (bool, error) {
	limit, limited, err := e.optional("max_latency_ms")
	if err != nil {
		return false, err
	}
	promised, stated, err := e.optional("promised_ms")
	return !limited || stated && promised <= limit, err
}
