package engine

import (
	"fmt"
	"math"
	"slices"

	"github.com/smarthausgroup/caio/runtime/proof"
)

// maxCombinations bounds how many combinations of services one decision composes: 4096 of 64 steps take a fraction of a
// second, and few workflows have as many that differ in anything that matters.
const maxCombinations = 4096

// An offer is one service that may do a step, as the whole sees it.
type offer struct {
	place int // in the decision's ranking, from 1
	part  proof.Part
}

// A search looks for the services with which the whole keeps its demands.
//
// It tries the best of every step first. Where that breaks a demand, it drops the offers that break one by themselves,
// since no other step makes up for it, and those that a better ranked one equals in all that is demanded. Of what is left
// it tries all combinations where there are at most maxCombinations, and takes the one that goes down the rankings least,
// by the sum of places, the earlier steps keeping their better ones. That is exact: a refusal means there is none. Where
// there are more it exchanges one service at a time, always the one that brings the whole nearest to its demands, from
// the best of every step and from the best for each demand. That finds one nearly always, but may refuse where another
// order of exchanges would have found one. Either way the same offers give the same choice.
type search struct {
	*graph
	offers [][]offer // by node, best first; not empty
	tried  int
}

// run returns the place in offers of each node's choice. An *Error with the code of the demand says why there is none.
func (s *search) run() ([]int, error) {
	best := make([]int, len(s.offers))
	if first, err := s.compose(s.parts(best)); err != nil || first.holds {
		return best, err
	}
	if err := s.attainable(); err != nil {
		return nil, err
	}
	places, fault := s.reduce()
	if fault != nil {
		return nil, fault
	}
	combinations := 1
	for _, p := range places {
		if combinations *= len(p); combinations > maxCombinations {
			break
		}
	}
	var found []int
	exact := combinations <= maxCombinations
	if exact {
		found = s.tryAll(places)
	} else {
		found = s.exchange(places)
	}
	if found != nil {
		w, err := s.compose(s.parts(found))
		if err != nil || w.holds {
			return found, err
		}
	}
	return nil, s.nothingFound(best, exact)
}

// parts returns what the chosen offers promise.
func (s *search) parts(choice []int) []proof.Part {
	parts := make([]proof.Part, len(choice))
	for i, c := range choice {
		parts[i] = s.offers[i][c].part
	}
	return parts
}

// distance returns how far a choice is from all demands together, 0 where it meets them.
func (s *search) distance(choice []int) float64 {
	s.tried++
	sum, err := proof.Compose(s.parts(choice))
	if err != nil {
		return math.Inf(1) // cannot be: the graph is in order
	}
	var far float64
	for _, l := range s.lacks(sum) {
		far += l.gap
	}
	return far
}

// reduce returns, by node, which offers can matter. It fails where a step has none.
func (s *search) reduce() ([][]int, error) {
	out := make([][]int, len(s.offers))
	for i, offers := range s.offers {
		for j, o := range offers {
			if s.hopeless(o) || slices.ContainsFunc(out[i], func(k int) bool { return s.covers(offers[k], o) }) {
				continue
			}
			out[i] = append(out[i], j)
		}
		if len(out[i]) == 0 {
			return nil, s.nothingFor(i)
		}
	}
	return out, nil
}

// hopeless tells whether o breaks a demand by itself: a whole is never better than one of its parts. What a promise is
// about may change with the other parts, so that is not looked at.
func (s *search) hopeless(o offer) bool {
	return slices.ContainsFunc(s.lacksAlone(o), func(l lack) bool { return !l.kind })
}

func (s *search) lacksAlone(o offer) []lack {
	part := o.part
	part.Needs = nil
	sum, err := proof.Compose([]proof.Part{part})
	if err != nil {
		return nil // cannot be: it is one part that needs nothing
	}
	return s.lacks(sum)
}

