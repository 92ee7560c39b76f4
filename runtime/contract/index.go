package contract

import (
	"iter"
	"maps"
	"math"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// index finds services by what their contracts say: sets for what is so or not, columns for numbers. It is immutable
// once published; it holds what some service says and nothing else, as a registry must not remember every name it ever
// saw.
type index struct {
	sets    table[mark, span]       // no empty sets
	columns table[measure, *column] // no empty columns
}

// A mark is something that a contract says or not.
type mark struct {
	says     says
	name     string
	property string // promisesOf alone
}

type says uint8

const (
	offers      says = iota // the capability name
	belongs                 // to the tenant name; "": to none
	promises                // the guarantee type name
	promisesOf              // name, and that it is about property
	promisesYes             // name, as boolean, and true
	requires                // name: "requires_gpu", "requires_internet"
)

// A measure is something that contracts state a number of: a bound of a guarantee type, or a limit.
type measure struct {
	bound string // "min", "max", "equality", "relative_max", "min_multiple"; "": name is a limit
	name  string
}

// marksOf yields all marks of a contract, some perhaps twice; none of nil.
func marksOf(c *caiov1.Contract) iter.Seq[mark] {
	return func(yield func(mark) bool) {
		if c == nil {
			return
		}
		for _, capability := range c.GetCapabilities() {
			if !yield(mark{says: offers, name: capability.GetType()}) {
				return
			}
		}
		for name, promise := range c.GetGuarantees() {
			if promise == nil {
				continue
			}
			if !yield(mark{says: promises, name: name}) || !yield(mark{says: promisesOf, name: name, property: promise.GetProperty()}) {
				return
			}
			if promise.GetBound().GetType() == "boolean" && promise.GetBound().GetBoolean() && !yield(mark{says: promisesYes, name: name}) {
				return
			}
		}
		if c.GetConstraints().GetRequiresGpu() && !yield(mark{says: requires, name: "requires_gpu"}) {
			return
		}
		if c.GetConstraints().GetRequiresInternet() && !yield(mark{says: requires, name: "requires_internet"}) {
			return
		}
		yield(mark{says: belongs, name: c.GetMetadata().GetTenant()})
	}
}

// numbersOf yields all numbers that a contract states, each measure once; none of nil. A boolean is no number but a mark,
// and NaN meets no demand.
func numbersOf(c *caiov1.Contract) iter.Seq2[measure, float64] {
	return func(yield func(measure, float64) bool) {
		for name, promise := range c.GetGuarantees() {
			bound := promise.GetBound().GetType()
			if number, stated := promised(promise.GetBound()); stated && bound != "boolean" && !math.IsNaN(number) && !yield(measure{bound, name}, number) {
				return
			}
		}
		if c.GetConstraints() == nil {
			return
		}
		for i := range limits {
			if number, stated := limits[i].stated(c.GetConstraints()); stated && !math.IsNaN(number) && !yield(measure{name: limits[i].name}, number) {
				return
			}
		}
	}
}

// newIndex returns the index of the services in their slots, none of which is free.
func newIndex(slots []*Service) index {
	sets, entries := map[mark]bitset.Set{}, map[measure][]entry{}
	for slot, s := range slots {
		for m := range marksOf(s.message) {
			sets[m] = sets[m].Add(slot)
		}
		for m, number := range numbersOf(s.message) {
			entries[m] = append(entries[m], entry{number, int32(slot)})
		}
	}
	spans, columns := make(map[mark]span, len(sets)), make(map[measure]*column, len(entries))
	for m, set := range sets {
		spans[m] = spanOf(set)
	}
	for m, e := range entries {
		columns[m] = newColumn(e)
	}
	return index{newTable(spans), newTable(columns)}
}

// with returns the index in which the contract in slot is now instead of old; nil: none.
func (x index) with(slot int, old, now *caiov1.Contract) index {
	return index{x.marked(slot, collect(marksOf(old)), collect(marksOf(now))),
		x.numbered(int32(slot), maps.Collect(numbersOf(old)), maps.Collect(numbersOf(now)))}
}

func (x index) marked(slot int, before, after map[mark]bool) table[mark, span] {
	put, gone := map[mark]span{}, []mark(nil)
	for m := range before {
		if after[m] {
			continue
		}
		if left := x.sets.get(m).without(slot); left.empty() {
			gone = append(gone, m)
		} else {
			put[m] = left
		}
	}
	for m := range after {
		if !before[m] {
			put[m] = x.sets.get(m).with(slot)
		}
	}
	return x.sets.with(put, gone)
}

func (x index) numbered(slot int32, before, after map[measure]float64) table[measure, *column] {
	put, gone := map[measure]*column{}, []measure(nil)
	for m, number := range before {
		if stays, ok := after[m]; ok && stays == number {
			delete(after, m)
		} else if left := x.columns.get(m).without(entry{number, slot}); left != nil || ok {
			put[m] = left
		} else {
			gone = append(gone, m)
		}
	}
	for m, number := range after {
		c, changed := put[m]
		if !changed {
			c = x.columns.get(m)
		}
		put[m] = c.with(entry{number, slot})
	}
	return x.columns.with(put, gone)
}

func collect(marks iter.Seq[mark]) map[mark]bool {
	set := map[mark]bool{}
	for m := range marks {
		set[m] = true
	}
	return set
}

// offering returns who, of the slots below slots, which are all, offers at least one of the capabilities.
func (x index) offering(capabilities []string, slots int) span {
	if len(capabilities) == 1 {
		return x.sets.get(mark{says: offers, name: capabilities[0]})
	}
	some := bitset.Of(slots)
	for _, capability := range capabilities {
		x.sets.get(mark{says: offers, name: capability}).or(some)
	}
	return span{words: some}
}

// guaranteeing leaves in n the services whose promise of the guarantee type name meets the demand.
func (x index) guaranteeing(n *narrowing, name string, d *caiov1.Demand) {
	if d.GetProperty() != "" {
		n.keep(x.sets.get(mark{says: promisesOf, name: name, property: d.GetProperty()}))
	} else if d == nil || d.Min == nil && d.Max == nil && d.Deviation == nil && d.Ratio == nil && d.Multiple == nil {
		n.keep(x.sets.get(mark{says: promises, name: name})) // whoever states a number promises, too
	}
	if d == nil {
		return
	}
	if d.Min != nil {
		x.columns.get(measure{"min", name}).atLeast(n, *d.Min)
	}
	if d.Max != nil {
		x.columns.get(measure{"max", name}).atMost(n, *d.Max)
	}
	if d.Deviation != nil {
		x.columns.get(measure{"equality", name}).atMost(n, *d.Deviation)
	}
	if d.Ratio != nil {
		x.columns.get(measure{"relative_max", name}).atMost(n, *d.Ratio)
	}
	if d.Multiple != nil {
		x.columns.get(measure{"min_multiple", name}).atLeast(n, *d.Multiple)
	}
	if d.GetBoolean() { // false demands nothing
		n.keep(x.sets.get(mark{says: promisesYes, name: name}))
	}
}

// within leaves in n the services that run in the demanded surroundings and take as much as is demanded.
func (x index) within(n *narrowing, d *caiov1.Demands) {
	if d == nil {
		return
	}
	if d.RequiresGpu != nil && !*d.RequiresGpu {
		n.drop(x.sets.get(mark{says: requires, name: "requires_gpu"}))
	}
	if d.RequiresInternet != nil && !*d.RequiresInternet {
		n.drop(x.sets.get(mark{says: requires, name: "requires_internet"}))
	}
	for i := range limits {
		if demanded, ok := limits[i].demanded(d); ok {
			x.columns.get(measure{name: limits[i].name}).atLeast(n, demanded)
		}
	}
}
