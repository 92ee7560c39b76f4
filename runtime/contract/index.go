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
	sets    map[mark]bitset.Set // no empty sets
	columns map[measure]*column // no empty columns
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
	x := index{map[mark]bitset.Set{}, map[measure]*column{}}
	entries := map[measure][]entry{}
	for slot, s := range slots {
		for m := range marksOf(s.message) {
			x.sets[m] = x.sets[m].Add(slot) // in place: nobody has seen these sets yet
		}
		for m, number := range numbersOf(s.message) {
			entries[m] = append(entries[m], entry{number, int32(slot)})
		}
	}
	for m, e := range entries {
		x.columns[m] = newColumn(e)
	}
	return x
}

// with returns the index in which the contract in slot is now instead of old; nil: none.
func (x index) with(slot int, old, now *caiov1.Contract) index {
	x = index{maps.Clone(x.sets), maps.Clone(x.columns)}
	before, after := collect(marksOf(old)), collect(marksOf(now))
	for m := range before {
		if !after[m] {
			x.unmark(m, slot)
		}
	}
	for m := range after {
		if !before[m] {
			x.sets[m] = x.sets[m].With(slot)
		}
	}
	was, is := maps.Collect(numbersOf(old)), maps.Collect(numbersOf(now))
	for m, number := range was {
		if stays, ok := is[m]; ok && stays == number {
			delete(is, m)
		} else if left := x.columns[m].without(entry{number, int32(slot)}); left == nil {
			delete(x.columns, m)
		} else {
			x.columns[m] = left
		}
	}
	for m, number := range is {
		x.columns[m] = x.columns[m].with(entry{number, int32(slot)})
	}
	return x
}

func collect(marks iter.Seq[mark]) map[mark]bool {
	set := map[mark]bool{}
	for m := range marks {
		set[m] = true
	}
	return set
}

func (x index) unmark(m mark, slot int) {
	if left := x.sets[m].Without(slot); left.Empty() {
		delete(x.sets, m)
	} else {
		x.sets[m] = left
	}
}

// offering narrows listed, the services that may be considered, to those that offer at least one of the capabilities,
// unless all are to be listed, and passed, which starts as the same services, to those that offer all, or any if match
// says so. Without capabilities both stay. Both are written in place.
func (x index) offering(request *caiov1.Request, passed, listed bitset.Set, listAll bool) (_, _ bitset.Set) {
	asked, anyOf := request.GetCapabilities(), request.GetMatch() == "any"
	if len(asked) == 0 {
		return passed, listed
	}
	if !anyOf {
		for _, capability := range asked {
			passed = passed.And(x.sets[mark{says: offers, name: capability}])
		}
	}
	if listAll && !anyOf {
		return passed, listed
	}
	some := x.sets[mark{says: offers, name: asked[0]}]
	for i, capability := range asked[1:] {
		if i == 0 {
			some = some.Clone()
		}
		some = some.Or(x.sets[mark{says: offers, name: capability}])
	}
	if anyOf {
		passed = passed.And(some)
	}
	if !listAll {
		listed = listed.And(some)
	}
	return passed, listed
}

// guaranteeing narrows set, in place, to the services whose promise of the guarantee type name meets the demand.
func (x index) guaranteeing(set bitset.Set, name string, d *caiov1.Demand) bitset.Set {
	mention := mark{says: promises, name: name}
	if d.GetProperty() != "" {
		mention = mark{says: promisesOf, name: name, property: d.GetProperty()}
	}
	if set = set.And(x.sets[mention]); d == nil {
		return set
	}
	if d.Min != nil {
		set = x.columns[measure{"min", name}].atLeast(set, *d.Min)
	}
	if d.Max != nil {
		set = x.columns[measure{"max", name}].atMost(set, *d.Max)
	}
	if d.Deviation != nil {
		set = x.columns[measure{"equality", name}].atMost(set, *d.Deviation)
	}
	if d.Ratio != nil {
		set = x.columns[measure{"relative_max", name}].atMost(set, *d.Ratio)
	}
	if d.Multiple != nil {
		set = x.columns[measure{"min_multiple", name}].atLeast(set, *d.Multiple)
	}
	if d.GetBoolean() { // false demands nothing
		set = set.And(x.sets[mark{says: promisesYes, name: name}])
	}
	return set
}

// within narrows set, in place, to the services that run in the demanded surroundings and take as much as is demanded.
func (x index) within(set bitset.Set, d *caiov1.Demands) bitset.Set {
	if d == nil {
		return set
	}
	if d.RequiresGpu != nil && !*d.RequiresGpu {
		set = set.AndNot(x.sets[mark{says: requires, name: "requires_gpu"}])
	}
	if d.RequiresInternet != nil && !*d.RequiresInternet {
		set = set.AndNot(x.sets[mark{says: requires, name: "requires_internet"}])
	}
	for i := range limits {
		if demanded, ok := limits[i].demanded(d); ok {
			set = x.columns[measure{name: limits[i].name}].atLeast(set, demanded)
		}
	}
	return set
}
