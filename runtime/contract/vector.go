package contract

import "math"

// Limits of #ServiceField that CUE is not asked about: a vector has thousands of numbers, and CUE takes up to a millisecond
// for each where something is wrong.
const (
	maxDimension = 4096
	maxEnergy    = 1e300 // of one vector: what is computed of two of them is finite
)

// vectors reports what is wrong with the vectors of a contract: something else than numbers, parts that differ in length,
// dimensions that differ, an energy that is beyond all use, a trait that is stated twice. What is no list of numbers
// where one must be is left to the checker.
func vectors(root *node, r *report) {
	f := root.get("field")
	if f == nil {
		return
	}
	first := ""
	dimension := 0
	look := func(n *node) {
		d := vectorOf(n, r)
		switch {
		case d == 0:
		case dimension == 0:
			first, dimension = n.path, d
		case d != dimension:
			r.add(n.pos, n.path, "a vector of %d numbers is not allowed: must have %d, as %s has", d, dimension, first)
		}
	}
	for _, name := range []string{"capability", "model"} {
		if v := f.value.get(name); v != nil {
			look(v.value)
		}
	}
	traits := f.value.get("traits")
	if traits == nil {
		return
	}
	seen := map[string]*node{}
	for _, trait := range traits.value.items {
		look(trait)
		name := trait.get("name")
		if name == nil || name.value.kind != kindText {
			continue
		}
		if before := seen[name.value.text]; before != nil {
			r.add(name.pos, name.value.path, "name %s is given twice: first on line %d", quoteShort(name.value.text), before.pos.line)
			continue
		}
		seen[name.value.text] = name.value
	}
}

// vectorOf returns the dimension of the vector that n holds, 0 if it holds none.
func vectorOf(n *node, r *report) int {
	re, im := n.get("re"), n.get("im")
	if re == nil || re.value.kind != kindList {
		return 0
	}
	d := len(re.value.items)
	if d == 0 || d > maxDimension {
		r.add(re.value.pos, re.value.path, "%d numbers are not allowed: a vector has 1 to %d", d, maxDimension)
		return 0
	}
	energy, ok := energyOf(re.value, r)
	if im != nil && im.value.kind == kindList {
		more, fine := energyOf(im.value, r)
		energy, ok = energy+more, ok && fine
		if other := len(im.value.items); other != 0 && other != d {
			r.add(im.value.pos, im.value.path, "%d imaginary parts are not allowed: must be as many as real ones (%d), or none", other, d)
		}
	}
	if ok && !(energy <= maxEnergy) {
		r.add(re.value.pos, n.path, "the vector is too long: the sum of its squares must be at most %g", maxEnergy)
	}
	return d
}

// energyOf returns the sum of the squares of the numbers in list, and whether all are numbers; the first that is not is
// reported.
func energyOf(list *node, r *report) (float64, bool) {
	var sum float64
	for _, item := range list.items {
		if item.kind != kindNumber {
			if item.kind != kindBroken {
				r.add(item.pos, item.path, "%s is not allowed: must be a number", item.found())
			}
			return math.NaN(), false
		}
		sum += float64(item.number * item.number)
	}
	return sum, true
}
