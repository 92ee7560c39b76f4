package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/smarthausgroup/caio/runtime/proof"
)

// An aim is what a demand on the whole is about: the name of a guarantee, "budget" or "max_latency_ms". Guarantees may be
// named so, too; theirs have a prefix.
type aim string

const (
	aimBudget  aim = "budget"
	aimLatency aim = "max_latency_ms"
	aimPrefix      = "guarantees."
)

// guarantee returns the name of the guarantee that a is about, "" if it is about none.
func (a aim) guarantee() string {
	name, found := strings.CutPrefix(string(a), aimPrefix)
	if !found {
		return ""
	}
	return name
}

// aims lists what is demanded of the whole: guarantees by name, budget, latency.
func (g *graph) aims() []aim {
	var out []aim
	for _, name := range slices.Sorted(maps.Keys(g.workflow.Guarantees)) {
		out = append(out, aim(aimPrefix+name))
	}
	if g.workflow.Budget != nil {
		out = append(out, aimBudget)
	}
	if g.workflow.MaxLatencyMs != nil {
		out = append(out, aimLatency)
	}
	return out
}

// composable are the guarantees that several parts promise together.
var composable = []string{"accuracy", "availability", "determinism", "latency", "throughput"}

func services(n int) string {
	if n == 1 {
		return "one service"
	}
	return fmt.Sprintf("%d services", n)
}

// attainable fails on demands that cannot be met even where every step is done by the service that is best for that one
// demand, and says how near one comes.
func (s *search) attainable() error {
	var out []lack
	for _, a := range s.aims() {
		l, err := s.nearest(a)
		if err != nil {
			return err
		}
		for i := range l {
			if who := s.silent(a); who != "" {
				l[i].said = who
			} else {
				l[i].said = "at best " + l[i].said
			}
		}
		out = append(out, l...)
	}
	if len(out) == 0 {
		return nil
	}
	return fail(out[0].code, "workflow", "the steps together cannot keep what is demanded of the workflow: "+lackText(out), nil).hint(out[0].hint)
}

// nearest returns what the whole that is best for a alone still lacks of it.
func (s *search) nearest(a aim) (out []lack, err error) {
	least := math.Inf(1)
	for _, kind := range s.kinds(a) {
		sum, err := proof.Compose(s.parts(s.bestFor(a, kind)))
		if err != nil {
			return nil, fail("INTERNAL", "workflow", "compose the steps", err)
		}
		var lacks []lack
		var far float64
		for _, l := range s.lacks(sum) {
			// Of latency and determinism the kind depends on all parts together, and the best number need not have
			// the best kind; that is left to the search.
			if l.aim == a && !(l.kind && (a == aimPrefix+"latency" || a == aimPrefix+"determinism")) {
				lacks, far = append(lacks, l), far+l.gap
			}
		}
		if far < least {
			out, least = lacks, far
		}
	}
	return out, nil
}

// kinds returns the properties that all steps must promise in common for a; "" where it does not matter.
func (s *search) kinds(a aim) []string {
	name := a.guarantee()
	named := s.workflow.Guarantees[name].GetProperty()
	switch {
	case name == "accuracy" || named != "" && name == "throughput":
		return []string{named}
	case name == "throughput":
		found := map[string]bool{}
		for _, offers := range s.offers {
			for _, o := range offers {
				found[o.part.Guarantees[name].GetProperty()] = true
			}
		}
		return slices.Sorted(maps.Keys(found))
	}
	return []string{""}
}

// worth returns how good p is for a, more is better; -Inf where p promises nothing of it.
func (s *search) worth(a aim, p proof.Part) float64 {
	name := a.guarantee()
	switch a {
	case aimBudget:
		if !p.Price.Known || p.Price.Currency != s.workflow.Budget.GetCurrency() {
			return math.Inf(-1)
		}
		return -p.Price.Cost
	case aimLatency:
		name = "latency"
	}
	b := p.Guarantees[name].GetBound()
	switch {
	case b == nil:
		return math.Inf(-1)
	case b.Min != nil:
		return *b.Min
	case b.Max != nil:
		return -*b.Max
	case b.GetBoolean():
		return 1
	}
	return 0
}

// bestFor chooses for a alone. Offers of the kind, unless it is "", go before all others: another kind's number says
// nothing about it.
func (s *search) bestFor(a aim, kind string) []int {
	choice := make([]int, len(s.offers))
	for i, offers := range s.offers {
		worth := func(j int) (bool, float64) {
			p := offers[j].part
			return kind == "" || p.Guarantees[a.guarantee()].GetProperty() == kind, s.worth(a, p)
		}
		for j := range offers {
			named, better := worth(j)
			before, best := worth(choice[i])
			if named && !before || named == before && better > best {
				choice[i] = j
			}
		}
	}
	return choice
}

// silent says why nothing at all can be promised of a, "" if something can.
func (s *search) silent(a aim) string {
	if name := a.guarantee(); name != "" && !slices.Contains(composable, name) && len(s.offers) > 1 {
		return "nothing says how several promises of it compose; demand it of the steps"
	}
	what := "promises " + a.guarantee()
	switch a {
	case aimBudget:
		what = "has a known price in " + s.workflow.Budget.GetCurrency()
	case aimLatency:
		what = "promises a latency"
	}
	for i, offers := range s.offers {
		if !slices.ContainsFunc(offers, func(o offer) bool { return !math.IsInf(s.worth(a, o.part), -1) }) {
			return fmt.Sprintf("of %s that can do step %s none %s", services(len(offers)), s.nodes[i].Id, what)
		}
	}
	return ""
}
