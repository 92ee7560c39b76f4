package factor

import (
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// alike says what an index finds in another, made of another program over the same services: by number, -1 for what is
// not there. The set of a tenant differs from everybody's in a few rules, and one that is activated from the one before.
type alike struct {
	from                  *Index // nil: nothing is there
	tests, columns, looks []int
	whole                 bool // all columns and looks are there, under the same numbers
}

// A knownRow is what alike knows of one service.
type knownRow struct {
	*alike
	row *Row // nil: nothing
}

func (a *alike) at(slot int) knownRow {
	if a.from == nil {
		return knownRow{a, nil}
	}
	return knownRow{a, a.from.rows[slot]}
}

// nothing finds nothing.
func (x *Index) nothing() *alike {
	none := slices.Repeat([]int{-1}, max(len(x.tests), len(x.columns), len(x.looks)))
	return &alike{tests: none, columns: none, looks: none}
}

// alike finds what like knows of services, and takes over how it numbers looks.
func (x *Index) alike(like *Index, services []*ast.Term) *alike {
	same := func(r *Row, service *ast.Term) bool {
		return r == nil && service == nil || r != nil && r.Service == service
	}
	if like == nil || !slices.EqualFunc(like.rows, services, same) {
		return x.nothing()
	}
	a := &alike{from: like, tests: make([]int, len(x.tests)), columns: make([]int, len(x.columns)), looks: make([]int, len(x.looks))}
	// What OPA evaluates hangs on rules that are not written into it: it is never found.
	test := func(t atom) string {
		if t.node == nil {
			return ""
		}
		return t.node.id
	}
	match(a.tests, x.tests, like.tests, test)
	match(a.columns, x.columns, like.columns, func(n *node) string { return n.id })
	match(a.looks, x.looks, like.looks, func(l look) string { return l.id })
	a.whole = len(x.columns) == len(like.columns) && len(x.looks) == len(like.looks)
	for _, at := range [][]int{a.columns, a.looks} {
		for i, from := range at {
			a.whole = a.whole && i == from
		}
	}
	like.names.mu.Lock()
	defer like.names.mu.Unlock()
	for i, from := range a.looks {
		if from >= 0 {
			x.names.known[i] = maps.Clone(like.names.known[from])
		}
	}
	return a
}

// match finds each of these among those by what id says; "": it is like nothing.
func match[T any](at []int, these, those []T, id func(T) string) {
	where := make(map[string]int, len(those))
	for i, t := range those {
		where[id(t)] = i
	}
	delete(where, "")
	for i, t := range these {
		at[i] = -1
		if from, ok := where[id(t)]; ok {
			at[i] = from
		}
	}
}

// name gives l the id by which looks of different programs are told to be alike. The order of columns is part of it: looks
// are written in that order.
func (l *look) name(columns []*node) {
	ids := make([]string, len(l.columns))
	for i, column := range l.columns {
		ids[i] = columns[column].id
	}
	l.id = fmt.Sprintf("%x %q", ids, l.paths)
}
