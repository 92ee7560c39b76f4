package factor

import (
	"context"
	"math/bits"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
)

// A Judgement is which rules hold for which candidates. Its owner calls Release when nothing of it is used any more.
type Judgement struct {
	Fired []Fired
	// Doubt has the candidates for which something went wrong; what Fired says of them means nothing.
	Doubt bitset.Set

	x      *Index
	m      *machine
	asked  []answers // by question
	oracle Oracle
	rest   bitset.Set
	rules  []int
	words  []uint64 // where the sets of Fired lie
}

// Fired is a rule and the candidates for which it holds, at least one.
type Fired struct {
	Rule  int
	Slots bitset.Set
}

// A Request is what is judged for, by place.
type Request interface {
	// Value returns what stands at a place, nil if nothing does. It is asked at most once for each, and given what an
	// earlier request had there, which it may return again.
	Value(place int, last *ast.Term) *ast.Term
	// Has tells whether anything stands at a place.
	Has(place int) bool
}

// Judge evaluates every rule over candidates, which must have rows.
func (x *Index) Judge(ctx context.Context, asked Request, candidates bitset.Set, oracle Oracle) *Judgement {
	m, _ := x.machines.Get().(*machine)
	m.begin(ctx, asked)
	j := &m.judgement
	j.x, j.m, j.oracle = x, m, oracle
	j.Fired, j.rules, j.words = j.Fired[:0], j.rules[:0], j.words[:0]
	j.Doubt = append(j.Doubt[:0], candidates...)
	clear(j.Doubt)
	copy(j.Doubt, x.odd) // as long as candidates, whatever comes
	j.Doubt.And(candidates)
	if j.asked == nil {
		j.asked = make([]answers, x.questions)
	}
	j.rules = x.active(m, j.rules)
	if m.broken { // a guard went wrong, and so may every rule behind it
		copy(j.Doubt, candidates)
		return j
	}
	for _, i := range j.rules {
		j.rest = append(j.rest[:0], candidates...)
		j.judge(x.rules[i])
		if !j.rest.Empty() {
			j.Fired = append(j.Fired, Fired{i, j.keep(j.rest)})
		}
	}
	return j
}

// Release gives back what j holds.
func (j *Judgement) Release() {
	m := j.m
	m.asked, m.row, m.service = nil, nil, nil
	j.oracle = nil
	j.x.machines.Put(m)
}

// keep copies s to where it stays. Growing moves nothing: sets that were kept before hold on to their own array.
func (j *Judgement) keep(s bitset.Set) bitset.Set {
	if cap(j.words)-len(j.words) < len(s) {
		j.words = make([]uint64, 0, max(2*cap(j.words), 16*len(s)))
	}
	from := len(j.words)
	j.words = append(j.words, s...)
	return bitset.Set(j.words[from:len(j.words):len(j.words)])
}

// judge leaves in j.rest the candidates for which r holds.
func (j *Judgement) judge(r *rule) {
	// What cannot go wrong goes first, the cheapest first.
	for _, deps := range [...]dependence{0, onRequest, onService, onRequest | onService} {
		for i := range r.atoms[:r.free] {
			if a := &r.atoms[i]; a.deps == deps && !j.atom(a) {
				return
			}
		}
	}
	for i := range r.atoms[r.free:] {
		if !j.atom(&r.atoms[r.free+i]) {
			return
		}
	}
}

// atom takes out of j.rest whom a does not hold for, and tells whether anybody is left.
func (j *Judgement) atom(a *atom) bool {
	switch a.deps {
	case 0, onRequest:
		holds, broken := j.once(a)
		if broken {
			j.Doubt.Or(j.rest)
		}
		if broken || !holds {
			clear(j.rest)
			return false
		}
		return true
	case onService:
		if a.errs {
			if wrong := j.x.wrong[a.test]; wrong.Intersects(j.rest) {
				j.Doubt.Or(wrong.Clone().And(j.rest))
			}
		}
		j.intersect(j.x.truth[a.test])
	default:
		j.each(a)
	}
	return !j.rest.Empty()
}

func (j *Judgement) intersect(s bitset.Set) {
	for i := range j.rest {
		if i < len(s) {
			j.rest[i] &= s[i]
		} else {
			j.rest[i] = 0
		}
	}
}

// answers are what a condition said of the looks it was asked about, in one request.
type answers struct {
	of  uint32 // the request
	say []answer
}

type answer uint8

const (
	unasked answer = iota
	holding
	failing
	wrong
)

// once judges what is the same for every candidate.
func (j *Judgement) once(a *atom) (holds, broken bool) {
	if a.node == nil {
		return j.oracle.Ask(a.ask, nil)
	}
	j.m.broken = false
	holds = j.m.holds(a.node)
	return holds, j.m.broken
}

func (j *Judgement) each(a *atom) {
	for i, word := range j.rest {
		for ; word != 0; word &= word - 1 {
			slot := i<<6 + bits.TrailingZeros64(word)
			switch j.ask(a, j.x.rows[slot]) {
			case wrong:
				j.Doubt = j.Doubt.Add(slot)
				j.rest.Remove(slot)
			case failing:
				j.rest.Remove(slot)
			}
		}
	}
}

// ask asks a about the service of row, once for all that look alike.
func (j *Judgement) ask(a *atom, row *Row) answer {
	if a.look < 0 {
		return j.answer(a, row)
	}
	asked, look := &j.asked[a.question], row.looks[a.look]
	if asked.of != j.m.request {
		clear(asked.say)
		asked.of = j.m.request
	}
	for look >= len(asked.say) {
		asked.say = append(asked.say, unasked)
	}
	if asked.say[look] == unasked {
		asked.say[look] = j.answer(a, row)
	}
	return asked.say[look]
}

func (j *Judgement) answer(a *atom, row *Row) answer {
	var holds, broken bool
	if a.node == nil {
		holds, broken = j.oracle.Ask(a.ask, row.Service)
	} else {
		j.m.serve(row.Service, row)
		holds = j.m.holds(a.node)
		broken = j.m.broken
	}
	switch {
	case broken:
		return wrong
	case holds:
		return holding
	}
	return failing
}

// Reasons returns what rule i, which fired for slot, says of it: each reason once. known is false where only OPA can
// tell.
func (j *Judgement) Reasons(i, slot int) (reasons []*ast.Term, known bool) {
	why := j.x.rules[i].reason
	if why == nil {
		return nil, false
	}
	row := j.x.rows[slot]
	j.m.serve(row.Service, row)
	j.m.run(why.body, 0, func() bool {
		t := j.m.eval(why.value)
		if t != nil && !slices.ContainsFunc(reasons, t.Equal) {
			reasons = append(reasons, t)
		}
		return j.m.broken
	})
	if j.m.broken || len(reasons) == 0 {
		return nil, false
	}
	return reasons, true
}

// Look returns what the service at slot looks like to the reasons of rule i: where two look alike, the reasons of one
// request are the same. -1: that is not known.
func (x *Index) Look(i, slot int) int {
	if l := x.Program.rules[i].look; l >= 0 {
		return x.rows[slot].looks[l]
	}
	return -1
}

// Explains tells whether the reasons of rule i can be made without OPA.
func (p *Program) Explains(i int) bool { return p.rules[i].reason != nil }

// Scope tells what the reason of rule i can change with. Unknown reasons change with everything.
func (p *Program) Scope(i int) (request, service bool) {
	why := p.rules[i].reason
	if why == nil {
		return true, true
	}
	deps := why.value.deps | why.body.deps
	return deps&onRequest != 0, deps&onService != 0
}
