package contract

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/smarthausgroup/caio/runtime/internal/bitset"
	caiov1 "github.com/smarthausgroup/caio/schema/gen/caio/v1"
)

// Match is which services meet a request's demands on contracts, and why the others do not. It belongs to one goroutine.
type Match struct {
	Passed bitset.Set // slots of the services that meet every demand
	Fallen bitset.Set // slots of the others that were considered
	// Unlisted counts the visible services that offer none of the capabilities and were not asked to be listed.
	Unlisted int

	registry *Registry
	demands  *demands
	enough   bitset.Set // services that offer the capabilities
}

// Match compares what the services promise with what a request demands, in three steps: its capabilities (all, or any
// if request.match says so; none demanded: everybody), its guarantees, its constraints. Promise and demand meet by
// property and bound, never by name or text:
//
//   - min and multiple: promised >= demanded; max, deviation and ratio: promised <= demanded; boolean: demanded implies
//     promised. A bound of another type than the one demanded meets no demand.
//   - A demand that names a property is about that property alone; one that names none is about whichever is promised.
//   - A guarantee or limit that the contract does not mention meets no demand. A demand without a bound asks only for the
//     mention.
//   - constraints: requires_gpu and requires_internet false exclude services that need it. A number demands a stated
//     limit that is at least as high; requests a minute count as a sixtieth a second.
//
// Only the services in visible, nil: all, are considered; of the others nothing is told, not even their number. listAll
// lists the services that offer none of the capabilities, too, instead of counting them. A NaN or infinite number in the
// demands is an error: it would decide by accident.
func (r *Registry) Match(request *caiov1.Request, visible bitset.Set, listAll bool) (*Match, error) {
	d, err := newDemands(request)
	if err != nil {
		return nil, err
	}
	if visible == nil {
		visible = r.live
	}
	enough, listed := r.offering(request)
	if listAll {
		listed = visible.Clone()
	}
	listed = listed.And(visible)
	m := &Match{
		Passed: bitset.Of(len(r.slots)), Unlisted: visible.Count() - listed.Count(), registry: r, demands: d, enough: enough,
	}
	for slot := range listed.All() {
		if outcome, _ := m.Why(slot); outcome == "" {
			m.Passed.Add(slot)
		}
	}
	m.Fallen = listed.Clone().AndNot(m.Passed)
	return m, nil
}

// Why returns, for a service in Fallen, the first step it failed ("capability", "guarantee", "constraint") and
// everything it failed there; for one in Passed "" and nothing. The reasons are shared among the services of the match
// and must not be changed.
func (m *Match) Why(slot int) (outcome string, reasons []*caiov1.Reason) {
	return m.demands.judge(m.registry.slots[slot].Contract, m.enough.Has(slot))
}

// demands is a request's demands, in an order that does not change from run to run. It belongs to one match and one
// goroutine.
type demands struct {
	capabilities []string
	demandedText string
	any          bool
	guarantees   []*guaranteeDemand
	constraints  *caiov1.Demands
	shared       *shared
}

func newDemands(request *caiov1.Request) (*demands, error) {
	d := &demands{
		capabilities: request.GetCapabilities(), any: request.GetMatch() == "any", constraints: request.GetConstraints(),
		shared: &shared{texts: map[string]*structpb.Value{}, reasons: map[string]*caiov1.Reason{}},
	}
	d.demandedText = strings.Join(d.capabilities, ", ")
	if len(d.capabilities) > 1 && d.any {
		d.demandedText = "any of " + d.demandedText
	} else if len(d.capabilities) > 1 {
		d.demandedText = "all of " + d.demandedText
	}
	for name, demand := range request.GetGuarantees() {
		if path := notFinite(join("guarantees", name), demand.ProtoReflect()); path != "" {
			return nil, fmt.Errorf("match request: %s is not a finite number", path)
		}
		d.guarantees = append(d.guarantees, newGuaranteeDemand(name, demand, d.shared))
	}
	slices.SortFunc(d.guarantees, func(a, b *guaranteeDemand) int { return strings.Compare(a.name, b.name) })
	if path := notFinite("constraints", d.constraints.ProtoReflect()); path != "" {
		return nil, fmt.Errorf("match request: %s is not a finite number", path)
	}
	return d, nil
}

// judge returns the first step that c fails and all it fails there, or "" and nothing.
func (d *demands) judge(c *Contract, offers bool) (outcome string, reasons []*caiov1.Reason) {
	if !offers {
		return "capability", []*caiov1.Reason{d.capabilityReason(c)}
	}
	for _, g := range d.guarantees {
		reasons = g.judge(c.message.GetGuarantees(), reasons)
	}
	if len(reasons) > 0 {
		return "guarantee", reasons
	}
	if reasons = d.judgeConstraints(c.message.GetConstraints()); len(reasons) > 0 {
		return "constraint", reasons
	}
	return "", nil
}

// capabilityReason has the facts demanded, offered and missing, each a list of capability types.
func (d *demands) capabilityReason(c *Contract) *caiov1.Reason {
	return d.shared.reason("capability "+c.offeredText, func() *caiov1.Reason {
		var missing []string
		for _, capability := range d.capabilities {
			if !slices.ContainsFunc(c.message.GetCapabilities(), func(has *caiov1.Capability) bool { return has.GetType() == capability }) {
				missing = append(missing, capability)
			}
		}
		return newReason("contract.capability", "offers "+c.offeredText+"; "+d.demandedText+" is demanded", facts{
			"demanded": textList(d.capabilities), "missing": textList(missing), "offered": c.offered,
		})
	})
}

// facts are what triggered a reason.
type facts = map[string]*structpb.Value

// shared holds what the reasons of one match have in common. At 10,000 services that fall, saying the same thing anew
// for each was most of the time a match took.
type shared struct {
	texts   map[string]*structpb.Value
	reasons map[string]*caiov1.Reason
}

func (s *shared) text(of string) *structpb.Value {
	v := s.texts[of]
	if v == nil {
		v = structpb.NewStringValue(of)
		s.texts[of] = v
	}
	return v
}

// reason returns the reason that goes by key, making it the first time.
func (s *shared) reason(key string, make func() *caiov1.Reason) *caiov1.Reason {
	r := s.reasons[key]
	if r == nil {
		r = make()
		s.reasons[key] = r
	}
	return r
}

func newReason(rule, message string, facts facts) *caiov1.Reason {
	return &caiov1.Reason{Rule: rule, Message: message, Facts: &structpb.Struct{Fields: facts}}
}

func textList(texts []string) *structpb.Value {
	values := make([]*structpb.Value, len(texts))
	for i, s := range texts {
		values[i] = structpb.NewStringValue(s)
	}
	return structpb.NewListValue(&structpb.ListValue{Values: values})
}
