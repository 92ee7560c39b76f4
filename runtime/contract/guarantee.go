package contract

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// guaranteeDemand is a request's demand on one guarantee type.
type guaranteeDemand struct {
	name     string
	property string // "": whichever is promised
	terms    []term
	shared   *shared
}

// term is one bound that a demand sets.
type term struct {
	boundType string // of the promises that can meet it
	demanded  float64
	text      string // for people, such as "p95_latency_ms <= 50"
	value     *structpb.Value
}

func newGuaranteeDemand(name string, d *caiov1.Demand, shared *shared) *guaranteeDemand {
	g := &guaranteeDemand{name: name, property: d.GetProperty(), shared: shared}
	if d == nil {
		return g
	}
	g.add("min", d.Min)
	g.add("max", d.Max)
	g.add("equality", d.Deviation)
	g.add("relative_max", d.Ratio)
	g.add("min_multiple", d.Multiple)
	if d.GetBoolean() { // false demands nothing
		g.terms = append(g.terms, term{"boolean", 1, g.what(), structpb.NewBoolValue(true)})
	}
	return g
}

func (g *guaranteeDemand) add(boundType string, number *float64) {
	if number != nil {
		g.terms = append(g.terms, term{boundType, *number, compare(g.what(), boundType, *number), structpb.NewNumberValue(*number)})
	}
}

// what the demand is about, for people.
func (g *guaranteeDemand) what() string {
	if g.property != "" {
		return g.property
	}
	return g.name
}

// promised returns the number of a bound, 1 and 0 for true and false; false: there is none, as in no valid contract.
func promised(b *caiov1.Bound) (number float64, ok bool) {
	var n *float64
	switch b.GetType() {
	case "min":
		n = b.Min
	case "max":
		n = b.Max
	case "equality":
		n = b.Deviation
	case "relative_max":
		n = b.Ratio
	case "min_multiple":
		n = b.Multiple
	case "boolean":
		if b.GetBoolean() {
			return 1, true
		}
		return 0, b.Boolean != nil
	}
	if n == nil {
		return 0, false
	}
	return *n, true
}

// judge appends a reason for everything in which the promises, by type, do not meet the demand.
func (g *guaranteeDemand) judge(promises map[string]*caiov1.Guarantee, reasons []*caiov1.Reason) []*caiov1.Reason {
	promise, of := promises[g.name], ""
	if promise == nil {
		of = typeOf(g.name, promises)
	}
	number, stated := promised(promise.GetBound())
	right := promise != nil && (g.property == "" || g.property == promise.GetProperty())
	if len(g.terms) == 0 && !right {
		return append(reasons, g.reason(promise, nil, number, of))
	}
	for i := range g.terms {
		t := &g.terms[i]
		if right && stated && t.boundType == promise.GetBound().GetType() && t.met(number) {
			continue
		}
		reasons = append(reasons, g.reason(promise, t, number, of))
	}
	return reasons
}

func (t *term) met(promised float64) bool {
	switch t.boundType {
	case "min", "min_multiple", "boolean":
		return promised >= t.demanded
	default:
		return promised <= t.demanded
	}
}

// typeOf returns the type whose promise is about property, the first by name if there are several, "" if there is none:
// contracts may write a property for its type (`p95_latency_ms: 40`), and who reads one is tempted to demand it so.
func typeOf(property string, promises map[string]*caiov1.Guarantee) (name string) {
	for of, promise := range promises {
		if promise.GetProperty() == property && (name == "" || of < name) {
			name = of
		}
	}
	return name
}

// reason says what is promised and what is demanded, t or, if it is nil, the mention; of is the type that a demand
// without a promise may have meant. Facts: guarantee; property, bound and demanded as far as they are demanded;
// promised_property, promised_bound and promised unless nothing is promised.
func (g *guaranteeDemand) reason(promise *caiov1.Guarantee, t *term, number float64, of string) *caiov1.Reason {
	if promise == nil {
		return g.shared.reason(reasonKey{step: "guarantee", about: g.name, found: of, term: t}, func() *caiov1.Reason {
			found := "promises no " + g.name
			if of != "" {
				found = fmt.Sprintf(`promises %s as a property of %s, which is to be demanded by its type: {%q: {"property": %q, ...}}`, g.name, of, of, g.name)
			}
			return g.newReason(found, t, facts{})
		})
	}
	property, bound := promise.GetProperty(), promise.GetBound().GetType()
	key := reasonKey{step: "guarantee", about: g.name, found: property, bound: bound, number: number, term: t, promised: true}
	return g.shared.reason(key, func() *caiov1.Reason {
		found := facts{
			"promised_property": g.shared.text(property), "promised_bound": g.shared.text(bound), "promised": structpb.NewNumberValue(number),
		}
		if bound == "boolean" {
			found["promised"] = structpb.NewBoolValue(number == 1)
		}
		return g.newReason("promises "+compare(property, bound, number), t, found)
	})
}

func (g *guaranteeDemand) newReason(found string, t *term, facts facts) *caiov1.Reason {
	facts["guarantee"] = g.shared.text(g.name)
	if g.property != "" {
		facts["property"] = g.shared.text(g.property)
	}
	demanded := g.what()
	if t != nil {
		facts["bound"], facts["demanded"] = g.shared.text(t.boundType), t.value
		demanded = t.text
	}
	return newReason("contract.guarantee", found+"; "+demanded+" is demanded", facts)
}

// compare writes a bound for people.
func compare(name, boundType string, n float64) string {
	switch boundType {
	case "min":
		return name + " >= " + digits(n)
	case "max":
		return name + " <= " + digits(n)
	case "equality":
		return name + " within " + digits(n)
	case "relative_max":
		return name + " <= " + digits(n) + " of its reference"
	case "min_multiple":
		return name + " >= " + digits(n) + " times its reference"
	default:
		if n == 1 {
			return name
		}
		return "no " + name
	}
}

func digits(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
