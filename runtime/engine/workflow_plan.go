package engine

import (
	"context"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/smarthausgroup/caio/runtime/proof"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// A judge is everything that decides, the same for all steps of a workflow.
type judge struct {
	snapshot *Snapshot
	past     Past
	seed     uint64
	visible  visibility
}

func (j *judge) decide(ctx context.Context, req *question) (*Decision, error) {
	return decide(ctx, j.snapshot, j.past, req, j.seed, false, j.visible)
}

// A plan is a workflow whose steps are decided, and the services that are to do them. It is not changed.
type plan struct {
	*graph
	*judge
	asked     []*question // by node
	decisions []*Decision // by node
	chosen    []offer     // by node; places of 0 where a step has nobody
	whole     *whole      // nil where a step has nobody
	refusal   *Error      // why it may not run; nil: it may
}

// newPlan decides each step, asked by node, by itself and chooses the services with which the whole keeps what is demanded of it. That
// there are none is a plan with a refusal.
func newPlan(ctx context.Context, g *graph, j *judge, asked []*question) (*plan, error) {
	p := &plan{graph: g, judge: j, asked: asked, chosen: make([]offer, len(g.nodes))}
	s := &search{graph: g, offers: make([][]offer, len(g.nodes))}
	var refusals []*Error
	for i, n := range g.nodes {
		d, err := j.decide(ctx, asked[i])
		if err != nil {
			return nil, inStep(n.Id, asError(err))
		}
		p.decisions = append(p.decisions, d)
		if d.Error != nil {
			refusals = append(refusals, inStep(n.Id, &Error{proto.CloneOf(d.Error), nil}))
			continue
		}
		var fault *Error
		if s.offers[i], fault = p.offers(n, d, asked[i].effort, growth(n.Inputs)); fault != nil {
			refusals = append(refusals, inStep(n.Id, fault))
		}
	}
	if len(refusals) > 0 {
		p.refusal = refusals[0]
		if more := len(refusals) - 1; more > 0 {
			p.refusal.Detail.Message += fmt.Sprintf(" (and %d more of %d steps have nobody)", more, len(g.nodes))
		}
		return p, nil
	}
	choice, err := s.run()
	if err != nil {
		p.refusal, choice = asError(err), make([]int, len(g.nodes))
		if p.refusal.Detail.Code == "INTERNAL" {
			return nil, err
		}
	}
	for i, c := range choice {
		p.chosen[i] = s.offers[i][c]
	}
	p.whole, err = g.compose(s.parts(choice))
	return p, err
}

// offers returns what those who may do n promise for it, best first. work is what its intent asks of them, more by how
// many bytes inputs can make that larger; whom that takes over the step's own budget has no offer. It fails where none is left.
func (j *judge) offers(n *node, d *Decision, work effort, more int) ([]offer, *Error) {
	work.read += math.Ceil(float64(more) / 4)
	var out []offer
	var over proof.Price
	for i, id := range d.Ranking {
		slot, _ := j.snapshot.Registry.Slot(id)
		p := j.snapshot.profiles[slot]
		part := proof.Part{Step: n.Id, Service: id, Guarantees: p.contract.GetGuarantees(), Price: p.pricing.estimate(&work),
			Privacy: p.contract.GetPrivacy(), Needs: n.needs}
		if !part.Price.WithinBudget(n.request.Budget) {
			over = part.Price
			continue
		}
		out = append(out, offer{place: i + 1, part: part})
	}
	if len(out) == 0 {
		reason := overBudget(over, n.request.Budget)
		return nil, fail("BUDGET_EXCEEDED", "workflow", "with its inputs, "+reason.Message, nil).
			hint("lower max_bytes of its inputs, or raise the budget of its request")
	}
	return out, nil
}

// inStep returns err as the error of a workflow that names the step.
func inStep(id string, err *Error) *Error {
	detail := proto.CloneOf(err.Detail)
	detail.Message = "step " + id + ": " + detail.Message
	return &Error{detail, err}
}

// message returns p as a decision about the workflow.
func (p *plan) message() (*caiov1.WorkflowDecision, error) {
	out := &caiov1.WorkflowDecision{Seed: p.seed, WorkflowDigest: p.digest}
	for i, n := range p.nodes {
		d, err := p.decisions[i].Message()
		if err != nil {
			return nil, err
		}
		out.Steps = append(out.Steps, &caiov1.StepDecision{
			Id: n.Id, ServiceId: p.chosen[i].part.Service, Place: int32(p.chosen[i].place), Needs: p.needs(n), Decision: d,
		})
	}
	if p.whole != nil {
		out.Composed, out.Proofs = p.whole.message(), p.whole.proofs
	}
	if p.refusal != nil {
		out.Error = p.refusal.Detail
	}
	return out, nil
}

// needs names the steps that n needs.
func (g *graph) needs(n *node) []string {
	names := make([]string, len(n.needs))
	for i, need := range n.needs {
		names[i] = g.nodes[need].Id
	}
	return names
}

// partsOf returns what offers promise.
func partsOf(offers []offer) []proof.Part {
	parts := make([]proof.Part, len(offers))
	for i, o := range offers {
		parts[i] = o.part
	}
	return parts
}

// ordered returns offers with the one of service first.
func ordered(offers []offer, service string) []offer {
	out := slices.Clone(offers)
	if i := slices.IndexFunc(out, func(o offer) bool { return o.part.Service == service }); i > 0 {
		first := out[i]
		copy(out[1:], out[:i])
		out[0] = first
	}
	return out
}
