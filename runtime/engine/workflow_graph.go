package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/schema"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A graph is a workflow that was found to be in order. It is not changed.
type graph struct {
	workflow *caiov1.Workflow // with principal, context and the budget's currency always present
	digest   string           // of it
	nodes    []*node          // each after those it needs, else as they were given
}

// A node is one step.
type node struct {
	*caiov1.Step
	needs   []int           // indexes of what must be done before, inputs included, ascending
	request *caiov1.Request // complete; its intent still lacks the inputs
}

// newGraph checks w and orders its steps. now is the requests' time where the caller set none, zero for none at all. Every
// fault is told at once, as INVALID_REQUEST.
func newGraph(w *caiov1.Workflow, now time.Time) (*graph, error) {
	w = proto.CloneOf(w)
	if w.Principal == nil {
		w.Principal = &caiov1.Principal{}
	}
	if w.Context == nil {
		w.Context = &caiov1.Context{}
	}
	if w.Budget != nil && w.Budget.Currency == "" {
		w.Budget.Currency = "USD"
	}
	g := &graph{workflow: w}
	faults := g.name()
	if len(faults) == 0 {
		faults = g.connect()
	}
	if len(faults) == 0 {
		faults = g.classify()
	}
	if err := finite(&caiov1.Request{Budget: w.Budget, MaxLatencyMs: w.MaxLatencyMs}); err != nil {
		faults = append(faults, err.Error())
	}
	if len(faults) > 0 {
		return nil, fail("INVALID_REQUEST", "workflow", strings.Join(faults, "; "), nil)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(w)
	if err != nil {
		return nil, fail("INVALID_REQUEST", "workflow", "read the workflow", err)
	}
	g.digest = schema.Digest(raw)
	for _, n := range g.nodes {
		n.request = complete(n.request, now)
	}
	return g, nil
}

// name makes the nodes, in the order given, and finds ids that are missing or given twice.
func (g *graph) name() (faults []string) {
	seen := map[string]bool{}
	for i, s := range g.workflow.Steps {
		switch {
		case s.GetId() == "":
			faults = append(faults, fmt.Sprintf("steps[%d] has no id", i))
		case seen[s.Id]:
			faults = append(faults, fmt.Sprintf("step %q is given twice; ids must differ", s.Id))
		case s.Request == nil:
			faults = append(faults, fmt.Sprintf("step %q has no request", s.Id))
		case s.Request.Principal != nil:
			faults = append(faults, fmt.Sprintf("step %q names a principal; it is the workflow's and must be left out", s.Id))
		case len(s.Request.Registered) > 0:
			faults = append(faults, fmt.Sprintf("step %q says what is registered, which the server knows", s.Id))
		case s.Request.Payload != nil:
			faults = append(faults, fmt.Sprintf("step %q names a payload; it is set by the server, in what it records", s.Id))
		}
		seen[s.GetId()] = true
		g.nodes = append(g.nodes, &node{Step: s})
	}
	if len(g.nodes) == 0 {
		faults = append(faults, "there are no steps")
	}
	return faults
}

// connect resolves what steps need and sorts them by it.
func (g *graph) connect() (faults []string) {
	given := make(map[string]int, len(g.nodes))
	ids := make([]string, len(g.nodes))
	for i, n := range g.nodes {
		given[n.Id], ids[i] = i, n.Id
	}
	needs := make([][]int, len(g.nodes))
	for i, n := range g.nodes {
		add := func(field, id string) {
			need, ok := given[id]
			switch {
			case !ok:
				faults = append(faults, fmt.Sprintf("step %q: %s %q is no step; there are %s", n.Id, field, id, strings.Join(ids, ", ")))
			case need == i:
				faults = append(faults, fmt.Sprintf("step %q: %s names the step itself", n.Id, field))
			case !slices.Contains(needs[i], need):
				needs[i] = append(needs[i], need)
			}
		}
		for _, id := range n.Needs {
			add("needs", id)
		}
		if err := checkInputs(n.Inputs); err != nil {
			faults = append(faults, fmt.Sprintf("step %q: %v", n.Id, err))
		}
		for _, in := range n.Inputs {
			add("inputs.from", in.From)
			if err := checkInput(n.Request.Intent, in); err != nil {
				faults = append(faults, fmt.Sprintf("step %q: %v", n.Id, err))
			}
		}
	}
	if len(faults) > 0 {
		return faults
	}
	order, circle := sorted(needs)
	if circle != nil {
		names := make([]string, len(circle))
		for i, step := range circle {
			names[i] = ids[step]
		}
		return []string{"steps need one another in a circle: " + strings.Join(names, " -> ")}
	}
	place := make([]int, len(order))
	nodes := make([]*node, len(order))
	for at, step := range order {
		place[step], nodes[at] = at, g.nodes[step]
	}
	for at, step := range order {
		for _, need := range needs[step] {
			nodes[at].needs = append(nodes[at].needs, place[need])
		}
		slices.Sort(nodes[at].needs)
	}
	g.nodes = nodes
	return nil
}

// sorted returns the steps such that each comes after those it needs and otherwise the first given first. Where that
// cannot be it returns a circle, whose first and last are the same.
func sorted(needs [][]int) (order, circle []int) {
	done := make([]bool, len(needs))
	ready := func(step int) bool {
		return !done[step] && !slices.ContainsFunc(needs[step], func(need int) bool { return !done[need] })
	}
	for len(order) < len(needs) {
		next := -1
		for step := range needs {
			if ready(step) {
				next = step
				break
			}
		}
		if next < 0 {
			return nil, findCircle(needs, done)
		}
		done[next] = true
		order = append(order, next)
	}
	return order, nil
}

// findCircle walks from a step that is never ready along needs that are never done, until it meets itself.
func findCircle(needs [][]int, done []bool) []int {
	at := slices.Index(done, false)
	var path []int
	for !slices.Contains(path, at) {
		path = append(path, at)
		i := slices.IndexFunc(needs[at], func(need int) bool { return !done[need] })
		at = needs[at][i]
	}
	return append(path[slices.Index(path, at):], at)
}

// classify gives each request the workflow's principal and, where it is silent, context, data and budget: what no step
// may exceed together none may alone, and policies ask for a budget where a service is expensive. What a step makes of its
// inputs is as sensitive as they are, unless the step says otherwise: an anonymizer does.
func (g *graph) classify() (faults []string) {
	for _, n := range g.nodes {
		n.request = proto.CloneOf(n.Step.Request)
		n.request.Principal = g.workflow.Principal
		if n.request.Context == nil {
			n.request.Context = g.workflow.Context
		}
		if n.request.Budget == nil {
			n.request.Budget = proto.CloneOf(g.workflow.Budget)
		}
		if n.request.Data != nil {
			continue
		}
		if len(n.Inputs) == 0 {
			n.request.Data = proto.CloneOf(g.workflow.Data)
			continue
		}
		data, err := g.inherit(n)
		if err != nil {
			faults = append(faults, err.Error())
		}
		n.request.Data = data
	}
	return faults
}

// inherit joins how sensitive the steps are that n takes input from, all of which come before it.
func (g *graph) inherit(n *node) (*caiov1.Data, error) {
	out := &caiov1.Data{}
	for _, need := range n.needs {
		from := g.nodes[need]
		if !slices.ContainsFunc(n.Inputs, func(in *caiov1.StepInput) bool { return in.From == from.Id }) {
			continue
		}
		d := from.request.Data
		out.ContainsPii = out.ContainsPii || d.GetContainsPii()
		out.ContainsPhi = out.ContainsPhi || d.GetContainsPhi()
		var err error
		if out.Classification, err = stricter(out.Classification, d.GetClassification()); err != nil {
			return out, fmt.Errorf("step %q: its inputs are classified %w; say which holds in its request's data.classification", n.Id, err)
		}
		if out.Residency != "" && d.GetResidency() != "" && out.Residency != d.GetResidency() {
			return out, fmt.Errorf("step %q: its inputs must stay in %s and in %s; say which holds in its request's data.residency",
				n.Id, out.Residency, d.GetResidency())
		}
		out.Residency = cmp.Or(out.Residency, d.GetResidency())
	}
	return out, nil
}

// stricter returns the stricter of two classifications. Words of an installation's own have no order.
func stricter(a, b string) (string, error) {
	if a == b || b == "" {
		return a, nil
	}
	if a == "" {
		return b, nil
	}
	order := []string{"public", "internal", "confidential", "restricted"}
	i, j := slices.Index(order, strings.ToLower(a)), slices.Index(order, strings.ToLower(b))
	if i < 0 || j < 0 {
		return "", fmt.Errorf("%q and %q", a, b)
	}
	return order[max(i, j)], nil
}
