package proof

import (
	"fmt"
	"slices"

	"github.com/smarthausgroup/caio/runtime/internal/wire"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Match proves that contract c meets what request r demands of it (SPEC section 1, step 1). Each demand becomes one
// check with both numbers; a demand about something the contract does not state becomes a check against null, which
// does not hold.
func Match(c *caiov1.Contract, r *caiov1.Request) *caiov1.Proof {
	return message(func(w *Writer) { w.Match(c, Offered(c), r) })
}

// Offered returns the capability types that c offers, in its order.
func Offered(c *caiov1.Contract) []string {
	offered := make([]string, len(c.GetCapabilities()))
	for i, capability := range c.GetCapabilities() {
		offered[i] = capability.GetType()
	}
	return offered
}

// Match writes the proof that c meets r. offered is Offered(c), which a caller may keep.
func (w *Writer) Match(c *caiov1.Contract, offered []string, r *caiov1.Request) {
	w.checks = w.checks[:0]
	if len(r.GetCapabilities()) > 0 {
		relation := "contains_all"
		if r.GetMatch() == "any" {
			relation = "contains_any"
		}
		w.add(subject{"capabilities"}, relation, operand{kind: aList, list: offered}, operand{kind: aList, list: r.GetCapabilities()})
	}
	var few [16]string
	names := few[:0]
	for name := range r.GetGuarantees() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.addGuarantee(name, c.GetGuarantees()[name], r.GetGuarantees()[name])
	}
	w.addConstraints(c.GetConstraints(), r.GetConstraints())
	put(w, Matching, matching{c.GetServiceId(), w.checks})
	clear(w.checks) // nothing of the request is held until the next
}

func (w *Writer) add(s subject, relation string, promised, demanded operand) {
	w.checks = append(w.checks, check{s, relation, promised, demanded})
}

func (w *Writer) addGuarantee(name string, g *caiov1.Guarantee, d *caiov1.Demand) {
	w.add(subject{"guarantees.", name}, "stated", ofBool(g != nil), ofBool(true))
	if d.GetProperty() != "" {
		w.add(subject{"guarantees.", name, ".property"}, "=", ofText(g.GetProperty()), ofText(d.GetProperty()))
	}
	bound := func(kind, relation string, promised, demanded *float64) {
		if demanded != nil {
			w.add(subject{"guarantees.", name, kind}, relation, ofNumber(promised), ofNumber(demanded))
		}
	}
	b := g.GetBound()
	if b == nil {
		b = &caiov1.Bound{} // promises nothing
	}
	bound(".min", ">=", b.Min, d.Min)
	bound(".max", "<=", b.Max, d.Max)
	bound(".deviation", "<=", b.Deviation, d.Deviation)
	bound(".ratio", "<=", b.Ratio, d.Ratio)
	bound(".multiple", ">=", b.Multiple, d.Multiple)
	if d.Boolean != nil {
		// What is promised implies what is demanded: a demand of false demands nothing.
		w.add(subject{"guarantees.", name, ".boolean"}, "demanded_implies_promised", ofBool(b.GetBoolean()), ofBool(*d.Boolean))
	}
}

func (w *Writer) addConstraints(c *caiov1.Constraints, d *caiov1.Demands) {
	if c == nil {
		c = &caiov1.Constraints{}
	}
	if d == nil {
		d = &caiov1.Demands{}
	}
	needs := func(name string, required bool, provided *bool) {
		if provided != nil {
			w.add(subject{"constraints.", name}, "promised_implies_demanded", ofBool(required), ofBool(*provided))
		}
	}
	needs("requires_gpu", c.RequiresGpu, d.RequiresGpu)
	needs("requires_internet", c.RequiresInternet, d.RequiresInternet)
	limit := func(name string, stated, needed *int32) {
		if needed != nil {
			w.add(subject{"constraints.", name}, ">=", ofWhole(stated), ofWhole(needed))
		}
	}
	limit("max_concurrent_requests", c.MaxConcurrentRequests, d.MaxConcurrentRequests)
	limit("max_tokens_per_request", c.MaxTokensPerRequest, d.MaxTokensPerRequest)
	limit("context_length", c.ContextLength, d.ContextLength)
	if d.RequestsPerSecond != nil {
		w.add(subject{"constraints.requests_per_second"}, ">=", requestRate(c.RateLimit), ofNumber(d.RequestsPerSecond))
	}
}

// requestRate returns the stated limit in requests a second, nothing if none is stated. Both stated: the tighter one.
func requestRate(r *caiov1.RateLimit) operand {
	if r == nil {
		return operand{}
	}
	rate := ofNumber(r.RequestsPerSecond)
	if r.RequestsPerMinute != nil {
		perSecond := *r.RequestsPerMinute / 60
		if rate.kind == aNothing || perSecond < rate.number {
			rate = ofNumber(&perSecond)
		}
	}
	return rate
}

type matching struct {
	service string
	checks  []check
}

func (e matching) about() string { return e.service }

func (e matching) holds() (bool, error) {
	all := true
	for i := range e.checks {
		ok, err := e.checks[i].holds()
		if err != nil {
			return false, fmt.Errorf("check %d: %w", i, err)
		}
		all = all && ok
	}
	return all, nil
}

func (e matching) write(w *wire.Writer) {
	w.StringEntry(subjectKey, e.service)
	mark := w.Len()
	for i := len(e.checks) - 1; i >= 0; i-- {
		e.checks[i].write(w)
	}
	w.List(mark)
	w.Entry("checks", mark)
}

func readMatching(from evidence) (e matching, err error) {
	r := reader{from: from}
	r.string(&e.service, subjectKey)
	for _, v := range r.list("checks") {
		var fields evidence
		if fields, r.err = asObject("checks", v); r.err != nil {
			break
		}
		c, err := readCheck(fields)
		if err != nil {
			return e, fmt.Errorf("check %d: %w", len(e.checks), err)
		}
		e.checks = append(e.checks, c)
	}
	return e, r.err
}
