package factor

import (
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
)

// An Oracle evaluates what is left to OPA. request is nil where the condition does not depend on one.
type Oracle interface {
	// Ask tells whether o holds, and whether anything went wrong on the way.
	Ask(o *Opaque, service *ast.Term) (holds, broken bool)
}

// A Row is what is kept of one service. Its caller may keep something of its own there.
type Row struct {
	Service *ast.Term // input.service

	values []value // by column
	looks  []int   // by look: equal where services look alike
	mu     sync.Mutex
	kept   map[int]any
}

// Kept returns what was kept under key, nil for nothing.
func (r *Row) Kept(key int) any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept[key]
}

// Keep keeps v under key. It must depend on the row's service alone.
func (r *Row) Keep(key int, v any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil {
		r.kept = map[int]any{}
	}
	r.kept[key] = v
}

// An Index is a Program prepared over services, each of which has a slot. Immutable; With shares what did not change.
// Safe for concurrent use.
type Index struct {
	*Program
	rows  []*Row       // by slot; nil: free
	truth []bitset.Set // by test: the slots for which it holds
	wrong []bitset.Set // by test: the slots for which it went wrong
	odd   bitset.Set   // the slots of services that are not as they are taken to be: OPA judges them
	names *names
}

// names numbers the looks of services. It is shared by an index and all that come of it, and
// grows with every look that was ever seen.
type names struct {
	mu    sync.Mutex
	known []map[string]int // by look
}

// New prepares p over services, by slot; nil is a free one. What like, nil or an index of the same services, knows of them
// is taken from there. It lets other goroutines run as it goes.
func New(p *Program, services []*ast.Term, oracle Oracle, like *Index) *Index {
	x := &Index{
		Program: p, rows: make([]*Row, len(services)), truth: make([]bitset.Set, len(p.tests)), wrong: make([]bitset.Set, len(p.tests)),
		names: &names{known: make([]map[string]int, len(p.looks))},
	}
	m, of := p.newMachine(), x.alike(like, services)
	for i := range p.tests {
		if from := of.tests[i]; from >= 0 {
			x.truth[i], x.wrong[i] = like.truth[from], like.wrong[from]
		} else {
			x.truth[i] = bitset.Of(len(services))
		}
	}
	for slot, service := range services {
		if service == nil {
			continue
		}
		if x.oddly(service) {
			x.odd = x.odd.Add(slot)
		}
		x.rows[slot] = x.prepare(m, service, oracle, of.at(slot), func(test int, holds, broken bool) {
			if holds {
				x.truth[test] = x.truth[test].Add(slot)
			}
			if broken {
				x.wrong[test] = x.wrong[test].Add(slot)
			}
		})
		runtime.Gosched()
	}
	return x
}

// With returns an index in which service, nil for none, stands at slot.
func (x *Index) With(slot int, service *ast.Term, oracle Oracle) *Index {
	n := &Index{Program: x.Program, truth: slices.Clone(x.truth), wrong: slices.Clone(x.wrong), odd: x.odd, names: x.names}
	if x.odd.Has(slot) {
		n.odd = x.odd.Without(slot)
	}
	n.rows = make([]*Row, max(len(x.rows), slot+1))
	copy(n.rows, x.rows)
	n.rows[slot] = nil
	put := func(sets []bitset.Set, test int, in bool) {
		switch {
		case in && !sets[test].Has(slot):
			sets[test] = sets[test].With(slot)
		case !in && sets[test].Has(slot):
			sets[test] = sets[test].Without(slot)
		}
	}
	if service == nil {
		for test := range n.truth {
			put(n.truth, test, false)
			put(n.wrong, test, false)
		}
		return n
	}
	if x.oddly(service) {
		n.odd = n.odd.With(slot)
	}
	m, _ := x.machines.Get().(*machine)
	defer x.machines.Put(m)
	n.rows[slot] = n.prepare(m, service, oracle, n.nothing().at(slot), func(test int, holds, broken bool) {
		put(n.truth, test, holds)
		put(n.wrong, test, broken)
	})
	return n
}

// oddly tells whether something of service that a contract has text for is none. The rules were taken apart in the belief
// that builtins do not fail over it.
func (x *Index) oddly(service *ast.Term) bool {
	return slices.ContainsFunc(x.texts, func(n *node) bool {
		t := descend(service, n.path)
		return t != nil && !isText(t)
	})
}

// prepare evaluates everything that depends on service alone and is not known.
func (x *Index) prepare(m *machine, service *ast.Term, oracle Oracle, known knownRow, put func(test int, holds, broken bool)) *Row {
	m.asked, m.steps = nil, 0
	m.serve(service, nil)
	row := &Row{Service: service}
	if known.whole {
		row.values, row.looks = known.row.values, known.row.looks
	} else {
		row.values, row.looks = make([]value, len(x.columns)), make([]int, len(x.looks))
	}
	for i, t := range x.tests {
		if known.tests[i] >= 0 {
			continue
		}
		m.broken = false
		var holds, broken bool
		if t.node != nil {
			holds = m.holds(t.node)
			broken = m.broken
		} else {
			holds, broken = oracle.Ask(t.ask, service)
		}
		put(i, holds && !broken, broken)
	}
	if known.whole {
		return row
	}
	for i, n := range x.columns {
		if from := known.columns[i]; from >= 0 {
			row.values[i] = known.row.values[from]
			continue
		}
		m.broken = false
		row.values[i] = m.look(n)
		row.values[i].broken = m.broken
	}
	for i := range x.looks {
		if from := known.looks[i]; from >= 0 {
			row.looks[i] = known.row.looks[from]
			continue
		}
		row.looks[i] = x.names.of(i, x.looks[i].of(row))
	}
	return row
}

// of writes what row looks like.
func (l *look) of(row *Row) string {
	var b strings.Builder
	write := func(t *ast.Term) {
		if t != nil {
			b.WriteString(ast.ValueName(t.Value))
			b.WriteString(t.String())
		}
		b.WriteByte(0)
	}
	for _, column := range l.columns {
		v := &row.values[column]
		if v.broken {
			b.WriteByte(1)
		}
		write(v.term)
	}
	for _, path := range l.paths {
		t := row.Service
		for _, name := range path {
			if t != nil {
				t = descend(t, []*ast.Term{ast.StringTerm(name)})
			}
		}
		write(t)
	}
	return b.String()
}

func (s *names) of(i int, look string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[i] == nil {
		s.known[i] = map[string]int{}
	}
	id, ok := s.known[i][look]
	if !ok {
		id = len(s.known[i])
		s.known[i][look] = id
	}
	return id
}

// Row returns what is kept of the service at slot.
func (x *Index) Row(slot int) *Row { return x.rows[slot] }
