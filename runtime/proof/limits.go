package proof

import (
	"github.com/smarthausgroup/caio/runtime/internal/wire"
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
func (p *Price) WithinBudget(b *caiov1.Budget) bool {
	return b == nil || p.Known && p.Currency == b.GetCurrency() && p.Cost <= b.GetMaxCost()
}

// Affordable proves that service, at price p, stays within b; b nil: there is none.
func Affordable(service string, p Price, b *caiov1.Budget) *caiov1.Proof {
	return message(func(w *Writer) { w.Affordable(service, &p, b) })
}

// Affordable writes the proof that service stays within b.
func (w *Writer) Affordable(service string, p *Price, b *caiov1.Budget) {
	e := budget{
		service: service, currency: p.Currency, inputTokens: p.InputTokens, outputTokens: p.OutputTokens, limitCurrency: b.GetCurrency(),
	}
	if p.Known {
		e.cost = stated(p.Cost)
	}
	if b != nil {
		e.limit = stated(b.GetMaxCost())
	}
	put(w, Budget, e)
}

type budget struct {
	service                   string
	cost                      optional
	currency                  string
	inputTokens, outputTokens float64
	limit                     optional
	limitCurrency             string
}

func (e budget) about() string { return e.service }

func (e budget) holds() (bool, error) {
	return !e.limit.stated || e.cost.stated && e.currency == e.limitCurrency && e.cost.number <= e.limit.number, nil
}

func (e budget) write(w *wire.Writer) {
	w.StringEntry(subjectKey, e.service)
	w.NumberEntry("output_tokens", e.outputTokens)
	e.limit.write(w, "max_cost")
	w.NumberEntry("input_tokens", e.inputTokens)
	w.StringEntry("currency", e.currency)
	e.cost.write(w, "cost")
	w.StringEntry("budget_currency", e.limitCurrency)
}

func readBudget(from evidence) (e budget, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	r.optional(&e.cost, "cost")
	r.string(&e.currency, "currency")
	r.number(&e.inputTokens, "input_tokens")
	r.number(&e.outputTokens, "output_tokens")
	r.optional(&e.limit, "max_cost")
	r.string(&e.limitCurrency, "budget_currency")
	return e, r.err
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
	return message(func(w *Writer) { w.Fast(c, limit) })
}

// Fast writes the proof that c's promised latency is at most limit.
func (w *Writer) Fast(c *caiov1.Contract, limit *float64) {
	put(w, Latency, latency{
		service: c.GetServiceId(), property: c.GetGuarantees()["latency"].GetProperty(),
		promised: perhaps(PromisedLatency(c)), limit: perhaps(limit),
	})
}

type latency struct {
	service, property string
	promised, limit   optional // ms
}

func (e latency) about() string { return e.service }

func (e latency) holds() (bool, error) {
	return !e.limit.stated || e.promised.stated && e.promised.number <= e.limit.number, nil
}

func (e latency) write(w *wire.Writer) {
	w.StringEntry(subjectKey, e.service)
	w.StringEntry("property", e.property)
	e.promised.write(w, "promised_ms")
	e.limit.write(w, "max_latency_ms")
}

func readLatency(from evidence) (e latency, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	r.string(&e.property, "property")
	r.optional(&e.promised, "promised_ms")
	r.optional(&e.limit, "max_latency_ms")
	return e, r.err
}
