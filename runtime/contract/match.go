package contract

import (
	"fmt"
	"maps"
	"slices"

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
	request  *caiov1.Request
	demands  *demands // nil until a reason is asked for
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
	if err := finite(request); err != nil {
		return nil, err
	}
	seen := len(r.order)
	if visible == nil {
		visible = r.live
	} else {
		seen = visible.Count()
	}
	asked := len(request.GetCapabilities()) > 0
	some := span{words: visible}
	if asked {
		some = r.index.offering(request.GetCapabilities(), len(r.slots))
	}
	listed := some
	if listAll {
		listed = span{words: visible}
	}
	// Both sets of the result in one piece of memory.
	words := len(visible)
	sets := make(bitset.Set, 2*words)
	n := narrow(sets[:words:words], visible, listed)
	m := &Match{Unlisted: seen - n.count(), registry: r, request: request, Fallen: sets[words:]}
	n.copyTo(m.Fallen)
	switch {
	case asked && request.GetMatch() == "any":
		n.keep(some)
	case asked:
		for _, capability := range request.GetCapabilities() {
			n.keep(r.index.sets.get(mark{says: offers, name: capability}))
		}
	}
	for name, demand := range request.GetGuarantees() {
		r.index.guaranteeing(&n, name, demand)
	}
	r.index.within(&n, request.GetConstraints())
	m.Passed = n.set
	n.takeFrom(m.Fallen)
	return m, nil
}

// Why returns, for a service in Fallen, the first step it failed ("capability", "guarantee", "constraint") and
// everything it failed there; for one in Passed "" and nothing. The request must still be what it was. The reasons are
// shared among the services of the match and must not be changed.
func (m *Match) Why(slot int) (outcome string, reasons []*caiov1.Reason) {
	if m.demands == nil {
		m.demands = newDemands(m.request)
	}
	return m.demands.judge(m.registry.slots[slot].Contract)
}

// finite fails on a demand that is NaN or infinite, the first by its place.
func finite(request *caiov1.Request) error {
	all := true
	for _, d := range request.GetGuarantees() {
		// n-n is 0 for every finite n, NaN for all else.
		all = all && d.GetMin()-d.GetMin() == 0 && d.GetMax()-d.GetMax() == 0 && d.GetDeviation()-d.GetDeviation() == 0 &&
			d.GetRatio()-d.GetRatio() == 0 && d.GetMultiple()-d.GetMultiple() == 0
	}
	if n := request.GetConstraints().GetRequestsPerSecond(); all && n-n == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(request.GetGuarantees())) {
		if path := notFinite(join("guarantees", name), request.Guarantees[name].ProtoReflect()); path != "" {
			return fmt.Errorf("match request: %s is not a finite number", path)
		}
	}
	return fmt.Errorf("match request: %s is not a finite number", notFinite("constraints", request.GetConstraints().ProtoReflect()))
}
