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
	rules  []int

	// Twenty candidates among ten thousand services lie in twenty words of a set that has 157. Only those are worked
	// on: they stand one after the other, at says which word of a set each is, and where which of them a word is.
	at    []int
	where []int
	all   []uint64 // the candidates
	rest  []uint64 // those of them for which the rule at hand may still hold
	words []uint64 // those of Fired
}

// Fired is a rule and the candidates for which it holds, at least one.
type Fired struct {
	Rule int
	of   *Judgement
	rest []uint64
}

// Has tells whether the rule holds for slot, a candidate.
func (f *Fired) Has(slot int) bool {
	return f.rest[f.of.where[slot>>6]]>>(slot&63)&1 != 0
}

// AddTo puts the candidates for which the rule holds into s, which is as long as the set of all candidates.
func (f *Fired) AddTo(s bitset.Set) {
	for i, word := range f.rest {
		s[f.of.at[i]] |= word
	}
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
	j.pick(candidates)
	j.rules = x.active(m, j.rules)
	if m.broken { // a guard went wrong, and so may every rule behind it
		copy(j.Doubt, candidates)
		return j
	}
	for _, i := range j.rules {
		j.rest = append(j.rest[:0], j.all...)
		j.judge(x.rules[i])
		if j.left() {
			j.Fired = append(j.Fired, Fired{i, j, j.keep()})
		}
	}
	return j
}

// pick finds the words in which there are candidates.
func (j *Judgement) pick(candidates bitset.Set) {
	j.at, j.all = j.at[:0], j.all[:0]
	if len(j.where) < len(candidates) {
		j.where = make([]int, len(candidates))
	}
	for i, word := range candidates {
		if word != 0 {
			j.where[i] = len(j.at)
			j.at, j.all = append(j.at, i), append(j.all, word)
		}
	}
}

// left tells whether there is anybody left.
func (j *Judgement) left() bool {
	for _, word := range j.rest {
		if word != 0 {
			return true
		}
	}
	return false
}

// Release gives back what j holds.
func (j *Judgement) Release() {
	m := j.m
	m.asked, m.row, m.service = nil, nil, nil
	j.oracle = nil
	j.x.machines.Put(m)
}

// keep copies j.rest to where it stays. Growing moves nothing: what was kept before holds on to its own array.
func (j *Judgement) keep() []uint64 {
	if cap(j.words)-len(j.words) < len(j.rest) {
		j.words = make([]uint64, 0, max(2*cap(j.words), 16*len(j.rest)))
	}
	from := len(j.words)
	j.words = append(j.words, j.rest...)
	return j.words[from:len(j.words):len(j.words)]
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
			j.doubtAll()
		}
		if broken || !holds {
			clear(j.rest)
			return false
		}
		return true
	case onService:
		if a.errs {
			j.doubt(j.x.wrong[a.test])
		}
		j.intersect(j.x.truth[a.test])
	default:
		j.each(a)
	}
	return j.left()
}

func (j *Judgement) doubtAll() {
	for i, word := range j.rest {
		j.Doubt[j.at[i]] |= word
	}
}

// doubt puts those of s that are left into j.Doubt.
func (j *Judgement) doubt(s bitset.Set) {
	for i, word := range j.rest {
		if at := j.at[i]; at < len(s) {
			j.Doubt[at] |= word & s[at]
		}
	}
}

// intersect leaves those of s.
func (j *Judgement) intersect(s bitset.Set) {
	for i, at := range j.at {
		if at < len(s) {
			j.rest[i] &= s[at]
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
			bit := bits.TrailingZeros64(word)
			slot := j.at[i]<<6 + bit
			switch j.ask(a, j.x.rows[slot]) {
			case wrong:
				j.Doubt.Add(slot)
				j.rest[i] &^= 1 << bit
			case failing:
				j.rest[i] &^= 1 << bit
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
