package policy

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	"github.com/smarthausgroup/caio/runtime/policy/internal/factor"
)

// A comparison that finds nothing proves little unless it finds what is there: each of these makes the factored engine
// wrong in one of its parts, in as little as one bit, and the comparison of CI must tell. There is no hook for it in the
// product: the test reaches into the index.
func TestAPlantedBugIsFound(t *testing.T) {
	for name, plant := range map[string]func(*Index){
		"a rule is missing from the table that the request is looked up in": unguard,
		"a condition on one service alone is forgotten":                     forget,
		"a condition on one service alone is thought to hold":               imagine,
		"a value of one service that requests are compared with is wrong":   misremember,
		"a service is thought to look like another":                         confuse,
	} {
		t.Run(name, func(t *testing.T) {
			var count tally
			for seed := range uint64(inventedPolicies) {
				if text := invent(seed).differ(t.Context(), &count, plant); text != "" {
					t.Logf("found after %s", count)
					return
				}
			}
			t.Errorf("not found in %s", count)
		})
	}
}

// unguard takes one rule, the last, out of the tables by which the request chooses rules.
func unguard(x *Index) {
	guards := reflect.ValueOf(x.x.Program).Elem().FieldByName("guards")
	for i := range guards.Len() {
		table := *inside[map[string][]int](guards.Index(i).Elem(), "table")
		for _, key := range slices.Sorted(maps.Keys(table)) {
			table[key] = table[key][:len(table[key])-1]
			return
		}
	}
}

// forget clears one bit in the bitmaps of services.
func forget(x *Index) {
	for _, truth := range *inside[[]bitset.Set](reflect.ValueOf(x.x).Elem(), "truth") {
		for slot := range truth.All() {
			truth.Remove(slot)
			return
		}
	}
}

// imagine sets one.
func imagine(x *Index) {
	for _, truth := range *inside[[]bitset.Set](reflect.ValueOf(x.x).Elem(), "truth") {
		for slot, f := range x.facts {
			if f != nil && !truth.Has(slot) {
				truth.Add(slot)
				return
			}
		}
	}
}

// misremember puts another value into one column of one service.
func misremember(x *Index) {
	for slot, f := range x.facts {
		if f == nil {
			continue
		}
		values := reflect.ValueOf(x.x.Row(slot)).Elem().FieldByName("values")
		for i := range values.Len() {
			if term := inside[*ast.Term](values.Index(i), "term"); *term != nil {
				*term = ast.StringTerm("planted")
				*inside[bool](values.Index(i), "isNum") = false
				return
			}
		}
	}
}

// confuse gives each service the looks of the one before.
func confuse(x *Index) {
	var before *factor.Row
	for slot, f := range x.facts {
		if f == nil {
			continue
		}
		row := x.x.Row(slot)
		if before != nil {
			copy(*inside[[]int](reflect.ValueOf(row).Elem(), "looks"), *inside[[]int](reflect.ValueOf(before).Elem(), "looks"))
		}
		before = row
	}
}

// inside returns a field of s that is not ours to see. It panics when there is none of that name and type.
func inside[T any](s reflect.Value, name string) *T {
	f := s.FieldByName(name)
	if f.Type() != reflect.TypeFor[T]() {
		panic(name + " is a " + f.Type().String())
	}
	return (*T)(unsafe.Pointer(f.UnsafeAddr()))
}