// covers tells whether p, which is ranked better, is of the same kinds as q and as good in all that adds up. What does
// not add up, such as accuracy, every offer that is not hopeless has enough of.
func (s *search) covers(p, q offer) bool {
	for _, a := range s.aims() {
		name := a.guarantee()
		if p.part.Guarantees[name].GetProperty() != q.part.Guarantees[name].GetProperty() {
			return false
		}
		adds := a == aimBudget || a == aimLatency || name == "availability" || name == "latency"
		if adds && s.worth(a, p.part) < s.worth(a, q.part) {
			return false
		}
	}
	return true
}

// tryAll returns the combination of the least sum of places that meets all demands, nil if none does.
func (s *search) tryAll(places [][]int) []int {
	var found []int
	least := math.MaxInt
	choice := make([]int, len(places))
	var try func(node, sum int)
	try = func(node, sum int) {
		if sum >= least {
			return
		}
		if node == len(places) {
			if s.distance(choice) == 0 {
				found, least = slices.Clone(choice), sum
			}
			return
		}
		for _, j := range places[node] {
			choice[node] = j
			try(node+1, sum+s.offers[node][j].place)
		}
	}
	try(0, 0)
	return found
}

// exchange climbs from several beginnings; see search.
func (s *search) exchange(places [][]int) []int {
	first := make([]int, len(places))
	for i := range places {
		first[i] = places[i][0]
	}
	beginnings := [][]int{first}
	for _, a := range s.aims() {
		choice := slices.Clone(first)
		for i := range places {
			for _, j := range places[i] {
				if s.worth(a, s.offers[i][j].part) > s.worth(a, s.offers[i][choice[i]].part) {
					choice[i] = j
				}
			}
		}
		beginnings = append(beginnings, choice)
	}
	for n, choice := range beginnings {
		if s.climb(choice, places, maxCombinations*(n+1)) {
			return choice
		}
	}
	return nil
}

// climb exchanges one offer of choice at a time for the one that comes nearest to the demands, as long as that helps and
// fewer than limit combinations were tried. It tells whether choice meets them all.
func (s *search) climb(choice []int, places [][]int, limit int) bool {
	far := s.distance(choice)
	for far > 0 {
		node, to, nearest := -1, 0, far
		for i := range places {
			old := choice[i]
			for _, j := range places[i] {
				if j == old || s.tried >= limit {
					continue
				}
				choice[i] = j
				if d := s.distance(choice); d < nearest {
					node, to, nearest = i, j, d
				}
			}
			choice[i] = old
		}
		if node < 0 {
			return false
		}
		choice[node], far = to, nearest
	}
	return true
}

// nothingFor says why no offer of a node can be part of the whole.
func (s *search) nothingFor(node int) error {
	var said []string
	for _, o := range s.offers[node][:min(most, len(s.offers[node]))] {
		said = append(said, o.part.Service+": "+lackText(s.lacksAlone(o)))
	}
	first := s.lacksAlone(s.offers[node][0])[0]
	return fail(first.code, "workflow", fmt.Sprintf("step %s can be done by no service with which the workflow keeps what is demanded of it: %s",
		s.nodes[node].Id, enumerateFirst(said, len(s.offers[node]))), nil).hint(first.hint)
}

// nothingFound says that each demand could be met, but no choice meets all.
func (s *search) nothingFound(best []int, exact bool) error {
	sum, err := proof.Compose(s.parts(best))
	if err != nil {
		return fail("INTERNAL", "workflow", "compose the steps", err)
	}
	lacks := s.lacks(sum)
	if len(lacks) == 0 {
		return fail("INTERNAL", "workflow", "the proofs of the whole do not hold, and nothing says why", nil)
	}
	how := fmt.Sprintf("no combination of the services that may do the steps keeps all that is demanded of the workflow (%d were tried)", s.tried)
	if !exact {
		how = fmt.Sprintf("no combination that keeps all that is demanded of the workflow was found among %d that were tried", s.tried)
	}
	return fail(lacks[0].code, "workflow", how+"; with the best of every step, "+lackText(lacks), nil).hint(lacks[0].hint)
}
